"""Runs a model's `chat` in whichever form it was written, as one stream of pieces."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeAlias

from voiceflow.inference import called, waiting_pool
from voiceflow.processors.llm.messages import CutShort, Message, ToolCall

Piece: TypeAlias = str | ToolCall | CutShort
"""A piece of an answer: text, a tool that the model calls, or that the answer breaks off."""
Answer: TypeAlias = (
    Piece | Iterator[Piece] | AsyncIterator[Piece] | Awaitable[Piece | Iterator[Piece] | AsyncIterator[Piece]]
)
"""What `chat` may return: an answer, whole or piece by piece; awaited or not."""


async def pieces(chat: Callable[[list[Message]], Answer], messages: list[Message]) -> AsyncGenerator[Piece, None]:
    """Yield what `chat(messages)` returns or yields. Plain functions and generators run in the pool of threads for
    clients that wait for a server. Raises `TypeError` for a piece that is neither text nor a `ToolCall`."""
    answer = await called(waiting_pool(), chat, messages)
    if isinstance(answer, AsyncGenerator):
        async with contextlib.aclosing(answer):
            async for piece in answer:
                yield _checked(piece)
    else:
        yield _checked(answer)


def _checked(piece: object) -> Piece:
    if isinstance(piece, (str, ToolCall, CutShort)):
        return piece
    raise TypeError(f"`chat` gives str, pieces of str or ToolCall, not {type(piece).__name__}: {piece!r:.80}")
