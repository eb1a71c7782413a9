"""Twilio's dialect, our end: Media Streams, bidirectional (`<Connect><Stream>`).

Source: twilio.com/docs/voice/media-streams/websocket-messages. Audio is mu-law at 8 kHz both ways, unless the start's
`mediaFormat` says something else: by the attributes `audioFormat` and `sampleRate` of `<Stream>`, which Twilio's SDK
has, other formats can be asked for. How the start names them, and the byte order of L16, is not documented: names are
read as in MIME types, and the byte order is detected from the audio (byteorder.py).

Two things are easily missed: `start` contains neither the caller's nor the called number, so our answer to the webhook
adds them as the parameters `from` and `to`; and Twilio drops a message with a field too many (warning 31951), so ours
have exactly the documented ones.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.transports.byteorder import L16
from voiceflow.transports.decoding import Count, FromCarrier, JsonStream, Key, MarkName, Reader, is_outbound, texts
from voiceflow.transports.dialect import Echo, Event, Message, ProtocolError, Start, Stop, Unexpected, quote, shorten
from voiceflow.transports.reorder import Timeline

_ENCODINGS: Final = {"mulaw": "mulaw", "pcmu": "mulaw", "alaw": "alaw", "pcma": "alaw", "l16": "pcm16"}
_RATES: Final = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


class TwilioMessage(
    FromCarrier, tag_field="event", tag=lambda name: name.removeprefix("Twilio").lower(), kw_only=True, gc=False
):
    """A message from Twilio. Fields that are not used here are left out, and unknown ones are ignored."""

    stream_id: str | None = msgspec.field(name="streamSid", default=None)


class TwilioConnected(TwilioMessage): ...


class TwilioMediaFormat(msgspec.Struct, rename="camel", frozen=True):
    encoding: str = "audio/x-mulaw"
    sample_rate: int = 8_000
    channels: int = 1


class TwilioDescription(msgspec.Struct, rename="camel", frozen=True):
    account_sid: str = ""
    stream_sid: str | None = None
    call_sid: str = ""
    media_format: TwilioMediaFormat = TwilioMediaFormat()
    tracks: list[str] = []
    custom_parameters: dict[str, Any] = {}


class TwilioStarted(TwilioMessage, tag="start"):
    start: TwilioDescription = TwilioDescription()


class TwilioPiece(msgspec.Struct, gc=False):
    payload: bytes
    timestamp: Count | None = None
    """Since the stream's start."""
    track: str = "inbound"


class TwilioMedia(TwilioMessage):
    media: TwilioPiece


class TwilioDtmf(TwilioMessage):
    dtmf: Key


class TwilioMark(TwilioMessage):
    mark: MarkName


class TwilioStopped(TwilioMessage, tag="stop"): ...


_FromTwilio: TypeAlias = TwilioConnected | TwilioStarted | TwilioMedia | TwilioDtmf | TwilioMark | TwilioStopped


class TwilioStream(JsonStream[_FromTwilio]):
    """Our end of a stream at Twilio."""

    reader: ClassVar[Reader[_FromTwilio]] = Reader("twilio", _FromTwilio)

    def __init__(self) -> None:
        super().__init__()
        self.outbound: AudioFormat | None = None
        self._l16 = L16()
        self._sid = ""  # the JSON field `streamSid`, which every message of ours has

    def begin(self, message: _FromTwilio) -> Start | None:
        return self._start(message) if isinstance(message, TwilioStarted) else None

    def go_on(self, message: _FromTwilio) -> list[Event]:
        match message:
            case TwilioMedia():
                return self._audio(message.media)
            case TwilioMark():
                return [Echo(message.mark.name)]
            case TwilioDtmf():
                return [message.dtmf.event]
            case TwilioStarted():
                return [Unexpected("expected one start of the stream", "a second")]
            case TwilioStopped():
                self.stopped = True
                return [Stop("Twilio ended the stream")]
            case TwilioConnected():  # overtaken by the start
                return []

    def media(self, data: bytes) -> list[Message]:
        if self.outbound is not None and self.outbound.encoding == "pcm16":
            data = self._l16.write(data)
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

    def _start(self, message: TwilioStarted) -> Start:
        start = message.start
        stream_sid = message.stream_id or start.stream_sid
        if not stream_sid:
            raise ProtocolError('expected "streamSid" in the start, as every message to Twilio needs it; it is missing')
        format = self._inbound = self.outbound = audio_format(start.media_format)
        if format.encoding == "pcm16":
            self._l16.listen(format)
        self._timeline = Timeline(format)
        self.stream_id = stream_sid
        self._sid = f'"streamSid":{quote(stream_sid)}'
        parameters = texts(start.custom_parameters)
        return Start(
            provider="twilio",
            stream_id=stream_sid,
            call_sid=start.call_sid,
            caller_id=parameters.get("from", ""),
            did=parameters.get("to", ""),
            inbound=format,
            outbound=format,
            parameters=parameters,
            metadata={"account_sid": start.account_sid, "tracks": start.tracks},
        )

    def _audio(self, piece: TwilioPiece) -> list[Event]:
        format, data = self._inbound, piece.payload
        if is_outbound(piece.track) or not data:
            return []
        if format.encoding == "pcm16":
            if len(data) % format.frame_bytes:
                return [Unexpected(f"expected whole samples of {format}", f"{len(data)} bytes")]
            data = self._l16.read(data)
        # Where packets of the call were lost, Twilio's chunk numbers have no gap; only the timestamp jumps.
        missing = self._timeline.gap(piece.timestamp, len(data))
        audio = AudioRaw(data, format)
        return [AudioRaw(missing, format), audio] if missing else [audio]


def audio_format(media: TwilioMediaFormat) -> AudioFormat:
    """The format that a start names. Raises `ProtocolError` for one that is not supported."""
    name = media.encoding.lower().partition(";")[0].strip().removeprefix("audio/").removeprefix("x-")
    encoding, rate = _ENCODINGS.get(name), media.sample_rate
    if encoding is None or media.channels != 1 or rate not in (_RATES if encoding == "pcm16" else _RATES[:1]):
        raise ProtocolError(
            f"expected audio/x-mulaw at 8000 Hz with 1 channel, the usual format, or audio/x-alaw at 8000 Hz, or "
            f"audio/l16 at one of {', '.join(map(str, _RATES))} Hz; got {shorten(media.encoding)} at {rate} Hz with "
            f"{media.channels}"
        )
    return AudioFormat(encoding, rate)
