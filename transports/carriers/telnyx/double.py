"""Telnyx's end of webhooks and of its call control, for the simulated caller.

Sources: developers.telnyx.com, "TeXML webhooks", "Webhook signing", "Call commands", "API errors".
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from xml.etree.ElementTree import Element

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from voiceflow.audio import AudioFormat
from voiceflow.transports.carriers.double import AnnouncedCall, Asgi, CarrierDouble, SentWebhook, StreamEvent
from voiceflow.transports.carriers.instructions import DialNumber, HangUpCall, Instruction
from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.carriers.verbs import AnswerError, read, stream_status
from voiceflow.transports.dialect import UNREADABLE

TITLE: Final = "Telnyx"
ACCOUNT: Final = "00000000-0000-4000-8000-000000000000"
CONNECTION: Final = "1000000000000000000"
"""The id of the application that numbers belong to, of a server that has none configured."""
CODECS: Final = {"PCMU": ("mulaw", 8000), "PCMA": ("alaw", 8000), "G722": ("g722", 16000)}
RATES: Final = (8000, 16000, 22050, 24000, 48000)
OVER: Final = ("90018", "Call has already ended", "This call is no longer active and can't receive commands.")


class TelnyxCarrierDouble(CarrierDouble):
    """Telnyx, for the account of `settings`, signing with `key`."""

    def __init__(self, settings: TelnyxSettings, key: Ed25519PrivateKey | None) -> None:
        self._settings = settings
        self._key = key
        self._known: set[str] = set()
        """The `command_id`s that came: a command that is repeated is carried out once."""
        self.rest_address = settings.base_url.rstrip("/") if settings.api_key else None
        self.metadata = {"account_sid": ACCOUNT}

    @property
    def signs(self) -> bool:
        return self._key is not None

    def webhook(self, call_id: str, caller_id: str, did: str, url: str) -> SentWebhook:
        form = {
            "AccountSid": ACCOUNT,
            "CallSid": call_id,
            "CallSidLegacy": call_id,
            "ConnectionId": self._settings.app_id or CONNECTION,
            "From": caller_id,
            "To": did,
        }
        return self._sent(form)

    def stream_status(self, event: StreamEvent, url: str) -> SentWebhook:
        return self._sent({**stream_status(ACCOUNT, event), "CallSidLegacy": event.call_id})

    def _sent(self, form: Mapping[str, str]) -> SentWebhook:
        body = urlencode(form).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._key is not None:
            timestamp = str(int(time.time()))
            signature = self._key.sign(timestamp.encode() + b"|" + body)
            headers["Telnyx-Timestamp"] = timestamp
            headers["Telnyx-Signature-Ed25519"] = base64.b64encode(signature).decode()
        return SentWebhook(headers, body)

    def upgrade_headers(self, url: str) -> dict[str, str]:
        token = self._settings.stream_auth_token
        return {"X-Telnyx-Streaming-Auth-Token": token} if token else {}

    def read(self, media_type: str, answer: bytes) -> list[Instruction]:
        return read(TITLE, media_type, answer, _outbound)

    def rest(self, calls: Mapping[str, AnnouncedCall]) -> Asgi:
        async def act(request: Request) -> JSONResponse:
            return self._act(request, calls, await request.body())

        async def elsewhere(request: Request, error: Exception) -> JSONResponse:
            return _problem(404, "10005", "Resource not found", f"There is no {request.url.path}.")

        action = Route("/calls/{call}/actions/{action}", act, methods=["POST"])
        below = Mount(urlsplit(self._settings.base_url).path.rstrip("/"), routes=[action])
        return Starlette(routes=[below], exception_handlers={404: elsewhere, 405: elsewhere})

    def _act(self, request: Request, calls: Mapping[str, AnnouncedCall], body: bytes) -> JSONResponse:
        shown, bearer = request.headers.get("authorization", ""), f"Bearer {self._settings.api_key}"
        if not hmac.compare_digest(shown.encode(), bearer.encode()):
            return _problem(401, "10009", "Authentication failed", "The API key in the request could not be found.")
        call = calls.get(request.path_params["call"])
        if call is None:
            return _problem(404, "10005", "Resource not found", "The requested resource or URL could not be found.")
        try:
            values = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        except UNREADABLE:
            return _problem(400, "10015", "Bad Request", "The request body is not a JSON object.")
        command_id = values.get("command_id")
        if command_id in self._known:
            return _done()
        if not call.take_command():
            return _problem(422, *OVER)
        refused = _command(call, request.path_params["action"], values)
        if refused is not None:
            return refused
        if isinstance(command_id, str):
            self._known.add(command_id)
        return _done()


def _command(call: AnnouncedCall, action: str, values: Mapping[str, Any]) -> JSONResponse | None:
    """Carry out a command. Returns the refusal, if there is one."""
    match action, values:
        case "hangup", _:
            call.redirect([HangUpCall()])
        case "transfer", {"to": str(to)}:
            call.redirect([DialNumber(to)])
        case "send_dtmf", {"digits": str(digits)}:
            call.play_digits(digits)
        case "transfer" | "send_dtmf", _:
            wanted = "to" if action == "transfer" else "digits"
            return _problem(422, "10004", "Missing required parameter", f"The '{wanted}' parameter is required.")
        case _:
            detail = f"This double knows hangup, transfer and send_dtmf, came {action}."
            return _problem(404, "10005", "Resource not found", detail)
    return None


def _outbound(stream: Element) -> AudioFormat:
    """The format that `<Stream>` asks the agent's audio to have."""
    mode = stream.get("bidirectionalMode", "mp3")
    if mode != "rtp":
        raise AnswerError(
            f'expected bidirectionalMode="rtp" in <Stream>; got {mode[:80]!r}, in which {TITLE} drops our audio'
        )
    codec, rate = stream.get("bidirectionalCodec", "PCMU"), stream.get("bidirectionalSamplingRate", "8000")
    if codec in CODECS:
        encoding, hertz = CODECS[codec]
        return AudioFormat(encoding, hertz)
    if codec == "L16" and rate in map(str, RATES):
        return AudioFormat("pcm16", int(rate))
    raise AnswerError(
        f"expected a bidirectionalCodec of {', '.join(CODECS)} or L16 at one of {', '.join(map(str, RATES))} Hz; got "
        f"{codec[:80]!r} at {rate[:80]!r}"
    )


def _done() -> JSONResponse:
    return JSONResponse({"data": {"result": "ok"}})


def _problem(status: int, code: str, title: str, detail: str) -> JSONResponse:
    url = f"https://developers.telnyx.com/docs/overview/errors/{code}"
    error = {"code": code, "title": title, "detail": detail, "meta": {"url": url}}
    return JSONResponse({"errors": [error]}, status)
