"""Telnyx's dialect, our end: media streaming, bidirectional in RTP mode, with a codec for each direction.

Source: developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket. `media_format` in the start
message names the caller's codec: the one that the phone leg negotiated, or the one that was asked for. The agent's
codec is the one that our answer to the webhook asked for; the stream does not name it. Messages may come out of
order: media has chunk numbers, digits have times. The byte order of L16 is not documented, so it is detected from
the audio (byteorder.py); frames are always little-endian, so that L16 at 16 kHz needs no conversion.
"""

from __future__ import annotations

from binascii import b2a_base64
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, TypeAlias

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.transports.byteorder import L16, ByteOrder
from voiceflow.transports.chunking import Pieces
from voiceflow.transports.decoding import Count, FromCarrier, JsonStream, Key, MarkName, Reader, is_outbound, texts
from voiceflow.transports.dialect import (
    Echo,
    Event,
    Message,
    ProtocolError,
    Refusal,
    Start,
    Stop,
    Unexpected,
    quote,
    shorten,
)
from voiceflow.transports.reorder import WINDOW, Reorder, Timeline

SHORTEST, LONGEST = 0.02, 30.0  # seconds of audio in one message; Telnyx refuses others with error 100004
_ENCODINGS: Final = {"PCMU": "mulaw", "PCMA": "alaw", "G722": "g722", "L16": "pcm16"}
_AFTER_ALL: Final = datetime.max.replace(tzinfo=UTC)  # when digits occurred that do not say it
_RATES: Final = (8_000, 16_000, 22_050, 24_000, 48_000)


def audio_format(encoding: str, rate: int) -> AudioFormat:
    """The format of an encoding by Telnyx's name. Raises `ProtocolError` for those not supported, such as OPUS."""
    name = encoding.upper()
    if name not in _ENCODINGS:
        raise ProtocolError(f"expected one of the encodings {', '.join(_ENCODINGS)}; got {shorten(encoding)}")
    if rate not in _RATES:
        raise ProtocolError(f"expected one of the sampling rates {', '.join(map(str, _RATES))}; got {rate}")
    if name == "G722":
        rate = 16_000  # its RTP clock says 8000, by a mistake in RFC 1890 that RFC 3551 (4.5.2) keeps
    return AudioFormat(_ENCODINGS[name], rate)


class TelnyxMessage(FromCarrier, tag_field="event", tag=lambda name: name.removeprefix("Telnyx").lower(), gc=False):
    """A message from Telnyx. Fields that are not used here are left out, and unknown ones are ignored."""


class TelnyxConnected(TelnyxMessage): ...


class TelnyxMediaFormat(msgspec.Struct, frozen=True):
    encoding: str = "PCMU"
    sample_rate: int = 8_000
    channels: int = 1


class TelnyxDescription(msgspec.Struct, frozen=True):
    call_control_id: str = ""
    media_format: TelnyxMediaFormat = TelnyxMediaFormat()
    user_id: str | None = None
    call_session_id: str | None = None
    caller_id: str | None = msgspec.field(name="from", default=None)
    did: str | None = msgspec.field(name="to", default=None)
    tags: list[str] | None = None
    client_state: str | None = None
    custom_parameters: dict[str, Any] | None = None


class TelnyxStarted(TelnyxMessage, tag="start"):
    start: TelnyxDescription = TelnyxDescription()


class TelnyxPiece(msgspec.Struct, gc=False):
    payload: bytes
    chunk: Count | None = None
    timestamp: Count | None = None
    """Milliseconds since the stream's start."""
    track: str = "inbound"


class TelnyxMedia(TelnyxMessage):
    media: TelnyxPiece


class TelnyxDtmf(TelnyxMessage):
    dtmf: Key
    occurred_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class TelnyxMark(TelnyxMessage):
    mark: MarkName


class TelnyxStopped(TelnyxMessage, tag="stop"): ...


class TelnyxRefusal(msgspec.Struct):
    code: int = 0
    title: str = "an error without a title"
    detail: str | None = None


class TelnyxError(TelnyxMessage):
    payload: TelnyxRefusal


_FromTelnyx: TypeAlias = (
    TelnyxConnected | TelnyxStarted | TelnyxMedia | TelnyxDtmf | TelnyxMark | TelnyxStopped | TelnyxError
)


