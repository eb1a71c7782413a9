"""A caller who does each thing at a moment to which the call leads: when the agent has finished, over it, at a time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from typing import Final, Literal, TypeAlias

import msgspec

from voiceflow.audio import AudioFormat
from voiceflow.simulator.script import KEY, PIECE, CallerPart, Ear, Script, press

When: TypeAlias = Literal["at", "after", "begun", "finished", "over"]
"""When the caller does something:

- at: that many seconds after the beginning of the call
- after: that many seconds after their step before
- begun: once the agent answers that
- finished: once the answer is over
- over: that many seconds after the agent has begun to speak"""

ANSWER: Final = 8.0
"""Seconds that the caller waits for an answer before they go on all the same: a model may think."""
REST: Final = 1.0
"""Seconds of silence after which the agent has finished."""
PATIENCE: Final = 60.0
"""Seconds after which the caller waits no longer for an agent who goes on speaking."""
PAUSE: Final = 0.6
"""Silence in what the agent says after which it begins anew, in seconds."""
UNKNOWN: Final = 1 << 40
"""The number of a piece that is not known yet."""


class CallerCue(msgspec.Struct, frozen=True):
    """One step of the caller. Without speech and keys it is a wait."""

    speech: tuple[bytes, ...] = ()
    text: str | None = None
    """The words of the speech, if they are known."""
    keys: str = ""
    when: When = "finished"
    seconds: float = 0.0


class CuedScript(Script, frozen=True, dict=True, kw_only=True):
    """The steps of a caller, one after the other. The same for all calls, each of which gets a `CuedPart`."""

    cues: tuple[CallerCue, ...]

    def part(self, heard: AudioFormat) -> CuedPart:
        return CuedPart(self, heard)


class CuedPart(CallerPart):
    """What one caller does in one call, as far as it is known."""

    def __init__(self, script: CuedScript, heard: AudioFormat) -> None:
        super().__init__(script)
        self.keys = {}
        self.over = self.silent_from = UNKNOWN
        self._cues = deque(script.cues)
        self._agent = HeardAgent(heard)
        self._said: list[tuple[int, CallerCue]] = []  # with the number of the first piece of each
        self._start = math.inf  # when the caller began, on the phone's clock
        self._next = 0  # the number of the piece with which the step before is over
        self._done = -math.inf  # when that is, on the phone's clock

    def piece(self, number: int) -> bytes:
        place = bisect_right(self._said, number, key=lambda said: said[0]) - 1
        if place < 0:
            return self.silence
        start, cue = self._said[place]
        return cue.speech[number - start] if number - start < len(cue.speech) else self.silence

    def texts(self, start: float, end: float) -> list[str | None]:
        """The words of what was begun between two times, in seconds from the beginning; None where they are not
        known."""
        return [cue.text for number, cue in self._said if cue.speech and start <= number * PIECE < end]

    def hear(self, data: bytes, end: float) -> None:
        self._agent.hear(data, end)

    def cleared(self, now: float) -> None:
        self._agent.cleared(now)

    def advance(self, number: int, now: float) -> None:
        self._start = min(self._start, now)
        while number >= self._next and self._cues and self._is_due(self._cues[0], number, now):
            self._begin(self._cues.popleft(), number, now)
        if not self._cues and self.over == UNKNOWN and number >= self._next:
            self.over = self.silent_from = number

    def _begin(self, cue: CallerCue, number: int, now: float) -> None:
        keys = press(cue.keys, number)
        self.keys.update(keys)
        if cue.when == "over" and self._agent.speaks(now) and (cue.speech or keys):
            self.barge_in = min(keys, default=number)
        if cue.speech:
            self._said.append((number, cue))
        self._next = max([number + len(cue.speech), *(key + KEY for key in keys)])
        self._done = now + (self._next - number) * PIECE

    def _is_due(self, cue: CallerCue, number: int, now: float) -> bool:
        match cue.when:
            case "at":
                return number * PIECE >= cue.seconds
            case "after":
                return (number - self._next) * PIECE >= cue.seconds
            case "begun":
                return (self._answered and now >= self._agent.begun) or self._gives_up(now)
            case "over" if self._agent.begun > self._done and self._agent.speaks(now):
                return now - self._agent.begun >= cue.seconds
        return (self._answered and now - self._agent.until >= REST) or self._gives_up(now)

    @property
    def _answered(self) -> bool:
        """Whether the agent has said something since the step before; an end of what it said over that is nothing."""
        return self._agent.begun > self._done or self._agent.until > self._done + REST

    def _gives_up(self, now: float) -> bool:
        waiting = max(self._done, self._start)
        silent = now - max(waiting, self._agent.until)
        return now - waiting >= PATIENCE or (not self._answered and silent >= ANSWER)


class HeardAgent:
    """When the agent speaks, as the caller hears it. Times are on the phone's clock."""

    def __init__(self, format: AudioFormat) -> None:
        self.begun = -math.inf
        """When it has begun to speak, after the last silence of `PAUSE` or more."""
        self.until = -math.inf
        """When the last that came of it will have been heard."""
        self._ear = Ear(format)
        self._byte_rate = format.byte_rate

    def hear(self, data: bytes, end: float) -> None:
        """Told that `data` came, which is heard until `end`."""
        if self._ear.is_quiet(data):
            return
        start = end - len(data) / self._byte_rate
        if start > self.until + PAUSE:
            self.begun = start
        self.until = end

    def cleared(self, now: float) -> None:
        """Told that what is not heard by `now` never will be."""
        self.until = min(self.until, now)

    def speaks(self, now: float) -> bool:
        return self.begun <= now <= self.until
