"""Browsers: WebRTC peer connections as sources and sinks of calls."""
