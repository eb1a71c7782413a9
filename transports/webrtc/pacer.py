"""Pacing of steps of equal length, such as packets of 20 ms."""

from __future__ import annotations

from typing import Final

CATCH_UP: Final = 0.2
"""Up to this many seconds of delay are made up for by steps in quick succession, so that a busy moment leaves no delay
behind. After a longer one the overdue steps are skipped: the peer would throw away so many packets at once."""


class Pacer:
    """When each of a series of equal steps is due. No I/O and no clock: times and `step` are in seconds."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._start: float | None = None
        self._steps = 0

    def next(self, now: float) -> tuple[int, float]:
        """The number of the next step, from 0, and how many seconds to wait for it. Steps overdue by more than
        `CATCH_UP` are skipped."""
        if self._start is None:
            self._start = now
            return 0, 0.0
        self._steps += 1
        wait = self._start + self._steps * self._step - now
        if wait < -CATCH_UP:
            self._steps += int(-wait / self._step)
            wait = 0.0
        return self._steps, max(0.0, wait)
