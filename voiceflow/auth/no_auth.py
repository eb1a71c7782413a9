"""No authentication: everybody is admitted. It is for closed networks, and for trials."""

from __future__ import annotations

from .provider import Scope
from .result import AuthResult


class NoAuth:
    """Admits everybody, and knows nobody."""

    def __str__(self) -> str:
        return "everybody"

    async def __call__(self, scope: Scope) -> AuthResult | None:
        return AuthResult(True, provider="none")
