"""How long transcriptions take on this machine, so that an interim is begun only if a final need not wait for it."""

from __future__ import annotations

import functools
import math
from typing import Final
from weakref import WeakSet

CALM: Final = 0.5
"""The weight of the last transcription where it was faster than those before; a slower one counts at once."""


class Pace:
    """How long transcriptions of one recogniser take. Infinitely long before the first is done."""

    def __init__(self) -> None:
        self.seconds = math.inf
        """How long one takes at present, in seconds."""

    def took(self, seconds: float) -> None:
        """Record that a transcription took so long."""
        if self.seconds == math.inf or seconds > self.seconds:
            self.seconds = seconds
        else:
            self.seconds += CALM * (seconds - self.seconds)


@functools.lru_cache(maxsize=64)
def pace_of(recogniser: type, model: str) -> Pace:
    """The process's account of `recogniser` with `model`: all its calls share one, as they share the model."""
    return Pace()


utterances: WeakSet[object] = WeakSet()
"""The recognisers, of all calls of the process, whose callers are speaking: each will want a thread for its final."""
