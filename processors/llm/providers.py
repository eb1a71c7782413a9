"""What the providers' clients have in common: loops, and what their errors mean to whoever runs the pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from voiceflow.errors import ProviderConnectionError

T = TypeVar("T")

MAX_RETRIES = 1
"""A second attempt may still be in time for a caller who waits; a third is not."""


class PerLoop(Generic[T]):
    """A client for each event loop, shared by all calls on it: its connections belong to the loop that opened them.

    Made in a thread, by `load`: reading the certificates takes long enough to be heard.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._spare: T | None = make()
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def get(self) -> T:
        """The running loop's."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._spare or self._make()
            self._spare = None
            self._clients[loop] = client
        return client


def explained(error: Exception, provider: str, model: str, key: str) -> ProviderConnectionError:
    """What an error of one of the SDKs that Stainless generates (openai, anthropic) means, and what to do."""
    status: Any = getattr(error, "status_code", None)
    detail = getattr(error, "message", str(error))
    match status:
        case None | 200:  # 200: an error in the middle of a stream
            what = f"{provider} cannot be reached or broke off ({detail}): check the network and the address"
        case 401 | 403:
            what = f"{provider} refused the key ({status}): set {key} to one that is valid"
        case 404:
            what = f"{provider} has no model {model!r} (404): name another"
        case 429:
            what = f"{provider} takes no more requests now (429): check the limits and the credit of {key}"
        case _ if status >= 500:
            what = f"{provider} failed ({status}): {detail}. Try again later"
        case _:
            what = f"{provider} refused the request ({status}): {detail}"
    return ProviderConnectionError(what)
