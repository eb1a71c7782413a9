"""Whatever a browser sends on its data channels, through the running server: its call goes on, and no traceback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from server.serving import loop_factory, until
from server.test_fuzz import BYTES, HANGS, TEXTS, Tried, trying
from server.test_signaling_socket import peer

from voiceflow.config.settings import Config

CONTROL, STRING, BINARY, STRING_EMPTY, BINARY_EMPTY = 50, 51, 53, 56, 57
"""What a message of a data channel is, by RFC 8831 and 8832."""
ALIKE = ["dtmf", "ping", "muted", "hang up", "client-ready", "send-text", "signalling", "disconnect", None, 1, [], {}]
MESSAGES = [
    *(text for text in TEXTS if "hangup" not in text),
    *(json.dumps({"type": kind, "digit": value, "muted": value}) for kind in ALIKE[:3] for value in ALIKE),
    *(json.dumps({"label": "rtvi-ai", "type": kind, "id": value, "data": value}) for kind in ALIKE for value in ALIKE),
    *(
        json.dumps({"type": "signalling", "message": {"type": "trackStatus", "receiver_index": value}})
        for value in ALIKE
    ),
    "ping: \x1b[2J\n",
    "ping: " + "9" * 5_000,
]
SENT = [data[:60_000] for data in BYTES if data and b"hangup" not in data]
RAW = [(kind, data) for kind in (STRING, BINARY, STRING_EMPTY, BINARY_EMPTY, 0, 1 << 31) for data in SENT]
OPENINGS = [
    b"\x03",
    b"\x02",
    b"\xff" * 12,
    b"\x03\x00" + bytes(10),
    b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x00\xff\xfe\xff\xfe",
    b"\x03\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff",
    b"\x03\xff\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01ab",
]


@pytest.fixture(scope="module")
def tried() -> Iterator[Tried]:
    with asyncio.Runner(loop_factory=loop_factory) as runner, trying(runner, Config()) as (tried, log):
        yield tried
    assert "ended: " in log.getvalue()


def raw(channel: RTCDataChannel, kind: int, data: bytes) -> Any:
    """Send what aiortc would not: `data`, which must not be empty, said to be of this kind."""
    transport = channel.transport
    return transport._send(channel.id, kind, data)  # type: ignore[attr-defined]


async def goes_on(tried: Tried, send: Any) -> None:
    """Call, have `send` send on a channel that is open, and have a key and a ping answered after it."""
    told: list[dict[str, Any]] = []
    async with peer() as caller, httpx.AsyncClient(base_url=tried.served.http) as client:
        channels = [caller.createDataChannel(label) for label in ("chat", "voiceflow")]
        channels[1].on("message", lambda text: told.append(json.loads(text)))
        await caller.setLocalDescription(await caller.createOffer())
        answer = (await client.post("/api/offer", json={"sdp": caller.localDescription.sdp, "type": "offer"})).json()
        await caller.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        async with asyncio.timeout(3 * HANGS):
            await until(lambda: all(channel.readyState == "open" for channel in channels))
            await send(caller, channels)
            told.clear()
            channels[1].send('{"type": "ping"}')
            await until(lambda: {"type": "pong"} in told)
        assert tried.served.server.calls.active


def test_a_call_goes_on_whatever_its_page_says(tried: Tried) -> None:
    async def send(caller: RTCPeerConnection, channels: list[RTCDataChannel]) -> None:
        for channel in channels:
            for message in MESSAGES:
                channel.send(message[:60_000])
            for data in BYTES:
                channel.send(data[:60_000])

    tried.run(goes_on(tried, send))


def test_a_call_goes_on_whatever_a_peer_says_its_messages_are(tried: Tried) -> None:
    async def send(caller: RTCPeerConnection, channels: list[RTCDataChannel]) -> None:
        for kind, data in RAW:
            await raw(channels[0], kind, data)

    tried.run(goes_on(tried, send))


def test_a_call_goes_on_whatever_channels_a_peer_opens(tried: Tried) -> None:
    async def send(caller: RTCPeerConnection, channels: list[RTCDataChannel]) -> None:
        for data in OPENINGS:
            await raw(channels[0], CONTROL, data)
        for label in ("", "\x1b[2J\n", "x" * 60_000, "voiceflow", "voiceflow"):
            caller.createDataChannel(label)

    tried.run(goes_on(tried, send))
