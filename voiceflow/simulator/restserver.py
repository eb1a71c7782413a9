"""Serves the double of a carrier's REST interface on this machine, at the address that the server has for it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import uvicorn

from voiceflow.config.address import LOCAL
from voiceflow.errors import ProviderConnectionError
from voiceflow.transports.carriers.double import Asgi


class _Server(uvicorn.Server):
    """Leaves signals to the command that it is part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def is_here(address: str) -> bool:
    """Whether a double can be served at the address of a REST interface: one of this machine, without TLS."""
    parts = urlsplit(address)
    return parts.scheme == "http" and parts.hostname in LOCAL


@contextlib.asynccontextmanager
async def rest_served(app: Asgi, address: str, title: str) -> AsyncIterator[None]:
    """Serve `app` at `address` while the context lasts. Raises `ProviderConnectionError` if that is not possible."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or 80
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ProviderConnectionError(
            f"cannot stand in for {title}'s REST interface at {address}: {error.strerror}. Is another call being made, "
            "or does something else have the port?"
        ) from error
    server = _Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve([listener]), name="REST double")
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        await asyncio.wait({serving})
