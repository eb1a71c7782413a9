"""Time limits that count work, not waiting: while a job waits for a thread of a pool, its limit does not run.

    async with WorkClock().within(5.0, "no result within 5 s"):
        await pool.run(function)

Otherwise every limit would fall due at once when many calls need the pool together, although each job, once it began,
would be done in time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextvars import ContextVar, Token
from typing import Self

WAIT = 60.0
"""Seconds that a job may wait for a thread. No caller would wait longer."""


class TooLateError(TimeoutError):
    """The limit of `WorkClock.within` has passed. Other `TimeoutError`s come from the work itself."""


class NoThreadError(TooLateError):
    """All threads of a pool were taken for longer than a job may wait for one."""


class WorkClock:
    """Counts the time that work for a call takes, less the time that its jobs wait for a thread. Its jobs are those
    that are begun inside `within` or, where there is no limit, inside a plain `with` of the clock; also those of tasks
    that are created there. It has one limit at a time."""

    def __init__(self) -> None:
        self._waiting = 0  # how many of its jobs wait for a thread
        self._timeout: asyncio.Timeout | None = None
        self._left = 0.0  # of the limit, in seconds, when it was last set or stopped
        self._since = 0.0  # when it was last set or stopped, on the loop's clock
        self._stopped = False
        self._waited = 0.0

    def __enter__(self) -> Self:
        self._token: Token[WorkClock | None] = _current.set(self)
        return self

    def __exit__(self, *error: object) -> None:
        _current.reset(self._token)

    def time(self) -> float:
        """The loop's time, less the seconds that were spent waiting for threads."""
        return asyncio.get_running_loop().time() - self._waited

    @contextlib.asynccontextmanager
    async def within(self, seconds: float, message: str) -> AsyncIterator[None]:
        """Raise `TooLateError(message)` when the body has worked for `seconds`, and `NoThreadError` when it has waited
        for a thread for 60 s."""
        token = _current.set(self)
        try:
            async with asyncio.timeout(None) as timeout:
                self._timeout, self._left, self._stopped = timeout, seconds, False
                self._go_on()
                if self._waiting:
                    self._stop()
                try:
                    yield
                finally:
                    self._timeout = None
        except TimeoutError as error:
            if not timeout.expired():
                raise
            if self._stopped:
                raise NoThreadError(f"waited {WAIT:g} s for a free thread") from error
            raise TooLateError(message) from error
        finally:
            with contextlib.suppress(ValueError):  # closed by force, from another task
                _current.reset(token)

    def wait(self) -> None:
        """One of its jobs waits for a thread from now on."""
        self._waiting += 1
        if self._waiting == 1:
            self._waits_since = asyncio.get_running_loop().time()
            self._stop()

    def begin(self) -> None:
        """One of its jobs that waited has got its thread, or was withdrawn."""
        self._waiting -= 1
        if not self._waiting:
            self._waited += asyncio.get_running_loop().time() - self._waits_since
            self._go_on()

    def _stop(self) -> None:
        if self._timeout is not None and not self._timeout.expired():
            now = asyncio.get_running_loop().time()
            self._left -= now - self._since
            self._stopped = True
            self._timeout.reschedule(now + WAIT)

    def _go_on(self) -> None:
        if self._timeout is not None and not self._timeout.expired():
            self._since = asyncio.get_running_loop().time()
            self._stopped = False
            self._timeout.reschedule(self._since + self._left)


_current: ContextVar[WorkClock | None] = ContextVar("clock", default=None)


def current_clock() -> WorkClock | None:
    """The clock that counts the time of the running code, if there is one."""
    return _current.get()
