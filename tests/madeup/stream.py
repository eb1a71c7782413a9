"""Madeup's dialect, our end."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.frames import DTMF, AudioRaw
from voiceflow.transports.dialect import UNREADABLE, Echo, Event, Message, ProtocolError, Start, Stop, quote, shorten

WIDE: Final = AudioFormat("pcm16", 16_000)


class FromMadeup(msgspec.Struct, tag_field="kind"):
    """What is not audio."""


class Began(FromMadeup, tag="call", rename={"caller": "from"}):
    line: str
    call: str
    caller: str
    to: str
    parameters: dict[str, str] = {}


class Pressed(FromMadeup, tag="key"):
    key: str


class Played(FromMadeup, tag="played"):
    name: str


class Bye(FromMadeup, tag="bye"):
    pass


Known: TypeAlias = Began | Pressed | Played | Bye
_decode = msgspec.json.Decoder(Known).decode


class MadeupStream:
    """Our end."""

    def __init__(self) -> None:
        self.outbound: AudioFormat | None = WIDE
        self.ignored = 0
        self._greeted = self._began = False

    def receive(self, message: Message) -> list[Event]:
        if isinstance(message, bytes):
            if not self._began or len(message) % WIDE.frame_bytes:
                raise ProtocolError(f"expected whole samples of a call that has begun; got {len(message)} bytes")
            return [AudioRaw(message, WIDE)] if message else []
        if not self._greeted:
            self._greeted = True
            return []
        try:
            told: Known = _decode(message)
        except UNREADABLE as error:
            raise ProtocolError(f"expected a madeup message: {error}; got {shorten(message)}") from None
        match told:
            case Began():
                self._began = True
                return [Start("madeup", told.line, told.call, told.caller, told.to, WIDE, WIDE, told.parameters)]
            case Pressed(key):
                return [DTMF(key)]
            case Played(name):
                return [Echo(name)]
            case Bye():
                return [Stop("Madeup says goodbye")]

    def media(self, data: bytes) -> list[Message]:
        return [data] if data else []

    def flush(self) -> list[Message]:
        return []

    def mark(self, name: str) -> list[Message]:
        return [f'{{"kind":"tell","name":{quote(name)}}}']

    def clear(self) -> list[Message]:
        return ['{"kind":"drop"}']
