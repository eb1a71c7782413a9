"""What holds for every dialect: nothing breaks it, each end reads the other, and it is found by its first message."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow.audio import AudioFormat
from voiceflow.errors import ProviderDetectionError
from voiceflow.frames import DTMF, AudioRaw
from voiceflow.transports.carriers import carrier_named, detect
from voiceflow.transports.decoding import EARLY
from voiceflow.transports.dialect import (
    ClearRequest,
    Echo,
    Event,
    MarkRequest,
    Mirror,
    ProtocolError,
    Refusal,
    Request,
    Start,
    Stop,
    Stream,
    Unexpected,
)

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("twilio", "telnyx")
FROM_CARRIER = {name: (GOLDEN / f"{name}-from-carrier.jsonl").read_text().splitlines() for name in NAMES}
TO_CARRIER = {name: (GOLDEN / f"{name}-to-carrier.jsonl").read_text().splitlines() for name in NAMES}
FORMATS = {
    "twilio": [AudioFormat("mulaw", 8_000), AudioFormat("pcm16", 16_000), AudioFormat("pcm16", 24_000)],
    "telnyx": [
        AudioFormat("mulaw", 8_000),
        AudioFormat("alaw", 8_000),
        AudioFormat("g722", 16_000),
        AudioFormat("pcm16", 16_000),
        AudioFormat("pcm16", 8_000),
    ],
}
providers = pytest.mark.parametrize("name", NAMES)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where anything can be changed in a message."""
    if not isinstance(value, dict):
        return [path]
    return [path, *(place for key in value for place in places(value[key], (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn, golden: list[str]) -> str | bytes:
    """A golden message, whole or damaged: a value replaced or missing, cut off, a character changed, binary."""
    message = draw(st.sampled_from(golden))
    match draw(st.sampled_from(("whole", "whole", "value", "value", "missing", "cut", "character", "binary"))):
        case "value" | "missing" as how:
            decoded = json.loads(message)
            *path, last = draw(st.sampled_from([place for place in places(decoded) if place]))
            holder = decoded
            for key in path:
                holder = holder[key]
            if how == "missing":
                del holder[last]
            else:
                holder[last] = draw(values)
            return json.dumps(decoded)
        case "cut":
            return message[: draw(st.integers(0, len(message)))]
        case "character":
            place = draw(st.integers(0, len(message) - 1))
            return message[:place] + draw(st.characters()) + message[place + 1 :]
        case "binary":
            return message.encode()
    return message


def anything(golden: list[str]) -> st.SearchStrategy[list[str | bytes]]:
    garbage = st.text(alphabet=st.characters(codec=None, exclude_categories=())) | st.binary() | values.map(json.dumps)
    return st.lists(mutated(golden) | mutated(golden) | garbage, max_size=25)


@providers
@given(data=st.data(), started=st.booleans())
@settings(max_examples=400)
def test_any_sequence_of_messages_gives_events_or_a_protocol_error(
    name: str, data: st.DataObject, started: bool
) -> None:
    stream = carrier_named(name).stream()
    golden = FROM_CARRIER[name]
    events: list[Event] = []
    for message in [*(golden[:2] if started else ()), *data.draw(anything(golden))]:
        with contextlib.suppress(ProtocolError):
            events += stream.receive(message)
    starts = [place for place, event in enumerate(events) if isinstance(event, Start)]
    assert len(starts) <= 1
    assert all(isinstance(event, Start | Unexpected) for event in events[: starts[0] + 1 if starts else None])
    stops = [place for place, event in enumerate(events) if isinstance(event, Stop)]
    assert len(stops) <= 1
    assert not events[stops[0] + 1 :] if stops else True
    assert all(
        type(event.digit) is str and event.digit in "0123456789*#ABCD" for event in events if type(event) is DTMF
    )


ODD: list[Any] = [
    *(
        None,
        True,
        -1,
        5,
        10**20,
        0.5,
        "",
        "x",
        "-1",
        "1.5",
        "F",
        "11",
        "a",
        "\u0661",
        "INBOUND",
        "AAA",
        "=",
        "\ud83d\ude00",
    ),
    *([], {}, [1], {"x": None}),
]
"""Values that a field should not have, or not in this way."""


def odd_messages(message: str) -> Iterator[str]:
    """A message with each of its fields in turn missing, odd, or written differently."""
    for *path, last in (place for place in places(json.loads(message)) if place and place != ("event",)):
        for change in ("missing", "number", "text", *ODD):
            decoded = json.loads(message)
            holder = decoded
            for key in path:
                holder = holder[key]
            value = holder[last]
            if change == "missing":
                del holder[last]
            elif change == "number":
                holder[last] = int(value) if str(value).isdigit() else value
            else:
                holder[last] = str(value) if change == "text" else change
            yield json.dumps(decoded)


def heard(stream: Stream, message: str) -> bool:
    """Whether the caller is heard in the `media` message, once no other can be missing before it."""
    events = [event for number in range(100, 107) for event in stream.receive(numbered(message, number))]
    return any(isinstance(event, AudioRaw) for event in events)


def numbered(media: str, number: int) -> str:
    message = json.loads(media)
    message["media"] |= {"chunk": str(number), "timestamp": str(20 * number)}
    return json.dumps(message)


def of_event(name: str, event: str) -> str:
    return next(message for message in FROM_CARRIER[name] if json.loads(message)["event"] == event)


@providers
def test_no_field_of_a_message_ends_a_stream(name: str) -> None:
    connected, start, *others = FROM_CARRIER[name]
    for message in [connected, *others]:
        for odd in odd_messages(message):
            stream = carrier_named(name).stream()
            events = [*stream.receive(connected), *stream.receive(start), *stream.receive(odd)]
            assert isinstance(events[0], Start)
            stopped = any(isinstance(event, Stop) for event in events)
            assert stopped == (message is others[-1] and not isinstance(events[-1], Unexpected)), odd
            assert stopped or heard(stream, of_event(name, "media")), odd


@providers
def test_a_start_begins_a_call_unless_its_stream_or_its_audio_cannot_be_told(name: str) -> None:
    connected, start, *_ = FROM_CARRIER[name]
    for odd in odd_messages(start):
        stream = carrier_named(name).stream()
        stream.receive(connected)
        try:
            begun, *rest = stream.receive(odd)
        except ProtocolError as error:
            assert re.search("encoding|sampling rate|channel|streamSid|Hz", str(error)), odd  # noqa: PT017
            continue
        assert isinstance(begun, Start)
        assert all(isinstance(event, Unexpected) for event in rest)
        assert all(type(value) is str for value in begun.parameters.values())
        assert heard(stream, of_event(name, "media")) or stream.receive(of_event(name, "media")), odd


@providers
@pytest.mark.parametrize("message", ['{"x":1}', "{}", '{"event":null}', '{"event":5}', '{"event":"weather"}'])
def test_an_unknown_message_is_passed_over_at_any_time(name: str, message: str) -> None:
    stream = carrier_named(name).stream()
    for known in FROM_CARRIER[name]:
        (unexpected,) = stream.receive(message)
        assert isinstance(unexpected, Unexpected)
        assert message in unexpected.came
        stream.receive(known)
    assert stream.receive(message) == []  # after the stop


@providers
@pytest.mark.parametrize("message", ["", "{", "[]", "5", "null", '"start"', "\ud800", "[" * 100_000, b"{}", b"\0"])
def test_what_is_no_json_object_breaks_the_protocol(name: str, message: str | bytes) -> None:
    stream = carrier_named(name).stream()
    for known in FROM_CARRIER[name][:3]:
        with pytest.raises(ProtocolError, match=name):
            stream.receive(message)
        stream.receive(known)


@providers
@given(data=st.data())
def test_messages_may_come_in_any_order(name: str, data: st.DataObject) -> None:
    *messages, stop = FROM_CARRIER[name]
    stream = carrier_named(name).stream()
    events = [event for each in data.draw(st.permutations(messages)) for event in stream.receive(each)]
    events += stream.receive(stop)
    in_order = carrier_named(name).stream()
    expected = [event for each in FROM_CARRIER[name] for event in in_order.receive(each)]
    assert isinstance(events[0], Start)
    assert sorted(map(repr, events)) == sorted(map(repr, expected))


@providers
def test_only_the_last_messages_before_the_start_are_kept(name: str) -> None:
    stream = carrier_named(name).stream()
    mark, start = of_event(name, "mark"), of_event(name, "start")
    for number in range(10_000):
        assert stream.receive(mark.replace("my label", str(number))) == []
    _, *kept = stream.receive(start)
    assert kept == [Echo(str(number)) for number in range(10_000 - EARLY, 10_000)]


@providers
@given(data=st.data())
@settings(max_examples=400)
def test_any_messages_in_any_order_give_requests_or_refusals(name: str, data: st.DataObject) -> None:
    _, start = FROM_CARRIER[name][:2]
    (described,) = carrier_named(name).stream().receive(start)
    assert isinstance(described, Start)
    carrier = carrier_named(name).mirror(described)
    carrier.hello()
    for message in data.draw(anything(TO_CARRIER[name])):
        for request in carrier.receive(message):
            assert isinstance(request, AudioRaw | MarkRequest | ClearRequest | Refusal)
            if isinstance(request, Refusal):
                for told in carrier.refuse(request):
                    json.loads(told)


def ends(name: str, format: AudioFormat, **texts: str) -> tuple[Stream, Mirror, Start]:
    start = Start(
        provider=name,
        stream_id=texts.get("stream_id", "S1"),
        call_sid=texts.get("call_sid", "C1"),
        caller_id=texts.get("caller_id", "+15550100"),
        did=texts.get("did", "+15550101"),
        inbound=format,
        outbound=format,
        parameters={"token": texts.get("token", "T")},
    )
    return carrier_named(name).stream(), carrier_named(name).mirror(start), start


@providers
@given(st.data())
def test_what_the_carrier_says_we_read(name: str, data: st.DataObject) -> None:
    format = data.draw(st.sampled_from(FORMATS[name]))
    text = st.text(min_size=1, max_size=20)
    texts = {key: data.draw(text) for key in ("stream_id", "call_sid", "caller_id", "did", "token")}
    stream, carrier, start = ends(name, format, **texts)
    (read,) = [event for message in carrier.hello() for event in stream.receive(message)]
    assert isinstance(read, Start)
    for field in ("provider", "stream_id", "call_sid", "caller_id", "did", "inbound", "outbound"):
        assert getattr(read, field) == getattr(start, field)
    assert read.parameters.items() >= start.parameters.items()
    assert read.metadata.items() >= start.metadata.items()

    sizes = st.integers(1, 1_000).map(lambda samples: samples * format.frame_bytes)
    said = data.draw(
        st.lists(
            st.one_of(
                sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size)).map(
                    lambda audio: AudioRaw(audio, format)
                ),
                st.sampled_from("0123456789*#ABCD").map(DTMF),
                text.map(Echo),
            ),
            max_size=20,
        )
    )
    events: list[Event] = []
    for event in said:
        match event:
            case AudioRaw():
                events += stream.receive(carrier.media(event.data))
            case DTMF():
                events += stream.receive(carrier.dtmf(event.digit))
            case Echo():
                events += stream.receive(carrier.mark(event.name))
    assert events == said
    assert [type(event) for event in stream.receive(carrier.stop())] == [Stop]


@providers
@given(st.data())
def test_what_we_say_the_carrier_reads_and_refuses_nothing_of(name: str, data: st.DataObject) -> None:
    format = data.draw(st.sampled_from(FORMATS[name]))
    stream, carrier, _ = ends(name, format)
    for message in carrier.hello():
        stream.receive(message)
    audio = st.binary(max_size=3_000).map(lambda data: data[: len(data) // format.frame_bytes * format.frame_bytes])
    requests: list[Request] = []
    said, marks, clears = b"", [], 0
    for say in data.draw(st.lists(audio | st.text() | st.none(), max_size=20)):
        match say:
            case bytes():
                messages = stream.media(say)
                said += say
            case str():
                messages = stream.mark(say)
                marks.append(say)
            case None:
                messages = [*stream.flush(), *stream.clear()]
                clears += 1
        for message in messages:
            requests += carrier.receive(message)
    for message in stream.flush():
        requests += carrier.receive(message)
    assert not [request for request in requests if isinstance(request, Refusal)]
    assert [request.name for request in requests if isinstance(request, MarkRequest)] == marks
    assert sum(isinstance(request, ClearRequest) for request in requests) == clears
    if not marks and not clears:  # else silence may stand before each
        played = b"".join(request.data for request in requests if isinstance(request, AudioRaw))
        assert played[: len(said)] == said
        assert all(request.format is format for request in requests if isinstance(request, AudioRaw))


@given(st.lists(st.booleans(), max_size=30), st.sampled_from(NAMES))
def test_what_the_carrier_loses_we_hear_as_silence(lost: list[bool], name: str) -> None:
    format = AudioFormat("alaw", 8_000) if name == "telnyx" else AudioFormat("mulaw", 8_000)
    silent = b"\xd5" if name == "telnyx" else b"\xff"
    stream, carrier, _ = ends(name, format)
    for message in carrier.hello():
        stream.receive(message)
    sent, events = b"", list[Event]()
    for number, gone in enumerate([False, *lost, False]):
        piece = bytes([number + 1]) * 160
        if gone:
            carrier.lose(piece)
        else:
            events += stream.receive(carrier.media(piece))
        sent += silent * 160 if gone else piece
    events += stream.receive(carrier.stop())
    assert b"".join(event.data for event in events if isinstance(event, AudioRaw)) == sent


# Detection


@providers
def test_a_provider_is_told_by_any_of_its_messages(name: str) -> None:
    for message in FROM_CARRIER[name]:
        assert detect(message).name == name


@pytest.mark.parametrize(
    "message",
    ["", "hello", "[]", "{}", '{"event":"welcome"}', b"\xff", "\ud800", "[" * 100_000],
)
def test_an_unknown_provider_is_refused_and_the_known_ones_are_named(message: str | bytes) -> None:
    with pytest.raises(ProviderDetectionError, match="twilio, telnyx"):
        detect(message)


def test_what_came_is_quoted_in_short() -> None:
    with pytest.raises(ProviderDetectionError) as error:
        detect('{"hello":"' + "x" * 1_000_000 + '"}')
    assert '{"hello":"xxx' in str(error.value)
    assert len(str(error.value)) < 500


@given(st.text() | st.binary() | values.map(json.dumps))
def test_anything_is_a_provider_or_a_detection_error(message: str | bytes) -> None:
    with contextlib.suppress(ProviderDetectionError):
        assert detect(message).name in NAMES


def test_an_unknown_name_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(ProviderDetectionError, match=r"'plivo'.*twilio, telnyx"):
        carrier_named("plivo")


def run(script: str) -> list[str]:
    """What a script prints, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_dialect_is_not_imported_before_it_is_used() -> None:
    script = """
import sys
import voiceflow
known = [name for name in sys.modules if name.startswith("voiceflow.transports")]
from voiceflow.transports.carriers import detect
ends = ("twilio.stream", "twilio.mirror", "telnyx.stream", "telnyx.mirror", "twilio.control", "twilio.signature")
found = detect('{"event":"connected","protocol":"Call","version":"1.0.0"}')
print(*known, *(name for name in ends if f"voiceflow.transports.carriers.{name}" in sys.modules))
found.stream()
print(*(name for name in ends if f"voiceflow.transports.carriers.{name}" in sys.modules))
"""
    assert run(script) == ["", "twilio.stream"]
