"""An event loop whose time is virtual: when nothing is ready to run, time jumps to the next timer.

A call on it takes as long as its work, not as long as its audio, and every pause, pace and deadline is exact.
Time stands still for work in threads and runs as usual while sockets are open, since their peers live in
real time.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, moves the loop's time on."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self.loop
        if timeout is None and not loop.threads and len(self.get_map()) == 1:
            raise RuntimeError("everything waits and nothing is scheduled: virtual time would stand still for ever")
        sockets = len(self.get_map()) > 1  # besides the loop's own, by which threads wake it
        if timeout is None or timeout <= 0 or loop.threads or sockets:
            started = loop.real_time()
            ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
            if sockets and timeout:
                loop.advance(loop.real_time() - started)
            return ready
        ready = super().select(0)
        if not ready:
            loop.advance(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`asyncio.Runner(loop_factory=VirtualLoop)` runs a program in virtual time."""

    def __init__(self) -> None:
        self._now = 0.0
        self.threads = 0
        """How many functions run in threads at the moment."""
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def real_time(self) -> float:
        return super().time()

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Waits for a thread that is not started by `run_in_executor`."""
        self.threads += 1
        try:
            await super().shutdown_default_executor(*args, **kwargs)
        finally:
            self.threads -= 1

    def _thread_done(self, future: asyncio.Future[Any]) -> None:
        self.threads -= 1
