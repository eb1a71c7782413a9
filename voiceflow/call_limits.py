"""How long a call and its phases may last, and how it ended."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Deadlines in seconds. They are watched outside the pipeline: no state of it can switch them off."""

    open: float = 10.0
    """For all models to be loaded, and then again for all processors to open."""
    drain: float = 5.0
    """For work and speech that are under way when the call ends."""
    cancel: float = 1.0
    """For cancelled work to stop."""
    call: float = 3600.0
    """For the whole call."""
    idle: float = 300.0
    """For silence of both sides, after which the call is ended."""


class Ended(msgspec.Struct, frozen=True):
    """How a call ended."""

    reason: str
    error: BaseException | None = None
    """The exception that ended it, if it failed."""
    dropped: int = 0
    """How many of the caller's frames were dropped because the pipeline was too slow for them."""
    burst: int = 0
    """How many of them were dropped because they came all at once, after the line or this machine had stalled."""
    abandoned: int = 0
    """How many tasks ignored their cancellation and had to be closed by force."""
    hung: tuple[str, ...] = ()
    """The names of the processors that were still at work when the `drain` limit had passed."""
