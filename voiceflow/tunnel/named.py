"""Tunnels with a name, which have an account at Cloudflare and an address that stays. `.tunnel-config` names one:

# voice.example.com
TUNNEL_NAME=voice
TUNNEL_ID=6ff42ae2-765d-4adf-8112-31c55c1551ef
TUNNEL_URL=https://voice.example.com
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from voiceflow.config.address import PublicAddress, completed
from voiceflow.config.unknown_keys import Warn, nearest
from voiceflow.errors import ConfigError

FILE: Final = ".tunnel-config"
LARGEST: Final = 1 << 16
"""Bytes that the file may have."""
KEYS: Final = ("TUNNEL_NAME", "TUNNEL_ID", "TUNNEL_URL")
FOLDERS: Final = (
    "~/.cloudflared",
    "~/.cloudflare-warp",
    "~/cloudflare-warp",
    "/etc/cloudflared",
    "/usr/local/etc/cloudflared",
)
"""Where cloudflared looks for its files, in this order."""

_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NAME: Final = re.compile(r"[^\s\-][^\s]*")


class Named(NamedTuple):
    """A tunnel that Cloudflare knows."""

    tunnel: str
    """What cloudflared is told to run: the tunnel's id if it is known, else its name."""
    address: str
    """The public address of media streams: wss://HOST/sip/media-stream."""
    file: Path


def find_named(folders: tuple[Path, ...], warn: Warn) -> Named | None:
    """The tunnel that the first `.tunnel-config` in `folders` names. None: there is none. `warn` is told of unknown
    keys. Raises `ConfigError`."""
    file = next((file for folder in folders if os.path.lexists(file := folder / FILE)), None)
    return None if file is None else read_named(file, warn)


def read_named(file: Path, warn: Warn) -> Named:
    """The tunnel that `file` names. Raises `ConfigError`."""
    settings: dict[str, tuple[str, str]] = {}
    for place, key, value in _lines(file):
        if key not in KEYS:
            near = nearest(key, KEYS)
            hint = f"did you mean {near}?" if near else f"known here: {', '.join(KEYS)}"
            warn(f"{place}: {key} is unknown and ignored, {hint}")
        elif key in settings:
            raise ConfigError(f"{place}: {key} stands at {settings[key][1]} already: leave one of them out")
        elif value:
            settings[key] = value, place
    missing = [] if settings.keys() & {"TUNNEL_NAME", "TUNNEL_ID"} else ["TUNNEL_NAME or TUNNEL_ID"]
    missing += (
        []
        if "TUNNEL_URL" in settings
        else ["TUNNEL_URL (https://HOST, as in `cloudflared tunnel route dns NAME HOST`)"]
    )
    if missing:
        raise ConfigError(f"{file}: expected {' and '.join(missing)}. For a quick tunnel remove the file")
    name, id = (_checked(settings.get(key), key, kind) for key, kind in (("TUNNEL_NAME", _NAME), ("TUNNEL_ID", _ID)))
    return Named(id or name or "", _address(*settings["TUNNEL_URL"]), file)


def missing_files(named: Named) -> str | None:
    """Which file of cloudflared's is missing that running this tunnel needs. None: none is."""
    folders = [Path(os.path.expanduser(folder)) for folder in FOLDERS]
    certificates = (
        [Path(given)]
        if (given := os.environ.get("TUNNEL_ORIGIN_CERT"))
        else [folder / "cert.pem" for folder in folders]
    )
    if given := os.environ.get("TUNNEL_CRED_FILE"):
        credentials = [Path(given)]
    elif _ID.fullmatch(named.tunnel):
        beside = [certificate.parent for certificate in certificates]
        credentials = [folder / f"{named.tunnel}.json" for folder in dict.fromkeys([*beside, *folders])]
    else:  # its id is asked of Cloudflare, with the account's certificate
        credentials = certificates
    if any(file.is_file() for file in credentials):
        return None
    return str(credentials[0])


def _lines(file: Path) -> Iterator[tuple[str, str, str]]:
    """Place, key and value of each line that is no comment."""
    for number, line in enumerate(_text(file).split("\n"), 1):
        text, place = line.strip(), f"{file}, line {number}"
        if not text or text.startswith("#"):
            continue
        key, equals, value = text.removeprefix("export ").partition("=")
        if not equals or not _KEY.fullmatch(key.strip()):
            raise ConfigError(f"{place}: expected KEY=VALUE or # a comment, came {text[:80]!r}")
        yield place, key.strip(), _unquoted(value.strip(), place)


def _unquoted(value: str, place: str) -> str:
    if value[:1] in ("'", '"'):
        quoted, end, rest = value[1:].partition(value[0])
        if not end or rest.split("#")[0].strip():
            raise ConfigError(f"{place}: expected the value to end with the quote {value[0]} with which it begins")
        return quoted.strip()
    return re.split(r"(?:^|\s)#", value)[0].strip()


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            raise ConfigError(f"cannot read {file}: it is no file")
        data = file.read_bytes()[: LARGEST + 1]
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    if len(data) > LARGEST:
        raise ConfigError(f"{file} has more than {LARGEST} bytes: expected lines of KEY=VALUE")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{file}, line {number}: expected text in UTF-8, came the byte 0x{data[error.start]:02x}"
        ) from None


def _checked(setting: tuple[str, str] | None, key: str, kind: re.Pattern[str]) -> str | None:
    if setting is None:
        return None
    value, place = setting
    if not kind.fullmatch(value):
        expected = (
            "a UUID, as `cloudflared tunnel list` shows it"
            if kind is _ID
            else "a name without blanks and no - before it"
        )
        raise ConfigError(f"{place}: {key} is {value[:80]!r}: expected {expected}")
    return value.lower() if kind is _ID else value


def _address(url: str, place: str) -> str:
    """The public address of media streams, from https://HOST."""
    try:
        scheme, _, rest = url.partition("://")
        if scheme != "https":
            raise ConfigError
        return completed(msgspec.convert(f"wss://{rest}", PublicAddress))
    except (ConfigError, msgspec.ValidationError):
        raise ConfigError(
            f"{place}: TUNNEL_URL is {url[:80]!r}: expected https://HOST, the tunnel's public address, without a "
            "path of its own"
        ) from None
