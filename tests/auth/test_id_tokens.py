"""Identity tokens: the good one is taken, and every wrong one is refused, with real keys and signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from auth.issuing import (
    AUDIENCE,
    EMAIL,
    Issuer,
    ec_key,
    handmade,
    issuing,
    jwk,
    request,
    rsa_key,
    shown,
    signed,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from server.serving import run

from voiceflow import ConfigError
from voiceflow.auth import AuthResult, CloudflareAccess, GoogleIdToken

CLIENT = "1234.apps.googleusercontent.com"


def with_issuer(body: Callable[[Issuer, CloudflareAccess], Awaitable[None]]) -> None:
    """Run a test with an issuer, and a provider that knows it."""

    async def main() -> None:
        async with issuing() as issuer:
            await body(issuer, CloudflareAccess(issuer.url, AUDIENCE))

    run(main())


def refused(make: Callable[[Issuer], str]) -> None:
    """Expect that the token is refused, and that a good one is taken before and after it."""

    async def body(issuer: Issuer, provider: CloudflareAccess) -> None:
        assert await shown(provider, issuer.token()) is not None
        assert await shown(provider, make(issuer)) is None
        assert await shown(provider, issuer.token()) is not None

    with_issuer(body)


def test_a_good_token_says_who_it_is() -> None:
    async def body(issuer: Issuer, provider: CloudflareAccess) -> None:
        ends = int(time.time()) + 60
        expected = AuthResult(True, "user-1", EMAIL, "Ann", "cloudflare_access", float(ends))
        assert await shown(provider, issuer.token(exp=ends, name="Ann")) == expected
        with_ec = issuer.token(ec_key(), "ES256", {"kid": "ec"}, exp=ends, name="Ann")
        assert await shown(provider, with_ec) == expected
        assert issuer.asked == ["/cdn-cgi/access/certs"]

    with_issuer(body)


def test_the_cookie_counts_where_there_is_no_header() -> None:
    async def body(issuer: Issuer, provider: CloudflareAccess) -> None:
        assert await provider(request(Cookie=f"a=b; CF_Authorization={issuer.token()}; c")) is not None
        assert await provider(request(Cookie=f"cf_authorization={issuer.token()}")) is None

    with_issuer(body)


def test_a_service_token_is_known_by_its_name() -> None:
    async def body(issuer: Issuer, provider: CloudflareAccess) -> None:
        found = await shown(provider, issuer.token(sub="", email=None, common_name="abc.access"))
        assert found is not None
        assert (found.user_id, found.user_email) == ("abc.access", None)
        assert await shown(provider, issuer.token(sub="", email=None)) is None

    with_issuer(body)


def hs_with_the_public_key(issuer: Issuer) -> str:
    """The public key as an HMAC's secret, for libraries that take the algorithm from the token."""
    header = {"alg": "HS256", "typ": "JWT", "kid": "rsa"}
    public = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    content = handmade(header, issuer.claims()).rpartition(".")[0]
    tag = hmac.digest(public, content.encode(), hashlib.sha256)
    return f"{content}.{base64.urlsafe_b64encode(tag).rstrip(b'=').decode()}"


def resigned(header: dict[str, Any]) -> Callable[[Issuer], str]:
    return lambda issuer: issuer.token(header=header)


def by_another_key(**header: object) -> Callable[[Issuer], str]:
    """Signed by a key of the attacker's, to which the header points."""
    return lambda issuer: issuer.token(rsa_key(1), header=header)


