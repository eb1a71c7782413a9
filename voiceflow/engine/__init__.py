"""Runs a linked pipeline for one call.

`runner` is the way in, `running_call` puts the parts together. `node` is a processor in its place; `worker`, `stage`,
`source_reader` and `fork` run nodes, `wiring` connects them, `graph` holds them. `interruption` is what a `Clear` does,
`ending` how a call ends, `timeouts` its limits; `tasks` and `failures` own its tasks and its errors.
"""
