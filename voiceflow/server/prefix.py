"""The prefix: the path below which everything is served. In wss://HOST/voice/sip/media-stream it is /voice.

A proxy in front of the server either strips it, so that we see /sip/twilio/answer, or keeps it, and we see
/voice/sip/twilio/answer. An application around ours that mounts it names in `root_path` where. All of these become the
path that was requested publicly, the one that carriers sign, with the prefix as its `root_path`.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from starlette.types import Scope

from voiceflow.config.address import MEDIA

OF_ROUTERS: Final = ("app_root_path", "endpoint", "path_params", "route", "router")
"""What Starlette's routers keep in a scope. Those of an application around ours mean nothing to ours."""


def prefix_of(public_address: str | None) -> str:
    """The prefix as it stands in the address, such as "/voice". Empty if there is none."""
    path = urlsplit(public_address or "").path
    return path.removesuffix(MEDIA).rstrip("/") if path.endswith(MEDIA) else ""


def public_http(public_address: str) -> str:
    """Where everything that is served by HTTP is publicly, such as "https://HOST/voice"."""
    address = urlsplit(public_address)
    return f"{'http' if address.scheme == 'ws' else 'https'}://{address.netloc}{prefix_of(public_address)}"


def at_prefix(scope: Scope, prefix: str | None, own: Container[str]) -> Scope:
    """The scope of a request with the path that was requested publicly, and the prefix as its `root_path` (as ASGI has
    it), and without what routers around ours have left in it. None as the prefix: it is where the application is
    mounted.

    `own` are the paths that are served below the prefix: one of them has come without the prefix, even if it begins
    like it.
    """
    scope = {key: value for key, value in scope.items() if key not in OF_ROUTERS}
    root, below = _parts(scope)
    if prefix is None:
        public = root
    elif not root.decoded and _has_prefix(below.decoded, unquote(prefix)) and below.decoded not in own:
        return {**scope, "path": below.decoded, "raw_path": below.raw, "root_path": unquote(prefix)}
    else:
        public = _Path(unquote(prefix), prefix.encode())
    path, raw = public.decoded + below.decoded, public.raw + below.raw
    return {**scope, "path": path, "raw_path": raw, "root_path": public.decoded}


def below_prefix(scope: Scope) -> str:
    """The path of a request below the prefix, in a scope of `at_prefix`: "" for the prefix itself."""
    return str(scope["path"]).removeprefix(scope["root_path"])


def public_address(configured: str, scope: Scope) -> str:
    """Where carriers reach the media stream: the configured address, with the prefix in a scope of `at_prefix` if it
    names none."""
    address = urlsplit(configured)
    prefix = prefix_of(configured) or quote(scope["root_path"])
    return f"{address.scheme}://{address.netloc}{prefix}{MEDIA}"


class _Path(NamedTuple):
    """A path, and how it was written in the request."""

    decoded: str
    raw: bytes


def _parts(scope: Scope) -> tuple[_Path, _Path]:
    """Where the application is mounted, and the path below that. Servers and frameworks differ in whether their paths
    begin with `root_path`, and in whether `raw_path` does."""
    path, root = scope["path"], scope.get("root_path", "").rstrip("/")
    below = path.removeprefix(root) if _has_prefix(path, root) else path
    raw = scope.get("raw_path") or quote(path).encode()
    segments = raw.split(b"/")
    for mounted in (root.count("/"), 0):
        raw_below = b"".join(b"/" + segment for segment in segments[mounted + 1 :])
        if unquote(raw_below.decode("latin-1")) == below:
            raw_root = raw.removesuffix(raw_below) if mounted else quote(root).encode()
            return _Path(root, raw_root), _Path(below, raw_below)
    return _Path(root, quote(root).encode()), _Path(below, quote(below).encode())


def _has_prefix(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")
