"""Limits of a whole call: its duration, and how long nothing may be said. No pipeline can switch them off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voiceflow.call_limits import Limits
from voiceflow.playout.playout import Playout
from voiceflow.turns.end_of_turn import Floor

LONGEST_SPEECH = 1800.0
"""A caller who seems to speak for more seconds than this is a detector that is stuck, which does not keep a call from
being idle."""


class Timeouts:
    """Ends a call that lasts too long, or in which nothing happens."""

    __slots__ = (
        "_duration",
        "_end",
        "_floor",
        "_heard_at",
        "_idle",
        "_limits",
        "_loop",
        "_playout",
        "began",
    )

    def __init__(self, limits: Limits, playout: Playout, floor: Floor, end: Callable[[str], None]) -> None:
        self._limits = limits
        self._playout = playout
        self._floor = floor
        self._end = end
        self._loop = asyncio.get_running_loop()
        self.began = self._heard_at = self._loop.time()
        """When the call began, on the loop's clock."""
        self._duration = self._loop.call_later(limits.call, end, "maximum duration reached")
        self._idle: asyncio.TimerHandle | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the call began."""
        return self._loop.time() - self.began

    def opened(self) -> None:
        """Begin to watch for idleness: frames flow from now on."""
        self.heard()
        self._look()

    def heard(self) -> None:
        """Note that the caller said or did something now."""
        self._heard_at = self._loop.time()

    def close(self) -> None:
        self._duration.cancel()
        if self._idle is not None:
            self._idle.cancel()

    def _look(self) -> None:
        now, limit = self._loop.time(), self._limits.idle
        quiet_since = max(self._heard_at, min(now, self._playout.ledger.play_end))
        if self._floor.taken and now - quiet_since < LONGEST_SPEECH:
            quiet_since = now
        left = quiet_since + limit - now
        if left < limit * 1e-6:  # a timer may be early by a rounding error
            self._end("nothing was said for too long")
        else:
            self._idle = self._loop.call_later(left, self._look)
