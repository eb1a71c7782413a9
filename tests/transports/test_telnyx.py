"""Telnyx's dialect, each end by itself against the messages of Telnyx's documentation."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.frames import DTMF, AudioRaw
from voiceflow.sounds.wavfile import read_wav
from voiceflow.transports.carriers.telnyx.simulated import TelnyxMirror
from voiceflow.transports.carriers.telnyx.stream import TelnyxStream, audio_format
from voiceflow.transports.dialect import (
    ClearRequest,
    Echo,
    Event,
    MarkRequest,
    ProtocolError,
    Refusal,
    Start,
    Stop,
    Unexpected,
)

GOLDEN = Path(__file__).parent / "golden"
FROM_TELNYX = (GOLDEN / "telnyx-from-carrier.jsonl").read_text().splitlines()
TO_TELNYX = (GOLDEN / "telnyx-to-carrier.jsonl").read_text().splitlines()
CONNECTED, START, MEDIA, DIGIT, MARK, ERROR, STOP = FROM_TELNYX
SPEECH = read_wav(Path(__file__).parent.parent / "data" / "speech.wav")

MULAW = AudioFormat("mulaw", 8_000)
STREAM = "32DE0DEA-53CB-4B21-89A4-9E1819C043BC"
CALL = "v2:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ"
AUDIO = bytes.fromhex("9e8f89868689 8e9cffffff9c8e8a")
PIECE = bytes(range(160))


def start_with(encoding: str = "PCMU", rate: int = 8_000, channels: int = 1) -> str:
    message = json.loads(START)
    message["start"]["media_format"] = {"encoding": encoding, "sample_rate": rate, "channels": channels}
    return json.dumps(message)


def started(start: str = START, **options: Any) -> TelnyxStream:
    stream = TelnyxStream(**options)
    stream.receive(CONNECTED)
    stream.receive(start)
    return stream


def carrier(**options: Any) -> TelnyxMirror:
    (start,) = TelnyxStream().receive(START)
    assert isinstance(start, Start)
    telnyx = TelnyxMirror(start, **options)
    telnyx.hello()
    return telnyx


def media(chunk: int, data: bytes = PIECE, timestamp: int | None = None, track: str = "inbound") -> str:
    at = 20 * chunk if timestamp is None else timestamp
    piece = {"track": track, "chunk": str(chunk), "timestamp": str(at), "payload": b64encode(data).decode()}
    return json.dumps({"event": "media", "stream_id": STREAM, "media": piece})


def digit(key: str, second: int) -> str:
    at = f"2025-06-05T08:54:{second:02}.5Z"
    return json.dumps({"event": "dtmf", "stream_id": STREAM, "occurred_at": at, "dtmf": {"digit": key}})


def shape(value: Any) -> Any:
    """The fields of a message, and of what type each is."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value).__name__


def audio(events: list[Event]) -> list[bytes]:
    return [event.data for event in events if isinstance(event, AudioRaw)]


def test_a_call_of_the_documentation_is_read() -> None:
    stream = TelnyxStream()
    events: list[Event] = []
    for message in FROM_TELNYX:
        events += stream.receive(message)
    start, *rest = events
    assert isinstance(start, Start)
    assert (start.stream_id, start.call_sid) == (STREAM, CALL)
    assert (start.caller_id, start.did) == ("+13122010094", "+13122123456")
    assert (start.inbound, start.outbound) == (MULAW, MULAW)
    assert start.parameters == {"customer_id": "customer_123"}
    # The documentation's only media is its second: until the stop it might have been overtaken by the first.
    refused = Refusal(100003, "malformed_frame", "The received frame was not formed correctly")
    assert rest == [Echo("my label"), refused, AudioRaw(AUDIO, MULAW), DTMF("1"), Stop("Telnyx ended the stream")]


def test_the_metadata_identifies_the_call() -> None:
    (start,) = TelnyxStream().receive(START)
    assert isinstance(start, Start)
    assert start.metadata == {
        "provider": "telnyx", "caller_id": "+13122010094", "did": "+13122123456", "stream_id": STREAM,
        "call_sid": CALL, "call_control_id": CALL, "call_session_id": "ff55a038-6f5d-11ef-9692-02420aeffb1f",
        "account_sid": "3E6F995F-85F7-4705-9741-53B116D28237", "tags": ["TAG1", "TAG2"],
        "client_state": "aGF2ZSBhIG5pY2UgZGF5ID1d",
    }  # fmt: skip


