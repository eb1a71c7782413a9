"""The threads in which a pool's jobs run. They are daemons: the interpreter waits for all other threads when it exits,
and for those of `concurrent.futures` as well, so that one job that hangs would keep the process alive for ever."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable

IDLE = 60.0
"""Seconds that a thread without work is kept."""


class Threads:
    """Runs every function at once: in an idle thread, else in a new one.

    A function calls `release` when it is about to return, so that whatever it wakes finds its thread free.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._idle = 0
        """How many threads wait for a function that is not yet in the queue."""
        self._functions: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def run(self, function: Callable[[], None]) -> None:
        with self._lock:
            self._functions.put(function)
            if self._idle:
                self._idle -= 1
                return
        name = f"{self._name}_{next(self._numbers)}"
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def release(self) -> None:
        with self._lock:
            self._idle += 1

    def _serve(self) -> None:
        while True:
            try:
                function = self._functions.get(timeout=IDLE)
            except queue.Empty:
                with self._lock:
                    if self._idle:
                        self._idle -= 1
                        return
                continue  # one was put at the last moment
            function()
            del function  # it holds what the job worked on
