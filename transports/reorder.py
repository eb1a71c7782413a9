"""Restoring the order of a carrier's media (`Reorder`) and its timing where some was lost (`Timeline`).

Both count messages and milliseconds of media and use no clock.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from voiceflow.audio import AudioFormat
from voiceflow.transports.chunking import silence

T = TypeVar("T")

WINDOW: Final = 5
"""How many later pieces wait for a missing one: 100 ms at the usual 20 ms, as in a telephone's jitter buffer."""
ANEW: Final = 100
"""A number this far from the expected one is not disorder: the sender's numbering has restarted."""


class Reorder(Generic[T]):
    """Puts numbered items in order. Items that come in order are never held back.

    A missing item is given up when more than `WINDOW` later ones wait for it. An item that comes twice, or after it
    was given up, is dropped.
    """

    def __init__(self) -> None:
        self._next = 1  # carriers number from 1
        self._begun = False
        self._held: dict[int, T] = {}

    @property
    def waiting(self) -> bool:
        """Whether items wait for a missing one."""
        return bool(self._held)

    def push(self, number: int | None, item: T) -> list[T]:
        """Add an item. Returns the items that need not wait any more, in order. An item without a number is the next,
        and the last that anything waits for."""
        if number is None:
            return [*self.flush(), item]
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
        """Return all items that wait, in order: nothing more will come."""
        return self._release(0)

    def _release(self, waiting: int) -> list[T]:
        """Take the items that are next, and give up missing ones until at most `waiting` items wait."""
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
    """Replaces lost media, recognised by a jump of the timestamps, with silence of the same length.

    So a second of audio stays a second: times in transcripts and recordings stay true, an echo keeps its delay, a
    speaker's pause is not cut out, and words that were apart are not joined.
    """

    SHORTEST: Final = 20
    """The shortest loss, in milliseconds. A jump of less than one packet comes from the rounding of timestamps."""
    LONGEST: Final = 1000
    """The longest loss, in milliseconds. After a longer jump the carrier had paused (hold, transfer) and nothing is
    filled in: so much silence at once would only keep the pipeline busy, and a detector of the end of speech has long
    since seen that nothing came."""

    def __init__(self, format: AudioFormat) -> None:
        self._format = format
        self._milliseconds = 1000 / format.byte_rate  # of one byte
        self._due: float | None = None

    def gap(self, timestamp: int | None, size: int) -> bytes:
        """The silence that belongs before a piece of `size` bytes that begins at `timestamp` ms; empty if nothing is
        missing. A piece without a timestamp follows the one before it.

        Time is counted from the first timestamp, not from piece to piece: timestamps that jitter would otherwise add
        silence again and again.
        """
        length = size * self._milliseconds
        due = self._due
        if timestamp is None:
            self._due = None if due is None else due + length
            return b""
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
