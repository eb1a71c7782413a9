"""Telnyx's dialect, Telnyx's end: the messages that the simulated caller sends, accepts and refuses.

On purpose it shares no message type with stream.py: a field misunderstood in a shared type would be wrong at both
ends, and no test would see it. Source: developers.telnyx.com/docs/voice/programmable-voice/media-streaming.
"""

from __future__ import annotations

from array import array
from binascii import b2a_base64
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from voiceflow.audio import AudioFormat
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
    shorten,
)

ENCODINGS: Final = {"mulaw": "PCMU", "alaw": "PCMA", "g722": "G722", "pcm16": "L16"}
BEGAN: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""The time at which every simulated call begins: a dialect has no clock."""


class TelnyxFormat(msgspec.Struct):
    encoding: str
    sample_rate: int
    channels: int = 1


class TelnyxStart(msgspec.Struct, rename={"from_": "from"}):
    """The description of the stream in the `start` message."""

    user_id: str
    call_control_id: str
    call_session_id: str
    from_: str
    to: str
    tags: list[str]
    client_state: str
    custom_parameters: dict[str, str]
    media_format: TelnyxFormat


class TelnyxRequest(msgspec.Struct, tag_field="event", gc=False):
    """A message that Telnyx accepts. The documentation says nothing about further fields, so they are ignored."""


class TelnyxPayload(msgspec.Struct, gc=False):
    payload: bytes


class TelnyxMediaRequest(TelnyxRequest, tag="media"):
    media: TelnyxPayload


class TelnyxMarkName(msgspec.Struct, gc=False):
    name: str


class TelnyxMarkRequest(TelnyxRequest, tag="mark"):
    mark: TelnyxMarkName


class TelnyxClearRequest(TelnyxRequest, tag="clear"): ...


_read_request: Final = msgspec.json.Decoder(TelnyxMediaRequest | TelnyxMarkRequest | TelnyxClearRequest)


class TelnyxMirror:
    """Telnyx's end of a stream. Audio in and out of it is little-endian; `byte_order` is that of L16 on the wire."""

    buffer: Buffer | None = None  # no limit is documented

    def __init__(self, start: Start, *, byte_order: Literal["little", "big"] = "little") -> None:
        self.start = start
        self._swaps = byte_order == "big"
        self._stream_id = quote(start.stream_id)
        self._sequence = self._chunk = 0
        self._seconds = 0.0
        self._began = False

    def hello(self) -> list[Message]:
        start, known = self.start, self.start.metadata
        # G.722 is sampled at 16 000 Hz, but its RTP clock runs at 8000 (RFC 3551, 4.5.2).
        rate = 8_000 if start.inbound.encoding == "g722" else start.inbound.rate
        described = TelnyxStart(
            user_id=str(known.get("account_sid", "")),
            call_control_id=start.call_sid,
            call_session_id=str(known.get("call_session_id", "")),
            from_=start.caller_id,
            to=start.did,
            tags=list(known.get("tags", ())),
            client_state=str(known.get("client_state", "")),
            custom_parameters=start.parameters,
            media_format=TelnyxFormat(ENCODINGS[start.inbound.encoding], rate),
        )
        self._began = True
        return [
            '{"event":"connected","version":"1.0.0"}',
            self._message("start", f'"start":{msgspec.json.encode(described).decode()}'),
        ]

    def media(self, data: bytes) -> str:
        timestamp = round(self._seconds * 1000)
        self.lose(data)
        payload = b2a_base64(self._wire(data, self.start.inbound), newline=False).decode()
        return self._message(
            "media",
            f'"media":{{"track":"inbound","chunk":"{self._chunk}","timestamp":"{timestamp}","payload":"{payload}"}}',
        )

    def lose(self, data: bytes) -> None:
        self._chunk += 1
        self._seconds += len(data) / self.start.inbound.byte_rate

    def dtmf(self, digit: str) -> str:
        at = (BEGAN + timedelta(seconds=self._seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return self._message("dtmf", f'"occurred_at":"{at}","dtmf":{{"digit":{quote(digit)}}}')

    def mark(self, name: str) -> str:
        return self._message("mark", f'"mark":{{"name":{quote(name)}}}')

    def stop(self) -> str:
        user_id = quote(str(self.start.metadata.get("account_sid", "")))
        call = f'"user_id":{user_id},"call_control_id":{quote(self.start.call_sid)}'
        return self._message("stop", f'"stop":{{{call}}}')

    def refuse(self, refused: Refusal) -> list[Message]:
        error = msgspec.json.encode(refused).decode()
        return [f'{{"event":"error","stream_id":{self._stream_id},"payload":{error}}}']

    def receive(self, message: Message) -> list[Request]:
        if not isinstance(message, str):
            return [_malformed("a binary message")]
        try:
            request = _read_request.decode(message)
        except UNREADABLE as error:
            if "$.media.payload" in str(error):
                return [_invalid(str(error))]
            return [_malformed(f"{error}: {shorten(message)}")]
        if not self._began:
            return [Refusal(100002, "unknown_error", "the stream has not started")]  # no code is documented
        match request:
            case TelnyxMediaRequest():
                return [self._play(request.media.payload)]
            case TelnyxMarkRequest():
                return [MarkRequest(request.mark.name)]
            case _:
                return [ClearRequest()]

    def _play(self, data: bytes) -> Request:
        format = self.start.outbound
        if len(data) % format.frame_bytes:
            return _invalid(f"{len(data)} bytes are not whole samples of {format}")
        if not 0.02 <= len(data) / format.byte_rate <= 30.0:
            return _invalid(f"{len(data) / format.byte_rate * 1000:.1f} ms of audio, outside 20 ms to 30 s")
        return AudioRaw(self._wire(data, format), format)

    def _wire(self, data: bytes, format: AudioFormat) -> bytes:
        """Audio in the wire's byte order from a frame's, or the other way round."""
        if not self._swaps or format.encoding != "pcm16":
            return data
        samples = array("H", data)
        samples.byteswap()
        return samples.tobytes()

    def _message(self, event: str, body: str) -> str:
        self._sequence += 1
        return f'{{"event":"{event}","sequence_number":"{self._sequence}","stream_id":{self._stream_id},{body}}}'


def _malformed(detail: str) -> Refusal:
    return Refusal(100003, "malformed_frame", detail)


def _invalid(detail: str) -> Refusal:
    return Refusal(100004, "invalid_media", detail)