def test_a_start_with_nulls_is_read() -> None:
    message = json.loads(START)
    message["start"] |= {"tags": None, "client_state": None, "custom_parameters": None, "from": None}
    (start,) = TelnyxStream().receive(json.dumps(message))
    assert isinstance(start, Start)
    assert (start.parameters, start.caller_id, start.metadata["tags"]) == ({}, "", [])


def test_we_send_exactly_what_the_documentation_shows() -> None:
    stream = started()
    sent = [*stream.media(PIECE), *stream.mark("my label"), *stream.clear()]
    assert [json.loads(message) for message in sent] == [json.loads(message) for message in TO_TELNYX]


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        (["{"], "expected a telnyx message"),
        (["[]"], "Expected `object`, got `array`"),
        ([start_with("OPUS", 48_000)], "got 'OPUS'"),
        ([start_with("AMR-WB", 16_000)], "got 'AMR-WB'"),
        ([start_with("PCMU", 11_025)], "got 11025"),
        ([start_with(channels=2)], "got 2"),
    ],
)
def test_what_is_wrong_is_named(messages: list[str], complaint: str) -> None:
    stream = TelnyxStream()
    for message in messages[:-1]:
        stream.receive(message)
    with pytest.raises(ProtocolError, match=complaint):
        stream.receive(messages[-1])


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (START, "one start"),
        (MEDIA.replace(STREAM, "other"), "other"),
        (MEDIA.replace("no+J", "no+!"), "Invalid base64"),
        (DIGIT.replace('"1"', '"F"'), "keys"),
        (MARK.replace('"name"', '"label"'), "missing required field `name`"),
        (ERROR.replace('"payload"', '"error"'), "malformed_frame"),
        ('{"event":"weather","stream_id":"x"}', "weather"),
    ],
)
def test_what_is_passed_over_is_named(message: str, complaint: str) -> None:
    (unexpected,) = started().receive(message)
    assert isinstance(unexpected, Unexpected)
    assert complaint in unexpected.what + unexpected.came


def test_audio_of_half_a_sample_is_passed_over() -> None:
    (unexpected,) = started(start_with("L16", 16_000)).receive(media(1, b"\0\0\0"))
    assert unexpected == Unexpected("expected whole samples of pcm16 16000 Hz", "3 bytes")


def test_a_piece_without_a_number_is_the_next() -> None:
    stream = started()
    stream.receive(media(1))
    stream.receive(media(3))  # waits for the second
    unnumbered = json.loads(media(2, bytes(160)))
    del unnumbered["media"]["chunk"]
    del unnumbered["media"]["timestamp"]
    events = stream.receive(json.dumps(unnumbered))
    assert audio(events)[-2:] == [PIECE, bytes(160)]


@pytest.mark.parametrize("when", [DIGIT.replace('"occurred_at"', '"at"'), DIGIT.replace("2025-06-05T", "yesterday ")])
def test_a_digit_that_does_not_say_when_it_occurred_is_taken(when: str) -> None:
    assert started().receive(when)[0] == DTMF("1")


@pytest.mark.parametrize(
    ("payload", "refusal"),
    [
        ({"code": "100003", "title": "malformed_frame", "detail": None}, Refusal(100003, "malformed_frame")),
        ({"code": 100003}, Refusal(100003, "an error without a title")),
        ({"title": "odd"}, Refusal(0, "odd")),
        ({"code": "odd", "title": "odd"}, Refusal(0, "odd")),
    ],
)
def test_an_error_of_another_shape_is_told_as_far_as_it_goes(payload: dict[str, Any], refusal: Refusal) -> None:
    message = json.dumps({"event": "error", "stream_id": STREAM, "payload": payload})
    assert started().receive(message)[0] == refusal


@pytest.mark.parametrize(
    ("encoding", "rate", "format"),
    [
        ("PCMU", 8_000, MULAW),
        ("pcma", 8_000, AudioFormat("alaw", 8_000)),
        ("G722", 8_000, AudioFormat("g722", 16_000)),
        ("G722", 16_000, AudioFormat("g722", 16_000)),
        ("L16", 16_000, CANONICAL),
        ("l16", 24_000, AudioFormat("pcm16", 24_000)),
    ],
)
def test_the_format_is_the_one_of_the_start(encoding: str, rate: int, format: AudioFormat) -> None:
    (start,) = TelnyxStream().receive(start_with(encoding, rate))
    assert isinstance(start, Start)
    assert (start.inbound, start.outbound) == (format, format)


