"""Several providers, any of which may know the user."""

from __future__ import annotations

from collections.abc import Iterable

from .provider import Authorize, Scope, described, identify
from .result import AuthResult


class Composite:
    """Asks providers in order, until one knows who it is. One that fails does not keep the others from being asked."""

    def __init__(self, providers: Iterable[Authorize | None]) -> None:
        """What is None among `providers` is skipped."""
        self.providers = [provider for provider in providers if provider is not None]

    def __str__(self) -> str:
        return ", ".join(map(described, self.providers)) or "nobody"

    async def __call__(self, scope: Scope) -> AuthResult | None:
        for provider in self.providers:
            if (result := await identify(provider, scope, among=len(self.providers))) is not None:
                return result
        return None
