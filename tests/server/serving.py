"""A real server on loopback, and carriers that connect to it. The server is uvicorn, set up as `voiceflow run` does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import httpx
import uvicorn
from starlette.routing import BaseRoute
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from voiceflow import Call
from voiceflow.audio import AudioFormat
from voiceflow.auth import Authorize
from voiceflow.config.address import MEDIA
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.frames import AudioRaw
from voiceflow.pipeline import Element
from voiceflow.security.trust import secret_of
from voiceflow.server.launch import uvicorn_settings
from voiceflow.server.server import Server
from voiceflow.server.websocket import WebSocketProtocol
from voiceflow.transports.carriers import carrier_named
from voiceflow.transports.dialect import Mirror, Start

MULAW = AudioFormat("mulaw", 8_000)
FROM, TO = "+12025550123", "+12025550199"
SPEECH = bytes(range(160))
"""20 ms of it."""
TUNNEL = {"X-Forwarded-For": "203.0.113.9"}
"""What a tunnel adds: such requests are not local."""
WATCHDOG = 20.0
"""Seconds after which a test has failed."""


def loop_factory() -> asyncio.AbstractEventLoop:
    """uvloop where there is one, as in production."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def run(main: Coroutine[Any, Any, None], *, seconds: float = WATCHDOG) -> None:
    """Run a test, which leaves no task behind, within `seconds`."""

    async def checked() -> None:
        async with asyncio.timeout(seconds):
            await main
            while left := asyncio.all_tasks() - {asyncio.current_task()}:  # a client's own may take a moment
                await asyncio.wait(left)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(checked())


def echo(call: Call) -> Element:
    return call.source | call.sink


def call_id(carrier: str = "twilio", number: int = 1) -> str:
    """An id of a call, in the carrier's form."""
    return carrier_named(carrier).ids(UUID(int=number))[1]


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody signals. The watchdog ends a wait in vain."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


class Uvicorn(uvicorn.Server):
    """Stops when it is told to, where uvicorn looks ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stop = asyncio.Event()

    async def main_loop(self) -> None:
        await self.stop.wait()


class Served:
    """A server that is running."""

    def __init__(self, server: Server, port: int, uvicorn_server: Uvicorn, operator: dict[str, str]) -> None:
        self.server = server
        self.port = port
        self.media = f"ws://127.0.0.1:{port}{MEDIA}"
        self.http = f"http://127.0.0.1:{port}"
        self.operator = operator
        """The header by which whoever runs the server shows it."""
        self._uvicorn = uvicorn_server

    @property
    def connections(self) -> set[Any]:
        """The protocols of all connections."""
        return self._uvicorn.server_state.connections

    async def active_calls(self) -> int:
        async with httpx.AsyncClient() as client:
            return int((await client.get(f"{self.http}/health")).json()["active_calls"])

    def closing(self) -> int:
        """How many WebSockets their peers have begun to close."""
        websockets = [each for each in self._uvicorn.server_state.connections if isinstance(each, WebSocketProtocol)]
        return sum(each.conn.state is State.CLOSING for each in websockets)

    async def at_rest(self) -> None:
        """Wait until nothing of any call is left: no call, no task of its WebSocket."""
        await until(lambda: not (self.server.calls.active or self._uvicorn.server_state.tasks))
        assert await self.active_calls() == 0


@contextlib.asynccontextmanager
async def serving(
    build: Callable[[Call], Element] = echo,
    config: Config | None = None,
    routes: Routes | None = None,
    *,
    key: bytes = b"key of this run",
    open: bool = False,
    send_buffer: int | None = None,
    authorize: Authorize | None = None,
    beside: Sequence[BaseRoute] = (),
) -> AsyncIterator[Served]:
    """Serve. `send_buffer`: how many bytes the system takes for a peer that does not read."""
    server = Server(build, config or Config(), routes or Routes(), key, open=open, authorize=authorize, beside=beside)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # as `application` does
    uvicorn_server = Uvicorn(uvicorn.Config(server, **uvicorn_settings(config or Config())))
    task = asyncio.create_task(uvicorn_server.serve([listener]))
    await until(lambda: uvicorn_server.started or task.done())
    try:
        operator = {"Authorization": f"Bearer {secret_of(key)}"}
        yield Served(server, listener.getsockname()[1], uvicorn_server, operator)
    finally:
        uvicorn_server.stop.set()
        await task


def carrier(
    provider: str = "twilio",
    *,
    call_sid: str | None = None,
    caller_id: str = FROM,
    did: str = TO,
    inbound: AudioFormat = MULAW,
    outbound: AudioFormat | None = None,
    **parameters: str,
) -> Mirror:
    """The carrier's end of a stream."""
    stream_id, usual = carrier_named(provider).ids(UUID(int=1))
    start = Start(
        provider=provider,
        stream_id=stream_id,
        call_sid=usual if call_sid is None else call_sid,
        caller_id=caller_id,
        did=did,
        inbound=inbound,
        outbound=outbound or inbound,
        parameters={"from": caller_id, "to": did, **parameters},
    )
    return carrier_named(provider).mirror(start)


