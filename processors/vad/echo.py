"""The agent's own voice, coming back from the caller's end: how loud the caller must be to be heard above it.

Telephone lines and loudspeakers return what the agent says some 100 to 400 ms after it is heard, up to as loud as it
was: a voice activity detector takes it for a caller who interrupts. What was played, and when, is known. So for each
delay that an echo may have, what comes is compared with what was played then. Of an echo, the ratio is much the same
from window to window; of anything else it is not. Until enough of the agent's speech was heard, a strong echo is
expected.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import convert

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELL: Final = 0.01
"""Seconds of played audio of which the level is remembered."""
CELLS: Final = 1024
"""How many levels are remembered: what is played is known up to some seconds before it is heard."""
DELAYS: Final = 61
"""How many delays an echo may have, each a cell longer than the one before: up to 0.6 s. It is 400 ms late at most, and
the line may hold back what returns."""
STRONGEST: Final = 4.0
"""The strength of the echo that is expected until the line shows less, in dB above what was played; also the strongest
that is learned."""
WEAKEST: Final = -40.0
"""The weakest echo that is expected; a weaker one does not matter."""
MARGIN: Final = 3.0
"""By how many dB the caller's voice must exceed the echo."""
LOUD: Final = 60.0
"""The level that the agent's audio must have to measure the echo, in dB: else noise on the line would pass for it."""
DEEP: Final = 15.0
"""By how many dB it may be below the loudest of all delays to measure the echo: reverberation fills what is lower."""
MEASURED: Final = 1.0
"""Seconds of the agent's speech over which the strength of the echo is measured."""
FEW: Final = 4
"""How many windows must have been measured to tell anything."""
STEADY: Final = 4.5
"""By how many dB the strength of an echo differs from window to window: that of anything else differs by more."""
REFUTED: Final = 4.0
"""By how many dB an echo is expected to be weaker for each dB by which its strength differs more than that."""
SILENCE: Final = 1e-3


class Echo:
    """What the agent said lately, and how strongly it comes back. Times are on the loop's clock, in seconds; `seconds`
    is the length of the windows that are judged."""

    def __init__(self, seconds: float) -> None:
        self._cells = max(1, round(seconds / CELL))
        self._played = np.zeros(CELLS)  # mean squares, each in the place of its time
        self._until = 0  # the cell after the last that was written
        self._end = -CELLS  # the cell after the last of the agent's audio
        self._seen = np.zeros((round(MEASURED / seconds), DELAYS))  # the last strengths that were measured, in dB
        self._count = np.zeros(DELAYS, int)  # how many were measured, by delay
        self.strengths: NDArray[np.float64] = np.full(DELAYS, STRONGEST)
        """The strength of the echo by its delay, in dB above what was played."""

    def played(self, audio: AudioRaw, at: float) -> None:
        """Record that the agent's `audio`, in any format, begins to be heard at the time `at`."""
        pcm = convert(audio, audio.format.with_encoding("pcm16")).samples.reshape(-1).astype(np.float64)
        if not len(pcm):
            return
        size = round(audio.format.rate * CELL) * audio.format.channels
        count = max(1, round(len(pcm) / size))
        squares = np.add.reduceat(pcm * pcm, np.arange(count) * size) / size
        begin = round(at / CELL)
        self._forget(begin)
        self._played[np.arange(begin, begin + count) % CELLS] = squares
        self._end = max(self._end, begin + count)
        self._until = max(self._until, self._end)

    def gate(self, level: float, at: float) -> float:
        """The level (RMS) above which incoming audio is taken for the caller's voice; 0 while nothing echoes.

        `level` is that of the window that began at the time `at`; the strength of the echo is learned from it.
        """
        begin = round(at / CELL)
        if begin - DELAYS >= self._end:
            return 0.0
        self._forget(begin + self._cells)
        said = self._said(begin)
        ring = np.concatenate((said[-1:], said, said[:1]))  # np.roll takes ten times as long
        wide = np.maximum(said, np.maximum(ring[:-2], ring[2:]))
        gate = float((self.strengths + wide).max()) + MARGIN
        self._learn(10 * math.log10(max(level * level, SILENCE)), said)
        return float(10 ** (gate / 20))

    def _said(self, begin: int) -> NDArray[np.float64]:
        """The level of what was played, in dB, for each delay of a window that begins with the cell `begin`."""
        span = np.arange(begin - DELAYS + 1, begin + self._cells)
        sums = np.concatenate(([0.0], np.cumsum(self._played[span % CELLS])))
        means = (sums[self._cells :] - sums[: -self._cells]) / self._cells
        return np.asarray(10 * np.log10(np.maximum(means[::-1], SILENCE)))

    def _learn(self, heard: float, said: NDArray[np.float64]) -> None:
        """Learn from a window of the level `heard`, in dB."""
        (loud,) = np.nonzero(said > max(LOUD, said.max() - DEEP))
        if not len(loud):
            return
        size = len(self._seen)
        self._seen[self._count[loud] % size, loud] = heard - said[loud]
        self._count[loud] += 1
        seen = self._seen[:, loud]
        known = np.minimum(self._count[loud], size)
        mean = seen.sum(axis=0) / known
        spread = np.sqrt(np.maximum((seen * seen).sum(axis=0) / known - mean * mean, 0.0))
        strengths = mean - REFUTED * np.maximum(spread - STEADY, 0.0)
        strengths[known < FEW] = STRONGEST
        self.strengths[loud] = np.clip(strengths, WEAKEST, STRONGEST)

    def _forget(self, until: int) -> None:
        """Take it that nothing is played from the last cell that was written to the cell `until`."""
        if until > self._until:
            self._played[np.arange(max(self._until, until - CELLS), until) % CELLS] = 0.0
            self._until = until
