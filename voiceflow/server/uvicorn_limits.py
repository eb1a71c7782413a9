"""What uvicorn is told so that no peer can cost much: our protocols with their limits, and how long peers are waited
for."""

from __future__ import annotations

from typing import Any, Final

from voiceflow.config.settings import Config

LARGEST_MESSAGE: Final = 1 << 20
"""Bytes that a WebSocket message may have. A carrier's has a few hundred; ten seconds of L16 would be 430 000."""
LONGEST_GOODBYE: Final = 10
"""Seconds that a stopping server waits for its calls to end: a peer that does not read would delay it for ever."""
_LIMITS: Final[dict[str, Any]] = {
    "http": "voiceflow.server.http:HttpProtocol",
    "ws": "voiceflow.server.websocket:WebSocketProtocol",
    "ws_per_message_deflate": False,  # it does not make audio smaller
    "ws_max_size": LARGEST_MESSAGE,
    "timeout_graceful_shutdown": LONGEST_GOODBYE,
}


def limits(config: Config) -> dict[str, Any]:
    """Settings of uvicorn, the same for every address and any number of processes."""
    half = config.peer_timeout / 2
    return _LIMITS | {"ws_ping_interval": half, "ws_ping_timeout": half}
