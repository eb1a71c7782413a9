"""Call control: what is done to a call's carrier leg by the carrier's REST interface, beside the media stream.

Two carriers, one interface. A command is sent up to three times, but again only if that cannot carry it out
twice: when it did not reach the carrier, when the carrier said that it did nothing (429), or when doing it twice
is doing it once. The last is so for all commands of Telnyx, which ignores a `command_id` that it knows, and for
hanging up at Twilio. A Twilio transfer whose answer is lost may be ringing already, and is not sent again.

A call that is already over is no failure: commands then return False.

Sources: twilio.com/docs/voice/api/call-resource and docs/api/errors; developers.telnyx.com/api-reference/
call-commands and "API errors".
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Generator
from typing import ClassVar, Final
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring

import httpx
import msgspec

from voiceflow.errors import CallError, ProviderConnectionError

TWILIO: Final = "https://api.twilio.com/2010-04-01"
TELNYX: Final = "https://api.telnyx.com/v2"

TIMEOUT: Final = 5.0
"""Seconds for each step of a request: connecting, sending, waiting for the answer."""
ATTEMPTS: Final = 3
BACK_OFF: Final = 0.25
"""Seconds before the second attempt; twice that before the third."""
PATIENCE: Final = 2.0
"""The longest wait, in seconds, that a carrier's Retry-After can ask for."""

# Not sent, so not carried out: no connection, or none that was free.
_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BUSY: Final = 429


class _TwilioProblem(msgspec.Struct):
    code: int
    message: str


class _TelnyxError(msgspec.Struct):
    code: str
    title: str
    detail: str = ""


class _TelnyxProblem(msgspec.Struct):
    errors: list[_TelnyxError]


class _Rest:
    """What the two carriers have in common."""

    _carrier: ClassVar[str]
    _over: ClassVar[frozenset[tuple[int, str]]]
    """Status and code of the answers which say that the call has ended."""

    def __init__(self, client: httpx.AsyncClient, auth: httpx.Auth, secret: str) -> None:
        self._client = client
        self._auth = auth
        self._secret = secret

    def _problem(self, body: bytes) -> tuple[str, str]:
        """The code and the text of an answer that is not a success. Raises what msgspec raises."""
        raise NotImplementedError

    async def _command(self, what: str, request: httpx.Request, *, repeatable: bool) -> bool:
        response = await self._send(what, request, repeatable)
        if response.is_success:
            return True
        try:
            code, text = self._problem(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError):  # not the carrier's: a page of some proxy
            code, text = "", response.reason_phrase
        if (response.status_code, code) in self._over:
            return False
        said = f"{code} {text}".strip().replace(self._secret, "...")[:300]  # some quote the credentials they refuse
        hint = f" (check provider_config.{self._carrier.lower()})" if response.status_code in (401, 403) else ""
        raise ProviderConnectionError(
            f"{self._carrier} did not {what}, and answered {response.status_code}: {said}{hint}"
        )

    async def _send(self, what: str, request: httpx.Request, repeatable: bool) -> httpx.Response:
        """The carrier's answer, the last of them if the command was sent again."""
        attempt, doubt = 1, False
        while True:
            wait = BACK_OFF * 2 ** (attempt - 1)
            try:
                response = await self._client.send(request, auth=self._auth, follow_redirects=False)
            except httpx.HTTPError as error:
                doubt = doubt or not isinstance(error, _UNSENT)
                if attempt == ATTEMPTS or (doubt and not repeatable):
                    done = "may have been" if doubt else "was not"
                    raise ProviderConnectionError(
                        f"{self._carrier} gave no answer when told to {what}, which {done} carried out: "
                        f"{type(error).__name__} at attempt {attempt}"
                    ) from error
            else:
                doubt = doubt or response.is_server_error
                again = response.status_code == _BUSY or (repeatable and response.is_server_error)
                if attempt == ATTEMPTS or not again:
                    return response
                wait = max(wait, _retry_after(response))
            await asyncio.sleep(wait)
            attempt += 1


