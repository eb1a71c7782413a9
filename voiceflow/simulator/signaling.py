"""The client of the server's signaling, as the page has one: a WebSocket on which questions are answered in order."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import parse_qs, urljoin, urlsplit

import msgspec

from voiceflow.errors import ProviderConnectionError
from voiceflow.simulator.line import Closed, Line, dial

PATH: Final = "ws"
"""Where the signaling is, relative to the page."""
REFUSED: Final = (1008, 4001)
"""The codes with which a server closes the connection of a browser that may not call."""
ANSWER: Final = 15.0
"""Seconds to wait for an answer, as the page does."""


class Signaling:
    """One connection, over `line`. Close it with `close`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._asked: asyncio.Future[dict[str, Any]] | None = None
        line.listen(self._receive)

    async def ask(self, answer: str, **question: Any) -> dict[str, Any]:
        """Send a question and return its answer, whose type must be `answer`. Raises `ProviderConnectionError` if the
        server answers anything else, or not at all."""
        self._asked = asyncio.get_running_loop().create_future()
        self.tell(**question)
        answered, closed = self._asked, self._line.closed
        first: set[asyncio.Future[Any]] = {answered, closed}
        await asyncio.wait(first, timeout=ANSWER, return_when=asyncio.FIRST_COMPLETED)
        if not answered.done():
            why = _closed(closed.result()) if closed.done() else f"has not answered within {ANSWER:g} s"
            raise ProviderConnectionError(f"no call: the server {why}")
        message = answered.result()
        if message.get("type") != answer:
            said = message.get("message", message)
            raise ProviderConnectionError(f"no call: the server says: {said}")
        return message

    def tell(self, **message: Any) -> None:
        """Send a message that has no answer."""
        if self._line.is_open:
            self._line.send(msgspec.json.encode(message).decode())

    async def close(self) -> None:
        await self._line.close()

    def _receive(self, message: str | bytes) -> None:
        if self._asked is None or self._asked.done():
            return
        try:
            self._asked.set_result(msgspec.json.decode(message, type=dict[str, Any]))
        except msgspec.DecodeError:
            self._asked.set_result({"message": f"{message[:100]!r}, which is no message of a voiceflow server"})


async def connect(url: str) -> Signaling:
    """Connect to the server at `url`, a page or the link that opens it. Raises `ProviderConnectionError` if that
    fails."""
    where, key = signaling_url(url), parse_qs(urlsplit(url).query).get("key")
    return Signaling(await dial(where, {"Authorization": f"Bearer {key[0]}"} if key else None))


def signaling_url(url: str) -> str:
    """The URL of the signaling for a page at `url`. A WebSocket's URL is returned as it is.

    Raises `ProviderConnectionError` if `url` is neither.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https", "ws", "wss"):
        raise ProviderConnectionError(f"{url} is not the address of a page: expected one such as http://127.0.0.1:8000")
    if parts.scheme.startswith("ws"):
        return url
    return urljoin(f"{parts.scheme.replace('http', 'ws')}://{parts.netloc}{parts.path}", PATH)


def _closed(closed: Closed) -> str:
    said = f"closed the connection: {closed.reason or closed.code}"
    return (
        f"{said}; call the link that it printed at start, http(s)://HOST/?key=..." if closed.code in REFUSED else said
    )
