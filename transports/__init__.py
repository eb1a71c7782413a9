"""Transports: each has a source, which yields the caller's audio and keys, and a sink for the agent's audio."""
