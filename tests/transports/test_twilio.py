"""Twilio's dialect, each end by itself against the messages of Twilio's documentation."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.frames import DTMF, AudioRaw
from voiceflow.sounds.wavfile import read_wav
from voiceflow.transports.carriers.twilio.simulated import TwilioMirror
from voiceflow.transports.carriers.twilio.stream import TwilioStream
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
FROM_TWILIO = (GOLDEN / "twilio-from-carrier.jsonl").read_text().splitlines()
TO_TWILIO = (GOLDEN / "twilio-to-carrier.jsonl").read_text().splitlines()
CONNECTED, START, MEDIA, DIGIT, MARK, STOP = FROM_TWILIO

MULAW = AudioFormat("mulaw", 8_000)
SID, CALL, ACCOUNT = ("MZ" + "X" * 32, "CA" + "X" * 32, "AC" + "X" * 32)
AUDIO = bytes.fromhex("9e8f89868689 8e9cffffff9c8e8a")
PIECE = bytes(range(160))
SPEECH = read_wav(Path(__file__).parent.parent / "data" / "speech.wav")


def started() -> TwilioStream:
    stream = TwilioStream()
    stream.receive(CONNECTED)
    stream.receive(START)
    return stream


def carrier() -> TwilioMirror:
    (start,) = TwilioStream().receive(START)
    assert isinstance(start, Start)
    twilio = TwilioMirror(start)
    twilio.hello()
    return twilio


def media(timestamp: int, data: bytes = PIECE, **more: object) -> str:
    piece = {"track": "inbound", "timestamp": str(timestamp), "payload": b64encode(data).decode(), **more}
    return json.dumps({"event": "media", "streamSid": SID, "media": piece})


def shape(value: Any) -> Any:
    """The fields of a message, and of what type each is."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value).__name__


def test_a_call_of_the_documentation_is_read() -> None:
    stream = TwilioStream()
    events: list[Event] = []
    for message in FROM_TWILIO:
        events += stream.receive(message)
    assert events == [
        Start("twilio", SID, CALL, "+13122010094", "+13122123456", MULAW, MULAW,
              {"from": "+13122010094", "to": "+13122123456", "FirstName": "Jane"},
              {"account_sid": ACCOUNT, "tracks": ["inbound"]}),
        AudioRaw(AUDIO, MULAW),
        DTMF("1"),
        Echo("my label"),
        Stop("Twilio ended the stream"),
    ]  # fmt: skip


def test_we_send_exactly_what_the_documentation_shows() -> None:
    stream = started()
    sent = [*stream.media(AUDIO), *stream.mark("my label"), *stream.clear()]
    assert [json.loads(message) for message in sent] == [json.loads(message) for message in TO_TWILIO]


def test_the_metadata_identifies_the_call() -> None:
    (start,) = TwilioStream().receive(START)
    assert isinstance(start, Start)
    assert start.metadata == {
        "provider": "twilio", "caller_id": "+13122010094", "did": "+13122123456", "account_sid": ACCOUNT,
        "call_sid": CALL, "stream_id": SID, "tracks": ["inbound"],
    }  # fmt: skip


def test_without_our_parameters_nobody_knows_who_calls() -> None:
    plain = json.loads(START)
    del plain["start"]["customParameters"]
    (start,) = TwilioStream().receive(json.dumps(plain))
    assert isinstance(start, Start)
    assert (start.caller_id, start.did, start.parameters) == ("", "", {})


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        (["{"], "expected a twilio message"),
        ([""], "expected a twilio message"),
        (["[]"], "Expected `object`, got `array`"),
        (["\ud800"], "surrogates"),
        (["[" * 100_000], "expected a twilio message"),
        (['{"event":"media","x":' + "[" * 100_000], "recursion"),
        ([START.replace("audio/x-mulaw", "audio/opus")], "got 'audio/opus' at 8000 Hz"),
        ([START.replace("8000", "16000")], "at 16000 Hz"),
        ([START.replace("audio/x-mulaw", "audio/l16").replace("8000", "11025")], "at 11025 Hz"),
        ([START.replace('"channels":1', '"channels":2')], "with 2"),
    ],
)
def test_what_is_wrong_is_named(messages: list[str], complaint: str) -> None:
    stream = TwilioStream()
    for message in messages[:-1]:
        stream.receive(message)
    with pytest.raises(ProtocolError, match=complaint):
        stream.receive(messages[-1])


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (START, "one start"),
        (MEDIA.replace(SID, "MZother"), "MZother"),
        (MEDIA.replace("no+J", "no+!"), "Invalid base64"),
        (MEDIA.replace("no+J", "no+"), "Invalid base64"),
        (DIGIT.replace('"1"', '"11"'), "keys"),
        (DIGIT.replace('"1"', '"1\\n"'), "keys"),
        (DIGIT.replace('"1"', '"F"'), "keys"),
        (MARK.replace('"name"', '"label"'), "missing required field `name`"),
    ],
)
def test_what_is_passed_over_is_named(message: str, complaint: str) -> None:
    (unexpected,) = started().receive(message)
    assert isinstance(unexpected, Unexpected)
    assert complaint in unexpected.what + unexpected.came


