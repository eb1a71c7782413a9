"""Who of those that are heard is the caller: a television or other people in the room are weaker.

Within a turn, the caller's own loud level is known; a voice that stays well below it is not theirs. A background that
was heard before the turn, or goes on after it, is known as well, so that it begins no turn of its own.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

NEAR: Final = 11.0
"""How many dB below the loud level of the turn the caller's voice may be at most: no speaker stays below that for as
long as the silence that ends a turn."""
NEAR_KNOWN: Final = 9.5
"""The same, where a background is known."""
OVER: Final = 4.0
"""How many dB the caller's voice is above a known background at least."""
CLOSE: Final = 6.0
"""Never less than so many dB below its loud level is the caller's voice taken for the background's; and a background
is known if the voice rises by that much in a turn."""
BEGIN: Final = 7.0
"""How many dB above the level that `USUAL` of a background exceeds speech has to be to begin a turn."""
USUAL: Final = 0.1
RISE: Final = 1.0
"""By how many dB a background may exceed that level and raise it: the caller, who begins to speak, must not."""
TAIL: Final = 0.4
"""Seconds for which the caller's voice may fade below `NEAR` at the end of a word or sentence."""
KEPT: Final = 0.25
"""Seconds of that which still count as the caller's if the voice goes on even longer: then it was the background's."""
WEAK: Final = 22.0
"""How many dB below the turn's loud level nothing is the caller's, and a background does not matter."""
SOON: Final = 0.3
"""Seconds of voice from which its loud level can be told."""
FORGET: Final = 3.0
"""Seconds without voice after which a background is forgotten: a softer caller is heard again."""
PAUSE: Final = 0.7
"""Seconds without voice after which a voice that the limit of a turn has ended may begin another one."""
OTHERS_TURN: Final = 10.0
"""Seconds after which it may do so without a pause: meanwhile the agent answers what was said."""
HALF: Final = 2.0
"""Seconds of voice after which it counts half as much for a loud level."""
LOUDEST: Final = 0.02
"""The loud level is exceeded by this fraction of the voice."""
SMOOTH: Final = 0.06
"""Seconds over which levels are averaged."""


class Levels:
    """The levels of a voice, in dB, which are forgotten little by little."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._counts = [0.0] * 100
        self._total = 0.0
        self._weight = 1.0

    def add(self, level: float, seconds: float) -> None:
        self._counts[min(max(int(level), 0), 99)] += self._weight
        self._total += self._weight
        self._weight *= 2 ** (seconds / HALF)
        if self._weight > 1e9:
            self._counts = [count / self._weight for count in self._counts]
            self._total /= self._weight
            self._weight = 1.0

    def exceeded_by(self, fraction: float) -> float:
        """The level that this fraction of the voice exceeds; -inf without any."""
        left = self._total * fraction
        for level in range(99, -1, -1):
            left -= self._counts[level]
            if left < 0:
                return level + 0.5
        return -math.inf

    @property
    def loud(self) -> float:
        """The loud level; -inf without any voice."""
        return self.exceeded_by(LOUDEST)


class Foreground:
    """Judges windows of `seconds`, one after the other. Positions are in seconds since the first one."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._smooth = max(1, round(SMOOTH / seconds))
        self.forget()

    def forget(self) -> None:
        """Forget everything that was heard."""
        self._turn = Levels()
        self._background = Levels()
        self._below: list[float] = []  # levels of what was not the caller since their voice was last certain
        self._recent: deque[float] = deque(maxlen=self._smooth)  # squared levels
        self._position = 0.0
        self._near = 0.0  # where the caller's voice was last certain
        self._voice = 0.0  # seconds of voice in this turn
        self._before = math.inf  # the lowest loud level in this turn: what the background's may be
        self._quiet = FORGET
        self._speaking = False
        self._cut = 0.0  # seconds for which a voice that was cut begins no turn
        self.overrun = 0.0
        """How many seconds of what was taken for the caller's voice turn out to have been the background's."""

    def judge(self, voiced: bool, level: float, *, speaking: bool) -> bool:
        """Whether a window, which is `voiced` or not, has the caller's voice. `level` is its RMS, `speaking` whether a
        turn is under way."""
        if self._speaking != speaking:
            self._speaking = speaking
            (self._begin if speaking else self._end)()
        self.overrun = 0.0
        self._position += self._seconds
        self._recent.append(level * level)
        if self._cut > 0:
            self._cut -= self._seconds
            if self._cut <= 0 or self._quiet >= PAUSE:
                self._cut = 0.0
                self._background.clear()
        if not voiced:
            self._quiet += self._seconds
            if self._quiet > FORGET:
                self._background.clear()
            if not speaking:
                self._turn.clear()
            return False
        self._quiet = 0.0
        decibels = 10 * math.log10(max(sum(self._recent) / len(self._recent), 1.0))
        return self._within(decibels) if speaking else self._between(decibels)

    def cut(self) -> None:
        """Take it that nothing but the limit of a turn has just ended the voice."""
        self._cut = OTHERS_TURN

    def _within(self, decibels: float) -> bool:
        """Whether a voice of that level is the caller's, in their turn."""
        turn, loud = self._turn, self._turn.loud
        near = decibels > self._least(loud)
        turn.add(decibels, self._seconds)
        self._voice += self._seconds
        if near:
            self._near = self._position
            self._below.clear()
            return True
        fades, weak = self._position <= self._near + TAIL, decibels <= loud - WEAK
        if fades:
            return not weak
        self._below.append(decibels)
        if not weak:
            self.overrun = self._position - self._near - KEPT
        return False

    def _between(self, decibels: float) -> bool:
        """Whether a voice of that level may begin a turn."""
        known = self._background.exceeded_by(USUAL)
        if decibels > known + BEGIN:
            self._turn.add(decibels, self._seconds)
            return True
        self._turn.clear()
        self._background.add(min(decibels, known + RISE), self._seconds)
        return False

    def _least(self, loud: float) -> float:
        """The level that the caller's voice exceeds in a turn with that loud level."""
        if self._voice >= SOON:
            self._before = min(self._before, loud)
        background = max(self._background.loud, self._before if loud - self._before >= CLOSE else -math.inf)
        if background < loud - WEAK:
            return loud - NEAR
        return max(loud - NEAR_KNOWN, min(background + OVER, loud - CLOSE))

    def _begin(self) -> None:
        self._below.clear()
        self._near = self._position
        self._voice, self._before = 0.0, math.inf

    def _end(self) -> None:
        """The turn is over: what goes on to be heard, if anything does, is the background."""
        loud, known = self._turn.loud, self._background.loud
        self._background.clear()
        if self._cut > 0:
            self._background.add(loud, self._seconds)
        for level in self._below:
            self._background.add(level, self._seconds)
        if loud - self._before >= CLOSE:
            self._background.add(self._before, self._seconds)
        elif not self._below and known > -math.inf:
            self._background.add(known, self._seconds)
        self._quiet = min(self._quiet, PAUSE)
        self._turn.clear()
