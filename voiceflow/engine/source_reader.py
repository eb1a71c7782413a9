"""The task that reads a call's source and runs the stages fused behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voiceflow.frameflow.epoch import Deliver, nowhere
from voiceflow.frameflow.link import Link
from voiceflow.frames import AudioRaw, End, Frame
from voiceflow.inference import contained
from voiceflow.transport import Source

from .failures import Failures
from .tasks import Tasks
from .timeslice import BATCH, TimeSlice

KEPT_SECONDS = 5.0
"""How much of the caller's audio is kept while the processors open."""
BEHIND = 0.2
"""When so many seconds of audio are late, that is more than jitter: they come in a burst when the line recovers."""
BACKLOG = 10.0
"""Seconds for which the backlog of a burst keeps a processor busy that is no faster than the line."""


class Arrivals:
    """Tells audio that comes in a burst, after the line or this machine had stalled, from audio that comes in time."""

    __slots__ = (
        "_burst_until",
        "_last",
        "_owed",
        "in_burst",
    )

    def __init__(self) -> None:
        self._last: float | None = None
        self._owed = 0.0
        self._burst_until = 0.0
        self.in_burst = False
        """Whether the audio that came last was part of a burst, or met the backlog that one has left."""

    def note(self, seconds: float, now: float) -> None:
        """Note that so many `seconds` of audio have come since the last time, at `now` on the loop's clock."""
        since = 0.0 if self._last is None else now - self._last
        self._last = now
        self._owed = max(0.0, self._owed + since - seconds)
        if self._owed > BEHIND and since < seconds / 2:
            self._burst_until = now + BACKLOG
        self.in_burst = now < self._burst_until


class Early:
    """Keeps the frames that come before the processors have opened; of the audio, the last `KEPT_SECONDS`."""

    __slots__ = (
        "_seconds",
        "frames",
    )

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._seconds = 0.0

    def keep(self, frame: Frame) -> None:
        self.frames.append(frame)
        if isinstance(frame, AudioRaw):
            self._seconds += frame.duration
        while self._seconds > KEPT_SECONDS:
            oldest = next(index for index, kept in enumerate(self.frames) if isinstance(kept, AudioRaw))
            self.take(oldest)

    def take(self, index: int = 0) -> Frame:
        frame = self.frames.pop(index)
        if isinstance(frame, AudioRaw):
            self._seconds -= frame.duration
        return frame


class SourceReader:
    """Reads a source until the caller is gone."""

    def __init__(
        self,
        source: Source,
        tasks: Tasks,
        opened: asyncio.Event,
        failures: Failures,
        on_left: Callable[[str], None],
    ) -> None:
        self.source = source
        self.deliver: Deliver = nowhere
        self.outs: tuple[Link, ...] = ()
        self.burst = 0
        """How many frames were dropped because they came in a burst."""
        self._task: asyncio.Task[None] | None = None
        self._tasks = tasks
        self._opened = opened
        self._failures = failures
        self._on_left = on_left
        self._early = Early()
        self._holding = True
        """Whether frames are kept: until the processors have opened, and have taken what was kept meanwhile."""
        self._releasing: asyncio.Task[None] | None = None
        self._arrivals = Arrivals()
        source._emit = self._emit

    def start(self) -> None:
        self._task = self._tasks.start(self._run(), self.source.name)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _emit(self, frame: Frame) -> None:
        """Take a frame that the source emits in a timer or a callback: most often `End`, when the caller is gone."""
        if isinstance(frame, End):
            self.stop()
            self._on_left(frame.reason or "the caller hung up")
        elif self._holding:
            self._early.keep(frame)
        else:
            self.deliver(frame)

    async def _run(self) -> None:
        try:
            with contained():
                reason = await self._read()
        except Exception as error:
            self._failures.fail(self.source.name, error)
        else:
            self._on_left(reason)

    async def _read(self) -> str:
        """Deliver the frames of the source until it ends. Returns why the caller is gone."""
        live, reason = self.source.live, ""
        if not live:
            await self._opened.wait()
        frames, loop, pace = self.source.frames(), asyncio.get_running_loop(), TimeSlice()
        taken, size, byte_rate = 0, 0, self.source.produces.byte_rate
        try:
            async for frame in frames:
                if type(frame) is End:
                    reason = frame.reason
                    break
                if self._holding:
                    self._early.keep(frame)
                    continue
                if live and type(frame) is AudioRaw:
                    size += len(frame.data)
                self.deliver(frame)
                for out in self.outs:
                    if out.full:
                        await self._make_room(out)
                taken += 1
                if not taken % BATCH:
                    self._arrivals.note(size / byte_rate, loop.time())
                    size = 0
                    if pace.used_up():
                        await asyncio.sleep(0)
                        pace.restart()
        finally:
            aclose = getattr(frames, "aclose", None)
            if aclose is not None:
                await aclose()
        if self._releasing is not None:
            await asyncio.wait({self._releasing})
        return reason or "the caller hung up"

    async def _make_room(self, out: Link) -> None:
        """Bring `out` within its bound. A live source does not wait for that: it lets the reader run once, for the case
        of a burst, and then drops the oldest frames."""
        if not self.source.live:
            await out.space()
            return
        await asyncio.sleep(0)
        before = out.dropped.total()
        out.make_room()
        if self._arrivals.in_burst:
            self.burst += out.dropped.total() - before

    def release(self) -> None:
        """Deliver what came before the processors had opened, no faster than they take it."""
        self._holding = bool(self._early.frames)
        if self._holding:
            self._releasing = self._tasks.start(self._release(), self.source.name)

    async def _release(self) -> None:
        while self._early.frames:
            self.deliver(self._early.take())
            for out in self.outs:
                if out.full:
                    await out.space()
        self._holding = False
