"""How long a task may work before it lets the others work."""

from __future__ import annotations

import time
from typing import Final

SLICE: Final = 0.001
"""A task yields to the loop after this much continuous work, in seconds."""
BATCH: Final = 16
"""Frames that a task takes before it looks at the clock, which costs a good part of what one frame costs."""


class TimeSlice:
    """Measures how long a task has worked since it last let the others work."""

    __slots__ = ("_started",)

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin a new slice: the task has let the others work."""
        self._started = time.perf_counter()

    def used_up(self) -> bool:
        """Whether the task is to `await asyncio.sleep(0)` now, and then to `restart`."""
        return time.perf_counter() - self._started > SLICE
