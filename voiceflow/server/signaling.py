"""Signaling of browsers' calls: offer and answer over a WebSocket, or in one HTTP request.

    hello                ->  hello_ack {ice_servers}
    webrtc_offer {sdp}   ->  webrtc_answer {sdp}
    ping                 ->  pong
    hangup

Other messages are answered with `error {message}`. A call goes on if the WebSocket breaks: whether the browser is
still there is checked on the call's own connection.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final, TypeAlias

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Scope
from starlette.websockets import WebSocket, WebSocketDisconnect

from voiceflow.errors import CallRejectedError, VoiceflowError
from voiceflow.security.local_requests import is_local
from voiceflow.transports.websocket import POLICY

from .body import read_body
from .browsercalls import BrowserCall, BrowserCalls
from .connections import admit

log = logging.getLogger("voiceflow.server")

LARGEST_OFFER: Final = 64 * 1024
"""Characters of a WebSocket message, or bytes of an HTTP body, that may come. An offer has a few thousand."""
LARGEST_BURST: Final = 20
"""Messages that one WebSocket may bring at once."""
RATE: Final = 2.0
"""Messages a second that one WebSocket may bring in the long run. A client pings every 30 s."""
TOO_LARGE: Final = 1009
"""The close code for a message that is too large (RFC 6455, section 7.4.1)."""


class SignalingMessage(msgspec.Struct, frozen=True, tag_field="type"):
    """A message from the browser."""


class SignalingHello(SignalingMessage, frozen=True, tag="hello"):
    pass


class SignalingOffer(SignalingMessage, frozen=True, tag="webrtc_offer"):
    sdp: str = ""


class SignalingPing(SignalingMessage, frozen=True, tag="ping"):
    pass


class SignalingHangup(SignalingMessage, frozen=True, tag="hangup"):
    pass


FromBrowser: TypeAlias = SignalingHello | SignalingOffer | SignalingPing | SignalingHangup

_decode: Any = msgspec.json.Decoder(FromBrowser).decode


class HttpOffer(msgspec.Struct, frozen=True):
    """The body of `POST /api/offer`."""

    sdp: str = ""


REFUSED: Final = (
    "calls from other machines are refused: open the page on this machine (localhost), or start with --insecure"
)
MISSING_SDP: Final = "Missing SDP in offer"


class SignalingEndpoint:
    """Answers browsers' offers and starts their calls."""

    def __init__(self, calls: BrowserCalls, *, open: bool) -> None:
        self._calls = calls
        self._open = open  # browsers on other machines may call

    async def websocket(self, websocket: WebSocket) -> None:
        """Serve one browser's WebSocket until it is closed."""
        if not self._may_call(websocket.scope):
            log.warning("a browser was refused: %s", REFUSED)
            await websocket.accept()  # a page learns the reason of a close, not of a failed handshake
            await websocket.close(POLICY, REFUSED)
            return
        await websocket.accept()
        admit(websocket.scope)
        conversation = _Conversation(self._calls, local=is_local(websocket.scope))
        budget = _Budget(LARGEST_BURST, RATE)
        while (received := await websocket.receive())["type"] == "websocket.receive":
            text = received.get("text")
            if text is None or len(text) > LARGEST_OFFER:
                await websocket.close(TOO_LARGE, f"messages are text of at most {LARGEST_OFFER} characters")
                return
            if not budget.spend(time.monotonic()):
                await websocket.close(POLICY, f"more than {RATE:g} messages a second")
                return
            answer = await conversation.answer(text)
            if answer is not None:
                try:
                    await websocket.send_json(answer)
                except WebSocketDisconnect:
                    return

    async def offer(self, request: Request) -> Response:
        """Start a call without a WebSocket: `POST /api/offer {sdp, type}` -> `{sdp, type, pc_id}`."""
        if not self._may_call(request.scope):
            return _refusal(REFUSED, 403)
        try:
            body = await read_body(request, LARGEST_OFFER)
            if body is None:
                return _refusal(f"an offer has at most {LARGEST_OFFER} bytes", 400)
            offer = msgspec.json.decode(body, type=HttpOffer)
            if not offer.sdp:
                return _refusal(MISSING_SDP, 400)
            call = await self._calls.start(offer.sdp, local=is_local(request.scope))
        except msgspec.DecodeError as error:
            return _refusal(f"expected {{sdp, type}}: {error}", 400)
        except CallRejectedError as error:
            return _refusal(str(error), 503)
        except VoiceflowError as error:
            return _refusal(str(error), 400)
        return JSONResponse({"sdp": call.sdp, "type": "answer", "pc_id": call.id})

    def _may_call(self, scope: Scope) -> bool:
        return self._open or is_local(scope)


class _Conversation:
    """The exchange of messages on one browser's WebSocket, and the call that it has started."""

    def __init__(self, calls: BrowserCalls, *, local: bool) -> None:
        self._calls = calls
        self._local = local
        self._call: BrowserCall | None = None

    async def answer(self, text: str) -> dict[str, Any] | None:
        """Act on one message. Returns the answer to send; None: there is none."""
        try:
            match _decode(text):
                case SignalingHello():
                    return {"type": "hello_ack", "ice_servers": await self._calls.ice_servers(local=self._local)}
                case SignalingPing():
                    return {"type": "pong"}
                case SignalingOffer(sdp):
                    return await self._offered(sdp)
                case SignalingHangup() if self._call is not None:
                    await self._call.hang_up()
        except msgspec.DecodeError as error:
            return _error(f"expected hello, webrtc_offer, ping or hangup: {error}")
        except VoiceflowError as error:
            return _error(str(error))
        return None

    async def _offered(self, sdp: str) -> dict[str, Any]:
        if not sdp:
            return _error(MISSING_SDP)
        if self._call is not None and not self._call.ended:
            return _error("a call is on already: hang up before the next offer")
        self._call = await self._calls.start(sdp, local=self._local)
        return {"type": "webrtc_answer", "sdp": self._call.sdp}


class _Budget:
    """A rate limit (token bucket) of `burst` messages at once and `rate` messages a second in the long run."""

    def __init__(self, burst: int, rate: float) -> None:
        self._burst, self._rate = burst, rate
        self._left, self._at = float(burst), time.monotonic()

    def spend(self, now: float) -> bool:
        """Count a message that came at `now`, in seconds. False: it is too many."""
        self._left = min(self._burst, self._left + self._rate * (now - self._at)) - 1
        self._at = now
        return self._left >= 0


def _error(message: str) -> dict[str, Any]:
    return {"type": "error", "message": message}


def _refusal(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status_code=status)
