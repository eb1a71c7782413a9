"""Whatever is shown as an identity to a server that asks for one: it is refused by "Unauthorized" and no more, and
nothing fails or hangs. The issuer's keys come from a double of Google's, on loopback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
from collections.abc import Iterator
from urllib.parse import quote

import msgspec
import pytest
from auth.issuing import Issuer, handmade, issuing, rsa_key
from hypothesis import given, settings
from hypothesis import strategies as st
from server.serving import TUNNEL, loop_factory
from server.test_fuzz import BYTES, CONFIG, DEEP, FRAMES, Tried, close, frame, trying

from voiceflow.auth import Bearer, Composite, GoogleIdToken
from voiceflow.config.address import MEDIA

TOKEN = "s3cret-of-ann"
CLIENT = "page.apps.googleusercontent.com"
REFUSAL = b'{"error":"Unauthorized"}'
OPEN = ("/health", "/ready", "/sip/twilio/answer", "/sip/telnyx/answer")
GOOGLES = {"iss": "https://accounts.google.com", "aud": CLIENT, "email_verified": True}


class Guarded(Tried):
    """A server that asks for identities of Google or for a token, and Google."""

    def __init__(self, tried: Tried, issuer: Issuer) -> None:
        super().__init__(tried._runner, tried.served)
        self.issuer = issuer

    def as_(self, method: str, path: str, *headers: bytes) -> bytes:
        """A request with these headers of its own."""
        lines = [f"{method} {path} HTTP/1.1".encode("latin-1"), b"Host: calls.example.com", b"Connection: close"]
        lines += [f"{name}: {value}".encode() for name, value in TUNNEL.items()]
        return b"\r\n".join([*lines, b"Content-Length: 0", *headers, b"", b""])

    def tokens(self) -> list[bytes]:
        """Values of Authorization that are nobody's."""
        good = self.issuer.token(**GOOGLES)
        head, body, signature = good.split(".")
        deep = b"[" * DEEP
        odd = [
            handmade({"alg": algorithm, "kid": kid}, self.issuer.claims(**GOOGLES), b"x")
            for algorithm, kid in itertools.product(("none", "RS256", "HS256", "", 1, None), ("rsa", "", [], "\x00"))
        ]
        odd += [
            handmade(first, second) for first, second in itertools.permutations([*BYTES[:8], deep[:5000], b"{}"], 2)
        ]
        odd += [
            f"{head}.{body}.",
            f"{head}.{body[:-1]}.{signature}",
            f"{good}.",
            f".{good}",
            "..",
            "." * 9000,
            good[:-3],
        ]
        odd += [self.issuer.token(**{**GOOGLES, **changed}) for changed in CHANGED]
        shown = [b"Bearer " + token.encode("latin-1", "replace") for token in odd]
        return [
            *shown,
            b"",
            b"Bearer",
            b"Bearer  ",
            b"Basic eDp5",
            b"\xff\xfe",
            b"Bearer \xff\xed\xa0\x80",
            b"x" * 20_000,
        ]


CHANGED: list[dict[str, object]] = [
    {"aud": "other"},
    {"aud": []},
    {"iss": "https://accounts.google.com.evil.example"},
    {"exp": 0},
    {"exp": -1},
    {"nbf": 1e18},
    {"email": "eve@example.com"},
    {"email": None},
    {"email": "ann@example.com\x00"},
    {"email_verified": "true"},
    {"sub": None},
    {"email_verified": False},
]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        stack = contextlib.AsyncExitStack()
        issuer = runner.run(stack.enter_async_context(issuing()))
        google = GoogleIdToken(CLIENT, ["ann@example.com"], keys=f"{issuer.url}/certs")
        config = msgspec.structs.replace(CONFIG, auth=(Composite([Bearer({"ann": TOKEN}), google]),))
        with trying(runner, config) as (tried, log):
            yield Guarded(tried, issuer)
        runner.run(stack.aclose())
    assert TOKEN not in log.getvalue()


def body_of(answer: bytes) -> tuple[bytes, bytes]:
    return answer[9:12], answer.partition(b"\r\n\r\n")[2]


