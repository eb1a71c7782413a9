"""The lag gauge: how late the event loop runs, and which processor made it late.

All calls in a process share one loop, so one stage that blocks makes every caller wait. A timer on the loop beats
regularly. A thread watches the beat and, when it is overdue, looks at what the loop's thread is doing. That costs
nothing per frame.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Self
from weakref import WeakKeyDictionary

from voiceflow.logs import get_logger
from voiceflow.processor import Processor

log = get_logger("voiceflow.looplag")

BEAT = 0.05
"""Seconds between two beats."""
TOLERANCE = 0.1
"""Seconds. A beat that is later than this is reported: it is five pieces of audio."""


class _Shared:
    """The gauge of a loop, and for how many calls it measures."""

    def __init__(self) -> None:
        self.gauge = LagGauge()
        self.calls = 0


_of_loops: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared]] = WeakKeyDictionary()


@contextmanager
def lag_reported() -> Iterator[None]:
    """Report how late the running loop is while the context lasts: by one gauge, however many of these there are."""
    loop = asyncio.get_running_loop()
    shared = _of_loops.get(loop)
    if shared is None:
        shared = _of_loops[loop] = _Shared()
        shared.gauge.__enter__()
    shared.calls += 1
    try:
        yield
    finally:
        shared.calls -= 1
        if not shared.calls:
            del _of_loops[loop]
            shared.gauge.__exit__()


class LagGauge:
    """Watches the running loop. Use as a context manager around what runs on it."""

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        self.worst = 0.0
        """The longest lag so far, in seconds."""
        self.culprits: dict[str, int] = {}
        """How often each processor was found blocking."""
        self._tolerance = tolerance
        self._beat = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lag gauge", daemon=True)

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._beat_now()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        self._stop.set()
        self._thread.join()

    def _beat_now(self) -> None:
        now = time.monotonic()
        if self._beat:
            self.worst = max(self.worst, now - self._beat - BEAT)
        self._beat = now
        self._timer = self._loop.call_later(BEAT, self._beat_now)

    def _watch(self) -> None:
        blamed = 0.0  # the beat whose lateness was reported
        while not self._stop.wait(BEAT):
            beat = self._beat
            late = time.monotonic() - beat - BEAT
            if late > self._tolerance and beat != blamed:
                blamed = beat
                self._blame(late)

    def _blame(self, late: float) -> None:
        culprit = _culprit(sys._current_frames().get(self._loop_thread))
        if culprit is None:
            log.warning("the event loop is %.0f ms late, not because of a processor", late * 1000)
            return
        processor, frame = culprit
        self.culprits[processor] = self.culprits.get(processor, 0) + 1
        log.warning(
            "%s blocks the event loop for more than %.0f ms (%s, line %d): every call waits. Make `process` async "
            "and await the slow part, or run it in the inference pool",
            processor,
            late * 1000,
            frame.f_code.co_filename,
            frame.f_lineno,
        )


def _culprit(frame: FrameType | None) -> tuple[str, FrameType] | None:
    """The name of the innermost processor that is running, and the frame in which it runs."""
    while frame is not None:
        names = frame.f_locals
        owner = names.get("self", names.get("node"))  # of the processor's own method, or of the stage around it
        owner = getattr(owner, "node", owner)  # of the worker around it
        owner = getattr(owner, "processor", owner)
        if isinstance(owner, Processor):
            return owner.name, frame
        frame = frame.f_back
    return None
