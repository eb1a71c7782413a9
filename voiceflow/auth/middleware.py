"""Authentication before an ASGI application, for its HTTP requests and its WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection
from typing import Any, Final

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .path_prefixes import PathPrefixes
from .provider import Authorize, identify
from .result import AuthResult
from .seldom import SeldomLog

UNAUTHORIZED: Final = 4001
"""The close code of WebSockets without an identity, and of those whose identity has expired."""
REFUSED: Final = "Unauthorized"
EXPIRED: Final = "the identity has expired"
USER: Final = "user"
"""The key of the scope under which the application finds the `AuthResult`. In Starlette it is `request.user`."""
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="voiceflow"', "Cache-Control": "no-store"}
LONGEST_SHOWN: Final = 100
"""Characters of a path that are logged. The query, which may hold a token, is not."""
LONGEST_WAIT: Final = 31_536_000.0
"""Seconds that a timer is set for at most: no socket is open for a year."""


def seconds_until(expires: float, now: float) -> float:
    """What a timer is set to, in seconds, that ends something when an identity ends."""
    return min(max(0.0, expires - now), LONGEST_WAIT)


def refusal_of(scope: Scope) -> str:
    """A line for the log about a request without an identity."""
    kind = "WebSocket" if scope["type"] == "websocket" else scope["method"]
    return f"a {kind} to {scope['path'][:LONGEST_SHOWN]!r} was refused: it shows no identity"


class AuthMiddleware:
    """Lets nobody pass whom the provider does not know, but to the paths that are excluded.

    A request is answered with 401. A WebSocket is accepted and closed with 4001, as browsers show no page why a
    handshake has failed; it is closed so, too, when the identity expires with which it was opened.
    """

    def __init__(
        self,
        app: ASGIApp,
        provider: Authorize,
        exclude: Collection[str] = (),
        *,
        refused: Callable[[Scope], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`exclude`: paths that are open to all, with what is below them: `/health` is not `/healthy`. `refused` is
        told of each refusal; without it, one in a while is logged. `clock` tells the seconds since 1970. Raises
        `ConfigError` for a path that cannot be meant."""
        self._app = app
        self._provider = provider
        self._open = PathPrefixes(exclude)
        self._refused = refused or self._tell
        self._log = SeldomLog()
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or self._open.has(scope):
            await self._app(scope, receive, send)
            return
        result = await identify(self._provider, scope)
        if result is None:
            self._refused(scope)
            await refuse(scope, receive, send)
            return
        scope = {**scope, USER: result}
        if scope["type"] == "websocket" and result.expires is not None:
            await self._until(result.expires, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _tell(self, scope: Scope) -> None:
        self._log.tell(scope["type"], logging.WARNING, "%s", refusal_of(scope))

    async def _until(self, expires: float, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a WebSocket until the time `expires`, and close it then."""
        open = True

        async def watched(message: Message) -> None:
            nonlocal open
            open = open and message["type"] in ("websocket.accept", "websocket.send")
            await send(message)

        limit = asyncio.timeout(seconds_until(expires, self._clock()))
        try:
            async with limit:
                await self._app(scope, receive, watched)
        except TimeoutError:
            if not limit.expired():
                raise
        if limit.expired() and open:
            with contextlib.suppress(OSError, RuntimeError):  # the peer is gone
                await send({"type": "websocket.close", "code": UNAUTHORIZED, "reason": EXPIRED})


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request or a WebSocket without an identity."""
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        # A browser that asked for subprotocols shows the code only if it gets one of them.
        subprotocol = next(iter(scope.get("subprotocols") or ()), None)
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        await send({"type": "websocket.close", "code": UNAUTHORIZED, "reason": REFUSED})
    else:
        await unauthorized()(scope, receive, send)


def unauthorized() -> Response:
    """The answer to a request without an identity."""
    return JSONResponse({"error": REFUSED}, status_code=401, headers=CHALLENGE)


def user_of(scope: Any) -> AuthResult | None:
    """Whoever has sent the request, as the middleware has found; None where it did not look."""
    user = scope.get(USER)
    return user if isinstance(user, AuthResult) else None
