"""What a provider says of whoever sent a request."""

from __future__ import annotations

import msgspec


class AuthResult(msgspec.Struct, frozen=True):
    """Whoever is at the other end. A pipeline finds it in `call.user`."""

    authenticated: bool
    """Whether the identity was proven. Nobody is admitted without this."""
    user_id: str | None = None
    """The provider's own id of the user, which stays the same when their address changes."""
    user_email: str | None = None
    user_name: str | None = None
    provider: str = ""
    """The name of the provider that has proven it."""
    expires: float | None = None
    """When the identity ends, in seconds since 1970. None: it does not."""

    def is_same_as(self, other: AuthResult | None) -> bool:
        """Whether `other` is the same user, by the same provider."""
        return other is not None and _identity(self) == _identity(other)


def _identity(result: AuthResult) -> tuple[bool, str, str | None, str | None]:
    return result.authenticated, result.provider, result.user_id, result.user_email
