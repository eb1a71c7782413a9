"""Whatever comes to any route or socket: no status 500, no traceback, nothing that hangs, no secret in the log.

The routes are those that the server has, so that a new one is tried as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import io
import json
import logging
import os
import struct
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server.serving import SPEECH, TUNNEL, Served, call_id, carrier, loop_factory, serving
from starlette.routing import Route

from voiceflow.config.address import MEDIA
from voiceflow.config.settings import Config
from voiceflow.server.logs import FORMAT, OneLine
from voiceflow.transports.carriers import names
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.twilio.settings import TwilioSettings

SECRETS = ("s3cret-auth-token", "s3cret-api-key", "s3cret-stream-token")
CONFIG = Config(
    public_ws_url=f"wss://calls.example.com{MEDIA}",
    provider_config=(
        TwilioSettings(account_sid="AC" + "0" * 32, auth_token=SECRETS[0]),
        TelnyxSettings(api_key=SECRETS[1], stream_auth_token=SECRETS[2]),
    ),
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW")
HANGS = 8.0
"""Seconds after which something has hung: less than the time that a request may take to come."""
DEEP = 20_000
TEXTS = [
    "",
    "null",
    "[]",
    "{}",
    '"x"',
    "[" * DEEP,
    '{"a":' * DEEP,
    '{"sdp": "v=0", "sdp": 1, "type": {}}',
    '{"sdp": "\\ud800", "type": "offer"}',
    '{"sdp": "v=0\\r\\nm=audio 9 UDP/TLS/RTP/SAVPF 111\\r\\n", "type": "offer"}',
    '{"sdp": NaN, "pc_id": 1e999, "candidates": -1}',
    f'{{"sdp": {"9" * 5_000}}}',
    '{"pc_id": "\\u0000\\u001b[2J", "candidates": [{"candidate": "x", "sdp_mline_index": -9223372036854775809}]}',
    '{"type": "webrtc_offer", "sdp": "v=0", "pc_id": []}',
    '{"type": "hello", "type": "hangup"}',
    '{"type": "hangup"}',
    "CallSid=CA&From=%ff%fe&To=%00&CallSid=%",
    "&".join(f"a{number}=b" for number in range(5_000)),
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 x 0\r\n",
    "a=ice-ufrag:x\r\na=mid:\r\na=candidate:" + "1 " * 99,
]
BYTES = [*(text.encode() for text in TEXTS), b"\xff\xfe\x00", b"\xed\xa0\x80", b"\x00" * 70_000, os.urandom(999)]
TYPES = ("application/json", "application/sdp", "application/trickle-ice-sdpfrag", "multipart/form-data", "\xff")


class Tried:
    """A server, and a loop that both live as long as the tests of this file."""

    def __init__(self, runner: asyncio.Runner, served: Served) -> None:
        self.served = served
        self._runner = runner

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        self._runner.run(main)

    async def answer(self, data: bytes, *, whole: bool = True) -> bytes:
        """All that the server sends for `data`; not `whole`: which breaks off there."""
        async with asyncio.timeout(HANGS):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.served.port)
            try:
                writer.write(data)
                if not whole:
                    writer.write_eof()
                return await reader.read()
            except ConnectionError:  # it has closed before it read all
                return b""
            finally:
                writer.close()

    def request(self, method: str, path: str, body: bytes, *headers: str, operator: bool = True) -> bytes:
        who = self.served.operator if operator else TUNNEL
        lines = [f"{method} {path} HTTP/1.1", "Host: calls.example.com", "Connection: close", *headers]
        lines += [f"{name}: {value}" for name, value in who.items()] + [f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1") + body

    def upgrade(self, path: str) -> bytes:
        headers = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==")
        asked = self.request("GET", path, b"", *headers).replace(b"Connection: close", b"Connection: Upgrade")
        return asked.replace(b"Content-Length: 0\r\n", b"")

    async def socket(self, path: str, sent: bytes, *, whole: bool = True) -> bytes:
        """All that the server sends on a WebSocket to `path` on which `sent` comes and then a close frame; not `whole`:
        which breaks off there."""
        async with asyncio.timeout(HANGS):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.served.port)
            try:
                writer.write(self.upgrade(path))
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(sent)
                if whole:
                    writer.write(close(1000))
                else:
                    writer.write_eof()
                return head + await reader.read()
            except ConnectionError:  # it has closed before it read all
                return head
            finally:
                writer.close()

    @property
    def paths(self) -> list[str]:
        routes = self.served.server.routes
        return [route.path.replace("{id}", "x%00") for route in routes if isinstance(route, Route)]


@contextlib.contextmanager
def trying(runner: asyncio.Runner, config: Config) -> Iterator[tuple[Tried, io.StringIO]]:
    """A server with this configuration, and its log. Nothing may be left of it."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(OneLine(FORMAT))
    logging.getLogger().addHandler(handler)
    before = logging.getLogger("voiceflow").level
    logging.getLogger("voiceflow").setLevel(logging.DEBUG)
    try:
        others = asyncio.all_tasks(runner.get_loop())
        stack = AsyncExitStack()
        served = runner.run(stack.enter_async_context(serving(config=config)))
        yield Tried(runner, served), log
        runner.run(asyncio.wait_for(served.at_rest(), HANGS))
        runner.run(stack.aclose())
        assert asyncio.all_tasks(runner.get_loop()) == others
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger("voiceflow").setLevel(before)
    told = log.getvalue()
    assert "Traceback" not in told
    assert not [secret for secret in (*SECRETS, *served.operator.values()) if secret.removeprefix("Bearer ") in told]


