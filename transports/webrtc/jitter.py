"""A jitter buffer: RTP packets in any order and with losses in, audio in order and without gaps out.

Packets that come in order are never held back: the audio goes to speech recognition, which needs no even pace. Only
a gap makes later packets wait, until the missing packet comes or is too late. A packet's time is when it would have
come had it been as fast as the fastest recent packets; it is too late `LATEST` seconds after that. So no packet
waits beyond that, whatever was lost before it, and a gap leaves no delay behind.

Missing packets are replaced by a `Lost` as long as the timestamps say: a second of audio stays a second.

No I/O and no clock: the code that uses the buffer passes the time, in seconds, and calls `expire` at the time `due`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import msgspec

LATEST: Final = 0.06
"""Seconds after its time at which a missing packet is given up."""
ANEW: Final = 100
"""A number this far from the expected one is not disorder: the sender has restarted its numbering."""
LONGEST: Final = 1.0
"""Seconds. A longer gap was a pause, not a loss, and is not filled."""
RECENT: Final = 2.0
"""Seconds. The fastest recent packet is that of the current window of this length and of the one before: long enough to
contain a fast packet, and short enough to follow a clock that drifts or a change of route."""


class Packet(msgspec.Struct, frozen=True, gc=False):
    """The parts of an RTP packet (RFC 3550, section 5.1) that the buffer uses."""

    number: int
    """The sequence number, 16 bits."""
    timestamp: int
    """The timestamp of the first sample, 32 bits."""
    samples: int
    """How many samples the packet holds."""
    payload: bytes


class Lost(msgspec.Struct, frozen=True, gc=False):
    """A gap: this many samples are missing."""

    samples: int


Piece: TypeAlias = Packet | Lost


class _Waiting(msgspec.Struct, gc=False):
    packet: Packet
    start: int
    """The packet's timestamp, extended beyond 32 bits."""
    arrived: float
    """When it came, in seconds."""


class JitterBuffer:
    """The jitter buffer of one RTP stream, whose timestamps count samples at `rate` Hz."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._number: int | None = None
        """The sequence number that is expected next, extended beyond 16 bits."""
        self._end = 0
        """The timestamp at which the released audio ends."""
        self._waiting: dict[int, _Waiting] = {}
        self._fastest = _Fastest()

    @property
    def due(self) -> float | None:
        """When to give up the missing packet, in seconds on the clock of `push`. None: none is missing."""
        if not self._waiting:
            return None
        first = min(waiting.arrived for waiting in self._waiting.values())
        return min(self._end / self._rate + self._fastest.transit, first) + LATEST  # `first`: timestamps may be wrong

    def push(self, packet: Packet, now: float) -> list[Piece]:
        """Add a packet that came at `now`. Returns the pieces that need not wait any more, in order."""
        released: list[Piece] = []
        if self._number is None or abs(_signed(packet.number - self._number, 16)) >= ANEW:
            released = self._flush()
            self._number, self._end = packet.number, packet.timestamp
            self._fastest = _Fastest()
        number = self._number + _signed(packet.number - self._number, 16)
        if number < self._number:
            return []  # it comes after it was given up, or a second time
        start = self._end + _signed(packet.timestamp - self._end, 32)
        self._fastest.note(now - start / self._rate, now)
        self._waiting[number] = _Waiting(packet, start, now)
        return [*released, *self._release(), *self.expire(now)]

    def expire(self, now: float) -> list[Piece]:
        """Give up the packets that are too late at `now`. Returns the pieces that waited for them, in order."""
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
        """Go on without the packet that is expected next."""
        assert self._number is not None
        following = min(self._waiting)
        missing = self._missing(self._waiting[following].start) // (following - self._number)
        if missing:
            yield Lost(missing)
        self._end += missing
        self._number += 1
        yield from self._release()

    def _release(self) -> Iterator[Piece]:
        """The packet that is expected next and those that follow it, for as long as they are there."""
        assert self._number is not None
        while (waiting := self._waiting.pop(self._number, None)) is not None:
            if missing := self._missing(waiting.start):
                yield Lost(missing)
            yield waiting.packet
            self._end = waiting.start + waiting.packet.samples
            self._number += 1

    def _missing(self, start: int) -> int:
        """How many samples are missing before a packet that begins at `start`."""
        missing = start - self._end
        return missing if 0 < missing <= LONGEST * self._rate else 0


class _Fastest:
    """The transit time of the fastest recent packets, in seconds. Only its differences mean anything, because it
    compares the clocks of two machines."""

    def __init__(self) -> None:
        self._now = self._before = float("inf")
        self._since = float("-inf")

    @property
    def transit(self) -> float:
        return min(self._now, self._before)

    def note(self, transit: float, now: float) -> None:
        if abs(transit - self.transit) > LONGEST:  # the first packet, or timestamps that jumped
            self._now, self._before, self._since = transit, float("inf"), now
        elif now - self._since > RECENT:
            self._now, self._before, self._since = transit, self._now, now
        else:
            self._now = min(self._now, transit)


def _signed(difference: int, bits: int) -> int:
    """The difference of two counters that wrap around after `bits` bits, taken the shorter way round."""
    half = 1 << bits - 1
    return (difference + half) % (1 << bits) - half
