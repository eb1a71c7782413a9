"""The server as it is reached from elsewhere: at its public address, without the operator's secret."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus

from voiceflow.config.address import LOCAL
from voiceflow.server.prefix import public_http
from voiceflow.variables import DIRECT

from .finding import DEADLINE

LARGEST: Final = 64 * 1024
"""Bytes of an answer that are read."""


class CallNumbers(msgspec.Struct, frozen=True):
    """Who calls whom in the calls that are tried."""

    caller_id: str
    did: str


class UnreachedError(Exception):
    """Nothing could be asked. Says why."""


class Answer(msgspec.Struct, frozen=True):
    """What an HTTP request was answered with."""

    status: int
    media_type: str
    body: bytes

    @property
    def said(self) -> str:
        """The status and the beginning of the body, as errors quote them."""
        text = " ".join(self.body[:200].decode(errors="replace").split())
        return f"{self.status} {text!r}" if text else str(self.status)


class Outside:
    """A public address, and how it is asked."""

    def __init__(self, media: str) -> None:
        """`media` is the public address of media streams."""
        parts = urlsplit(media)
        self.media = media
        self.http = public_http(media)
        self.host = parts.hostname or ""
        self.tls = httpx.create_ssl_context() if parts.scheme == "wss" else None
        self.port = parts.port or (443 if self.tls else 80)

    async def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] = {}, body: bytes = b"", base: str | None = None
    ) -> Answer:
        """The answer to a request for a path below the public address, or below `base`, on this machine. Raises
        `UnreachedError`."""
        url = (self.http if base is None else base) + path
        try:
            async with (
                asyncio.timeout(DEADLINE),
                httpx.AsyncClient(
                    verify=self.tls or True, timeout=DEADLINE, trust_env=base is None, mounts=DIRECT
                ) as client,
                client.stream(method, url, headers=dict(headers), content=body) as response,
            ):
                read = b""
                async for data in response.aiter_raw():
                    read += data
                    if len(read) > LARGEST:
                        break
                return Answer(response.status_code, response.headers.get("content-type", ""), read)
        except TimeoutError:
            raise UnreachedError(f"no answer within {DEADLINE:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachedError(str(error) or type(error).__name__) from error

    @contextlib.asynccontextmanager
    async def dialled(self, url: str | None = None, headers: Mapping[str, str] = {}) -> AsyncIterator[ClientConnection]:
        """A WebSocket at the public address, or at `url`. Raises `UnreachedError`."""
        options: dict[str, Any] = {"ssl": self.tls} if self.tls else {}
        if self.host in LOCAL:
            options["proxy"] = None
        try:
            websocket = await connect(
                url or self.media,
                additional_headers=dict(headers),
                compression=None,
                open_timeout=DEADLINE,
                close_timeout=1,
                **options,
            )
        except InvalidStatus as error:
            body = " ".join((error.response.body or b"")[:120].decode(errors="replace").split())
            raise UnreachedError(f"the handshake was answered with {error.response.status_code} {body!r}") from error
        except (InvalidHandshake, InvalidMessage, OSError, TimeoutError) as error:
            raise UnreachedError(str(error) or "no answer") from error
        async with websocket:
            yield websocket


def explained(error: OSError) -> str:
    """Why a connection could not be made."""
    match error:
        case socket.gaierror():
            return f"there is no such host ({error.strerror})"
        case ssl.SSLCertVerificationError():
            return error.verify_message
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number)  # asyncio writes the address beside it
        case _:
            return str(error) or type(error).__name__