NOW = int(time.time())
WRONG: dict[str, Callable[[Issuer], str]] = {
    "algorithm none": lambda issuer: handmade({"alg": "none", "typ": "JWT", "kid": "rsa"}, issuer.claims()),
    "algorithm None": lambda issuer: handmade({"alg": "NoNe", "typ": "JWT", "kid": "rsa"}, issuer.claims()),
    "no algorithm": lambda issuer: handmade({"typ": "JWT", "kid": "rsa"}, issuer.claims()),
    "HS256 with the public key": hs_with_the_public_key,
    "RS512": lambda issuer: issuer.token(algorithm="RS512"),
    "PS256": lambda issuer: issuer.token(algorithm="PS256"),
    "ES256 by the id of the RSA key": lambda issuer: issuer.token(ec_key(), "ES256"),
    "RS256 by the id of the EC key": resigned({"kid": "ec"}),
    "another key": by_another_key(),
    "unknown kid": resigned({"kid": "unknown"}),
    "no signature": lambda issuer: issuer.token().rpartition(".")[0] + ".",
    "two parts": lambda issuer: issuer.token().rpartition(".")[0],
    "other claims under the signature": lambda issuer: ".".join(
        [issuer.token().split(".")[0], issuer.token(sub="user-2").split(".")[1], issuer.token().split(".")[2]]
    ),
    "other audience": lambda issuer: issuer.token(aud=["another"]),
    "audience that begins alike": lambda issuer: issuer.token(aud=AUDIENCE[:-1]),
    "no audience": lambda issuer: issuer.token(aud=None),
    "empty audiences": lambda issuer: issuer.token(aud=[]),
    "audience in a mapping": lambda issuer: issuer.token(aud={AUDIENCE: 1}),
    "other issuer": lambda issuer: issuer.token(iss="https://other.cloudflareaccess.com"),
    "issuer with a slash": lambda issuer: issuer.token(iss=f"{issuer.url}/"),
    "issuers": lambda issuer: handmade_signed(issuer, iss=[issuer.url]),
    "no issuer": lambda issuer: issuer.token(iss=None),
    "Google's": lambda issuer: issuer.token(iss="https://accounts.google.com", aud=CLIENT, email_verified=True),
    "expired": lambda issuer: issuer.token(exp=NOW - 10),
    "expired long ago": lambda issuer: issuer.token(exp=1),
    "no expiry": lambda issuer: issuer.token(exp=None),
    "expiry as text": lambda issuer: issuer.token(exp=str(NOW + 600)),
    "expiry is true": lambda issuer: issuer.token(exp=True),
    "expiry is infinite": lambda issuer: issuer.token(exp=float("inf")),
    "expiry is no number": lambda issuer: issuer.token(exp=float("nan")),
    "expiry of 400 digits": lambda issuer: issuer.token(exp=10**400),
    "not yet valid": lambda issuer: issuer.token(nbf=NOW + 600),
    "issued in the future": lambda issuer: issuer.token(iat=NOW + 600),
    "no time of issue": lambda issuer: issuer.token(iat=None),
    "no subject": lambda issuer: issuer.token(sub=None),
    "subject is a number": lambda issuer: handmade_signed(issuer, sub=7),
    "address is a list": lambda issuer: issuer.token(email=[EMAIL]),
    "crit": resigned({"crit": ["exp"]}),
    "crit and its extension": resigned({"crit": ["urn:x"], "urn:x": 1}),
    "empty crit": resigned({"crit": []}),
    "crit that the library knows": resigned({"crit": ["b64"]}),
    "jku": by_another_key(jku="http://127.0.0.1:9/keys"),
    "x5u": by_another_key(x5u="http://127.0.0.1:9/key.pem"),
    "jwk": by_another_key(jwk=jwk(rsa_key(1), "rsa")),
    "x5c": by_another_key(x5c=[base64.b64encode(b"certificate").decode()]),
    "kid with a path": resigned({"kid": "../../../../dev/null"}),
    "kid with an address": resigned({"kid": "http://127.0.0.1:9/keys"}),
    "kid with SQL": resigned({"kid": "rsa' OR '1'='1"}),
    "kid with a null": resigned({"kid": "rsa\0"}),
    "empty kid": resigned({"kid": ""}),
    "kid is a number": lambda issuer: handmade({"alg": "RS256", "kid": 7}, issuer.claims()),
    "kid is a list": lambda issuer: handmade({"alg": "RS256", "kid": ["rsa"]}, issuer.claims()),
    "no kid": lambda issuer: handmade({"alg": "RS256"}, issuer.claims()),
    "huge": lambda issuer: issuer.token(x="x" * 30_000),
    "deep": lambda issuer: handmade(b'{"alg":"RS256","kid":' + b"[" * 2_000 + b"]" * 2_000 + b"}", issuer.claims()),
    "header is a list": lambda issuer: handmade(b"[]", issuer.claims()),
    "claims are a list": lambda issuer: signed_content(b"[1]"),
    "claims are no JSON": lambda issuer: signed_content(b"{"),
    "claims are empty": lambda issuer: signed_content(b""),
    "blank": lambda issuer: " ",
    "dots": lambda issuer: "..",
    "not ASCII": lambda issuer: issuer.token().replace(".", ".\xe9", 1),
    "serialised as JSON": lambda issuer: json.dumps({"payload": "e30", "signatures": []}),
    "encrypted form": lambda issuer: issuer.token() + ".x.y",
}


