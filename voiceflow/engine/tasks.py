"""The tasks of a call: `Tasks` owns every one of them, and none outlives the call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from voiceflow.errors import Abandoned

ATTEMPTS = 10
"""How many times `Abandoned` is thrown into work that catches it, before it is left alone."""


class Tasks:
    """Starts tasks and ends them: by cancellation, and if they do not heed that in time, by force."""

    def __init__(
        self,
        patience: float,
        on_error: Callable[[str, BaseException], None],
        log: logging.LoggerAdapter[logging.Logger],
    ) -> None:
        self.patience = patience
        """Seconds that a task may take to heed its cancellation."""
        self.stopping = False
        """Whether all tasks are being ended."""
        self.abandoned = 0
        """How many tasks had to be closed by force."""
        self._on_error = on_error
        self._log = log
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def kill(self, task: asyncio.Task[Any]) -> None:
        """Close by force a task that goes on although it was cancelled."""
        self.abandoned += 1
        self._log.warning(
            "%s did not stop within %g s of its cancellation: closed by force", task.get_name(), self.patience
        )
        if close_by_force(task.get_coro()):
            self._tasks.discard(task)
            task.remove_done_callback(self._done)
            task.add_done_callback(_retrieve)
        task.cancel()  # makes the task resume its coroutine, which it finds closed

    async def stop(self) -> None:
        """End all tasks: cancel them, then close by force those that go on, twice, `patience` seconds apart."""
        self.stopping = True
        for task in self._tasks:
            task.cancel()
        for attempt in range(3):
            for task in list(self._tasks) if attempt else ():
                self.kill(task)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self.patience)
        for task in self._tasks:
            self._log.error("%s refuses to end: it catches whatever is thrown at it", task.get_name())

    async def finish(self) -> None:
        """Let all tasks end by themselves within `patience`, then stop those that are left."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self.patience)
        await self.stop()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.stopping:
            self._on_error(task.get_name(), error)


def close_by_force(coroutine: Any) -> bool:
    """Run `coroutine` to its end by raising at whatever it awaits. False if it survives even that.

    Not `coroutine.close()`: before Python 3.13 that leaves an async generator within it suspended for good.
    """
    for _ in range(ATTEMPTS):
        try:
            coroutine.throw(Abandoned())
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # whatever it raised, the coroutine has ended
            return True
    return False


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
