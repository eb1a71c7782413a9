"""Recognising requests that come from the user of this machine. They need no credentials, so the rule is strict.

A request is local if all of these hold:

- Its peer has a loopback address. That alone proves little: a tunnel or a proxy connects from loopback, too.
- Its Host is localhost, 127.0.0.1 or [::1]. A page whose own name was made to point at 127.0.0.1 (DNS
  rebinding) sends that name.
- Nothing says that it was passed on: a header that proxies, tunnels and content networks add (`PASSED_ON`), HTTP/1.0,
  which nginx speaks to servers behind it, a target with scheme and host, which is how clients ask proxies, or the
  `Connection: upgrade` that proxies are told to send with every request, with and without an upgrade.

Requests through a proxy on this machine that rewrites Host, speaks HTTP/1.1 and adds none of these headers cannot be
told apart from the user's own, which is why a server that others may reach asks for more: see trust.py.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final

PASSED_ON: Final = (
    b"forwarded",
    b"via",
    b"x-forwarded",
    b"x-real-ip",
    b"x-nginx-",
    b"x-host",
    b"x-scheme",
    b"x-url-scheme",
    b"x-varnish",
    b"x-goog-",
    b"x-appengine-",
    b"client-ip",
    b"remote-addr",
    b"wl-proxy-",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-original-",
    b"x-proxy",
    b"x-envoy-",
    b"x-amzn-",
    b"x-arr-",
    b"x-azure-",
    b"x-cloud-trace-context",
    b"x-vercel-",
    b"cf-",
    b"cdn-loop",
    b"true-client-ip",
    b"fastly-",
    b"akamai-",
    b"fly-",
    b"ngrok-",
    b"tailscale-",
    b"proxy-",
    b"max-forwards",
)
"""Beginnings of the names of headers that a request gets when it is passed on."""
ABSOLUTE_TARGET: Final = "voiceflow.absolute_target"
"""The ASGI extension that is there when the target of the request has scheme and host (RFC 9112, section 3.2.2)."""
_host = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)


def is_local(scope: Mapping[str, Any]) -> bool:
    """Whether the request of an ASGI scope (HTTP or WebSocket) comes from this machine. From which page of its user's
    browser it comes is not examined here: see trust.py."""
    headers: list[tuple[bytes, bytes]] = [(name.lower(), value) for name, value in scope["headers"]]
    hosts = [value for name, value in headers if name == b"host"]
    return (
        _is_loopback(scope.get("client"))
        and len(hosts) == 1
        and _host.fullmatch(hosts[0]) is not None
        and not any(name.startswith(PASSED_ON) for name, _ in headers)
        and not _announces_no_upgrade(headers)
        and scope.get("http_version") != "1.0"
        and ABSOLUTE_TARGET not in (scope.get("extensions") or ())
    )


def _announces_no_upgrade(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a request has `Connection: upgrade`, and no `Upgrade` that says to what."""
    options = [
        option.strip().lower() for name, value in headers if name == b"connection" for option in value.split(b",")
    ]
    return b"upgrade" in options and not any(name == b"upgrade" for name, _ in headers)


def _is_loopback(client: tuple[str, int] | None) -> bool:
    """Whether a peer is on this machine. False for a Unix socket, which has no address and is used by proxies."""
    try:
        address = ipaddress.ip_address(client[0] if client else "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # ::ffff:127.0.0.1, as sockets for both families report it
    return bool((mapped or address).is_loopback)
