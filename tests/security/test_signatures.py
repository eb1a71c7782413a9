"""Carriers' signatures: good ones pass, everything else is refused and never anything but refused.

The oracles are the carriers' own SDKs. Twilio's signs; Telnyx's verifies what we sign as Telnyx does.
"""

from __future__ import annotations

import base64
import hashlib
import string
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature
from twilio.request_validator import RequestValidator

from voiceflow.errors import CallRejectedError, VoiceflowError
from voiceflow.security.signatures import requested_url
from voiceflow.transports.carriers.telnyx.signature import public_keys as telnyx_public_keys
from voiceflow.transports.carriers.telnyx.signature import verify as verify_telnyx
from voiceflow.transports.carriers.telnyx.signature import verify_stream as verify_telnyx_stream
from voiceflow.transports.carriers.twilio.signature import verify as verify_twilio

KEYS = ["12345"]
URL = "https://example.com/voice"
FORM = "application/x-www-form-urlencoded"

Headers = list[tuple[bytes, bytes]]


def headers(signature: str, *, kind: str | None = None, settings: str | None = None) -> Headers:
    named = {"x-twilio-signature": signature, "content-type": kind, "x-twilio-webhooks-signature-settings": settings}
    return [(name.encode(), value.encode()) for name, value in named.items() if value is not None]


class MultiDict(dict[str, list[str]]):
    """What Twilio's SDK takes for a form with repeated names."""

    def getall(self, name: str) -> list[str]:
        return self[name]


def multidict(pairs: list[tuple[str, str]]) -> MultiDict:
    form = MultiDict()
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


# Twilio


def test_twilios_form_vector() -> None:
    body = urlencode({"CallSid": "CA1", "From": "+15550100"}).encode()
    verify_twilio(KEYS, URL, headers("0oGUgt+sqwJ5xiuHZt7SJ2eeIP8=", kind=FORM), body)


def test_twilios_websocket_vector() -> None:
    verify_twilio(KEYS, "wss://example.com/media", headers("7PR3qMkpDyEJtMrVOY/LDyNq8J8="))


# Twilio's form bodies are UTF-8; no surrogates.
text = st.text(st.characters(codec="utf-8"), max_size=10)
pairs = st.lists(st.tuples(text, text), max_size=8)


@given(pairs, st.sampled_from([None, "HMAC_SHA1", "HMAC_SHA256"]))
def test_forms_that_twilios_sdk_signs_are_good(form: list[tuple[str, str]], algorithm: str | None) -> None:
    signature = RequestValidator(*KEYS).compute_signature(URL, multidict(form), algorithm)
    settings = algorithm and f"key=webhooks_sharedkey_1,algorithm={algorithm}"
    verify_twilio(KEYS, URL, headers(signature, kind=FORM, settings=settings), urlencode(form).encode())


@given(st.binary(max_size=50))
def test_json_bodies_that_twilios_sdk_signs_are_good(body: bytes) -> None:
    url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = RequestValidator(*KEYS).compute_signature(url, {})
    verify_twilio(KEYS, url, headers(signature, kind="application/json"), body)


@pytest.mark.parametrize("scheme", ["https", "wss"])
@pytest.mark.parametrize(("given", "signed"), [("", ":443"), (":443", ""), (":8443", ""), (":8443", ":8443")])
def test_twilio_may_sign_with_or_without_the_port(scheme: str, given: str, signed: str) -> None:
    signature = RequestValidator(*KEYS).compute_signature(f"{scheme}://example.com{signed}/a?b=c", {})
    verify_twilio(KEYS, f"{scheme}://example.com{given}/a?b=c", headers(signature))


