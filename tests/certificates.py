"""Certificates that tests make for themselves, and an authority that nobody else knows."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificate(NamedTuple):
    """The files of a certificate that an authority of its own has signed."""

    chain: Path
    key: Path
    both: Path
    """The chain and the key in one file."""
    authority: Path

    def client(self) -> ssl.SSLContext:
        """What a client needs that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.authority))


def certificate(folder: Path, *names: str, days: float = 30) -> Certificate:
    """A certificate for `names`, which may be addresses. It expires in so many days; below 0 it has expired."""
    folder.mkdir(exist_ok=True)
    issuer_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of the tests")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    authority = _signed(issuer, issuer, issuer_key.public_key(), issuer_key, 365, x509.BasicConstraints(True, None))
    alternatives = x509.SubjectAlternativeName([_name(each) for each in names])
    leaf = _signed(subject, issuer, key.public_key(), issuer_key, days, alternatives)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    content = {
        "chain.pem": leaf.public_bytes(pem),
        "key.pem": secret,
        "both.pem": leaf.public_bytes(pem) + secret,
        "authority.pem": authority.public_bytes(pem),
    }
    for file, data in content.items():
        (folder / file).write_bytes(data)
    return Certificate(*(folder / file for file in content))


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    days: float,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=90))
    builder = builder.not_valid_after(now + datetime.timedelta(days=days))
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(identifier, critical=False).sign(issuer_key, hashes.SHA256())


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
