"""Whether an Ollama server answers, for /health: everybody may ask that, and it costs no request of ours."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx

from voiceflow.processors.llm.ollama import address

TIMEOUT: Final = 0.5
"""Seconds within which an Ollama server must answer to count as there."""
FRESH: Final = 5.0
"""Seconds for which what is known is not asked again."""


class OllamaStatus:
    """Whether an Ollama server answered when it was last asked. One request at most is under way."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """`client` is used for nothing else: a server that hangs keeps its connections."""
        self._client = client
        self._answers = False
        self._fresh_until = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    def answers(self) -> bool:
        """What is known. If that is no longer fresh, the server is asked, for the next time."""
        if self._asking is None and asyncio.get_running_loop().time() >= self._fresh_until:
            self._asking = asyncio.create_task(self._ask(), name="asking Ollama")
        return self._answers

    async def known(self) -> None:
        """Wait until the request that is under way has been answered."""
        if self._asking is not None:
            await asyncio.wait({self._asking})

    async def __aenter__(self) -> None:
        """Begin to ask."""
        self.answers()

    async def __aexit__(self, *_: object) -> None:
        """End what is under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _ask(self) -> None:
        try:
            answer = await self._client.get(address(), timeout=TIMEOUT)
            self._answers = answer.is_success
        except (httpx.HTTPError, httpx.InvalidURL):
            self._answers = False
        finally:
            self._fresh_until = asyncio.get_running_loop().time() + FRESH
            self._asking = None
