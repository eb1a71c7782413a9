"""Twilio's dialect, Twilio's end: the messages that the simulated caller sends, accepts and refuses.

On purpose it shares no message type with stream.py: a field misunderstood in a shared type would be wrong at both
ends, and no test would see it. Source of the refusals: twilio.com/docs/api/errors/31950, 31951, 31931.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Final

import msgspec

from voiceflow.frames import AudioRaw
from voiceflow.transports.dialect import (
    UNREADABLE,
    Buffer,
    ClearRequest,
    MarkRequest,
    Message,
    Refusal,
    Request,
    Start,
    quote,
)

ENCODINGS: Final = {"mulaw": "audio/x-mulaw", "pcm16": "audio/l16"}


class TwilioFormat(msgspec.Struct, frozen=True, rename="camel"):
    encoding: str = "audio/x-mulaw"
    sample_rate: int = 8_000
    channels: int = 1


class TwilioStart(msgspec.Struct, rename="camel"):
    """The description of the stream in the `start` message."""

    account_sid: str
    stream_sid: str
    call_sid: str
    custom_parameters: dict[str, str]
    tracks: tuple[str, ...] = ("inbound",)
    media_format: TwilioFormat = TwilioFormat()


class TwilioRequest(msgspec.Struct, tag_field="event", rename="camel", gc=False, forbid_unknown_fields=True):
    """A message that Twilio accepts: every field is required, and no other is allowed (warning 31951)."""

    stream_sid: str


class TwilioPayload(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    payload: bytes


class TwilioMediaRequest(TwilioRequest, tag="media"):
    media: TwilioPayload


class TwilioMarkName(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    name: str


class TwilioMarkRequest(TwilioRequest, tag="mark"):
    mark: TwilioMarkName


class TwilioClearRequest(TwilioRequest, tag="clear"): ...


_read_request: Final = msgspec.json.Decoder(TwilioMediaRequest | TwilioMarkRequest | TwilioClearRequest)


class TwilioMirror:
    """Twilio's end of a stream."""

    buffer: Buffer | None = Buffer(600.0, Refusal(31931, "Stream - Media - Buffer full", "more than 10 minutes"))

    def __init__(self, start: Start) -> None:
        self.start = start
        self._account_sid = str(start.metadata.get("account_sid", "AC" + "0" * 32))
        self._stream_sid = quote(start.stream_id)
        self._sequence = self._chunk = 0
        self._milliseconds = 0.0
        self._began = False

    def hello(self) -> list[Message]:
        described = TwilioStart(
            account_sid=self._account_sid,
            stream_sid=self.start.stream_id,
            call_sid=self.start.call_sid,
            custom_parameters={"from": self.start.caller_id, "to": self.start.did, **self.start.parameters},
            media_format=TwilioFormat(ENCODINGS[self.start.inbound.encoding], self.start.inbound.rate),
        )
        self._began = True
        start = self._message("start", f'"start":{msgspec.json.encode(described).decode()}')
        return ['{"event":"connected","protocol":"Call","version":"1.0.0"}', start]

    def media(self, data: bytes) -> str:
        self._chunk += 1
        timestamp = round(self._milliseconds)
        self.lose(data)
        payload = b2a_base64(data, newline=False).decode()
        return self._message(
            "media",
            f'"media":{{"track":"inbound","chunk":"{self._chunk}","timestamp":"{timestamp}","payload":"{payload}"}}',
        )

    def lose(self, data: bytes) -> None:
        self._milliseconds += 1000 * len(data) / self.start.inbound.byte_rate

    def dtmf(self, digit: str) -> str:
        return self._message("dtmf", f'"dtmf":{{"track":"inbound_track","digit":{quote(digit)}}}')

    def mark(self, name: str) -> str:
        return self._message("mark", f'"mark":{{"name":{quote(name)}}}')

    def stop(self) -> str:
        call = f'"accountSid":{quote(self._account_sid)},"callSid":{quote(self.start.call_sid)}'
        return self._message("stop", f'"stop":{{{call}}}')

    def refuse(self, refused: Refusal) -> list[Message]:
        return []  # warnings show in Twilio's debugger, never on the stream

    def receive(self, message: Message) -> list[Request]:
        if not isinstance(message, str):
            return [Refusal(31950, "Stream - Protocol - Malformed Message", "a binary message")]
        try:
            request = _read_request.decode(message)
        except UNREADABLE as error:
            return [self._invalid(str(error))]
        if not self._began or request.stream_sid != self.start.stream_id:
            return [self._invalid(f"streamSid {request.stream_sid[:80]!r} is not that of the active stream")]
        match request:
            case TwilioMediaRequest():
                return [AudioRaw(request.media.payload, self.start.outbound)]
            case TwilioMarkRequest():
                return [MarkRequest(request.mark.name)]
            case _:
                return [ClearRequest()]

    def _invalid(self, detail: str) -> Refusal:
        return Refusal(31951, "Stream - Protocol - Invalid Message", detail)

    def _message(self, event: str, body: str) -> str:
        self._sequence += 1
        return f'{{"event":"{event}","sequenceNumber":"{self._sequence}","streamSid":{self._stream_sid},{body}}}'
