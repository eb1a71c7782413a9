"""One browser: its WebRTC connection, and the call that is held over it.

    async with await PeerSession.answer(offer, ice_servers) as session:
        send(session.sdp)
        await session.call(route=route).run(build)

The call begins when the connection stands, and ends with it; with the call everything of it is closed. The
browser offers one audio line, both ways, in Opus; and, to follow the call, a data channel (messages.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from voiceflow.call import Call
from voiceflow.errors import CallError, MissingExtraError, VoiceflowError
from voiceflow.frames import DTMF, AudioRaw
from voiceflow.limits import Limits
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.captions import Captions
from voiceflow.transports.webrtc.channel import Channel
from voiceflow.transports.webrtc.playoutqueue import PlayoutQueue
from voiceflow.transports.webrtc.turn import IceServer

if TYPE_CHECKING:
    from aiortc import RTCDataChannel, RTCIceServer, RTCPeerConnection
    from aiortc.rtp import RtpPacket

    from voiceflow.transports.webrtc.ends import WebRTCSource
    from voiceflow.transports.webrtc.inbound import Inbound

log = logging.getLogger("voiceflow.webrtc")

ANSWER: Final = 10.0
"""Seconds for an answer. A STUN or TURN server that is silent takes 5 of them."""
CONNECT: Final = 9.0
"""Seconds for the connection, from when the call wants to begin: less than a call has to open."""
CLOSE: Final = 5.0
"""Seconds for the connection to close. Only a TURN server that does not answer takes any."""
LONGEST_OFFER: Final = 64 * 1024


class OfferError(VoiceflowError):
    """An offer that no call can be held over. Says what is wrong with it."""


class PeerSession:
    """Made by `answer`."""

    def __init__(self, connection: RTCPeerConnection) -> None:
        from voiceflow.transports.webrtc.inbound import Inbound
        from voiceflow.transports.webrtc.opus import FRAME_BYTES

        self.sdp = ""
        """Our answer."""
        self.queue = PlayoutQueue(FRAME_BYTES)
        """What the agent says and has not left yet."""
        self.channel = Channel(self._hear)
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        """When the connection was made, or the last packet or message came."""
        self._connection = connection
        self._inbound: Inbound = Inbound(self._deliver)
        self._source: WebRTCSource | None = None
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._closing: asyncio.Task[None] | None = None
        connection.on("connectionstatechange", self._state_changed)
        connection.on("datachannel", self._channel_opened)

    @classmethod
    async def answer(cls, sdp: str, ice_servers: Sequence[IceServer] = ()) -> Self:
        """Answer a browser's offer. `ice_servers` are those that this side uses.

        Raises `OfferError`; `MissingExtraError` without aiortc; `CallError` for an aiortc that is not as we know it.
        """
        try:
            import aiortc
        except ImportError as error:
            raise MissingExtraError("A call from a browser", "webrtc") from error
        servers = usable(ice_servers)
        session = cls(aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=servers)))
        try:
            async with asyncio.timeout(ANSWER):
                await session._negotiate(sdp)
        except BaseException as error:
            await session.close()
            if isinstance(error, TimeoutError):
                raise OfferError(f"the offer's candidates could not be resolved within {ANSWER:g} s") from error
            raise
        return session

    def call(
        self,
        *,
        route: Any = None,
        user: Any = None,
        metadata: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
    ) -> Call:
        """The call that is held over this connection. Its `run` begins when the connection stands."""
        from voiceflow.transports.webrtc.ends import WebRTCSink, WebRTCSource

        if self._source is not None:
            raise CallError("this session has its call: answer another offer for another call")
        self._source = WebRTCSource(self)
        if self._closing is not None:
            self._source.end("the browser closed the connection")
        sink = WebRTCSink(self)
        call = Call(self._source, sink, transport="webrtc", route=route, user=user, metadata=metadata, limits=limits)
        sink.captions = Captions(call, self.channel.tell)
        return call

    @property
    def quiet(self) -> float:
        """For how many seconds nothing came over the connection. Before it stands, nothing is expected."""
        return self._loop.time() - self._heard_at if self._connected.done() else 0.0

    @property
    def has_channel(self) -> bool:
        """Whether the browser offered to follow the call."""
        return self._connection.sctp is not None

    async def connected(self) -> None:
        """Wait for the connection. Raises `CallError`."""
        try:
            async with asyncio.timeout(CONNECT):
                await asyncio.shield(self._connected)
        except TimeoutError:
            raise CallError(
                f"the browser did not connect within {CONNECT:g} s: no path leads to it; a TURN server would be one"
            ) from None

    async def add_candidate(self, candidate: str, mid: str) -> None:
        """A candidate that the browser found after its offer: the text after "a=", and the line it belongs to.
        An empty text: there are no more. Raises `OfferError`."""
        from aiortc.sdp import candidate_from_sdp

        try:
            if not candidate:
                await self._connection.addIceCandidate(None)
                return
            parsed = candidate_from_sdp(candidate.removeprefix("candidate:"))
            parsed.sdpMid = mid
            await self._connection.addIceCandidate(parsed)
        except Exception as error:  # of a parser that states none
            raise OfferError(f"expected an ICE candidate; got {candidate[:100]!r}") from error

    async def close(self) -> None:
        """Close the connection and all that belongs to it. May be called again, and waits for the end."""
        if self._closing is None:
            self._closing = self._loop.create_task(self._close(), name="closing a peer connection")
        await asyncio.shield(self._closing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _negotiate(self, sdp: str) -> None:
        import aiortc

        from voiceflow.transports.webrtc.tap import tap
        from voiceflow.transports.webrtc.track import AgentTrack

        check_offer(sdp)
        connection = self._connection
        connection.addTrack(AgentTrack(self.queue))
        audio = connection.getTransceivers()[0]
        codecs = aiortc.RTCRtpSender.getCapabilities("audio").codecs
        audio.setCodecPreferences([codec for codec in codecs if codec.mimeType == "audio/opus"])
        tap(audio.receiver, self._arrive)
        try:
            await connection.setRemoteDescription(aiortc.RTCSessionDescription(sdp, "offer"))
        except Exception as error:  # aiortc does not state what it raises for which mistake
            raise OfferError(f"the offer cannot be answered: {error or type(error).__name__}") from error
        for other in connection.getTransceivers()[1:]:  # pictures, a second voice: nobody would take them in
            other.direction = "inactive"
        await connection.setLocalDescription(await connection.createAnswer())
        self.sdp = connection.localDescription.sdp

    async def _close(self) -> None:
        from voiceflow.transports.webrtc.tap import stop_asking

        self._inbound.close()
        for transceiver in self._connection.getTransceivers():
            stop_asking(transceiver.receiver.transport.transport)
        if self._connection.sctp is not None:
            stop_asking(self._connection.sctp.transport.transport)
        try:
            async with asyncio.timeout(CLOSE):
                await self._connection.close()
        except TimeoutError:
            log.warning("a peer connection did not close within %g s", CLOSE)
        finally:
            self._lose("the browser closed the connection")

    # What happens on the connection

    def _arrive(self, packet: RtpPacket) -> None:
        self._heard_at = self._loop.time()
        self._inbound.arrive(packet)

    def _deliver(self, audio: AudioRaw) -> None:
        if self._source is not None:
            self._source.put(audio)

    def _hear(self, message: messages.FromPage) -> None:
        self._heard_at = self._loop.time()
        match message:
            case messages.PagePing():
                self.channel.tell(messages.PagePong())
            case messages.PageDtmf() if self._source is not None:
                self._source.put(DTMF(message.digit))
            case messages.PageHangup():
                self._lose("the caller hung up")

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if channel.label == messages.LABEL:
            self.channel.attach(channel)
        else:
            log.warning("expected a data channel %r; the browser's %r is not used", messages.LABEL, channel.label)

    def _state_changed(self) -> None:
        match self._connection.connectionState:
            case "connected":
                if not self._connected.done():
                    self._heard_at = self._loop.time()
                    self._connected.set_result(None)
            case "failed":
                self._lose("the connection to the browser failed")
            case "closed":
                self._lose("the browser closed the connection")

    def _lose(self, reason: str) -> None:
        if not self._connected.done():
            self._connected.set_exception(CallError(reason))
            self._connected.exception()  # whoever does not wait for it need not know
        if self._source is not None:
            self._source.end(reason)


def check_offer(sdp: str) -> None:
    """Raise `OfferError` unless `sdp` offers audio both ways, in Opus."""
    from aiortc.sdp import SessionDescription

    if len(sdp) > LONGEST_OFFER:
        raise OfferError(f"expected an offer of at most {LONGEST_OFFER} characters; got {len(sdp)}")
    try:
        offer = SessionDescription.parse(sdp)
        parsed = offer.media or sdp.startswith("v=")
    except Exception:  # of a parser that states none
        parsed = False
    if not parsed:
        raise OfferError(f"expected a session description (SDP) that begins with v=0; got {sdp[:60]!r}")
    audio = next((media for media in offer.media if media.kind == "audio"), None)
    if audio is None:
        raise OfferError("the offer has no audio: add the microphone's track to the connection before createOffer")
    if audio.direction not in (None, "sendrecv"):
        raise OfferError(f"expected audio both ways (sendrecv); the offer's is {audio.direction}")
    if not any(codec.mimeType.lower() == "audio/opus" for codec in audio.rtp.codecs):
        raise OfferError("expected Opus among the offer's audio codecs; it is not there")


def usable(servers: Sequence[IceServer]) -> list[RTCIceServer]:
    """For aiortc, which takes the first STUN and the first TURN server of them."""
    from aiortc import RTCIceServer
    from aiortc.rtcicetransport import parse_stun_turn_uri

    usable = []
    for server in servers:
        for url in server.urls:
            try:
                parse_stun_turn_uri(url)
            except ValueError as error:
                log.warning("the ICE server %s is not used: %s", url, str(error))
            else:
                usable.append(RTCIceServer(url, server.username, server.credential))
    return usable
