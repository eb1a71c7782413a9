"""Shared by the verification of all carriers' signatures: the URL that was requested, and looking up headers.

The verification itself is in each carrier's folder, transports/carriers/NAME/. Its functions return None if a
signature is good and raise `CallRejectedError` if it is not, whatever the request contains. Nothing here trusts a
header for the address to which a request was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

Headers: TypeAlias = Iterable[tuple[bytes, bytes]]
"""Names and values of headers, as in an ASGI scope."""


def requested_url(public_address: str, scope: Mapping[str, Any]) -> str:
    """The URL that a carrier requested, for the HTTP request of an ASGI scope.

    Scheme and host are those of `public_address`, the configured one. They are not taken from headers, which could
    claim any host: a signature made for another host would then be accepted here. The path is the scope's.
    """
    address = urlsplit(public_address)
    scheme = "http" if address.scheme in ("http", "ws") else "https"
    path = scope.get("raw_path") or scope["path"].encode()
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return f"{scheme}://{address.netloc}{(path + query).decode('latin-1')}"


def by_name(headers: Headers) -> dict[bytes, bytes]:
    """Headers by name, in lower case. Of several with one name the last counts, which may refuse a good request but
    accepts no bad one."""
    return {name.lower(): value for name, value in headers}
