"""The agent's own voice, coming back from the caller's end: how loud the caller must be to be heard above it.

Telephone lines and loudspeakers return what the agent says some 100 to 400 ms after it is heard, 20 dB weaker or
less: a recogniser of voices takes it for a caller who interrupts. So the level of what the agent said lately,
times the strength of the echo, is the level that the caller's audio has to exceed.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import convert
from voiceflow.processors.vad.levels import loudest

LATE: Final = 0.6
"""What the agent said counts for so long after it was heard, in seconds: an echo is 400 ms late at most, and a
recogniser goes on believing in a voice for some windows after its end."""
STRONGEST: Final = 0.1
"""The strongest echo that is expected: -20 dB. Assumed until the line shows that it has less."""
MARGIN: Final = 2.0
"""The caller's audio must exceed the echo by 6 dB: line noise adds to the echo, and a window of it may hold the loud
parts of two blocks of what was said, which is 3 dB."""
LOUD: Final = 2000.0
"""What the agent says at a lower RMS teaches nothing: noise on the line would pass for its echo."""
FALL: Final = 0.003
"""How much of the difference one window (20 or 32 ms) takes off an echo believed too strong: half of it in 5 to 7 s
of the agent's speech, long against the pauses between its words, in which nothing echoes."""
RISE: Final = 0.1
"""... and adds to one believed too weak: a line that begins to echo is known for it within ten windows, while a
caller who interrupts has long been recognised by then."""
BLOCK: Final = 0.02
PIECES: Final = 256


class Echo:
    """What the agent said lately, and how strongly it comes back. Times are those of the loop's clock."""

    def __init__(self) -> None:
        self.strength = STRONGEST
        """The level of the echo in proportion to what is heard."""
        self._played: deque[tuple[float, float, float]] = deque(maxlen=PIECES)  # start, end, level

    def played(self, audio: AudioRaw, at: float) -> None:
        """The agent's `audio`, in any format, begins to be heard `at`."""
        pcm = convert(audio, audio.format.with_encoding("pcm16"))
        block = round(audio.format.rate * BLOCK) * audio.format.channels
        self._played.append((at, at + audio.duration, loudest(pcm.samples.reshape(-1), block)))

    def gate(self, level: float, at: float) -> float:
        """The level that the caller's audio must exceed to be the caller's; 0 while there is no echo.

        `level` is what came `at` that moment. It also tells how strong the echo is.
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
