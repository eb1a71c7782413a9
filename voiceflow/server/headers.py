"""Headers that all answers have: no browser guesses their type, and no cache keeps those that do not say so."""

from __future__ import annotations

from typing import Final

from starlette.types import Message, Send

ANSWERS: Final = ("http.response.start", "websocket.http.response.start")
DEFAULTS: Final = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
"""Answers to webhooks and offers bring tokens, and the credentials of TURN servers."""


def with_headers(send: Send) -> Send:
    """`send`, which adds to the beginning of an answer those of `DEFAULTS` that it has not."""

    async def sent(message: Message) -> None:
        if message["type"] in ANSWERS:
            headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            message = {**message, "headers": headers + [each for each in DEFAULTS if each[0] not in names]}
        await send(message)

    return sent