class TelnyxStream(JsonStream[_FromTelnyx]):
    """Our end of a stream at Telnyx.

    `outbound` may also be set between the start and the first media, since the format that our answer asked for may
    be known only from the start's parameters. Unless it is given, it is the caller's format.
    """

    reader: ClassVar[Reader[_FromTelnyx]] = Reader("telnyx", _FromTelnyx)

    def __init__(self, outbound: AudioFormat | None = None) -> None:
        super().__init__()
        self.outbound = outbound
        self._l16 = L16()
        self._reorder: Reorder[TelnyxPiece] = Reorder()
        self._digits: list[TelnyxDtmf] = []  # digits that wait as long as media does

    @property
    def outbound(self) -> AudioFormat | None:
        return self._outbound

    @outbound.setter
    def outbound(self, format: AudioFormat | None) -> None:
        self._outbound = format
        self._pieces = None if format is None else Pieces(format, SHORTEST, LONGEST)

    @property
    def byte_order(self) -> ByteOrder:
        """The byte order of L16 on the wire, as far as the caller's audio has shown it."""
        return self._l16.order

    def begin(self, message: _FromTelnyx) -> Start | None:
        return self._start(message) if isinstance(message, TelnyxStarted) else None

    def go_on(self, message: _FromTelnyx) -> list[Event]:
        match message:
            case TelnyxMedia():
                return self._media(message.media)
            case TelnyxMark():
                return [Echo(message.mark.name)]
            case TelnyxDtmf():
                return self._dtmf(message)
            case TelnyxStarted():
                return [Unexpected("expected one start of the stream", "a second")]
            case TelnyxStopped():
                self.stopped = True
                return [*self._audio(self._reorder.flush()), *self._digits_in_order(), Stop("Telnyx ended the stream")]
            case TelnyxError():
                refused = message.payload
                return [Refusal(refused.code, refused.title, refused.detail or "")]
            case TelnyxConnected():  # overtaken by the start
                return []

    def media(self, data: bytes) -> list[Message]:
        return [self._play(piece) for piece in self._started.cut(data)]

    def flush(self) -> list[Message]:
        return [self._play(piece) for piece in self._started.flush()]

    def mark(self, name: str) -> list[Message]:
        return [*self.flush(), f'{{"event":"mark","mark":{{"name":{quote(name)}}}}}']

    def clear(self) -> list[Message]:
        self._started.drop()
        return ['{"event":"clear"}']

    @property
    def _started(self) -> Pieces:
        if self._pieces is None or self.stream_id is None:
            raise ProtocolError('expected "start" before anything is sent to Telnyx; it has not come')
        return self._pieces

    def _play(self, piece: bytes) -> str:
        if self._started.format.encoding == "pcm16":
            piece = self._l16.write(piece)
        return f'{{"event":"media","media":{{"payload":"{b2a_base64(piece, newline=False).decode()}"}}}}'

    def _start(self, message: TelnyxStarted) -> Start:
        start, stream_id = message.start, message.stream_id or ""
        if start.media_format.channels != 1:
            raise ProtocolError(f"expected media of 1 channel; got {start.media_format.channels}")
        self._inbound = audio_format(start.media_format.encoding, start.media_format.sample_rate)
        if self._inbound.encoding == "pcm16":
            self._l16.listen(self._inbound)
        if self.outbound is None:
            self.outbound = self._inbound
        self._timeline = Timeline(self._inbound)
        self.stream_id = stream_id
        parameters = texts(start.custom_parameters or {})
        return Start(
            provider="telnyx",
            stream_id=stream_id,
            call_sid=start.call_control_id,
            caller_id=start.caller_id or parameters.get("from", ""),
            did=start.did or parameters.get("to", ""),
            inbound=self._inbound,
            outbound=self._started.format,
            parameters=parameters,
            metadata={
                "account_sid": start.user_id or "",
                "call_control_id": start.call_control_id,
                "call_session_id": start.call_session_id or "",
                "tags": start.tags or [],
                "client_state": start.client_state or "",
            },
        )

    def _media(self, piece: TelnyxPiece) -> list[Event]:
        if is_outbound(piece.track):
            return []
        if len(piece.payload) % self._inbound.frame_bytes:
            return [Unexpected(f"expected whole samples of {self._inbound}", f"{len(piece.payload)} bytes")]
        events = self._audio(self._reorder.push(piece.chunk, piece))
        return events + self._digits_in_order() if self._digits and not self._reorder.waiting else events

    def _audio(self, pieces: list[TelnyxPiece]) -> list[Event]:
        format = self._inbound
        events: list[Event] = []
        for piece in pieces:
            data = piece.payload
            missing = self._timeline.gap(piece.timestamp, len(data))
            if missing:
                events.append(AudioRaw(missing, format))
            if format.encoding == "pcm16":
                data = self._l16.read(data)
            if data:
                events.append(AudioRaw(data, format))
        return events

    def _dtmf(self, message: TelnyxDtmf) -> list[Event]:
        # Where media is out of order, digits may be, too. They wait with it, for 100 ms at most, and do not wait for
        # ever if media has stopped.
        self._digits.append(message)
        return [] if self._reorder.waiting and len(self._digits) < WINDOW else self._digits_in_order()

    def _digits_in_order(self) -> list[Event]:
        digits, self._digits = self._digits, []
        digits.sort(key=lambda message: message.occurred_at or _AFTER_ALL)
        return [message.dtmf.event for message in digits]