class TwilioControl(_Rest):
    """A call at Twilio. `client` is shared by all calls, for its connections."""

    _carrier = "Twilio"
    _over = frozenset({(404, "20404"), (400, "21220")})  # not found; not in progress any more

    digits_end_stream: ClassVar[bool] = True  # they are TwiML, which takes the place of what connects it

    def __init__(self, client: httpx.AsyncClient, *, account_sid: str, auth_token: str, call_sid: str) -> None:
        super().__init__(client, httpx.BasicAuth(account_sid, auth_token), auth_token)
        self._url = f"{TWILIO}/Accounts/{quote(account_sid, safe='')}/Calls/{quote(call_sid, safe='')}.json"

    async def hangup(self) -> bool:
        return await self._update("hang up", {"Status": "completed"}, repeatable=True)

    async def transfer(self, to: str) -> bool:
        dial = Element("Dial")
        SubElement(dial, "Sip" if _is_sip(to) else "Number").text = to
        return await self._update(f"transfer to {to}", {"Twiml": _twiml(dial)}, repeatable=False)

    async def send_digits(self, digits: str) -> bool:
        """Ends the media stream and then the call: Twilio plays digits instead of what the call is doing. To go
        on talking, send the tones as audio (`Call.send_digits`)."""
        play = Element("Play", digits=_checked_digits(digits))
        return await self._update("send digits", {"Twiml": _twiml(play)}, repeatable=False)

    async def _update(self, what: str, form: dict[str, str], *, repeatable: bool) -> bool:
        request = self._client.build_request("POST", self._url, data=form, timeout=TIMEOUT)
        return await self._command(what, request, repeatable=repeatable)

    def _problem(self, body: bytes) -> tuple[str, str]:
        problem = msgspec.json.decode(body, type=_TwilioProblem)
        return str(problem.code), problem.message


class TelnyxControl(_Rest):
    """A call at Telnyx. `client` is shared by all calls, for its connections."""

    _carrier = "Telnyx"
    _over = frozenset({(422, "90018")})

    digits_end_stream: ClassVar[bool] = False

    def __init__(self, client: httpx.AsyncClient, *, api_key: str, call_control_id: str) -> None:
        super().__init__(client, _Bearer(api_key), api_key)
        self._url = f"{TELNYX}/calls/{quote(call_control_id, safe=':')}/actions"

    async def hangup(self) -> bool:
        return await self._act("hang up", "hangup", {})

    async def transfer(self, to: str) -> bool:
        _is_sip(to)
        return await self._act(f"transfer to {to}", "transfer", {"to": to})

    async def send_digits(self, digits: str) -> bool:
        return await self._act("send digits", "send_dtmf", {"digits": _checked_digits(digits)})

    async def _act(self, what: str, action: str, values: dict[str, str]) -> bool:
        body = {**values, "command_id": str(uuid.uuid4())}  # one for all attempts
        request = self._client.build_request("POST", f"{self._url}/{action}", json=body, timeout=TIMEOUT)
        return await self._command(what, request, repeatable=True)

    def _problem(self, body: bytes) -> tuple[str, str]:
        errors = msgspec.json.decode(body, type=_TelnyxProblem).errors
        first = errors[0] if errors else _TelnyxError("", "no error is named")
        return first.code, ": ".join(filter(None, (first.title, first.detail)))


class _Bearer(httpx.Auth):
    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


def _retry_after(response: httpx.Response) -> float:
    """Seconds. A date, which is the header's other form, counts for nothing."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), PATIENCE) if re.fullmatch(r"\d{1,6}", asked) else 0.0


def _twiml(verb: Element) -> str:
    response = Element("Response")
    response.append(verb)
    return tostring(response, encoding="unicode")


def _is_sip(to: str) -> bool:
    """Whether a call is transferred to a SIP address; else it is to a number. Raises `CallError` for neither.

    Strict, since `to` is often a model's words, and carriers read more into them: Telnyx plays what follows a
    comma as digits.
    """
    if re.fullmatch(r"sips?:[\w.+~%-]+@[\w.-]+(:\d{1,5})?(;[\w=.-]+)*", to, re.ASCII):
        return True
    if re.fullmatch(r"\+?[0-9]{3,15}", to):
        return False
    raise CallError(f"cannot transfer to {to!r}: expected a number such as +15125551234, or sip:name@example.com")


def _checked_digits(digits: str) -> str:
    if not re.fullmatch(r"[0-9A-D*#wW]+", digits):
        raise CallError(f"{digits!r} are no keys of a telephone: use 0-9, *, #, A-D, and w or W to pause")
    return digits
