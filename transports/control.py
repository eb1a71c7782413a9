"""Call control: what is done to a call's carrier leg by the carrier's REST interface, beside the media stream.

A command is sent up to three times, but again only if that cannot carry it out twice: when it did not reach the
carrier, when the carrier said that it did nothing (429), or when doing it twice is doing it once.

A call that is already over is no failure: commands then return False.
"""

from __future__ import annotations

import asyncio
import re
from typing import ClassVar, Final

import httpx
import msgspec

from voiceflow.errors import CallError, ProviderConnectionError

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


class RestControl:
    """What the carriers' interfaces have in common."""

    name: ClassVar[str]
    title: ClassVar[str]
    """The carrier's, as in `Carrier`."""
    over: ClassVar[frozenset[tuple[int, str]]]
    """Status and code of the answers which say that the call has ended."""

    def __init__(self, client: httpx.AsyncClient, auth: httpx.Auth, secret: str) -> None:
        self.client = client
        self._auth = auth
        self._secret = secret

    def problem(self, body: bytes) -> tuple[str, str]:
        """The code and the text of an answer that is not a success. Raises what msgspec raises."""
        raise NotImplementedError

    async def command(self, what: str, request: httpx.Request, *, repeatable: bool) -> bool:
        response = await self._send(what, request, repeatable)
        if response.is_success:
            return True
        try:
            code, text = self.problem(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError):  # not the carrier's: a page of some proxy
            code, text = "", response.reason_phrase
        if (response.status_code, code) in self.over:
            return False
        said = f"{code} {text}".strip().replace(self._secret, "...")[:300]  # some quote the credentials they refuse
        hint = f" (check provider_config.{self.name})" if response.status_code in (401, 403) else ""
        raise ProviderConnectionError(f"{self.title} did not {what}, and answered {response.status_code}: {said}{hint}")

    async def _send(self, what: str, request: httpx.Request, repeatable: bool) -> httpx.Response:
        """The carrier's answer, the last of them if the command was sent again."""
        attempt, doubt = 1, False
        while True:
            wait = BACK_OFF * 2 ** (attempt - 1)
            try:
                response = await self.client.send(request, auth=self._auth, follow_redirects=False)
            except httpx.HTTPError as error:
                doubt = doubt or not isinstance(error, _UNSENT)
                if attempt == ATTEMPTS or (doubt and not repeatable):
                    done = "may have been" if doubt else "was not"
                    raise ProviderConnectionError(
                        f"{self.title} gave no answer when told to {what}, which {done} carried out: "
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


def _retry_after(response: httpx.Response) -> float:
    """Seconds. A date, which is the header's other form, counts for nothing."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), PATIENCE) if re.fullmatch(r"\d{1,6}", asked) else 0.0


def is_sip(to: str) -> bool:
    """Whether a call is transferred to a SIP address; else it is to a number. Raises `CallError` for neither.

    Strict, since `to` is often a model's words, and carriers read more into them: one plays what follows a
    comma as digits.
    """
    if re.fullmatch(r"sips?:[\w.+~%-]+@[\w.-]+(:\d{1,5})?(;[\w=.-]+)*", to, re.ASCII):
        return True
    if re.fullmatch(r"\+?[0-9]{3,15}", to):
        return False
    raise CallError(f"cannot transfer to {to!r}: expected a number such as +15125551234, or sip:name@example.com")


def checked_digits(digits: str) -> str:
    if not re.fullmatch(r"[0-9A-D*#wW]+", digits):
        raise CallError(f"{digits!r} are no keys of a telephone: use 0-9, *, #, A-D, and w or W to pause")
    return digits
