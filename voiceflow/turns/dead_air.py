"""Dead air: when it is the agent's turn and the caller hears nothing for long, a hold line is played."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from voiceflow.frames import DTMF, AudioRaw, Frame, SpeechStarted, SpeechStopped, Transcript
from voiceflow.playout.ledger import EPSILON
from voiceflow.playout.playout import Playout

PATIENCE = 4.0
"""How long the caller waits in silence before they hear the hold line, in seconds."""
RECHECK = 0.5
"""Seconds until the next check, when no line could be played or the silence was not the agent's."""


class Silence(Protocol):
    """Tells what is going on in a call while the agent is silent."""

    @property
    def caller_speaks(self) -> bool:
        """Whether the caller is speaking."""

    @property
    def busy(self) -> bool:
        """Whether the agent speaks, or anything is still being worked on."""

    @property
    def owes_speech(self) -> bool:
        """Whether the caller has to wait for the agent to speak next: it is speaking, is synthesising, or leads the
        conversation and does not wait for the caller."""


class DeadAir:
    """Watches for dead air. One timer, only while the caller waits for the agent."""

    __slots__ = (
        "_closed",
        "_line",
        "_loop",
        "_playout",
        "_sent",
        "_silence",
        "_since",
        "_timer",
    )

    def __init__(self, playout: Playout, silence: Silence, line: Callable[[], AudioRaw | None]) -> None:
        self._playout = playout
        self._silence = silence
        self._line = line
        """Returns the hold line to play, in the sink's format; None while there is none."""
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._since: float | None = None
        """When the caller finished or a reply was begun, on the loop's clock. None while the caller does not wait."""
        self._sent = 0.0
        """The position that agent audio had reached then, plus the hold lines since: more means that it answered."""
        self._closed = False

    def hear(self, frame: Frame) -> None:
        """Take what the caller did. Called on its way to the speaker, and again when it has arrived there."""
        if isinstance(frame, SpeechStarted):
            self._since = None
        elif isinstance(frame, (SpeechStopped, DTMF)) or (isinstance(frame, Transcript) and frame.final):
            self.expect_speech()

    def expect_speech(self) -> None:
        """Take it that the caller waits from now on, if they do not already."""
        if self._closed or not self._answered or self._silence.caller_speaks or self._line() is None:
            return
        self._since = self._loop.time()
        self._sent = self._playout.ledger.sent
        if self._timer is None:
            self._timer = self._loop.call_later(PATIENCE, self._check)

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        if self._since is None or not self._silence.busy:
            self._since = None
            return
        wait = max(self._since, self._playout.ledger.play_end) + PATIENCE - self._loop.time()
        if wait <= EPSILON:
            wait = RECHECK
            line = self._line()
            if line is not None and not self._playout.queue.frames and self._is_agents_turn:
                # Past the pipeline: the line must not wait behind whatever takes so long.
                self._playout.insert(line)
                self._sent += line.duration
                wait = line.duration + PATIENCE
        self._timer = self._loop.call_later(wait, self._check)

    @property
    def _answered(self) -> bool:
        """Whether the agent has spoken since the caller began to wait, or the caller does not wait."""
        return self._since is None or self._playout.ledger.sent > self._sent + EPSILON

    @property
    def _is_agents_turn(self) -> bool:
        """Whether the caller waits for an answer or for the rest of one."""
        return not self._answered or self._silence.owes_speech
