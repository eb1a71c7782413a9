"""Blocking work runs here, in bounded pools of threads that all calls share."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")

GRACE = 3.0
"""Seconds that a job which nobody awaits any more may go on before another thread takes the place of its own."""
SPARE = 8
"""How many threads of a pool may be replaced at a time."""
WAITING = 32
"""Threads for functions that wait for a network: they take memory, not a processor."""

logger = logging.getLogger(__name__)


class InferencePool(Executor):
    """Runs blocking functions in threads. Jobs not yet begun are withdrawn when their awaiter is cancelled;
    running ones cannot be stopped: they are disowned, and counted until they end. One that does not end soon is
    taken to hang: it keeps its thread, and the pool gets another, `SPARE` of them at most."""

    def __init__(self, threads: int | None = None, name: str = "inference") -> None:
        self.threads = threads or os.cpu_count() or 1
        self.running = 0
        self.disowned = 0
        self.hung = 0
        """How many of the disowned have had their thread replaced."""
        self.lock = threading.Lock()
        """Guards the counts, and what waits."""
        self.waiting: dict[_Job, Future[object]] = {}
        self.reported: set[str] = set()
        """Functions of which the log has told that they hang."""
        self._threads = ThreadPoolExecutor(self.threads + SPARE, thread_name_prefix=name)

    @property
    def queued(self) -> int:
        return len(self.waiting)

    @property
    def busy(self) -> bool:
        """Whether anything is being worked on, or waits for that."""
        return self.running > self.hung or bool(self.waiting)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns or raises."""
        job = _Job(self, functools.partial(function, *args, **kwargs))
        try:
            return await asyncio.get_running_loop().run_in_executor(self, cast(Callable[[], T], job))
        except asyncio.CancelledError:
            job.disown()
            raise

    def submit(self, job: _Job) -> Future[object]:  # type: ignore[override]  # for `run` alone
        future: Future[object] = Future()
        with self.lock:
            self.waiting[job] = future
            self.admit()
        return future

    def admit(self) -> None:
        """Begin what waits, as far as there are threads. For who holds the lock."""
        while self.waiting and self.running - self.hung < self.threads:
            job = next(iter(self.waiting))
            future = self.waiting.pop(job)
            self.running += 1
            self._threads.submit(job.perform, future)


class _Job:
    """One call of a function."""

    def __init__(self, pool: InferencePool, function: functools.partial[Any]) -> None:
        self._pool = pool
        self._function = function
        self._done = self._disowned = self._hung = False
        self._timer: threading.Timer | None = None

    def perform(self, future: Future[object]) -> None:
        """Call the function, unless nobody awaits it any more."""
        if not future.set_running_or_notify_cancel():
            self._end()
            return
        try:
            result = self._function()
        except BaseException as error:
            self._end()
            future.set_exception(error)
            del self, future  # the error holds this frame
        else:
            self._end()
            future.set_result(result)

    def disown(self) -> None:
        """Nobody awaits it any more."""
        pool = self._pool
        with pool.lock:
            if pool.waiting.pop(self, None) is None and not self._done:
                self._disowned = True
                pool.disowned += 1
                self._timer = threading.Timer(GRACE, self._replace)
                self._timer.daemon = True
                self._timer.start()

    def _end(self) -> None:
        pool = self._pool
        with pool.lock:
            self._done = True
            pool.running -= 1
            pool.disowned -= self._disowned
            pool.hung -= self._hung
            pool.admit()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None  # it holds this job, and that what it worked on

    def _replace(self) -> None:
        pool = self._pool
        with pool.lock:
            if self._done:
                return
            self._hung = pool.hung < SPARE
            pool.hung += self._hung
            pool.admit()
            name = _name(self._function)
            if name in pool.reported:
                return
            pool.reported.add(name)
        fate = "another thread takes the place of its own" if self._hung else "no thread is left to take its place"
        logger.error("%s still runs %g s after it was given up: %s", name, GRACE, fate)


def _name(function: functools.partial[Any]) -> str:
    subject = function.args[0] if function.func is next else function.func
    return str(getattr(subject, "__qualname__", type(subject).__qualname__))


@functools.cache
def shared_pool() -> InferencePool:
    """The process's pool for what keeps a processor busy, made at its first use."""
    return InferencePool()


@functools.cache
def recognition_pool() -> InferencePool:
    """The same for speech recognition, of which a single job may take seconds: one thread less than there are
    processors, so that the agents' voices never wait for callers."""
    return InferencePool(max(1, shared_pool().threads - 1), "recognition")


@functools.cache
def waiting_pool() -> InferencePool:
    """The same for what mostly waits, for a network or a database: tools, clients of language models."""
    return InferencePool(WAITING, "waiting")
