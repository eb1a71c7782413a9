"""A jitter buffer: RTP packets in any order and with losses in, audio in order and without gaps out.

Nothing that comes in order is held back: who listens here is a recogniser, which needs no even pace. Only a gap
makes later packets wait, until the missing one comes or is too late. Too late is what comes `LATEST` after its
time; and the time of a packet is when it would have come as fast as the fastest of late. So nothing waits past
that, whatever was lost before it, and a gap leaves no delay behind.

In the place of what is missing stands a `Lost`, as long as the timestamps say: a second of audio stays a second.

No I/O and no clock: the caller brings the time, in seconds, and comes back when `due` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

LATEST: Final = 0.06
"""Seconds after its time at which a missing packet is given up."""
ANEW: Final = 100
"""A number this far from the expected one is not disorder: the sender began anew."""
LONGEST: Final = 1.0
"""Seconds. What is missing for longer was a pause, not a loss, and is not filled."""
RECENT: Final = 2.0
"""Seconds. The fastest packet of late is that of this stretch of time and of the one before: enough to hold a
fast one, and soon enough over to follow a clock that runs wrong, or another route."""


class Packet(msgspec.Struct, frozen=True, gc=False):
    """What of an RTP packet (RFC 3550, section 5.1) counts here."""

    number: int
    """16 bits."""
    timestamp: int
    """Of its first sample, 32 bits."""
    samples: int
    payload: bytes


class Lost(msgspec.Struct, frozen=True, gc=False):
    """So many samples are missing."""

    samples: int


Piece: TypeAlias = Packet | Lost


class _Waiting(msgspec.Struct, gc=False):
    packet: Packet
    start: int
    """Its timestamp, counted on where 32 bits end."""
    arrived: float


class JitterBuffer:
    """Of one stream, whose timestamps count samples at `rate` Hz."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._number: int | None = None
        """The number that is awaited, counted on where 16 bits end."""
        self._end = 0
        """The timestamp at which what was released ends."""
        self._waiting: dict[int, _Waiting] = {}
        self._fastest = _Fastest()

    @property
    def due(self) -> float | None:
        """When the missing packet is to be given up. None: none is missing."""
        if not self._waiting:
            return None
        first = min(waiting.arrived for waiting in self._waiting.values())
        return min(self._end / self._rate + self._fastest.transit, first) + LATEST  # `first`, if timestamps lie

    def push(self, packet: Packet, now: float) -> list[Piece]:
        """`packet` came at `now`. Returns what need not wait any more, in order."""
        released: list[Piece] = []
        if self._number is None or abs(_signed(packet.number - self._number, 16)) >= ANEW:
            released = self._flush()
            self._number, self._end = packet.number, packet.timestamp
            self._fastest = _Fastest()
        number = self._number + _signed(packet.number - self._number, 16)
        if number < self._number:
            return []  # it was given up before it came, or comes twice
        start = self._end + _signed(packet.timestamp - self._end, 32)
        self._fastest.note(now - start / self._rate, now)
        self._waiting[number] = _Waiting(packet, start, now)
        return [*released, *self._release(), *self.expire(now)]

    def expire(self, now: float) -> list[Piece]:
        """Give up what is too late at `now`. Returns what waited for that."""
        released: list[Piece] = []
        while (due := self.due) is not None and due <= now:
            released += self._give_up()
        return released

    def _flush(self) -> list[Piece]:
        released: list[Piece] = []
        while self._waiting:
            released += self._give_up()
        return released

    def _give_up(self) -> Iterator[Piece]:
        """Go on without the packet that is awaited."""
        assert self._number is not None
        following = min(self._waiting)
        missing = self._missing(self._waiting[following].start) // (following - self._number)
        if missing:
            yield Lost(missing)
        self._end += missing
        self._number += 1
        yield from self._release()

    def _release(self) -> Iterator[Piece]:
        """What is next, and next to that."""
        assert self._number is not None
        while (waiting := self._waiting.pop(self._number, None)) is not None:
            if missing := self._missing(waiting.start):
                yield Lost(missing)
            yield waiting.packet
            self._end = waiting.start + waiting.packet.samples
            self._number += 1

    def _missing(self, start: int) -> int:
        """How many samples there should be before what begins at `start`."""
        missing = start - self._end
        return missing if 0 < missing <= LONGEST * self._rate else 0


class _Fastest:
    """How long the fastest packets take. Only differences mean anything: clocks of two machines are compared."""

    def __init__(self) -> None:
        self._now = self._before = float("inf")
        self._since = float("-inf")

    @property
    def transit(self) -> float:
        return min(self._now, self._before)

    def note(self, transit: float, now: float) -> None:
        if abs(transit - self.transit) > LONGEST:  # the first one, or timestamps that jumped
            self._now, self._before, self._since = transit, float("inf"), now
        elif now - self._since > RECENT:
            self._now, self._before, self._since = transit, self._now, now
        else:
            self._now = min(self._now, transit)


def _signed(difference: int, bits: int) -> int:
    """A difference of two counters of so many bits, the shorter way round."""
    half = 1 << bits - 1
    return (difference + half) % (1 << bits) - half
