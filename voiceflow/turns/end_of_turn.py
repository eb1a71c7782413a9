"""Who has the floor: whether the caller is speaking, so that no reply begins meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voiceflow.frameflow.notifier import Notifier
from voiceflow.frames import Frame, SpeechStarted, SpeechStopped

LONGEST_WAIT = 10.0
"""Seconds that a reply waits for the caller to stop speaking, at most."""


class Floor:
    """The caller takes it when a detector says that they speak, and yields it when all that they said has arrived at
    the speaker: recognition has to be through with it."""

    def __init__(self, change: Notifier, on_free: Callable[[], None]) -> None:
        self.taken = False
        """Whether a reply has to wait for the caller."""
        self._change = change
        self._on_free = on_free
        self.speaking = False
        """Whether they speak at this moment, as the detector has it: ahead of what has arrived."""
        self._timer: asyncio.TimerHandle | None = None

    def detect(self, frame: Frame) -> None:
        """A detector says that the caller began or stopped to speak."""
        if isinstance(frame, SpeechStarted):
            self.taken = self.speaking = True
        elif isinstance(frame, SpeechStopped):
            self.speaking = False

    def hear(self, frame: Frame) -> None:
        """The same has arrived at the speaker."""
        if isinstance(frame, SpeechStarted):
            self.taken = True
        elif isinstance(frame, SpeechStopped) and not self.speaking:
            self.release()

    def want(self) -> None:
        """Something is to be said, and waits `LONGEST_WAIT` at most."""
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
        """Wait until the caller does not speak, `LONGEST_WAIT` at most."""
        self.want()
        await self._change.until(lambda: not self.taken)
