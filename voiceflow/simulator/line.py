"""A WebSocket as a carrier opens it, without compression.

Hundreds of calls share one core, so this puts the sans-I/O half of `websockets` directly on an asyncio transport: no
task, no queue and no lock, which would cost more than the messages themselves.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Final, cast

import msgspec
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from voiceflow.errors import ProviderConnectionError
from voiceflow.security.secret_file import secret_for

HANDSHAKE: Final = 10.0
"""Seconds after which a server that does not answer is given up."""
GOODBYE: Final = 2.0
"""Seconds after which a server that does not close its end is given up."""
LARGEST: Final = 16 << 20
"""The most bytes of a message. Ten minutes of audio in one message are less, so that the player can refuse them, with
the carrier's code."""


class Closed(msgspec.Struct, frozen=True):
    """How the socket was closed (RFC 6455, section 7.4.1)."""

    code: int
    """1000 for a normal closure, 1006 if the connection was lost without a close frame."""
    reason: str


class Line(asyncio.Protocol):
    """One WebSocket. That the server has closed it is a state, not an exception."""

    def __init__(self, uri: WebSocketURI, headers: Mapping[str, str]) -> None:
        """`headers` are those of the request that opens it, besides the usual ones."""
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[Closed] = loop.create_future()
        self._websocket = ClientProtocol(uri, max_size=LARGEST)
        self._headers = headers
        self._early: list[str | bytes] = []
        self._on_message: Callable[[str | bytes], None] = self._early.append
        self._transport: asyncio.Transport | None = None
        self._parts: list[Frame] = []

    def listen(self, on_message: Callable[[str | bytes], None]) -> None:
        """Pass each message to `on_message`, first those that came before this call."""
        self._on_message = on_message
        for message in self._early:
            on_message(message)
        self._early.clear()

    def send(self, message: str | bytes) -> None:
        """Send a message. Call this only while `is_open`."""
        self._frame(message)
        self._write()

    async def close(self) -> None:
        """Close with a close frame, and wait `GOODBYE` seconds at most for the server to close its end."""
        if self.is_open:
            self._websocket.send_close(1000)
            self._write()
        await asyncio.wait({self.closed}, timeout=GOODBYE)
        self.abort()

    def vanish(self, message: str | bytes) -> None:
        """Drop the connection in the middle of `message`."""
        if self.is_open:
            self._frame(message)
            frame = b"".join(self._websocket.data_to_send())
            assert self._transport is not None
            self._transport.write(frame[: len(frame) // 2])
        self.abort()

    def _frame(self, message: str | bytes) -> None:
        """Make the frame of `message`, which is then taken from `data_to_send`."""
        if isinstance(message, str):
            self._websocket.send_text(message.encode())
        else:
            self._websocket.send_binary(message)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_open(self) -> bool:
        return self._websocket.state is State.OPEN

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports have no base class
        request = self._websocket.connect()
        for name, value in self._headers.items():
            request.headers[name] = value
        self._websocket.send_request(request)
        self._write()

    def data_received(self, data: bytes) -> None:
        websocket = self._websocket
        websocket.receive_data(data)
        for event in websocket.events_received():
            if isinstance(event, Frame):
                self._receive(event)
            elif websocket.handshake_exc is None and not self.opened.done():
                self.opened.set_result(None)
        self._write()

    def eof_received(self) -> None:
        self._websocket.receive_eof()

    def connection_lost(self, error: Exception | None) -> None:
        self._websocket.receive_eof()
        if not self.opened.done():
            self.opened.set_exception(
                self._websocket.handshake_exc or ConnectionResetError("it closed the connection at once")
            )
        closed = self._websocket.close_rcvd
        self.closed.set_result(
            Closed(closed.code, closed.reason) if closed else Closed(1006, "the connection was lost")
        )

    def _receive(self, frame: Frame) -> None:
        """Join frames into messages, each of one frame or more."""
        if frame.opcode is Opcode.CLOSE:
            self._write()  # websockets' answer
            assert self._transport is not None
            self._transport.close()  # else a server that does not, after its close frame, would keep us waiting
            return
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            return  # answered by websockets
        if frame.fin and not self._parts:
            self._deliver(frame.opcode, frame.data)
            return
        self._parts.append(frame)
        if frame.fin:
            parts, self._parts = self._parts, []
            self._deliver(parts[0].opcode, b"".join(part.data for part in parts))

    def _deliver(self, opcode: Opcode, data: bytes | bytearray | memoryview) -> None:
        if opcode is Opcode.BINARY:
            self._on_message(bytes(data))
            return
        try:
            message = str(data, "utf-8")
        except UnicodeDecodeError:
            self._websocket.fail(1007, "text that is not UTF-8")
            return
        self._on_message(message)

    def _write(self) -> None:
        assert self._transport is not None
        for data in self._websocket.data_to_send():
            if data:
                self._transport.write(data)
            else:  # empty data is websockets' sign that nothing more will be sent
                self._transport.close()


async def dial(url: str, headers: Mapping[str, str] | None = None) -> Line:
    """Open a WebSocket, with `headers`. None: as the operator of a server on this machine.

    Raises `ProviderConnectionError`, which says why there is none and what to do.
    """
    uri = parse(url)
    line = Line(uri, operators_headers(uri.host, uri.port) if headers is None else headers)
    try:
        async with asyncio.timeout(HANDSHAKE):
            tls = ssl.create_default_context() if uri.secure else None
            await asyncio.get_running_loop().create_connection(lambda: line, uri.host, uri.port, ssl=tls)
            await line.opened
    except Exception as error:
        raise ProviderConnectionError(_explain(error, uri, url)) from error
    finally:
        if not line.is_open:
            line.abort()
    return line


def operators_headers(host: str, port: int) -> dict[str, str]:
    """What shows to the server at `host`, `port` that a request is from its operator: a server on this machine that
    others may reach asks for the secret of its run. Empty where there is none."""
    secret = secret_for(host, port)
    return {} if secret is None else {"Authorization": f"Bearer {secret}"}


def parse(url: str) -> WebSocketURI:
    """The parts of a WebSocket's URL. Raises `ProviderConnectionError` for any other URL."""
    try:
        return parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise ProviderConnectionError(
            f"{url} is not the URL of a WebSocket: expected one such as ws://127.0.0.1:8000/sip/media-stream"
        ) from error


def _explain(error: Exception, uri: WebSocketURI, url: str) -> str:
    url = url.partition("?")[0]  # the query may have a secret
    match error:
        case ConnectionRefusedError():
            return f"nothing listens on {uri.host} port {uri.port}: start a server there, with `voiceflow run FILE`"
        case TimeoutError():
            return f"{uri.host} port {uri.port} has not answered for {HANDSHAKE:.0f} s: does a WebSocket listen there?"
        case socket.gaierror():
            return f"there is no host called {uri.host} ({error.strerror})"
        case InvalidStatus():
            response = error.response
            said = " ".join((response.body or b"").decode(errors="replace").split())[:200] or response.reason_phrase
            return f"{url} was refused with status {response.status_code}: {said}"
        case InvalidHandshake():
            return f"{uri.host} port {uri.port} does not answer as a WebSocket: {error}"
        case _:
            return f"cannot connect to {url}: {error}"
