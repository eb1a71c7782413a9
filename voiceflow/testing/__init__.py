"""For tests of pipelines: calls in virtual time."""
