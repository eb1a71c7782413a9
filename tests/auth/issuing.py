"""An issuer of identity tokens: its keys, its tokens, and the server at which it publishes the keys."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from voiceflow.auth import Authorize, AuthResult

AUDIENCE: Final = "aud-of-our-application"
EMAIL: Final = "ann@example.com"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def jwk(key: PrivateKey, kid: str, **more: object) -> dict[str, Any]:
    """The public part of `key` as an issuer publishes it."""
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    public: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)  # type: ignore[arg-type]
    return {**public, "kid": kid, "use": "sig", **more}


class Issuer:
    """A team of Cloudflare Access on loopback, which publishes its keys as the real one does."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.asked: list[str] = []
        """The paths that were asked for."""
        self.keys: Any = {"keys": [jwk(rsa_key(), "rsa", alg="RS256"), jwk(ec_key(), "ec")]}
        self.status = 200
        self.headers = ""
        self.hold: asyncio.Event | None = None
        """Answers wait for it."""

    def claims(self, **changed: object) -> dict[str, Any]:
        """What a good token of Cloudflare Access says; what is changed to None is left out."""
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": [AUDIENCE],
            "sub": "user-1",
            "email": EMAIL,
            "iat": now - 10,
            "nbf": now - 10,
            "exp": now + 600,
            "type": "app",
        } | changed
        return {name: value for name, value in said.items() if value is not None}

    def token(
        self, key: Any = None, algorithm: str = "RS256", header: Mapping[str, Any] | None = None, **changed: object
    ) -> str:
        """A signed token; a good one unless it is told otherwise."""
        return signed(self.claims(**changed), key, algorithm, header)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(head.split()[1].decode())
            if self.hold is not None:
                await self.hold.wait()
            body = self.keys if isinstance(self.keys, bytes) else json.dumps(self.keys).encode()
            writer.write(f"HTTP/1.1 {self.status} OK\r\nContent-Length: {len(body)}\r\n{self.headers}".encode())
            writer.write(b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        writer.close()


def signed(
    claims: Mapping[str, Any], key: Any = None, algorithm: str = "RS256", header: Mapping[str, Any] | None = None
) -> str:
    return jwt.encode(dict(claims), key or rsa_key(), algorithm=algorithm, headers={"kid": "rsa", **(header or {})})


def handmade(header: Mapping[str, Any] | bytes, claims: Mapping[str, Any] | bytes, signature: bytes = b"") -> str:
    """A token that no library would make."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))


@contextlib.asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    """An issuer, until the context ends."""
    issuer = Issuer(0)
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        if issuer.hold is not None:
            issuer.hold.set()
        server.close()


def request(kind: str = "http", query: str = "", path: str = "/", **headers: str) -> dict[str, Any]:
    """The ASGI scope of a request; underscores in the names of headers stand for hyphens."""
    return {
        "type": kind,
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [
            (name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ],
    }


async def shown(provider: Authorize, token: str) -> AuthResult | None:
    """Whom the provider finds in a token that Cloudflare would add."""
    return await provider(request(Cf_Access_Jwt_Assertion=token))
