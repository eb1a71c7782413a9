"""The configurations of docs/proxies.md, with ports and certificates of a test in place of the documented ones."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from certificates import Certificate
from launching import free_port
from server import proxies

TEXT: Final = (Path(__file__).resolve().parents[2] / "docs" / "proxies.md").read_text()
HOST: Final = "calls.example.com"
LANGUAGES: Final = {"nginx": "nginx", "caddy": "caddyfile", "haproxy": "haproxy"}
TITLES: Final = {"nginx": "nginx", "caddy": "Caddy", "haproxy": "HAProxy"}


def block(name: str) -> str:
    """The configuration of a proxy, as it is documented."""
    (found,) = re.findall(rf"^```{LANGUAGES[name]}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return str(found)


def below_prefix(name: str) -> tuple[str, str]:
    """What the documentation has one write in place of what, to serve below /voice."""
    (row,) = re.findall(rf"^\| {TITLES[name]} \| `(.*?)` \| `(.*?)` \|$", TEXT, re.MULTILINE)
    return row[0], row[1]


@contextlib.contextmanager
def documented(
    name: str,
    folder: Path,
    upstream: int,
    certificate: Certificate,
    *changes: tuple[str, str],
    https: int | None = None,
    host: str = HOST,
) -> Iterator[tuple[int, int]]:
    """Run a proxy as it is documented, with `changes`, before the port `upstream`, for `host`, at the port `https` or
    at any. Yields its ports of HTTPS and HTTP."""
    https, http = https or free_port(), free_port()
    places = {
        "nginx": [
            ("/var/log/nginx/voiceflow.log", str(folder / "access.log")),
            ("listen 443", f"listen 127.0.0.1:{https}"),
            ("listen 80", f"listen 127.0.0.1:{http}"),
            (f"/etc/letsencrypt/live/{HOST}/fullchain.pem", str(certificate.chain)),
            (f"/etc/letsencrypt/live/{HOST}/privkey.pem", str(certificate.key)),
        ],
        "caddy": [
            (
                f"{HOST} {{",
                f"https://{HOST}:{https} {{\n    bind 127.0.0.1\n    tls {certificate.chain} {certificate.key}",
            )
        ],
        "haproxy": [
            ("bind :443", f"bind 127.0.0.1:{https}"),
            ("bind :80", f"bind 127.0.0.1:{http}"),
            (f"/etc/haproxy/{HOST}.pem", str(certificate.both)),
        ],
    }
    content = block(name)
    for old, new in [*changes, *places[name], (HOST, host), ("127.0.0.1:8000", f"127.0.0.1:{upstream}")]:
        assert old in content, f"{old!r} is not in the configuration of {name}"
        content = content.replace(old, new)
    with getattr(proxies, name)(folder, content, [https] if name == "caddy" else [https, http]):
        yield https, http
