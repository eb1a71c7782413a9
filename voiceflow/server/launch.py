"""Starting the server in this process, or in worker processes, which learn what to serve from the environment."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload

from voiceflow.config.precedence import Overrides, Settled, settle
from voiceflow.config.settings import Config
from voiceflow.config.unknown_keys import Warn
from voiceflow.errors import VoiceflowError
from voiceflow.logs import get_logger
from voiceflow.security.tokens import run_key

from .conversation import printed
from .logs import FORMAT, OneLine, quieten_libraries
from .pipelinefile import load_file
from .server import Server
from .stop_signals import draining, hear_ctrl_c
from .uvicorn_limits import limits
from .workers import Workers

log = get_logger("voiceflow.server")

VARIABLE: Final = "VOICEFLOW_SERVE"
"""The environment variable that holds the `Options` as JSON for the workers."""
UNABLE: Final = 2
"""The exit code of a command that could not do what it was asked for."""
_ALONE: Final[dict[str, Any]] = {
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # they could claim a loopback address, and local peers need no credentials
}


def uvicorn_settings(config: Config) -> dict[str, Any]:
    """Settings of uvicorn in a process of its own."""
    return _ALONE | limits(config)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command line. None: not given."""

    target: str
    config: Path | None = None
    overrides: Overrides
    """Options in place of keys of the configuration."""
    insecure: bool = False
    closed: bool = False
    """Refuse numbers without a route, even if the configuration has lost all numbers when a process starts anew."""
    exposed: bool = False
    """Trust nobody for their address, even if a process that starts anew finds nothing of which others could come."""
    transcript: bool = False
    """Print the conversations."""
    drains: bool = True
    """Wait for the calls to end before a process leaves on SIGTERM."""

    def fixed(self, settled: Settled, *, exposed: bool) -> Options:
        """These options with what must not change while the command runs, whenever a process of it is started: the
        file that was found, whether calls to any number are connected, and whether others may reach the server."""
        return msgspec.structs.replace(self, config=settled.file, closed=bool(settled.routes.dids), exposed=exposed)

    def settle(self, warn: Warn) -> Settled:
        """All settings, from these options and the other sources. `warn` is told of unknown keys. Raises `ConfigError`
        or `DIDConfigError`."""
        return settle(self.target, self.config, warn=warn, **self.overrides)


def serve(options: Options, settings: Config, sockets: list[socket.socket], *, workers: int, reload: bool) -> None:
    """Serve on `sockets` until stopped, with `workers` processes, all of which have the `run_key` of this one and find
    the same `settings`. Raises `SystemExit` if the server cannot start."""
    quieten_libraries()
    options = msgspec.structs.replace(options, drains=not reload)  # a changed file is served without delay
    # The paths become text, and the standard library's JSON holds even names of files that are not UTF-8.
    os.environ[VARIABLE] = json.dumps(msgspec.to_builtins(options, enc_hook=str))
    config = uvicorn.Config(
        "voiceflow.server.launch:application",
        factory=True,
        workers=workers,
        reload=reload,
        reload_dirs=[str(Path(options.target).parent)] if reload else None,
        **uvicorn_settings(settings),
    )
    if reload:
        ChangeReload(config, target=uvicorn.Server(config).run, sockets=sockets).run()
    elif workers > 1:
        supervisor = Workers(config, sockets)
        supervisor.run()
        if supervisor.failed:
            raise SystemExit(UNABLE)
    else:
        _serve_alone(config, sockets)


def _serve_alone(config: uvicorn.Config, sockets: list[socket.socket]) -> None:
    try:
        uvicorn.Server(config).run(sockets)
    except KeyboardInterrupt:
        pass
    except SystemExit as error:
        if error.code:  # uvicorn could not start, and has logged why
            raise SystemExit(UNABLE) from None


def leave_on_sigterm() -> None:
    """Have SIGTERM raise `SystemExit`, so that whatever was made for this run is removed. uvicorn, which has
    handlers of its own while it serves, raises SIGTERM again once its calls have ended."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(signum: int, frame: FrameType | None) -> None:
    sys.exit()


class OwnProcess(Server):
    """A server that has a process to itself."""

    drains = True
    """Whether it waits for its calls to end when it is told to stop by SIGTERM."""

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        async with super().lifespan(app), draining(self.drain) if self.drains else nullcontext():
            gc.collect()
            gc.freeze()  # modules and models stay in memory: each collection would scan them and delay calls
            yield


def application() -> Server:
    """Make the server that the environment describes. uvicorn calls this in each process that serves."""
    hear_ctrl_c()
    options = msgspec.convert(json.loads(os.environ[VARIABLE]), Options, dec_hook=_decoded)
    try:
        settled = options.settle(lambda warning: None)  # the command has warned before
        level = settled.config.log_level
        handler = logging.StreamHandler()
        handler.setFormatter(OneLine(FORMAT))
        logging.basicConfig(level=level, handlers=[handler])  # takes effect in workers only
        quieten_libraries()
        if options.closed:
            settled.routes.close()
        with run_key() as key:
            file = load_file(options.target)
            server = OwnProcess(
                printed(file.build) if options.transcript else file.build,
                settled.config,
                settled.routes,
                key,
                open=options.insecure,
                exposed=options.exposed or None,
                beside=file.routes,
                authorize=file.authorize,
            )
            server.drains = options.drains
            return server
    except VoiceflowError as error:  # after a reload: at start the command has reported it before
        log.error("%s", error)
        raise SystemExit(STARTUP_FAILURE) from None


def _decoded(kind: type, text: str) -> Any:
    """Make a value of a type that JSON lacks, such as a path, from its text."""
    return kind(text)
