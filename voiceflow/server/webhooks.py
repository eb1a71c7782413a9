"""What the server answers when a carrier asks what to do with a call."""

from __future__ import annotations

import logging
import time
from typing import Final
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.requests import Request
from starlette.responses import Response

from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.errors import CallRejectedError
from voiceflow.security.local import is_local
from voiceflow.security.signatures import requested_url, telnyx_public_key, verify_telnyx, verify_twilio
from voiceflow.security.tokens import Claims, StreamTokens
from voiceflow.transports import answer

from .body import read_body

log = logging.getLogger("voiceflow.server")

LARGEST_BODY: Final = 64 * 1024
UNKNOWN_NUMBER: Final = "This number is not in service."
NOT_SET_UP: Final = "This number is not set up yet."


class Webhooks:
    """Answers the webhooks of both carriers."""

    def __init__(self, config: Config, routes: Routes, tokens: StreamTokens, *, open: bool) -> None:
        self._config = config
        self._routes = routes
        self._tokens = tokens
        self._open = open  # to everybody
        public_key = config.provider_config.telnyx.public_key
        self._telnyx_key: Ed25519PublicKey | None = telnyx_public_key(public_key) if public_key else None

    async def twilio(self, request: Request) -> Response:
        return await self._answer(request, "twilio")

    async def telnyx(self, request: Request) -> Response:
        return await self._answer(request, "telnyx")

    async def _answer(self, request: Request, provider: str) -> Response:
        try:
            body = await read_body(request, LARGEST_BODY)
            if body is None:
                raise CallRejectedError(f"the webhook's body has more than {LARGEST_BODY} bytes")
            self._verify(request, provider, body)
            form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
            document = self._document(provider, form)
        except CallRejectedError as error:
            log.warning(
                "a webhook of %s from %s was refused: %s", provider, request.client and request.client.host, error
            )
            return Response(f"{error}\n", status_code=403, media_type="text/plain")
        return Response(document, media_type="application/xml")

    def _verify(self, request: Request, provider: str, body: bytes) -> None:
        """Raise `CallRejectedError` unless the request may be answered."""
        if self._open or is_local(request.scope):
            return
        headers = request.scope["headers"]
        token, address = self._config.provider_config.twilio.auth_token, self._config.public_ws_url
        if provider == "twilio" and token and address:
            verify_twilio(token, requested_url(address, request.scope), headers, body)
        elif provider == "telnyx" and self._telnyx_key is not None:
            verify_telnyx(self._telnyx_key, headers, body, now=time.time())
        else:
            key = "twilio.auth_token and public_ws_url" if provider == "twilio" else "telnyx.public_key"
            raise CallRejectedError(f"webhooks of {provider} are closed until provider_config.{key} is configured")

    def _document(self, provider: str, form: dict[str, str]) -> str:
        """TwiML or TeXML. Both carriers name the fields alike."""
        call_id, caller_id, did = (form.get(name, "") for name in ("CallSid", "From", "To"))
        if self._routes.lookup(did) is None:
            log.warning("a call from %s to %s was refused: the number has no route", caller_id, did)
            return answer.refuse(UNKNOWN_NUMBER)
        address = self._config.public_ws_url
        if address is None:
            log.error("a call came and cannot be connected: set public_ws_url (--ws-url wss://HOST/sip/media-stream)")
            return answer.refuse(NOT_SET_UP)
        codec = self._config.provider_config.telnyx.codec if provider == "telnyx" else "PCMU"
        token = self._tokens.issue(Claims(provider, call_id, caller_id, did, codec))
        if provider == "twilio":
            return answer.twilio_stream(address, token=token, caller_id=caller_id, did=did)
        return answer.telnyx_stream(address, token=token, caller_id=caller_id, did=did, codec=codec)
