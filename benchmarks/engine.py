"""What the engine costs: frames through pipelines, a frame alone, an interruption, an idle call, the import.

    python benchmarks/engine.py [--json FILE] [--quick] [--uvloop]

"async" processors have a task and a link each, "fused" stages run in their upstream neighbour's task. A source
sends frames made beforehand and waits where the pipeline is full; a stage at the end counts what arrives. All
figures are medians of several runs; the targets are those of the design.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from report import console, options, rounded, show, write
from voiceflow_side import CountingStage, Stage, Task, alone, clear, throughput
from work import LENGTHS, QUICK, Size, clears, medians

HERE = Path(__file__).parent
KINDS = (("async", Task), ("fused", Stage))
CPU_OF_IMPORT = "import time; t = time.process_time(); import {}; print(time.process_time() - t)"


@dataclass(frozen=True)
class Figure:
    """One measured value, and the bound that it should keep."""

    what: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    def row(self) -> dict[str, Any]:
        if self.least is not None:
            target, met = f">= {rounded(self.least)}", self.value >= self.least
        elif self.most is not None:
            target, met = f"<= {rounded(self.most)}", self.value <= self.most
        else:
            return {"what": self.what, "measured": self.value, "unit": self.unit, "target": "", "met": ""}
        return {
            "what": self.what,
            "measured": self.value,
            "unit": self.unit,
            "target": target,
            "met": "yes" if met else "NO",
        }


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--uvloop", action="store_true", help="on uvloop instead of asyncio's own loop")
    chosen = parser.parse_args()
    size = QUICK if chosen.quick else Size(clears=100)
    loops: Any = importlib.import_module("uvloop") if chosen.uvloop else asyncio
    rows = []
    with console.status("measuring") as status:
        for figures in sections(size, loops):
            for figure in figures:
                status.update(figure.what)
                rows.append(figure.row())
    show(f"The engine, on {loops.__name__}", rows)
    write(chosen.json, {"loop": loops.__name__, "figures": rows}, "numpy", "msgspec")


def sections(size: Size, loops: Any) -> Iterator[list[Figure]]:
    """The measurements; each runs when the one before has been taken."""
    with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
        for name, kind in KINDS:
            for length in LENGTHS:
                yield runner.run(frames(name, kind, length, size))
            yield runner.run(lone_frame(name, kind, size))
        for race in (False, True):
            yield runner.run(interruption(size, race=race))
    yield idle_calls(size)
    yield imports(size)


async def frames(name: str, kind: type[Task | Stage], length: int, size: Size) -> list[Figure]:
    rate, cpu = await medians(size.repeats, partial(throughput, kind, length, size.frames, CountingStage))
    least = (150_000 if kind is Task else 400_000) if length == 10 else None
    where = f"frames through {length} {name}"
    return [Figure(where, rate, "/s", least=least), Figure("  CPU of each", cpu, "us")]


async def lone_frame(name: str, kind: type[Task | Stage], size: Size) -> list[Figure]:
    p50, p99 = await medians(size.repeats, partial(alone, kind, 10, size.alone, CountingStage))
    return [Figure(f"one frame through 10 {name}", p50, "us"), Figure("  p99", p99, "us")]


async def interruption(size: Size, *, race: bool) -> list[Figure]:
    p50, p99, stale = await clears(clear, size.clears, race=race)
    where = "Clear, 10 x 500 frames just queued" if race else "Clear, 10 x 500 frames queued"
    return [
        Figure(where, p50, "us", most=200),
        Figure("  p99", p99, "us"),
        Figure("  stale frames after it", stale, "", most=0),
    ]


def idle_calls(size: Size) -> list[Figure]:
    figures = []
    for name, stages, tasks in (("echo", 0, 0), ("8 more stages", 8, 0), ("8 more async", 0, 8)):
        runs = [
            json.loads(run(HERE / "idle_calls.py", 200 if size.repeats > 1 else 20, stages, tasks))
            for _ in range(min(3, size.repeats))
        ]
        memory, count = (statistics.median(r[key] for r in runs) for key in ("KiB", "tasks"))
        most = None if tasks else 150
        figures.append(Figure(f"memory of an idle call, {name}", memory, "KiB", most=most))
        figures.append(Figure("  its tasks", count, "", most=None if tasks else 8))
    return figures


def imports(size: Size) -> list[Figure]:
    """The CPU time of imports, measured in fresh processes, in turn."""
    names = ("voiceflow", "numpy, msgspec")
    repeats = 9 if size.repeats > 1 else 1
    runs = [[float(run("-c", CPU_OF_IMPORT.format(name))) for name in names] for _ in range(repeats)]
    ours, least = (statistics.median(column) for column in zip(*runs, strict=True))
    return [
        Figure("import voiceflow, CPU", ours, "s", most=0.15),
        Figure("  numpy and msgspec alone", least, "s"),
    ]


def run(*arguments: object) -> str:
    """What a fresh process of this Python prints."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
