"""From a carrier's WebSocket to a running call: who it is, whether it may, which route it takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import httpx
import msgspec

from voiceflow.call import Call
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.errors import CallRejectedError, DIDNotFoundError, ProviderDetectionError, VoiceflowError
from voiceflow.processor import Processor
from voiceflow.security.local import is_local
from voiceflow.security.signatures import verify_telnyx_stream, verify_twilio
from voiceflow.security.tokens import StreamTokens
from voiceflow.transport import CallControl
from voiceflow.transports.answer import TELNYX_RATES
from voiceflow.transports.control import TelnyxControl, TwilioControl
from voiceflow.transports.dialect import Event, ProtocolError, Start, Stream, detect_provider
from voiceflow.transports.media import (
    FAILED,
    FAILURE,
    POLICY,
    MediaSink,
    MediaSource,
    Receive,
    Send,
    Socket,
    StreamClosedError,
)
from voiceflow.transports.telnyx import audio_format

log = logging.getLogger("voiceflow.server")

HANDSHAKE: Final = 10.0
"""Seconds within which a stream must have said who it is."""

Scope = dict[str, Any]
Build = Callable[[Call], Processor]


class Opened(msgspec.Struct):
    """A stream that has begun."""

    stream: Stream
    start: Start
    early: list[Event]
    """What came with the start."""


class CarrierCalls:
    """Takes media streams and runs their calls."""

    def __init__(
        self,
        build: Build,
        config: Config,
        routes: Routes,
        tokens: StreamTokens,
        client: httpx.AsyncClient,
        *,
        open: bool,
    ) -> None:
        self.active: set[Call] = set()
        self._build = build
        self._config = config
        self._routes = routes
        self._tokens = tokens
        self._client = client
        self._open = open  # to everybody

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One WebSocket, from its handshake to its close."""
        await receive()  # websocket.connect
        trusted = self._open or is_local(scope)
        try:
            self._check_upgrade(scope, trusted=trusted)
        except CallRejectedError as error:
            log.warning("a media stream from %s was refused: %s", _peer(scope), error)
            await send({"type": "websocket.close", "code": POLICY, "reason": str(error)[:100]})
            return
        await send({"type": "websocket.accept"})
        socket = Socket(receive, send)
        writing = asyncio.create_task(socket.run(), name="media outbox")
        code, reason = FAILED, "the server failed"
        try:
            opened = await self._open_stream(socket)
            self._admit(opened, scope, trusted=trusted)
            code, reason = await self._run(opened, socket)
        except StreamClosedError as error:
            log.info("a media stream from %s ended before it began: %s", _peer(scope), error)
        except (ProtocolError, ProviderDetectionError, CallRejectedError, DIDNotFoundError) as error:
            code, reason = POLICY, str(error)
            log.warning("a media stream from %s was refused: %s", _peer(scope), error)
        finally:
            writing.cancel()
            await asyncio.wait({writing})
            await socket.close(code, reason)

    def _check_upgrade(self, scope: Scope, *, trusted: bool) -> None:
        """Twilio signs the upgrade. Who has no signature may still bring a token."""
        token, address = self._config.provider_config.twilio.auth_token, self._config.public_ws_url
        signed = any(name == b"x-twilio-signature" for name, _ in scope["headers"])
        if not trusted and signed and token and address:
            verify_twilio(token, address, scope["headers"])

    async def _open_stream(self, socket: Socket) -> Opened:
        """Read until the stream has begun. Raises `CallRejectedError` if that takes too long."""
        try:
            async with asyncio.timeout(HANDSHAKE):
                return await self._read_start(socket)
        except TimeoutError:
            raise CallRejectedError(f"no call began within {HANDSHAKE:g} s") from None

    async def _read_start(self, socket: Socket) -> Opened:
        message = await socket.read()
        provider = detect_provider(message)
        if self._config.provider not in (None, provider.name):
            raise CallRejectedError(
                f"this server is set up for {self._config.provider}, a stream of {provider.name} came"
            )
        stream = provider.stream()
        while True:
            events = stream.receive(message)
            if events and isinstance(events[0], Start):
                return Opened(stream, events[0], events[1:])
            message = await socket.read()

    def _admit(self, opened: Opened, scope: Scope, *, trusted: bool) -> None:
        """Hold the stream against its token. Raises `CallRejectedError`."""
        start = opened.start
        auth_token = self._config.provider_config.telnyx.stream_auth_token
        if start.provider == "telnyx" and auth_token and not trusted:
            verify_telnyx_stream(auth_token, scope["headers"])
        token = start.parameters.get("token")
        if token is None:
            if not trusted:
                raise CallRejectedError("the stream has no token: it must come from our answer to a carrier's webhook")
            return
        claims = self._tokens.redeem(token)
        if (claims.provider, claims.call_id) != (start.provider, start.call_sid):
            raise CallRejectedError("the stream's token was made for another call")
        outbound = start.outbound
        if claims.provider == "telnyx":  # Twilio has no choice
            outbound = opened.stream.outbound = audio_format(claims.codec, TELNYX_RATES[claims.codec])
        # The numbers are those of the webhook, which was signed.
        opened.start = msgspec.structs.replace(start, outbound=outbound, caller_id=claims.caller_id, did=claims.did)

    async def _run(self, opened: Opened, socket: Socket) -> tuple[int, str]:
        """Run the call to its end. Returns the code and the reason to close the stream with."""
        start = opened.start
        route = self._routes.lookup_or_raise(start.did)
        control = self._control(start)
        source = MediaSource(start.inbound, socket, opened.stream, opened.early)
        call = Call(
            source,
            MediaSink(start.outbound, socket, opened.stream, control),
            transport=start.provider,
            provider=start.provider,
            caller_id=start.caller_id,
            did=start.did,
            route=route,
            metadata=start.metadata,
            control=control,
        )
        call.on_turn(lambda turn: call.log.info("turn: %s", turn))
        call.log.info("from %s to %s by %s", start.caller_id or "unknown", start.did or "unknown", start.provider)
        self.active.add(call)
        try:
            ended = await call.run(self._build)
        except Exception as error:  # before it began: one that fails later returns how
            told = isinstance(error, VoiceflowError | TypeError)  # they say what is wrong with the pipeline
            call.log.error("%s", error if told else repr(error), exc_info=error.__cause__ if told else error)
            return FAILED, FAILURE
        finally:
            self.active.discard(call)
        call.log.info("ended: %s", ended.reason)
        if ended.dropped:
            call.log.warning("%d pieces of the caller's audio were dropped: the pipeline was too slow", ended.dropped)
        return (source.code, ended.reason) if ended.error is None else (FAILED, FAILURE)

    def _control(self, start: Start) -> CallControl | None:
        """Call control by the carrier's REST interface, if we have credentials."""
        twilio, telnyx = self._config.provider_config.twilio, self._config.provider_config.telnyx
        if start.provider == "twilio" and twilio.account_sid and twilio.auth_token:
            return TwilioControl(
                self._client, account_sid=twilio.account_sid, auth_token=twilio.auth_token, call_sid=start.call_sid
            )
        if start.provider == "telnyx" and telnyx.api_key:
            return TelnyxControl(self._client, api_key=telnyx.api_key, call_control_id=start.call_sid)
        return None


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else "unknown"
