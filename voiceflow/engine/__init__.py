"""Runs a linked pipeline for one call.

`runner` is the entry point, `running_call` puts the parts together. `node` is a processor in its place; `worker`,
`stage`, `source_reader` and `fork` run nodes, `wiring` connects them, `graph` holds them. `interruption` carries out a
`Clear`, `ending` ends the call, `timeouts` keeps its limits, `playing` plays files; `tasks` owns its tasks, `failures`
its errors.
"""
