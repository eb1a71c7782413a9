"""One browser's WebRTC connection, and the call over it.

    async with await PeerSession.answer(offer, ice_servers) as session:
        send(session.sdp)
        await session.call(route=route).run(build)

The call begins when the connection is established and ends with it; when the call ends, the connection is closed. The
browser offers one audio line, in both directions, in Opus, and, to follow the call, a data channel (messages.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from voiceflow.call import Call
from voiceflow.call_limits import Limits
from voiceflow.errors import CallError, MissingExtraError, VoiceflowError
from voiceflow.frames import DTMF, AudioRaw
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.captions import Captions
from voiceflow.transports.webrtc.channel import Channel
from voiceflow.transports.webrtc.negotiation import Negotiation
from voiceflow.transports.webrtc.playoutqueue import PlayoutQueue
from voiceflow.transports.webrtc.turn_servers import IceServer

if TYPE_CHECKING:
    from aiortc import RTCDataChannel, RTCIceServer, RTCPeerConnection
    from aiortc.rtp import RtpPacket

    from voiceflow.transports.webrtc.inbound import Inbound
    from voiceflow.transports.webrtc.source_sink import WebRTCSource

log = logging.getLogger("voiceflow.webrtc")

ANSWER: Final = 10.0
"""Seconds within which an offer must be answered. A STUN or TURN server that does not respond takes 5 of them."""
CONNECT: Final = 9.0
"""Seconds that an opening call waits for the connection: less than the time in which a call must open."""
CLOSE: Final = 5.0
"""Seconds within which the connection must close. It takes time only if a TURN server does not answer."""
LONGEST_OFFER: Final = 64 * 1024
"""Characters that an offer may have."""


class OfferError(VoiceflowError):
    """An offer or ICE candidate that cannot be used. Says what is wrong with it."""


class PeerSession:
    """The server's end of one browser's connection. Made by `answer`, closed by `close` or at the end of its call."""

    def __init__(self, connection: RTCPeerConnection) -> None:
        from voiceflow.transports.webrtc.inbound import Inbound
        from voiceflow.transports.webrtc.opus import FRAME_BYTES

        self.sdp = ""
        """Our answer to the browser's offer."""
        self.queue = PlayoutQueue(FRAME_BYTES)
        """The agent's audio that was not sent yet."""
        self.channel = Channel(self._hear)
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        """When the last packet or message came, or else when the connection was established; on the loop's clock."""
        self._connection = connection
        self._negotiation = Negotiation(connection)
        self._inbound: Inbound = Inbound(self._deliver)
        self._source: WebRTCSource | None = None
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._closing: asyncio.Task[None] | None = None
        connection.on("connectionstatechange", self._state_changed)
        connection.on("datachannel", self._channel_opened)

    @classmethod
    async def answer(cls, sdp: str, ice_servers: Sequence[IceServer] = ()) -> Self:
        """Answer a browser's offer. `ice_servers` are the servers that our side uses.

        Raises `OfferError` for an offer that cannot be used, `MissingExtraError` if aiortc is not installed, and
        `CallError` if its version is not one that we can work with (rtp_tap.py).
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
        """The one call over this connection. Its `run` waits for the connection. Raises `CallError` if called again."""
        from voiceflow.transports.webrtc.source_sink import WebRTCSink, WebRTCSource

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
        """Seconds since anything came over the connection. 0 before it is established, when nothing is expected."""
        return self._loop.time() - self._heard_at if self._connected.done() else 0.0

    @property
    def has_channel(self) -> bool:
        """Whether the browser offered a data channel, by which a page follows the call."""
        return self._connection.sctp is not None

    async def connected(self) -> None:
        """Wait for the connection. Raises `CallError` if it fails or takes longer than `CONNECT` seconds."""
        try:
            async with asyncio.timeout(CONNECT):
                await asyncio.shield(self._connected)
        except TimeoutError:
            raise CallError(
                f"the browser did not connect within {CONNECT:g} s: no path was found; a TURN server would give one"
            ) from None

    async def add_candidate(self, candidate: str, mid: str) -> None:
        """Add an ICE candidate that the browser found after its offer: the text after "a=", and the `mid` of its media
        line. An empty text means that there are no more. Raises `OfferError` if it cannot be read."""
        from aiortc.sdp import candidate_from_sdp

        try:
            if not candidate:
                await self._connection.addIceCandidate(None)
                return
            parsed = candidate_from_sdp(candidate.removeprefix("candidate:"))
            parsed.sdpMid = mid
            await self._connection.addIceCandidate(parsed)
        except Exception as error:  # aiortc does not document what its parser raises
            raise OfferError(f"expected an ICE candidate; got {candidate[:100]!r}") from error

    async def close(self) -> None:
        """Close the connection and all that belongs to it, and wait until it is closed. May be called repeatedly."""
        if self._closing is None:
            self._closing = self._loop.create_task(self._close(), name="closing a peer connection")
        await asyncio.shield(self._closing)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _negotiate(self, sdp: str) -> None:
        import aiortc

        from voiceflow.transports.webrtc.rtp_tap import tap
        from voiceflow.transports.webrtc.track import AgentTrack

        check_offer(sdp)
        connection = self._connection
        connection.addTrack(AgentTrack(self.queue))
        audio = connection.getTransceivers()[0]
        codecs = aiortc.RTCRtpSender.getCapabilities("audio").codecs
        audio.setCodecPreferences([codec for codec in codecs if codec.mimeType == "audio/opus"])
        tap(audio.receiver, self._arrive)
        try:
            await self._negotiation.accept(aiortc.RTCSessionDescription(sdp, "offer"))
        except Exception as error:  # aiortc does not document what it raises
            raise OfferError(f"the offer cannot be answered: {error or type(error).__name__}") from error
        for other in connection.getTransceivers()[1:]:  # video or further audio, which nothing would receive
            other.direction = "inactive"
        await self._negotiation.gather(await connection.createAnswer())
        self.sdp = connection.localDescription.sdp

    async def _close(self) -> None:
        from voiceflow.transports.webrtc.rtp_tap import stop_asking

        self._inbound.close()
        for transceiver in self._connection.getTransceivers():
            stop_asking(transceiver.receiver.transport.transport)
        if self._connection.sctp is not None:
            stop_asking(self._connection.sctp.transport.transport)
        await self._negotiation.end()
        try:
            async with asyncio.timeout(CLOSE):
                await self._connection.close()
        except TimeoutError:
            log.warning("a peer connection did not close within %g s", CLOSE)
        finally:
            self._lose("the browser closed the connection")

    # Callbacks of the connection

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
            self._connected.exception()  # else asyncio would complain where nobody waits for it
        if self._source is not None:
            self._source.end(reason)


def check_offer(sdp: str) -> None:
    """Raise `OfferError` unless `sdp` offers audio in both directions, in Opus."""
    from aiortc.sdp import SessionDescription

    if len(sdp) > LONGEST_OFFER:
        raise OfferError(f"expected an offer of at most {LONGEST_OFFER} characters; got {len(sdp)}")
    try:
        offer = SessionDescription.parse(sdp)
        parsed = offer.media or sdp.startswith("v=")
    except Exception:  # aiortc does not document what its parser raises
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
    """The servers in aiortc's form, without those that it cannot use, which are logged. aiortc uses only the first STUN
    and the first TURN server of them."""
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
