"""What a peer may cost that nobody has admitted: requests, sockets, output that is not read."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from server.serving import Conversation, Served, dialled, run, serving, until

from voiceflow.config.routes import Routes
from voiceflow.server import connections, http, websocket
from voiceflow.server.connections import STRANGERS_OF_A_PEER
from voiceflow.server.http import LARGEST_HEAD

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def peer(served: Served) -> AsyncIterator[Peer]:
    """A connection on which nothing was sent yet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def status(reader: asyncio.StreamReader) -> int:
    """The status of an answer after which the server closes. 0: it closed without one."""
    try:
        line = await reader.readline()
        while await reader.read(1 << 16):
            pass
    except ConnectionResetError:
        line = b""
    return int(line.split()[1]) if line else 0


async def left_of(reader: asyncio.StreamReader) -> bytes:
    """All that the server still sends."""
    answers = b""
    with contextlib.suppress(ConnectionResetError):
        while part := await reader.read(1 << 16):
            answers += part
    return answers


async def answer(served: Served, request: bytes) -> int:
    async with peer(served) as (reader, writer):
        writer.write(request)
        return await status(reader)


def headers(size: int, each: int) -> bytes:
    """A request whose head has `size` bytes, in headers of `each`."""
    first, last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", b"\r\n"
    left = size - len(first) - len(last)
    lines = [b"X: " + b"x" * (min(each, left - at) - 5) + b"\r\n" for at in range(0, left, each) if left - at > 5]
    return first + b"".join(lines) + last


# The size of a request


@pytest.mark.parametrize("each", [50, 1000, 1 << 30], ids=["short", "long", "one"])
def test_a_head_may_have_32_kib(each: int) -> None:
    async def main() -> None:
        async with serving() as served:
            assert await answer(served, headers(LARGEST_HEAD - 100, each)) == 200
            assert await answer(served, headers(LARGEST_HEAD + 100, each)) == 431
            assert await answer(served, headers(60_000_000, each)) in (431, 0)  # the answer may be lost in the reset
            assert await answer(served, headers(1000, each)) == 200

    run(main())


def test_a_first_line_that_does_not_end_is_refused() -> None:
    async def main() -> None:
        async with serving() as served:
            assert await answer(served, b"GET /" + b"x" * 1_000_000) in (431, 0)

    run(main())


def test_a_head_in_small_pieces_is_counted_as_a_whole() -> None:
    async def main() -> None:
        async with serving() as served, peer(served) as (reader, writer):
            writer.write(b"GET /health HTTP/1.1\r\n")
            for _ in range(LARGEST_HEAD // 1000 + 1):
                writer.write(b"X: " + b"x" * 1000 + b"\r\n")
                await asyncio.sleep(0)
            assert await status(reader) == 431

    run(main())


def test_each_request_of_a_connection_may_have_a_head_of_its_own() -> None:
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient() as client:
            for _ in range(3):
                long = {"X": "x" * (LARGEST_HEAD - 1000)}
                assert (await client.get(f"{served.http}/health", headers=long)).status_code == 200

    run(main())


CHUNKED = b"POST /health HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "endless",
    [b"0\r\n" + b"X: y\r\n" * 500_000, b"0\r\nX: " + b"y" * 3_000_000, b"1;" + b"x" * 3_000_000],
    ids=["trailers", "a trailer", "an extension of a chunk"],
)
def test_what_stands_around_a_body_may_have_32_kib(endless: bytes) -> None:
    async def main() -> None:
        async with serving() as served:
            async with peer(served) as (reader, writer):
                writer.write(CHUNKED + endless)
                assert b" 408 " not in await left_of(reader)  # 431 may be lost in the reset
            await served.at_rest()

    run(main())


