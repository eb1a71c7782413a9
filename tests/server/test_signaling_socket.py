"""How browsers' calls begin and end: real WebSockets, a real server, aiortc in the browser's place."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack
from server.serving import TUNNEL, Served, run, serving, until
from talking import Parrot, Voice
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from voiceflow import DTMF, Call, Element, Error, Processor, Transcript


@contextlib.asynccontextmanager
async def browser(served: Served, **headers: str) -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://127.0.0.1:{served.port}/ws", additional_headers=headers) as socket:
        yield socket


async def ask(socket: ClientConnection, message: object) -> dict[str, Any]:
    await socket.send(message if isinstance(message, str) else json.dumps(message))
    answer: dict[str, Any] = json.loads(await socket.recv())
    return answer


@contextlib.asynccontextmanager
async def peer(told: list[dict[str, Any]] | None = None) -> AsyncIterator[RTCPeerConnection]:
    """A browser's connection with its offer. It presses a key when it is connected, and keeps what it is `told`."""
    connection = RTCPeerConnection()
    connection.addTrack(AudioStreamTrack())
    channel = connection.createDataChannel("voiceflow")
    if told is not None:
        channel.on("open", lambda: channel.send(json.dumps({"type": "dtmf", "digit": "1"})))
        channel.on("message", lambda text: told.append(json.loads(text)))
    await connection.setLocalDescription(await connection.createOffer())
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({"type": "hello"}, {"type": "hello_ack", "ice_servers": []}),
        ({"type": "ping"}, {"type": "pong"}),
        ({"type": "webrtc_offer"}, {"type": "error", "message": "Missing SDP in offer"}),
        ({"type": "webrtc_offer", "sdp": ""}, {"type": "error", "message": "Missing SDP in offer"}),
    ],
)
def test_each_message_has_its_answer(message, answer):
    async def main() -> None:
        async with serving() as served, browser(served) as socket:
            assert await ask(socket, message) == answer

    run(main())


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("not JSON", "expected hello, webrtc_offer, ping or hangup"),
        ({"type": "dance"}, "'dance'"),
        ({"sdp": "v=0"}, "type"),
        ([1], "expected hello"),
        ('{"type": "hello", "x": ' + "[" * 30_000, "expected hello"),
        ({"type": "webrtc_offer", "sdp": 5}, "sdp"),
        ({"type": "webrtc_offer", "sdp": "not SDP"}, "begins with v=0"),
        ({"type": "webrtc_offer", "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"}, "no audio"),
    ],
)
def test_what_is_wrong_is_said_and_the_conversation_goes_on(message, words):
    async def main() -> None:
        async with serving() as served, browser(served) as socket:
            answer = await ask(socket, message)
            assert answer["type"] == "error"
            assert words in answer["message"]
            assert (await ask(socket, {"type": "ping"}))["type"] == "pong"

    run(main())


def test_a_call_begins_with_an_offer_and_ends_with_a_hangup():
    async def main() -> None:
        async with serving() as served, browser(served) as socket, peer() as caller:
            offer = {"type": "webrtc_offer", "sdp": caller.localDescription.sdp}
            answer = await ask(socket, offer)
            assert answer["type"] == "webrtc_answer"
            await caller.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
            await until(lambda: caller.connectionState == "connected")
            assert await served.active_calls() == 1
            await socket.send(json.dumps({"type": "hangup"}))
            await until(lambda: not served.server.calls.active)
            async with peer() as again:
                offer = {"type": "webrtc_offer", "sdp": again.localDescription.sdp}
                assert (await ask(socket, offer))["type"] == "webrtc_answer"

    run(main())


def test_a_call_outlives_its_websocket_and_ends_with_the_server():
    async def main() -> None:
        async with serving() as served, peer() as caller:
            async with browser(served) as socket:
                answer = await ask(socket, {"type": "webrtc_offer", "sdp": caller.localDescription.sdp})
                await caller.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
                await until(lambda: caller.connectionState == "connected")
            assert await served.active_calls() == 1

    run(main())


