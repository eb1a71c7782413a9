"""Starts the server: in this process, or in workers that are told through the environment what to serve."""

from __future__ import annotations

import errno
import logging
import os
import socket
from pathlib import Path
from typing import Any, Final

import msgspec
import uvicorn
from uvicorn.config import STARTUP_FAILURE

from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config, find_config, load_config, read_env_file
from voiceflow.errors import ConfigError, VoiceflowError
from voiceflow.logs import quieten_libraries
from voiceflow.security.tokens import run_key

from .app import Server
from .pipelinefile import load_pipeline

log = logging.getLogger("voiceflow.server")

VARIABLE: Final = "VOICEFLOW_SERVE"
"""The environment variable that holds `Options` for workers."""
LARGEST_MESSAGE: Final = 1 << 20
"""Bytes. A carrier's are a few hundred; ten seconds of L16 in one message would be 430 000."""

UNABLE: Final = 2
"""The exit code of a command that could not do what it was asked for."""
LONGEST_GOODBYE: Final = 10
"""Seconds that a stopping server waits for its calls to end. A peer that does not read would hold it up for ever."""
UVICORN: Final[dict[str, Any]] = {
    "ws": "websockets-sansio",  # per message the cheapest of uvicorn's three by far
    "ws_per_message_deflate": False,  # audio does not get smaller by it
    "ws_max_size": LARGEST_MESSAGE,
    "timeout_graceful_shutdown": LONGEST_GOODBYE,
    "log_config": None,
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,  # they could claim any address, and who is local decides who may call
}
"""How uvicorn serves, wherever and with how many processes."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for."""

    target: str
    config: Path | None = None
    provider: str | None = None
    host: str | None = None
    port: int | None = None
    ws_url: str | None = None
    log_level: str | None = None
    insecure: bool = False

    def load(self) -> Config:
        """The configuration that results. Raises `ConfigError`."""
        read_env_file(Path(self.target).parent)
        return load_config(
            find_config(self.config),
            provider=self.provider,
            host=self.host,
            port=self.port,
            ws_url=self.ws_url,
            log_level=self.log_level,
        )


def serve(options: Options, config: Config, *, workers: int, reload: bool) -> None:
    """Serve until stopped. Raises `ConfigError` where the address cannot be had."""
    _check_address(config.server_host, config.server_port)
    quieten_libraries()
    os.environ[VARIABLE] = msgspec.json.encode(options).decode()
    folder = Path(options.target).parent
    with run_key():
        try:
            uvicorn.run(
                "voiceflow.server.launch:application",
                factory=True,
                host=config.server_host,
                port=config.server_port,
                workers=None if reload else workers,
                reload=reload,
                reload_dirs=[str(folder)] if reload else None,
                **UVICORN,
            )
        except SystemExit:  # it could not start, and has said why
            raise SystemExit(UNABLE) from None


def application() -> Server:
    """The server that the environment describes. For uvicorn, in each worker."""
    options = msgspec.json.decode(os.environ[VARIABLE], type=Options)
    try:
        config = options.load()
        logging.basicConfig(level=config.log_level, format="%(levelname)s %(name)s: %(message)s")  # if in a worker
        quieten_libraries()
        with run_key() as key:
            routes = Routes(find_config(options.config))
            return Server(load_pipeline(options.target), config, routes, key, open=options.insecure)
    except VoiceflowError as error:  # after a reload: at the start it would have been seen before
        log.error("%s", error)
        raise SystemExit(STARTUP_FAILURE) from None


def _check_address(host: str, port: int) -> None:
    """Say in one line what uvicorn would say in many."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(f"port {port} on {host} is in use: stop what serves there, or use --port") from None
            raise ConfigError(f"cannot serve on {host}, port {port}: {error.strerror or error}") from None
