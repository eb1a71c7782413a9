"""The one place where a processor's work may speak.

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
    """Where frames go before a call is wired, and after it."""


class Port:
    """Where the frames of one processor leave it."""

    __slots__ = ("act", "deliver", "epoch", "kinds")

    def __init__(self, kinds: Outgoing, epoch: Epoch, act: Deliver) -> None:
        self.kinds = kinds
        self.epoch = epoch
        self.act = act
        """Carries out a `Clear` or an `End`."""
        self.deliver: Deliver = nowhere


class Work:
    """What a processor makes of one frame. `Worker` and `fuse` inline the ordinary case of `emit`."""

    __slots__ = ("began", "cut", "frame", "port", "running", "void")

    def __init__(self, port: Port) -> None:
        self.port = port
        self.begin(End())
        self.running = False

    def begin(self, frame: Frame) -> None:
        """It takes `frame`, in the epoch of this moment."""
        self.frame = frame
        """What it is about."""
        self.began = self.port.epoch.number
        """The epoch that it belongs to."""
        self.running = True
        """Whether the processor itself is at work, rather than what stands downstream of it."""
        self.cut = False
        """Whether an interruption has cut it short: it is not to go on."""
        self.void = False
        """Whether it was interrupted: nothing more that comes of it may be heard or done."""

    @property
    def is_stale(self) -> bool:
        """Whether a `Clear` came since it began."""
        return self.began != self.port.epoch.number

    def emit(self, frame: Frame) -> None:
        """Let `frame` go on, act at once, or be dropped."""
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
        """`emit` each. Stops taking frames when an interruption cuts the work short."""
        for frame in frames:
            self.emit(frame)
            if self.is_stale and self.port.kinds.may_be_cut:
                break

    def renew(self) -> None:
        """Work that interrupts is exempt: what it yields next is new."""
        self.began = self.port.epoch.number
        self.cut = self.void = False


current_reply: contextvars.ContextVar[Work | None] = contextvars.ContextVar("current_reply", default=None)
"""The work of a speaker that the current task does, or that the task was started in."""
