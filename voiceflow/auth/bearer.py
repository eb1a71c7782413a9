"""Identities by shared tokens: for programs, and for pages of one's own."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from typing import Final

from voiceflow.errors import ConfigError

from .credentials import LONGEST, bearer, query
from .provider import Scope
from .result import AuthResult

NAME: Final = "bearer"
PARAMETER: Final = "token"


class Bearer:
    """Whoever shows one of the tokens: in the Authorization header, or, for a WebSocket, to which browsers add no
    header, in the query."""

    def __init__(self, tokens: Mapping[str, str] | Collection[str]) -> None:
        """`tokens` by user, or tokens alone; then the users are `token 1`, `token 2` ... Raises `ConfigError` for
        tokens that nobody could show."""
        if isinstance(tokens, str):
            tokens = [tokens]
        if not isinstance(tokens, Mapping):
            tokens = {f"token {number}": token for number, token in enumerate(tokens, 1)}
        if not tokens:
            raise ConfigError("tokens is empty: expected at least one")
        for user, token in tokens.items():
            if not token or not token.isascii() or not token.isprintable() or token.strip() != token:
                raise ConfigError(f"the token of {user!r} is empty, or has characters that no header can have")
            if len(token) > LONGEST:
                raise ConfigError(f"the token of {user!r} has more than {LONGEST} characters")
        self._users = {user: _digest(token) for user, token in tokens.items()}

    def __str__(self) -> str:
        return f"bearer tokens ({len(self._users)})"

    async def __call__(self, scope: Scope) -> AuthResult | None:
        shown = bearer(scope)
        if shown is None and scope["type"] == "websocket":
            shown = query(scope, PARAMETER)
        if shown is None:
            return None
        # All are compared, each in constant time: how long it takes tells nothing.
        digest = _digest(shown)
        found = [user for user, known in self._users.items() if hmac.compare_digest(digest, known)]
        return AuthResult(True, user_id=found[0], provider=NAME) if found else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
