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
        "_line_end",
        "_loop",
        "_playout",
        "_sent",
        "_silence",
        "_since",
        "_timer",
        "_waited",
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
        self._waited = 0.0
        """How long the caller had waited in silence, with the same turn unanswered, before they last began to speak."""
        self._sent = 0.0
        """The position that agent audio had reached then, plus the hold lines since: more means that it answered."""
        self._line_end = 0.0
        """When the last hold line will have been heard, on the loop's clock."""
        self._closed = False

    def hear(self, frame: Frame) -> None:
        """Take what the caller did. Called on its way to the speaker, and again when it has arrived there."""
        if isinstance(frame, SpeechStarted):
            self._caller_goes_on()
        elif isinstance(frame, (SpeechStopped, DTMF)) or (isinstance(frame, Transcript) and frame.final):
            self.expect_speech()

    def expect_speech(self) -> None:
        """Take it that the caller waits from now on, if they do not already."""
        if self._closed or not self._answered or self._silence.caller_speaks or self._line() is None:
            return
        sent = self._playout.ledger.sent
        if sent > self._sent + EPSILON:  # else the same turn is unanswered, or the hold line is still being sent
            self._waited, self._sent = 0.0, sent
        self._since = self._loop.time()
        self._set_timer(PATIENCE - self._waited)

    def answer(self) -> None:
        """Play the hold line now, as the caller asks whether anybody is there, unless something is being heard."""
        if not (self._closed or self._playout.speaking or self._playout.queue.frames):
            self._play()
            if self._since is not None:
                self._set_timer(self._line_end + PATIENCE - self._loop.time())

    @property
    def is_heard(self) -> bool:
        """Whether a hold line is being heard."""
        return self._loop.time() < self._line_end

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        self._timer = None
        if self._since is None:
            return
        if not self._silence.busy:
            self._since, self._waited = None, 0.0
            return
        wait = PATIENCE - self._silent
        if wait <= EPSILON:
            ready = not self._playout.queue.frames and self._is_agents_turn
            wait = self._play() + PATIENCE if ready else RECHECK
        self._set_timer(wait)

    def _play(self) -> float:
        """Play the hold line. Returns how many seconds it lasts."""
        line = self._line()
        if line is None:
            return 0.0
        # Past the pipeline: the line must not wait behind whatever takes so long.
        self._line_end = max(self._loop.time(), self._playout.ledger.play_end) + line.duration
        self._playout.insert(line)
        self._sent += line.duration
        self._waited = 0.0
        return line.duration

    def _caller_goes_on(self) -> None:
        """The caller speaks: nobody waits meanwhile. A turn that is still unanswered goes on to be."""
        if self._since is not None:
            self._waited = self._silent if self._silence.busy and not self._answered else 0.0
        self._since = None

    def _set_timer(self, wait: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(wait, self._check)

    @property
    def _silent(self) -> float:
        """How long the caller has waited and heard nothing."""
        now, play_end = self._loop.time(), self._playout.ledger.play_end
        if self._since is None:
            return 0.0
        return now - play_end if play_end > self._since else self._waited + now - self._since

    @property
    def _answered(self) -> bool:
        """Whether the agent has spoken since the caller began to wait, or the caller does not wait."""
        return self._since is None or self._playout.ledger.sent > self._sent + EPSILON

    @property
    def _is_agents_turn(self) -> bool:
        """Whether the caller waits for an answer or for the rest of one."""
        return not self._answered or self._silence.owes_speech
