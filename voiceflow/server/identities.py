"""Who comes in from a browser, where providers of identities are named: in the configuration, or by the pipeline.

Whoever runs the server still comes in by the link that is printed at start. Everybody else shows an identity, and that
alone does not make them the operator. A page of another origin may not call in the name of whoever visits it.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qs

from starlette.types import Scope

from voiceflow.auth import Authorize, AuthResult, Composite
from voiceflow.auth.provider import identify
from voiceflow.security.trust import Trust


def provider_of(providers: Iterable[Authorize | None]) -> Authorize | None:
    """What asks all of the providers in order; None: there is none."""
    found = Composite(providers)
    return found if found.providers else None


class Identities:
    """The provider that a server asks."""

    def __init__(self, trust: Trust, provider: Authorize) -> None:
        self._trust = trust
        self._provider = provider

    async def __call__(self, scope: Scope) -> AuthResult | None:
        if not self._trust.is_from_allowed_page(scope):
            return None
        found = await identify(self._provider, scope)
        if found is not None:
            return found
        if self._trust.is_operators(scope) or self._brings_link(scope):
            return AuthResult(True, provider="operator")
        return AuthResult(True, provider="none") if self._trust.trusts(scope) else None

    def _brings_link(self, scope: Scope) -> bool:
        """Whether the request is for the page, by the link that is printed at start."""
        below = scope["path"].removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or below != "/":
            return False
        keys = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("key", [])
        return len(keys) == 1 and self._trust.knows(keys[0])
