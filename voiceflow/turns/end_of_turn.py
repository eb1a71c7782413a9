"""The floor: the caller has it while they speak, so that no reply begins meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voiceflow.frameflow.notifier import Notifier
from voiceflow.frames import Frame, SpeechStarted, SpeechStopped

LONGEST_WAIT = 10.0
"""Seconds that a reply waits for the caller to stop speaking, at most."""


class Floor:
    """Whether the caller has the floor. They take it when a VAD detects that they speak, and yield it when all that
    they said has been recognised and has arrived at the speaker."""

    __slots__ = (
        "_change",
        "_on_free",
        "_timer",
        "speaking",
        "taken",
    )

    def __init__(self, change: Notifier, on_free: Callable[[], None]) -> None:
        self.taken = False
        """Whether the caller has the floor, so that a reply has to wait."""
        self._change = change
        self._on_free = on_free
        self.speaking = False
        """Whether the VAD last said that the caller speaks: it is ahead of what has arrived at the speaker."""
        self._timer: asyncio.TimerHandle | None = None

    def detect(self, frame: Frame) -> None:
        """Take from a VAD that the caller began or stopped speaking."""
        if isinstance(frame, SpeechStarted):
            self.taken = self.speaking = True
        elif isinstance(frame, SpeechStopped):
            self.speaking = False

    def hear(self, frame: Frame) -> None:
        """Take what has arrived at the speaker: `SpeechStarted` and `SpeechStopped` matter."""
        if isinstance(frame, SpeechStarted):
            self.taken = True
        elif isinstance(frame, SpeechStopped) and not self.speaking:
            self.release()

    def want(self) -> None:
        """Limit the wait for the floor to `LONGEST_WAIT` from now: there is something to be said."""
        if self.taken and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_WAIT, self.release)

    def release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.taken = False
        self._on_free()
        self._change.tell()

    async def free(self) -> None:
        """Wait until the caller does not have the floor, `LONGEST_WAIT` at most."""
        self.want()
        await self._change.until(lambda: not self.taken)