# What may stand in a path and in a query: RFC 3986, section 3.3 and 3.4
path_characters = st.text(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@%/", max_size=20)
query_characters = st.text(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@%/?", max_size=30)
ports = st.sampled_from(["", ":443", ":8443"])


@given(path_characters, st.none() | query_characters, ports, ports, pairs, st.booleans())
def test_whatever_the_address_and_the_form_what_twilios_sdk_signs_is_good(
    path: str, query: str | None, given: str, signed: str, form: list[tuple[str, str]], post: bool
) -> None:
    """As the address comes from the web server: a `?` with nothing behind it is not told from none."""
    if signed != given and ":8443" in (given, signed):
        return
    target = f"/{path}" + ("" if query is None else f"?{query}")
    body, kind = (urlencode(form).encode(), FORM) if post else (b"", None)
    signature = RequestValidator(*KEYS).compute_signature(
        f"https://calls.example.com{signed}{target}", multidict(form if post else [])
    )
    url = requested_url(f"wss://calls.example.com{given}/sip/media-stream", scope(f"/{path}", query or ""))
    verify_twilio(KEYS, url, headers(signature, kind=kind), body)


def refused(match: str | None, *arguments: Any) -> None:
    with pytest.raises(CallRejectedError, match=match):
        verify_twilio(*arguments)


def test_a_body_that_is_no_form_needs_its_hash_in_the_url() -> None:
    refused("no bodySHA256", KEYS, URL, headers(RequestValidator(*KEYS).compute_signature(URL, {})), b"{}")


def test_another_body_than_the_one_hashed_is_refused() -> None:
    url = f"{URL}?bodySHA256={hashlib.sha256(b'{}').hexdigest()}"
    refused("not the one", KEYS, url, headers(RequestValidator(*KEYS).compute_signature(url, {})), b"[]")


def test_an_unsigned_request_is_refused() -> None:
    refused("no X-Twilio-Signature", KEYS, URL, [], b"")


def test_an_unknown_algorithm_is_refused_by_name() -> None:
    refused("HMAC_MD5", KEYS, URL, headers("x", settings="key=1,algorithm=HMAC_MD5"), b"")


def test_a_sha1_signature_does_not_pass_as_sha256() -> None:
    signature = RequestValidator(*KEYS).compute_signature(URL, {})
    refused("does not fit", KEYS, URL, headers(signature, settings="algorithm=HMAC_SHA256"), b"")


@given(pairs, pairs)
def test_a_changed_form_is_refused(form: list[tuple[str, str]], other: list[tuple[str, str]]) -> None:
    def signed(form: list[tuple[str, str]]) -> str:
        return "".join(name + value for name, value in sorted(set(form)))

    signature = RequestValidator(*KEYS).compute_signature(URL, multidict(form))
    if signed(form) != signed(other):
        refused("does not fit", KEYS, URL, headers(signature, kind=FORM), urlencode(other).encode())


@pytest.mark.parametrize("url", ["https://example.org/voice", "http://example.com/voice", URL + "/", URL + "?a=b"])
def test_a_signature_for_another_address_is_refused(url: str) -> None:
    refused("does not fit", KEYS, url, headers(RequestValidator(*KEYS).compute_signature(URL, {})), b"")


def test_a_refusal_does_not_repeat_the_query_which_may_hold_a_secret() -> None:
    with pytest.raises(CallRejectedError) as refusal:
        verify_twilio(KEYS, URL + "?token=s3cret", headers("x"))
    assert URL in str(refusal.value)
    assert "s3cret" not in str(refusal.value)


def test_another_key_is_refused() -> None:
    refused("does not fit", ["54321"], URL, headers(RequestValidator(*KEYS).compute_signature(URL, {})), b"")


@given(pairs, st.lists(text.filter(bool), min_size=2, max_size=3, unique=True), st.data())
def test_a_signature_with_any_of_the_keys_is_good(
    form: list[tuple[str, str]], keys: list[str], data: st.DataObject
) -> None:
    """As while the auth token is changed."""
    signing = RequestValidator(data.draw(st.sampled_from(keys)))
    body = urlencode(form).encode()
    verify_twilio(keys, URL, headers(signing.compute_signature(URL, multidict(form)), kind=FORM), body)
    websocket = headers(signing.compute_signature("wss://example.com/media", {}))
    verify_twilio(keys, "wss://example.com/media", websocket)
    signature = RequestValidator("".join(keys)).compute_signature(URL, multidict(form))
    refused("does not fit", keys, URL, headers(signature, kind=FORM), body)


header_names = st.sampled_from(
    [
        b"x-twilio-signature",
        b"x-twilio-webhooks-signature-settings",
        b"telnyx-signature-ed25519",
        b"telnyx-timestamp",
        b"x-telnyx-streaming-auth-token",
        b"content-type",
    ]
)
header_values = st.binary(max_size=80) | st.sampled_from(
    [FORM.encode(), b"application/json", b"algorithm=HMAC_SHA256", b"1700000000", base64.b64encode(bytes(64))]
)
any_headers = st.lists(st.tuples(header_names, header_values), max_size=6)


@given(any_headers, st.binary(max_size=200), st.text(max_size=50))
def test_any_request_that_twilio_did_not_sign_is_refused(found: Headers, body: bytes, rest: str) -> None:
    refused(None, KEYS, URL + "?bodySHA256=" + rest, found, body)


@given(st.binary(max_size=80), st.binary(max_size=200))
def test_any_form_that_twilio_did_not_sign_is_refused(signature: bytes, form: bytes) -> None:
    found = [(b"x-twilio-signature", signature), (b"content-type", FORM.encode())]
    refused("does not (fit|send)", KEYS, URL, found, form)
    refused("does not (fit|send)", KEYS, URL, found, b"a=%" + form.hex("%").encode())


# The requested URL


def scope(path: str = "/sip/twilio/answer", query: str = "") -> dict[str, Any]:
    forged = [(b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example"), (b"x-forwarded-proto", b"http")]
    return {"path": path, "raw_path": path.encode(), "query_string": query.encode(), "headers": forged}


@pytest.mark.parametrize(
    ("public", "expected"),
    [
        ("wss://example.com/sip/media-stream", "https://example.com/sip/twilio/answer?a=%20b"),
        ("wss://example.com:8443", "https://example.com:8443/sip/twilio/answer?a=%20b"),
        ("https://example.com", "https://example.com/sip/twilio/answer?a=%20b"),
        ("ws://localhost:8000/x", "http://localhost:8000/sip/twilio/answer?a=%20b"),
    ],
)
def test_the_requested_url_has_the_public_address_and_no_proxys_word_for_it(public: str, expected: str) -> None:
    assert requested_url(public, scope(query="a=%20b")) == expected


@given(st.text(max_size=40))
def test_a_path_cannot_change_the_host_that_is_signed_for(path: str) -> None:
    url = requested_url("wss://example.com/media", {**scope(), "raw_path": b"/" + path.encode("utf-8", "replace")})
    assert url.startswith("https://example.com/")


# Telnyx

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = base64.b64encode(PRIVATE.public_key().public_bytes_raw()).decode()
OTHER = base64.b64encode(Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()).decode()
NOW = 1_750_000_000


def telnyx_headers(body: bytes, timestamp: int = NOW) -> dict[str, str]:
    signature = PRIVATE.sign(str(timestamp).encode() + b"|" + body)
    encoded = base64.b64encode(signature).decode()
    return {"telnyx-signature-ed25519": encoded, "telnyx-timestamp": str(timestamp)}


def raw(named: dict[str, str]) -> Headers:
    return [(name.encode(), value.encode()) for name, value in named.items()]


def telnyx_refused(match: str | None, found: Headers, body: bytes, now: float = NOW) -> None:
    with pytest.raises(CallRejectedError, match=match):
        verify_telnyx(telnyx_public_keys([PUBLIC]), found, body, now=now)


@given(st.binary(max_size=100))
def test_a_webhook_that_telnyx_signed_is_good(body: bytes) -> None:
    verify_telnyx(telnyx_public_keys([PUBLIC]), raw(telnyx_headers(body)), body, now=NOW)


@pytest.mark.parametrize("skew", [-301, -300, 0, 300, 301])
@pytest.mark.parametrize("sent", [b'{"data":1}', b'{"data":2}'])
def test_telnyxs_sdk_agrees(skew: int, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW + skew))
    signed = telnyx_headers(b'{"data":1}')
    try:
        verify_webhook_signature(sent, signed, PUBLIC)
    except WebhookVerificationError:
        telnyx_refused(None, raw(signed), sent, NOW + skew)
    else:
        verify_telnyx(telnyx_public_keys([PUBLIC]), raw(signed), sent, now=NOW + skew)


@pytest.mark.parametrize(("skew", "says"), [(301, "301 s ago"), (-301, "301 s ahead")])
def test_a_timestamp_that_is_far_from_our_clock_is_refused(skew: int, says: str) -> None:
    telnyx_refused(says, raw(telnyx_headers(b"{}")), b"{}", NOW + skew)


@given(st.binary(max_size=40), st.integers(min_value=0), st.integers(0, 7))
def test_a_webhook_with_one_bit_changed_is_refused(body: bytes, place: int, bit: int) -> None:
    changed = bytearray(body or b"{}")
    found = raw(telnyx_headers(bytes(changed)))
    changed[place % len(changed)] ^= 1 << bit
    telnyx_refused("does not fit", found, bytes(changed))


def test_a_signature_with_any_of_telnyxs_keys_is_good() -> None:
    found = raw(telnyx_headers(b"{}"))
    for texts in ([OTHER, PUBLIC], [PUBLIC, OTHER]):
        verify_telnyx(telnyx_public_keys(texts), found, b"{}", now=NOW)
    with pytest.raises(CallRejectedError, match="does not fit"):
        verify_telnyx(telnyx_public_keys([OTHER]), found, b"{}", now=NOW)


def test_another_timestamp_than_the_one_signed_is_refused() -> None:
    telnyx_refused("does not fit", raw({**telnyx_headers(b"{}"), "telnyx-timestamp": str(NOW + 1)}), b"{}")


@pytest.mark.parametrize("missing", ["telnyx-signature-ed25519", "telnyx-timestamp"])
def test_a_webhook_without_its_headers_is_refused(missing: str) -> None:
    found = telnyx_headers(b"{}")
    del found[missing]
    telnyx_refused("has no Telnyx-Signature-Ed25519", raw(found), b"{}")


@given(st.binary(max_size=80) | st.binary(max_size=80).map(base64.b64encode))
def test_any_signature_but_telnyxs_is_refused(signature: bytes) -> None:
    found = [(b"telnyx-signature-ed25519", signature), (b"telnyx-timestamp", str(NOW).encode())]
    telnyx_refused("does not fit", found, b"{}")


@given(any_headers, st.binary(max_size=100), st.floats(allow_nan=False, allow_infinity=False))
def test_any_request_that_telnyx_did_not_sign_is_refused(found: Headers, body: bytes, now: float) -> None:
    telnyx_refused(None, found, body, now)


@pytest.mark.parametrize("text", ["", "abc", "not base64 é", base64.b64encode(bytes(31)).decode(), PUBLIC + "\n"])
def test_a_configured_key_that_is_none_is_an_error_that_says_where_to_find_it(text: str) -> None:
    with pytest.raises(VoiceflowError, match="copy it from the Telnyx portal"):
        telnyx_public_keys([PUBLIC, text])


def test_a_telnyx_stream_with_the_configured_token_is_good() -> None:
    verify_telnyx_stream("s3cret", [(b"X-Telnyx-Streaming-Auth-Token", b"s3cret")])


@given(any_headers)
def test_a_telnyx_stream_with_another_token_or_none_is_refused(found: Headers) -> None:
    with pytest.raises(CallRejectedError, match="Streaming-Auth-Token"):
        verify_telnyx_stream("s3cret", found)


@pytest.mark.parametrize("form", [b"&".join(b"a%d=1" % number for number in range(501)), b"&" * 501, b"a=%", b"a=%zz"])
def test_a_form_that_twilio_does_not_send_is_refused_before_it_is_read(form: bytes) -> None:
    """Anybody may send one, of 64 KiB, and reading it would delay calls."""
    headers = [
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"x-twilio-signature", b"AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ]
    with pytest.raises(CallRejectedError, match="which Twilio does not send"):
        verify_twilio(["key"], "https://calls.example.com/sip/twilio/answer", headers, form)
