"""The server: carriers' webhooks and media streams, browsers' calls and a health check on one port, as an ASGI
application.

`voiceflow run` serves it in a process of its own. Other programs mount what `app` makes; docs/embedding.md says how.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceflow.auth import Authorize
    from voiceflow.call import Build
    from voiceflow.config.settings import Config

    from .embedding import Embedded

__all__ = ["app", "uvicorn_settings"]


def app(
    pipeline: Build | str | Path,
    *,
    config: Config | str | Path | None = None,
    prefix: str | None = None,
    authorize: Authorize | None = None,
    trust_loopback: bool = False,
) -> Embedded:
    """An ASGI application that serves `pipeline` to carriers and browsers, to be mounted or run by any ASGI server.

        voice = app(pipeline)
        api = FastAPI(lifespan=voice.lifespan)
        api.mount("/voice", voice)

    `pipeline` is the function `pipeline(call)`, a file that has one, or the name of a built-in pipeline. `config` is a
    configuration or its file; None: the file that `voiceflow run` would find, and the environment.

    `prefix` is the path below which carriers and browsers reach it, such as "/voice". Without it, it is what
    `public_ws_url` names, or else where it is mounted.

    Nobody calls without credentials. Browsers show an identity that `authorize` or `auth` in the configuration knows;
    without these the page opens by a link that is logged at start. `authorize` is a provider of `voiceflow.auth`, or a
    coroutine function of your own that takes the ASGI scope of a request and returns an `AuthResult` or None. With
    `trust_loopback`, whoever is on this machine needs nothing, as long as neither a public address nor an identity is
    configured; leave that to development.

    Raises `VoiceflowError` for a pipeline or a configuration that cannot be used.
    """
    from .embedding import embedded

    return embedded(pipeline, config=config, prefix=prefix, trust_loopback=trust_loopback, authorize=authorize)


def uvicorn_settings(config: Config | str | Path | None = None) -> dict[str, Any]:
    """Arguments of `uvicorn.run` by which the limits of `voiceflow run` hold for a whole program: on the size and the
    duration of requests, on connections whose peer has not shown who it is, and on peers that do not read."""
    from .embedding import settings_of_uvicorn

    return settings_of_uvicorn(config)
