"""What the providers' clients have in common: loops, keys that are not shown, and what their errors mean to whoever
runs the pipeline."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from voiceflow.errors import ProviderConnectionError

T = TypeVar("T")

SHORTEST_KEY = 8
"""Characters. What is shorter is no secret."""
REQUEST_LOGS = ("httpx", "httpx2")
"""Loggers of the clients' HTTP libraries, which show each request's address at INFO, a password in it included."""
MAX_RETRIES = 1
"""A second attempt may still be in time for a caller who waits; a third is not."""


def variable(name: str, environment: Mapping[str, str] | None = None) -> str | None:
    """What an environment variable holds. Nothing and blanks are as if it were not set."""
    return (os.environ if environment is None else environment).get(name, "").strip() or None


class ApiKey:
    """The key that a provider is asked with: `given` as an argument, else in the environment's `variable`."""

    def __init__(self, given: str | None, name: str) -> None:
        self._given = given
        argument = (given or "").strip()
        self.value = argument or variable(name)
        """None where there is none."""
        self.place = "`api_key`" if argument else name
        """Where it comes from, and a better one is to be put."""

    def hidden(self, text: str) -> str:
        """`text` without the key, and without users and passwords in addresses."""
        for secret in (self._given, self.value):
            if secret and secret.strip():
                text = text.replace(repr(secret), "'***'")
                # Test servers have keys of a letter or two, which every word contains.
                text = text.replace(secret, "***") if len(secret) > SHORTEST_KEY else text
        return public(text)


def public(text: str) -> str:
    """`text` without the users and passwords that addresses in it may have."""
    return re.sub(r"//[^/@\s'\"]*@", "//", text)


class PerLoop(Generic[T]):
    """A client for each event loop, shared by all calls on it: its connections belong to the loop that opened them.

    Made in a thread, by `load`: reading the certificates takes long enough to be heard.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        for name in REQUEST_LOGS:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._make = make
        self.spare: T | None = make()
        """The next loop's."""
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def get(self) -> T:
        """The running loop's."""
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self.spare or self._make()
            self.spare = None
            self._clients[loop] = client
        return client


def explained(error: Exception, provider: str, model: str, key: ApiKey) -> ProviderConnectionError:
    """What an error of one of the SDKs that Stainless generates (openai, anthropic) means, and what to do."""
    status: Any = getattr(error, "status_code", None)
    detail = getattr(error, "message", str(error))
    match status:
        case None | 200:  # 200: an error in the middle of a stream
            what = f"{provider} cannot be reached or broke off ({detail}): check the network and the address"
        case 401 | 403:
            what = f"{provider} refused the key ({status}): set {key.place} to one that is valid"
        case 404:
            what = f"{provider} has no model {model!r} (404): name another"
        case 429:
            what = f"{provider} takes no more requests now (429): check the limits and the credit of {key.place}"
        case _ if status >= 500:
            what = f"{provider} failed ({status}): {detail}. Try again later"
        case _:
            what = f"{provider} refused the request ({status}): {detail}"
    return ProviderConnectionError(key.hidden(what))