@pytest.fixture(scope="module")
def tried() -> Iterator[Tried]:
    with asyncio.Runner(loop_factory=loop_factory) as runner, trying(runner, CONFIG) as (tried, log):
        yield tried
    assert "ended: " in log.getvalue()  # some became calls


def frame(opcode: int, data: bytes, *, first: int = 0x80, masks: bool = True) -> bytes:
    """A WebSocket frame; `first`: the bits beside its opcode."""
    mask = 0x80 if masks else 0
    if len(data) < 126:
        head = struct.pack(">BB", first | opcode, mask | len(data))
    elif len(data) < 65_536:
        head = struct.pack(">BBH", first | opcode, mask | 126, len(data))
    else:
        head = struct.pack(">BBQ", first | opcode, mask | 127, len(data))
    return head + (bytes(4) if masks else b"") + data


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(8, struct.pack(">H", code) + reason)


CODES = (0, 999, 1000, 1004, 1005, 1006, 1015, 2999, 5000, 65535)
FRAMES = [
    *(frame(opcode, b"x", first=first) for opcode in range(16) for first in (0x80, 0x00, 0xC0, 0xA0, 0x90, 0xF0)),
    frame(1, b"\xff\xfe"),
    frame(1, b"\xff", first=0) + frame(0, b"\xfe"),
    frame(1, b'{"type":', first=0) + frame(9, b"ping") + frame(0, b'"ping"}'),
    frame(9, b"x" * 126),
    frame(9, b"", first=0),
    frame(9, b"x") * 50,
    *(close(code, reason) for code in CODES for reason in (b"", b"\xff", b"\x1b[2J\n")),
    frame(8, b"\x03"),
    close(1000, b"x" * 124),
    frame(1, b"{}", masks=False),
    b"\x81\xff" + b"\xff" * 8,
    b"\x82\xff" + struct.pack(">Q", 1 << 40),
    frame(2, bytes(70_000)),
    *(frame(1, text) for text in BYTES),
]


def test_no_route_fails_whatever_the_method_and_the_body(tried: Tried) -> None:
    async def main() -> None:
        for path in [*tried.paths, "/nothing", MEDIA, "/ws"]:
            for number, method in enumerate(METHODS):
                for place, body in enumerate(BYTES if method in ("POST", "PATCH") else BYTES[:3]):
                    kind = f"Content-Type: {TYPES[(number + place) % len(TYPES)]}"
                    answer = await tried.answer(tried.request(method, path, body, kind, operator=place % 3 > 0))
                    assert answer[9:12] not in (b"500", b""), (method, path, body[:80], answer[:300])

    tried.run(main())


