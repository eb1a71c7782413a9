"""Finds where speech starts and stops, from a judgement of each window of audio: voiced or not.

No audio, no clock and no I/O in here: judgements come in, positions come out, counted in samples from the first one.
Speech is recognised when enough voiced windows have come in a row, and is taken to have begun a little before the
first of them; it stops when the last voiced window is long enough ago.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from voiceflow.audio import CANONICAL

RATE: Final = CANONICAL.rate
PREROLL: Final = 0.3
"""Seconds before the first voiced window that belong to the speech: breath and soft consonants."""
SILENCE: Final = 0.7
"""Seconds without voice after which speech is over: pauses within a sentence are shorter."""
EPSILON: Final = 1e-6  # seconds are quotients
LONGEST: Final = 15.0
"""Seconds after which speech that goes on, such as music or a recorded voice, is over: what was said is answered."""


class Detector:
    """The state of one stream of 16 kHz audio. `confirm`, `silence`, `preroll` and `longest`, all in seconds, may be
    changed at any time."""

    def __init__(self, confirm: float, silence: float = SILENCE, preroll: float = PREROLL) -> None:
        self.confirm = confirm
        """How long audio must be voiced, without a break, to be speech."""
        self.silence = silence
        """How long no window must have been voiced for speech to be over."""
        self.preroll = preroll
        """How much of what came before the first voiced window belongs to the speech."""
        self.longest = LONGEST
        """How long speech may last."""
        self._awaited: tuple[float, Callable[[], None]] | None = None
        self.start_over()

    def when_spoken(self, seconds: float, callback: Callable[[], None] | None) -> None:
        """Call `callback` once, when the speech that is under way has lasted for so long from its first voiced window
        to its last; not at all if it ends before that, or if None is given meanwhile."""
        self._awaited = None if callback is None else (seconds, callback)

    def start_over(self) -> None:
        """Forget the stream; keep the four times."""
        self.speaking = False
        """Whether the caller is speaking."""
        self.position = 0
        """The number of samples that were judged so far."""
        self.began = 0
        """The sample at which the speech began, pre-roll included."""
        self.voiced_start = 0
        """The sample at which the first voiced window of the speech began."""
        self.voiced_end = 0
        """The sample at which the last voiced window of the speech ended."""
        self.was_cut = False
        """Whether nothing but `longest` has ended the last speech."""
        self._run = 0  # how many samples up to `position` were voiced without a break

    @property
    def spoken(self) -> float:
        """How long the caller has been speaking, from the first voiced window to the last, in seconds."""
        return (self.voiced_end - self.voiced_start) / RATE if self.speaking else 0.0

    def push(self, voiced: bool, samples: int) -> bool:
        """Take the judgement of the next window, `samples` long. Returns whether speech starts or stops with it;
        `speaking` tells which."""
        self.position += samples
        self._run = self._run + samples if voiced else 0
        if self.speaking:
            if voiced:
                self.voiced_end = self.position
                if self._awaited is not None and self.spoken >= self._awaited[0] - EPSILON:
                    (_, told), self._awaited = self._awaited, None
                    told()
            silent = self.position - self.voiced_end >= round(self.silence * RATE)
            self.was_cut = not silent and self.position - self.began >= round(self.longest * RATE)
            return (silent or self.was_cut) and self.stop()
        return self._run >= max(1, round(self.confirm * RATE)) and self._start()

    def ended(self, sample: int) -> None:
        """Take it that the voice of the speech under way ended at `sample`: what was voiced after it was none."""
        self.voiced_end = max(self.voiced_start, min(self.voiced_end, sample))

    def stop(self) -> bool:
        """End the speech, if there is any. Returns whether there was."""
        was, self.speaking = self.speaking, False
        self._awaited = None
        self._run = 0
        return was

    def _start(self) -> bool:
        self.voiced_start = self.position - self._run
        # The voice of the utterance before this one must not be heard twice.
        self.began = max(self.voiced_start - round(self.preroll * RATE), self.voiced_end)
        self.voiced_end = self.position
        self.speaking = True
        return True
