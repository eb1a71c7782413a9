"""Key pairs with which the simulated caller signs webhooks as Telnyx does: Ed25519, private keys in PEM (PKCS #8)."""

from __future__ import annotations

import base64

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from voiceflow.errors import VoiceflowError


def make_private_key() -> bytes:
    """A new private key."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def private_key(pem: bytes) -> Ed25519PrivateKey:
    """The key that a file holds. Raises `VoiceflowError` if it holds another kind of key, or none."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a password
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise VoiceflowError(
            "expected a private Ed25519 key in PEM without a password: `voiceflow signing-key FILE` makes one"
        )
    return key


def public_text(key: Ed25519PrivateKey) -> str:
    """The public key in base64, as Telnyx's portal shows it."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
