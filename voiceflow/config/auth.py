"""The keys `auth` and `auth_exclude` of the configuration file: who may come in from a browser, and where nobody is
asked.

    auth:
      - {provider: cloudflare_access, team_domain: example.cloudflareaccess.com, audience: "${ACCESS_AUDIENCE}"}
      - {provider: google, client_id: 1234.apps.googleusercontent.com, allowed_emails: [ann@example.com]}
      - {provider: bearer, tokens: {monitoring: "${MONITORING_TOKEN}"}}
    auth_exclude: [/login]

One provider or a list of them, any of which may know the user. `none` admits everybody, and stands alone. The variable
GOOGLE_CLIENT_ID goes before `client_id`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from voiceflow.auth import Authorize, Bearer, CloudflareAccess, GoogleIdToken, NoAuth
from voiceflow.auth.path_prefixes import excluded_path
from voiceflow.errors import ConfigError
from voiceflow.variables import variable

from .unknown_keys import hint
from .yamlfile import Value

Keys: TypeAlias = dict[str, Value]
Made: TypeAlias = tuple[Callable[..., Authorize], tuple[Any, ...]]
"""The class of a provider, and its arguments."""

NONE: Final = "none"
CLIENT_ID: Final = "GOOGLE_CLIENT_ID"
"""The environment variable that sets the `client_id` of Google."""


def read_auth(value: Value) -> tuple[Authorize, ...]:
    """The providers under `auth`. Raises `ConfigError`."""
    providers = tuple(map(_provider, value.items()))
    if len(providers) > 1 and any(isinstance(provider, NoAuth) for provider in providers):
        raise value.error(f"auth.provider {NONE} admits everybody: leave it out, or the others")
    return providers


def read_excluded(value: Value) -> tuple[str, ...]:
    """The paths under `auth_exclude`. Raises `ConfigError`."""
    return tuple(_excluded(one) for one in value.items())


def _excluded(value: Value) -> str:
    try:
        return excluded_path(value.text().strip())
    except ConfigError as error:
        raise value.error(f"auth_exclude: {error}") from None


def _provider(entry: Value) -> Authorize:
    named = entry.get("provider")
    if named is None:
        there = ", ".join(key.text() for key, _ in entry.entries()) or "nothing"
        raise entry.error(f"expected provider in auth, one of {', '.join(PROVIDERS)}; it has {there}")
    name = named.text().strip()
    known = PROVIDERS.get(name.lower())
    if known is None:
        raise named.error(f"auth.provider is {name!r}, {hint(name, PROVIDERS)}")
    make, needed = known
    keys = _keys(entry, needed)
    from_elsewhere = "client_id" if variable(CLIENT_ID) else None
    if missing := [key for key in needed if key not in (*keys, from_elsewhere)]:
        raise entry.error(f"expected {' and '.join(missing)} in auth, for {name}")
    kind, arguments = make(keys)
    try:
        return kind(*arguments)
    except ConfigError as error:
        raise entry.error(f"auth, {name}: {error}") from None


def _keys(entry: Value, needed: tuple[str, ...]) -> Keys:
    """The values of an entry that are there, by key. Raises `ConfigError` for a key that nobody knows."""
    found = {}
    for key, value in entry.entries():
        name = key.text()
        if name not in ("provider", *needed):
            raise key.error(f"auth.{name} is unknown, {hint(name, ('provider', *needed), 'auth.')}")
        if not value.missing:
            found[name] = value
    return found


def _cloudflare(keys: Keys) -> Made:
    return CloudflareAccess, (keys["team_domain"].text(), keys["audience"].text())


def _google(keys: Keys) -> Made:
    client = variable(CLIENT_ID) or (keys["client_id"].text() if "client_id" in keys else "")
    return GoogleIdToken, (client, [one.text() for one in keys["allowed_emails"].items()])


def _bearer(keys: Keys) -> Made:
    tokens = keys["tokens"]
    if tokens.is_mapping:
        return Bearer, ({user.text(): token.text().strip() for user, token in tokens.entries()},)
    return Bearer, ([token.text().strip() for token in tokens.items()],)


def _none(keys: Keys) -> Made:
    return NoAuth, ()


PROVIDERS: Final[dict[str, tuple[Callable[[Keys], Made], tuple[str, ...]]]] = {
    "cloudflare_access": (_cloudflare, ("team_domain", "audience")),
    "google": (_google, ("client_id", "allowed_emails")),
    "bearer": (_bearer, ("tokens",)),
    NONE: (_none, ()),
}
"""What makes the providers from their keys, and the keys, by name."""
