"""Runs a linked pipeline for one call. `conduct` is the way in; `life` puts the parts together.

`worker` and `stage` run processors, `intake` the source, `junction` a fork; `wiring` connects them. `interruption` is
what a `Clear` does, `ending` how a call ends, `watch` its limits, `tasks` and `failures` what becomes of its tasks and
errors.
"""
