"""What the caller says and does, for those who listen: `call.listen`, `call.ask`, `call.digits`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from voiceflow.frames import DTMF, End, Frame, Transcript

KEPT_FRAMES = 4096
"""How much a listener who does not listen may leave unheard."""


class Listener:
    """Hears everything from its beginning on, in order."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[Frame] = asyncio.Queue()

    def hear(self, frame: Frame) -> None:
        if self._heard.qsize() < KEPT_FRAMES or isinstance(frame, End):
            self._heard.put_nowait(frame)

    async def transcript(self, *, begun_after: float = 0.0) -> Transcript | None:
        """The next final transcript of what was begun at that time of the call or later, where that is known; None
        when the caller is gone."""
        while not isinstance(frame := await self._heard.get(), End):
            if isinstance(frame, Transcript) and frame.final and not 0.0 < frame.start < begun_after:
                return frame
        self._heard.put_nowait(frame)
        return None

    async def key(self) -> str | None:
        """The next key; None when the caller is gone."""
        while not isinstance(frame := await self._heard.get(), End):
            if isinstance(frame, DTMF):
                return frame.digit
        self._heard.put_nowait(frame)
        return None


class Hearing:
    """A call's listeners."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[Frame], None]] = []
        self.listeners: list[Listener] = []

    def hear(self, frame: Frame) -> None:
        """The caller said or did something, or is gone."""
        for callback in self.callbacks:
            callback(frame)
        for listener in self.listeners:
            listener.hear(frame)

    @contextlib.contextmanager
    def listener(self, *, over: bool) -> Iterator[Listener]:
        """`over`: the caller is gone already."""
        listener = Listener()
        if over:
            listener.hear(End())
        self.listeners.append(listener)
        try:
            yield listener
        finally:
            self.listeners.remove(listener)
