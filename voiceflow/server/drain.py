"""How a server ends without losing a call: it takes no new ones, and waits for those that are on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Set
from typing import Final

from voiceflow.call import Call
from voiceflow.logs import get_logger
from voiceflow.processors.tts import recorded

from .places import Places

log = get_logger("voiceflow.server")

LOOK: Final = 0.1
"""Seconds after which it is looked again how many calls are left."""
FAREWELL: Final = 10.0
"""Seconds in which all who are left hear a sentence."""


async def drained(places: Places, active: Set[Call], limit: float) -> None:
    """Close `places`, and wait `limit` seconds for all of them to be free. The callers of the calls that are `active`
    then hear a sentence and are hung up on."""
    places.closed = True
    if places.held:
        log.info("no new calls: the server stops when %d are over, after %g s at most", places.held, limit)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit):
            while places.held:  # noqa: ASYNC110 - an announcement lapses, and nothing tells of it
                await asyncio.sleep(LOOK)
    if not active:
        return
    log.warning("%d calls are left after %g s: they are hung up", len(active), limit)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL):
            await asyncio.gather(*map(_dismissed, active), return_exceptions=True)
            while active:  # noqa: ASYNC110
                await asyncio.sleep(LOOK)


async def _dismissed(call: Call) -> None:
    """Have the caller hear that the call ends, and hang up."""
    if call.session is None:  # it has not begun
        return
    call.clear()
    try:
        if call.can_speak:
            await call.say(call.words.stopping, interruptible=False)
        else:
            await call.play(recorded("stopping", call.language), interruptible=False)
    finally:
        await call.hangup(force=True)
