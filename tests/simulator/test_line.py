"""Calls over real sockets on the loopback: handshakes, codecs, closes, and servers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
from simulator.servers import echo, serving
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response
from websockets.utils import accept_key

from voiceflow.audio import AudioFormat
from voiceflow.cli.call_script import SPEECH
from voiceflow.errors import ProviderConnectionError
from voiceflow.simulator.caller import Load
from voiceflow.simulator.line import dial
from voiceflow.simulator.script import Script, write
from voiceflow.sounds.wavfile import read_wav
from voiceflow.transports.carriers import carrier_named
from voiceflow.transports.dialect import Mirror, Start

FORMATS = [
    ("twilio", AudioFormat("mulaw", 8_000)),
    ("telnyx", AudioFormat("mulaw", 8_000)),
    ("telnyx", AudioFormat("alaw", 8_000)),
    ("telnyx", AudioFormat("g722", 16_000)),
    ("telnyx", AudioFormat("pcm16", 16_000)),
    ("telnyx", AudioFormat("pcm16", 8_000)),
]
MULAW = FORMATS[0][1]


@contextlib.asynccontextmanager
async def raw(answer: bytes) -> AsyncIterator[str]:
    """A server that says `answer`, whatever it is asked, and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def carrier(provider: str = "twilio", format: AudioFormat = MULAW) -> Mirror:
    return carrier_named(provider).mirror(Start(provider, "MZ1", "CA1", "+1", "+2", format, format))


async def conduct(url: str, script: Script, *carriers: Mirror) -> Load:
    load = Load(url, carriers or [carrier()], script)
    await load.run()
    return load


async def refusal(url: str) -> str:
    with pytest.raises(ProviderConnectionError) as raised:
        await conduct(url, short())
    return str(raised.value)


def short(seconds: float = 0.2) -> Script:
    return write(None, MULAW, seconds=seconds)


# -- calls


@pytest.mark.parametrize(("provider", "format"), FORMATS, ids=str)
def test_an_echo_brings_back_what_was_said_bit_by_bit(provider: str, format: AudioFormat) -> None:
    script = write(read_wav(SPEECH), format, seconds=0.6)

    async def run() -> Load:
        async with serving(echo) as url:
            return await conduct(url, script, carrier(provider, format))

    load = asyncio.run(run())
    (caller,) = load.callers
    said = b"".join(map(script.piece, range(caller.number)))
    assert caller.seconds == 0.6
    assert caller.player.recording
    assert said.startswith(caller.player.recording)
    assert load.tally.refusals == {}


def test_many_calls_run_at_once_and_are_counted_together() -> None:
    async def run() -> Load:
        async with serving(echo) as url:
            return await conduct(url, short(0.5), *(carrier() for _ in range(5)))

    load = asyncio.run(run())
    assert [caller.ended.reason for caller in load.callers if caller.ended] == ["hung up"] * 5
    assert load.tally.sent == 5 * (2 + 25 + 1)
    assert load.cpu_seconds > 0
    assert sum(bool(caller.player.recording) for caller in load.callers) == 1


def test_calls_that_are_not_taken_fail_and_the_others_go_on() -> None:
    taken = 0

    def admit(socket: ServerConnection, request: Request) -> Response | None:
        nonlocal taken
        taken += 1
        return None if taken < 3 else socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many calls\n")

    async def run() -> Load:
        async with serving(echo, process_request=admit) as url:
            return await conduct(url, short(), *(carrier() for _ in range(4)))

    load = asyncio.run(run())
    assert len(load.callers) == 2
    assert len(load.refused) == 2
    assert all(refused.failed and "503: too many calls" in refused.reason for refused in load.refused)


