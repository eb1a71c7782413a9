"""Checking identity tokens (JSON Web Tokens, RFC 7519) of one issuer, as RFC 8725 has it.

What a token says of itself decides nothing: the algorithms, the issuer and the audience are the provider's, and keys
come from the issuer's own address, not from where a header (`jku`, `x5u`, `jwk`) points.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from voiceflow.errors import VoiceflowError

from .provider import LEEWAY
from .seldom import SeldomLog
from .signing_keys import SigningKey, SigningKeys

REQUIRED: Final = ("exp", "iat", "aud", "iss", "sub")
"""The claims without which no token is good. `nbf` is checked where it is there: not every issuer writes it."""


class IdTokenClaims(msgspec.Struct, frozen=True):
    """What the tokens of all issuers say."""

    exp: float
    sub: str
    iat: float
    nbf: float = 0.0
    email: str | None = None
    email_verified: bool = False
    name: str | None = None
    common_name: str | None = None


class IdTokens:
    """Checks the tokens that one issuer makes for one audience."""

    def __init__(
        self, name: str, *, issuers: Sequence[str], audience: str, algorithms: Sequence[str], keys: SigningKeys
    ) -> None:
        """`name` is that of the provider. `issuers` are all spellings of the issuer's name."""
        import jwt  # noqa: F401 - now, as calls that are on would wait for it

        self._name = name
        self._issuers = issuers
        self._audience = audience
        self._algorithms = algorithms
        self._keys = keys
        self._log = SeldomLog()

    async def read(self, token: str) -> IdTokenClaims | None:
        """What `token` says. None: it is not good, and the log has the kind of the reason, never the token."""
        try:
            key = await self._key(token)
            return self._claims(token, key)
        except Exception as error:  # whatever the token contains
            reason = str(error) if isinstance(error, VoiceflowError) else type(error).__name__
            self._log.tell("a token", logging.INFO, "a token for %s was refused: %s", self._name, reason)
            return None

    async def _key(self, token: str) -> SigningKey:
        """The key with which the token should be signed. Raises `VoiceflowError`, or what PyJWT raises."""
        import jwt

        header: dict[str, Any] = jwt.get_unverified_header(token)
        if "crit" in header or "b64" in header:
            raise VoiceflowError("its header has extensions, and none is known here")
        if header.get("alg") not in self._algorithms:
            raise VoiceflowError("its algorithm is not one of the provider's")
        id = header.get("kid")
        key = await self._keys.find(id) if isinstance(id, str) else None
        if key is None:
            raise VoiceflowError("the issuer has no such key")
        return key

    def _claims(self, token: str, key: SigningKey) -> IdTokenClaims:
        """What the token says, once all of it is checked. Raises `VoiceflowError`, or what PyJWT raises."""
        import jwt

        said: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=self._audience,
            issuer=self._issuers,
            leeway=LEEWAY,
            options={"require": list(REQUIRED)},
        )
        claims = msgspec.convert(said, IdTokenClaims)
        if not all(map(math.isfinite, (claims.exp, claims.iat, claims.nbf))):
            raise VoiceflowError("its times are no numbers")
        return claims
