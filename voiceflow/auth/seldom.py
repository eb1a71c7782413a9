"""Logging what anybody can cause a thousand times: of each kind one line in a while."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from voiceflow.logs import get_logger

log = get_logger("voiceflow.auth")

WHILE: Final = 10.0
"""Seconds in which there is one line of each kind."""


class SeldomLog:
    """Logs one line of each kind in a while, and leaves the others out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, float] = {}

    def tell(self, kind: str, level: int, message: str, *values: object) -> None:
        """Log `message` with its `values`. There must be few kinds."""
        now = self._clock()
        if now - self._told.get(kind, -math.inf) >= WHILE:
            self._told[kind] = now
            log.log(level, message, *values)