def test_telnyxs_sdk_knows_no_codec_and_rate_that_is_not_taken_or_refused_by_name() -> None:
    types = pytest.importorskip("telnyx.types")
    for codec in get_args(types.StreamBidirectionalCodec):
        if codec in ("OPUS", "AMR-WB"):
            with pytest.raises(ProtocolError, match=codec):
                audio_format(codec, 8_000)
        else:
            for rate in get_args(types.StreamBidirectionalSamplingRate):
                assert audio_format(codec, rate).rate == (16_000 if codec == "G722" else rate)


def test_what_we_asked_to_send_differs_from_what_the_phone_sends() -> None:
    stream = TelnyxStream(CANONICAL)
    (start,) = stream.receive(start_with("PCMA"))
    assert isinstance(start, Start)
    assert (start.inbound, start.outbound) == (AudioFormat("alaw", 8_000), CANONICAL)
    assert stream.media(bytes(638)) == []
    assert len(stream.media(bytes(2))) == 1


def test_the_outbound_format_may_be_told_after_the_start() -> None:
    stream = started(start_with("PCMA"))
    stream.outbound = CANONICAL
    assert stream.media(bytes(160)) == []


def test_media_out_of_order_is_put_in_order() -> None:
    stream = started()
    pieces = [bytes([n]) * 160 for n in range(1, 6)]
    events = [event for n in (2, 1, 5, 3, 3, 4) for event in stream.receive(media(n, pieces[n - 1]))]
    assert audio(events) == pieces


def test_lost_media_is_given_up_after_five_pieces_and_replaced_by_silence() -> None:
    stream = started()
    stream.receive(media(1))
    assert [stream.receive(media(n)) for n in (3, 4, 5, 6, 7)] == [[]] * 5
    assert audio(stream.receive(media(8))) == [b"\xff" * 160, *[PIECE] * 6]
    assert stream.receive(media(2)) == []  # too late


def test_our_own_voice_on_the_outbound_track_is_not_the_caller() -> None:
    assert started().receive(media(1, track="outbound")) == []


def test_a_digit_does_not_wait_where_all_is_in_order() -> None:
    stream = started()
    stream.receive(media(1))
    assert stream.receive(digit("a", 30)) == [DTMF("A")]
    assert stream.receive(digit("2", 10)) == [DTMF("2")]


def test_digits_that_come_in_disorder_are_ordered_by_when_they_occurred() -> None:
    stream = started()
    stream.receive(media(1))
    stream.receive(media(3))
    assert stream.receive(digit("2", 20)) == []
    assert stream.receive(digit("1", 10)) == []
    assert stream.receive(media(2)) == [*[AudioRaw(PIECE, MULAW)] * 2, DTMF("1"), DTMF("2")]


def test_digits_do_not_wait_for_ever_where_media_has_stopped() -> None:
    stream = started()
    stream.receive(media(2))
    keys = [event for n in range(5) for event in stream.receive(digit(str(n), n))]
    assert keys == [DTMF(str(n)) for n in range(5)]


def test_the_stop_brings_what_was_waiting_and_what_it_overtook_is_ignored() -> None:
    stream = started()
    stream.receive(media(2))
    stream.receive(digit("1", 10))
    assert stream.receive(STOP) == [AudioRaw(PIECE, MULAW), DTMF("1"), Stop("Telnyx ended the stream")]
    assert [stream.receive(message) for message in (media(1), digit("2", 9), MARK, STOP)] == [[]] * 4


# L16


def big(data: bytes) -> bytes:
    swapped = bytearray(data)
    swapped[::2], swapped[1::2] = data[1::2], data[::2]
    return bytes(swapped)


def heard(stream: TelnyxStream, data: bytes) -> bytes:
    sent = [data[start : start + 640] for start in range(0, len(data), 640)]
    return b"".join(piece for n, part in enumerate(sent, 1) for piece in audio(stream.receive(media(n, part))))


