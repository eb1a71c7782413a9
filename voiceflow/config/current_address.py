"""The public address as it is now: the configured one, or that of a tunnel, which may change while the server runs.

A quick tunnel that is opened anew has another name. The process that keeps the tunnel writes its address to a file, and
each process that serves reads it for every webhook: they are processes of their own, and webhooks are few.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from .settings import Config

VARIABLE: Final = "VOICEFLOW_TUNNEL_ADDRESS"
"""The environment variable by which processes that serve inherit the path of the file."""


def current_address(config: Config) -> str | None:
    """The address at which carriers reach the media stream now."""
    path = os.environ.get(VARIABLE)
    if not path:
        return config.public_ws_url
    try:
        with open(path) as file:
            ours = os.fstat(file.fileno()).st_uid == os.getuid()  # what is old may be removed from a shared folder
            return file.read() if ours else config.public_ws_url
    except OSError:  # the command is ending, and has removed it
        return config.public_ws_url


@contextmanager
def kept_in(file: Path) -> Iterator[None]:
    """In this context, and in processes that are started in it, the address is the one in `file`."""
    os.environ[VARIABLE] = str(file)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
