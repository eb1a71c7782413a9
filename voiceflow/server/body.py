"""Reading the body of an HTTP request up to a limit."""

from __future__ import annotations

from starlette.requests import Request


async def read_body(request: Request, largest: int) -> bytes | None:
    """The body of a request. None: it has more than `largest` bytes, and the rest is not read."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > largest:
            return None
    return body
