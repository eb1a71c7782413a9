"""Dead air: when it is the agent's turn and nothing is heard of it for long, a line is played meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from voiceflow.frames import DTMF, Frame, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors.codec import convert

if TYPE_CHECKING:
    from voiceflow.engine.runtime import Runtime

PATIENCE = 4.0
"""How long the caller waits in silence, in seconds."""
RECHECK = 0.5
"""How often it is looked again whether a silence is the agent's, in seconds."""
_EPSILON = 1e-6  # positions are sums of floats


class Silence:
    """Watches for dead air. One timer, only while the caller waits for the agent."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._timer: asyncio.TimerHandle | None = None
        self._since: float | None = None
        """When the caller had finished, or a reply was begun. None while nobody waits."""
        self._sent = 0.0
        """Up to which position the agent had spoken then, the line itself included."""

    def hear(self, frame: Frame) -> None:
        """The caller did something, on the way to the speaker or arrived there."""
        if isinstance(frame, SpeechStarted):
            self._since = None
        elif isinstance(frame, (SpeechStopped, DTMF)) or (isinstance(frame, Transcript) and frame.final):
            self.expect_speech()

    def expect_speech(self) -> None:
        """The caller waits from here on, if he does not already."""
        runtime = self._runtime
        if runtime.call.hold is None or runtime.tasks.stopping or not self._answered:
            return
        self._since = runtime.loop.time()
        self._sent = runtime.playout.ledger.sent
        if self._timer is None:
            self._timer = runtime.loop.call_later(PATIENCE, self._check)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        runtime, self._timer = self._runtime, None
        hold = runtime.call.hold
        if runtime.tasks.stopping or not runtime.activity.busy or self._since is None or hold is None:
            self._since = None
            return
        silent_since = max(self._since, runtime.playout.ledger.play_end)
        wait = silent_since + PATIENCE - runtime.loop.time()
        if wait <= _EPSILON:
            wait = RECHECK
            if not runtime.playout.frames and self._is_agents_turn:
                # Past the pipeline: whatever it is that takes so long, the line does not wait behind it.
                line = convert(hold, runtime.sink.accepts)
                runtime.playout.insert(line)
                self._sent += line.duration
                wait = line.duration + PATIENCE
        self._timer = runtime.loop.call_later(wait, self._check)

    @property
    def _answered(self) -> bool:
        """Whether the agent has spoken since the caller waits."""
        return self._since is None or self._runtime.playout.ledger.sent > self._sent + _EPSILON

    @property
    def _is_agents_turn(self) -> bool:
        """The caller waits for an answer or for the rest of one - unless it is there that somebody waits for the
        caller, as in `call.ask`."""
        runtime = self._runtime
        if not self._answered or any(worker.voices for worker in runtime.workers):
            return True
        return runtime.voice.begun and not runtime.call.listening
