"""Dead air: when it is the agent's turn and nothing is heard of it for long, a line is played meanwhile."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runtime import Runtime

PATIENCE = 4.0
"""How long the caller waits in silence, in seconds."""
RECHECK = 0.5
"""How often it is looked again whether a silence is the agent's, in seconds."""


class Silence:
    """Watches for dead air. One timer, only while the caller waits for the agent."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._timer: asyncio.TimerHandle | None = None
        self._waiting_since = -math.inf
        """When the caller was last heard to have finished, or a reply was begun."""
        self._answered = True
        """Whether the agent has said anything since then."""

    def expect_speech(self) -> None:
        """The caller has finished, or a reply is being made: from here on the caller waits."""
        runtime = self._runtime
        self._waiting_since = runtime.loop.time()
        self._answered = False
        if self._timer is None and runtime.call.hold is not None and not runtime.tasks.stopping:
            self._timer = runtime.loop.call_later(PATIENCE, self._check)

    def answered(self) -> None:
        """The agent says something of its own."""
        self._answered = True

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        runtime, self._timer = self._runtime, None
        if runtime.tasks.stopping or not runtime.busy:
            return
        now, hold = runtime.loop.time(), runtime.call.hold
        silent_since = max(self._waiting_since, runtime.playout.ledger.play_end)
        wait = silent_since + PATIENCE - now
        if wait <= 0:
            wait = RECHECK
            if hold is not None and not runtime.playout.frames and self._is_agents_turn:
                runtime.voice.interject(hold)
                wait = PATIENCE
        self._timer = runtime.loop.call_later(wait, self._check)

    @property
    def _is_agents_turn(self) -> bool:
        """The caller waits for an answer, or for the rest of one - unless it is there that somebody waits for the
        caller, as in `call.ask`."""
        return not self._answered or (self._runtime.voice.begun and not self._runtime.call.listening)
