"""Authentication of single routes.

@app.get("/report")
async def report(user: Annotated[AuthResult, Depends(require_auth(provider))]): ...   # FastAPI

user = await require_auth(provider)(request)                                          # Starlette
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException, WebSocketException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from .middleware import CHALLENGE, EXPIRED, REFUSED, UNAUTHORIZED, seconds_until
from .provider import Authorize, identify
from .result import AuthResult


def require_auth(provider: Authorize) -> Callable[[HTTPConnection], Awaitable[AuthResult]]:
    """A dependency that returns who has sent the request, or opened the WebSocket. Without an identity the request is
    answered with 401, and the WebSocket accepted and closed with 4001; so is one whose identity expires."""

    async def authenticated(connection: HTTPConnection) -> AuthResult:
        result = await identify(provider, connection.scope)
        if result is None:
            raise await _refusal(connection)
        if isinstance(connection, WebSocket) and result.expires is not None:
            _close_at(connection, result.expires)
        return result

    return authenticated


async def _refusal(connection: HTTPConnection) -> Exception:
    if isinstance(connection, WebSocket):
        await connection.accept(next(iter(connection.scope.get("subprotocols") or ()), None))
        return WebSocketException(UNAUTHORIZED, REFUSED)
    return HTTPException(401, REFUSED, CHALLENGE)


def _close_at(websocket: WebSocket, expires: float) -> None:
    """Close a WebSocket at the time `expires`, unless the task that serves it has ended."""
    serving = asyncio.current_task()
    assert serving is not None
    closing: set[asyncio.Task[None]] = set()

    async def close() -> None:
        with contextlib.suppress(OSError, RuntimeError):  # it is closed
            await websocket.close(UNAUTHORIZED, EXPIRED)

    def expire() -> None:
        closing.add(asyncio.create_task(close(), name="closing a WebSocket whose identity has expired"))

    timer = asyncio.get_running_loop().call_later(seconds_until(expires, time.time()), expire)
    serving.add_done_callback(lambda task: timer.cancel())
