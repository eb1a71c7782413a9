"""Twilio's dialect, our end: Media Streams, bidirectional (`<Connect><Stream>`). Audio is mu-law at 8 kHz both ways.

Source: twilio.com/docs/voice/media-streams/websocket-messages. Two things are easily missed: `start` contains
neither the caller's nor the called number, so our answer to the webhook adds them as the parameters `from` and `to`;
and Twilio drops a message with a field too many (warning 31951), so ours have exactly the documented ones.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Final, TypeAlias

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.frames import DTMF, AudioRaw
from voiceflow.transports.decoding import Key, Lifetime, MarkName, Reader
from voiceflow.transports.dialect import Echo, Event, Message, ProtocolError, Start, Stop, quote, shorten
from voiceflow.transports.reorder import Timeline

MULAW: Final = AudioFormat("mulaw", 8_000)


class TwilioMessage(
    msgspec.Struct, tag_field="event", tag=lambda name: name.removeprefix("Twilio").lower(), rename="camel", gc=False
):
    """A message from Twilio. Fields that are not used here are left out, and unknown ones are ignored."""


class TwilioConnected(TwilioMessage): ...


class TwilioMediaFormat(msgspec.Struct, rename="camel", gc=False):
    encoding: str
    sample_rate: int
    channels: int


class TwilioDescription(msgspec.Struct, rename="camel"):
    account_sid: str
    stream_sid: str
    call_sid: str
    media_format: TwilioMediaFormat
    tracks: list[str] = []
    custom_parameters: dict[str, str] = {}


class TwilioStarted(TwilioMessage, tag="start"):
    start: TwilioDescription


class TwilioPiece(msgspec.Struct, gc=False):
    payload: bytes
    timestamp: int
    """Milliseconds since the stream's start."""
    track: str = "inbound"


class TwilioMedia(TwilioMessage):
    stream_sid: str
    media: TwilioPiece


class TwilioDtmf(TwilioMessage):
    stream_sid: str
    dtmf: Key


class TwilioMark(TwilioMessage):
    stream_sid: str
    mark: MarkName


class TwilioStopped(TwilioMessage, tag="stop"):
    stream_sid: str


_FromTwilio: TypeAlias = TwilioConnected | TwilioStarted | TwilioMedia | TwilioDtmf | TwilioMark | TwilioStopped
_read: Final[Reader[_FromTwilio]] = Reader("twilio", _FromTwilio)


class TwilioStream:
    """Our end of a stream at Twilio."""

    def __init__(self, outbound: AudioFormat | None = None) -> None:
        if outbound not in (None, MULAW):
            raise ProtocolError(f"expected {MULAW} as the outbound format, all that Twilio plays; got {outbound}")
        self.outbound: AudioFormat | None = MULAW
        self.ignored = 0
        self._lifetime = Lifetime()
        self._timeline = Timeline(MULAW)
        self._sid = ""  # the JSON field `streamSid`, which every message of ours has

    def receive(self, message: Message) -> list[Event]:
        decoded = _read(message)
        match decoded:
            case TwilioMedia():
                self._lifetime.expect_running("media", decoded.stream_sid)
                return self._audio(decoded.media)
            case TwilioMark():
                self._lifetime.expect_running("mark", decoded.stream_sid)
                return [Echo(decoded.mark.name)]
            case TwilioDtmf():
                self._lifetime.expect_running("dtmf", decoded.stream_sid)
                return [DTMF(decoded.dtmf.digit.upper())]
            case TwilioStarted():
                self._lifetime.expect_new("start")
                return [self._start(decoded.start)]
            case TwilioStopped():
                self._lifetime.expect_running("stop", decoded.stream_sid)
                self._lifetime.stopped = True
                return [Stop("Twilio ended the stream")]
            case TwilioConnected():
                self._lifetime.expect_new("connected")
            case None:
                self.ignored += 1
        return []

    def media(self, data: bytes) -> list[Message]:
        payload = b2a_base64(data, newline=False).decode()
        return [f'{{"event":"media",{self._stream},"media":{{"payload":"{payload}"}}}}'] if data else []

    def flush(self) -> list[Message]:
        return []  # Twilio takes pieces of any length: nothing is ever left over

    def mark(self, name: str) -> list[Message]:
        return [f'{{"event":"mark",{self._stream},"mark":{{"name":{quote(name)}}}}}']

    def clear(self) -> list[Message]:
        return [f'{{"event":"clear",{self._stream}}}']

    @property
    def _stream(self) -> str:
        if not self._sid:
            raise ProtocolError('expected "start" before anything is sent to Twilio; it has not come')
        return self._sid

    def _start(self, start: TwilioDescription) -> Start:
        media = start.media_format
        if (media.encoding, media.sample_rate, media.channels) != ("audio/x-mulaw", 8_000, 1):
            raise ProtocolError(
                f"expected audio/x-mulaw at 8000 Hz with 1 channel, Twilio's only format; "
                f"got {shorten(media.encoding)} at {media.sample_rate} Hz with {media.channels}"
            )
        self._lifetime.stream_id = start.stream_sid
        self._sid = f'"streamSid":{quote(start.stream_sid)}'
        return Start(
            provider="twilio",
            stream_id=start.stream_sid,
            call_sid=start.call_sid,
            caller_id=start.custom_parameters.get("from", ""),
            did=start.custom_parameters.get("to", ""),
            inbound=MULAW,
            outbound=MULAW,
            parameters=start.custom_parameters,
            metadata={"account_sid": start.account_sid, "tracks": start.tracks},
        )

    def _audio(self, piece: TwilioPiece) -> list[Event]:
        if piece.track != "inbound" or not piece.payload:
            return []
        audio = AudioRaw(piece.payload, MULAW)
        # Where packets of the call were lost, Twilio's chunk numbers have no gap; only the timestamp jumps.
        missing = self._timeline.gap(piece.timestamp, len(piece.payload))
        return [AudioRaw(missing, MULAW), audio] if missing else [audio]
