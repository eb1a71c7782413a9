"""Reading what a request brings, and no more than it may bring."""

from __future__ import annotations

from starlette.requests import Request


async def read_body(request: Request, largest: int) -> bytes | None:
    """The body; None if it has more than `largest` bytes: the rest is not read."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > largest:
            return None
    return body
