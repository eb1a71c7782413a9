"""From a carrier's WebSocket to a running call: detecting the carrier, checking the stream, finding the route."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import httpx
import msgspec

from voiceflow.call import Build, Call
from voiceflow.call_control import CallControl
from voiceflow.config.current_address import current_address
from voiceflow.config.routes import Routes
from voiceflow.config.settings import Config
from voiceflow.engine.loop_lag import lag_reported
from voiceflow.errors import CallRejectedError, DIDNotFoundError, ProviderDetectionError, VoiceflowError
from voiceflow.route import Route
from voiceflow.security.tokens import StreamTokens
from voiceflow.security.transfers import GuardedControl
from voiceflow.security.trust import Trust
from voiceflow.transports.carriers import Carrier, carriers, detect, recognised
from voiceflow.transports.carriers.ids import check_ids
from voiceflow.transports.dialect import Event, ProtocolError, Start, Stream
from voiceflow.transports.media_stream import FAILURE, MediaSink, MediaSource
from voiceflow.transports.websocket import FAILED, POLICY, Receive, Send, Socket, StreamClosedError

from .busy import all_busy
from .connections import admit
from .places import AllBusyError, Places
from .prefix import public_address
from .refusals import REFUSED, RefusalLog, host_of
from .startup import is_told

HANDSHAKE: Final = 10.0
"""Seconds within which a stream must have sent its start message."""

MESSAGES_BEFORE_START: Final = 4
BYTES_BEFORE_START: Final = 16 * 1024

Scope = dict[str, Any]


class Opened(msgspec.Struct):
    """A stream whose start message has come."""

    carrier: Carrier[Any]
    stream: Stream
    start: Start
    early: list[Event]
    """Further events that came by then, to be handled after the start."""
    announced: bool = False
    """Whether a token has shown that we answered a webhook about this call."""
    verified: bool = False
    """Whether a token has shown that this is the call of a webhook that we answered. Of others, whoever opened the
    stream chose the id, and the operator's credentials must not act on it."""


