"""What the code of users raises ends at most its own call: whatever it is, it is a failure like others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator


def failure(error: BaseException) -> Exception:
    """`error` as something that may be raised in a task: what would end the event loop, as `SystemExit` does, or is
    taken for something else on its way, as `StopIteration`, is the cause of a `RuntimeError`."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    told = RuntimeError(f"it raised {type(error).__name__}: {error}".removesuffix(": "))
    told.__cause__ = error
    return told


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Whatever the code of users inside raises is raised as an `Exception`. A `CancelledError` of something that was
    awaited inside is a failure as well: only one that was meant for this task ends it."""
    try:
        yield
    except GeneratorExit:  # what awaits it is closed
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
