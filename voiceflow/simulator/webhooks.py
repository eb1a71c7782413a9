"""Announces simulated calls to a server by its webhook, as a carrier does, and reads the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import Final
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx

from voiceflow.config.address import LOCAL
from voiceflow.errors import ProviderConnectionError
from voiceflow.logs import get_logger
from voiceflow.simulator.line import operators_headers
from voiceflow.simulator.measure import Durations
from voiceflow.transports.carriers.double import CarrierDouble, StreamEvent
from voiceflow.transports.carriers.instructions import Instruction

log = get_logger("voiceflow.simulator")

PATIENCE: Final = 15.0
"""Seconds after which a carrier gives up a webhook."""
LARGEST: Final = 64 * 1024
"""Bytes of an answer that a carrier reads."""


class WebhookClient:
    """Sends the webhooks of a carrier to one URL."""

    def __init__(self, url: str, title: str, double: CarrierDouble, public: str | None, answered: Durations) -> None:
        """`public` is the address at which the carrier would reach the server, if it is not that of `url`; `answered`
        counts how long the answers take. Raises `ProviderConnectionError` if `url` is none of a webhook."""
        parts = urlsplit(url)
        try:
            host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            host, port = None, 0
        if parts.scheme not in ("http", "https") or not host:
            raise ProviderConnectionError(
                f"{url} is not the URL of a webhook: expected one such as http://127.0.0.1:8000/sip/CARRIER/answer"
            )
        self._url, self._parts, self._host, self._port = url, parts, host, port
        self._title, self._double, self._answered = title, double, answered
        self.is_local = host in LOCAL
        self._signed_url = _at(public, parts.path, parts.query) if self.is_local and public else url
        self.signs = double.signs and bool(public or not self.is_local)
        """Whether the webhooks are signed. Those that are not show that they are from the server's operator."""
        self._client = httpx.AsyncClient(timeout=PATIENCE, trust_env=not self.is_local)

    async def announce(self, call_id: str, caller_id: str, did: str) -> list[Instruction]:
        """Announce a call. Returns what the answer tells to do; raises `ProviderConnectionError`."""
        sent = self._double.webhook(call_id, caller_id, did, self._signed_url)
        headers = sent.headers if self.signs else sent.headers | operators_headers(self._host, self._port)
        began = perf_counter()
        try:
            async with asyncio.timeout(PATIENCE):
                response, body = await self._ask(self._url, sent.body, headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise ProviderConnectionError(self._explain(error)) from error
        self._answered.add(perf_counter() - began)
        if response.status_code != 200:
            raise ProviderConnectionError(self._refused(response, body))
        return self._double.read(response.headers.get("content-type", ""), body)

    async def tell(self, url: str, event: StreamEvent) -> None:
        """Tell a status callback, at the `url` that an answer gave, what has become of a stream. What comes of that is
        logged: it changes nothing for the call."""
        url = urljoin(self._signed_url, url)
        sent = self._double.stream_status(event, url)
        if sent is None:
            return
        here = self._address(url, self._parts.scheme)
        try:
            async with asyncio.timeout(PATIENCE):
                response, _ = await self._ask(here, sent.body, sent.headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ProviderConnectionError) as error:
            log.warning("the status callback %s does not answer: %s", here, str(error) or type(error).__name__)
        else:
            if not response.is_success:
                log.warning("the status callback %s answered with status %d", here, response.status_code)

    async def _ask(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[httpx.Response, bytes]:
        """The answer to a request, and its body. Raises `ProviderConnectionError` for one that is too long."""
        read = b""
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            async for part in response.aiter_bytes():
                read += part
                if len(read) > LARGEST:
                    raise ProviderConnectionError(f"{url} answered with more than {LARGEST} bytes")
        return response, read

    def stream_address(self, url: str) -> str:
        """Where the stream at `url` is opened: on this machine, if the webhook was answered there, else at `url`."""
        return self._address(url, "wss" if self._parts.scheme == "https" else "ws")

    def _address(self, url: str, scheme: str) -> str:
        parts = urlsplit(url)
        if not self.is_local or parts.hostname in LOCAL:
            return url
        return urlunsplit((scheme, self._parts.netloc, parts.path, parts.query, ""))

    async def close(self) -> None:
        await self._client.aclose()

    def _refused(self, response: httpx.Response, body: bytes) -> str:
        """Why an answer is none, and what to do."""
        status = response.status_code
        said = " ".join(body.decode(errors="replace").split())[:300] or response.reason_phrase
        text = f"{self._url} answered with status {status}: {said}"
        if response.is_redirect:
            return f"{self._url} redirects to {response.headers['location'][:200]}: give that address"
        if status in (401, 403):
            how = f"was signed for {self._signed_url}" if self.signs else "was not signed"
            return f"{text}. The webhook {how}: does the server have the same keys and address (-c, .env)?"
        if status in (404, 405):
            return f"{text}. Expected a webhook that takes POST: `voiceflow run` prints its address"
        return f"{text}. The log of the server says why" if status >= 500 else text

    def _explain(self, error: Exception) -> str:
        where = f"{self._host} port {self._port}"
        match error:
            case httpx.ConnectTimeout() | httpx.ConnectError():
                return f"nothing answers on {where} ({error}): start a server there, with `voiceflow run FILE`"
            case httpx.TimeoutException() | TimeoutError():
                return f"{where} has not answered the webhook for {PATIENCE:g} s, and {self._title} waits no longer"
            case _:
                return f"{where} does not answer as a webhook: {str(error) or type(error).__name__}"


def _at(public: str, path: str, query: str) -> str:
    """The public URL of a webhook that is asked for on this machine: there it may lack the prefix of the public one."""
    base = urlsplit(public)
    if not path.startswith(base.path.rstrip("/") + "/"):
        path = base.path.rstrip("/") + path
    return urlunsplit((base.scheme, base.netloc, path, query, ""))
