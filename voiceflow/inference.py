"""Blocking inference runs here: one bounded pool of threads per process, shared by all calls."""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


class InferencePool:
    """Runs blocking functions in threads. Jobs not yet begun are withdrawn when their awaiter is cancelled;
    running ones cannot be stopped: they are disowned, and counted until they end."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads or os.cpu_count() or 1
        self.queued = 0
        self.running = 0
        self.disowned = 0
        self.lock = threading.Lock()
        """Guards the three counts."""
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="inference")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns or raises."""
        job = _Job(self, functools.partial(function, *args, **kwargs))
        with self.lock:
            self.queued += 1
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._executor, job)
        except asyncio.CancelledError:
            job.disown()
            raise
        return cast(T, result)


class _Job:
    """One call of a function."""

    def __init__(self, pool: InferencePool, function: Callable[[], object]) -> None:
        self._pool = pool
        self._function = function
        self._state = "queued"
        self._disowned = False

    def __call__(self) -> object:
        pool = self._pool
        with pool.lock:
            self._state = "running"
            pool.queued -= 1
            pool.running += 1
        try:
            return self._function()
        finally:
            with pool.lock:
                self._state = "done"
                pool.running -= 1
                pool.disowned -= self._disowned

    def disown(self) -> None:
        """Nobody awaits it any more."""
        with self._pool.lock:
            if self._state == "queued":
                self._pool.queued -= 1
            elif self._state == "running":
                self._disowned = True
                self._pool.disowned += 1


@functools.cache
def shared_pool() -> InferencePool:
    """The process's pool, made at its first use."""
    return InferencePool()
