"""Contains what users' code raises: whatever it is, it becomes an ordinary exception, which ends at most one call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from voiceflow.errors import Abandoned


def failure(error: BaseException) -> Exception:
    """`error` as an exception that may be raised in a task. One that would end the event loop, as `SystemExit` does, or
    be taken for something else on its way, as `StopIteration` is, becomes the cause of a `RuntimeError`."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    told = RuntimeError(f"it raised {type(error).__name__}: {error}".removesuffix(": "))
    told.__cause__ = error
    return told


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Raise whatever users' code inside raises as an `Exception`. A `CancelledError` of something that was awaited
    inside becomes a `RuntimeError`; only the cancellation of this task itself passes unchanged."""
    try:
        yield
    except (GeneratorExit, Abandoned):  # the coroutine or generator around it is being closed
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("it awaited something that was cancelled") from error
    except BaseException as error:
        told = failure(error)
        if told is error:
            raise
        raise told from error
