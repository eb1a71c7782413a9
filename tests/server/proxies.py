"""Reverse proxies that serve us below a prefix: nginx, in the two ways in which it passes paths on."""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from launching import free_port, launched

NGINX: Final = shutil.which("nginx") or (shutil.which("nginx", path="/usr/sbin") or "")
needs_nginx = pytest.mark.skipif(not NGINX, reason="there is no nginx: apt-get install nginx-light")

CONFIGURATION = """\
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location {prefix}/ {{
            proxy_pass http://127.0.0.1:{upstream}{passed};
            proxy_http_version 1.1;
            proxy_set_header Host calls.example.com;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $http_connection;
        }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, upstream: int, prefix: str, *, strips: bool) -> Iterator[str]:
    """Have nginx pass on what is below `prefix` to the port `upstream`. Yields its HOST:PORT."""
    port = free_port()
    file, log = folder / "nginx.conf", folder / "log"
    passed = "/" if strips else ""
    file.write_text(CONFIGURATION.format(folder=folder, port=port, prefix=prefix, upstream=upstream, passed=passed))
    with launched([NGINX, "-c", str(file), "-p", str(folder)], folder, log) as process:
        while not _listens(port):
            assert process.poll() is None, log.read_text()
            time.sleep(0.01)
        yield f"127.0.0.1:{port}"


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
