"""Runs a model's `chat` in whichever form it was written, as one stream of pieces."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any, TypeAlias

from voiceflow.inference import shared_pool
from voiceflow.processors.llm.messages import Message, ToolCall

Piece: TypeAlias = str | ToolCall


async def pieces(chat: Callable[[list[Message]], Any], messages: list[Message]) -> AsyncGenerator[Piece, None]:
    """What `chat(messages)` returns or yields. Plain functions and generators run in threads."""
    if inspect.isasyncgenfunction(chat):
        answer = chat(messages)
    elif inspect.iscoroutinefunction(chat):
        answer = await chat(messages)
    elif inspect.isgeneratorfunction(chat):
        answer = chat(messages)
    else:
        answer = await shared_pool().run(chat, messages)
    if isinstance(answer, (str, ToolCall)):
        yield answer
    elif isinstance(answer, AsyncIterator):
        try:
            async for piece in answer:
                yield _checked(piece)
        finally:
            if inspect.isasyncgen(answer):
                await answer.aclose()
    elif isinstance(answer, Iterator):
        async for piece in _stepwise(answer):
            yield _checked(piece)
    else:
        _checked(answer)


async def _stepwise(steps: Iterator[Any]) -> AsyncGenerator[Any, None]:
    done = object()
    try:
        while (piece := await shared_pool().run(next, steps, done)) is not done:
            yield piece
    finally:
        with contextlib.suppress(ValueError):  # a thread is still at it, and lets go of it when it is not
            if inspect.isgenerator(steps):
                steps.close()


def _checked(piece: object) -> Piece:
    if isinstance(piece, (str, ToolCall)):
        return piece
    raise TypeError(f"`chat` gives str, pieces of str or ToolCall, not {type(piece).__name__}: {piece!r:.80}")
