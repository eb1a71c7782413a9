"""Transports: each is a source of what the caller does and a sink for what the agent says."""
