"""Refuses carriers' requests to paths at which nothing is served: a wrong address is named in the log, not a riddle."""

from __future__ import annotations

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from voiceflow.config.address import MEDIA
from voiceflow.transports.carriers import carriers

log = logging.getLogger("voiceflow.server")

LONGEST_SHOWN: Final = 100
"""Characters of a path that are logged."""
TRY_AGAIN: Final = 1013
"""The close code of a server that cannot serve for now (IANA's registry of WebSocket close codes)."""
UNAVAILABLE: Final = "the pipeline cannot be served: the server's log says why"


async def refuse_stream(websocket: WebSocket) -> None:
    """The endpoint of WebSockets to all paths that nothing else serves."""
    log.warning(
        "a WebSocket from %s to %r was refused: media streams are served at %s",
        websocket.client and websocket.client.host,
        websocket.url.path[:LONGEST_SHOWN],
        websocket.scope.get("root_path", "") + MEDIA,
    )
    said = f"media streams are served at {MEDIA}\n"
    await websocket.send_denial_response(Response(said, status_code=403, media_type="text/plain"))


async def not_found(request: Request, error: Exception) -> Response:
    """The answer to HTTP requests to all paths that nothing serves. Webhooks are usually POSTed."""
    if request.method == "POST":
        log.warning(
            "a POST from %s to %r was refused: webhooks are served at %s",
            request.client and request.client.host,
            request.url.path[:LONGEST_SHOWN],
            " and ".join(request.scope.get("root_path", "") + carrier.webhook_path for carrier in carriers()),
        )
    return Response("Not Found", status_code=404, media_type="text/plain")


async def unavailable(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to all requests while the pipeline cannot be served. What is wrong is in the log alone."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": TRY_AGAIN, "reason": UNAVAILABLE})
    else:
        await Response(UNAVAILABLE + "\n", 503, media_type="text/plain")(scope, receive, send)
