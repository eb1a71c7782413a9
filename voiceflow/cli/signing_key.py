"""`voiceflow signing-key`: a key pair with which simulated calls sign their webhooks, as a carrier does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from voiceflow.errors import VoiceflowError
from voiceflow.security.private_file import make_private

from .choices import OneOf
from .cli_errors import Refused, explained


def signers() -> Sequence[str]:
    """The names of the carriers that sign webhooks with a key pair."""
    from voiceflow.transports.carriers import carriers

    return [carrier.name for carrier in carriers() if carrier.signing_variable]


@click.command(
    epilog="""\b
Examples:
  voiceflow signing-key carrier.key >> .env
  voiceflow call --via-webhook URL --signing-key carrier.key
""",
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option("--as", "carrier", type=OneOf(signers), help="The carrier. Without it, the first that has a key pair.")
def signing_key(file: Path, carrier: str | None) -> None:
    """Make a key pair for `voiceflow call --via-webhook`.

    The private key is written to FILE, which only you can read. Printed is the line by which the server learns the
    public key, for its .env; a server with that line trusts FILE in place of the carrier, so use it for trials only. If
    FILE has a key already, that one's line is printed.
    """
    from voiceflow.transports.carriers import carrier_named

    with explained(None):
        signer = carrier_named(carrier or signers()[0])
        if not file.exists():
            _write(file, signer.make_signing_key())
        try:
            public = signer.public_key(_read(file))
        except VoiceflowError as error:
            raise Refused(f"{file}: {error}") from error
    click.echo(f"{signer.signing_variable}={public}")


def _write(file: Path, key: bytes) -> None:
    try:
        make_private(file, key)
    except OSError as error:
        raise Refused(f"cannot write {file}: {error.strerror}") from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Refused(f"cannot read {file}: {error.strerror}") from error
