"""A detector that listens for loudness alone: it needs no model, and some microseconds a window."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final

from voiceflow.processors.vad.detector import PREROLL, RATE, SILENCE
from voiceflow.processors.vad.stage import STAY, VAD

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL: Final = 500.0
WINDOW: Final = 320
MEMORY: Final = 3 * RATE // WINDOW
"""The noise of a line is what the last three seconds never fell below for long, in windows: nobody speaks for so
long without the pauses that every stop consonant has."""
QUIETEST: Final = 10
"""... more exactly: the level that one window in ten stayed below. Lost packets leave fewer gaps than that."""
EVERY: Final = 10
"""The noise is measured anew every so many windows."""
ABOVE: Final = 3.0
"""Speech is this much louder than the noise: 9.5 dB. Pink noise exceeds its own tenth percentile by half of that."""
UNKNOWN: Final = 700.0
"""A line that is not yet known is taken to have at most this much noise, -33 dBFS: what is three times louder in the
call's first seconds is somebody who speaks at once."""


class EnergyVAD(VAD):
    """Speech is what is louder than `level` (RMS of 16-bit samples) and than three times the line's noise.

    The noise is learned and forgotten within three seconds: what becomes loud and stays so is speech for that
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
