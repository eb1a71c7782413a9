"""What server and page tell each other."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.channel import BACKLOG, COMPLAINTS, KEPT, Channel
from voiceflow.transports.webrtc.messages import LARGEST, FromPage, MessageError, ToPage, decode, encode

TOLD: list[tuple[ToPage, dict[str, Any]]] = [
    (messages.PageTranscript("hello", True), {"type": "transcript", "text": "hello", "final": True}),
    (
        messages.PageReply(3, "Good morning.", "Good", True, True),
        {"type": "reply", "id": 3, "text": "Good morning.", "heard": "Good", "done": True, "interrupted": True},
    ),
    (messages.PageState("thinking"), {"type": "state", "state": "thinking"}),
    (messages.PageSpeech(True), {"type": "speech", "speaking": True}),
    (messages.PageClear(), {"type": "clear"}),
    (messages.PageLatency(1, {"stt": 0.2}), {"type": "latency", "turn": 1, "stages": {"stt": 0.2}}),
    (messages.PageProblem("LLM", "no key"), {"type": "problem", "processor": "LLM", "text": "no key"}),
    (messages.PageEnded("hung up"), {"type": "ended", "reason": "hung up"}),
    (messages.PagePong(), {"type": "pong"}),
]
SAID: list[tuple[str, FromPage]] = [
    ('{"type":"dtmf","digit":"#"}', messages.PageDtmf("#")),
    ('{"type":"hangup"}', messages.PageHangup()),
    ('{"type":"muted","muted":true}', messages.PageMuted(True)),
    ('{"type":"ping","more":1}', messages.PagePing()),
]
WRONG = [
    "",
    "{",
    "[" * 2000,
    '"ping"',
    "{}",
    '{"type":"clear"}',
    '{"type":"pong"}',
    '{"type":"dtmf"}',
    '{"type":"dtmf","digit":"12"}',
    '{"type":"dtmf","digit":"x"}',
    '{"type":"dtmf","digit":5}',
    '{"type":"ping","x":"\ud800"}',
    json.dumps({"type": "ping", "x": "x" * LARGEST}),
    b'{"type":"ping"}',
]


@pytest.mark.parametrize(("message", "expected"), TOLD)
def test_a_message_to_the_page_is_json_with_a_type(message: ToPage, expected: dict[str, Any]) -> None:
    assert json.loads(encode(message)) == expected


@pytest.mark.parametrize(("data", "expected"), SAID)
def test_a_message_from_the_page_is_read(data: str, expected: FromPage) -> None:
    assert decode(data) == expected


@pytest.mark.parametrize("data", WRONG)
def test_what_is_no_message_is_an_error(data: str | bytes) -> None:
    with pytest.raises(MessageError):
        decode(data)


@given(st.text() | st.binary())
def test_nothing_else_is_raised_whatever_comes(data: str | bytes) -> None:
    with pytest.raises(MessageError):
        decode(data)


class Wire:
    """aiortc's data channel, as far as `Channel` uses it."""

    def __init__(self, label: str = messages.LABEL) -> None:
        self.label = label
        self.readyState = "open"
        self.bufferedAmount = 0
        self.sent: list[str] = []
        self.receive: Any = None

    def on(self, event: str, receive: Any) -> None:
        assert event == "message"
        self.receive = receive

    def send(self, data: str) -> None:
        self.sent.append(data)


def attached() -> SimpleNamespace:
    heard: list[FromPage] = []
    channel, wire = Channel(heard.append), Wire()
    channel.attach(wire)  # type: ignore[arg-type]
    return SimpleNamespace(channel=channel, wire=wire, heard=heard)


def test_what_is_told_before_the_channel_opens_is_sent_when_it_does() -> None:
    channel, wire = Channel(lambda message: None), Wire()
    for number in range(KEPT + 1):
        channel.tell(messages.PageLatency(number, {}))
    channel.attach(wire)  # type: ignore[arg-type]
    assert [json.loads(sent)["turn"] for sent in wire.sent] == list(range(1, KEPT + 1))


def test_a_channel_that_is_closed_or_full_is_told_nothing_more() -> None:
    end = attached()
    end.wire.bufferedAmount = BACKLOG
    end.channel.tell(messages.PageClear())
    end.wire.bufferedAmount, end.wire.readyState = 0, "closed"
    end.channel.tell(messages.PageClear())
    assert end.wire.sent == []


def test_what_cannot_be_read_is_ignored_with_a_line_in_the_log_but_not_many(caplog: pytest.LogCaptureFixture) -> None:
    end = attached()
    with caplog.at_level(logging.WARNING, "voiceflow.webrtc"):
        for _ in range(COMPLAINTS + 5):
            end.wire.receive("nonsense")
        end.wire.receive('{"type":"hangup"}')
    assert end.heard == [messages.PageHangup()]
    assert len(caplog.records) == COMPLAINTS
