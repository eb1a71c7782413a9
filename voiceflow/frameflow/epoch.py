"""Epochs, and the one place through which everything passes that a processor yields.

An interruption begins a new *epoch*. Work belongs to the epoch in which it took its frame, and everything that it
yields goes through `Work.emit`: speech of an older epoch is dropped there, whatever held it back - a queue, a buffer,
a thread, a task that ignored its cancellation.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable
from typing import TypeAlias

from voiceflow.frames import End, Frame

from .dispatch import CONTROL, SPEECH, Outgoing

Deliver: TypeAlias = Callable[[Frame], None]
"""Hands a frame to what stands downstream, at once. Never raises."""


class Epoch:
    """Counts the interruptions of one call. Speech from an earlier epoch is stale."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


def nowhere(frame: Frame) -> None:
    """Drop `frame`. Ports deliver here before a call is wired, and those of abandoned work."""


class Port:
    """The exit of one processor: how its frames are treated, and where they go."""

    __slots__ = ("act", "deliver", "epoch", "kinds")

    def __init__(self, kinds: Outgoing, epoch: Epoch, act: Deliver) -> None:
        self.kinds = kinds
        self.epoch = epoch
        self.act = act
        """Carries out a `Clear` or an `End`."""
        self.deliver: Deliver = nowhere


class Work:
    """The work of a processor on one frame. `Worker` and `fuse` inline the ordinary case of `emit`."""

    __slots__ = ("began", "cut", "frame", "port", "running", "void")

    def __init__(self, port: Port) -> None:
        self.port = port
        self.begin(End())
        self.running = False

    def begin(self, frame: Frame) -> None:
        """Begin to work on `frame`, in the current epoch."""
        self.frame = frame
        """The frame that is worked on."""
        self.began = self.port.epoch.number
        """The number of the epoch that the work belongs to."""
        self.running = True
        """Whether the processor itself is at work, rather than what stands downstream of it."""
        self.cut = False
        """Whether an interruption has cut the work short: it is to stop."""
        self.void = False
        """Whether the work was interrupted: it may say nothing more and must not hang up, even if it goes on."""

    @property
    def is_stale(self) -> bool:
        """Whether a `Clear` has come since the work began."""
        return self.began != self.port.epoch.number

    def emit(self, frame: Frame) -> None:
        """Deliver `frame`; carry out a `Clear` or an `End`; drop stale speech."""
        port = self.port
        kind = port.kinds[type(frame)]
        stale = self.began != port.epoch.number
        if kind == CONTROL:
            if not stale or not port.kinds.speak:
                port.act(frame)
                self.renew()
        elif not stale or kind != SPEECH:
            port.deliver(frame)

    def emit_all(self, frames: Iterable[Frame]) -> None:
        """`emit` each of `frames`, until an interruption cuts the work short."""
        for frame in frames:
            self.emit(frame)
            if self.is_stale and self.port.kinds.may_be_cut:
                break

    def renew(self) -> None:
        """Enter the current epoch: work that interrupts goes on, and what it yields from now on is not stale."""
        self.began = self.port.epoch.number
        self.cut = self.void = False


current_reply: contextvars.ContextVar[Work | None] = contextvars.ContextVar("current_reply", default=None)
"""The work of a speaker that the current task does, or during which the current task was started."""
