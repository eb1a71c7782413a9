"""Our side of the comparison: frames through pipelines, one frame alone, an interruption.

Run by itself it prints the figures for compare_pipecat.py; engine.py imports it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

from work import BACKLOG, LENGTHS, PIECE, Figures, Size, clears, medians, quantiles, run_side

from voiceflow.call import Call
from voiceflow.engine.running_call import RunningCall
from voiceflow.frameflow.link import Link
from voiceflow.frames import AudioRaw, Frame
from voiceflow.pipeline import Pipeline
from voiceflow.processor import Processor
from voiceflow.transport import Sink, Source

clock = time.perf_counter


class Task(Processor):
    """A processor with a task and a link of its own."""

    async def process(self, frame: AudioRaw) -> AudioRaw:
        return frame


class Stage(Processor):
    """A fused stage, without a task of its own."""

    def process(self, frame: AudioRaw) -> AudioRaw:
        return frame


class Counter:
    """Counts frames, and sets `arrived` when `wanted` of them have come."""

    wanted = 1

    def __init__(self) -> None:
        self.count = 0
        self.arrived = asyncio.Event()
        self.at = self.cpu = 0.0

    def see(self) -> None:
        self.count += 1
        if self.count == self.wanted:
            self.at, self.cpu = clock(), time.process_time()
            self.count = 0
            self.arrived.set()


class CountingStage(Processor):
    """Ends a pipeline with a fused stage that counts."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    def process(self, frame: AudioRaw) -> None:
        self.counter.see()


