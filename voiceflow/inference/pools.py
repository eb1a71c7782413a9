"""Bounded pools of threads for blocking work, which all calls share."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar, cast
from weakref import WeakSet

from voiceflow.logs import get_logger

from .containment import failure
from .threads import Threads
from .work_clock import WorkClock, current_clock

P = ParamSpec("P")
T = TypeVar("T")

GRACE = 3.0
"""Seconds that a job which nobody awaits any more may go on before its thread is replaced by another."""
SPARE = 8
"""How many threads of a pool may be replaced at a time."""
WAITING = 32
"""Threads for functions that wait for a network: these take memory, but no CPU."""
LOADING = 8
"""Threads for loading models."""
EXIT = 1.0
"""Seconds that running jobs have to end when the process exits, since a library's thread may crash if the exit
interrupts its work. A job that hangs is left behind."""

logger = get_logger(__name__)


class InferencePool(Executor):
    """Runs blocking functions in threads. A job not yet begun is withdrawn when its awaiter is cancelled. A running one
    cannot be stopped: it is disowned, and counted until it ends. One that does not end within `GRACE` seconds is taken
    to hang: it keeps its thread, and the pool gets another, `SPARE` of them at most."""

    def __init__(self, threads: int | None = None, name: str = "inference") -> None:
        self.threads = threads or os.cpu_count() or 1
        self.running = 0
        self.disowned = 0
        self.hung = 0
        """How many of the disowned jobs have had their thread replaced."""
        self.lock = threading.Lock()
        """Guards the counts and the waiting jobs."""
        self.ended = threading.Condition(self.lock)
        """Notified when a job has ended."""
        self.waiting: dict[_Job, Future[object]] = {}
        self.overdue: dict[_Job, None] = {}
        """Jobs that hang while no thread is left to replace theirs."""
        self.reported: set[str] = set()
        """Names of functions that were logged as hanging, once each."""
        self.workers = Threads(name)
        _pools.add(self)

    @property
    def queued(self) -> int:
        return len(self.waiting)

    @property
    def busy(self) -> bool:
        """Whether a job waits for a thread, or runs and is not taken to hang."""
        return self.running > self.hung or bool(self.waiting)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `function` returns or raises; what is no `Exception` is raised as `RuntimeError`. The time that it waits
        for a thread is not counted by the current `WorkClock`."""
        job = _Job(self, functools.partial(function, *args, **kwargs), current_clock())
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
            if job in self.waiting:
                job.wait()
        return future

    def wind_up(self, until: float) -> None:
        """Withdraw the waiting jobs, and wait for the running ones that do not hang, until the time `until` on the
        monotonic clock."""
        with self.ended:
            self.waiting.clear()
            self.ended.wait_for(lambda: self.running <= self.hung, max(0.0, until - time.monotonic()))

    def admit(self) -> None:
        """Begin waiting jobs, as far as threads are free. Call it with the lock held."""
        while self.waiting and self.running - self.hung < self.threads:
            job = next(iter(self.waiting))
            future = self.waiting.pop(job)
            self.running += 1
            job.begin()
            self.workers.run(functools.partial(job.perform, future))


class _Job:
    """One call of a function."""

    def __init__(self, pool: InferencePool, function: functools.partial[Any], clock: WorkClock | None) -> None:
        self._pool = pool
        self._function = function
        self._clock = clock
        self._waits_on: asyncio.AbstractEventLoop | None = None
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
            future.set_exception(failure(error))
            del self, future  # the error holds this frame
        else:
            self._end()
            future.set_result(result)

    def wait(self) -> None:
        """Stop the job's clock, as no thread is free. Called on the loop."""
        if self._clock is not None:
            self._waits_on = asyncio.get_running_loop()
            self._clock.wait()

    def begin(self) -> None:
        """Let the job's clock go on, as a thread is free. Called on the loop or in any thread."""
        if self._waits_on is not None and self._clock is not None:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                self._waits_on.call_soon_threadsafe(self._clock.begin)

    def disown(self) -> None:
        """Withdraw the job if it waits, and disown it if it runs: nobody awaits it any more."""
        pool = self._pool
        with pool.lock:
            if pool.waiting.pop(self, None) is not None:
                if self._clock is not None:
                    self._clock.begin()
            elif not self._done:
                self._disowned = True
                pool.disowned += 1
                self._timer = threading.Timer(GRACE, self._out_of_grace)
                self._timer.daemon = True
                self._timer.start()

    def _end(self) -> None:
        pool = self._pool
        with pool.lock:
            self._done = True
            pool.running -= 1
            pool.disowned -= self._disowned
            pool.hung -= self._hung
            pool.overdue.pop(self, None)
            if self._hung and pool.overdue:
                next(iter(pool.overdue)).replace()
            pool.workers.release()
            pool.admit()
            pool.ended.notify_all()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None  # it holds this job, which holds what the job worked on

    def replace(self) -> None:
        """Count the job as hung, so that another thread may run in place of its own. Call it with the lock held."""
        self._pool.overdue.pop(self, None)
        self._pool.hung += 1
        self._hung = True

    def _out_of_grace(self) -> None:
        pool = self._pool
        with pool.lock:
            if self._done:
                return
            if pool.hung < SPARE:
                self.replace()
                pool.admit()
            else:
                pool.overdue[self] = None
            name = _name(self._function)
            if name in pool.reported:
                return
            pool.reported.add(name)
        fate = "another thread takes the place of its own" if self._hung else "no thread is left to take its place"
        logger.error("%s still runs %g s after it was given up: %s", name, GRACE, fate)


def _name(function: functools.partial[Any]) -> str:
    subject = function.args[0] if function.func is next else function.func
    return str(getattr(subject, "__qualname__", type(subject).__qualname__))


_pools: WeakSet[InferencePool] = WeakSet()


@atexit.register
def _wind_up() -> None:
    until = time.monotonic() + EXIT
    for pool in list(_pools):
        pool.wind_up(until)


@functools.cache
def shared_pool() -> InferencePool:
    """The process's pool for work that keeps a CPU busy, made at its first use."""
    return InferencePool()


@functools.cache
def recognition_pool() -> InferencePool:
    """The process's pool for speech recognition, of which a single job may take seconds. It has one thread less than
    there are CPUs, so that the agents' speech synthesis never waits for it."""
    return InferencePool(max(1, shared_pool().threads - 1), "recognition")


@functools.cache
def waiting_pool() -> InferencePool:
    """The process's pool for work that mostly waits for a network or a database: tools, clients of language models."""
    return InferencePool(WAITING, "waiting")


@functools.cache
def loading_pool() -> InferencePool:
    """The process's pool for loading models, so that a load that hangs takes no thread from the calls."""
    return InferencePool(LOADING, "loading")
