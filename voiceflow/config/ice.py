"""What is configured about STUN and TURN servers: the entries of `ice` in the file."""

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
    """TURN needs one, and a credential."""
    credential: str | None = None


class Coturn(Secrets, frozen=True, kw_only=True):
    """A coturn server with `use-auth-secret`: each call gets a password of its own."""

    urls: tuple[IceUrl, ...]
    secret: str
    """Its `static-auth-secret`."""


class TwilioServers(Secrets, frozen=True, kw_only=True):
    """Twilio's, for the account in `provider_config.twilio`."""


class Cloudflare(Secrets, frozen=True, kw_only=True):
    """Cloudflare's, with a TURN key."""

    key_id: str
    api_token: str


ICE: TypeAlias = StaticServers | Coturn | TwilioServers | Cloudflare
ICE_PROVIDERS: dict[str, type[ICE]] = {
    "": StaticServers,
    "coturn": Coturn,
    "twilio": TwilioServers,
    "cloudflare": Cloudflare,
}
"""By the name in `provider`."""
