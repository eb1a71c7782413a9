"""The work that both sides of the comparison do, and how a side reports it: one JSON object on standard output.

Imports nothing but the standard library, since each side runs in its own environment.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import json
import statistics
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

LENGTHS = (1, 10, 20)
"""Processors in a pipeline."""
PIECE = 640
"""Bytes of a frame: 20 ms of 16 kHz mono."""
BACKLOG = 500
"""Frames queued at each processor when the interruption comes."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Size:
    """How much to do."""

    repeats: int = 5
    frames: int = 20_000
    alone: int = 500
    clears: int = 30


QUICK = Size(repeats=1, frames=2_000, alone=20, clears=3)


def quantiles(values: list[float]) -> tuple[float, float]:
    """The median and the 99th percentile."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


async def medians(repeats: int, measure: Callable[[], Awaitable[tuple[float, ...]]]) -> tuple[float, ...]:
    """The median of each figure that `measure` returns in `repeats` runs, each from a heap without garbage."""
    runs = []
    for _ in range(repeats):
        gc.collect()
        runs.append(await measure())
    return tuple(map(statistics.median, zip(*runs, strict=True)))


async def clears(
    clear: Callable[..., Awaitable[tuple[float, int]]], count: int, *, race: bool
) -> tuple[float, float, float]:
    """The median and the 99th percentile of `count` interruptions in microseconds, and the mean of stale frames, in
    pipelines of ten processors."""
    runs = [await clear(10, race=race) for _ in range(count)]
    return *quantiles([took for took, _ in runs]), sum(stale for _, stale in runs) / count


def run_side(measure: Callable[[Size], Awaitable[Figures]]) -> None:
    """The main program of each side: measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--uvloop", action="store_true")
    options = parser.parse_args()
    loops: Any = importlib.import_module("uvloop") if options.uvloop else asyncio
    with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
        print(json.dumps(runner.run(_awaited(measure(QUICK if options.quick else Size())))))


async def _awaited(work: Awaitable[Figures]) -> Figures:
    return await work
