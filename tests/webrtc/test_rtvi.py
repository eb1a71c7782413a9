"""What clients of RTVI are told of a call, and how what they say is understood."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webrtc.test_messages import Wire

from voiceflow.transports.media_stream import FAILURE
from voiceflow.transports.webrtc import messages, rtvi
from voiceflow.transports.webrtc.channel import Channel
from voiceflow.transports.webrtc.messages import FromPage, MessageError, PageReply, ToPage


class Client:
    """A client's end of a data channel."""

    def __init__(self, label: str = "chat") -> None:
        self.heard: list[FromPage] = []
        self.wire = Wire(label)
        self.channel = Channel(self.heard.append)
        self.channel.attach(self.wire)  # type: ignore[arg-type]

    def told(self, *news: ToPage) -> list[tuple[str, dict[str, Any]]]:
        """What the client gets when the page would be told `news`: types and data."""
        before = len(self.wire.sent)
        for message in news:
            self.channel.tell(message)
        return [(message["type"], message.get("data", message)) for message in map(json.loads, self.wire.sent[before:])]

    def says(self, kind: str, data: Any = None, id: str = "7") -> None:
        self.wire.receive(json.dumps({"label": "rtvi-ai", "type": kind, "id": id, "data": data}))


def test_a_client_that_is_ready_is_told_that_the_bot_is() -> None:
    client = Client()
    client.says("client-ready", {"version": "2.1.0", "about": {"library": "x"}})
    (ready,) = map(json.loads, client.wire.sent)
    assert (ready["label"], ready["type"], ready["id"]) == ("rtvi-ai", "bot-ready", "7")
    assert ready["data"]["version"] == "2.1.0"
    assert client.heard == []


def test_the_words_of_the_caller_are_told() -> None:
    (started, interim, final, stopped) = Client().told(
        messages.PageSpeech(True),
        messages.PageTranscript("good mor", False),
        messages.PageTranscript("good morning", True),
        messages.PageSpeech(False),
    )
    assert (started[0], stopped[0]) == ("user-started-speaking", "user-stopped-speaking")
    for (kind, data), text in ((interim, "good mor"), (final, "good morning")):
        assert kind == "user-transcription"
        assert data["text"] == text
        assert data["timestamp"].endswith("+00:00")
    assert (interim[1]["final"], final[1]["final"]) == (False, True)


def test_a_reply_is_told_as_it_is_made_and_as_it_is_heard() -> None:
    told = Client().told(
        PageReply(1, "Hello there.", "", False, False),
        messages.PageState("speaking"),
        PageReply(1, "Hello there. How are you?", "Hello", False, False),
        PageReply(1, "Hello there. How are you?", "Hello there. How are", False, False),
        PageReply(1, "Hello there. How are you?", "Hello there. How are you?", True, False),
        messages.PageState("listening"),
    )
    assert [(kind, data.get("text")) for kind, data in told if kind != "bot-output"] == [
        ("bot-llm-started", None),
        ("bot-llm-text", "Hello there."),
        ("bot-started-speaking", None),
        ("bot-llm-text", " How are you?"),
        ("bot-tts-started", None),
        ("bot-tts-text", "Hello"),
        ("bot-tts-text", "there. How are"),
        ("bot-tts-text", "you?"),
        ("bot-llm-stopped", None),
        ("bot-transcription", "Hello there. How are you?"),
        ("bot-tts-stopped", None),
        ("bot-stopped-speaking", None),
    ]
    outputs = [
        (data["segment_id"], data["spoken_status"], *data["spoken_progress"].values())
        for kind, data in told
        if kind == "bot-output"
    ]
    assert outputs == [
        (1, "new", "", "Hello there."),
        (2, "new", "", "How are you?"),
        (1, "in-progress", "Hello", "there."),
        (1, "completed", "Hello there.", ""),
        (2, "in-progress", "How are", "you?"),
        (2, "completed", "How are you?", ""),
    ]


def test_of_an_interrupted_reply_what_was_heard_is_transcribed() -> None:
    told = Client().told(
        PageReply(1, "One two three.", "", False, False), PageReply(1, "One two three.", "One two", True, True)
    )
    assert ("bot-transcription", {"text": "One two"}) in told
    assert [data["spoken_status"] for kind, data in told if kind == "bot-output"] == ["new", "in-progress"]


