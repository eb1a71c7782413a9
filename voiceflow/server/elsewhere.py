"""Refuses requests to paths at which nothing is served. The log names the path: a carrier may have a wrong address."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from voiceflow.config.address import MEDIA
from voiceflow.security.trust import Trust
from voiceflow.transports.carriers import carriers

from .refusals import REFUSED, RefusalLog, host_of

LONGEST_SHOWN: Final = 100
"""Characters of a path that are logged."""
DENIAL: Final = "websocket.http.response"
"""The ASGI extension by which a WebSocket is refused with an answer of HTTP. Not every server has it."""
TRY_AGAIN: Final = 1013
"""The close code of a server that cannot serve for now (IANA's registry of WebSocket close codes)."""
UNAVAILABLE: Final = "the pipeline cannot be served: the server's log says why"


class Elsewhere:
    """Answers what comes to paths at which nothing is served."""

    def __init__(self, trust: Trust, refusals: RefusalLog) -> None:
        self._trust = trust
        self._refusals = refusals

    async def refuse_stream(self, websocket: WebSocket) -> None:
        """The endpoint of WebSockets to all paths that nothing else serves."""
        right = f"media streams are served at {websocket.scope.get('root_path', '')}{MEDIA}"
        self._tell("a WebSocket", websocket, right)
        if DENIAL not in websocket.scope.get("extensions", {}):
            await websocket.close()
            return
        said = right if self._trust.trusts(websocket.scope) else REFUSED
        await websocket.send_denial_response(Response(f"{said}\n", status_code=403, media_type="text/plain"))

    async def not_found(self, request: Request, error: Exception) -> Response:
        """The answer to HTTP requests to all paths that nothing serves; webhooks are usually POSTed. A route beside
        ours may itself find nothing, and say so."""
        if "endpoint" in request.scope and isinstance(error, HTTPException):
            return Response(error.detail, 404, headers=error.headers, media_type="text/plain")
        if request.method == "POST":
            below = request.scope.get("root_path", "")
            right = " and ".join(below + carrier.webhook_path for carrier in carriers())
            self._tell("a POST", request, f"webhooks are served at {right}")
        return Response("Not Found", status_code=404, media_type="text/plain")

    def _tell(self, kind: str, request: HTTPConnection, right: str) -> None:
        peer, path = host_of(request.scope), request.scope["path"][:LONGEST_SHOWN]
        self._refusals.tell(f"{kind} elsewhere", peer, f"{kind} from {peer} to {path!r} was refused: {right}")


async def unavailable(scope: Scope, receive: Receive, send: Send) -> None:
    """The answer to all requests while the pipeline cannot be served. What is wrong is in the log alone."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": TRY_AGAIN, "reason": UNAVAILABLE})
    else:
        await Response(UNAVAILABLE + "\n", 503, media_type="text/plain")(scope, receive, send)


async def gone(request: Request, error: Exception) -> Response:
    """The answer, which nobody reads, to a request whose peer has left before its body had come."""
    return Response(status_code=400)
