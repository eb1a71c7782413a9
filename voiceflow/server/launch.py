"""Starts the server: in this process, or in workers that are told through the environment what to serve."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload

from voiceflow.config.liblogs import quieten_libraries
from voiceflow.config.order import Settled, settle
from voiceflow.errors import VoiceflowError
from voiceflow.security.tokens import run_key

from .app import Server
from .pipelinefile import load_pipeline
from .workers import Workers

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

    def settle(self) -> Settled:
        """How everything is set. Raises `ConfigError`."""
        return settle(
            self.target,
            self.config,
            provider=self.provider,
            host=self.host,
            port=self.port,
            ws_url=self.ws_url,
            log_level=self.log_level,
        )


def serve(options: Options, sockets: list[socket.socket], *, workers: int, reload: bool) -> None:
    """Serve on `sockets` until stopped, by as many processes. Raises `SystemExit` where that cannot be begun."""
    quieten_libraries()
    os.environ[VARIABLE] = msgspec.json.encode(options, enc_hook=str).decode()  # paths are not JSON
    config = uvicorn.Config(
        "voiceflow.server.launch:application",
        factory=True,
        workers=workers,
        reload=reload,
        reload_dirs=[str(Path(options.target).parent)] if reload else None,
        **UVICORN,
    )
    with run_key():
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
    signal.signal(signal.SIGTERM, _leave)  # which uvicorn raises again, once its calls have ended
    try:
        uvicorn.Server(config).run(sockets)
    except KeyboardInterrupt:
        pass
    except SystemExit as error:
        if error.code:  # it could not start, and has said why
            raise SystemExit(UNABLE) from None


def _leave(signum: int, frame: FrameType | None) -> None:
    """End as if the program were over: what is kept for its run is removed."""
    sys.exit()


def application() -> Server:
    """The server that the environment describes. For uvicorn, in each worker."""
    options = msgspec.json.decode(os.environ[VARIABLE], type=Options, dec_hook=_decoded)
    try:
        settled = options.settle()
        level = settled.config.log_level
        logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")  # if in a worker
        quieten_libraries()
        with run_key() as key:
            return Server(load_pipeline(options.target), settled.config, settled.routes, key, open=options.insecure)
    except VoiceflowError as error:  # after a reload: at the start it would have been seen before
        log.error("%s", error)
        raise SystemExit(STARTUP_FAILURE) from None


def _decoded(kind: type, text: str) -> Any:
    """A value that JSON has no type for, from its text."""
    return kind(text)