def test_a_request_that_breaks_off_at_any_byte_is_forgotten(tried: Tried) -> None:
    form = f"CallSid={call_id()}&From=%2B1&To=%2B2".encode()
    offer = json.dumps({"sdp": "v=0", "type": "offer"}).encode()

    async def main() -> None:
        for whole in (
            tried.request("POST", "/sip/twilio/answer", form, "Content-Type: application/x-www-form-urlencoded"),
            tried.request("POST", "/api/offer", offer, "Content-Type: application/json"),
            tried.upgrade("/ws") + frame(1, b'{"type": "ping"}') + frame(8, b"\x03\xe8"),
        ):
            for size in range(len(whole)):
                answer = await tried.answer(whole[:size], whole=False)
                assert answer[9:12] != b"500", whole[:size]

    tried.run(main())


def test_no_socket_fails_whatever_its_frames(tried: Tried) -> None:
    async def main() -> None:
        for path in ("/ws", MEDIA, "/nothing"):
            for sent in FRAMES:
                for whole in (True, False):
                    answer = await tried.socket(path, sent, whole=whole)
                    assert answer[9:12] == (b"403" if path == "/nothing" else b"101"), (path, sent[:80], answer[:200])

    tried.run(main())


@pytest.mark.parametrize("provider", names())
def test_no_stream_fails_whatever_its_messages(provider: str, tried: Tried) -> None:
    caller = carrier(provider, call_sid=call_id(provider))
    hello = [message.encode() if isinstance(message, str) else message for message in caller.hello()]
    media = caller.media(SPEECH)
    good = [*hello, media.encode() if isinstance(media, str) else media]
    begun = b"".join(frame(1, message) for message in hello)

    async def main() -> None:
        for message in good:
            for size in range(0, len(message), 3):
                await tried.socket(MEDIA, frame(1, message[:size]))
                await tried.socket(MEDIA, begun + frame(1, message[:size]), whole=size % 2 > 0)
        for sent in FRAMES:
            await tried.socket(MEDIA, begun + sent, whole=len(sent) % 2 > 0)

    tried.run(main())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
FIELDS = ("type", "sdp", "pc_id", "event", "start", "streamSid", "media", "candidates", "stream_id", "mark", "dtmf")
EVENTS = ("hello", "webrtc_offer", "start", "connected", "media", "dtmf", "mark")
OBJECT = st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from(EVENTS))


@settings(deadline=None, max_examples=60)
@given(fields=OBJECT, noise=st.binary(max_size=200))
def test_nothing_fails_by_chance(tried: Tried, fields: dict[str, Any], noise: bytes) -> None:
    text = json.dumps(fields).encode()

    async def main() -> None:
        for path in ("/ws", MEDIA):
            await tried.socket(path, frame(1, text) + frame(1, noise))
            await tried.socket(path, frame(1, text) + noise, whole=False)
        for path in ("/api/offer", "/whip", "/sip/twilio/answer"):
            for body in (text, noise):
                answer = await tried.answer(tried.request("POST", path, body, "Content-Type: application/json"))
                assert answer[9:12] not in (b"500", b"")
        await tried.answer(noise, whole=False)

    tried.run(main())


def test_memory_does_not_grow_with_what_is_refused(tried: Tried) -> None:
    def objects() -> int:
        gc.collect()
        return len(gc.get_objects())

    async def flood(times: int) -> None:
        for number in range(times):
            await tried.answer(tried.request("POST", f"/{number}", b"x" * 999, operator=False))
            await tried.socket(MEDIA, frame(1, b'{"event": "%d"}' % number))
            await tried.answer(b"\xff" * 99, whole=False)

    tried.run(flood(50))
    before = objects()
    tried.run(flood(200))
    assert objects() - before < 500
