"""Waits for the work of other threads, without the loop's clock, which may be a virtual one."""

import asyncio
import threading
from collections.abc import Callable


async def settled(condition: Callable[[], bool]) -> None:
    """Return when `condition` is true."""
    tick = threading.Event()
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
        tick.wait(0.001)
    raise AssertionError("it did not happen")
