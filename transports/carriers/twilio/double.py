"""Twilio's end of webhooks and of its REST interface, for the simulated caller.

Sources: twilio.com/docs/voice/twiml ("Twilio's request to your application"), docs/usage/webhooks/webhooks-security,
docs/voice/api/call-resource ("Update a Call resource"), docs/api/errors.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from voiceflow.transports.carriers.double import AnnouncedCall, Asgi, CarrierDouble, SentWebhook, StreamEvent
from voiceflow.transports.carriers.instructions import HangUpCall, Instruction
from voiceflow.transports.carriers.twilio.settings import TwilioSettings
from voiceflow.transports.carriers.verbs import AnswerError, parse, read, stream_status

TITLE: Final = "Twilio"
ACCOUNT: Final = "AC" + "0" * 32
"""The account of a server that has none configured."""


class TwilioCarrierDouble(CarrierDouble):
    """Twilio, for the account of `settings`."""

    def __init__(self, settings: TwilioSettings) -> None:
        self._settings = settings
        self._account = settings.account_sid or ACCOUNT
        self.rest_address = settings.rest if settings.user else None
        self.metadata = {"account_sid": self._account}

    @property
    def signs(self) -> bool:
        return bool(self._settings.keys)

    def webhook(self, call_id: str, caller_id: str, did: str, url: str) -> SentWebhook:
        form = {
            "AccountSid": self._account,
            "ApiVersion": "2010-04-01",
            "CallSid": call_id,
            "CallStatus": "ringing",
            "Called": did,
            "Caller": caller_id,
            "Direction": "inbound",
            "From": caller_id,
            "To": did,
        }
        return self._sent(form, url)

    def stream_status(self, event: StreamEvent, url: str) -> SentWebhook:
        return self._sent(stream_status(self._account, event), url)

    def upgrade_headers(self, url: str) -> dict[str, str]:
        return self._signature(url, {})

    def read(self, media_type: str, answer: bytes) -> list[Instruction]:
        return read(TITLE, media_type, answer, lambda stream: None)

    def _sent(self, form: Mapping[str, str], url: str) -> SentWebhook:
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        return SentWebhook(headers | self._signature(url, form), urlencode(form).encode())

    def _signature(self, url: str, form: Mapping[str, str]) -> dict[str, str]:
        if not self._settings.keys:
            return {}
        signed = url + "".join(name + form[name] for name in sorted(form))
        digest = hmac.digest(self._settings.keys[0].encode(), signed.encode(), hashlib.sha1)
        return {"X-Twilio-Signature": base64.b64encode(digest).decode()}

    def rest(self, calls: Mapping[str, AnnouncedCall]) -> Asgi:
        async def update(request: Request) -> JSONResponse:
            return self._update(request, calls, dict(parse_qsl((await request.body()).decode(errors="replace"))))

        async def elsewhere(request: Request, error: Exception) -> JSONResponse:
            return _unknown(request)

        call = Route("/2010-04-01/Accounts/{account}/Calls/{call}.json", update, methods=["POST"])
        below = Mount(urlsplit(self._settings.rest).path.rstrip("/"), routes=[call])
        return Starlette(routes=[below], exception_handlers={404: elsewhere, 405: elsewhere})

    def _update(self, request: Request, calls: Mapping[str, AnnouncedCall], form: Mapping[str, str]) -> JSONResponse:
        user, password = self._settings.user or ("", "")
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Basic {basic}".encode()):
            return _problem(401, 20003, "Authenticate")
        call_id = request.path_params["call"]
        call = calls.get(call_id)
        if call is None or request.path_params["account"] != self._account:
            return _unknown(request)
        if not call.take_command():
            return _problem(400, 21220, f"Call is not in-progress. Cannot redirect: {call_id}")
        status = "in-progress"
        if form.keys() == {"Status"} and form["Status"] == "completed":
            call.redirect([HangUpCall()])
            status = "completed"
        elif form.keys() == {"Twiml"}:
            try:
                call.redirect(parse(TITLE, form["Twiml"].encode(), lambda stream: None))
            except AnswerError as error:
                return _problem(400, 12100, f"Document parse failure: {error}")
        else:
            names = ", ".join(f"{name}={value}" for name, value in form.items()) or "none"
            return _problem(400, 20001, f"this double knows Status=completed and Twiml, came {names}")
        path = request.url.path
        return JSONResponse(
            {"account_sid": self._account, "api_version": "2010-04-01", "sid": call_id, "status": status, "uri": path}
        )


def _unknown(request: Request) -> JSONResponse:
    return _problem(404, 20404, f"The requested resource {request.url.path} was not found")


def _problem(status: int, code: int, message: str) -> JSONResponse:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return JSONResponse({"code": code, "message": message, "more_info": more, "status": status}, status)
