"""The interface by which a call uses the engine that runs it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Protocol

from voiceflow.errors import CallError
from voiceflow.frameflow.epoch import Epoch
from voiceflow.frames import AudioRaw
from voiceflow.pipeline import Element
from voiceflow.playout.playout import Playout
from voiceflow.turns.replies import Saying
from voiceflow.turns.turn_taking import TurnTaking


class Session(Protocol):
    """A running call, as its `Call` sees it."""

    epoch: Epoch
    turns: TurnTaking
    playout: Playout
    opened: asyncio.Event
    """Set when frames may flow, and at the end of a call that never came so far."""

    @property
    def elements(self) -> tuple[Element, ...]: ...

    @property
    def can_speak(self) -> bool: ...

    @property
    def is_echo(self) -> bool: ...

    @property
    def is_live(self) -> bool: ...

    @property
    def elapsed(self) -> float: ...

    @property
    def error(self) -> CallError | None: ...

    @property
    def over(self) -> bool:
        """Whether the call is being torn down."""

    def clear(self) -> None:
        """Drop everything the agent has not yet said."""

    def start(self, work: Callable[[], Awaitable[None]], name: str, *, leads: bool) -> None:
        """Run `work()` in a task of the call, once it has opened."""

    async def play(self, wav: str | os.PathLike[str] | AudioRaw, saying: Saying) -> None:
        """Say audio as a part of `saying`. A file is read while it is played."""

    def hang_up(self, reason: str, *, force: bool) -> asyncio.Task[bool]:
        """End the call once everything said has been heard."""
