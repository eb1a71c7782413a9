"""Calls functions that users write, whichever form they have: plain or `async`, function or generator."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterator
from typing import Any, Final

from .containment import contained
from .pools import InferencePool

_DONE: Final = object()


def waits(function: Callable[..., Any]) -> bool:
    """Whether `function` works on the event loop, as it waits for something, and takes no thread."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


async def called(pool: InferencePool, function: Callable[..., Any], *args: Any, **kwargs: Any) -> object:
    """The result of `function(*args, **kwargs)`. An awaitable is awaited; a generator or any other iterator, async or
    not, becomes an `AsyncGenerator`, which has to be closed. Code that is not async runs in `pool`. Raises what
    `function` raises; what is no `Exception` is raised as `RuntimeError`."""
    with contained():
        if waits(function) or inspect.isgeneratorfunction(function):  # it begins only when its result is used
            given = function(*args, **kwargs)
        else:
            given = await pool.run(function, *args, **kwargs)
        if inspect.isawaitable(given):
            given = await given
        if isinstance(given, AsyncIterable):
            return _awaited(aiter(given))
    if isinstance(given, Iterator):
        return _stepwise(pool, given)
    return given


async def _awaited(steps: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    try:
        while True:
            with contained():
                result = await anext(steps, _DONE)
            if result is _DONE:
                break
            yield result
    finally:
        if (aclose := getattr(steps, "aclose", None)) is not None:
            with contained():
                await aclose()


async def _stepwise(pool: InferencePool, steps: Iterator[Any]) -> AsyncGenerator[Any, None]:
    try:
        while True:
            with contained():
                result = await pool.run(next, steps, _DONE)
            if result is _DONE:
                break
            yield result
    finally:
        with contextlib.suppress(ValueError):  # a thread still runs the generator, and frees it when it is done
            if inspect.isgenerator(steps):
                with contained():
                    steps.close()
