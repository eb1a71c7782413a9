"""Whom the server trusts without a carrier's signature or a token: whoever runs it.

While the server is for this machine alone, that is the user of this machine (local_requests.py). As soon as others may
reach it, at a public address or at a host beyond loopback, an address proves nothing: a proxy, a tunnel or a forwarder
on this machine may pass on the whole internet. Then a secret of the run is asked for. Commands show it in a header,
`Authorization: Bearer SECRET`, and take it from a file that only its owner can read (secret_file.py); a browser shows
it in a cookie, which it gets by the link that is printed at start.

A browser says which page a request is from, its Origin. That must be a page of this server, or one that the
configuration allows: any page on the web may otherwise call the server of whoever visits it, whatever else they show.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from voiceflow.security.local_requests import is_local

_ORIGIN: Final = re.compile(rb"(https?)://([^/?#@\s]+)", re.IGNORECASE)


def secret_of(key: bytes) -> str:
    """The secret of the run whose key is `key`, in letters, digits, `-` and `_`."""
    return base64.urlsafe_b64encode(hmac.digest(key, b"operator", hashlib.sha256)[:24]).decode()


class Trust:
    """Decides which requests need no credentials."""

    def __init__(
        self,
        secret: str,
        *,
        exposed: bool,
        open: bool,
        origins: Collection[str] = (),
        address: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`exposed`: others than this machine's user may reach the server. `open`: everybody is trusted. `origins` are
        those of other pages that may call; "*" stands for all. `address` tells the public one, wss://..., as it is
        now."""
        self._secret = secret
        self.exposed = exposed
        self._open = open
        self._origins = origins
        self._address = address
        self.run = hashlib.sha256(secret.encode()).hexdigest()[:8]
        """The name of this run, by which `doctor` tells it from others. It is no secret."""
        # Browsers send cookies to all ports of a host: each server has a name of its own.
        self.cookie = f"voiceflow_{self.run}"

    def trusts(self, scope: Mapping[str, Any]) -> bool:
        """Whether the request of an ASGI scope (HTTP or WebSocket) needs no credentials."""
        return (self._open and self.is_from_allowed_page(scope)) or self.is_operators(scope)

    def is_operators(self, scope: Mapping[str, Any]) -> bool:
        """Whether the request is from whoever runs the server."""
        if not self.is_from_allowed_page(scope):
            return False
        return any(map(self.knows, self._shown(scope))) or (not self.exposed and is_local(scope))

    def knows(self, secret: str) -> bool:
        """Whether `secret` is that of this run."""
        return hmac.compare_digest(secret.encode("utf-8", "surrogatepass"), self._secret.encode())

    def _shown(self, scope: Mapping[str, Any]) -> Iterator[str]:
        """The secrets that a request shows."""
        for name, value in _headers(scope):
            text = value.decode("latin-1")
            if name == b"authorization" and text[:7].lower() == "bearer ":
                yield text[7:].strip()
            elif name == b"cookie":
                for pair in text.split(";"):
                    cookie, _, secret = pair.strip().partition("=")
                    if cookie == self.cookie:
                        yield secret

    def came_by_tls(self, scope: Mapping[str, Any]) -> bool:
        """Whether a request was made by TLS: to us, or to the public address, by what its Host says, since the proxy
        that ends TLS speaks HTTP."""
        public = urlsplit(self._address() or "")
        hosts = [value.decode("latin-1").lower() for name, value in _headers(scope) if name == b"host"]
        to_public = public.scheme == "wss" and hosts[:1] == [public.netloc.lower()]
        return to_public or scope.get("scheme") in ("https", "wss")

    def is_from_allowed_page(self, scope: Mapping[str, Any]) -> bool:
        """Whether the request is from no page, or from one of this server or of an allowed origin."""
        return all(
            "*" in self._origins or value.decode("latin-1") in self._origins or self._is_own(value, scope)
            for name, value in _headers(scope)
            if name == b"origin"
        )

    def _is_own(self, origin: bytes, scope: Mapping[str, Any]) -> bool:
        """Whether an origin is this server as the request has found it. Whoever is on the way may write a page of the
        same host that comes without TLS."""
        hosts = [value.lower() for name, value in _headers(scope) if name == b"host"]
        match = _ORIGIN.fullmatch(origin)
        if match is None or hosts[:1] != [match[2].lower()]:
            return False
        return match[1].lower() == b"https" or not self.came_by_tls(scope)


def _headers(scope: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    for name, value in scope["headers"]:
        yield name.lower(), value
