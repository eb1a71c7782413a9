"""Identities of Google accounts: the ID tokens that Google's button gives to a page."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from voiceflow.errors import ConfigError

from .credentials import bearer, query
from .id_tokens import IdTokens
from .provider import Scope
from .result import AuthResult
from .signing_keys import SigningKeys

NAME: Final = "google"
ISSUERS: Final = ("https://accounts.google.com", "accounts.google.com")
"""Both are in use: developers.google.com/identity/openid-connect/openid-connect, "Validating an ID token"."""
KEYS: Final = "https://www.googleapis.com/oauth2/v3/certs"
PARAMETER: Final = "google_jwt"


class GoogleIdToken:
    """Whoever has one of the allowed addresses at Google."""

    def __init__(self, client_id: str, allowed_emails: Collection[str], *, keys: str = KEYS) -> None:
        """`client_id` is the page's, `keys` is where Google publishes its keys. Raises `ConfigError` where nobody
        could be admitted."""
        addresses = [allowed_emails] if isinstance(allowed_emails, str) else allowed_emails
        self._allowed = frozenset(_plain(address.strip()) for address in addresses if address.strip())
        if not client_id.strip():
            raise ConfigError("client_id is empty: expected the OAuth client's, ....apps.googleusercontent.com")
        if not self._allowed:
            raise ConfigError("allowed_emails is empty: expected the addresses of those who may come in")
        self._tokens = IdTokens(
            NAME, issuers=ISSUERS, audience=client_id.strip(), algorithms=("RS256",), keys=SigningKeys(keys)
        )

    def __str__(self) -> str:
        return f"Google ({len(self._allowed)} addresses)"

    async def __call__(self, scope: Scope) -> AuthResult | None:
        token = bearer(scope) or query(scope, PARAMETER)
        if token is None or token.count(".") != 2:  # else it is another provider's
            return None
        claims = await self._tokens.read(token)
        if claims is None or not claims.sub or not claims.email_verified or claims.email is None:
            return None
        if _plain(claims.email) not in self._allowed:
            return None
        return AuthResult(True, claims.sub, claims.email, claims.name, NAME, claims.exp)


def _plain(address: str) -> str:
    """An address as it is compared. Other letters than those of ASCII may become them in lower case."""
    return address.lower() if address.isascii() else address
