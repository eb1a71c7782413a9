"""Media in the carrier's order and at the carrier's time, whatever happened to it on the way.

Both rooms count in messages and milliseconds of media, not on a clock.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from voiceflow.audio import AudioFormat
from voiceflow.transports.pieces import silence

T = TypeVar("T")

WINDOW: Final = 5
"""How many later pieces wait for a missing one: 100 ms at the usual 20 ms, as in a telephone's jitter buffer."""
ANEW: Final = 100
"""A number this far from the expected one is not disorder: the numbering began anew."""


class Reorder(Generic[T]):
    """Gives numbered items back in order. Where all is in order, nothing ever waits.

    A missing item is given up once `WINDOW` later ones wait for it. One that comes twice, or after it was given
    up, is dropped.
    """

    def __init__(self) -> None:
        self._next = 1  # the carriers number from 1
        self._begun = False
        self._held: dict[int, T] = {}

    @property
    def waiting(self) -> bool:
        """Whether items wait for a missing one."""
        return bool(self._held)

    def push(self, number: int, item: T) -> list[T]:
        """The items whose turn it is now, in order."""
        if number == self._next and not self._held:
            self._next += 1
            self._begun = True
            return [item]
        released: list[T] = []
        if abs(number - self._next) >= ANEW:
            released = self.flush()
            self._next = number
        elif number < self._next and not self._begun:
            self._next = number
        elif number < self._next or number in self._held:
            return []
        self._held[number] = item
        return released + self._release(WINDOW)

    def flush(self) -> list[T]:
        """All that waits, in order: nothing more will come."""
        return self._release(0)

    def _release(self, waiting: int) -> list[T]:
        """Take what is due, and give up missing items until at most `waiting` wait."""
        released = []
        while self._held:
            if self._next not in self._held:
                if len(self._held) <= waiting:
                    break
                self._next = min(self._held)
            released.append(self._held.pop(self._next))
            self._next += 1
            self._begun = True
        return released


class Timeline:
    """Puts silence in the place of lost media, seen by a jump of the timestamps.

    So that a second of audio stays a second: times in transcripts and recordings stay true, an echo keeps its
    delay, a speaker's pause is not cut out, and words that were apart are not glued together.
    """

    SHORTEST: Final = 20
    """Milliseconds. Less than one packet is the rounding of timestamps, not a loss."""
    LONGEST: Final = 1000
    """Milliseconds. After more the carrier had paused (hold, transfer): so much silence at once would only keep
    the pipeline busy, and whoever waits for the end of speech has long seen that nothing came."""

    def __init__(self, format: AudioFormat) -> None:
        self._format = format
        self._milliseconds = 1000 / format.byte_rate  # of one byte
        self._due: float | None = None

    def gap(self, timestamp: int, size: int) -> bytes:
        """The silence that belongs before a piece of `size` bytes that begins at `timestamp` ms.

        Counted from the first timestamp on, and not from piece to piece: stamps that jitter would otherwise
        add silence again and again.
        """
        length = size * self._milliseconds
        due = self._due
        lost = 0 if due is None else timestamp - due
        if due is None or abs(lost) > self.LONGEST:
            self._due = timestamp + length
            return b""
        if lost < self.SHORTEST:
            self._due = due + length
            return b""
        missing = silence(self._format.bytes_for(lost / 1000), self._format)
        self._due = due + len(missing) * self._milliseconds + length
        return missing
