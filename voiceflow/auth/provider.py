"""Providers of identities, and the one way in which they are asked: whatever a provider does, nobody is admitted
because it has failed."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from .result import AuthResult
from .seldom import SeldomLog

Scope: TypeAlias = MutableMapping[str, Any]
"""The ASGI scope of a request."""
Authorize: TypeAlias = Callable[[Scope], Awaitable[AuthResult | None]]
"""A provider: says who has sent a request; None: it cannot tell. Any asynchronous callable of this form is one."""

DEADLINE: Final = 10.0
"""Seconds within which a provider must have answered. Several that are asked one after the other share them."""
LEEWAY: Final = 5.0
"""Seconds by which the issuer's clock may differ from ours."""

_failures: Final = SeldomLog()


async def identify(provider: Authorize, scope: Scope, *, among: int = 1) -> AuthResult | None:
    """Whoever has sent the request, if `provider` says that they are authenticated. A provider that raises, returns
    something else, or does not answer in its share of `DEADLINE`, which is for `among` providers, authenticates nobody;
    the log says so."""
    try:
        async with asyncio.timeout(DEADLINE / among):
            result: Any = await provider(scope)
    except Exception as error:
        name = described(provider)
        _failures.tell(name, logging.ERROR, "%s failed, so a request was refused: %s", name, _shown(error))
        return None
    if result is None:
        return None
    if not isinstance(result, AuthResult):
        name, wrong = described(provider), "%s returned %s, so a request was refused: expected AuthResult or None"
        _failures.tell(name, logging.ERROR, wrong, name, type(result).__name__)
        return None
    return result if result.authenticated is True and is_current(result) else None


def is_current(result: AuthResult) -> bool:
    """Whether an identity has not ended."""
    return result.expires is None or result.expires > time.time() - LEEWAY


def described(provider: Authorize) -> str:
    """What a provider is called in messages."""
    name = getattr(provider, "__qualname__", None)
    return str(provider) if name is None else f"{name}()"


def _shown(error: Exception) -> str:
    """The type of an exception, and the line of the provider's file that led to it: what it calls may have raised it
    far away. Its text may contain the token."""
    _, *frames = traceback.extract_tb(error.__traceback__)  # the first is of `identify`
    lines = [frame.lineno for frame in frames if frame.filename == frames[0].filename]
    place = f" in {frames[0].filename}, line {lines[-1]}" if frames else ""
    return f"{type(error).__name__}{place}"