def test_a_server_that_goes_away_is_told_with_its_code_and_reason() -> None:
    async def leave(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.close(1008, "this number is not served here")

    async def run() -> Load:
        async with serving(leave) as url:
            return await conduct(url, short(10.0))

    (caller,) = asyncio.run(run()).callers
    assert caller.ended is not None
    assert caller.ended.reason == "the server closed the connection: 1008 this number is not served here"
    assert caller.ended.failed


def test_a_server_that_vanishes_is_a_lost_connection() -> None:
    async def vanish(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.abort()

    async def run() -> Load:
        async with serving(vanish) as url:
            return await conduct(url, short(10.0))

    (caller,) = asyncio.run(run()).callers
    assert caller.ended is not None
    assert caller.ended.reason == "the server closed the connection: 1006 the connection was lost"
    assert caller.ended.failed


def test_a_server_that_says_goodbye_and_stays_does_not_keep_the_caller() -> None:
    async def linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        key = next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key"))
        headers = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept_key(key.decode())}"
        writer.write(f"HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n\r\n".encode())
        await reader.read(1)  # of the first message
        writer.write(b"\x88\x06" + (1001).to_bytes(2, "big") + b"away")
        await reader.read(-1)  # until the caller has gone
        writer.close()

    async def run() -> Load:
        async with asyncio.timeout(30), await asyncio.start_server(linger, "127.0.0.1", 0) as server:
            return await conduct(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", short(60.0))

    (caller,) = asyncio.run(run()).callers
    assert caller.ended is not None
    assert caller.ended.reason == "the server closed the connection: 1001 away"


def test_a_caller_who_vanishes_leaves_no_close_behind() -> None:
    seen: list[int | None] = []

    async def listen(socket: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            async for _ in socket:
                pass
        seen.append(socket.close_code)

    async def run() -> Load:
        async with serving(listen) as url:
            return await conduct(url, write(None, MULAW, vanish_after=0.1))

    (caller,) = asyncio.run(run()).callers
    assert seen == [1006]
    assert caller.ended is not None
    assert not caller.ended.failed


def test_what_a_server_sends_before_the_start_is_refused() -> None:
    async def rush(socket: ServerConnection) -> None:
        await socket.send('{"event":"clear","streamSid":"MZ1"}')
        await socket.wait_closed()

    async def run() -> Load:
        async with serving(rush) as url:
            return await conduct(url, short())

    assert list(asyncio.run(run()).tally.refusals) == [31951]


def test_a_message_in_fragments_is_one_message() -> None:
    async def fragment(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.recv()
        await socket.send(['{"event":"mark",', '"streamSid":"MZ1",', '"mark":{"name":"whole"}}'])
        async for message in socket:
            returned.append(str(message))

    returned: list[str] = []

    async def run() -> Load:
        async with serving(fragment) as url:
            return await conduct(url, short())

    load = asyncio.run(run())
    assert load.tally.marks_played == 1
    assert any('"name":"whole"' in message for message in returned)


def test_a_binary_message_is_refused_as_by_the_carrier() -> None:
    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(b"\0\1")
        await socket.wait_closed()

    async def run() -> Load:
        async with serving(send) as url:
            return await conduct(url, short())

    assert list(asyncio.run(run()).tally.refusals) == [31950]


def test_text_that_is_not_utf_8_fails_the_connection() -> None:
    async def send(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(b"\xff", text=True)
        await socket.wait_closed()
        codes.append(socket.close_code)

    codes: list[int | None] = []

    async def run() -> Load:
        async with serving(send) as url:
            return await conduct(url, short(10.0))

    (caller,) = asyncio.run(run()).callers
    assert codes == [1007]
    assert caller.ended is not None
    assert caller.ended.failed


def test_the_start_message_names_the_call_and_brings_the_token() -> None:
    starts: list[Start] = []

    async def listen(socket: ServerConnection) -> None:
        stream = carrier_named("twilio").stream()
        async for message in socket:
            starts.extend(event for event in stream.receive(message) if isinstance(event, Start))

    made = Start("twilio", "MZ1", "CA1", "+1", "+2", MULAW, MULAW, parameters={"token": "abc"})

    async def run() -> None:
        async with serving(listen) as url:
            await conduct(url, short(), carrier_named("twilio").mirror(made))

    asyncio.run(run())
    (start,) = starts
    assert start.parameters["token"] == "abc"
    assert (start.call_sid, start.caller_id, start.did) == ("CA1", "+1", "+2")


# -- lines that do not open


def test_where_nothing_listens_the_error_says_how_to_start_a_server() -> None:
    async def run() -> tuple[str, str]:
        async with serving(echo) as url:
            pass
        return url, await refusal(url)

    url, message = asyncio.run(run())
    port = url.split(":")[2].split("/")[0]
    assert message == f"nothing listens on 127.0.0.1 port {port}: start a server there, with `voiceflow run FILE`"


def test_a_refusal_is_told_in_the_servers_words() -> None:
    def refuse(socket: ServerConnection, request: Request) -> Response:
        return socket.respond(HTTPStatus.FORBIDDEN, "streams need a token\n")

    async def run() -> tuple[str, str]:
        async with serving(echo, process_request=refuse) as url:
            return url, await refusal(url)

    url, message = asyncio.run(run())
    assert message == f"{url} was refused with status 403: streams need a token"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"])
def test_a_server_of_another_kind_is_told(answer: bytes) -> None:
    async def run() -> str:
        async with raw(answer) as url:
            return await refusal(url)

    message = asyncio.run(run())
    assert "127.0.0.1" in message
    assert "\n" not in message


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "127.0.0.1:8000", "ws://", "ws://127.0.0.1:port/", "ws://h/#x"])
def test_another_url_than_a_websockets_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ProviderConnectionError, match=r"expected one such as ws://127\.0\.0\.1:8000/sip/media-stream"):
        asyncio.run(dial(url))
