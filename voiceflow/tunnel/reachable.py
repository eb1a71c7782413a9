"""Whether a server is reached at its public address. Right after a tunnel was opened its name may not be known yet, to
this machine's name server in particular: callers may reach the server before that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import httpx

from voiceflow.inference.daemon_thread import in_thread
from voiceflow.logs import get_logger

log = get_logger("voiceflow.tunnel")

DEADLINE: Final = 60.0
"""Seconds within which the public address should answer."""
EVERY: Final = 2.0
"""Seconds between two requests."""
TIMEOUT: Final = 10.0
"""Seconds within which an answer must come."""

Ask = Callable[[str], Awaitable[str | None]]
"""Asks a URL. Returns why it did not answer as it should; None: it did."""


async def until_reachable(health: str, ask: Ask) -> bool:
    """Ask `health`, the public URL of /health, until it answers. Logs what is waited for. False: it has not answered
    within `DEADLINE`."""
    loop = asyncio.get_running_loop()
    deadline, before = loop.time() + DEADLINE, ""
    while (reason := await ask(health)) is not None:
        if loop.time() >= deadline:
            log.warning(
                "%s has not answered within %g s: %s. Callers may reach it all the same, if only this machine's name "
                "server does not know it yet",
                health,
                DEADLINE,
                reason,
            )
            return False
        if reason != before:
            log.info("waiting for %s to answer: %s", health, reason)
            before = reason
        await asyncio.sleep(EVERY)
    log.info("%s answers: the server is reached through the tunnel", health)
    return True


async def ask(url: str) -> str | None:
    """Ask /health of a server of ours."""
    return await in_thread(lambda: _asked(url))


def _asked(url: str) -> str | None:
    try:
        answer = httpx.get(url, timeout=TIMEOUT)
        if answer.status_code == 530:
            return "Cloudflare is not connected to cloudflared yet (530)"
        if not answer.is_success:
            return f"the answer is {answer.status_code} {answer.reason_phrase}"
        told = answer.json()
        is_ours = isinstance(told, dict) and "status" in told
        return (
            None
            if is_ours
            else "something else answers there than this server: see the tunnel's settings at Cloudflare"
        )
    except httpx.ConnectError as error:
        return f"no connection, or its name is not known here yet ({error})"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{type(error).__name__} {error}".strip()
    except ValueError:
        return "something else answers there than this server: it is not JSON"
