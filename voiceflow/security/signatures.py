"""What carriers' signatures have in common: they are made for a URL, and stand in headers.

How each carrier signs is in its folder, transports/carriers/NAME/. There every function returns nothing if the
signature is good and raises `CallRejectedError` if it is not, whatever the request contains. Headers are those of an
ASGI scope. Nothing here believes a header about where it was sent to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
"""As in an ASGI scope."""


def requested_url(public_address: str, scope: Mapping[str, Any]) -> str:
    """The URL by which a carrier reached the HTTP request of an ASGI scope.

    Scheme and host are those of the configured public address, whose own path does not matter. A proxy's headers
    could claim any; a signature made for another host would then pass here.
    """
    address = urlsplit(public_address)
    scheme = "http" if address.scheme in ("http", "ws") else "https"
    path = scope.get("raw_path") or scope["path"].encode()
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return f"{scheme}://{address.netloc}{(path + query).decode('latin-1')}"


def by_name(headers: Headers) -> dict[bytes, bytes]:
    """Headers by name, in small letters. Of several the last counts, which may refuse a good request but accepts no
    bad one."""
    return {name.lower(): value for name, value in headers}