def parameters(answer: httpx.Response) -> dict[str, str]:
    """What an answer to a webhook has the carrier send along with its stream."""
    root = ElementTree.fromstring(answer.text)
    return {element.attrib["name"]: element.attrib["value"] for element in root.iter("Parameter")}


@contextlib.asynccontextmanager
async def dialled(url: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """A WebSocket as a carrier opens it."""
    options = {"compression": None, "ping_interval": None, "close_timeout": 1, "max_queue": None} | options
    async with connect(url, proxy=None, **options) as websocket:
        yield websocket


async def begin(websocket: ClientConnection, caller: Mirror) -> None:
    """Begin a call and say something."""
    for message in [*caller.hello(), caller.media(SPEECH)]:
        await websocket.send(message)


async def hears(websocket: ClientConnection, caller: Mirror) -> bytes:
    """Begin a call with an echo and say something. Returns what the caller hears."""
    await begin(websocket, caller)
    (audio,) = caller.receive(await websocket.recv())
    assert isinstance(audio, AudioRaw)
    return audio.data


async def closing(websocket: ClientConnection) -> tuple[int | None, str]:
    """Read to the end. Returns the code and the reason of the server's close frame; None if there was none."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await websocket.recv()
    frame = websocket.protocol.close_rcvd
    return (None, "") if frame is None else (frame.code, frame.reason)


async def hears_to_the_end(websocket: ClientConnection, caller: Mirror) -> tuple[bytes, int | None]:
    """What a caller hears until the server closes the stream, and the close code. Marks are played at once."""
    audio = b""
    with contextlib.suppress(ConnectionClosed):
        async for message in websocket:
            for request in caller.receive(message):
                if isinstance(request, AudioRaw):
                    audio += request.data
                elif hasattr(request, "name"):
                    await websocket.send(caller.mark(request.name))
    return audio, (await closing(websocket))[0]


class Conversation:
    """A call that goes on, and must not notice what others do: all that the caller says comes back, in order."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket
        self._carrier = carrier(call_sid=call_id(number=99))
        self._said = self._heard = b""
        self._over = asyncio.Event()

    async def begin(self) -> None:
        for message in self._carrier.hello():
            await self._websocket.send(message)
        await self.exchange()

    async def exchange(self) -> None:
        """Say something, and hear it."""
        said = bytes(value ^ len(self._said) // 160 % 256 for value in SPEECH)
        self._said += said
        await self._websocket.send(self._carrier.media(said))
        while len(self._heard) < len(self._said):
            for request in self._carrier.receive(await self._websocket.recv()):
                self._heard += request.data  # type: ignore[union-attr]
        assert self._heard == self._said
