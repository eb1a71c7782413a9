"""pipecat's side of the work, in its fastest documented configuration. compare_pipecat.py runs it, in an
environment that has pipecat.

The worker runs without RTVI, turn tracking and idle timeout. "queued" processors are the default kind, with
pipecat's two queues and two tasks each; "direct" ones have `enable_direct_mode=True`, which runs them in
their upstream neighbour's task.
"""

# mypy: disable-error-code="import-not-found,misc"
from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from functools import partial

from loguru import logger
from pipecat.frames.frames import AudioRawFrame, Frame, InputAudioRawFrame, InterruptionFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner
from work import BACKLOG, LENGTHS, PIECE, Figures, Size, clears, medians, quantiles, run_side

clock = time.perf_counter

IN_FLIGHT = 200
"""The source waits while more frames than this are on their way: unbounded queues only get slower."""
WORK = 0.02
"""Seconds that a processor works on each frame while the backlog waits."""
SETTLE = 0.3
"""Seconds after an interruption in which stale frames are counted."""


class Pass(FrameProcessor):
    """Passes every frame on."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class Slow(Pass):
    """Works on each frame of audio for `WORK` seconds before it passes it on."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await FrameProcessor.process_frame(self, frame, direction)
        if isinstance(frame, AudioRawFrame):
            await asyncio.sleep(WORK)
        await self.push_frame(frame, direction)


class End(FrameProcessor):
    """Counts the audio that arrives, and sets `arrived` when `wanted` frames or an interruption have."""

    def __init__(self, direct: bool = False) -> None:
        super().__init__(enable_direct_mode=direct)
        self.wanted = self.count = self.stale = 0
        self.interrupted = False
        self.arrived = asyncio.Event()
        self.at = self.cpu = 0.0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, AudioRawFrame):
            self.count += 1
            self.stale += self.interrupted
            if self.count == self.wanted:
                self._tell()
        elif isinstance(frame, InterruptionFrame):
            self.interrupted = True
            self._tell()
        else:
            await self.push_frame(frame, direction)

    def _tell(self) -> None:
        self.at, self.cpu = clock(), time.process_time()
        self.arrived.set()


Audio = type[InputAudioRawFrame] | type[OutputAudioRawFrame]


def piece(kind: Audio) -> Frame:
    return kind(audio=bytes(PIECE), sample_rate=16_000, num_channels=1)


def row(kind: type[Pass], length: int, direct: bool = False) -> list[FrameProcessor]:
    return [kind(enable_direct_mode=direct) for _ in range(length)]


@contextlib.asynccontextmanager
async def running(processors: list[FrameProcessor]) -> AsyncIterator[None]:
    """Run a pipeline, which has started when the body begins."""
    worker = PipelineWorker(
        Pipeline(processors),
        params=PipelineParams(audio_out_sample_rate=16_000),
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")  # type: ignore[untyped-decorator]
    async def on_started(worker: PipelineWorker, frame: Frame) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    task = asyncio.create_task(runner.run())
    await started.wait()
    try:
        yield
    finally:
        await worker.cancel()
        async with asyncio.timeout(10):
            await task


async def throughput(kind: Audio, length: int, count: int, direct: bool) -> tuple[float, float]:
    """Frames per second that arrive after `length` processors, and microseconds of CPU for each."""
    processors, end = row(Pass, length, direct), End(direct)
    async with running([*processors, end]):
        frames = [piece(kind) for _ in range(count)]
        end.wanted = count
        started, cpu = clock(), time.process_time()
        for sent, frame in enumerate(frames):
            await processors[0].queue_frame(frame)
            if sent % 50 == 49:
                while sent - end.count > IN_FLIGHT:  # noqa: ASYNC110 - an event would be more work per frame
                    await asyncio.sleep(0)
        await end.arrived.wait()
    return count / (end.at - started), (end.cpu - cpu) / count * 1e6


async def alone(kind: Audio, length: int, count: int, direct: bool) -> tuple[float, float]:
    """Microseconds that a frame takes through `length` idle processors: median, 99th percentile."""
    processors, end = row(Pass, length, direct), End(direct)
    took = []
    async with running([*processors, end]):
        for _ in range(count):
            await asyncio.sleep(0.002)
            end.arrived.clear()
            end.wanted = end.count + 1
            frame, started = piece(kind), clock()
            await processors[0].queue_frame(frame)
            await end.arrived.wait()
            took.append((end.at - started) * 1e6)
    return quantiles(took)


async def clear(length: int, *, race: bool) -> tuple[float, int]:
    """Microseconds until an interruption has passed `length` processors with `BACKLOG` frames at each, and how many of
    those arrive after it. With `race`, the frames have come just now: no task has run since."""
    processors, end = row(Pass if race else Slow, length), End()
    async with running([*processors, end]):
        for processor in processors:
            for _ in range(BACKLOG):
                await processor.queue_frame(piece(OutputAudioRawFrame))
        if not race:
            await asyncio.sleep(WORK * 2.5)
        started = clock()
        await processors[0].queue_frame(InterruptionFrame())
        await end.arrived.wait()
        took = (end.at - started) * 1e6
        await asyncio.sleep(SETTLE)
    return took, end.stale


async def measure(size: Size) -> Figures:
    """The figures of this side, each with whichever of pipecat's two kinds of audio frame is faster: one of them goes
    ahead of other frames."""
    figures: Figures = {}
    for name, direct in (("queued", False), ("direct", True)):
        for length in LENGTHS:
            kinds = [
                await medians(size.repeats, partial(throughput, kind, length, size.frames, direct))
                for kind in (InputAudioRawFrame, OutputAudioRawFrame)
            ]
            rate, cpu = max(kinds)
            figures |= {f"{length} {name}, frames/s": rate, f"{length} {name}, CPU us": cpu}
        kinds = [
            await medians(size.repeats, partial(alone, kind, 10, size.alone, direct))
            for kind in (InputAudioRawFrame, OutputAudioRawFrame)
        ]
        p50, p99 = min(kinds)
        figures |= {f"alone, 10 {name}, p50 us": p50, f"alone, 10 {name}, p99 us": p99}
    for name in ("full", "race"):
        p50, p99, stale = await clears(clear, size.clears, race=name == "race")
        figures |= {f"clear, {name}, p50 us": p50, f"clear, {name}, p99 us": p99, f"clear, {name}, stale": stale}
    return figures


if __name__ == "__main__":
    logger.remove()
    run_side(measure)
