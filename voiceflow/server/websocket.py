"""The WebSocket protocol that uvicorn serves with: of its three by far the cheapest per message."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's, which can also be shut down while its peer is closing it."""

    def shutdown(self) -> None:
        """Close the connection because the server stops. uvicorn's own method raises when the peer has begun to close
        it and has not read all that was sent: that would end the shutdown for all other connections."""
        try:
            super().shutdown()
        except InvalidState:
            self.transport.close()
