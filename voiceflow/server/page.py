"""Serves the page from which a browser calls, and the JavaScript client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from voiceflow.security.trust import Trust

TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    ),
    "Permissions-Policy": "microphone=(self)",
    "Referrer-Policy": "no-referrer",
}
INDEX: Final = "index.html"

Endpoint = Callable[[Request], Awaitable[Response]]


def page(trust: Trust) -> list[Route]:
    """A route for each file of the page, whose content is read here and kept. The page itself is at /."""
    routes = []
    for file in files("voiceflow.web").iterdir():
        kind = TYPES.get(file.name[file.name.rfind(".") :])
        if kind is not None:
            content = file.read_bytes()
            serve = _serve(content, kind)
            is_index = file.name == INDEX
            routes.append(Route("/" if is_index else f"/{file.name}", _by_link(trust, serve) if is_index else serve))
    return routes


def _by_link(trust: Trust, serve: Endpoint) -> Endpoint:
    """Serve the page. By the link that is printed at start, /?key=SECRET, the browser gets the secret of the run as a
    cookie, so that it does not stay in the address. A cookie that came by TLS is never sent without."""

    async def opened(request: Request) -> Response:
        secret = request.query_params.get("key")
        if secret is None:
            return await serve(request)
        answer = RedirectResponse("./", 303, headers=HEADERS | {"Cache-Control": "no-store"})
        if trust.knows(secret):
            path = request.scope.get("root_path", "") + "/"
            # strict: a browser that followed the link from another page would come back without it
            secure = trust.came_by_tls(request.scope)
            answer.set_cookie(trust.cookie, secret, path=path, secure=secure, httponly=True, samesite="lax")
        return answer

    return opened


def _serve(content: bytes, kind: str) -> Endpoint:
    async def serve(request: Request) -> Response:
        return Response(content, media_type=kind, headers=HEADERS)

    return serve
