"""Call control at Telnyx. Every command may be repeated: Telnyx ignores a `command_id` that it has seen before.

Source: developers.telnyx.com/api-reference/call-commands and "API errors".
"""

from __future__ import annotations

import uuid
from collections.abc import Generator
from typing import ClassVar
from urllib.parse import quote

import httpx
import msgspec

from voiceflow.transports.carriers.telnyx.settings import TelnyxSettings
from voiceflow.transports.rest_control import LONGEST_TRANSFER, TIMEOUT, RestControl, checked_digits, is_sip


class _TelnyxError(msgspec.Struct):
    code: str
    title: str
    detail: str = ""


class _TelnyxProblem(msgspec.Struct):
    errors: list[_TelnyxError]


class TelnyxControl(RestControl):
    """Commands about a call at Telnyx. `client` is shared by all calls."""

    name, title = "telnyx", "Telnyx"
    over = frozenset({(422, "90018")})

    digits_end_stream: ClassVar[bool] = False

    def __init__(self, client: httpx.AsyncClient, settings: TelnyxSettings, call_control_id: str) -> None:
        """`settings` have an `api_key`."""
        key = settings.api_key or ""
        super().__init__(client, _Bearer(key), key)
        self._url = f"{settings.base_url.rstrip('/')}/calls/{quote(call_control_id, safe=':')}/actions"
        self.unknown = (
            f"{settings.base_url} does not know the call, though its stream came to us: is the API key that of "
            "another account?"
        )

    async def hangup(self) -> bool:
        return await self._act("hang up", "hangup", {})

    async def transfer(self, to: str) -> bool:
        is_sip(to)  # raises CallError where `to` is neither an address nor a number; Telnyx takes both alike
        return await self._act(f"transfer to {to}", "transfer", {"to": to, "time_limit_secs": LONGEST_TRANSFER})

    async def send_digits(self, digits: str) -> bool:
        return await self._act("send digits", "send_dtmf", {"digits": checked_digits(digits)})

    async def _act(self, what: str, action: str, values: dict[str, str | int]) -> bool:
        body = {**values, "command_id": str(uuid.uuid4())}  # the same for all attempts
        request = self.client.build_request("POST", f"{self._url}/{action}", json=body, timeout=TIMEOUT)
        return await self.command(what, request, repeatable=True)

    def problem(self, body: bytes) -> tuple[str, str]:
        errors = msgspec.json.decode(body, type=_TelnyxProblem).errors
        first = errors[0] if errors else _TelnyxError("", "no error is named")
        return first.code, ": ".join(filter(None, (first.title, first.detail)))


class _Bearer(httpx.Auth):
    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request
