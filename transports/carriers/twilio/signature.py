"""Verification of Twilio's signatures, which prove that a request comes from Twilio.

Twilio signs the URL that it requested and the form that it posted, with a key shared by both sides: HMAC-SHA1 with
the account's auth token, or the algorithm and the shared key that X-Twilio-Webhooks-Signature-Settings names
(twilio.com/docs/usage/webhooks/webhooks-security and webhook-shared-keys; string and digests as in Twilio's SDK
9.13). A body that is not a form is covered by its hash in the URL, `bodySHA256`. A WebSocket is signed like a
request without a body.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from itertools import product
from urllib.parse import parse_qs, parse_qsl

from voiceflow.errors import CallRejectedError
from voiceflow.security.signatures import Headers, by_name

_DIGESTS = {b"HMAC_SHA1": "sha1", b"HMAC_SHA256": "sha256"}
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
MOST_FIELDS = 500
"""Fields that a form may have: strangers send forms, too, and reading thousands takes long. Twilio's have dozens."""
_broken = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_url = re.compile(r"(\w+)://([^/?#]*)(.*)", re.DOTALL)


def verify(keys: Sequence[str], url: str, headers: Headers, body: bytes = b"") -> bytes:
    """The signature. Raises `CallRejectedError` unless Twilio has signed the request.

    `url` is the URL that Twilio requested: for HTTP that of `requested_url`, for a WebSocket the one in our TwiML.
    `keys` are the account's auth token, or the shared key's secret if Twilio was set up to sign with one, and others
    that may be used while these are changed.
    """
    found = by_name(headers)
    signature = found.get(b"x-twilio-signature")
    if signature is None:
        raise CallRejectedError("the request has no X-Twilio-Signature header: Twilio signs all that it sends")
    form = _form(body) if _is_form(found) else None
    if form is None and body:
        _check_body(url, body)
    digest = _digest(found.get(b"x-twilio-webhooks-signature-settings", b""))
    signed = "".join(name + value for name, value in sorted(set(form or ())))
    good = False
    for key, spelling in product(keys, _spellings(url)):
        expected = base64.b64encode(hmac.digest(key.encode(), (spelling + signed).encode(), digest))
        good |= hmac.compare_digest(expected, signature)
    if not good:
        address = url.partition("?")[0][:200]  # a query may hold a secret
        raise CallRejectedError(
            f"X-Twilio-Signature does not fit a request to {address!r}: check that Twilio was given just this "
            "address (public_ws_url says how we are reached), and provider_config.twilio.auth_token "
            "or signing_keys"
        )
    return signature


def _is_form(found: dict[bytes, bytes]) -> bool:
    return found.get(b"content-type", b"").lower().startswith(b"application/x-www-form-urlencoded")


def _form(body: bytes) -> list[tuple[str, str]]:
    if _broken.search(body):
        raise CallRejectedError("the request's form has a % without two hexadecimal digits, which Twilio does not send")
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise CallRejectedError(
            f"the request's form has more than {MOST_FIELDS} fields, which Twilio does not send"
        ) from None


def _check_body(url: str, body: bytes) -> None:
    hashes = parse_qs(url.partition("?")[2]).get("bodySHA256", [])
    if len(hashes) != 1:
        raise CallRejectedError("the request has a body that is not a form, and no bodySHA256 in its URL to cover it")
    if not hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), hashes[0].encode()):
        raise CallRejectedError("the request's body is not the one whose SHA-256 is in its URL")


def _digest(settings: bytes) -> str:
    """The digest named by the header's `key=..,algorithm=..`. SHA-1, as for the auth token, if it names none."""
    named = dict(part.strip().partition(b"=")[::2] for part in settings.split(b","))
    algorithm = named.get(b"algorithm", b"HMAC_SHA1")
    if algorithm not in _DIGESTS:
        raise CallRejectedError(
            f"Twilio's signature is made by {algorithm[:40]!r}, and only HMAC_SHA1 and HMAC_SHA256 are known"
        )
    return _DIGESTS[algorithm]


def _spellings(url: str) -> set[str]:
    """A URL with its port and without: Twilio is not consistent in which of the two it signs. One without a query may
    have ended with a `?`, which web servers do not pass on."""
    match = _url.fullmatch(url)
    if match is None:
        return {url}
    scheme, authority, rest = match.groups()
    bare = re.sub(r":\d*$", "", authority)
    port = authority[len(bare) :] or f":{_DEFAULT_PORTS.get(scheme, 443)}"
    ends = {rest} if "?" in rest else {rest, f"{rest}?"}
    return {f"{scheme}://{bare}{written}{end}" for written in ("", port) for end in ends}
