"""Calls of browsers and devices by WHIP (RFC 9725), with audio both ways.

    POST   /whip       application/sdp                  -> 201, Location, the answer
    PATCH  /whip/ID    application/trickle-ice-sdpfrag  -> 204
    DELETE /whip/ID                                     -> 200: the call is over

Offers of this kind are taken at /api/offer, too, and the calls are below that then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from voiceflow.auth.middleware import user_of

from .admission import Admission
from .browsercalls import BrowserCalls
from .offers import RefusalError, known, read_text

SDP: Final = "application/sdp"
FRAGMENT: Final = "application/trickle-ice-sdpfrag"


class Whip:
    """The endpoints of WHIP, for browsers that may call."""

    def __init__(self, calls: BrowserCalls, admission: Admission) -> None:
        self._calls = calls
        self._admission = admission

    async def post(self, request: Request) -> Response:
        """Begin a call."""
        self._admission.take_offer(request.scope)
        local = self._admission.is_here(request.scope)
        call = await self._calls.start(await read_text(request), local=local, user=user_of(request.scope))
        response = Response(call.sdp, 201, media_type=SDP)
        response.headers["Location"] = f"{request.scope['path'].rstrip('/')}/{call.id}"
        response.headers["ETag"] = _etag(call.id)
        for link in _links(await self._calls.ice_servers(local=local)):
            response.headers.append("Link", link)
        return response

    async def patch(self, request: Request) -> Response:
        """Add candidates to a call."""
        call = known(self._calls, request.path_params["id"], request)
        expected = request.headers.get("If-Match", "*")
        if expected not in ("*", _etag(call.id)):
            raise RefusalError(f"expected If-Match: {_etag(call.id)}; got {expected[:40]!r}", 412)
        if not is_type(request, FRAGMENT):
            raise RefusalError(f"expected Content-Type: {FRAGMENT}", 415)
        username, candidates = read_fragment(await read_text(request))
        if username not in (None, call.username):
            raise RefusalError("ICE cannot begin anew by a fragment: end the call, and offer another", 422)
        for candidate, mid in candidates:
            await call.add_candidate(candidate, mid, None)
        return Response(status_code=204)

    async def delete(self, request: Request) -> Response:
        """End a call."""
        await known(self._calls, request.path_params["id"], request).hang_up()
        return Response()


def is_type(request: Request, kind: str) -> bool:
    """Whether the request says that its body is of this media type."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower() == kind


def read_fragment(text: str) -> tuple[str | None, list[tuple[str, str | None]]]:
    """The ICE username of a fragment of SDP (RFC 8840), if it has one, and its candidates, each with its `mid`."""
    username = mid = None
    candidates: list[tuple[str, str | None]] = []
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        match name:
            case "a=ice-ufrag":
                username = value
            case "a=mid":
                mid = value
            case "a=candidate":
                candidates.append((line.strip().removeprefix("a="), mid))
    return username, candidates


def _etag(id: str) -> str:
    return f'"{id[:8]}"'


def _links(servers: list[dict[str, Any]]) -> Iterator[str]:
    """The STUN and TURN servers as headers (RFC 9725, section 4.6)."""
    for server in servers:
        secrets = "".join(f'; {name}="{server[name]}"' for name in ("username", "credential") if name in server)
        kind = '; credential-type="password"' if secrets else ""
        for url in server["urls"]:
            yield f'<{url}>; rel="ice-server"{secrets}{kind}'
