"""The WebSocket protocol that uvicorn serves with: of its three by far the cheapest per message."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.exceptions import InvalidState
from websockets.http11 import Request

from voiceflow.transports.websocket import WHY

from .connections import ADMIT, connections_of
from .pacing import PacedTransport

UNREAD: Final = 10.0
"""Seconds for which a peer may leave what it is sent unread, once the system's buffers and 64 KiB of ours are full."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's, whose peer has to read what it is sent, and which can be shut down while its peer is closing it. It
    says who ended a connection and why: of uvicorn's own, most ends look as if the peer had closed it."""

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        super().__init__(config, server_state, app_state)
        self._connections = connections_of(server_state)
        self._unread_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.enter(self)
        self._paced = cast(PacedTransport, transport)  # of the HTTP protocol, from which the connection comes
        self._paced.begin(super().data_received)

    def data_received(self, data: bytes) -> None:
        if self.handshake_initiated:
            self._paced.received(data)
        else:  # the request, of which nothing is left
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.close_sent and self.conn.close_rcvd is None:
            self._tell(1006, "the connection was lost: the peer sent no close frame")
        super().connection_lost(exc)
        self._connections.leave(self)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.handshake_initiated and not self.close_sent:
            extensions = cast(dict[str, Any], self.scope["extensions"])
            extensions[ADMIT] = self._admit

    def _admit(self) -> None:
        self._paced.is_strangers = False
        self._connections.admit(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_since = None

    def handle_ping(self) -> None:
        if self._unread_since is None:
            super().handle_ping()
        else:
            self.conn.data_to_send()  # the answer, for which a peer that does not read is not waiting

    def send_receive_event_to_app(self) -> None:
        try:
            super().send_receive_event_to_app()
        except InvalidState:  # a text that is not UTF-8 cannot be answered, where the peer has begun to close already
            self.transport.close()

    def look(self, now: float) -> None:
        if self._unread_since is not None and now >= self._unread_since + UNREAD:
            self._tell(1006, f"the peer read nothing for {UNREAD:g} s: closed by us")
            self.transport.abort()

    def shutdown(self) -> None:
        """Close the connection because the server stops. uvicorn's own method raises when the peer has begun to close
        it and has not read all that was sent: that would end the shutdown for all other connections."""
        if self.handshake_complete and not self.close_sent:
            self._tell(1012, "the server stops: it closed the stream, code 1012")
        try:
            super().shutdown()
        except InvalidState:
            self.transport.close()

    def keepalive_timeout(self) -> None:
        if not self.close_sent and not self.transport.is_closing():
            self._tell(1011, f"the peer answered no ping within {self.ping_timeout:g} s: closed by us, code 1011")
        super().keepalive_timeout()
        if self.transport.get_write_buffer_size():  # a peer that is gone will never read it
            self.transport.abort()

    def handle_parser_exception(self) -> None:
        sent = self.conn.close_sent
        if sent is None:  # before its handshake was answered
            self.transport.abort()
            return
        self._tell(sent.code, f"the peer broke the WebSocket protocol: closed by us, {sent}")
        super().handle_parser_exception()

    def _tell(self, code: int, why: str) -> None:
        """Have the application read why the connection has ended, ahead of what uvicorn says of it."""
        self.queue.put_nowait(cast(Any, {"type": "websocket.disconnect", "code": code, WHY: why}))
