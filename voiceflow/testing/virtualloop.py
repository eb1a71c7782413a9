"""An event loop whose time is virtual: when nothing is ready to run, time jumps to the next timer.

A call on it takes as long as its work, not as long as its audio, and every pause, pace and deadline is exact. Whatever
answers from outside the loop lives in real time, and the loop waits for it:

- Virtual time stands still while functions that `run_in_executor` and `asyncio.to_thread` were given run in threads.
  After `STANDSTILL` seconds it runs like real time, so that the deadlines of functions that hang do pass.
- Virtual time runs like real time while sockets or pipes are open, and while child processes or threads live that were
  started after the loop was made: any of them may call the loop at any moment. The threads of an executor count only
  while they work.

Threads that were there before the loop are ignored. A thread that the program starts and that never ends makes the time
real from then on.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from concurrent.futures import thread as executors
from typing import Any, Final, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

STANDSTILL: Final = 30.0
"""Real seconds for which virtual time stands still while functions run in threads."""
LOOK: Final = 0.01
"""Real seconds between two checks whether threads that may call the loop still live."""
SILENT: Final = ("asyncio_", "inference_", "recognition_", "waiting_", "loading_", "lag gauge")
"""Prefixes of the names of threads that never call the loop of their own accord: those of executors, whose work is
counted while it is awaited, and the lag gauge."""


class _Selector(selectors.DefaultSelector):
    """A selector that advances the loop's time instead of waiting."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop = self.loop
        sockets = len(self.get_map()) > 1  # besides the loop's own, by which threads wake it
        callers = not sockets and timeout != 0 and _may_call(loop.before)
        if timeout is None and not (loop.threads or sockets or callers):
            raise RuntimeError("everything waits and nothing is scheduled: virtual time would stand still for ever")
        if timeout is None or timeout <= 0 or loop.threads or sockets or callers:
            if callers:
                timeout = LOOK if timeout is None else min(timeout, LOOK)
            started = loop.real_time()
            ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
            if timeout != 0:
                loop.waited(loop.real_time() - started, standing=not (sockets or callers), woken=bool(ready))
            return ready
        ready = super().select(0)
        if not ready:
            loop.advance(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`asyncio.Runner(loop_factory=VirtualLoop)` runs a program in virtual time."""

    def __init__(self) -> None:
        self._now = 0.0
        self._stood = 0.0
        """Real seconds for which virtual time has stood still without a break."""
        self.threads = 0
        """How many functions run in threads at the moment."""
        self.before = frozenset(threading.enumerate())
        """The threads that were there when the loop was made."""
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def real_time(self) -> float:
        return super().time()

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def waited(self, seconds: float, *, standing: bool, woken: bool) -> None:
        """Told after the loop has waited `seconds` in real time: `standing` if only for functions in threads, `woken`
        if something came."""
        self._stood = 0.0 if woken or not standing else self._stood + seconds
        if not standing or self._stood > STANDSTILL:
            self.advance(seconds)

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """Waits for asyncio's own thread, which is not started by `run_in_executor` but counts like one that is."""
        self.threads += 1
        try:
            await super().shutdown_default_executor(*args, **kwargs)
        finally:
            self.threads -= 1

    def _thread_done(self, future: asyncio.Future[Any]) -> None:
        self.threads -= 1


def _may_call(before: frozenset[threading.Thread]) -> bool:
    """Whether a thread lives that may call the loop: one with which asyncio waits for a child process (before Python
    3.12), or one that the program has started."""
    own = threading.current_thread()
    return any(
        thread is not own and thread not in before and not thread.name.startswith(SILENT) and not rests(thread)
        for thread in threading.enumerate()
    )


def rests(thread: threading.Thread) -> bool:
    """Whether a thread belongs to an executor and has nothing to do."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None or frame.f_code is not executors._worker.__code__:
        return False
    names = frame.f_locals
    return "work_item" not in names and names["work_queue"].empty()
