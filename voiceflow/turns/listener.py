"""What the caller says and does, for a conversation that waits for it: `call.listen`, `call.ask`, `call.digits`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voiceflow.frames import DTMF, End, Frame, Transcript

KEPT_FRAMES = 4096
"""How much a listener that is not asked may leave unheard."""


class Listener:
    """Hears everything from its beginning on, in order."""

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
        """The next final transcript of what was begun at that time of the call or later, where that is known; None
        when the caller is gone."""
        while not isinstance(frame := await self._next(), End):
            if isinstance(frame, Transcript) and frame.final and not 0.0 < frame.start < begun_after:
                return frame
        self._heard.put_nowait(frame)
        return None

    async def key(self) -> str | None:
        """The next key; None when the caller is gone."""
        while not isinstance(frame := await self._next(), End):
            if isinstance(frame, DTMF):
                return frame.digit
        self._heard.put_nowait(frame)
        return None

    async def _next(self) -> Frame:
        self.waiting = True
        try:
            return await self._heard.get()
        finally:
            self.waiting = False
            self._resumed()
