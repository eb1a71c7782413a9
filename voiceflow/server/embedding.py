"""The server inside of another program: an ASGI application for FastAPI, Starlette or any ASGI server.

How the program is reached is not known here, so everything is closed: from its own machine, too, nobody calls without
credentials. The program's signals, logging, environment and garbage collector are its own.
"""

from __future__ import annotations

import inspect
import re
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from starlette.routing import BaseRoute

from voiceflow.auth import Authorize
from voiceflow.call import Build
from voiceflow.config.address import MEDIA
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config, find_config, load_config
from voiceflow.errors import ConfigError
from voiceflow.logs import get_logger
from voiceflow.security.marks import SharedMarks
from voiceflow.security.trust import secret_of

from .pipelinefile import PipelineFile, load_file
from .prefix import prefix_of, public_http
from .server import Server
from .uvicorn_limits import limits

log = get_logger("voiceflow.server")

_PREFIX: Final = re.compile(r"(/[^\s/?#]+)*")
WITHOUT_LIFESPAN: Final = (
    "this application is mounted, and nobody runs its lifespan: models load with its first request, and calls that "
    "began without a WebSocket end without a goodbye when the program stops. Hand its lifespan to the application "
    "around it: FastAPI(lifespan=voice.lifespan)"
)


class Embedded(Server):
    """A server that another program mounts. Its key and secret are its own, or, where there are `stream_keys`, those of
    all processes that have the same."""

    def __init__(
        self,
        build: Build,
        config: Config,
        routes: Routes,
        *,
        prefix: str | None,
        trust_loopback: bool,
        authorize: Authorize | None,
        beside: Sequence[BaseRoute],
    ) -> None:
        shared = config.stream_keys
        key = shared[0].text.encode() if shared else secrets.token_hex(32).encode()
        identities = bool(config.auth) or authorize is not None
        exposed = not trust_loopback or config.public_ws_url is not None or identities
        super().__init__(build, config, routes, key, exposed=exposed, prefix=prefix, beside=beside, authorize=authorize)
        self.calls.sends_at_once = False  # the server, and what the program has put around ours, may need a task
        self._link = f"{_address(config, prefix)}/?key={secret_of(key)}" if exposed and not identities else None
        self._lasting = "as long as the first of stream_keys stays" if shared else "until this process ends"
        self._marks = None if shared else SharedMarks(key)
        self._warned = False

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        async with super().lifespan(app):
            self._say_how_to_open()
            yield
        if self._marks is not None:
            self._marks.remove()

    async def _begin(self) -> bool:
        if not self._warned:
            self._warned = True
            log.warning("%s", WITHOUT_LIFESPAN)
            self._say_how_to_open()
        return await super()._begin()

    def _say_how_to_open(self) -> None:
        if self._link is not None:
            log.warning("the page opens by this link, %s: %s", self._lasting, self._link)


def embedded(
    pipeline: Build | str | Path,
    *,
    config: Config | str | Path | None,
    prefix: str | None,
    trust_loopback: bool,
    authorize: Authorize | None,
) -> Embedded:
    """See `voiceflow.server.app`."""
    if isinstance(pipeline, str | Path):
        file = load_file(str(pipeline))
    elif inspect.iscoroutinefunction(pipeline):
        raise TypeError("pipeline(call) is asynchronous: write `def`, not `async def`")
    elif callable(pipeline):
        file = PipelineFile(pipeline, routes=(), authorize=None)
    else:
        raise TypeError(f"expected a function pipeline(call), a file or a name; got {type(pipeline).__name__}")
    if authorize is not None and not callable(authorize):
        raise TypeError(f"expected authorize as an asynchronous callable; got {type(authorize).__name__}")
    found = _configuration(config)
    settings = found.config if prefix is None else _below(found.config, prefix)
    return Embedded(
        file.build,
        settings,
        found.routes,
        prefix=prefix,
        trust_loopback=trust_loopback,
        beside=file.routes,
        authorize=file.authorize if authorize is None else authorize,
    )


def settings_of_uvicorn(config: Config | str | Path | None) -> dict[str, Any]:
    """See `voiceflow.server.uvicorn_settings`."""
    return limits(_configuration(config).config)


class _Configuration(NamedTuple):
    config: Config
    routes: Routes


def _configuration(given: Config | str | Path | None) -> _Configuration:
    if isinstance(given, Config):
        return _Configuration(given, Routes())
    if not isinstance(given, str | Path | None):
        raise TypeError(f"expected config as a path or a Config; got {type(given).__name__}")
    file = find_config(None if given is None else Path(given))
    return _Configuration(load_config(file), Routes(file))


def _address(config: Config, prefix: str | None) -> str:
    """Where the application is served, as far as that is known: PATH stands for where it is mounted."""
    public = config.public_ws_url
    base = "http://HOST:PORT" if public is None else public_http(public)
    if prefix is not None:
        return base if public else base + prefix
    return base if prefix_of(public) else f"{base}/PATH"


def _below(config: Config, prefix: str) -> Config:
    """The configuration whose public address, if it has one, is below `prefix`. Raises `ConfigError`."""
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(f"prefix is {prefix!r}: expected a path such as '/voice', without a slash at its end, or ''")
    address = config.public_ws_url
    named = prefix_of(address)
    if address is None or named == prefix:
        return config
    if named:
        raise ConfigError(
            f"prefix is {prefix!r}, and public_ws_url has {named!r} before {MEDIA}: leave one of them out, or name "
            f"in both the path at which carriers reach the application"
        )
    return msgspec.structs.replace(config, public_ws_url=address.removesuffix(MEDIA) + prefix + MEDIA)
