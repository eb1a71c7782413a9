"""The addresses at which browsers' calls are set up by HTTP."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .admission import Admission
from .browsercalls import BrowserCalls
from .offers import Offers
from .whip import FRAGMENT, SDP, Whip, is_type

OFFER: Final = "/api/offer"
WHIP: Final = "/whip"


def call_routes(calls: BrowserCalls, admission: Admission) -> list[Route]:
    """The routes of offers in JSON, of WHIP, and of the calls that were made by WHIP."""
    offers, whip, cors = Offers(calls, admission), Whip(calls, admission), admission.cors()

    async def begin(request: Request) -> Response:
        match request.method:
            case "OPTIONS":
                return Response(status_code=204, headers={"Accept-Post": SDP})
            case "PATCH":
                return await offers.patch(request)
        return await (whip.post if is_type(request, SDP) else offers.post)(request)

    async def go_on(request: Request) -> Response:
        match request.method:
            case "OPTIONS":
                return Response(status_code=204, headers={"Accept-Patch": FRAGMENT})
            case "PATCH":
                return await whip.patch(request)
        return await whip.delete(request)

    return [
        *(Route(path, begin, methods=["POST", "PATCH", "OPTIONS"], middleware=cors) for path in (OFFER, WHIP)),
        *(
            Route(f"{path}/{{id}}", go_on, methods=["PATCH", "DELETE", "OPTIONS"], middleware=cors)
            for path in (OFFER, WHIP)
        ),
    ]