def test_a_piece_without_a_time_follows_the_one_before_it() -> None:
    stream = started()
    stream.receive(media(0))
    audio, unexpected = stream.receive(media(0).replace('"timestamp": "0"', '"timestamp": "now"'))
    assert audio == AudioRaw(PIECE, MULAW)
    assert isinstance(unexpected, Unexpected)
    assert "timestamp" in unexpected.what
    assert stream.receive(media(40)) == [AudioRaw(PIECE, MULAW)]


def test_a_key_may_come_as_a_number() -> None:
    assert started().receive(DIGIT.replace('"1"', "1")) == [DTMF("1")]


def test_a_binary_message_is_named_by_its_size() -> None:
    with pytest.raises(ProtocolError, match="binary message of 160 bytes"):
        started().receive(PIECE)


def test_an_error_quotes_only_the_beginning_of_a_long_message() -> None:
    with pytest.raises(ProtocolError) as error:
        started().receive('{"event":"media","media":"' + "A" * 10_000_000)
    assert len(str(error.value)) < 500


def test_new_events_and_new_fields_of_twilio_do_no_harm() -> None:
    stream = started()
    (unexpected,) = stream.receive('{"event":"weather","streamSid":"x","sun":true}')
    assert isinstance(unexpected, Unexpected)
    assert stream.receive(media(0, confidence=1)) == [AudioRaw(PIECE, MULAW)]


def test_our_own_voice_on_the_outbound_track_is_not_the_caller() -> None:
    assert started().receive(media(0, track="outbound")) == []


def test_lost_packets_leave_silence_of_their_length() -> None:
    stream = started()
    stream.receive(media(100))
    assert stream.receive(media(160)) == [AudioRaw(b"\xff" * 320, MULAW), AudioRaw(PIECE, MULAW)]
    assert stream.receive(media(180)) == [AudioRaw(PIECE, MULAW)]


def test_a_pause_of_more_than_a_second_is_not_filled() -> None:
    stream = started()
    stream.receive(media(0))
    assert stream.receive(media(5_000)) == [AudioRaw(PIECE, MULAW)]
    assert stream.receive(media(5_020)) == [AudioRaw(PIECE, MULAW)]


def test_nothing_is_sent_before_the_start() -> None:
    stream = TwilioStream()
    sends: list[Callable[[], list[str]]] = [lambda: stream.media(PIECE), lambda: stream.mark("x"), stream.clear]
    for send in sends:
        with pytest.raises(ProtocolError, match='expected "start"'):
            send()


def started_with(encoding: str, rate: int) -> TwilioStream:
    stream = TwilioStream()
    stream.receive(START.replace("audio/x-mulaw", encoding).replace("8000", str(rate)))
    return stream


@pytest.mark.parametrize(
    ("encoding", "rate", "format"),
    [
        ("audio/x-mulaw", 8_000, MULAW),
        ("audio/PCMU", 8_000, MULAW),
        ("audio/x-alaw", 8_000, AudioFormat("alaw", 8_000)),
        ("audio/l16", 16_000, CANONICAL),
        ("audio/x-l16;rate=16000", 16_000, CANONICAL),
        ("L16", 24_000, AudioFormat("pcm16", 24_000)),
    ],
)
def test_the_format_is_the_one_of_the_start(encoding: str, rate: int, format: AudioFormat) -> None:
    (start,) = TwilioStream().receive(START.replace("audio/x-mulaw", encoding).replace("8000", str(rate)))
    assert isinstance(start, Start)
    assert (start.inbound, start.outbound) == (format, format)
    assert started_with(encoding, rate).receive(media(0)) == [AudioRaw(PIECE, format)]


