"""The HTTP protocol that uvicorn serves with: its own limits neither the size nor the duration of a request."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from voiceflow.security.local_requests import ABSOLUTE_TARGET

from .connections import connections_of
from .pacing import PacedTransport

LARGEST_HEAD: Final = 32 * 1024
"""Bytes of a request's first line and headers together, and of the trailers and frames of chunks after them."""
REQUEST: Final = 10.0
"""Seconds within which a request must have come, with its body."""
OF_PEERS: Final = (
    "Invalid HTTP request received.",
    "Unsupported upgrade request.",
    "Invalid UTF-8 sequence received from client.",
    "ASGI callable returned without completing handshake.",  # since the peer has left
)
"""What uvicorn would log as often as a peer does such things, once with a traceback. Our protocols tell of it."""


def _is_ours(record: logging.LogRecord) -> bool:
    return record.msg not in OF_PEERS


logging.getLogger("uvicorn.error").addFilter(_is_ours)


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, with limits on a request. They hold before anybody knows who sends it."""

    _size = 0  # of what was read of the request and is no body
    _in_head = True
    _due: float | None = None  # when the request must have come

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        paced = PacedTransport(transport, connections_of(self.server_state).turns)
        paced.begin(self._take, self._wants_more)
        super().connection_made(paced)
        self._due = self.loop.time() + REQUEST
        connections_of(self.server_state).enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        connections_of(self.server_state).leave(self)

    def data_received(self, data: bytes) -> None:
        cast(PacedTransport, self.transport).received(data)

    def _wants_more(self) -> bool:
        if self.pipeline:  # it would grow with each answer
            self.flow.pause_reading()
        return not self.flow.read_paused

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        super().data_received(data)
        if self._size > LARGEST_HEAD and not self.transport.is_closing():
            self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._due = self._due or self.loop.time() + REQUEST
        self._in_head = True

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > LARGEST_HEAD:
            self._refuse(431)
            return
        if not self.url.startswith(b"/"):
            self.scope["extensions"] = {ABSOLUTE_TARGET: {}}
        self._in_head = False
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # else it is a trailer, which nobody reads
            super().on_header(name, value)

    def on_message_complete(self) -> None:
        self._due, self._size = None, 0
        if not self._in_head:
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        self._size = max(0, self._size - 2 * len(body))  # chunks have a frame, which may be as large as they are
        if not self._in_head:
            super().on_body(body)

    def handle_websocket_upgrade(self) -> None:
        if not self._in_head:
            connections_of(self.server_state).leave(self)
            super().handle_websocket_upgrade()

    def look(self, now: float) -> None:
        if self._due is not None and now >= self._due:
            self._refuse(408)

    def send_400_response(self, msg: str) -> None:
        peer = self.client[0] if self.client else "unknown"
        refusals = connections_of(self.server_state).refusals
        refusals.tell("a request", peer, f"a request from {peer} was refused: it breaks HTTP")
        self._refuse(400)

    def _refuse(self, status: int) -> None:
        self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()
