"""Verification of Telnyx's signatures and stream tokens, which prove that a request comes from Telnyx.

Telnyx signs a webhook's timestamp and raw body with Ed25519 and shows each account its public key
(developers.telnyx.com, "Webhook signing"). Media streams are not signed; they bring an auth token that Telnyx was
told to send.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from contextlib import suppress

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from voiceflow.errors import CallRejectedError, VoiceflowError
from voiceflow.security.signatures import Headers, by_name

TOLERANCE = 300
"""How many seconds a timestamp of Telnyx's may differ from our clock, in either direction. As in Telnyx's SDKs."""


def public_keys(texts: Sequence[str]) -> list[Ed25519PublicKey]:
    """Public keys from their base64, as Telnyx's portal shows it. Raises `VoiceflowError` if one is no key."""
    return [_public_key(text) for text in texts]


def _public_key(text: str) -> Ed25519PublicKey:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error, or characters that are not ASCII
        raw = b""
    if len(raw) != 32:
        raise VoiceflowError(
            "provider_config.telnyx.public_key (or one of signing_keys) is not a public key: copy it from the "
            "Telnyx portal, Keys & Credentials, Public Key (32 bytes as base64, 44 characters)"
        )
    return Ed25519PublicKey.from_public_bytes(raw)


def verify(keys: Sequence[Ed25519PublicKey], headers: Headers, body: bytes, *, now: float) -> bytes:
    """The signature. Raises `CallRejectedError` unless Telnyx has signed the webhook, with any of `keys`.

    `body` is the raw body, byte for byte, or the raw query of a request without a body; `now` is in seconds since 1970.
    """
    found = by_name(headers)
    encoded, timestamp = found.get(b"telnyx-signature-ed25519"), found.get(b"telnyx-timestamp")
    if encoded is None or timestamp is None:
        raise CallRejectedError("the request has no Telnyx-Signature-Ed25519 and Telnyx-Timestamp headers")
    if not re.fullmatch(rb"\d{1,12}", timestamp):
        raise CallRejectedError("Telnyx-Timestamp is not a number of seconds since 1970")
    age = now - int(timestamp)
    if abs(age) > TOLERANCE:
        raise CallRejectedError(
            f"Telnyx-Timestamp is {abs(age):.0f} s {'ago' if age > 0 else 'ahead'}, and at most {TOLERANCE} s are "
            "allowed: the webhook is replayed, or this machine's clock is wrong"
        )
    with suppress(binascii.Error):
        signature = base64.b64decode(encoded, validate=True)  # of which base64 has several spellings
        for key in keys:
            with suppress(InvalidSignature):
                key.verify(signature, timestamp + b"|" + body)
                return signature
    raise CallRejectedError(
        "Telnyx-Signature-Ed25519 does not fit the request: check provider_config.telnyx.public_key or signing_keys"
    )


def verify_stream(auth_token: str, headers: Headers) -> None:
    """Raise `CallRejectedError` unless a stream brings the auth token that Telnyx was told to send."""
    sent = by_name(headers).get(b"x-telnyx-streaming-auth-token", b"")
    if not hmac.compare_digest(sent, auth_token.encode()):
        raise CallRejectedError("the stream's X-Telnyx-Streaming-Auth-Token is not the one that is configured")
