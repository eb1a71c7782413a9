"""Pacing: hands the agent's audio to the transport in pieces, each when it is due."""

from __future__ import annotations

from typing import Protocol

from voiceflow.audio import AudioFormat
from voiceflow.frameflow.link import Link
from voiceflow.frames import AudioRaw, Frame

from .ledger import EPSILON, Ledger

LEAD = 0.2
"""How far ahead of the caller's ear audio is sent, in seconds: a `Clear` has little more than that to recall."""
FIRST_PIECE = 0.02
LARGEST_PIECE = 0.1
"""The longest pieces, in seconds, while nothing is playing and while something is."""


class Exit(Protocol):
    """The part of a sink that the playout uses: see `voiceflow.Sink`."""

    accepts: AudioFormat
    echoes: bool

    def write_audio(self, data: bytes) -> None: ...
    def write_mark(self, name: str) -> None: ...
    def write_clear(self) -> None: ...
    def recallable(self) -> float | None: ...
    def notify(self, frame: Frame) -> None: ...


class Listeners(Protocol):
    """Callbacks that get each piece and when the caller begins to hear it (loop's clock). False if there are none."""

    def __call__(self, audio: AudioRaw, at: float, /) -> None: ...
    def __bool__(self) -> bool: ...


class Feed:
    """Cuts the audio at the head of a sink's queue into pieces. One is due `LEAD` before the caller hears it; the first
    one of a reply is short and leaves at once, later ones take what is there, up to `LARGEST_PIECE`."""

    __slots__ = ("exit", "format", "largest", "ledger", "listeners", "offset", "partial", "queue", "shortest")

    def __init__(self, exit: Exit, ledger: Ledger, queue: Link, listeners: Listeners) -> None:
        self.exit = exit
        self.format = exit.accepts
        self.ledger = ledger
        self.queue = queue
        self.listeners = listeners
        self.shortest, self.largest = map(self.format.bytes_for, (FIRST_PIECE, LARGEST_PIECE))
        self.offset = 0
        """How many bytes of the oldest frame have been written."""
        self.partial: Frame | None = None
        """The oldest frame, while only a part of it has been written."""

    def room(self, now: float) -> int:
        """How many bytes the piece that is due now may have; 0 if none is due."""
        play_end = self.ledger.play_end
        if play_end - LEAD > now + EPSILON:
            return 0
        return self.shortest if play_end <= now else self.largest

    def write(self, piece: bytes, now: float) -> None:
        ledger, seconds = self.ledger, len(piece) / self.format.byte_rate
        ledger.audio(seconds, now)
        self.exit.write_audio(piece)
        if self.listeners:
            self.listeners(AudioRaw(piece, self.format), ledger.play_end - seconds)

    def piece(self, limit: int) -> bytes:
        """Take audio from the head of the queue, up to `limit` bytes."""
        parts: list[bytes] = []
        size, frames = 0, self.queue.frames
        while size < limit and frames and type(frame := frames[0]) is AudioRaw:
            data, offset = frame.data, self.offset
            take = min(limit - size, len(data) - offset)
            parts.append(data if take == len(data) else data[offset : offset + take])
            size += take
            self.offset, self.partial = offset + take, frame
            if self.offset == len(data):
                self.forget()
                self.queue.pop()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def forget(self) -> None:
        """Forget the partly written frame: another one is the oldest from now on."""
        self.offset, self.partial = 0, None

    def dropped(self, frame: Frame) -> None:
        """Note that `frame` was dropped from the queue. What was written of it cannot be taken back."""
        if frame is self.partial:
            self.forget()