def signed_content(content: bytes) -> str:
    """Any content, with a good signature."""
    import jwt

    return jwt.PyJWS().encode(content, rsa_key(), algorithm="RS256", headers={"kid": "rsa"})


def handmade_signed(issuer: Issuer, **changed: object) -> str:
    """Claims that the library refuses to write, with a good signature."""
    return signed_content(json.dumps(issuer.claims() | changed).encode())


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_token_is_refused(make: Callable[[Issuer], str]) -> None:
    refused(make)


def test_a_key_to_which_a_header_points_is_not_fetched() -> None:
    async def body(issuer: Issuer, provider: CloudflareAccess) -> None:
        await shown(provider, issuer.token(rsa_key(1), header={"jku": f"{issuer.url}/jku", "x5u": f"{issuer.url}/x5u"}))
        assert issuer.asked == ["/cdn-cgi/access/certs"]

    with_issuer(body)


def test_clocks_may_differ_by_a_few_seconds() -> None:
    async def body(issuer: Issuer, provider: CloudflareAccess) -> None:
        now = int(time.time())
        assert await shown(provider, issuer.token(exp=now - 1)) is not None
        assert await shown(provider, issuer.token(nbf=now + 2, iat=now + 2)) is not None

    with_issuer(body)


@pytest.mark.parametrize(
    "forged",
    [
        {"Cf_Access_Authenticated_User_Email": EMAIL},
        {"Cf_Access_User": EMAIL, "Cf_Access_Client_Id": "x.access", "Cf_Access_Client_Secret": "y"},
        {"Cf_Access_Jwt_Assertion": EMAIL, "Cf_Access_Authenticated_User_Email": EMAIL},
        {"Cookie": f"CF_Authorization={EMAIL}"},
    ],
)
def test_a_forged_header_straight_to_the_origin_is_no_identity(forged: dict[str, str]) -> None:
    async def body(issuer: Issuer, provider: CloudflareAccess) -> None:
        assert await provider(request(**forged)) is None

    with_issuer(body)


def test_what_is_there_twice_is_not_there() -> None:
    async def body(issuer: Issuer, provider: CloudflareAccess) -> None:
        scope = request(Cf_Access_Jwt_Assertion=issuer.token())
        scope["headers"] *= 2
        assert await provider(scope) is None
        assert await provider(request(Cookie="; ".join(2 * [f"CF_Authorization={issuer.token()}"]))) is None

    with_issuer(body)


def test_no_part_of_a_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def body(issuer: Issuer, provider: CloudflareAccess) -> None:
        for make in WRONG.values():
            token = make(issuer)
            await shown(provider, token)
            parts = [part for part in token.split(".") if len(part) > 8]
            assert not [part for part in parts if part in caplog.text]
        assert EMAIL not in caplog.text

    with_issuer(body)


