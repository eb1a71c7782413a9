"""Call control through a carrier's REST interface: hanging up, transfer, digits, beside the media stream.

A command is sent up to three times, but repeated only where it cannot be carried out twice: if it did not reach the
carrier, if the carrier said that it did nothing (429), or if the command is idempotent (`repeatable`).

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
"""Seconds to wait before the second attempt; twice that before the third."""
LONGEST_TRANSFER: Final = 7200
"""Seconds after which the carrier ends a call that was transferred: nobody here can end it any more."""
PATIENCE: Final = 2.0
"""The longest wait, in seconds, that a carrier's Retry-After header can ask for."""

# The request was not sent, so not carried out: there was no connection, or none was free.
_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BUSY: Final = 429


class RestControl:
    """Sends commands about one call to a carrier's REST interface. A subclass, one for each carrier, builds requests
    and reads error answers."""

    name: ClassVar[str]
    """The carrier's name in the configuration, as `Carrier.name`."""
    title: ClassVar[str]
    """The carrier's name in texts, as `Carrier.title`."""
    over: ClassVar[frozenset[tuple[int, str]]]
    """The error answers that mean that the call has ended: HTTP status and the carrier's error code."""

    unknown: str
    """What a 404 means: calls that have ended are known for long, so it is another one that is wrong."""

    def __init__(self, client: httpx.AsyncClient, auth: httpx.Auth, secret: str) -> None:
        self.client = client
        self._auth = auth
        self._secret = secret

    def problem(self, body: bytes) -> tuple[str, str]:
        """The carrier's error code and text in the body of an error answer. Raises msgspec's exceptions for a body that
        the carrier did not write."""
        raise NotImplementedError

    async def command(self, what: str, request: httpx.Request, *, repeatable: bool) -> bool:
        """Send a command, which errors call `what`. False: the call is over. Raises `ProviderConnectionError`."""
        response = await self._send(what, request, repeatable)
        if response.is_success:
            return True
        try:
            code, text = self.problem(response.content)
        except (msgspec.DecodeError, UnicodeDecodeError):  # not the carrier's answer but a proxy's page
            code, text = "", response.reason_phrase
        if (response.status_code, code) in self.over:
            return False
        said = f"{code} {text}".strip().replace(self._secret, "...")[:300]  # some quote refused credentials
        hint = ""
        if response.status_code in (401, 403):
            hint = f" (check provider_config.{self.name})"
        elif response.status_code == 404:
            hint = f" ({self.unknown})"
        raise ProviderConnectionError(f"{self.title} did not {what}, and answered {response.status_code}: {said}{hint}")

    async def _send(self, what: str, request: httpx.Request, repeatable: bool) -> httpx.Response:
        """The carrier's answer: the last one if the command was repeated."""
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
    """The Retry-After header in seconds, at most `PATIENCE`. 0 without one, or for a date, the header's other form."""
    asked = response.headers.get("Retry-After", "")
    return min(float(asked), PATIENCE) if re.fullmatch(r"\d{1,6}", asked) else 0.0


def is_sip(to: str) -> bool:
    """Whether `to`, to which a call is to be transferred, is a SIP address (True) or a telephone number (False).

    Raises `CallError` if it is neither. The check is strict because `to` is often written by a language model, and
    carriers give further characters a meaning: one plays what follows a comma as digits.
    """
    if re.fullmatch(r"sips?:[\w.+~%-]+@[\w.-]+(:\d{1,5})?(;[\w=.-]+)*", to, re.ASCII):
        return True
    if re.fullmatch(r"\+?[0-9]{3,15}", to):
        return False
    raise CallError(f"cannot transfer to {to!r}: expected a number such as +15125551234, or sip:name@example.com")


def checked_digits(digits: str) -> str:
    """`digits` as given. Raises `CallError` if they are not keys of a telephone and pauses (w, W)."""
    if not re.fullmatch(r"[0-9A-D*#wW]+", digits):
        raise CallError(f"{digits!r} are no keys of a telephone: use 0-9, *, #, A-D, and w or W to pause")
    return digits
