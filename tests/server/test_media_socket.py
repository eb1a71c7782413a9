"""Whatever comes through the media socket: that call ends and says why, the others do not notice, nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import struct
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest
from server.serving import MULAW, SPEECH, Conversation, Served, carrier, closing, dialled, echo, run, serving, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from voiceflow import DTMF, AudioRaw, Call, Processor
from voiceflow.audio import AudioFormat
from voiceflow.config.settings import Config
from voiceflow.transports import websocket as media

CONNECTED, START = carrier().hello()
HELLO = [CONNECTED, START]
MEDIA = carrier().media(SPEECH)
STREAM = carrier().start.stream_id
HUGE = 10_000_000
LOUD = AudioFormat("pcm16", 48_000)

Message = str | bytes


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "voiceflow.looplag")  # a machine under load makes the loop late
    caplog.set_level(logging.INFO, "voiceflow")


async def beside_a_conversation(served: Served, messages: Sequence[Message]) -> tuple[int | None, str]:
    """Send `messages` on one connection while a call goes on, undisturbed, on another."""
    async with dialled(served.media) as good:
        conversation = Conversation(good)
        await conversation.begin()
        async with dialled(served.media) as bad:
            with contextlib.suppress(ConnectionClosed):  # it may end before all is sent
                for message in messages:
                    await bad.send(message)
            await conversation.exchange()
            ended = await closing(bad)
            await conversation.exchange()
    await served.at_rest()
    return ended


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(["{"], "expected the first message of one of twilio, telnyx", id="malformed JSON"),
        pytest.param(["[" * 100_000], "expected the first message of one of twilio", id="nested JSON"),
        pytest.param(["[]"], "expected the first message of one of twilio", id="no object"),
        pytest.param([""], "expected the first message of one of twilio", id="an empty message"),
        pytest.param(['{"event":"hello"}'], "expected the first message of one of twilio", id="another protocol"),
        pytest.param([b"\0\xff"], "expected the first message of one of twilio", id="noise"),
        pytest.param([CONNECTED.encode()], "twilio sends text; got a binary message", id="binary at first"),
        pytest.param([CONNECTED, *[MEDIA] * 3], "expected the start of a stream among its first 4 messages", id="late"),
        pytest.param([f"{CONNECTED}{' ' * 17_000}"], "and 16384 bytes; got 1 messages with 17", id="too much"),
        pytest.param([CONNECTED, START.replace("x-mulaw", "mp3")], "expected audio/x-mulaw", id="another format"),
    ],
)
def test_a_stream_that_does_not_begin_as_it_should_is_refused(
    messages: list[Message], expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving() as served:
            code, reason = await beside_a_conversation(served, messages)
        assert code == 1008
        assert reason
        (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
        assert expected in record.message
        assert record.message.split(" was refused: ")[1].encode().startswith(reason.encode())

    run(main())


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("{", "expected a twilio message", id="malformed JSON"),
        pytest.param(b"\0\xff", "twilio sends text; got a binary message of 2 bytes", id="binary"),
    ],
)
def test_a_stream_that_does_not_go_on_as_it_should_ends(
    message: Message, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving() as served:
            code, reason = await beside_a_conversation(served, [*HELLO, MEDIA, message])
        assert code == 1008
        assert reason.startswith("protocol error: ")
        (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
        assert record.name == "voiceflow.call"
        refusal = record.message.partition(": ")[2]
        assert expected in refusal
        assert any(r.message.endswith(f"ended: protocol error: {refusal}") for r in caplog.records)

    run(main())


def test_a_stream_that_is_much_faster_than_speech_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving() as served:
            code, reason = await beside_a_conversation(served, [*HELLO, *[MEDIA] * 50 * 60])
        assert code == 1008
        assert reason.startswith("protocol error: expected audio as fast as it is spoken; got 2")

    run(main())


def test_what_a_stalled_line_held_back_may_come_at_once() -> None:
    taken: list[AudioRaw] = []

    class Takes(Processor):
        def process(self, frame: AudioRaw) -> None:
            taken.append(frame)

    async def main() -> None:
        build = lambda call: call.source | Takes() | call.sink  # noqa: E731
        async with serving(build) as served, dialled(served.media) as websocket:
            for message in [*HELLO, *[MEDIA] * 50 * 19]:
                await websocket.send(message)
            await until(lambda: len(taken) == 50 * 19)

    run(main())


@pytest.mark.parametrize("before", [[], HELLO], ids=["before its start", "after its start"])
@pytest.mark.parametrize("message", ["x" * HUGE, b"x" * HUGE], ids=["text", "binary"])
def test_a_message_of_10_mb_is_not_taken(before: list[str], message: Message, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving() as served:
            code, _ = await beside_a_conversation(served, [*before, message])
        assert code in (1009, None)  # what it has not read of the message makes the system reset the connection
        assert any("closed by us, 1009 (message too big)" in record.message for record in caplog.records)

    run(main())


ODD = {
    "connected, again": CONNECTED,
    "another start": START,
    "an unknown event": '{"event":"weather","rain":[1,{"a":null}]}',
    "no event": '{"rain":[1,{"a":null}]}',
    "another stream's media": MEDIA.replace("MZ0", "MZ9"),
    "media without audio": f'{{"event":"media","streamSid":"{STREAM}","media":{{"track":"inbound"}}}}',
    "invalid base64": MEDIA.replace('payload":"', 'payload":"%'),
    "a key that no telephone has": carrier().dtmf("F"),
    "a mark without a name": f'{{"event":"mark","streamSid":"{STREAM}"}}',
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_call_goes_on_whatever_odd_message_comes(odd: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving() as served, dialled(served.media) as websocket:
            conversation = Conversation(websocket)
            await conversation.begin()
            for _ in range(3):
                await websocket.send(odd)
                await conversation.exchange()
        warnings = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
        assert len(warnings) == (0 if odd is CONNECTED else 1)
        assert all("passed over: " in warning for warning in warnings)

    run(main())


def test_of_the_carriers_refusals_each_is_logged_once_and_in_short(caplog: pytest.LogCaptureFixture) -> None:
    caller = carrier("telnyx", inbound=MULAW)
    refusals = [
        f'{{"event":"error","payload":{{"code":{code},"title":"odd","detail":"{"x" * 100_000}"}}}}' for code in (1, 2)
    ]

    async def main() -> None:
        async with serving() as served, dialled(served.media) as websocket:
            for message in [*caller.hello(), *refusals * 5, caller.media(SPEECH)]:
                await websocket.send(message)
            await websocket.recv()
        warnings = [r.message for r in caplog.records if r.levelno >= logging.WARNING]
        assert ["refuses: 1 odd" in warnings[0], "refuses: 2 odd" in warnings[1]] == [True, True]
        assert len(warnings) == 2
        assert all(len(warning) < 500 for warning in warnings)

    run(main())


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
@pytest.mark.parametrize("order", ["0213", "2013", "2103", "3210", "3102", "1023"])
def test_messages_may_overtake_the_start(provider: str, order: str, caplog: pytest.LogCaptureFixture) -> None:
    caller = carrier(provider, inbound=MULAW)
    messages = [*caller.hello(), caller.media(SPEECH), caller.mark("never sent")]

    async def main() -> None:
        async with serving() as served, dialled(served.media) as websocket:
            for place in order:
                await websocket.send(messages[int(place)])
            await websocket.send(caller.media(SPEECH))
            heard = 0
            while heard < 2:
                heard += len(caller.receive(await websocket.recv()))
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

    run(main())


@pytest.mark.parametrize("greeting", ['{"event":"connected"}', '{"event":"connected","version":"1.0.0"}'])
@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_greeting_that_fits_several_carriers_is_decided_by_what_follows(greeting: str, provider: str) -> None:
    caller = carrier(provider, inbound=MULAW)

    async def main() -> None:
        async with serving() as served, dialled(served.media) as websocket:
            for message in [greeting, caller.hello()[1], caller.media(SPEECH)]:
                await websocket.send(message)
            (audio,) = caller.receive(await websocket.recv())
            assert isinstance(audio, AudioRaw)

    run(main())


def test_a_carriers_stop_ends_the_call_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving() as served:
            ended = await beside_a_conversation(served, [*HELLO, MEDIA, carrier().stop(), MEDIA, "{"])
        assert ended == (1000, "Twilio ended the stream")
        assert any(record.message.endswith("ended: Twilio ended the stream") for record in caplog.records)

    run(main())


def test_a_stream_of_another_carrier_than_configured_is_refused() -> None:
    async def main() -> None:
        async with serving(config=Config(provider="telnyx")) as served, dialled(served.media) as websocket:
            for message in HELLO:
                await websocket.send(message)
            code, reason = await closing(websocket)
        assert (code, reason) == (1008, "this server is set up for telnyx, a stream of twilio came")

    run(main())


# Those that say nothing, or are gone


def test_connections_that_say_nothing_are_closed_and_disturb_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("voiceflow.server.mediastreams.HANDSHAKE", 0.5)

    async def silent(url: str, first: list[str]) -> tuple[int | None, str]:
        async with dialled(url) as websocket:
            for message in first:
                await websocket.send(message)
            return await closing(websocket)

    async def main() -> None:
        async with serving() as served, dialled(served.media) as good:
            conversation = Conversation(good)
            await conversation.begin()
            silences = [silent(served.media, [CONNECTED] if number % 2 else []) for number in range(200)]
            dialling = asyncio.gather(*silences)
            while not dialling.done():
                await conversation.exchange()
                await asyncio.sleep(0)
            assert set(await dialling) == {(1008, "no call began within 0.5 s")}
            await conversation.exchange()
            await good.close()
            await served.at_rest()
            assert sum("no call began" in record.message for record in caplog.records) == 1
        assert "a media stream: 199 more from 127.0.0.1 refused" in caplog.text

    run(main())


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    """How calls ended, as the log says it."""
    return [r.message.partition(" ended: ")[2] for r in caplog.records if " ended: " in r.message]


@pytest.mark.parametrize("sends", [False, True], ids=["silent", "sends media"])
def test_a_peer_that_answers_no_ping_is_given_up(sends: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(config=Config(peer_timeout=0.4)) as served, dialled(served.media) as websocket:
            for message in HELLO:
                await websocket.send(message)
            await until(lambda: bool(served.server.calls.active))
            websocket.transport.pause_reading()  # it sees no ping
            while served.server.calls.active:
                if sends:
                    await websocket.send(MEDIA)
                await asyncio.sleep(0.02)
            await served.at_rest()
            websocket.transport.resume_reading()
            assert (await closing(websocket))[0] == 1011
        assert reasons(caplog) == ["the peer answered no ping within 0.2 s: closed by us, code 1011"]

    run(main())


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"\x81\x82\0\0\0\0\xff\xfe", "closed by us, 1007"),
        (b"\x83\x80\0\0\0\0", "closed by us, 1002"),
        (b"\x81\x02{}", "closed by us, 1002"),
    ],
    ids=["text that is not UTF-8", "a kind of frame that is reserved", "a frame without a mask"],
)
def test_a_peer_that_breaks_the_websocket_protocol_is_told_and_the_log_says_so(
    frame: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving() as served, dialled(served.media) as websocket:
            for message in HELLO:
                await websocket.send(message)
            await until(lambda: bool(served.server.calls.active))
            websocket.transport.write(frame)
            assert (await closing(websocket))[0] in (1002, 1007)
            await served.at_rest()
        (reason,) = reasons(caplog)
        assert reason.startswith("the peer broke the WebSocket protocol: ")
        assert why in reason

    run(main())


def test_a_call_that_the_server_ends_when_it_stops_says_so(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving() as served:
            websocket = await connect(served.media, proxy=None)
            for message in HELLO:
                await websocket.send(message)
            await until(lambda: bool(served.server.calls.active))
        assert (await closing(websocket))[0] == 1012
        assert reasons(caplog) == ["the server stops: it closed the stream, code 1012"]

    run(main())


def test_a_peer_that_is_silent_and_answers_pings_is_there(caplog: pytest.LogCaptureFixture) -> None:
    class Pings(logging.Handler):
        """Counts the pings that the caller gets."""

        count = 0

        def emit(self, record: logging.LogRecord) -> None:
            self.count += "< PING" in record.getMessage()

    async def main() -> None:
        pings, wire = Pings(), logging.Logger("wire", logging.DEBUG)
        wire.addHandler(pings)
        async with serving(config=Config(peer_timeout=4)) as served, dialled(served.media, logger=wire) as websocket:
            conversation = Conversation(websocket)
            await conversation.begin()
            await until(lambda: pings.count >= 2)
            await conversation.exchange()
        assert not [record for record in caplog.records if record.levelno > logging.INFO]

    run(main())


class Talker(Processor):
    """Talks for a minute when a key is pressed."""

    produces = LOUD

    async def process(self, frame: DTMF) -> AsyncIterator[AudioRaw]:
        for _ in range(60):
            yield AudioRaw(b"\1\0" * LOUD.rate, LOUD)


def test_a_peer_that_does_not_read_is_lost(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(media, "OUTBOX", 3)
    monkeypatch.setattr(media, "GOODBYE", 0.1)
    phone = carrier("telnyx", inbound=LOUD)

    async def main() -> None:
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with serving(lambda call: call.source | Talker() | call.sink, send_buffer=4096) as served:
            narrow.setblocking(False)
            await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", served.port))
            async with dialled(served.media, sock=narrow) as websocket:
                for message in [*phone.hello(), phone.dtmf("1")]:
                    await websocket.send(message)
                websocket.transport.pause_reading()
                await until(lambda: bool(served.server.calls.active))
                while served.server.calls.active:
                    await websocket.send(phone.media(bytes(LOUD.bytes_for(0.02))))
                    await asyncio.sleep(0.02)
                await served.at_rest()  # though the peer is still there
                websocket.transport.abort()
        assert reasons(caplog) == ["the peer does not read what it is sent: closed by us"]

    run(main())


class Leaves(Processor):
    """Hangs up when a key is pressed; audio passes."""

    def process(self, frame: DTMF) -> None:
        self.call.start(lambda: self.call.hangup(force=frame.digit == "1"), "hanging up")


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
@pytest.mark.parametrize("key", ["1", "2"], ids=["by force", "without force"])
def test_an_echo_is_hung_up_while_the_caller_goes_on_speaking(provider: str, key: str) -> None:
    caller = carrier(provider, inbound=MULAW)

    async def speak(websocket: ClientConnection) -> None:
        while True:
            await websocket.send(caller.media(SPEECH))
            await asyncio.sleep(0.01)  # faster than it is played, so the line is never at rest

    async def main() -> None:
        async with serving(lambda call: call.source | Leaves() | call.sink) as served:
            async with dialled(served.media) as websocket:
                for message in [*caller.hello(), caller.media(SPEECH), caller.dtmf(key)]:
                    await websocket.send(message)
                speaking = asyncio.create_task(speak(websocket))
                assert await closing(websocket) == (1000, "hung up")
                with contextlib.suppress(ConnectionClosed):
                    await speaking
            await served.at_rest()

    run(main())


async def gone(websocket: ClientConnection) -> None:
    """Leave in the middle of a frame, and have the system reset the connection."""
    websocket.transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    websocket.transport.write(b"\x81\xfe\x01\x00half of a")  # a text frame of 256 bytes, masked
    websocket.transport.abort()


async def politely_gone(websocket: ClientConnection) -> None:
    await websocket.close(1001, "bye")


@pytest.mark.parametrize("leave", [gone, politely_gone])
@pytest.mark.parametrize("messages", [[], [CONNECTED], HELLO, [*HELLO, MEDIA]], ids=len)
def test_a_peer_that_leaves_is_gone_without_a_trace(
    messages: list[str],
    leave: Callable[[ClientConnection], Awaitable[None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with serving() as served, dialled(served.media) as good:
            conversation = Conversation(good)
            await conversation.begin()
            async with dialled(served.media) as bad:
                for message in messages:
                    await bad.send(message)
                await leave(bad)
            await conversation.exchange()
            how = "the peer closed the stream, code 1001 bye" if leave is politely_gone else "the connection was lost"
            while not any(how in record.message for record in caplog.records):
                await conversation.exchange()
            await good.close()
            await served.at_rest()
        assert not [record for record in caplog.records if record.levelno > logging.INFO]

    run(main())


# Calls that fail by themselves


class Fails(Processor):
    def process(self, frame: AudioRaw) -> AudioRaw:
        raise ValueError("the secret is 42")


class DoesNotOpen(Processor):
    async def open(self, call: Call) -> None:
        raise ValueError("the secret is 42")

    def process(self, frame: AudioRaw) -> AudioRaw:
        return frame


class DoesNotLoad(Processor):
    def load(self) -> None:
        raise TimeoutError("the secret is 42")

    def process(self, frame: AudioRaw) -> AudioRaw:
        return frame


def failing(call: Call, kind: type[Processor] | None) -> Processor:
    if call.did != "+12025550100":
        return echo(call)
    if kind is None:
        raise ValueError("the secret is 42")
    return call.source | kind() | call.sink


@pytest.mark.parametrize("kind", [None, DoesNotLoad])
def test_a_pipeline_that_does_not_begin_ends_its_call_only(
    kind: type[Processor] | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving(lambda call: failing(call, kind)) as served:
            hello = carrier(did="+12025550100").hello()
            assert await beside_a_conversation(served, [*hello, MEDIA]) == (1011, "the call failed")
        assert [record for record in caplog.records if "the secret is 42" in record.getMessage()]

    run(main())


@pytest.mark.parametrize("kind", [Fails, DoesNotOpen])
def test_a_processor_that_raises_closes_the_stream_with_1011(kind: type[Processor]) -> None:
    async def main() -> None:
        async with serving(lambda call: failing(call, kind)) as served:
            hello = carrier(did="+12025550100").hello()
            assert await beside_a_conversation(served, [*hello, MEDIA]) == (1011, "the call failed")

    run(main())


@pytest.mark.parametrize("kind", [Fails, DoesNotOpen])
def test_a_processor_that_raises_ends_its_call_only(kind: type[Processor], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with serving(lambda call: failing(call, kind)) as served:
            hello = carrier(did="+12025550100").hello()
            _, reason = await beside_a_conversation(served, [*hello, MEDIA])
        assert "42" not in reason
        (error,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert error.name == "voiceflow.call"
        assert f"{kind.__name__}" in error.message
        assert "raised ValueError: the secret is 42" in error.message

    run(main())


# What is left afterwards


def test_many_bad_calls_leave_no_memory_behind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "voiceflow")  # pytest keeps records, and with them tracebacks and their calls
    calls: weakref.WeakSet[Call] = weakref.WeakSet()

    def build(call: Call) -> Processor:
        calls.add(call)
        return echo(call)

    rounds: list[list[Message]] = [
        [*HELLO, MEDIA, "{"],
        ["{"],
        [*HELLO, b"\0"],
        [CONNECTED, "[]"],
        [*HELLO, carrier().stop()],
    ]

    async def round_of_bad_calls(served: Served) -> None:
        for messages in rounds:
            for _ in range(10):
                async with dialled(served.media) as websocket:
                    with contextlib.suppress(ConnectionClosed):
                        for message in messages:
                            await websocket.send(message)
                    await closing(websocket)
        await served.at_rest()
        gc.collect()

    async def main() -> None:
        async with serving(build) as served:
            await round_of_bad_calls(served)
            tracemalloc.start()
            try:
                await round_of_bad_calls(served)
                before, _ = tracemalloc.get_traced_memory()
                await round_of_bad_calls(served)
                after, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert not calls
            assert after - before < 50 * 1024  # of 50 calls: a call that stays has hundreds

    run(main())
