"""Call control at Twilio.

Hanging up is idempotent and is repeated. A transfer whose answer was lost may be ringing already and is not.

Source: twilio.com/docs/voice/api/call-resource and docs/api/errors.
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring

import httpx
import msgspec

from voiceflow.transports.carriers.twilio.settings import TwilioSettings
from voiceflow.transports.rest_control import LONGEST_TRANSFER, TIMEOUT, RestControl, checked_digits, is_sip


class _TwilioProblem(msgspec.Struct):
    code: int
    message: str


class TwilioControl(RestControl):
    """Commands about a call at Twilio. `client` is shared by all calls."""

    name, title = "twilio", "Twilio"
    over = frozenset({(400, "21220")})  # not in progress any more

    digits_end_stream: ClassVar[bool] = True  # they are sent as TwiML, which replaces the TwiML of the stream

    def __init__(self, client: httpx.AsyncClient, settings: TwilioSettings, call_sid: str) -> None:
        """`settings` have a `user`."""
        user, password = settings.user or ("", "")
        super().__init__(client, httpx.BasicAuth(user, password), password)
        call = f"Accounts/{quote(settings.account_sid or '', safe='')}/Calls/{quote(call_sid, safe='')}"
        self._url = f"{settings.rest}/2010-04-01/{call}.json"
        self.unknown = (
            f"{settings.rest} does not know the call, though its stream came to us: calls are known in their own "
            "region, set by provider_config.twilio.region (TWILIO_REGION), with that region's credentials"
        )

    async def hangup(self) -> bool:
        return await self._update("hang up", {"Status": "completed"}, repeatable=True)

    async def transfer(self, to: str) -> bool:
        dial = Element("Dial", timeLimit=str(LONGEST_TRANSFER))
        SubElement(dial, "Sip" if is_sip(to) else "Number").text = to
        return await self._update(f"transfer to {to}", {"Twiml": _twiml(dial)}, repeatable=False)

    async def send_digits(self, digits: str) -> bool:
        """Play digits to the caller, as in `CallControl`. This ends the media stream and then the call, because
        Twilio plays them in place of what the call is doing. `Call.send_digits` sends the tones as audio instead."""
        play = Element("Play", digits=checked_digits(digits))
        return await self._update("send digits", {"Twiml": _twiml(play)}, repeatable=False)

    async def _update(self, what: str, form: dict[str, str], *, repeatable: bool) -> bool:
        request = self.client.build_request("POST", self._url, data=form, timeout=TIMEOUT)
        return await self.command(what, request, repeatable=repeatable)

    def problem(self, body: bytes) -> tuple[str, str]:
        problem = msgspec.json.decode(body, type=_TwilioProblem)
        return str(problem.code), problem.message


def _twiml(verb: Element) -> str:
    response = Element("Response")
    response.append(verb)
    return tostring(response, encoding="unicode")
