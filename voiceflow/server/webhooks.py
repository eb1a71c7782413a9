"""Answers to carriers' webhooks, in which a carrier asks what to do with a call."""

from __future__ import annotations

from functools import partial
from logging import ERROR
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voiceflow.config.current_address import current_address
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.errors import CallRejectedError, DIDNotFoundError
from voiceflow.security.signatures import requested_url
from voiceflow.security.tokens import Claims, StreamTokens
from voiceflow.security.trust import Trust
from voiceflow.session.language import ours
from voiceflow.transports.carriers import Carrier, Webhook, carriers
from voiceflow.transports.carriers.ids import check_ids

from .body import read_body
from .places import AllBusyError, Places
from .prefix import public_address
from .refusals import REFUSED, RefusalLog, host_of

LARGEST_BODY: Final = 64 * 1024
"""Bytes that the body of a webhook may have."""


class Webhooks:
    """Answers the webhooks of all carriers."""

    def __init__(
        self, config: Config, routes: Routes, tokens: StreamTokens, trust: Trust, refusals: RefusalLog, places: Places
    ) -> None:
        """Raises `VoiceflowError` if a carrier's settings cannot be right."""
        self._config = config
        self._routes = routes
        self._tokens = tokens
        self._trust = trust
        self._refusals = refusals
        self._places = places
        for settings in config.provider_config:
            settings.check()

    def routes(self) -> list[Route]:
        """One HTTP route for each carrier."""
        methods = ["GET", "POST"]  # carriers can be told to use either
        return [Route(carrier.webhook_path, partial(self._answer, carrier), methods=methods) for carrier in carriers()]

    async def _answer(self, carrier: Carrier[Any], request: Request) -> Response:
        is_stranger = not self._trust.trusts(request.scope)
        try:
            body = await read_body(request, LARGEST_BODY)
            if body is None:
                raise CallRejectedError(f"the webhook's body has more than {LARGEST_BODY} bytes")
            configured = current_address(self._config)
            address = configured and public_address(configured, request.scope)
            url = requested_url(address, request.scope) if address else None
            webhook = Webhook(url, request.scope["headers"], body, request.scope["query_string"])
            verified, signature = self._trust.is_operators(request.scope), None
            if not verified:
                signature = self._signature(carrier, webhook, required=is_stranger)
                verified, is_stranger = signature is not None, False
            document = self._document(carrier, webhook, address, signature, verified=verified)
        except CallRejectedError as error:
            kind, peer = f"a webhook of {carrier.name}", host_of(request.scope)
            self._refusals.tell(kind, peer, f"{kind} from {peer} was refused: {error}")
            return Response(f"{REFUSED if is_stranger else error}\n", status_code=403, media_type="text/plain")
        return Response(document, media_type=carrier.media_type)

    def _signature(self, carrier: Carrier[Any], webhook: Webhook, *, required: bool) -> bytes | None:
        """What the carrier has signed the webhook with. None: it has not, but that is not `required`, since everybody
        may call. Raises `CallRejectedError` if it is."""
        try:
            return carrier.verify_webhook(self._config.of(carrier.settings), webhook)
        except CallRejectedError:
            if required:
                raise
            return None

    def _document(
        self,
        carrier: Carrier[Any],
        webhook: Webhook,
        address: str | None,
        signature: bytes | None,
        *,
        verified: bool,
    ) -> str:
        """The answer to a webhook. `address` is where the carrier reaches media streams. The same `signature` gets the
        same token."""
        call = carrier.incoming(webhook)
        if not call.call_id:
            raise CallRejectedError("the webhook has no call's id: it is about something else than a call")
        check_ids(carrier.id_shapes, {"call_sid": call.call_id})
        try:
            found = self._routes.find(call.did)
        except DIDNotFoundError as error:
            self._refusals.tell("a call", call.caller_id, f"a call from {call.caller_id} was refused: {error}")
            language, said = ours(self._routes.default)
            return carrier.refuse(said.not_in_service, language)
        if address is None:
            why = "set public_ws_url (--ws-url wss://HOST/sip/media-stream)"
            self._refusals.tell("a call", call.caller_id, f"a call came and cannot be connected: {why}", level=ERROR)
            language, said = ours(found.route)
            return carrier.refuse(said.not_set_up, language)
        settings = self._config.of(carrier.settings)
        claims = Claims(carrier.name, call.call_id, call.caller_id, call.did, carrier.codec(settings), verified)
        token = self._tokens.issue(claims, signature)
        try:
            self._places.promise((carrier.name, call.call_id), found)
        except AllBusyError as error:
            self._refusals.tell("a call", call.caller_id, f"a call from {call.caller_id} was refused: {error}")
            return carrier.busy()
        return carrier.connect(settings, address, call, token)
