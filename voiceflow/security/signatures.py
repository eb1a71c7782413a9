"""Carriers' signatures: what shows that a webhook comes from the carrier whose key we were given.

Twilio signs the URL that it requested and the form that it posted, with a key shared by both sides: HMAC-SHA1 with
the account's auth token, or the algorithm and the shared key that X-Twilio-Webhooks-Signature-Settings names
(twilio.com/docs/usage/webhooks/webhooks-security and webhook-shared-keys; string and digests as in Twilio's SDK
9.13). A body that is not a form is covered by its hash in the URL, `bodySHA256`. A WebSocket is signed like a
request without a body.

Telnyx signs a timestamp and the raw body with Ed25519, and publishes a public key for each account
(developers.telnyx.com, "Webhook signing").

Every function returns nothing if the signature is good and raises `CallRejectedError` if it is not, whatever the
request contains. Headers are those of an ASGI scope. Nothing here believes a header about where it was sent to.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from voiceflow.errors import CallRejectedError, VoiceflowError

Headers = Iterable[tuple[bytes, bytes]]

TOLERANCE = 300
"""How far a Telnyx timestamp may be from our clock, in seconds, either way. As in Telnyx's SDKs."""

_TWILIO_DIGESTS = {b"HMAC_SHA1": "sha1", b"HMAC_SHA256": "sha256"}
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_url = re.compile(r"(\w+)://([^/?#]*)(.*)", re.DOTALL)


def requested_url(public_address: str, scope: Mapping[str, Any]) -> str:
    """The URL by which a carrier reached the HTTP request of an ASGI scope.

    Scheme and host are those of the configured public address, whose own path does not matter. A proxy's headers
    could claim any; a signature made for another host would then pass here.
    """
    address = urlsplit(public_address)
    scheme = "http" if address.scheme in ("http", "ws") else "https"
    path = scope.get("raw_path") or scope["path"].encode()
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return f"{scheme}://{address.netloc}{(path + query).decode('latin-1')}"


def verify_twilio(key: str, url: str, headers: Headers, body: bytes = b"") -> None:
    """Check a request of Twilio's to `url`: for HTTP `requested_url`, for a WebSocket the one in our TwiML.

    `key` is the account's auth token, or the shared key's secret if Twilio was set up to sign with one.
    """
    found = _only(headers)
    signature = found.get(b"x-twilio-signature")
    if signature is None:
        raise CallRejectedError("the request has no X-Twilio-Signature header: Twilio signs all that it sends")
    form = _form(body) if _is_form(found) else None
    if form is None and body:
        _check_body(url, body)
    digest = _twilio_digest(found.get(b"x-twilio-webhooks-signature-settings", b""))
    signed = "".join(name + value for name, value in sorted(set(form or ())))
    good = False
    for spelling in _spellings(url):
        expected = base64.b64encode(hmac.digest(key.encode(), (spelling + signed).encode(), digest))
        good |= hmac.compare_digest(expected, signature)
    if not good:
        address = url.partition("?")[0][:200]  # a query may hold a secret
        raise CallRejectedError(
            f"X-Twilio-Signature does not fit a request to {address!r}: check that Twilio was given just this "
            "address (public_ws_url says how we are reached), and provider_config.twilio.auth_token"
        )


def telnyx_public_key(text: str) -> Ed25519PublicKey:
    """The key that Telnyx's portal shows, as base64. Raises `VoiceflowError` if it is none."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error, or characters that are not ASCII
        raw = b""
    if len(raw) != 32:
        raise VoiceflowError(
            "provider_config.telnyx.public_key is not a public key: copy it from the Telnyx portal, Keys & "
            "Credentials, Public Key (32 bytes as base64, 44 characters)"
        )
    return Ed25519PublicKey.from_public_bytes(raw)


def verify_telnyx(key: Ed25519PublicKey, headers: Headers, body: bytes, *, now: float) -> None:
    """Check a webhook of Telnyx's. `body` is as it came, byte for byte; `now` in seconds since the epoch."""
    found = _only(headers)
    encoded, timestamp = found.get(b"telnyx-signature-ed25519"), found.get(b"telnyx-timestamp")
    if encoded is None or timestamp is None:
        raise CallRejectedError("the request has no Telnyx-Signature-Ed25519 and Telnyx-Timestamp headers")
    if not re.fullmatch(rb"\d{1,12}", timestamp):
        raise CallRejectedError("Telnyx-Timestamp is not a number of seconds since 1970")
    age = now - int(timestamp)
    if abs(age) > TOLERANCE:
        raise CallRejectedError(
            f"Telnyx-Timestamp is {abs(age):.0f} s {'ago' if age > 0 else 'ahead'}, and at most {TOLERANCE} s are "
            "taken: the webhook is replayed, or this machine's clock is wrong"
        )
    try:
        key.verify(base64.b64decode(encoded, validate=True), timestamp + b"|" + body)
    except (binascii.Error, InvalidSignature):
        raise CallRejectedError(
            "Telnyx-Signature-Ed25519 does not fit the request: check provider_config.telnyx.public_key"
        ) from None


def verify_telnyx_stream(auth_token: str, headers: Headers) -> None:
    """Check the auth token that Telnyx was told to send with its media streams."""
    sent = _only(headers).get(b"x-telnyx-streaming-auth-token", b"")
    if not hmac.compare_digest(sent, auth_token.encode()):
        raise CallRejectedError("the stream's X-Telnyx-Streaming-Auth-Token is not the one that is configured")


def _only(headers: Headers) -> dict[bytes, bytes]:
    """Headers by name. Of several the last counts, which may refuse a good request but accepts no bad one."""
    return {name.lower(): value for name, value in headers}


def _is_form(found: dict[bytes, bytes]) -> bool:
    return found.get(b"content-type", b"").lower().startswith(b"application/x-www-form-urlencoded")


def _form(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


def _check_body(url: str, body: bytes) -> None:
    hashes = parse_qs(url.partition("?")[2]).get("bodySHA256", [])
    if len(hashes) != 1:
        raise CallRejectedError("the request has a body that is no form, and no bodySHA256 in its URL to cover it")
    if not hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), hashes[0].encode()):
        raise CallRejectedError("the request's body is not the one whose SHA-256 is in its URL")


def _twilio_digest(settings: bytes) -> str:
    """The digest named by `key=..,algorithm=..`. Without a name it is that of the auth token's signature."""
    named = dict(part.strip().partition(b"=")[::2] for part in settings.split(b","))
    algorithm = named.get(b"algorithm", b"HMAC_SHA1")
    if algorithm not in _TWILIO_DIGESTS:
        raise CallRejectedError(
            f"Twilio's signature is made by {algorithm[:40]!r}, and only HMAC_SHA1 and HMAC_SHA256 are known"
        )
    return _TWILIO_DIGESTS[algorithm]


def _spellings(url: str) -> set[str]:
    """A URL with and without its port: Twilio is not consistent in which of them it signs."""
    match = _url.fullmatch(url)
    if match is None:
        return {url}
    scheme, authority, rest = match.groups()
    bare = re.sub(r":\d*$", "", authority)
    port = authority[len(bare) :] or f":{_DEFAULT_PORTS.get(scheme, 443)}"
    return {f"{scheme}://{bare}{rest}", f"{scheme}://{bare}{port}{rest}"}