def test_lost_l16_leaves_silence_of_its_length() -> None:
    stream = started_with("audio/l16", 16_000)
    stream.receive(media(0, bytes(range(64)) * 10))
    missing, _ = stream.receive(media(60, bytes(range(64)) * 10))
    assert missing == AudioRaw(bytes(2 * 640), CANONICAL)


def test_half_a_sample_of_l16_is_passed_over() -> None:
    (unexpected,) = started_with("audio/l16", 16_000).receive(media(0, b"\0\0\0"))
    assert unexpected == Unexpected("expected whole samples of pcm16 16000 Hz", "3 bytes")


@pytest.mark.parametrize("order", ["<i2", ">i2"])
def test_the_byte_order_of_l16_is_that_of_the_callers_audio_both_ways(order: str) -> None:
    stream = started_with("audio/l16", 16_000)
    wire = np.frombuffer(SPEECH.data, "<i2").astype(order).tobytes()
    heard = b""
    for place in range(0, len(wire), 640):
        for event in stream.receive(media(place // 32, wire[place : place + 640])):
            assert isinstance(event, AudioRaw)
            heard += event.data
    assert heard[64_000:] == SPEECH.data[64_000:]
    (message,) = stream.media(SPEECH.data[64_000:64_640])
    assert json.loads(message)["media"]["payload"] == b64encode(wire[64_000:64_640]).decode()


def test_a_mark_that_is_no_text_is_refused() -> None:
    with pytest.raises(ProtocolError, match="UTF-8"):
        started().mark("\ud800")


# Twilio's end


def test_the_carrier_takes_what_the_documentation_shows() -> None:
    twilio = carrier()
    requests = [request for message in TO_TWILIO for request in twilio.receive(message)]
    assert requests == [AudioRaw(AUDIO, MULAW), MarkRequest("my label"), ClearRequest()]


def test_the_carrier_sends_what_the_documentation_shows() -> None:
    (start,) = TwilioStream().receive(START)
    assert isinstance(start, Start)
    twilio = TwilioMirror(start)
    sent = [*twilio.hello(), twilio.media(AUDIO), twilio.dtmf("1"), twilio.mark("my label"), twilio.stop()]
    for message, golden in zip(sent, FROM_TWILIO, strict=True):
        assert shape(json.loads(message)) == shape(json.loads(golden))
    assert json.loads(sent[1]) == json.loads(START)


def test_the_carrier_numbers_its_messages_and_stamps_its_media() -> None:
    twilio = carrier()
    first = json.loads(twilio.media(PIECE))
    twilio.lose(PIECE)
    twilio.dtmf("1")
    third = json.loads(twilio.media(PIECE))
    assert (first["sequenceNumber"], third["sequenceNumber"]) == ("2", "4")
    assert (first["media"]["chunk"], third["media"]["chunk"]) == ("1", "2")
    assert (first["media"]["timestamp"], third["media"]["timestamp"]) == ("0", "40")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (PIECE, 31950),
        ("hello", 31951),
        ("\ud800", 31951),
        ('{"event":"play"}', 31951),
        (TO_TWILIO[0].replace(SID, "MZother"), 31951),
        (TO_TWILIO[2].replace(SID, "MZother"), 31951),
        (TO_TWILIO[0].replace("streamSid", "stream_sid"), 31951),
        (TO_TWILIO[0].replace('"payload"', '"track":"inbound","payload"'), 31951),
        (TO_TWILIO[0].replace('"event"', '"sequenceNumber":"1","event"'), 31951),
        (TO_TWILIO[0].replace("no+J", "no+!"), 31951),
        (TO_TWILIO[1].replace('"name"', '"label"'), 31951),
        (TO_TWILIO[2].replace("}", ',"clear":{}}'), 31951),
        (START, 31951),
    ],
)
def test_the_carrier_refuses_with_twilios_code(message: str | bytes, code: int) -> None:
    twilio = carrier()
    (refused,) = twilio.receive(message)
    assert isinstance(refused, Refusal)
    assert refused.code == code
    assert twilio.refuse(refused) == []


def test_the_carrier_takes_nothing_before_its_start() -> None:
    (start,) = TwilioStream().receive(START)
    assert isinstance(start, Start)
    (refused,) = TwilioMirror(start).receive(TO_TWILIO[0])
    assert isinstance(refused, Refusal)


def test_the_carrier_buffers_ten_minutes() -> None:
    buffer = carrier().buffer
    assert buffer is not None
    assert (buffer.seconds, buffer.refused.code) == (600, 31931)
