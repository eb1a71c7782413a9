"""The addresses at which browsers' calls are set up by HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from voiceflow.errors import CallRejectedError, VoiceflowError

from .admission import Admission
from .browsercalls import BrowserCalls
from .offer_rates import TooManyOffersError
from .offers import Offers, RefusalError
from .refusals import REFUSED
from .whip import FRAGMENT, SDP, Whip, is_type

OFFER: Final = "/api/offer"
WHIP: Final = "/whip"


def call_routes(calls: BrowserCalls, admission: Admission) -> list[Route]:
    """The routes of offers in JSON, of WHIP, and of the calls that were made by WHIP."""
    offers, whip = Offers(calls, admission), Whip(calls, admission)

    async def begin(request: Request) -> Response:
        match request.method:
            case "OPTIONS":
                return Response(status_code=204, headers={"Accept-Post": SDP})
            case "PATCH":
                answer = offers.patch
            case _:
                answer = whip.post if is_type(request, SDP) else offers.post
        return await _admitted(request, admission, answer)

    async def go_on(request: Request) -> Response:
        match request.method:
            case "OPTIONS":
                return Response(status_code=204, headers={"Accept-Patch": FRAGMENT})
            case "PATCH":
                answer = whip.patch
            case _:
                answer = whip.delete
        return await _admitted(request, admission, answer)

    return [
        *(Route(path, begin, methods=["POST", "PATCH", "OPTIONS"]) for path in (OFFER, WHIP)),
        *(Route(f"{path}/{{id}}", go_on, methods=["PATCH", "DELETE", "OPTIONS"]) for path in (OFFER, WHIP)),
    ]


async def _admitted(
    request: Request, admission: Admission, answer: Callable[[Request], Awaitable[Response]]
) -> Response:
    """The answer to a request, or the refusal of it with the reason in JSON: {error}."""
    try:
        if not admission.may_call(request.scope):
            raise RefusalError(REFUSED, 403)
        return await answer(request)
    except RefusalError as error:
        return _refusal(error, error.status)
    except TooManyOffersError as error:
        return _refusal(error, 429, {"Retry-After": str(error.seconds)})
    except CallRejectedError as error:
        return _refusal(error, 503)
    except VoiceflowError as error:
        return _refusal(error, 400)


def _refusal(error: VoiceflowError, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": str(error)}, status_code=status, headers=headers)