def test_an_offer_by_http_is_a_call_too():
    async def main() -> None:
        async with serving() as served, peer() as caller, httpx.AsyncClient(base_url=served.http) as client:
            body = {"sdp": caller.localDescription.sdp, "type": "offer"}
            answer = (await client.post("/api/offer", json=body)).json()
            assert answer["type"] == "answer"
            assert answer["pc_id"]
            await caller.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
            await until(lambda: caller.connectionState == "connected")

    run(main())


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "expected {sdp, type}"),
        (b"{}", 400, "Missing SDP in offer"),
        (b'{"sdp": "no"}', 400, "begins with v=0"),
        (b'{"sdp": "' + b"x" * 70_000 + b'"}', 400, "at most 65536 bytes"),
    ],
)
def test_an_offer_by_http_that_is_wrong_is_refused(body, status, words):
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as client:
            answer = await client.post("/api/offer", content=body)
            assert answer.status_code == status
            assert words in answer.json()["error"]

    run(main())


@pytest.mark.parametrize("headers", [TUNNEL, {"Origin": "https://example.com"}, {"Origin": "http://localhost:1"}])
def test_browsers_elsewhere_are_refused_until_somebody_opens(headers):
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as client:
            async with browser(served, **headers) as socket:
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
            assert closed.value.rcvd.reason == "refused"
            answer = await client.post("/api/offer", json={"sdp": "v=0"}, headers=headers)
            assert answer.status_code == 403
            assert answer.json() == {"error": "refused"}
        if headers is TUNNEL:
            async with serving(open=True) as served, browser(served, **headers) as socket:
                assert (await ask(socket, {"type": "ping"}))["type"] == "pong"
        else:  # another page, which everybody's browser may be shown
            async with serving(open=True) as served, browser(served, **headers) as socket:
                with pytest.raises(ConnectionClosed):
                    await socket.recv()

    run(main())


@pytest.mark.parametrize(("messages", "code"), [(["x" * 70_000], 1009), ([b"binary"], 1009), (["{}"] * 30, 1008)])
def test_messages_that_are_too_large_or_too_many_close_the_socket(messages, code):
    async def main() -> None:
        async with serving() as served, browser(served) as socket:
            with contextlib.suppress(ConnectionClosed):
                for message in messages:
                    await socket.send(message)
                while True:
                    await socket.recv()
            assert socket.close_code == code

    run(main())


def test_the_page_and_its_parts_are_served_for_this_page_alone():
    async def main() -> None:
        async with serving() as served, httpx.AsyncClient(base_url=served.http) as client:
            page = await client.get("/")
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert "default-src 'self'" in page.headers["content-security-policy"]
            script = await client.get("/voiceflow-client.js")
            assert script.headers["content-type"] == "text/javascript; charset=utf-8"
            assert "export class VoiceflowClient" in script.text

    run(main())


class Failing(Processor):
    """At each key, something fails, and then the caller is understood."""

    def process(self, frame: DTMF) -> Iterator[Error | Transcript]:
        yield Error("no key", "Model")
        yield Transcript("after it")


@pytest.mark.parametrize("tunnelled", [False, True])
def test_what_fails_is_told_to_pages_on_this_machine_alone(tunnelled: bool):
    def build(call: Call) -> Element:
        return call.source | Failing() | Parrot() | Voice() | call.sink

    async def main() -> None:
        headers = TUNNEL if tunnelled else {}
        told: list[dict[str, Any]] = []
        async with serving(build, open=True) as served, browser(served, **headers) as socket, peer(told) as caller:
            answer = await ask(socket, {"type": "webrtc_offer", "sdp": caller.localDescription.sdp})
            await caller.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
            await until(lambda: any(message["type"] == "transcript" for message in told))
            problems = [message for message in told if message["type"] == "problem"]
            expected = {"type": "problem", "processor": "Model", "text": "no key"}
            assert problems == ([] if tunnelled else [expected])

    run(main())


UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PINGS = 5_000
"""WebSocket pings whose answers are more than the system keeps for a peer that does not read."""


async def told_then(socket: ClientConnection, leave: Callable[[], None]) -> None:
    await socket.wait_closed()
    leave()


def test_a_server_stops_although_a_peer_is_closing_its_websocket_and_does_not_read():
    async def main() -> None:
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            async with serving(send_buffer=4096) as served:
                other = await connect(f"ws://127.0.0.1:{served.port}/ws")
                peer.connect(("127.0.0.1", served.port))
                peer.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_sendall(peer, UPGRADE.encode())
                assert await loop.sock_recv(peer, 1024)
                close = Frame(Opcode.CLOSE, b"").serialize(mask=True)
                await loop.sock_sendall(peer, PINGS * Frame(Opcode.PING, bytes(125)).serialize(mask=True) + close)
                await until(lambda: served.closing() == 1)
                leaving = asyncio.create_task(told_then(other, peer.close))
            await leaving
            assert other.close_code == 1012

    run(main())