def test_whoever_shows_no_identity_is_told_unauthorized_and_no_more(guarded: Guarded) -> None:
    async def main() -> None:
        paths = [path for path in guarded.paths if path not in OPEN]
        for number, token in enumerate(guarded.tokens()):
            path = paths[number % len(paths)]
            answer = await guarded.answer(guarded.as_("GET", path, b"Authorization: " + token))
            if len(token) > 30_000:  # more than a request may have
                assert answer[9:12] in (b"431", b"")
                continue
            assert body_of(answer) == (b"401", REFUSAL), (path, token[:80], answer[:300])
            if token.isascii() and len(token) < 9000:
                shown = quote(token.removeprefix(b"Bearer "))
                answer = await guarded.answer(guarded.as_("GET", f"{path}?google_jwt={shown}&token={shown}"))
                assert body_of(answer) == (b"401", REFUSAL), (path, token[:80], answer[:300])

    guarded.run(main())


def test_every_path_that_is_not_open_refuses_alike(guarded: Guarded) -> None:
    async def main() -> None:
        for path in (*guarded.paths, "/nothing", "/nothing/..", "//health", "/HEALTH", "/healthy", "/health%00"):
            for method in ("GET", "POST", "PATCH", "DELETE", "PUT", "BREW"):
                answer = await guarded.answer(guarded.request(method, path, BYTES[4], operator=False))
                if path not in OPEN and answer[9:12] != b"400":  # which is no HTTP
                    assert body_of(answer) == (b"401", REFUSAL), (method, path, answer[:300])

    guarded.run(main())


def test_who_shows_one_comes_in(guarded: Guarded) -> None:
    async def main() -> None:
        for token in (TOKEN, guarded.issuer.token(**GOOGLES)):
            answer = await guarded.answer(guarded.as_("GET", "/api/about", f"Authorization: Bearer {token}".encode()))
            assert answer[9:12] == b"200"

    guarded.run(main())


def test_a_socket_without_an_identity_is_closed_with_4001_whatever_its_frames(guarded: Guarded) -> None:
    stranger = guarded.upgrade("/ws").replace(guarded.served.operator["Authorization"].encode(), b"Bearer nobody")

    async def refused(sent: bytes) -> None:
        async with asyncio.timeout(8):
            reader, writer = await asyncio.open_connection("127.0.0.1", guarded.served.port)
            with contextlib.suppress(ConnectionError):  # it has closed before it read all
                writer.write(stranger)
                assert (await reader.readuntil(b"\r\n\r\n"))[9:12] == b"101"
                writer.write(sent + close(1000))
                told = await reader.read()
                assert told.startswith(b"\x88\x0e\x0f\xa1Unauthorized"), (sent[:80], told)
                assert len(told) <= 16 + 3 * 50  # pongs at most
            writer.close()

    async def main() -> None:
        for sent in FRAMES:
            await refused(sent)
            await guarded.socket("/ws", sent)  # the operator's
        await guarded.socket(MEDIA, frame(1, b"{}"))

    guarded.run(main())


@settings(deadline=None, max_examples=60)
@given(
    header=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("alg", "kid", "crit")), inner),
    ),
    noise=st.binary(max_size=200),
)
def test_no_token_fails_by_chance(guarded: Guarded, header: object, noise: bytes) -> None:
    token = handmade(json.dumps(header).encode(), noise, noise)

    async def main() -> None:
        for shown in (token.encode(), base64.b64encode(noise), noise.replace(b"\r", b"").replace(b"\n", b"")):
            answer = await guarded.answer(guarded.as_("GET", "/", b"Authorization: Bearer " + shown))
            assert answer[9:12] == b"400" or body_of(answer) == (b"401", REFUSAL), answer[:300]

    guarded.run(main())


@pytest.mark.parametrize("keys", [b"", b"[" * DEEP, b"\xff", b'{"keys": [{"kty": 1}]}', {"keys": "x"}])
def test_nobody_comes_in_whatever_the_issuer_publishes(guarded: Guarded, keys: object) -> None:
    async def main() -> None:
        known, guarded.issuer.keys = guarded.issuer.keys, keys
        try:
            token = guarded.issuer.token(rsa_key(1), header={"kid": f"new {keys!r}"[:20]}, **GOOGLES)
            answer = await guarded.answer(guarded.as_("GET", "/", f"Authorization: Bearer {token}".encode()))
            assert body_of(answer) == (b"401", REFUSAL)
        finally:
            guarded.issuer.keys = known

    guarded.run(main())
