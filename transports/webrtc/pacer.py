"""A steady beat, on the loop's monotonic clock."""

from __future__ import annotations

from typing import Final

CATCH_UP: Final = 0.2
"""Seconds of delay that are made up for, so that a busy moment leaves none behind. After more the beat starts
afresh: so many packets at once would only be thrown away by the peer."""


class Pacer:
    """When each of a row of equal steps is due. No I/O: the caller brings the time, in seconds."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._start: float | None = None
        self._steps = 0

    def next(self, now: float) -> tuple[int, float]:
        """The number of the next step, from 0, and how long to wait for it. Steps that are long past are left out."""
        if self._start is None:
            self._start = now
            return 0, 0.0
        self._steps += 1
        wait = self._start + self._steps * self._step - now
        if wait < -CATCH_UP:
            self._steps += int(-wait / self._step)
            wait = 0.0
        return self._steps, max(0.0, wait)
