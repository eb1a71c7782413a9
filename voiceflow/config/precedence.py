"""The order of precedence among the sources of settings, the same for every command. The first that has a value counts:

1. an option of the command line,
2. an environment variable that is set,
3. a variable in `.env`: beside the pipeline's file where a command is given one, else in the working folder,
4. the configuration file: the one that -c names, else the first of `settings.PLACES` that exists,
5. the default.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypedDict, Unpack

from voiceflow.logs import get_logger

from .routes import Routes
from .settings import Config, find_config, load_config, read_env_file
from .unknown_keys import Warn

logger = get_logger("voiceflow.config")


class Overrides(TypedDict, total=False):
    """Options of the command line that override keys of the configuration. None: not given."""

    provider: str | None
    host: str | None
    port: int | None
    ws_url: str | None
    log_level: str | None


class Settled(NamedTuple):
    """All settings, once the sources are read in their order."""

    file: Path | None
    """The configuration file. None: there is none."""
    config: Config
    routes: Routes


def settle(
    target: str | None = None,
    named: Path | None = None,
    *,
    warn: Warn = logger.warning,
    **options: Unpack[Overrides],
) -> Settled:
    """All settings for a command whose pipeline is `target`, a file or a name (None: it has none), and whose -c option
    is `named`. `warn` is told of unknown keys, in sentences. Raises `ConfigError`, or `DIDConfigError` for routes that
    cannot be used."""
    read_environment(target)
    file = find_config(named)
    return Settled(file, load_config(file, warn=warn, **options), Routes(file, warn))


def read_environment(target: str | None = None) -> None:
    """Add the variables of the `.env` that belongs to `target` to the environment. Raises `ConfigError`."""
    has_file = target is not None and Path(target).is_file()
    read_env_file(Path(target).parent if target is not None and has_file else Path())
