"""Tools for tests of pipelines: calls in virtual time."""
