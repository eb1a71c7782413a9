"""Times each turn: from the caller's last sound to the agent's first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

from voiceflow.frames import AudioRaw, Frame, LLMText, Mark, SpeechStarted, SpeechStopped, Transcript
from voiceflow.pipeline import Element
from voiceflow.turns.latency import TurnLatency

from .events import Events


class TurnClock:
    """Watches a call's processor boundaries and reports each turn to `on_turn`, when the agent begins to be heard."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._undo: list[Callable[[], None]] = []
        self._started: SpeechStarted | None = None
        self._stopped: SpeechStopped | None = None
        self._times: list[float] = []
        """When the segments of the turn in progress ended (loop's clock); before them, when the first one began."""
        self._transcript: Transcript | None = None
        self._voice: Element | None = None
        """The processor that synthesises the turn's first sentence."""
        events.turned.changed = self._switch
        self._switch()

    def _switch(self) -> None:
        """Watch only while `on_turn` has subscribers, and cost nothing otherwise."""
        if self._events.turned and not self._undo:
            self._undo = [self._events.passed.add(self._observe), self._events.played.add(self._played)]
        elif not self._events.turned:
            for undo in self._undo:
                undo()
            self._undo = []

    def _observe(self, upstream: Element, downstream: Element, frame: Frame) -> None:
        times = self._times
        match frame:
            case AudioRaw():
                if len(times) == 5 and upstream is self._voice:
                    times.append(self._loop.time())
            case SpeechStarted() if frame is not self._started:
                self._started = frame
                times.clear()
            case SpeechStopped() if frame is not self._stopped:
                now = self._loop.time()
                self._stopped = frame
                times[:] = [now - frame.trail, now]
            case Transcript(final=True) if frame.text and frame is not self._transcript and len(times) in (2, 3):
                self._transcript = frame
                times[2:] = [self._loop.time()]
            case LLMText() if len(times) in (3, 4):
                if len(times) == 3:
                    times.append(self._loop.time())
                if frame.text.endswith("\n"):
                    times.append(self._loop.time())
            case Mark() if frame.text and len(times) in (4, 5):
                if len(times) == 4:  # a voice that does not wait for sentences
                    times.append(self._loop.time())
                self._voice = upstream

    def _played(self, audio: AudioRaw, at: float) -> None:
        times = self._times
        if len(times) == 6:
            times.append(at)
            self._events.turned(TurnLatency(*(end - start for start, end in pairwise(times))))
            times.clear()
