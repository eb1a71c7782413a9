"""A carrier's playout buffer: it plays audio in real time, returns marks, and drops what is unplayed at a clear.

No I/O and no clock: every method is told the time, in seconds from any zero, never going back. So the same player
serves a call over a socket and a test in virtual time. It tells exactly which byte was played when.

Sources: twilio.com/docs/voice/media-streams/websocket-messages ("Mark message", "Clear message"); marks come back
once the audio before them was played, at once if there is none, and all of them at a clear.
"""

from __future__ import annotations

import math
from collections import deque

import msgspec

from voiceflow.audio import AudioFormat

_EPSILON = 1e-9  # times are sums of floats


class Span(msgspec.Struct):
    """Audio that is played without a break."""

    start: float
    """When its first sample is played."""
    end: float
    """When its last sample was played."""
    offset: int
    """The position of its first byte in all the audio that is played, in bytes."""
    size: int = 0
    """In bytes."""
    cut: bool = False
    """Whether a clear made it end here, and not the stream."""


class Returned(msgspec.Struct, frozen=True):
    """A mark that is returned to its sender."""

    name: str
    played: bool
    """Whether all the audio before it was played. Else a clear returned it."""


class Player:
    """Plays one stream."""

    def __init__(
        self,
        format: AudioFormat,
        *,
        buffer: float = math.inf,
        jitter_buffer: float = 0.0,
        speed: float = 1.0,
        record: bool = True,
    ) -> None:
        """`buffer`: how many seconds of unplayed audio it holds. `jitter_buffer`: how many seconds audio waits that
        comes when nothing is playing, so that what follows may be late by as much without a gap. `speed`: of its clock,
        against the time it is told; 0.999 plays a thousandth too slowly. `record`: whether to keep what was played."""
        self.format = format
        self.spans: list[Span] = []
        """All that was played or will be, in order. Only the last may have an end that is still to come."""
        self._recording = bytearray()
        self._records = record
        self._buffer = buffer
        self._jitter_buffer = jitter_buffer
        self._byte_rate = format.byte_rate * speed
        self._marks: deque[tuple[float, str]] = deque()  # with the time at which each is due

    @property
    def end(self) -> float:
        """When everything so far will have been played."""
        return self.spans[-1].end if self.spans else -math.inf

    @property
    def size(self) -> int:
        """How many bytes were played or will be."""
        return self.spans[-1].offset + self.spans[-1].size if self.spans else 0

    @property
    def recording(self) -> bytes:
        """What was played or will be, span after span."""
        return bytes(self._recording)

    @property
    def due(self) -> float | None:
        """When the next mark goes back, if one waits."""
        return self._marks[0][0] if self._marks else None

    def audio(self, data: bytes, now: float) -> bool:
        """Play `data`, whole samples, after all that came before. False if the buffer has no room: it is dropped."""
        if max(0.0, self.end - now) + len(data) / self._byte_rate > self._buffer:
            return False
        if not data:
            return True
        if self.end < now - _EPSILON:
            start = now + self._jitter_buffer
            self.spans.append(Span(start, start, self.size))
        span = self.spans[-1]
        span.size += len(data)
        span.end = span.start + span.size / self._byte_rate  # not added up piece by piece: that would drift
        if self._records:
            self._recording += data
        return True

    def mark(self, name: str, now: float) -> None:
        """Return `name` once everything before it was played."""
        self._marks.append((max(self.end, now), name))

    def advance(self, now: float) -> list[Returned]:
        """The marks that are due by `now` and were not returned before."""
        returned = []
        while self._marks and self._marks[0][0] <= now + _EPSILON:
            returned.append(Returned(self._marks.popleft()[1], played=True))
        return returned

    def clear(self, now: float) -> list[Returned]:
        """Drop the audio that was not played, and return all marks."""
        returned = self.advance(now)
        returned += [Returned(name, played=False) for _, name in self._marks]
        self._marks.clear()
        if self.end > now:
            span = self.spans[-1]
            span.size = self._played(span, now)
            span.end = span.start + span.size / self._byte_rate
            span.cut = True
            if self._records:
                del self._recording[self.size :]
            if not span.size:
                self.spans.pop()
                if self.spans:
                    self.spans[-1].cut = True
        return returned

    def position(self, now: float) -> float:
        """How many seconds of the audio, at its own speed, have been played."""
        if not self.spans:
            return 0.0
        last = self.spans[-1]
        return (last.offset + self._played(last, now)) / self.format.byte_rate

    def _played(self, span: Span, now: float) -> int:
        """How many bytes of `span` have been played: whole samples."""
        samples = math.floor((now - span.start) * self._byte_rate / self.format.frame_bytes + _EPSILON * 1000)
        return min(max(0, samples * self.format.frame_bytes), span.size)
