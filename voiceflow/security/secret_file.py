"""The file by which commands on this machine learn the secret of a server's run: one for each port, which only its
owner can read, and which is gone when the server has ended."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from voiceflow.errors import ConfigError
from voiceflow.security.private_file import is_private, make_private


@contextlib.contextmanager
def published(secret: str, port: int) -> Iterator[None]:
    """Keep `secret` for the server at `port` in its file while the context lasts. Raises `ConfigError` if that is not
    possible."""
    file = _file(port)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not is_private(file.parent):
            raise ConfigError(f"{file.parent} is open to others: set XDG_RUNTIME_DIR or TMPDIR to a folder of yours")
        file.unlink(missing_ok=True)
        make_private(file, secret.encode())
    except OSError as error:
        raise ConfigError(
            f"cannot write {file}, from which commands learn the secret of this run: {error.strerror}. "
            f"Set XDG_RUNTIME_DIR or TMPDIR to a folder that can be written"
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if file.read_text() == secret:  # not that of another server, which has the port by now
                file.unlink()


def secret_for(host: str, port: int) -> str | None:
    """The secret of the server at `host`, `port`. None: it is on another machine, has none, or is not ours."""
    file = _file(port)
    try:
        secret = file.read_text() if is_private(file) else None
    except OSError:
        return None
    return secret if secret and _is_here(host) else None


def _file(port: int) -> Path:
    folder = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(folder, "voiceflow") if folder else Path(tempfile.gettempdir(), f"voiceflow-{os.getuid()}")
    return base / f"{port}.secret"


def _is_here(host: str) -> bool:
    """Whether this machine has the address `host`: nobody else is to learn a secret."""
    try:
        for family, kind, _, _, address in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM):
            with socket.socket(family, kind) as probe:
                probe.bind(address)
    except (OSError, UnicodeError):
        return False
    return True
