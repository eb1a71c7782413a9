"""The agent's own voice, coming back from the caller's end: how loud the caller must be to be heard above it.

Telephone lines and loudspeakers return what the agent says some 100 to 400 ms after it is heard, 20 dB weaker or
less: a voice activity detector takes it for a caller who interrupts. So the level of what the agent said lately,
times the strength of the echo, is the level that the caller's audio has to exceed.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import convert
from voiceflow.processors.vad.levels import loudest

LATE: Final = 0.6
"""Seconds after it was heard for which the agent's audio may echo: an echo is 400 ms late at most, and a detector goes
on reporting a voice for some windows after its end."""
STRONGEST: Final = 0.1
"""The strongest echo that is expected, as a fraction of the level played: -20 dB. Assumed until the line shows less."""
MARGIN: Final = 2.0
"""The factor by which the caller's audio must exceed the echo, 6 dB: line noise adds to the echo, and a window of it
may hold the loud parts of two blocks that were played, which is 3 dB."""
LOUD: Final = 2000.0
"""The RMS that the agent's audio must exceed to measure the echo: else noise on the line would pass for it."""
FALL: Final = 0.003
"""The fraction of the difference by which one window (20 or 32 ms) lowers an estimate that is too high: half of it in
5 to 7 s of the agent's speech, which is long against the pauses between its words, in which nothing echoes."""
RISE: Final = 0.1
"""The fraction of the difference by which one window raises an estimate that is too low: the echo of a line that
begins to echo is known within ten windows, and a caller who interrupts has long been recognised by then."""
BLOCK: Final = 0.02
"""Seconds of audio of which the RMS is measured; the loudest block is the level of a piece."""
PIECES: Final = 256
"""How many played pieces are remembered at most."""


class Echo:
    """What the agent said lately, and how strongly it comes back. Times are on the loop's clock, in seconds."""

    def __init__(self) -> None:
        self.strength = STRONGEST
        """The level of the echo as a fraction of the level that was played."""
        self._played: deque[tuple[float, float, float]] = deque(maxlen=PIECES)  # start, end, level

    def played(self, audio: AudioRaw, at: float) -> None:
        """Record that the agent's `audio`, in any format, begins to be heard at the time `at`."""
        pcm = convert(audio, audio.format.with_encoding("pcm16"))
        block = round(audio.format.rate * BLOCK) * audio.format.channels
        self._played.append((at, at + audio.duration, loudest(pcm.samples.reshape(-1), block)))

    def gate(self, level: float, at: float) -> float:
        """The level (RMS) above which incoming audio is taken for the caller's voice; 0 while nothing echoes.

        `level` is that of the audio that came at the time `at`; the strength of the echo is learned from it.
        """
        played = self._played
        while played and played[0][1] < at - LATE:
            played.popleft()
        said = max((loud for start, _, loud in played if start <= at), default=0.0)
        gate = said * self.strength * MARGIN
        if said > LOUD:
            seen = min(level / said, STRONGEST)
            self.strength += (seen - self.strength) * (RISE if seen > self.strength else FALL)
        return gate
