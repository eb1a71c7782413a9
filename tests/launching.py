"""Processes that serve, and how a test waits until they do."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx


def free_port() -> int:
    """A port of loopback at which nothing listens. It is not one of those, from 32768 on, which the system gives to
    connections: one of them may have it by the time somebody listens there."""
    while True:
        port = secrets.choice(range(10_000, 32_768))
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextlib.contextmanager
def launched(
    command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in `folder` that writes to `log`. At last it is killed, with all that it has started."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def await_health(process: subprocess.Popen[bytes], address: Callable[[], str], log: Path, *, seconds: float) -> None:
    """Return once `process` answers at `address()`, http://HOST:PORT, which may be empty until it is known."""
    deadline = time.monotonic() + seconds
    while not is_healthy(address()):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def is_healthy(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError, httpx.UnsupportedProtocol):
        return httpx.get(f"{address}/health", trust_env=False).is_success
    return False
