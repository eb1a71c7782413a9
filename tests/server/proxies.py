"""Proxies and forwarders that stand before a server, as Debian packages them, on loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest
from launching import free_port, launched

PACKAGES: Final = {
    "nginx": "nginx-light",
    "haproxy": "haproxy",
    "caddy": "caddy",
    "socat": "socat",
    "sshd": "openssh-server",
}
"""Programs, and the packages of Debian that have them."""

NGINX = """\
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
    {content}
}}
"""
"""What a system's own nginx.conf says before it includes the files of its sites."""
BELOW_PREFIX = """\
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
"""

Proxy = Callable[[Path, str, Sequence[int]], contextlib.AbstractContextManager[None]]
"""Runs a proxy in a folder, with this configuration, while a context lasts. It listens at these ports by then."""


def program(name: str) -> str:
    """The path of a program; empty if it is not here."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin") or ""


def needs(name: str) -> pytest.MarkDecorator:
    """Skips a test where a program is missing."""
    reason = f"there is no {name}: apt-get install {PACKAGES[name]}"
    return pytest.mark.skipif(not program(name), reason=reason)


@contextlib.contextmanager
def nginx(folder: Path, content: str, ports: Sequence[int]) -> Iterator[None]:
    """nginx with `content` in its http block."""
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, content=content))
    with _listening([program("nginx"), "-c", str(file), "-p", str(folder)], folder, ports):
        yield


@contextlib.contextmanager
def haproxy(folder: Path, content: str, ports: Sequence[int]) -> Iterator[None]:
    file = folder / "haproxy.cfg"
    file.write_text(content)
    with _listening([program("haproxy"), "-db", "-f", str(file)], folder, ports):
        yield


@contextlib.contextmanager
def caddy(folder: Path, content: str, ports: Sequence[int]) -> Iterator[None]:
    file = folder / "Caddyfile"
    file.write_text("{\n    admin off\n    auto_https disable_redirects\n}\n" + content)
    command = [program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"]
    with _listening(command, folder, ports):
        yield


@contextlib.contextmanager
def socat(folder: Path, port: int, upstream: int) -> Iterator[None]:
    """A TCP forwarder from one port of this machine to another."""
    command = [
        program("socat"),
        "-t",
        "0.01",
        f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr",
        f"TCP:127.0.0.1:{upstream}",
    ]
    with _listening(command, folder, [port]):
        yield


@contextlib.contextmanager
def ssh_remote_forward(folder: Path, port: int, upstream: int) -> Iterator[None]:
    """`ssh -R PORT:127.0.0.1:UPSTREAM`, by a server of its own."""
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    if os.getuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)
    sshd_port = free_port()
    options = {
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "authorized",
        "Port": sshd_port,
        "ListenAddress": "127.0.0.1",
        "StrictModes": "no",
        "UsePAM": "no",
        "PidFile": "none",
        "PermitRootLogin": "prohibit-password",
    }
    server = [program("sshd"), "-D", "-e", "-f", os.devnull, *(f"-o{name}={value}" for name, value in options.items())]
    client = ["ssh", "-F", os.devnull, "-i", str(folder / "user"), "-p", str(sshd_port), "-N"]
    client += ["-oStrictHostKeyChecking=no", f"-oUserKnownHostsFile={os.devnull}", "-oExitOnForwardFailure=yes"]
    client += ["-R", f"127.0.0.1:{port}:127.0.0.1:{upstream}", "127.0.0.1"]
    with _listening(server, folder, [sshd_port], "sshd"), _listening(client, folder, [port], "ssh"):
        yield


@contextlib.contextmanager
def nginx_below(folder: Path, upstream: int, prefix: str, *, strips: bool) -> Iterator[str]:
    """Have nginx pass on what is below `prefix` to the port `upstream`. Yields its HOST:PORT."""
    port, passed = free_port(), "/" if strips else ""
    content = BELOW_PREFIX.format(port=port, prefix=prefix, upstream=upstream, passed=passed)
    with nginx(folder, content, [port]):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def _listening(command: Sequence[str], folder: Path, ports: Sequence[int], name: str = "") -> Iterator[None]:
    log = folder / f"{name or Path(command[0]).name}.log"
    environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with launched(command, folder, log, environment) as process:
        while not all(map(_listens, ports)):
            assert process.poll() is None, log.read_text()
            time.sleep(0.01)
        yield


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
