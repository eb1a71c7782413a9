"""Functions that users write, called in whichever form they have: plain or `async`, function or generator."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from typing import Any, Final

from .pools import InferencePool

_KINDS = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
"""Of functions that only begin to work when what they return is awaited or iterated."""
_DONE: Final = object()


async def called(pool: InferencePool, function: Callable[..., Any], *args: Any, **kwargs: Any) -> object:
    """What `function(*args, **kwargs)` returns, or what is returned has to give: for a coroutine its result, for a
    generator or any iterator, async or not, an `AsyncGenerator`, which has to be closed. What is not async runs in
    `pool`. Raises what `function` raises."""
    with _only_own_cancellation():
        if any(kind(function) for kind in _KINDS):
            given = function(*args, **kwargs)
        else:
            given = await pool.run(function, *args, **kwargs)
        if inspect.isawaitable(given):
            given = await given
    if isinstance(given, AsyncIterable):
        return _awaited(given)
    if isinstance(given, Iterator):
        return _stepwise(pool, given)
    return given


async def _awaited(given: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
    steps = aiter(given)
    try:
        with _only_own_cancellation():
            async for result in steps:
                yield result
    finally:
        if (aclose := getattr(steps, "aclose", None)) is not None:
            await aclose()


async def _stepwise(pool: InferencePool, steps: Iterator[Any]) -> AsyncGenerator[Any, None]:
    try:
        while True:
            with _only_own_cancellation():
                result = await pool.run(next, steps, _DONE)
            if result is _DONE:
                break
            yield result
    finally:
        with contextlib.suppress(ValueError):  # a thread is still at it, and lets go of it when it is not
            if inspect.isgenerator(steps):
                steps.close()


@contextlib.contextmanager
def _only_own_cancellation() -> Iterator[None]:
    """A `CancelledError` of something that was awaited inside is a failure like others: `RuntimeError`. Only what
    was meant for this task ends it."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise RuntimeError("it awaited something that was cancelled") from error
