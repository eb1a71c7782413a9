"""The signals that stop a process that serves: SIGTERM when its calls are over, SIGINT (Ctrl-C) at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import FrameType
from typing import Final

TOGETHER: Final = 1.0
"""Seconds within which signals count as one: many tools send them to a process and to its group."""


def is_worker() -> bool:
    """Whether this is one of several processes that serve, which have a supervisor."""
    return multiprocessing.parent_process() is not None


def hear_ctrl_c() -> None:
    """Act on SIGINT, which is held back in a worker until it has handlers for it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class _Signals:
    """Acts on signals, on the loop of the server."""

    def __init__(self, drain: Callable[[], Awaitable[None]], stop: Callable[[int, FrameType | None], object]) -> None:
        self._drain = drain
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._acted_at: float | None = None
        self._stops = False
        self._task: asyncio.Task[None] | None = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The handler of both signals."""
        now, acted_at = self._loop.time(), self._acted_at
        if number == signal.SIGINT and not self._stops:
            self._stop_now(number, frame)
        elif acted_at is None:
            self._loop.call_soon_threadsafe(self._begin)
        elif now < acted_at + TOGETHER or (number == signal.SIGTERM and is_worker()):
            return
        else:
            self._stop_now(number, frame)
        self._acted_at = now

    async def end(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _stop_now(self, number: int, frame: FrameType | None) -> None:
        self._stops = True
        self._stop(number, frame)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._run(), name="waiting for the calls to end")

    async def _run(self) -> None:
        await self._drain()
        self._stop_now(signal.SIGTERM, None)


@asynccontextmanager
async def draining(drain: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """While the context lasts, SIGTERM has `drain()` run before the server stops. The signal again stops it at once,
    and so does SIGINT. A worker is stopped at once by SIGINT only: supervisors of services send SIGTERM to all
    processes, and the supervisor of the workers sends it to them again."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    stop = before[signal.SIGTERM]
    if not callable(stop):  # whoever runs the server handles no signals
        yield
        return
    signals = _Signals(drain, stop)
    for number in before:
        signal.signal(number, signals.handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        await signals.end()