def test_how_long_a_turn_took_and_how_the_call_ended_are_told() -> None:
    client = Client()
    assert client.told(messages.PageLatency(1, {"recognition": 0.25})) == [
        ("metrics", {"processing": [{"processor": "recognition", "value": 0.25}]})
    ]
    left = ("signalling", {"type": "signalling", "message": {"type": "peerLeft"}})
    assert client.told(messages.PageEnded("hung up")) == [left]
    (error, after) = client.told(messages.PageEnded(FAILURE))
    assert (error[0], error[1]["fatal"], after) == ("error", True, left)


@pytest.mark.parametrize(
    ("text", "understood"),
    [
        ("ping: 1764210000000", []),
        ("ping", []),
        (
            '{"label":"rtvi-ai","type":"dtmf","data":{"buttons":["1","#"]}}',
            [messages.PageDtmf("1"), messages.PageDtmf("#")],
        ),
        ('{"label":"rtvi-ai","type":"dtmf","data":{"button":"*"}}', [messages.PageDtmf("*")]),
        ('{"label":"rtvi-ai","type":"disconnect-bot","data":{}}', [messages.PageHangup()]),
        ('{"label":"rtvi-ai","type":"ui-snapshot","data":{"tree":[]}}', []),
        ('{"label":"rtvi-ai","type":"unheard-of"}', []),
        (
            '{"type":"signalling","message":{"type":"trackStatus","receiver_index":0,"enabled":false}}',
            [messages.PageMuted(True)],
        ),
        (
            '{"type":"signalling","message":{"type":"trackStatus","receiver_index":0,"enabled":true}}',
            [messages.PageMuted(False)],
        ),
        ('{"type":"signalling","message":{"type":"trackStatus","receiver_index":1,"enabled":false}}', []),
        ('{"type":"signalling","message":{"type":"unheard-of"}}', []),
        ('{"type":"signalling"}', []),
    ],
)
@pytest.mark.parametrize("label", ["chat", messages.LABEL])
def test_what_a_client_says_is_understood_whatever_its_channel_is_called(
    label: str, text: str, understood: list[FromPage], caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(label)
    client.wire.receive(text)
    assert client.heard == understood
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["client-message", "send-text", "append-to-context"])
def test_a_request_for_what_we_do_not_do_is_answered_with_an_error(kind: str) -> None:
    client = Client()
    client.says(kind, {"t": "weather"}, id="12")
    (answer,) = map(json.loads, client.wire.sent)
    assert (answer["type"], answer["id"]) == ("error-response", "12")
    assert kind in answer["data"]["error"]


@pytest.mark.parametrize(
    "text",
    [
        '{"label":"rtvi-ai","type":"dtmf","data":{"buttons":["12"]}}',
        '{"label":"rtvi-ai","type":"dtmf","data":7}',
        '{"type":"signalling","message":{"type":"trackStatus","enabled":false}}',
    ],
)
def test_a_message_that_is_not_as_its_type_demands_is_named_in_the_log(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client()
    client.wire.receive(text)
    assert client.heard == []
    assert "expected a message of RTVI" in caplog.text


def test_who_speaks_our_own_messages_is_answered_in_them_whatever_the_channel_is_called() -> None:
    client = Client("chat")
    client.wire.receive('{"type":"dtmf","digit":"5"}')
    assert client.heard == [messages.PageDtmf("5")]
    assert client.told(messages.PageClear()) == [("clear", {"type": "clear"})]


def test_two_channels_are_told_each_in_its_own_way_and_a_closed_one_nothing() -> None:
    client, page = Client("chat"), Wire()
    client.channel.attach(page)  # type: ignore[arg-type]
    client.channel.tell(messages.PageSpeech(True))
    assert json.loads(client.wire.sent[-1])["type"] == "user-started-speaking"
    assert json.loads(page.sent[-1])["type"] == "speech"
    client.wire.readyState = page.readyState = "closed"
    client.channel.tell(messages.PageSpeech(False))
    again = Wire("chat")
    client.channel.attach(again)  # type: ignore[arg-type]
    assert json.loads(again.sent[-1])["type"] == "user-stopped-speaking"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "buttons", "enabled", "x"]), inner),
)


@given(st.text() | st.sampled_from(["dtmf", "client-ready", "send-text", "signalling"]), JSON)
def test_whatever_comes_is_understood_or_a_message_error(kind: str, data: Any) -> None:
    text = json.dumps({"label": "rtvi-ai", "type": kind, "data": data, "message": data})
    for message in map(rtvi.parse, (text, kind)):
        if message is not None:
            list(rtvi.answers(message))
            with contextlib.suppress(MessageError):
                rtvi.understood(message)
