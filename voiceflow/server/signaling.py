"""Signaling of browsers' calls over a WebSocket.

    hello                          ->  hello_ack {ice_servers}
    webrtc_offer {sdp, pc_id?}     ->  webrtc_answer {sdp, pc_id}
    ping                           ->  pong
    hangup

Other messages are answered with `error {message}`. A call goes on if the WebSocket breaks: whether the browser is
still there is checked on the call's own connection. Further offers on the same WebSocket, or on another with the
call's `pc_id`, are of the same call.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from voiceflow.auth import AuthResult
from voiceflow.auth.middleware import user_of
from voiceflow.errors import VoiceflowError
from voiceflow.transports.dialect import UNREADABLE
from voiceflow.transports.websocket import POLICY

from .admission import Admission
from .browsercalls import BrowserCall, BrowserCalls
from .connections import admit
from .offer_rates import TokenBucket
from .offers import MISSING_SDP
from .refusals import REFUSED

LARGEST_OFFER: Final = 64 * 1024
"""Characters that a message may have. An offer has a few thousand."""
LARGEST_BURST: Final = 20
"""Messages that one WebSocket may bring at once."""
RATE: Final = 2.0
"""Messages a second that one WebSocket may bring in the long run. A client pings every 30 s."""
TOO_LARGE: Final = 1009
"""The close code for a message that is too large (RFC 6455, section 7.4.1)."""
SERVER_STOPS: Final = 1012
"""The close code of a server that stops (IANA's registry of WebSocket close codes)."""


class SignalingMessage(msgspec.Struct, frozen=True, tag_field="type"):
    """A message from the browser."""


class SignalingHello(SignalingMessage, frozen=True, tag="hello"):
    pass


class SignalingOffer(SignalingMessage, frozen=True, tag="webrtc_offer"):
    sdp: str = ""
    pc_id: str | None = None


class SignalingPing(SignalingMessage, frozen=True, tag="ping"):
    pass


class SignalingHangup(SignalingMessage, frozen=True, tag="hangup"):
    pass


FromBrowser: TypeAlias = SignalingHello | SignalingOffer | SignalingPing | SignalingHangup

_decode: Any = msgspec.json.Decoder(FromBrowser).decode


class SignalingEndpoint:
    """Answers browsers' offers and starts their calls."""

    def __init__(self, calls: BrowserCalls, admission: Admission) -> None:
        self._calls = calls
        self._admission = admission

    async def websocket(self, websocket: WebSocket) -> None:
        """Serve one browser's WebSocket until it is closed."""
        if not self._admission.may_call(websocket.scope):
            await websocket.accept()  # a page learns the reason of a close, not of a failed handshake
            await websocket.close(POLICY, REFUSED)
            return
        await websocket.accept()
        admit(websocket.scope)
        local, user = self._admission.is_here(websocket.scope), user_of(websocket.scope)
        take_offer = partial(self._admission.take_offer, websocket.scope)
        conversation = _Conversation(self._calls, take_offer, local=local, user=user)
        budget = TokenBucket(LARGEST_BURST, RATE, time.monotonic())
        while (received := await websocket.receive())["type"] == "websocket.receive":
            text = received.get("text")
            if text is None or len(text) > LARGEST_OFFER:
                await websocket.close(TOO_LARGE, f"messages are text of at most {LARGEST_OFFER} characters")
                return
            if budget.wait(now := time.monotonic()):
                await websocket.close(POLICY, f"more than {RATE:g} messages a second")
                return
            budget.take(now)
            answer = await conversation.answer(text)
            if answer is not None:
                try:
                    await websocket.send_json(answer)
                except WebSocketDisconnect:
                    return
        if received.get("code") == SERVER_STOPS and not self._calls.ends_calls:
            await conversation.hang_up()


class _Conversation:
    """The exchange of messages on one browser's WebSocket, and the call that it has started."""

    def __init__(
        self, calls: BrowserCalls, take_offer: Callable[[], None], *, local: bool, user: AuthResult | None
    ) -> None:
        """`take_offer` counts an offer, and raises `VoiceflowError` if it is too many."""
        self._calls = calls
        self._take_offer = take_offer
        self._local = local
        self._user = user
        self._call: BrowserCall | None = None

    async def answer(self, text: str) -> dict[str, Any] | None:
        """Act on one message. Returns the answer to send; None: there is none."""
        try:
            message = _decode(text)
        except UNREADABLE as error:
            return _error(f"expected hello, webrtc_offer, ping or hangup: {error}")
        try:
            match message:
                case SignalingHello():
                    return {"type": "hello_ack", "ice_servers": await self._calls.ice_servers(local=self._local)}
                case SignalingPing():
                    return {"type": "pong"}
                case SignalingOffer(sdp, id):
                    return await self._offered(sdp, id or "")
                case SignalingHangup():
                    await self.hang_up()
        except VoiceflowError as error:
            return _error(str(error))
        return None

    async def hang_up(self) -> None:
        """End the call, if there is one."""
        if self._call is not None:
            await self._call.hang_up()

    async def _offered(self, sdp: str, id: str) -> dict[str, Any]:
        if not sdp:
            return _error(MISSING_SDP)
        self._take_offer()
        call = self._calls.find(id, self._user) or self._call
        if call is not None and not call.ended:
            await call.renegotiate(sdp)
        else:
            call = await self._calls.start(sdp, local=self._local, user=self._user)
        self._call = call
        return {"type": "webrtc_answer", "sdp": call.sdp, "pc_id": call.id}


def _error(message: str) -> dict[str, Any]:
    return {"type": "error", "message": message}
