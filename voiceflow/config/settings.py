"""The settings of a server, each from the first of command line, environment, file and default that has a value.

    read_env_file(folder)               # .env beside the pipeline
    file = find_config(path)            # the file of -c, else the first that exists
    config = load_config(file, port=port)

Commands use `precedence.settle`, which does all three. The fields of `Config` are the keys of the file; `dids`,
`country`, `language` and `words`, in the same file, are read by routes.py. `ice` is one mapping or a list of them:

    ice:
      - urls: stun:stun.example.com:3478
      - {urls: "turn:turn.example.com:3478?transport=udp", username: ann, credential: "${TURN_PASSWORD}"}
      - {provider: coturn, urls: "turn:turn.example.com:3478", secret: "${TURN_SECRET}"}
      - {provider: cloudflare, key_id: "${TURN_KEY}", api_token: "${TURN_TOKEN}"}
      - provider: twilio  # with provider_config.twilio

So are `allowed_origins` (https://app.example.com) and `stream_keys`.
So is `allowed_origins`: https://app.example.com, or a list of such; `auth` is told of in auth.py.

Values are stripped, and an empty one counts as not given: with `api_key: ${KEY}` and an empty KEY there is no key,
rather than an empty one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from dotenv import dotenv_values, load_dotenv
from msgspec import Meta

from voiceflow.auth import Authorize
from voiceflow.errors import ConfigError
from voiceflow.logs import get_logger
from voiceflow.route import MOST_CALLS
from voiceflow.transports.carriers import Carrier, CarrierSettings, carriers
from voiceflow.variables import variable

from .address import PublicAddress, completed
from .auth import read_auth, read_excluded
from .fields import ConfigSetting, build, in_file, types_of
from .ice import ICE, read_ice
from .origins import Origin, read_origins
from .stream_keys import StreamKey, read_stream_keys
from .unknown_keys import Warn
from .yamlfile import Value, read_yaml

logger = get_logger("voiceflow.config")

C = TypeVar("C", bound=CarrierSettings)

PLACES = ("voiceflow.yaml", "~/.config/voiceflow/config.yaml", "~/.vibecode/sip_config.yaml")
"""The files that are tried, in this order, if none is named."""

ENVIRONMENT = {
    "SIP_SERVER_PORT": "server_port",
    "SIP_PUBLIC_WS_URL": "public_ws_url",
}
"""Environment variables that set keys of the configuration, by the variable. The carriers add their own
(`CarrierSettings.environment`); those of language models are read by their processors."""

LISTS: Final[dict[str, Callable[[Value], tuple[Any, ...]]]] = {
    "allowed_origins": read_origins,
    "auth": read_auth,
    "auth_exclude": read_excluded,
    "stream_keys": read_stream_keys,
}
"""What reads the keys whose values are lists of what is described elsewhere."""

Port = Annotated[int, Meta(ge=0, le=65535, description="a port number from 0 to 65535")]
Seconds = Annotated[float, Meta(ge=0.1, le=3600, description="a number of seconds from 0.1 to 3600")]
LongSeconds = Annotated[float, Meta(ge=0, le=86400, description="a number of seconds from 0 to 86400")]
Switch = Annotated[bool, Meta(description="true or false")]
MostCalls = Annotated[int, Meta(ge=1, description=MOST_CALLS)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Meta(description="DEBUG, INFO, WARNING or ERROR")]


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a server."""

    provider: str | None = None
    """The name of the only carrier that is served. None: all are; the first message of a stream tells which it is."""
    provider_config: tuple[CarrierSettings, ...] = ()
    """The settings of the carriers that are configured; `of` finds those of one."""
    server_host: str = "127.0.0.1"
    server_port: Port = 8000
    public_ws_url: PublicAddress | None = None
    """The address at which carriers reach the media stream, with its path."""
    peer_timeout: Seconds = 20.0
    """Seconds after which the other end of a WebSocket is given up if it answers no ping. It may be silent for as long
    as it likes."""
    drain_timeout: LongSeconds = 3600.0
    """Seconds for which a server that is to stop waits for its calls."""
    log_level: LogLevel = "INFO"
    max_calls: MostCalls | None = None
    """How many calls one process may have at once. None: no limit."""
    log_numbers: Switch = False
    """Whether the log has telephone numbers in full."""
    ice: tuple[ICE, ...] | None = None
    """STUN and TURN servers for calls from browsers. None: a public STUN server, for browsers on other machines. An
    empty list: none at all."""
    allowed_origins: tuple[Origin, ...] = ()
    """Where other pages are from that may call, besides those of this machine."""
    stream_keys: tuple[StreamKey, ...] = ()
    """The keys of stream tokens: the one that signs, and those that came before. Empty: each run makes one."""
    auth: tuple[Authorize, ...] = ()
    """Providers that know who may come in from a browser."""
    auth_exclude: tuple[str, ...] = ()
    """Paths at which they are not asked."""

    def of(self, kind: type[C]) -> C:
        """A carrier's settings, by their type: those that are configured, or else the defaults."""
        return next((settings for settings in self.provider_config if type(settings) is kind), kind())


