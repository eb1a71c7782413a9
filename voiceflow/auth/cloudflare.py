"""Identities of Cloudflare Access, which stands before the server and has whoever comes log in.

It adds a signed token to each request, and browsers have it as a cookie. The other headers in which it names the user
are not read: whoever reaches the server past Cloudflare can write them.
"""

from __future__ import annotations

import re
from typing import Final

from voiceflow.errors import ConfigError

from .credentials import cookie, header
from .id_tokens import IdTokens
from .provider import Scope
from .result import AuthResult
from .signing_keys import SigningKeys

NAME: Final = "cloudflare_access"
HEADER: Final = b"cf-access-jwt-assertion"
COOKIE: Final = "CF_Authorization"
ALGORITHMS: Final = ("RS256", "ES256")
_DOMAIN: Final = re.compile(r"(?:https://)?((?:[a-z0-9-]+\.)*[a-z0-9-]+)/?", re.IGNORECASE)
_HERE: Final = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?")


class CloudflareAccess:
    """Whoever has logged in at Cloudflare Access for one application."""

    def __init__(self, team_domain: str, audience: str) -> None:
        """`team_domain` is the team's, such as `example.cloudflareaccess.com`, or its name alone; for a trial it may
        be http:// on this machine. `audience` is the application's AUD tag. Raises `ConfigError` for what cannot be
        right."""
        self._issuer = _issuer(team_domain.strip())
        if not audience.strip():
            raise ConfigError("audience is empty: expected the AUD tag of the Access application")
        self._tokens = IdTokens(
            NAME,
            issuers=[self._issuer],
            audience=audience.strip(),
            algorithms=ALGORITHMS,
            keys=SigningKeys(f"{self._issuer}/cdn-cgi/access/certs"),
        )

    def __str__(self) -> str:
        return f"Cloudflare Access ({self._issuer.partition('://')[2]})"

    async def __call__(self, scope: Scope) -> AuthResult | None:
        token = header(scope, HEADER) or cookie(scope, COOKIE)
        claims = None if token is None else await self._tokens.read(token)
        if claims is None:
            return None
        user = claims.sub or claims.common_name  # a service token has no user; its name is there then
        return AuthResult(True, user, claims.email, claims.name, NAME, claims.exp) if user else None


def _issuer(team_domain: str) -> str:
    """The address of a team, as its tokens name it."""
    if _HERE.fullmatch(team_domain):
        return team_domain
    domain = _DOMAIN.fullmatch(team_domain)
    if domain is None:
        raise ConfigError(f"team_domain is {team_domain!r}: expected a domain such as example.cloudflareaccess.com")
    name = domain[1].lower()
    return f"https://{name}" if "." in name else f"https://{name}.cloudflareaccess.com"