@pytest.mark.parametrize("actual", ["little", "big"])
def test_speech_shows_the_byte_order(actual: str) -> None:
    stream = started(start_with("L16", 16_000))
    got = heard(stream, SPEECH.data if actual == "little" else big(SPEECH.data))
    assert stream.byte_order == actual
    assert got[64_000:] == SPEECH.data[64_000:]
    (message,) = stream.media(SPEECH.data[64_000:64_640])
    payload = b64encode(SPEECH.data[64_000:64_640] if actual == "little" else big(SPEECH.data[64_000:64_640]))
    assert json.loads(message)["media"]["payload"] == payload.decode()


def test_silence_leaves_the_byte_order_as_it_was_found() -> None:
    stream = started(start_with("L16", 16_000))
    heard(stream, big(SPEECH.data))
    heard(stream, bytes(64_000))
    assert stream.byte_order == "big"


# What we send


def test_audio_before_a_mark_is_played_before_it() -> None:
    stream = started()
    assert stream.media(PIECE[:80]) == []
    last, mark = stream.mark("x")
    assert json.loads(last)["media"]["payload"] == b64encode(PIECE[:80] + b"\xff" * 80).decode()
    assert json.loads(mark) == {"event": "mark", "mark": {"name": "x"}}
    assert stream.flush() == []


def test_a_clear_drops_what_was_left_over() -> None:
    stream = started()
    stream.media(PIECE[:80])
    assert stream.clear() == ['{"event":"clear"}']
    assert stream.flush() == []


def test_nothing_is_sent_before_the_start() -> None:
    stream = TelnyxStream(MULAW)
    sends: list[Callable[[], list[str]]] = [
        lambda: stream.media(PIECE),
        lambda: stream.mark("x"),
        stream.flush,
        stream.clear,
    ]
    for send in sends:
        with pytest.raises(ProtocolError, match='expected "start"'):
            send()


# Telnyx's end


def test_the_carrier_takes_what_the_documentation_shows() -> None:
    telnyx = carrier()
    requests = [request for message in TO_TELNYX for request in telnyx.receive(message)]
    assert requests == [AudioRaw(PIECE, MULAW), MarkRequest("my label"), ClearRequest()]


def test_the_carrier_sends_what_the_documentation_shows() -> None:
    (start,) = TelnyxStream().receive(START)
    assert isinstance(start, Start)
    telnyx = TelnyxMirror(start)
    refusal = telnyx.refuse(Refusal(100003, "malformed_frame", "no JSON"))
    hello = telnyx.hello()
    sent = [*hello, telnyx.media(AUDIO), telnyx.dtmf("1"), telnyx.mark("my label"), *refusal, telnyx.stop()]
    for message, golden in zip(sent, FROM_TELNYX, strict=True):
        assert shape(json.loads(message)) == shape(json.loads(golden))
    assert json.loads(sent[1]) == json.loads(START)


def test_the_carrier_says_what_g722_is_called() -> None:
    (start,) = TelnyxStream().receive(start_with("G722", 16_000))
    assert isinstance(start, Start)
    _, message = TelnyxMirror(start).hello()
    assert json.loads(message)["start"]["media_format"] == {"encoding": "G722", "sample_rate": 8_000, "channels": 1}


def test_the_carrier_counts_what_is_lost() -> None:
    telnyx = carrier()
    telnyx.media(PIECE)
    telnyx.lose(PIECE)
    piece = json.loads(telnyx.media(PIECE))["media"]
    assert (piece["chunk"], piece["timestamp"]) == ("3", "40")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (PIECE, 100003),
        ("hello", 100003),
        ('{"event":"play"}', 100003),
        ('{"event":"media","media":{}}', 100003),
        ('{"event":"mark"}', 100003),
        ('{"event":"media","media":{"payload":"A"}}', 100004),
        (json.dumps({"event": "media", "media": {"payload": b64encode(PIECE[1:]).decode()}}), 100004),
        (json.dumps({"event": "media", "media": {"payload": b64encode(bytes(240_001)).decode()}}), 100004),
    ],
)
def test_the_carrier_refuses_with_telnyxs_code(message: str | bytes, code: int) -> None:
    (refused,) = carrier().receive(message)
    assert isinstance(refused, Refusal)
    assert refused.code == code


def test_the_carrier_takes_nothing_before_its_start() -> None:
    (start,) = TelnyxStream().receive(START)
    assert isinstance(start, Start)
    (refused,) = TelnyxMirror(start).receive(TO_TELNYX[2])
    assert isinstance(refused, Refusal)
    assert refused.code == 100002
