"""What idle calls cost: prints KiB of memory and tasks per call as JSON. engine.py runs it.

    python benchmarks/idle_calls.py CALLS STAGES TASKS

Each call is an echo through STAGES fused stages and TASKS processors with a task of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from voiceflow_side import Driver, Silent, Stage, Task, running

from voiceflow.frames import AudioRaw, Frame

WARM_UP = 10
"""Calls that are made before the first reading, to fill caches that all calls share."""


async def main(calls: int, stages: int, tasks: int) -> None:
    async with contextlib.AsyncExitStack() as stack:

        async def enter(count: int) -> None:
            for _ in range(count):
                processors = [*(Stage() for _ in range(stages)), *(Task() for _ in range(tasks))]
                await stack.enter_async_context(running(Driver(sends), Silent(), processors))
            await asyncio.sleep(0.1)
            gc.collect()

        await enter(WARM_UP)
        memory, running_tasks = resident(), len(asyncio.all_tasks())
        await enter(calls)
        figures = {
            "KiB": (resident() - memory) / calls / 1024,
            "tasks": (len(asyncio.all_tasks()) - running_tasks) / calls,
        }
    print(json.dumps(figures))


async def sends() -> AsyncIterator[Frame]:
    """A caller who said hello and then nothing."""
    yield AudioRaw(bytes(640))
    await asyncio.Event().wait()


def resident() -> int:
    """Bytes of memory that this process has (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:4])))
