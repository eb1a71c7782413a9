"""The public keys with which an issuer signs its tokens, as it publishes them (RFC 7517): fetched when they are needed,
kept, and fetched again when a token names a key that is not among them.

Anybody can send a token that names a key nobody knows. So they are fetched at most once every `INTERVAL`, by one
request at a time, whatever comes in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from voiceflow.errors import VoiceflowError
from voiceflow.logs import get_logger

if TYPE_CHECKING:
    from jwt import PyJWK

log = get_logger("voiceflow.auth")

INTERVAL: Final = 10.0
"""Seconds between two requests for the keys, at least."""
FRESH: Final = 3600.0
"""Seconds after which the keys are fetched again even if they are known: an issuer may have withdrawn one."""
GOOD: Final = 86_400.0
"""Seconds for which keys count while no newer ones can be had."""
FETCH: Final = 5.0
"""Seconds that fetching the keys may take."""
LARGEST: Final = 256 * 1024
"""Bytes that the keys may have. Issuers have a few, of some 500 bytes each."""
MOST: Final = 100
SMALLEST_RSA: Final = 2048
"""Bits that an RSA key has at least (RFC 7518, section 3.3)."""
KINDS: Final = {"RSA": "RS256", "EC": "ES256"}
"""The algorithm for which keys of a kind are used."""


class SigningKey(NamedTuple):
    """A public key, and the only algorithm for which it may be used."""

    key: PyJWK
    algorithm: str


class SigningKeys:
    """The keys that are published at `url`."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.url = url
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._fetched: float | None = None
        """When the keys came."""
        self._asked: float | None = None
        """When they were last asked for, whether they came or not."""
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, id: str) -> SigningKey | None:
        """The key of this id. None: the issuer has none, or its keys cannot be had."""
        if id not in self._keys or not self._is_younger_than(FRESH):
            await self._fetch()
        return self._keys.get(id) if self._is_younger_than(GOOD) else None

    def _is_younger_than(self, age: float) -> bool:
        return self._fetched is not None and self._clock() - self._fetched < age

    async def _fetch(self) -> None:
        """Fetch the keys, or wait until they are fetched, unless they were asked for a short while ago."""
        if self._fetching is None or self._fetching.done():
            if self._asked is not None and self._clock() - self._asked < INTERVAL:
                return
            self._asked = self._clock()
            self._fetching = asyncio.create_task(self._renew(), name="fetching signing keys")
        await asyncio.shield(self._fetching)  # others wait for it, too

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(FETCH):
                keys = dict(_usable(await _download(self.url)))
            if not keys:
                raise VoiceflowError("there is no key among them that can be used")
        except Exception as error:
            problem = f"they did not come within {FETCH:g} s" if isinstance(error, TimeoutError) else str(error)
            log.error(
                "the signing keys at %s cannot be had, and identities that need them are refused: %s",
                self.url,
                problem or type(error).__name__,
            )
        else:
            self._keys, self._fetched = keys, self._clock()


async def _download(url: str) -> bytes:
    """The document at `url`. It is asked for uncompressed: a few bytes could become many."""
    import httpx

    certificates = await asyncio.to_thread(httpx.create_ssl_context)  # which reads a large file: 20 ms
    async with (
        httpx.AsyncClient(verify=certificates, timeout=FETCH) as client,
        client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
    ):
        if answer.status_code != 200 or answer.headers.get("Content-Encoding", "identity") != "identity":
            raise VoiceflowError(f"expected an uncompressed answer with status 200, came {answer.status_code}")
        content = b""
        async for part in answer.aiter_raw():
            content += part
            if len(content) > LARGEST:
                raise VoiceflowError(f"they have more than {LARGEST} bytes")
        return content


def _usable(content: bytes) -> Iterator[tuple[str, SigningKey]]:
    """The keys of a document by which tokens can be checked. Of an id that several different keys have, none is."""
    published = msgspec.json.decode(content, type=dict[str, Any]).get("keys")
    if not isinstance(published, list) or len(published) > MOST:
        raise VoiceflowError(f"expected a list of at most {MOST} keys under `keys`")
    by_id: dict[str, dict[str, Any]] = {}
    twice: set[str] = set()
    for one in published:
        if not isinstance(one, dict) or not isinstance(id := one.get("kid"), str):
            continue
        if by_id.setdefault(id, one) != one:
            twice.add(id)
    if twice:
        log.error("%d ids stand for several signing keys each, and tokens that name them are refused", len(twice))
    for id, one in by_id.items():
        if id not in twice and (key := _read(one)) is not None:
            yield id, key


def _read(published: dict[str, Any]) -> SigningKey | None:
    """A published key. None: it is not a public key for signatures with one of our algorithms."""
    from jwt import PyJWK, PyJWTError

    algorithm = KINDS.get(str(published.get("kty")))
    curve = published.get("crv", "P-256")
    if algorithm is None or published.get("alg", algorithm) != algorithm or curve != "P-256" or "d" in published:
        return None
    if published.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK(published, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return None
    if algorithm == "RS256" and key.key.key_size < SMALLEST_RSA:
        return None
    return SigningKey(key, algorithm)
