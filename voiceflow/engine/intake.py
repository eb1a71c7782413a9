"""The task that reads a call's source and runs the stages fused behind it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING

from voiceflow.frames import AudioRaw, End, Frame
from voiceflow.transport import Source

from .link import Link
from .stage import Deliver
from .worker import SLICE, nowhere

if TYPE_CHECKING:
    from .runtime import Runtime

KEPT_SECONDS = 5.0
"""How much of the caller's audio is kept while the processors open."""


class Intake:
    """Reads a source until the caller is gone."""

    def __init__(self, source: Source, runtime: Runtime) -> None:
        self.source = source
        self.runtime = runtime
        self.deliver: Deliver = nowhere
        self.outs: tuple[Link, ...] = ()
        self.task: asyncio.Task[None] | None = None
        self._kept: deque[Frame] = deque()
        self._kept_seconds = 0.0
        self._reason = "the caller hung up"

    def start(self) -> None:
        self.task = self.runtime.tasks.start(self._run(), self.source.name)

    def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()

    async def _run(self) -> None:
        try:
            await self._read()
        except Exception as error:
            self.runtime.fail(self.source, error)
        else:
            self.runtime.caller_left(self._reason)

    async def _read(self) -> None:
        opened = self.runtime.opened
        if not self.source.live:
            await opened.wait()
        frames = self.source.frames()
        clock = time.perf_counter
        started, turns = clock(), 0
        try:
            async for frame in frames:
                if type(frame) is End:
                    self._reason = frame.reason or self._reason
                    break
                if not opened.is_set():
                    self._keep(frame)
                    continue
                if self._kept:
                    await self._release()
                self.deliver(frame)
                for out in self.outs:
                    if out.full:
                        await self._make_room(out)
                turns += 1
                if not turns & 15 and clock() - started > SLICE:
                    await asyncio.sleep(0)
                    started = clock()
        finally:
            aclose = getattr(frames, "aclose", None)
            if aclose is not None:
                await aclose()
        await opened.wait()
        await self._release()

    async def _make_room(self, out: Link) -> None:
        """A live source never waits: what is oldest of the caller's audio is worth least. What a stage here made
        the agent say is kept."""
        if not self.source.live:
            await out.space()
        while out.full and out.carries_caller:
            out.drop_oldest_audio()

    def _keep(self, frame: Frame) -> None:
        self._kept.append(frame)
        if isinstance(frame, AudioRaw):
            self._kept_seconds += frame.duration
        while self._kept_seconds > KEPT_SECONDS:
            oldest = next(f for f in self._kept if isinstance(f, AudioRaw))
            self._kept.remove(oldest)
            self._kept_seconds -= oldest.duration

    async def _release(self) -> None:
        """Deliver what came while the processors opened, no faster than they take it."""
        while self._kept:
            self.deliver(self._kept.popleft())
            for out in self.outs:
                if out.full:
                    await out.space()
