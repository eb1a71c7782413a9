"""Voice activity detection by loudness alone: without a model, in some microseconds a window."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final

from voiceflow.processors.vad.detector import PREROLL, RATE, SILENCE
from voiceflow.processors.vad.vad import STAY, VAD

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL: Final = 500.0
"""The RMS above which speech starts on a quiet line."""
WINDOW: Final = 320
"""Samples in a window: 20 ms."""
MEMORY: Final = 3 * RATE // WINDOW
"""How many windows the noise of the line is learned from, three seconds: nobody speaks for so long without the pauses
that every stop consonant has."""
QUIETEST: Final = 10
"""The noise is the level that one window in this many stayed below. Lost packets leave fewer gaps than that."""
EVERY: Final = 10
"""How many windows come between two measurements of the noise."""
ABOVE: Final = 3.0
"""The factor by which speech exceeds the noise: 9.5 dB. Pink noise exceeds its own tenth percentile by half of that."""
UNKNOWN: Final = 700.0
"""The highest noise (RMS) that is assumed in the first three seconds of a call, -33 dBFS: what is three times louder
is somebody who speaks at once."""


class EnergyVAD(VAD):
    """Speech is what is louder than `level` (RMS of 16-bit samples) and than three times the line's noise.

    The noise is learned and forgotten within three seconds: what becomes loud and stays loud passes for speech that
    long. It cannot tell music from speech; `SileroVAD` can.

    `level` may be changed during the call, as may `confirm`, `silence` and `preroll` (seconds).
    """

    window: ClassVar[int] = WINDOW

    def __init__(
        self, level: float = LEVEL, *, confirm: float = 0.04, silence: float = SILENCE, preroll: float = PREROLL
    ) -> None:
        super().__init__(confirm, silence, preroll)
        self.level = level
        """The RMS above which speech starts on a quiet line."""
        self.noise = 0.0
        """The RMS of the line's noise."""
        self._levels: deque[float] = deque(maxlen=MEMORY)
        self._age = 0

    def is_voiced(self, window: NDArray[np.int16], level: float) -> bool:
        self._learn(level)
        least = max(self.level, self.noise * ABOVE)
        return level > (least * STAY if self.speaking else least)

    def reset(self) -> None:
        super().reset()
        self.noise = 0.0
        self._levels.clear()
        self._age = 0

    def _learn(self, level: float) -> None:
        levels = self._levels
        levels.append(level)
        if self._age % EVERY == 0:
            noise = sorted(levels)[len(levels) // QUIETEST]
            self.noise = noise if len(levels) == MEMORY else min(noise, UNKNOWN)
        self._age += 1
