"""Waiting for the caller's answer to a question: `call.ask` and `call.digits`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from voiceflow.frameflow.notifier import Notifier

T = TypeVar("T")

LONGEST_ANSWER = 30.0
"""How long, in seconds, a caller who began to answer within the timeout may go on speaking after it."""
SETTLING = 0.25
"""How long, in seconds, the last transcript may take to arrive once the caller is silent."""


async def answered(
    answer: Coroutine[Any, Any, T],
    question: Coroutine[Any, Any, float] | None,
    timeout: float | None,
    coming: Callable[[], bool],
    change: Notifier,
) -> T | None:
    """Say `question` and return the result of `answer`, or None if it does not come within `timeout` seconds after the
    question. While `coming()` it may take longer, by `LONGEST_ANSWER`; `change` tells when that may have changed."""
    loop = asyncio.get_running_loop()
    answering = asyncio.ensure_future(answer)
    answering.add_done_callback(lambda _: change.tell())
    asking = None if question is None else asyncio.ensure_future(question)
    try:
        if asking is not None:
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                asking.result()
        await asyncio.wait({answering}, timeout=timeout)
        latest = loop.time() + LONGEST_ANSWER
        while not answering.done() and coming() and loop.time() < latest:
            await change.until(lambda: answering.done() or not coming(), latest - loop.time())
            await asyncio.wait({answering}, timeout=SETTLING)
        return answering.result() if answering.done() else None
    finally:
        answering.cancel()
        if asking is not None:
            asking.cancel()