def test_trailers_are_no_headers() -> None:
    async def main() -> None:
        async with serving() as served, peer(served) as (reader, writer):
            writer.write(CHUNKED.replace(b"/health", b"/sip/twilio/answer"))
            await until(lambda: any(getattr(each, "cycle", None) for each in served.connections))
            (connection,) = served.connections
            scope = connection.cycle.scope
            writer.write(b"1\r\nx\r\n0\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
            await reader.readline()
            assert [name for name, _ in scope["headers"]] == [b"host", b"transfer-encoding"]

    run(main())


@pytest.mark.parametrize("size", [8, 1000, 65536])
def test_a_long_body_may_come_in_chunks(size: int) -> None:
    async def main() -> None:
        async with serving() as served, peer(served) as (reader, writer):
            writer.write(CHUNKED + b"%x\r\n%b\r\n" % (size, b"x" * size) * (1_000_000 // size) + b"0\r\nX: y\r\n\r\n")
            writer.write(b"GET /other HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answers = await left_of(reader)
            assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"405", b"404"]

    run(main())


# Whether it is of this machine


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"GET /health HTTP/1.1", b'"dids":["'),
        (b"GET /health HTTP/1.0", b'"dids":1'),
        (b"GET http://localhost/health HTTP/1.1", b'"dids":1'),
    ],
    ids=["direct", "HTTP/1.0", "with a host"],
)
def test_a_request_as_proxies_send_it_is_not_local(first: bytes, expected: bytes, tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text("dids:\n  '+12025550199':\n")

    async def main() -> None:
        routes = Routes(tmp_path / "routes.yaml")
        async with serving(routes=routes) as served, peer(served) as (reader, writer):
            writer.write(first + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert expected in await reader.read()

    run(main())


# Its duration


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"GET /health HTTP/1.1\r\n",
        b"POST /sip/twilio/answer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nCallSid=",
        b"POST /api/offer HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["nothing", "half a head", "half a body", "no chunk"],
)
def test_a_request_that_does_not_come_is_given_up(request_: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REQUEST", 0.1)

    async def main() -> None:
        async with serving() as served:
            assert await answer(served, request_) == 408
            await served.at_rest()

    run(main())


# Sockets


def test_silent_peers_keep_nobody_from_calling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "NEW", 0.0)

    async def main() -> None:
        async with serving() as served, contextlib.AsyncExitStack() as stack:
            websocket = await stack.enter_async_context(dialled(served.media))
            conversation = Conversation(websocket)
            await conversation.begin()
            silent = [await stack.enter_async_context(peer(served)) for _ in range(STRANGERS_OF_A_PEER + 20)]
            for reader, _ in silent[:20]:
                assert await status(reader) == 0
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{served.http}/health")).json()["active_calls"] == 1
            async with dialled(served.media) as another:
                await Conversation(another).begin()
            await conversation.exchange()

    run(main())


def test_streams_that_do_not_begin_count_as_silent_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "NEW", 0.0)

    async def main() -> None:
        async with serving() as served, contextlib.AsyncExitStack() as stack:
            for _ in range(STRANGERS_OF_A_PEER + 5):
                await stack.enter_async_context(dialled(served.media))
            await until(lambda: len(served.connections) <= STRANGERS_OF_A_PEER)

    run(main())


def test_many_calls_may_begin_at_the_same_time() -> None:
    async def begin(served: Served, stack: contextlib.AsyncExitStack) -> None:
        websocket = await stack.enter_async_context(dialled(served.media))
        await Conversation(websocket).begin()

    async def main() -> None:
        async with serving() as served, contextlib.AsyncExitStack() as stack:
            await asyncio.gather(*(begin(served, stack) for _ in range(2 * STRANGERS_OF_A_PEER)))

    run(main())


# What is not read

UPGRADE = (
    b"GET /sip/media-stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
PING = b"\x89\xfd\0\0\0\0" + b"x" * 125  # with as much as it may hold


def unread(served: Served) -> int:
    """Bytes that wait in this process for peers that do not read."""
    return sum(connection.transport.get_write_buffer_size() for connection in served.connections)


def test_pings_of_a_peer_that_does_not_read_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "UNREAD", 0.5)

    async def main() -> None:
        async with serving(send_buffer=4096) as served:
            loop = asyncio.get_running_loop()
            with socket.create_connection(("127.0.0.1", served.port)) as stream:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                stream.setblocking(False)
                await loop.sock_sendall(stream, UPGRADE)
                largest = 0
                with contextlib.suppress(ConnectionError):
                    for _ in range(200):
                        await loop.sock_sendall(stream, 50 * PING)
                        await asyncio.sleep(0)
                        largest = max(largest, unread(served))
                assert 0 < largest <= 256 * 1024
                await until(lambda: not served.connections)  # cut off

    run(main())
