"""`voiceflow call --via-webhook`: the carrier's keys and the public address are those of the server, from the same
.env and configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from voiceflow.config.precedence import settle
from voiceflow.errors import ConfigError
from voiceflow.logs import get_logger
from voiceflow.server.prefix import public_http
from voiceflow.simulator.announced import AnnouncedLoad, Party
from voiceflow.simulator.restserver import is_here
from voiceflow.transports.carriers import Carrier, carrier_named, carriers

from .cli_errors import Refused

if TYPE_CHECKING:
    from voiceflow.simulator.script import Script

    from .call_options import CallOptions

log = get_logger("voiceflow.simulator")


def carrier_at(url: str, named: str | None) -> Carrier[Any]:
    """The carrier whose webhook `url` is, by its path, or else the one that is `named`. Raises `Refused`."""
    path = urlsplit(url).path.rstrip("/")
    found = next((carrier for carrier in carriers() if path.endswith(carrier.webhook_path)), None)
    if found is None and named is None:
        known = ", ".join(carrier.webhook_path for carrier in carriers())
        raise Refused(f"--via-webhook {url}: which carrier? Expected a path such as {known}; or add --as CARRIER")
    if found is not None and named not in (None, found.name):
        raise Refused(f"--via-webhook {url} is the webhook of {found.title}: leave out --as {named}")
    return found or carrier_named(str(named))


def announced_calls(asked: CallOptions, script: Script) -> AnnouncedLoad:
    """The calls that were asked for. Raises `VoiceflowError`."""
    carrier = carrier_named(asked.provider)
    config = settle(None, asked.config).config
    settings = config.of(carrier.settings)
    settings.check()
    double = carrier.double(settings, _read(asked.signing_key) if asked.signing_key else None)
    if double.rest_address is not None and not is_here(double.rest_address):
        log.warning(
            "%s does not know simulated calls: to try hanging up, transfers and digits, configure an address of this "
            "machine in its place, for server and caller alike",
            double.rest_address,
        )
    public = public_http(config.public_ws_url) if config.public_ws_url else None
    party = Party(asked.caller_id, asked.did, asked.format)
    return AnnouncedLoad(carrier, double, asked.url, public, party, asked.calls, script)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read --signing-key {file}: {error.strerror}") from error
