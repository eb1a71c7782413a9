"""One timer for all calls, which runs actions at given times."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Final

EARLY: Final = 0.0005
"""Seconds that an action may run too early: uvloop's timers count whole milliseconds."""


class Ticker:
    """Runs actions at their times, in order. An action must not block; it may schedule further ones."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`, in seconds, is not the loop's: uvloop's stands still during an iteration and counts milliseconds."""
        self.clock = clock
        self._actions: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()  # actions of one time keep their order
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._running = False

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Run `action` at the time `when` of the clock."""
        heapq.heappush(self._actions, (when, next(self._numbers), action))
        if not self._running and self._actions[0][0] == when:
            self._schedule()

    def close(self) -> None:
        """Forget everything."""
        self._actions.clear()
        self._schedule()

    def _run(self) -> None:
        self._running = True
        actions, due = self._actions, self.clock() + EARLY  # actions due later wait: sockets must be read
        try:
            while actions and actions[0][0] <= due:
                heapq.heappop(actions)[2]()
        finally:
            self._running = False
            self._schedule()

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._actions:
            self._timer = self._loop.call_later(max(0.0, self._actions[0][0] - self.clock()), self._run)
