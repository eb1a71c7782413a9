"""Addresses in the configuration: where carriers reach the media stream, and where we reach carriers."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from msgspec import Meta

from voiceflow.errors import ConfigError

MEDIA: Final = "/sip/media-stream"
"""The path of carriers' media streams."""
LOCAL: Final = ("localhost", "127.0.0.1", "::1")
"""The hosts of URLs that stay on this machine."""

# Carriers connect by TLS only, and some refuse a query in the address of a stream.
PublicAddress = Annotated[
    str,
    Meta(
        pattern=r"^(wss://[^\s/?#@]+|ws://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)(/[^\s?#]*)?\Z",
        description=f"wss://HOST{MEDIA} without a query (ws:// for localhost only)",
    ),
]

# Credentials are sent there: in the clear at most to this machine, where a double of the carrier may stand.
RestAddress = Annotated[
    str,
    Meta(
        pattern=r"^(https://[^\s/?#@]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?)(/[^\s?#]*)?\Z",
        description="https://HOST, or http:// for localhost only, without a query",
    ),
]


def completed(address: str) -> str:
    """A `PublicAddress` with the path of media streams, which may be missing, and without needless slashes.

    Raises `ConfigError` for one with another path, at which no stream is served, and for one whose host cannot be.
    """
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise ConfigError(f"expected wss://HOST{MEDIA} ({error})") from None
    path = re.sub("/+", "/", parts.path).rstrip("/")
    base = f"{parts.scheme}://{parts.netloc}"
    if path and not path.endswith(MEDIA):
        raise ConfigError(
            f"expected {base}{MEDIA}, the only path at which streams are served, or what a proxy puts before that path"
        )
    return f"{base}{path or MEDIA}"
