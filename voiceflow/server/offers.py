"""Calls of browsers that are set up by HTTP, as pipecat's clients do it.

    POST  /api/offer  {sdp, type, pc_id?, restart_pc?}                                -> {sdp, type, pc_id}
    PATCH /api/offer  {pc_id, candidates: [{candidate, sdp_mid, sdp_mline_index}]}    -> {status}

`pc_id` names a call. With that of a call that is on, an offer is a further one of that call, and `restart_pc` says that
it is the offer of a new connection.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from voiceflow.auth.middleware import user_of
from voiceflow.errors import VoiceflowError
from voiceflow.transports.dialect import UNREADABLE

from .admission import Admission
from .body import read_body
from .browsercalls import BrowserCall, BrowserCalls

T = TypeVar("T")

LARGEST: Final = 64 * 1024
"""Bytes that a body may have. An offer has a few thousand."""
MISSING_SDP: Final = "Missing SDP in offer"


class HttpOffer(msgspec.Struct, frozen=True):
    sdp: str = ""
    pc_id: str | None = None
    restart_pc: bool | None = None


class HttpCandidate(msgspec.Struct, frozen=True):
    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class HttpCandidates(msgspec.Struct, frozen=True):
    pc_id: str
    candidates: list[HttpCandidate]


class RefusalError(VoiceflowError):
    """A request that is refused. Its text says why."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.status = status


class Offers:
    """The endpoint of /api/offer, for browsers that may call."""

    def __init__(self, calls: BrowserCalls, admission: Admission) -> None:
        self._calls = calls
        self._admission = admission

    async def post(self, request: Request) -> Response:
        self._admission.take_offer(request.scope)
        offer = await read_json(request, HttpOffer, "{sdp, type}")
        if not offer.sdp:
            raise RefusalError(MISSING_SDP, 400)
        user = user_of(request.scope)
        call = self._calls.find(offer.pc_id or "", user)
        if call is not None:
            await call.renegotiate(offer.sdp, restart=bool(offer.restart_pc))
        else:
            call = await self._calls.start(offer.sdp, local=self._admission.is_here(request.scope), user=user)
        return JSONResponse({"sdp": call.sdp, "type": "answer", "pc_id": call.id})

    async def patch(self, request: Request) -> Response:
        found = await read_json(request, HttpCandidates, "{pc_id, candidates}")
        call = known(self._calls, found.pc_id, request)
        for one in found.candidates:
            await call.add_candidate(one.candidate, one.sdp_mid, one.sdp_mline_index)
        return JSONResponse({"status": "success"})


def known(calls: BrowserCalls, id: str, request: Request) -> BrowserCall:
    """The call of this id, for whoever began it. Raises `RefusalError` if there is none."""
    call = calls.find(id, user_of(request.scope))
    if call is None:
        raise RefusalError(f"there is no call {id[:40]!r}: it is over, or was never here", 404)
    return call


async def read_text(request: Request) -> str:
    """The body of a request. Raises `RefusalError` if it is too large or no text."""
    body = await read_body(request, LARGEST)
    if body is None:
        raise RefusalError(f"an offer has at most {LARGEST} bytes", 400)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise RefusalError(f"expected text in UTF-8: {error}", 400) from None


async def read_json(request: Request, kind: type[T], expected: str) -> T:
    """The body of a request as JSON. Raises `RefusalError` if it is not as `expected`."""
    try:
        return msgspec.json.decode(await read_text(request), type=kind)
    except UNREADABLE as error:
        raise RefusalError(f"expected {expected}: {error}", 400) from None
