"""STUN and TURN servers, through which two peers behind routers and firewalls find each other.

All providers have one interface, `ICEServers`, whose servers are given to the browser and to aiortc. A provider that
is not set up or that fails logs a warning and gives no servers, or those it still has, but never raises: many calls
connect without. TURN credentials are valid for a day and renewed after half of it: unless that fails, a call has them
for at least twelve hours.

Sources: W3C webrtc-pc, "RTCIceServer"; twilio.com/docs/stun-turn/api; coturn's README.turnserver, "TURN REST API";
developers.cloudflare.com/realtime/turn/generate-credentials.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import httpx
import msgspec

from voiceflow.logs import get_logger

log = get_logger("voiceflow.webrtc")

STUN: Final = "stun:stun.l.google.com:19302"
LIFETIME: Final = 86_400
"""Seconds for which credentials are valid."""
TIMEOUT: Final = 5.0
"""Seconds within which a provider must answer: a call waits for it."""
RETRY: Final = 30.0
"""Seconds after a failure before a provider is asked again."""


class IceServer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One server, in the form that browsers' RTCPeerConnection takes in its configuration."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None

    def __repr__(self) -> str:
        return f"IceServer({', '.join(self.urls)})"  # credentials are not for logs


class ICEServers(Protocol):
    """A provider of the STUN and TURN servers for calls."""

    async def ice_servers(self) -> list[IceServer]:
        """The servers, in order of preference; an empty list if the provider fails. Raises nothing."""


class StaticICE:
    """Servers that are always the same."""

    def __init__(
        self, urls: str | Sequence[str] = STUN, *, username: str | None = None, credential: str | None = None
    ) -> None:
        """`urls` are like `stun:HOST:PORT` or `turn:HOST:PORT?transport=tcp`; TURN needs `username` and `credential`.
        Raises `ValueError` if there are no urls."""
        self._servers = read_servers([{"urls": urls, "username": username, "credential": credential}])

    async def ice_servers(self) -> list[IceServer]:
        return list(self._servers)


class _Credentials(ABC):
    """The base of providers whose credentials expire: fetches them, and keeps them for half of their lifetime."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._servers: list[IceServer] = []
        self._renew_at = float("-inf")
        self._expire_at = float("-inf")
        self._asking = asyncio.Lock()

    async def ice_servers(self) -> list[IceServer]:
        async with self._asking:
            now = self._clock()
            if now >= self._renew_at:
                try:
                    async with asyncio.timeout(TIMEOUT):
                        self._servers = await self._fetch(now)
                    self._renew_at, self._expire_at = now + LIFETIME / 2, now + LIFETIME
                except (httpx.HTTPError, msgspec.MsgspecError, ValueError, TimeoutError) as error:
                    self._renew_at = now + RETRY
                    log.warning("%s gave no TURN servers: %s", type(self).__name__, error or type(error).__name__)
            return list(self._servers) if now < self._expire_at else []

    @abstractmethod
    async def _fetch(self, now: float) -> list[IceServer]:
        """The servers with new credentials, at the time `now`. May raise the exceptions that `ice_servers` catches."""


class CoturnTURN(_Credentials):
    """A coturn server that shares a secret with us (`use-auth-secret`, `static-auth-secret`). Credentials are computed
    without asking it: the user name contains the time of expiry, and the password is a signature of it."""

    def __init__(self, urls: str | Sequence[str], secret: str, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(clock)
        self._urls = urls
        self._secret = secret

    async def _fetch(self, now: float) -> list[IceServer]:
        if not self._secret:
            raise ValueError("it needs the secret of the server's static-auth-secret")
        username, credential = coturn_credentials(self._secret, "voiceflow", int(now) + LIFETIME)
        return read_servers([{"urls": self._urls, "username": username, "credential": credential}])


class TwilioTURN(_Credentials):
    """Twilio's Network Traversal Service, with the account's credentials for the REST interface at `rest`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        account_sid: str,
        user: tuple[str, str] | None,
        rest: str = "https://api.twilio.com",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(clock)
        self._client = client
        self._url = f"{rest}/2010-04-01/Accounts/{account_sid}/Tokens.json"
        self._user = user

    async def _fetch(self, now: float) -> list[IceServer]:
        if self._user is None:
            raise ValueError("it needs Twilio's account_sid, and auth_token or an API key")
        answer = await self._client.post(self._url, auth=self._user, data={"Ttl": str(LIFETIME)})
        return _read_answer(answer, "ice_servers")


class CloudflareTURN(_Credentials):
    """Cloudflare's TURN service, with a TURN key."""

    def __init__(
        self, client: httpx.AsyncClient, *, key_id: str, api_token: str, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(clock)
        self._client = client
        self._key_id = key_id
        self._api_token = api_token

    async def _fetch(self, now: float) -> list[IceServer]:
        if not (self._key_id and self._api_token):
            raise ValueError("it needs the id of a Cloudflare TURN key, and its API token")
        answer = await self._client.post(
            f"https://rtc.live.cloudflare.com/v1/turn/keys/{self._key_id}/credentials/generate-ice-servers",
            headers={"Authorization": f"Bearer {self._api_token}"},
            json={"ttl": LIFETIME},
        )
        return _read_answer(answer, "iceServers")


def coturn_credentials(secret: str, user: str, expires: int) -> tuple[str, str]:
    """The user name and the password with which `user` may use a coturn server until `expires`, in Unix time."""
    username = f"{expires}:{user}"
    signature = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(signature).decode()


def read_servers(entries: Any) -> list[IceServer]:
    """ICE servers from their JSON form: `urls` is a string or a list, and may be called `url`. Raises `ValueError`
    (msgspec's ValidationError is one) for entries of another form."""
    return [
        IceServer(urls=entry.all_urls, username=entry.username, credential=entry.credential)
        for entry in msgspec.convert(entries, list[_Entry])
    ]


class _Entry(msgspec.Struct):
    urls: str | list[str] | None = None
    url: str | None = None
    username: str | None = None
    credential: str | None = None

    @property
    def all_urls(self) -> tuple[str, ...]:
        named = self.urls or self.url
        if not named:
            raise ValueError("expected `urls` of an ICE server: a string or a list; there are none")
        return (named,) if isinstance(named, str) else tuple(named)


def _read_answer(answer: httpx.Response, key: str) -> list[IceServer]:
    if answer.status_code != 201:
        raise ValueError(f"expected status 201, got {answer.status_code}: {answer.text[:200]}")
    body = answer.json()
    if not isinstance(body, dict) or key not in body:
        raise ValueError(f"expected a list in `{key}`, got {answer.text[:200]}")
    return read_servers(body[key])
