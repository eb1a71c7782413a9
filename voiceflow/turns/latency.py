"""How long each turn took: from the caller's last sound to the agent's first, cut into segments that sum up."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from voiceflow.frames import AudioRaw, Frame, LLMText, Mark, SpeechStarted, SpeechStopped, Transcript

if TYPE_CHECKING:
    from voiceflow.engine.runtime import Runtime
    from voiceflow.processor import Processor


class TurnLatency(msgspec.Struct, frozen=True):
    """One turn's latency. All in seconds; each segment begins where the one before it ends."""

    endpoint: float
    """From the caller's last sound until it was certain that it was the last."""
    recognition: float
    """Until the words were known."""
    first_token: float
    """Until the model began its answer."""
    first_sentence: float
    """Until there was a sentence to synthesise."""
    synthesis: float
    """Until there was audio of it."""
    playout: float
    """Until the caller began to hear it, as far as we know: the line's own delay is not in it."""

    @property
    def total(self) -> float:
        return float(sum(msgspec.structs.astuple(self)))

    def __str__(self) -> str:
        parts = ", ".join(
            f"{name.replace('_', ' ')} {value:.2f}" for name, value in msgspec.structs.asdict(self).items()
        )
        return f"{self.total:.2f} s from voice to voice: {parts}"


class TurnClock:
    """Watches a call's processor boundaries and tells `on_turn` of each turn, when the agent begins to be heard."""

    def __init__(self, runtime: Runtime, on_turn: Callable[[TurnLatency], None]) -> None:
        self._loop = runtime.loop
        self._on_turn = on_turn
        self._started: SpeechStarted | None = None
        self._stopped: SpeechStopped | None = None
        self._times: list[float] = []
        """When the segments of the turn in progress ended; first, when the first one began."""
        self._transcript: Transcript | None = None
        self._voice: Processor | None = None
        """Who synthesises the turn's first sentence."""
        runtime.observe(self._observe)
        runtime.call.on_played(self._played)

    def _observe(self, upstream: Processor, downstream: Processor, frame: Frame) -> None:
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
            self._on_turn(TurnLatency(*(end - start for start, end in pairwise(times))))
            times.clear()
