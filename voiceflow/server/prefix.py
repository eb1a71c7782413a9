"""The prefix of the public address: in wss://HOST/voice/sip/media-stream it is /voice.

A proxy in front of the server either strips it, so that we see /sip/twilio/answer, or keeps it, and we see
/voice/sip/twilio/answer. Both are served, and both become the path that was requested: the one that carriers sign.
"""

from __future__ import annotations

from collections.abc import Container
from urllib.parse import unquote, urlsplit

from starlette.types import Scope

from voiceflow.config.address import MEDIA


def prefix_of(public_address: str | None) -> str:
    """The prefix as it stands in the address, such as "/voice". Empty if there is none."""
    path = urlsplit(public_address or "").path
    return path.removesuffix(MEDIA).rstrip("/") if path.endswith(MEDIA) else ""


def public_http(public_address: str) -> str:
    """Where everything that is served by HTTP is publicly, such as "https://HOST/voice"."""
    address = urlsplit(public_address)
    return f"{'http' if address.scheme == 'ws' else 'https'}://{address.netloc}{prefix_of(public_address)}"


def at_prefix(scope: Scope, prefix: str, own: Container[str]) -> Scope:
    """The scope of a request with the path that was requested, and the prefix as its `root_path` (as ASGI has it).

    `own` are the paths that are served below the prefix: one of them has come without the prefix, even if it begins
    like it.
    """
    decoded, path = unquote(prefix), scope["path"]
    kept = path not in own and path.startswith(f"{decoded}/")
    raw = scope.get("raw_path") or path.encode()
    if not kept and path != decoded:
        path, raw = decoded + path, prefix.encode() + raw
    return {**scope, "path": path, "raw_path": raw, "root_path": decoded}
