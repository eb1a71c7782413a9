"""Forks of a pipeline: every branch gets each frame, and the branches' output is merged again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from voiceflow.frameflow.dispatch import ANYTHING, outgoing
from voiceflow.frameflow.epoch import Deliver, Epoch, Port, Work, nowhere
from voiceflow.frames import AudioRaw, End, Frame
from voiceflow.linking.plan import Fork, Step


class _Ticket(msgspec.Struct):
    """A frame on its way through several branches that all pass it on untouched."""

    frame: Frame  # holding it keeps its id from being used again
    branches: set[int]  # those that it has not come through yet
    passed: bool = False  # whether it has come through one of them; in others it may have been dropped


class Junction:
    """Both ends of a fork. A frame that several branches pass on untouched leaves once, after the last of them."""

    def __init__(self, fork: Fork, epoch: Epoch) -> None:
        self.deliver: Deliver
        self.entries: list[Deliver] = []
        self.lost_upstream: Callable[[Frame], None] | None = None
        self.fork = fork
        self._passing: dict[type[Frame], frozenset[int]] = {}
        self._tickets: dict[int, deque[_Ticket]] = {}
        self._ended = 0
        self._port = Port(outgoing(ANYTHING, speech_side=fork.speech), epoch, nowhere)

    def split(self, frame: Frame) -> None:
        kind = type(frame)
        passing = self._branches_passing(kind)
        if len(passing) > 1:
            self._tickets.setdefault(id(frame), deque()).append(_Ticket(frame, set(passing)))
        if kind is End:
            for entry in self.entries:
                entry(frame)
            return
        work = Work(self._port)  # if a branch interrupts at this frame, it is stale for the branches after it
        for entry in self.entries:
            self._port.deliver = entry
            work.emit(frame)

    def merge(self, branch: int) -> Deliver:
        """Return the function that takes what `branch` delivers."""

        def arrive(frame: Frame) -> None:
            if type(frame) is End:
                self._ended += 1
                if self._ended == len(self.entries):
                    self.deliver(frame)
                return
            ticket = self._ticket(frame, branch)
            if ticket is not None:
                ticket.passed = True
            if ticket is None or self._is_last(ticket, branch):
                self.deliver(frame)

        return arrive

    def lost(self, branch: int) -> Callable[[Frame], None]:
        """Return the function to call with a frame that was dropped inside `branch`."""

        def settle(frame: Frame) -> None:
            if branch not in self._branches_passing(type(frame)):
                return  # it was to be consumed there
            ticket = self._ticket(frame, branch)
            if ticket is not None and not self._is_last(ticket, branch):
                return
            if ticket is not None and ticket.passed:
                self.deliver(frame)
            elif self.lost_upstream is not None:
                self.lost_upstream(frame)

        return settle

    def clear(self) -> None:
        """Forget the speech that was in the branches: an interruption has dropped it."""
        if self.fork.speech:
            self._tickets = {
                key: tickets for key, tickets in self._tickets.items() if not type(tickets[0].frame).speech
            }

    def _ticket(self, frame: Frame, branch: int) -> _Ticket | None:
        """The ticket of a frame that has not come through `branch` yet; None if no other branch passes it on."""
        return next((t for t in self._tickets.get(id(frame), ()) if branch in t.branches), None)

    def _is_last(self, ticket: _Ticket, branch: int) -> bool:
        """Whether `branch` was the last that the frame was in, now that it has left or been dropped there."""
        ticket.branches.remove(branch)
        if ticket.branches:
            return False
        key = id(ticket.frame)
        self._tickets[key].remove(ticket)
        if not self._tickets[key]:
            del self._tickets[key]
        return True

    def _branches_passing(self, kind: type[Frame]) -> frozenset[int]:
        passing = self._passing.get(kind)
        if passing is None:
            branches = range(len(self.fork.branches))
            passing = self._passing[kind] = frozenset(i for i in branches if _passes(self.fork, i, kind))
        return passing


def _passes(fork: Fork, branch: int, frame: type[Frame]) -> bool:
    if issubclass(frame, AudioRaw) and fork.ends_caller_audio(branch):
        return False
    return all(_passes_by(step, frame) for step in fork.branches[branch])


def _passes_by(step: Step | Fork, frame: type[Frame]) -> bool:
    if isinstance(step, Fork):
        return any(_passes(step, i, frame) for i in range(len(step.branches)))
    if step.processor.signature.takes(frame):
        return False
    return not (step.speaker and issubclass(frame, AudioRaw))
