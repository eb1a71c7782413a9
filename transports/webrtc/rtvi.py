"""RTVI: the messages that pipecat's clients exchange on a data channel, whatever its name.

    {"label":"rtvi-ai","type":"client-ready","id":"1","data":{"version":"2.1.0"}}          from the client
    {"label":"rtvi-ai","type":"bot-ready","id":"1","data":{"version":"2.1.0"}}             to it
    {"type":"signalling","message":{"type":"trackStatus","receiver_index":0,"enabled":false}}
    ping: 1764210000000                                                                    every second, as plain text

Source: docs.pipecat.ai, "The RTVI Standard"; the types of the packages @pipecat-ai/client-js 1.13 and
@pipecat-ai/small-webrtc-transport 1.10.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from voiceflow.transports.dialect import UNREADABLE
from voiceflow.transports.media_stream import FAILURE
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.messages import FromPage, ToPage

LABEL: Final = "rtvi-ai"
VERSION: Final = "2.1.0"
SIGNALLING: Final = "signalling"
PING: Final = "ping"
LARGEST: Final = 64 * 1024
"""Characters that a message may have. Clients send pictures of their page, which are not read."""
MICROPHONE: Final = 0
"""The `receiver_index` of the caller's audio."""
ASKS: Final = frozenset({"client-message", "send-text", "append-to-context"})
"""Messages that want what we do not do, and are answered with an error."""


class RtviMessage(msgspec.Struct, frozen=True):
    """A message of the client."""

    type: str = ""
    label: str | None = None
    id: str = ""
    data: Any = None
    message: Any = None
    """What is signalled."""


class _TrackStatus(msgspec.Struct, frozen=True, tag_field="type", tag="trackStatus"):
    receiver_index: int
    enabled: bool


class _Keys(msgspec.Struct, frozen=True):
    """Several keys, or, from older clients, one."""

    buttons: list[messages.Digit] = []
    button: messages.Digit | None = None


_decode: Any = msgspec.json.Decoder(RtviMessage).decode


def parse(text: str) -> RtviMessage | None:
    """A message of RTVI, or of the signalling beside it. None: it is something else."""
    if len(text) > LARGEST:
        return None
    if text.startswith(PING):
        return RtviMessage(PING)
    try:
        message: RtviMessage = _decode(text)
    except UNREADABLE:
        return None
    return message if message.label == LABEL or message.type == SIGNALLING else None


def understood(message: RtviMessage) -> list[FromPage]:
    """What a message says, in the messages of our own page. Raises `MessageError` if it is not as its type demands."""
    try:
        match message.type:
            case "dtmf":
                keys = msgspec.convert(message.data, _Keys)
                return [messages.PageDtmf(key) for key in [*keys.buttons, *([keys.button] if keys.button else [])]]
            case "disconnect-bot":
                return [messages.PageHangup()]
            case "signalling" if isinstance(message.message, Mapping) and message.message.get("type") == "trackStatus":
                status = msgspec.convert(message.message, _TrackStatus)
                return [messages.PageMuted(not status.enabled)] if status.receiver_index == MICROPHONE else []
    except msgspec.ValidationError as error:
        raise messages.MessageError(f"expected a message of RTVI, {message.type}: {error}") from None
    return []


def answers(message: RtviMessage) -> Iterator[str]:
    """The answers to a message itself."""
    if message.type == "client-ready":
        yield _rtvi("bot-ready", {"version": VERSION, "about": {"library": "voiceflow"}}, message.id)
    elif message.type in ASKS:
        yield _rtvi("error-response", {"error": f"this agent does not take {message.type}"}, message.id)


class Narrator:
    """Tells one client of a call, in RTVI."""

    def __init__(self) -> None:
        self._speaking = False
        self._replies: dict[int, _ToldReply] = {}
        self._segments = 0

    def tell(self, message: ToPage) -> Iterator[str]:
        """The messages that say what `message` says to our own page."""
        match message:
            case messages.PageTranscript(text, final):
                now = datetime.now(UTC).isoformat(timespec="milliseconds")
                yield _rtvi("user-transcription", {"text": text, "final": final, "timestamp": now, "user_id": ""})
            case messages.PageSpeech(speaking):
                yield _rtvi("user-started-speaking" if speaking else "user-stopped-speaking")
            case messages.PageState(state) if (state == "speaking") != self._speaking:
                self._speaking = not self._speaking
                yield _rtvi("bot-started-speaking" if self._speaking else "bot-stopped-speaking")
            case messages.PageReply():
                yield from self._reply(message)
            case messages.PageLatency():
                stages = [{"processor": name, "value": seconds} for name, seconds in message.stages.items()]
                yield _rtvi("metrics", {"processing": stages})
            case messages.PageEnded(reason):
                if reason == FAILURE:
                    yield _rtvi("error", {"error": reason, "message": reason, "fatal": True})
                yield _json({"type": SIGNALLING, "message": {"type": "peerLeft"}})

    def _reply(self, reply: messages.PageReply) -> Iterator[str]:
        told = self._replies.get(reply.id)
        if told is None:
            told = self._replies[reply.id] = _ToldReply()
            yield _rtvi("bot-llm-started")
        added = reply.text.removeprefix(told.text)
        if added:
            told.text = reply.text
            yield _rtvi("bot-llm-text", {"text": added})
            self._segments += 1
            segment = _Segment(self._segments, added.split())
            told.segments.append(segment)
            yield segment.output("new")
        yield from self._heard(reply, told)
        if reply.done:
            del self._replies[reply.id]
            yield _rtvi("bot-llm-stopped")
            if reply.heard:
                yield _rtvi("bot-transcription", {"text": reply.heard})
                yield _rtvi("bot-tts-stopped")

    def _heard(self, reply: messages.PageReply, told: _ToldReply) -> Iterator[str]:
        added = reply.heard.removeprefix(told.heard).strip()
        if added:
            if not told.heard:
                yield _rtvi("bot-tts-started")
            told.heard = reply.heard
            yield _rtvi("bot-tts-text", {"text": added})
        complete = reply.done and not reply.interrupted
        words = len(reply.heard.split())
        for segment in told.segments:
            number = len(segment.words) if complete else min(words, len(segment.words))
            words = max(0, words - len(segment.words))
            if number > segment.heard:
                segment.heard = number
                yield segment.output("completed" if number == len(segment.words) else "in-progress")


class _ToldReply:
    """What a client knows of a reply."""

    def __init__(self) -> None:
        self.text = self.heard = ""
        self.segments: list[_Segment] = []


class _Segment:
    """A piece of a reply, as it was given to the voice."""

    def __init__(self, number: int, words: list[str]) -> None:
        self.number = number
        self.words = words
        self.heard = 0
        """How many of its words were heard."""

    def output(self, status: str) -> str:
        progress = {
            "accumulated_text": " ".join(self.words[: self.heard]),
            "remaining_text": " ".join(self.words[self.heard :]),
        }
        data = {
            "text": " ".join(self.words),
            "aggregated_by": "sentence",
            "segment_id": self.number,
            "will_be_spoken": True,
            "spoken_status": status,
            "spoken_progress": progress,
        }
        return _rtvi("bot-output", data)


def _rtvi(kind: str, data: Mapping[str, Any] | None = None, id: str = "") -> str:
    return _json({"label": LABEL, "type": kind, "id": id, "data": data or {}})


def _json(message: object) -> str:
    return msgspec.json.encode(message).decode()