def read_env_file(folder: Path) -> None:
    """Add the variables in a folder's `.env`, if it has one, to the environment; those already set to more than blanks
    are kept. Raises `ConfigError` if the file cannot be read."""
    file = folder / ".env"
    try:
        for name in [name for name in dotenv_values(file) if name in os.environ and not variable(name)]:
            del os.environ[name]
        load_dotenv(file)
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:  # not UTF-8, or a null byte
        raise ConfigError(f"{file}: expected lines like NAME=value in UTF-8, came something else ({error})") from error


def find_config(named: Path | None = None) -> Path | None:
    """The configuration file: the one that is named, else the first of `PLACES` that exists, else None. Raises
    `ConfigError` if the one that is named does not exist."""
    if named is None:
        return next((file for place in PLACES if os.path.isfile(file := Path(os.path.expanduser(place)))), None)
    try:
        named.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"there is no configuration file {named}") from None
    except OSError:
        pass  # reading it will say why it cannot be read
    return named


def origin(file: Path | None) -> str:
    """A description of where the configuration comes from, for the line that is printed at start."""
    return str(file) if file else f"defaults and environment (there is no {', '.join(PLACES[:-1])} or {PLACES[-1]})"


def load_config(
    file: Path | None,
    *,
    provider: str | None = None,
    host: str | None = None,
    port: int | None = None,
    ws_url: str | None = None,
    log_level: str | None = None,
    warn: Warn = logger.warning,
) -> Config:
    """The configuration. Each key is from the first that has it: these options, the environment, `file`, the defaults.

    `warn` is told of unknown keys in `file`. Raises `ConfigError`.
    """
    root = None if file is None else read_yaml(file)
    elsewhere = ("dids", "country", "language", "words", "ice", "provider_config", *LISTS)
    settings = {} if root is None else dict(in_file(root, types_of(Config), warn, elsewhere=elsewhere))
    settings |= _of_carriers(root)
    for name, key in environment().items():
        if value := variable(name):
            settings[key] = ConfigSetting(value, name)
    options = {
        "provider": ("--provider", provider),
        "server_host": ("--host", host),
        "server_port": ("--port", port),
        "public_ws_url": ("--ws-url", ws_url),
        "log_level": ("--log-level", log_level),
    }
    settings |= {
        key: ConfigSetting(str(value).strip(), name) for key, (name, value) in options.items() if value is not None
    }
    config = msgspec.structs.replace(build(Config, settings), provider_config=_build_carriers(settings))
    if config.public_ws_url is not None:
        config = msgspec.structs.replace(config, public_ws_url=_completed(settings["public_ws_url"]))
    if root is None:
        return config
    if (ice := root.get("ice")) is not None:
        config = msgspec.structs.replace(config, ice=tuple(read_ice(entry, warn) for entry in ice.items()))
    found = {key: read(entry) for key, read in LISTS.items() if (entry := root.get(key)) is not None}
    return msgspec.structs.replace(config, **found)


def environment() -> dict[str, str]:
    """The keys that environment variables set, by variable, those of the carriers included."""
    carriers_own = {
        name: f"{_prefix(carrier)}{field}"
        for carrier in carriers()
        for name, field in carrier.settings.environment.items()
    }
    return carriers_own | ENVIRONMENT


def _of_carriers(root: Value | None) -> dict[str, ConfigSetting]:
    """The settings under `provider_config`."""
    part = None if root is None else root.get("provider_config")
    if part is None:
        return {}
    kinds = {carrier.name: carrier.settings for carrier in sorted(carriers(), key=lambda carrier: carrier.name)}
    return dict(in_file(part, kinds, None, "provider_config."))


def _build_carriers(settings: dict[str, ConfigSetting]) -> tuple[CarrierSettings, ...]:
    return tuple(
        build(carrier.settings, settings, _prefix(carrier))
        for carrier in carriers()
        if any(key.startswith(_prefix(carrier)) for key in settings)
    )


def _prefix(carrier: Carrier[Any]) -> str:
    return f"provider_config.{carrier.name}."


def _completed(setting: ConfigSetting) -> str:
    try:
        return completed(setting.text)
    except ConfigError as error:
        raise ConfigError(f"{setting.origin} is {setting.text!r}: {error}") from None
