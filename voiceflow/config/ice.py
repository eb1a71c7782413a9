"""The entries of `ice` in the configuration file: STUN and TURN servers, or providers of them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from .secrets import Secrets

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
