"""Listeners: they keep what the caller says and does for code that waits for it in `call.listen`, `ask` or `digits`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voiceflow.frames import DTMF, End, Frame, Transcript

KEPT_FRAMES = 4096
"""How many frames a listener keeps until they are asked for; further ones are dropped, except `End`."""


class Listener:
    """Keeps what the caller says and does from its creation on, until it is asked for, in order."""

    def __init__(self, over: bool, resumed: Callable[[], None]) -> None:
        self._heard: asyncio.Queue[Frame] = asyncio.Queue()
        self._resumed = resumed
        self.waiting = False
        """Whether somebody waits for the caller at this moment."""
        if over:
            self.hear(End())

    def hear(self, frame: Frame) -> None:
        if self._heard.qsize() < KEPT_FRAMES or isinstance(frame, End):
            self._heard.put_nowait(frame)

    async def transcript(self, *, begun_after: float = 0.0) -> Transcript | None:
        """Wait for the next final transcript; None when the caller is gone. Skips what is known to have been begun
        before `begun_after`, in seconds since the call began."""
        while (frame := await self._next()) is not None:
            if isinstance(frame, Transcript) and frame.final and not 0.0 < frame.start < begun_after:
                return frame
        return None

    async def key(self) -> str | None:
        """Wait for the next key; None when the caller is gone."""
        while (frame := await self._next()) is not None:
            if isinstance(frame, DTMF):
                return frame.digit
        return None

    async def _next(self) -> Frame | None:
        """Wait for the next frame; None, each time, when the caller is gone."""
        self.waiting = True
        try:
            frame = await self._heard.get()
            if not isinstance(frame, End):
                return frame
            self._heard.put_nowait(frame)
            return None
        finally:
            self.waiting = False
            self._resumed()
