"""How long a call and its phases may last, and how it ended."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Deadlines in seconds. They are kept outside the pipeline: no state of it can switch them off."""

    open: float = 10.0
    """For the models to be loaded, and again for all processors to open."""
    drain: float = 5.0
    """For what was under way when the call ended."""
    cancel: float = 1.0
    """For work to heed its cancellation."""
    call: float = 3600.0
    """For the whole call."""
    idle: float = 300.0
    """Without anything said by either side."""


class Ended(msgspec.Struct, frozen=True):
    """How a call ended."""

    reason: str
    error: BaseException | None = None
    """What ended it, if it failed."""
    dropped: int = 0
    """How many of the caller's frames were dropped because the pipeline was too slow for them."""
    burst: int = 0
    """How many were dropped because they came all at once, after the line or this machine had stalled."""
    abandoned: int = 0
    """How many pieces of work had to be closed by force."""
    hung: tuple[str, ...] = ()
    """The processors that were still at work, by name, when the call was given up."""
