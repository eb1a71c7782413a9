"""The entries of `ice` in the configuration file: STUN and TURN servers, or providers of them."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from .fields import in_file, meaning, types_of
from .secrets import Secrets
from .unknown_keys import Warn, nearest
from .yamlfile import Value

IceUrl = Annotated[
    str,
    Meta(
        pattern=r"^(stuns?:[^\s/?@]+|turns?:[^\s/?@]+(\?transport=(udp|tcp))?)\Z",
        description="stun:HOST:PORT or turn:HOST:PORT?transport=udp (or tcp), stuns: and turns: with TLS",
    ),
]


class StaticServers(Secrets, frozen=True, kw_only=True):
    """STUN and TURN servers that are always the same."""

    urls: tuple[IceUrl, ...]
    username: str | None = None
    """Required for TURN, as is `credential`."""
    credential: str | None = None


class Coturn(Secrets, frozen=True, kw_only=True):
    """A coturn server with `use-auth-secret`: passwords are made from a shared secret and expire after a day."""

    urls: tuple[IceUrl, ...]
    secret: str
    """The `static-auth-secret` of the server."""


class TwilioServers(Secrets, frozen=True, kw_only=True):
    """Twilio's servers, for the account in `provider_config.twilio`."""


class Cloudflare(Secrets, frozen=True, kw_only=True):
    """Cloudflare's servers, for a TURN key."""

    key_id: str
    api_token: str


ICE: TypeAlias = StaticServers | Coturn | TwilioServers | Cloudflare
ICE_PROVIDERS: dict[str, type[ICE]] = {
    "": StaticServers,
    "coturn": Coturn,
    "twilio": TwilioServers,
    "cloudflare": Cloudflare,
}
"""The types of entries by the value of `provider`; "" stands for an entry without one."""


def read_ice(value: Value, warn: Warn) -> ICE:
    """An entry of `ice`, whose `provider` decides which other keys it has. `warn` is told of unknown keys. Raises
    `ConfigError`."""
    named = value.get("provider")
    provider = named.text().strip() if named else ""
    kind = ICE_PROVIDERS.get(provider.lower())
    if kind is None:
        near = nearest(provider, filter(None, ICE_PROVIDERS))
        hint = f", did you mean {near}?" if near else "."
        known = ", ".join(filter(None, ICE_PROVIDERS))
        raise (named or value).error(f"ice.provider is {provider!r}{hint} Expected {known}; or none, with urls")
    found: dict[str, Any] = {
        name.removeprefix("ice."): setting.text
        for name, setting in in_file(value, types_of(kind), warn, "ice.", elsewhere=("provider", "urls"))
    }
    if urls := value.get("urls"):
        found["urls"] = tuple(map(_ice_url, urls.items()))
    needed = [field.name for field in msgspec.structs.fields(kind) if field.required]
    if kind is StaticServers and any(url.startswith("turn") for url in found.get("urls", ())):
        needed += ["username", "credential"]
    if missing := [name for name in needed if not found.get(name)]:
        raise value.error(f"expected {' and '.join(missing)} in ice{f', for {provider}' if provider else ''}")
    return kind(**{name: found[name] for name in types_of(kind) if name in found})


def _ice_url(value: Value) -> str:
    try:
        return msgspec.convert(value.text().strip(), IceUrl)
    except msgspec.ValidationError:
        shown = value.text().rpartition("@")[2]  # before the @ there would be a password
        raise value.error(f"ice.urls is {shown!r}: expected {meaning(IceUrl)}") from None