class CountingTask(Processor):
    """Ends a pipeline with a counter that has a task, as pipecat's default kind of processor has."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    async def process(self, frame: AudioRaw) -> None:
        self.counter.see()


End = Callable[[Counter], Processor]


class Driver(Source):
    """A source that takes what it sends from an async generator, and waits for slow processors."""

    live = False

    def __init__(self, sends: Callable[[], AsyncIterator[Frame]]) -> None:
        self.sends = sends
        self.started = asyncio.Event()

    def frames(self) -> AsyncIterator[Frame]:
        self.started.set()
        return self.sends()


class Silent(Sink):
    """Throws away what it is given."""

    def write_audio(self, data: bytes) -> None:
        pass


async def throughput(kind: type[Processor], length: int, count: int, end: End) -> tuple[float, float]:
    """Frames per second that arrive after `length` processors, and microseconds of CPU for each."""
    counter = Counter()
    counter.wanted = count
    frames = [AudioRaw(bytes(PIECE)) for _ in range(count)]
    started = cpu = 0.0

    async def sends() -> AsyncIterator[Frame]:
        nonlocal started, cpu
        started, cpu = clock(), time.process_time()
        for frame in frames:
            yield frame
        await asyncio.Event().wait()

    async with running(Driver(sends), Silent(), [*_row(kind, length), end(counter)]):
        await counter.arrived.wait()
    return count / (counter.at - started), (counter.cpu - cpu) / count * 1e6


async def alone(kind: type[Processor], length: int, count: int, end: End) -> tuple[float, float]:
    """Microseconds that a frame takes through `length` idle processors: median, 99th percentile."""
    counter, done = Counter(), asyncio.Event()
    took: list[float] = []

    async def sends() -> AsyncIterator[Frame]:
        for _ in range(count):
            await asyncio.sleep(0.002)
            counter.arrived.clear()
            frame, started = AudioRaw(bytes(PIECE)), clock()
            yield frame
            await counter.arrived.wait()
            took.append((counter.at - started) * 1e6)
        done.set()
        await asyncio.Event().wait()

    async with running(Driver(sends), Silent(), [*_row(kind, length), end(counter)]):
        await done.wait()
    return quantiles(took)


# Interruption. Pieces are so short that a link may hold BACKLOG of them.

SHORT = 128
OLD, NEW = AudioRaw(bytes(SHORT)), AudioRaw(b"\1" * SHORT)
BEFORE = 100
"""Frames that pass before the backlog builds up, so that the caller is hearing the agent."""


class Speech(Driver):
    """Speaks without end once `go` is set."""

    def __init__(self) -> None:
        super().__init__(self._speak)
        self.frame = OLD
        self.go = asyncio.Event()

    async def _speak(self) -> AsyncIterator[Frame]:
        await self.go.wait()
        while True:
            yield self.frame


class Gate(Processor):
    """Holds up the pipeline after `BEFORE` frames."""

    def __init__(self) -> None:
        self.passed = 0
        self.released = asyncio.Event()

    async def process(self, frame: AudioRaw) -> AudioRaw:
        self.passed += 1
        if self.passed > BEFORE:
            await self.released.wait()
        return frame


class Ear(Sink):
    """Counts stale frames: those from before a `Clear` that are written after it."""

    def __init__(self) -> None:
        self.cleared = False
        self.stale = 0
        self.new = asyncio.Event()

    def write_clear(self) -> None:
        self.cleared = True

    def write_audio(self, data: bytes) -> None:
        fresh = data.count(NEW.data[:1])
        if fresh:
            self.new.set()
        if self.cleared:
            self.stale += math.ceil((len(data) - fresh) / SHORT)


async def clear(length: int, *, race: bool) -> tuple[float, int]:
    """Microseconds that `call.clear()` takes with `BACKLOG` frames at each of `length` processors, and how many of
    those the sink is given afterwards. With `race`, the frames have come just now: no task has run since."""
    source, gate, ear = Speech(), Gate(), Ear()
    async with running(source, ear, [*_row(Task, length - 1), gate]) as call:
        links = _links(call)
        if race:
            for link in links:
                for _ in range(BACKLOG):
                    link.put(OLD)
        else:
            source.go.set()
            while any(len(link.frames) < BACKLOG for link in links):  # noqa: ASYNC110 - links tell nobody but their writers
                await asyncio.sleep(0.001)
        started = clock()
        call.clear()
        took = clock() - started
        assert ear.cleared
        source.frame = NEW
        source.go.set()
        gate.released.set()
        await ear.new.wait()
    return took * 1e6, ear.stale


def _links(call: Call) -> list[Link]:
    life = call.session
    assert isinstance(life, RunningCall)
    return [worker.inbox for worker in life.graph.workers]


def _row(kind: type[Processor], length: int) -> list[Processor]:
    return [kind() for _ in range(length)]


@contextlib.asynccontextmanager
async def running(source: Driver, sink: Sink, processors: list[Processor]) -> AsyncIterator[Call]:
    """Run a call, whose processors are open when the body begins."""
    call = Call(source, sink, transport="benchmark")
    task = asyncio.create_task(call.run(lambda call: Pipeline(call.source, *processors, call.sink)))
    opened = asyncio.create_task(source.started.wait())
    await asyncio.wait({task, opened}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        raise RuntimeError(f"the call ended at once: {task.result().reason}")
    try:
        yield call
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def measure(size: Size) -> Figures:
    """The figures of this side, under the same names as in pipecat_side.py."""
    figures: Figures = {}
    for name, kind, end in (("queued", Task, CountingTask), ("direct", Stage, CountingStage)):
        for length in LENGTHS:
            rate, cpu = await medians(size.repeats, partial(throughput, kind, length, size.frames, end))
            figures |= {f"{length} {name}, frames/s": rate, f"{length} {name}, CPU us": cpu}
        p50, p99 = await medians(size.repeats, partial(alone, kind, 10, size.alone, end))
        figures |= {f"alone, 10 {name}, p50 us": p50, f"alone, 10 {name}, p99 us": p99}
    for name in ("full", "race"):
        p50, p99, stale = await clears(clear, size.clears, race=name == "race")
        figures |= {f"clear, {name}, p50 us": p50, f"clear, {name}, p99 us": p99, f"clear, {name}, stale": stale}
    return figures


if __name__ == "__main__":
    run_side(measure)