@pytest.mark.parametrize(
    ("written", "issuer"),
    [
        ("team.cloudflareaccess.com", "team.cloudflareaccess.com"),
        ("https://Team.cloudflareaccess.com/", "team.cloudflareaccess.com"),
        ("team", "team.cloudflareaccess.com"),
    ],
)
def test_a_team_is_named_as_its_operator_likes(written: str, issuer: str) -> None:
    assert str(CloudflareAccess(written, AUDIENCE)) == f"Cloudflare Access ({issuer})"


@pytest.mark.parametrize(
    ("team", "audience"),
    [
        ("", AUDIENCE),
        ("http://team.cloudflareaccess.com", AUDIENCE),
        ("team.cloudflareaccess.com/path", AUDIENCE),
        ("team@evil.com", AUDIENCE),
        ("http://127.0.0.1@evil.com", AUDIENCE),
        ("team", " "),
    ],
)
def test_a_provider_that_cannot_be_right_is_refused(team: str, audience: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        CloudflareAccess(team, audience)


# Google


def googles(issuer: Issuer, **changed: object) -> str:
    said = {"iss": "https://accounts.google.com", "aud": CLIENT, "email_verified": True, "nbf": None, "type": None}
    return signed(issuer.claims(**(said | changed)))


def with_google(body: Callable[[Issuer, GoogleIdToken], Awaitable[None]]) -> None:
    async def main() -> None:
        async with issuing() as issuer:
            await body(issuer, GoogleIdToken(CLIENT, [EMAIL], keys=f"{issuer.url}/oauth2/v3/certs"))

    run(main())


@pytest.mark.parametrize("issuer_name", ["https://accounts.google.com", "accounts.google.com"])
def test_a_token_of_google_is_taken_from_the_header_or_the_query(issuer_name: str) -> None:
    async def body(issuer: Issuer, provider: GoogleIdToken) -> None:
        token = googles(issuer, iss=issuer_name)
        for scope in (request(Authorization=f"Bearer {token}"), request(query=f"a=b&google_jwt={token}")):
            found = await provider(scope)
            assert found is not None
            assert (found.user_id, found.user_email, found.provider) == ("user-1", EMAIL, "google")

    with_google(body)


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "bob@example.com"},
        {"email": None},
        {"email": f"{EMAIL}.evil.com"},
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"aud": "another"},
        {"iss": "https://accounts.google.com.evil.com"},
        {"iss": "http://accounts.google.com"},
        {"exp": NOW - 60},
        {"sub": ""},
    ],
    ids=str,
)
def test_a_wrong_token_of_google_is_refused(changed: dict[str, object]) -> None:
    async def body(issuer: Issuer, provider: GoogleIdToken) -> None:
        assert await provider(request(Authorization=f"Bearer {googles(issuer, **changed)}")) is None

    with_google(body)


def test_google_signs_with_rsa_alone() -> None:
    async def body(issuer: Issuer, provider: GoogleIdToken) -> None:
        said = issuer.claims(iss="https://accounts.google.com", aud=CLIENT, email_verified=True)
        token = signed(said, ec_key(), "ES256", {"kid": "ec"})
        assert await provider(request(Authorization=f"Bearer {token}")) is None

    with_google(body)


def test_addresses_are_compared_without_regard_to_case() -> None:
    async def body(issuer: Issuer, provider: GoogleIdToken) -> None:
        assert await provider(request(Authorization=f"bearer {googles(issuer, email=EMAIL.upper())}")) is not None
        kelvin = EMAIL.replace("ann", "an\u212a")
        assert await provider(request(Authorization=f"Bearer {googles(issuer, email=kelvin)}")) is None

    with_google(body)


@pytest.mark.parametrize(("client", "emails"), [("", [EMAIL]), (CLIENT, []), (CLIENT, [" "])])
def test_google_without_client_or_addresses_is_refused(client: str, emails: list[str]) -> None:
    with pytest.raises(ConfigError, match="empty"):
        GoogleIdToken(client, emails)


def test_what_reads_tokens_is_imported_before_the_first_one_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes 30 ms, in which calls that are on would stand still."""
    monkeypatch.delitem(sys.modules, "jwt")
    CloudflareAccess("team", "audience")
    assert "jwt" in sys.modules
