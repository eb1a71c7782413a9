"""The turns of a call: what the caller says in theirs, when it ends, and what answers it.

The caller's turn begins with their voice, and ends when they are silent and everything they said has arrived at the
speaker (end_of_turn.py). What has arrived by then is answered by one reply (replies.py), which is dropped if the caller
goes on while it is still being made. The answer to a question of the agent's (listener.py) goes to the code that asked
it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

from voiceflow.backchannels import ANYBODY_THERE, BACKCHANNELS, Phrases
from voiceflow.frameflow.epoch import current_reply
from voiceflow.frameflow.notifier import Notifier
from voiceflow.frames import AudioRaw, End, Frame, Transcript
from voiceflow.playout.playout import LINGER, Playout

from .dead_air import DeadAir
from .end_of_turn import Floor
from .listener import Listener
from .replies import Replies

ARRIVED = 16
"""How many of the last frames are remembered where several speakers hear them, to tell which have come to another."""

WAITING = Phrases(BACKCHANNELS | ANYBODY_THERE)
"""What callers say while they wait for an answer that does not change what they wait for."""


class Activity(Protocol):
    """Tells what the processors of a call are doing."""

    @property
    def recognising(self) -> bool:
        """Whether anything that the caller did is still on its way to the speaker."""

    @property
    def synthesising(self) -> bool:
        """Whether anything that the agent says is still on its way to the sink."""

    @property
    def working(self) -> bool:
        """Whether any processor is at work, or has work waiting."""


class TurnTaking:
    """Keeps the turns of one call: tells listeners what the caller does, and speakers when they may answer."""

    def __init__(
        self,
        playout: Playout,
        change: Notifier,
        activity: Activity,
        heard: Callable[[Frame], None],
        line: Callable[[], AudioRaw | None],
    ) -> None:
        self.floor = Floor(change, self._caller_finished)
        self.speakers: list[Replies] = []
        """The replies of each speaker: usually one, several where a pipeline forks before them."""
        self.led = False
        """Whether a coroutine leads the conversation: it is the agent's turn unless that waits for the caller."""
        self.dead_air = DeadAir(playout, self, line)
        self.disregarded: list[Callable[[Transcript], bool]] = []
        """Judges of final transcripts: one that any of them is true for is no turn, and is dropped."""
        self._playout = playout
        self._activity = activity
        self._heard = heard
        self._listeners: list[Listener] = []
        self._questions: list[Listener] = []
        """The listeners that belong to a question asked within a reply."""
        self._arrived: list[Frame] = []
        self._dropped: Frame | None = None
        """The transcript that was dropped last: it may come to other speakers, too."""
        self._over = False

    # The caller's

    def hear(self, frame: Frame, interrupt: Callable[[], None]) -> bool:
        """Take what the caller said or did, as it arrives before a speaker. Returns whether it goes on to the speaker:
        not if it is no turn, or answers a question that was asked within a reply."""
        if frame is self._dropped:
            return False
        if len(self.speakers) > 1:
            if any(frame is known for known in self._arrived):
                return True  # it has arrived at another speaker before
            self._arrived = [*self._arrived[1 - ARRIVED :], frame]
        if isinstance(frame, Transcript) and frame.final and frame.text:
            if any(judge(frame) for judge in self.disregarded):
                self._dropped = frame
                return False
            if not self._questions and self._making and not WAITING.count(frame.text):
                self._dropped = frame
                self.dead_air.answer()  # the caller wonders whether anybody is there: the answer is being made
                return False
            if not self._questions and self._pending:
                interrupt()  # the caller goes on: one reply answers all that they say
        self.floor.hear(frame)
        self.dead_air.hear(frame)
        return self.tell(frame)

    def tell(self, frame: Frame) -> bool:
        """Tell all listeners of `frame`. Returns whether it goes on to the speaker, as `hear` does."""
        if isinstance(frame, End):
            if self._over:
                return True
            self._over = True
        questions = tuple(self._questions)
        self._heard(frame)
        for listener in self._listeners:
            listener.hear(frame)
        return not (questions and isinstance(frame, Transcript) and frame.final)

    @contextlib.contextmanager
    def listener(self, *, asks: bool = False) -> Iterator[Listener]:
        """A listener that hears the caller from now on. If it `asks` within a reply, it alone gets the answer."""
        listener = Listener(self._over, self.dead_air.expect_speech if self.led else _nothing)
        self._listeners.append(listener)
        work = current_reply.get()
        within = asks and work is not None and work.running
        if within:
            self._questions.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)
            if within:
                self._questions.remove(listener)

    @property
    def caller_speaks(self) -> bool:
        """Whether the caller is speaking at this moment."""
        return self.floor.speaking

    @property
    def caller_is_at_it(self) -> bool:
        """Whether the caller speaks, or what they said is still being recognised."""
        return self.floor.taken or self._activity.recognising

    @property
    def awaiting_caller(self) -> bool:
        """Whether `listen`, `ask` or `digits` waits for the caller."""
        return any(listener.waiting for listener in self._listeners)

    @property
    def questioning(self) -> bool:
        """Whether a question that was asked within a reply waits for its answer."""
        return bool(self._questions)

    # The agent's

    @property
    def begun(self) -> bool:
        """Whether a reply is on the air."""
        return any(replies.begun for replies in self.speakers)

    @property
    def replying(self) -> bool:
        """Whether a reply has begun to be spoken and is not heard to its end."""
        if self.begun or self._activity.synthesising:
            return True
        if self.dead_air.is_heard and all(reply.start is None for reply in self._playout.ledger.replies):
            return False  # a hold line is no reply
        return bool(self._playout.queue.frames) or self._playout.speaking

    @property
    def busy(self) -> bool:
        """Whether agent speech is generated, queued or played, or anything is still being worked on."""
        return not self._playout.at_rest or self._activity.working or (self.led and not self.awaiting_caller)

    @property
    def owes_speech(self) -> bool:
        """Whether the caller has to wait for the agent to speak next."""
        return self._activity.synthesising or ((self.begun or self.led) and not self.awaiting_caller)

    async def said(self, patience: float) -> None:
        """Wait until what was said so far has been heard, even if a reply goes on. Gives up after `patience` seconds in
        which nothing is heard."""
        endless = self._playout.queue.carries_caller  # the caller's own audio comes back to them
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._playout.left + LINGER if endless else None):
                await self._playout.rest(patience, lambda: self._audible)

    @property
    def _audible(self) -> bool:
        """Whether any speech is queued at the sink or being synthesised."""
        return bool(self._playout.queue.frames) or self._activity.synthesising

    @property
    def _making(self) -> bool:
        """Whether an answer is being made, or waits, of which nothing has been said."""
        return any(replies.making for replies in self.speakers) and not self.begun

    @property
    def _pending(self) -> bool:
        return any(replies.pending for replies in self.speakers)

    # Ends

    def interrupted(self, *, by: Replies | None) -> None:
        """Drop all replies, because of a `Clear`. `by` is the speaker whose own work interrupts, if one does."""
        for replies in self.speakers:
            replies.clear(goes_on=replies is by)

    def mute(self) -> None:
        """Let the agent say nothing more."""
        self.floor.release()
        for replies in self.speakers:
            replies.mute()

    def close(self) -> None:
        self.dead_air.close()

    def end(self) -> None:
        """End all listening, as the call is over: listeners find the caller gone."""
        self.tell(End())

    def _caller_finished(self) -> None:
        for replies in self.speakers:
            replies.advance()


def _nothing() -> None:
    """Do nothing: where no coroutine leads the conversation, the caller does not wait for one to go on."""
