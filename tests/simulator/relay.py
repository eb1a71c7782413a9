"""A real TURN server on loopback: coturn."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

TURNSERVER = shutil.which("turnserver")
SECRET = "north"

needs_coturn = pytest.mark.skipif(TURNSERVER is None, reason="coturn's turnserver is not installed")


@contextlib.contextmanager
def coturn(folder: Path, *, loopback_peers: bool = True) -> Iterator[str]:
    """Its address, HOST:PORT. Without `loopback_peers` it relays to nobody on this machine."""
    assert TURNSERVER is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = int(unused.getsockname()[1])
    command = [TURNSERVER, "-n", "--use-auth-secret", f"--static-auth-secret={SECRET}", "--realm=test", "--no-cli"]
    command += ["-L", "127.0.0.1", f"--listening-port={port}", "--no-tls", "--no-dtls", "--log-file=stdout"]
    command += [f"--pidfile={folder / 'pid'}", *(["--allow-loopback-peers"] if loopback_peers else [])]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _await_port(port, server)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()


def _await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("turnserver does not listen")
