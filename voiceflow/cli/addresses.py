"""The public addresses of a server, as lines that are printed."""

from __future__ import annotations

from voiceflow.auth import Composite, NoAuth
from voiceflow.config.ice import StaticServers
from voiceflow.config.settings import Config
from voiceflow.server.prefix import public_http
from voiceflow.transports.carriers import carriers


def public_lines(address: str, key: str) -> list[str]:
    """Where the page and the webhooks are, if `address` is the public one of media streams. `key` completes the link
    that opens the page."""
    public = public_http(address)
    return [
        f"publicly         {public}{key}",
        *(f"for {each.name:12} {public}{each.webhook_path}" for each in carriers()),
    ]


def who_may_come_in(providers: Composite, *, exposed: bool, insecure: bool) -> str:
    """Who may open the page and call from a browser. `exposed`: nobody is trusted for their address."""
    if insecure:
        return "everybody (--insecure)"
    if any(isinstance(provider, NoAuth) for provider in providers.providers):
        return "everybody (auth: none)"
    us = "whoever has this link" if exposed else "browsers on this machine"
    return f"{us}, and whoever is known to {providers}" if providers.providers else us


def has_turn(config: Config) -> bool:
    """Whether a TURN server is configured, which gives browsers on other networks a path."""
    return any(
        not isinstance(entry, StaticServers) or any(url.startswith("turn") for url in entry.urls)
        for entry in config.ice or ()
    )