class CarrierCalls:
    """Accepts carriers' media streams and runs their calls."""

    def __init__(
        self,
        build: Build,
        config: Config,
        routes: Routes,
        tokens: StreamTokens,
        client: httpx.AsyncClient,
        trust: Trust,
        refusals: RefusalLog,
        places: Places,
    ) -> None:
        self.active: set[Call] = set()
        self.sends_at_once = True
        """Whether what sends to the peer is our own server's, and needs no task: see `Socket`."""
        self._build = build
        self._config = config
        self._routes = routes
        self._tokens = tokens
        self._client = client
        self._trust = trust
        self._refusals = refusals
        self._places = places

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one WebSocket, from its handshake to its close."""
        await receive()  # websocket.connect
        trusted = self._trust.trusts(scope)
        try:
            self._check_upgrade(scope, trusted=trusted)
        except CallRejectedError as error:
            self._refuse(scope, error)
            await send({"type": "websocket.close", "code": POLICY, "reason": REFUSED})
            return
        await send({"type": "websocket.accept"})
        socket = Socket(receive, send, at_once=self.sends_at_once)
        writing = asyncio.create_task(socket.run(), name="media outbox")
        code, reason = FAILED, "the server failed"
        try:
            opened = await self._open_stream(socket)
            self._admit(opened, scope, trusted=trusted)
            admit(scope)
            code, reason = await self._run(opened, socket)
        except StreamClosedError as error:
            line = f"a media stream from {_peer(scope)} ended before it began: {error}"
            self._refusals.tell("a media stream that did not begin", host_of(scope), line, level=logging.INFO)
        except (ProtocolError, ProviderDetectionError, CallRejectedError, DIDNotFoundError) as error:
            code, reason = POLICY, str(error) if trusted else REFUSED
            self._refuse(scope, error)
        finally:
            writing.cancel()
            await asyncio.wait({writing})
            await socket.close(code, reason)

    def _refuse(self, scope: Scope, error: VoiceflowError) -> None:
        line = f"a media stream from {_peer(scope)} was refused: {error}"
        self._refusals.tell("a media stream", host_of(scope), line)

    def _check_upgrade(self, scope: Scope, *, trusted: bool) -> None:
        """Raise `CallRejectedError` if the handshake has a carrier's signature that is wrong. A stream without a
        signature may still bring a token, which `_admit` checks."""
        if trusted:
            return
        configured = current_address(self._config)
        address = configured and public_address(configured, scope)
        for carrier in carriers():
            carrier.verify_upgrade(self._config.of(carrier.settings), address, scope["headers"])

    async def _open_stream(self, socket: Socket) -> Opened:
        """Read until the stream has begun. Raises `CallRejectedError` if that takes too long."""
        try:
            async with asyncio.timeout(HANDSHAKE):
                return await self._read_start(socket)
        except TimeoutError:
            raise CallRejectedError(f"no call began within {HANDSHAKE:g} s") from None

    async def _read_start(self, socket: Socket) -> Opened:
        message = await socket.read()
        carrier = detect(message)
        stream, early = carrier.stream(), list[Event]()
        read = size = 0
        while True:
            events = stream.receive(message)
            start = next((event for event in events if isinstance(event, Start)), None)
            if start is not None:
                return Opened(carrier, stream, start, [*early, *(event for event in events if event is not start)])
            early += events
            read, size = read + 1, size + len(message)
            if read == MESSAGES_BEFORE_START or size > BYTES_BEFORE_START:
                raise CallRejectedError(
                    f"expected the start of a stream among its first {MESSAGES_BEFORE_START} messages and "
                    f"{BYTES_BEFORE_START} bytes; got {read} messages with {size} bytes"
                )
            message = await socket.read()
            other = recognised(message)
            if other not in (None, carrier):  # the greetings of several carriers look alike
                carrier, stream, early = other, other.stream(), []

    def _admit(self, opened: Opened, scope: Scope, *, trusted: bool) -> None:
        """Check a stream's carrier, its ids and its token, and take the numbers and the codec from the token. Raises
        `CallRejectedError`."""
        carrier, start = opened.carrier, opened.start
        if self._config.provider not in (None, carrier.name):
            raise CallRejectedError(
                f"this server is set up for {self._config.provider}, a stream of {carrier.name} came"
            )
        check_ids(carrier.id_shapes, start.metadata)
        if not trusted:
            carrier.verify_stream(self._config.of(carrier.settings), scope["headers"])
        token = start.parameters.get("token")
        if token is None:
            if not trusted:
                raise CallRejectedError("the stream has no token: it must come from our answer to a carrier's webhook")
            return
        claims = self._tokens.redeem(token)
        if (claims.provider, claims.call_id) != (carrier.name, start.call_sid):
            raise CallRejectedError("the stream's token was made for another call")
        outbound = start.outbound
        if claims.codec:  # the start may name another, or none
            outbound = opened.stream.outbound = carrier.codecs[claims.codec]
        # The numbers are taken from the webhook, which was signed.
        opened.start = msgspec.structs.replace(start, outbound=outbound, caller_id=claims.caller_id, did=claims.did)
        opened.announced, opened.verified = True, claims.verified

    async def _run(self, opened: Opened, socket: Socket) -> tuple[int, str]:
        """Run the call to its end. Returns the close code and the reason for the WebSocket."""
        start = opened.start
        found = self._routes.find(start.did)
        did, route = found.did, found.route
        caller_id = self._routes.caller(start.caller_id, did)
        carrier, control = opened.carrier, self._control(opened, did, route)
        sink = MediaSink(start.outbound, socket, opened.stream, control)
        source = MediaSource(start.inbound, socket, opened.stream, opened.early, sink)
        call = Call(
            source,
            sink,
            transport=carrier.name,
            provider=carrier.name,
            caller_id=caller_id,
            did=did or None,
            route=route,
            metadata=start.metadata,
            control=control,
        )
        call.on_turn(lambda turn: call.log.info("turn: %s", turn))
        call.log.info("from %s to %s by %s", caller_id or "unknown", did or "unknown", carrier.name)
        announced = (carrier.name, start.call_sid) if opened.announced else None
        try:
            place = self._places.take(found, announced)
        except AllBusyError as error:
            call.log.warning("not connected: %s", error)
            return await self._live(call, source, all_busy(self._build))
        self.active.add(call)
        try:
            with place:
                return await self._live(call, source, self._build)
        finally:
            self.active.discard(call)

    async def _live(self, call: Call, source: MediaSource, build: Build) -> tuple[int, str]:
        """Run `call` through `build(call)` to its end. Returns the close code and the reason."""
        try:
            with lag_reported():
                ended = await call.run(build)
        except Exception as error:  # the call could not begin: one that fails later returns its error
            told = is_told(error)
            call.log.error("%s", error if told else repr(error), exc_info=error.__cause__ if told else error)
            return FAILED, FAILURE
        call.log.info("ended: %s", ended.reason)
        if ended.dropped:
            call.log.warning("%d frames of the caller's were dropped: the pipeline was too slow", ended.dropped)
        if ended.burst:
            call.log.warning("%d frames of the caller's were dropped: they came all at once after a stall", ended.burst)
        return (source.code, ended.reason) if ended.error is None else (FAILED, FAILURE)

    def _control(self, opened: Opened, did: str, route: Route) -> CallControl | None:
        """Call control for a call that may have it, where there are credentials."""
        carrier, start = opened.carrier, opened.start
        if not (opened.verified and start.call_sid):
            return None
        control = carrier.control(self._config.of(carrier.settings), self._client, start.call_sid)
        # Who calls by SIP has chosen the number in the address: only one that we have says in which country we are.
        called = did if "@" not in start.did or did in self._routes.dids else start.did
        return None if control is None else GuardedControl(control, called, route.transfer_to)


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else "unknown"
