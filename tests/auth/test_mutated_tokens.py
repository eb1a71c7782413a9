"""Tokens in which anything was changed: never an identity, never an exception out of a provider."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator

import jwt
import pytest
from auth.issuing import AUDIENCE, EMAIL, Issuer, handmade, issuing, request, rsa_key, signed
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow.auth import Authorize, AuthResult, Bearer, CloudflareAccess, GoogleIdToken

CLAIMS = Issuer(0).claims(iss="accounts.google.com", aud="client", email_verified=True, exp=int(time.time()) + 86_400)
GOOD = signed(CLAIMS)
TEXT = st.text(st.characters(max_codepoint=255))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


class Asked:
    """The providers with their keys in memory, and the loop on which they are asked."""

    def __init__(self, runner: asyncio.Runner, providers: list[Authorize]) -> None:
        self._runner = runner
        self._providers = providers

    def who(self, token: str) -> list[AuthResult]:
        """Whom any provider finds in a token, wherever it stands."""
        raw = token.encode("latin-1")
        scopes = [
            request(
                kind, Cf_Access_Jwt_Assertion=token, Authorization=f"Bearer {token}", Cookie=f"CF_Authorization={token}"
            )
            | {"query_string": b"google_jwt=" + raw + b"&token=" + raw}
            for kind in ("http", "websocket")
        ]
        found = [self._runner.run(_ask(provider, scope)) for provider in self._providers for scope in scopes]
        return [each for each in found if each is not None]


async def _ask(provider: Authorize, scope: dict[str, object]) -> AuthResult | None:
    return await provider(scope)


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    with asyncio.Runner() as runner:
        context = issuing()
        issuer = runner.run(context.__aenter__())
        google = GoogleIdToken("client", [EMAIL], keys=issuer.url)
        asked = Asked(runner, [google, CloudflareAccess(issuer.url, AUDIENCE), Bearer(["a token"])])
        assert len(asked.who(GOOD)) == 2  # as a request, and as a WebSocket
        yield asked
        runner.run(context.__aexit__(None, None, None))


@st.composite
def changed(draw: st.DrawFn) -> str:
    """The good token, with something in it changed."""
    at, other = draw(st.integers(0, len(GOOD) - 1)), draw(TEXT)
    match draw(st.sampled_from(["replace", "insert", "delete", "swap", "cut"])):
        case "replace":
            return GOOD[:at] + other + GOOD[at + 1 :]
        case "insert":
            return GOOD[:at] + other + GOOD[at:]
        case "delete":
            return GOOD[:at] + GOOD[at + 1 :]
        case "swap":
            return GOOD[at:] + GOOD[:at]
    return GOOD[:at]


def says_the_same(token: str) -> bool:
    """Whether a token is the good one, but for what base64 and headers leave open."""
    try:
        return [base64.urlsafe_b64decode(part + "==") for part in token.strip().split(".")] == [
            base64.urlsafe_b64decode(part + "==") for part in GOOD.split(".")
        ]
    except ValueError:
        return False


@settings(max_examples=200, deadline=None)
@given(token=changed() | TEXT)
def test_a_token_in_which_anything_was_changed_is_never_good(asked: Asked, token: str) -> None:
    assert not asked.who(token) or says_the_same(token)


@settings(max_examples=200, deadline=None)
@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jku"]), JSON), claims=JSON)
def test_a_token_that_nobody_has_signed_is_never_good(asked: Asked, header: dict[str, object], claims: object) -> None:
    signature = base64.urlsafe_b64decode(GOOD.rpartition(".")[2] + "==")
    for shown in (header, {"alg": "RS256", "kid": "rsa"} | header):
        assert not asked.who(handmade(shown, claims, signature))  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(sorted(CLAIMS)), value=JSON)
def test_a_signed_token_with_any_claim_changed_raises_nothing(asked: Asked, name: str, value: object) -> None:
    content = handmade(b"", {**CLAIMS, name: value}).split(".")[1]
    decoded = base64.urlsafe_b64decode(content + "==")
    token = jwt.PyJWS().encode(decoded, rsa_key(), algorithm="RS256", headers={"kid": "rsa"})
    for found in asked.who(token):
        assert name not in ("iss", "aud", "email_verified", "email") or value in (CLAIMS[name], [CLAIMS[name]])
        assert found.provider == "google"
