"""One WebRTC connection to a browser: audio both ways and data channels, over one ICE and DTLS transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import aiortc
from aiortc.rtcpeerconnection import RTCPeerConnection

from voiceflow.frames import AudioRaw
from voiceflow.transports.webrtc import ice
from voiceflow.transports.webrtc.channel import tolerate
from voiceflow.transports.webrtc.inbound import Inbound
from voiceflow.transports.webrtc.negotiation import Negotiation, allow_opus_only, close
from voiceflow.transports.webrtc.offer import MOST_CANDIDATES, Offer, OfferError, is_hidden, is_usable, place_of
from voiceflow.transports.webrtc.rtp_tap import tap
from voiceflow.transports.webrtc.track import AgentTrack

if TYPE_CHECKING:
    from aiortc import RTCDataChannel, RTCDtlsTransport, RTCIceCandidate, RTCIceServer
    from aiortc.rtp import RtpPacket

    from voiceflow.transports.webrtc.playoutqueue import PlayoutQueue

CONNECT: Final = 9.0
"""Seconds within which the connection must be up: less than the time in which a call must open."""
LEFT: Final = "the browser closed the connection"
BROKE: Final = "the connection to the browser failed"


class BrowserConnection:
    """Made of a first offer by `answer`; `renegotiate` answers further ones. To be closed in any case."""

    def __init__(
        self,
        servers: Sequence[RTCIceServer],
        queue: PlayoutQueue,
        *,
        audio: Callable[[AudioRaw], None],
        channel: Callable[[RTCDataChannel], None],
        up: Callable[[], None],
        lost: Callable[[BrowserConnection, str], None],
        local: bool = False,
    ) -> None:
        """`servers` are the STUN and TURN servers of our side, `queue` has the agent's audio. What happens is told:
        the caller's `audio`, a `channel` that the browser has opened, that the connection is `up`, why it is `lost`.
        `local`: the browser may be on this machine."""
        self.fingerprints: frozenset[str] = frozenset()
        """Of the browser's certificates."""
        self.username = ""
        """The browser's ICE username."""
        self.is_up = False
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        """When audio or an answer of the browser last came, or when the connection was established."""
        self._up = up
        self._lost = lost
        self._local = local
        self._offered: frozenset[str] = frozenset()
        """The browser's candidates since ICE began."""
        self._hidden = 0
        """How many candidates were hidden."""
        self._deadline: asyncio.TimerHandle | None = None
        self._checking: asyncio.Task[None] | None = None
        self._inbound = Inbound(audio)
        self._rtc = RTCPeerConnection(aiortc.RTCConfiguration(iceServers=list(servers)))
        self._rtc.on("connectionstatechange", self._changed)
        self._rtc.on("datachannel", channel)
        self._rtc.addTrack(AgentTrack(queue))
        self._negotiation = Negotiation(self._rtc)

    @property
    def quiet(self) -> float:
        """Seconds since anything came over the connection. 0 before it is up, when nothing is expected."""
        return self._loop.time() - self._heard_at if self.is_up else 0.0

    @property
    def has_channel(self) -> bool:
        """Whether the browser offered a data channel."""
        return self._rtc.sctp is not None

    async def answer(self, offer: Offer) -> str:
        """Answer the first offer. Raises `OfferError` if it cannot be answered, and `CallError` if aiortc or aioice is
        of a version that we cannot work with."""
        [audio] = self._rtc.getTransceivers()
        allow_opus_only(audio)
        tap(audio.receiver, self._arrive)
        self.fingerprints, self.username = offer.fingerprints, offer.username
        answer = await self._answer(offer)
        if self._rtc.sctp is not None:
            tolerate(self._rtc.sctp)
        ice.Consent(self._transport.transport._connection, lambda: self.quiet, self._present)
        self._deadline = self._loop.call_later(CONNECT, self._overdue)
        return answer

    async def renegotiate(self, offer: Offer) -> str:
        """Answer a further offer, one with the same certificate. Raises `OfferError` if it cannot be answered."""
        aioice = self._transport.transport._connection
        restarts = offer.username != self.username
        if restarts:
            self._offered, self._hidden = frozenset(), 0
            await self._stop_checking()
            self.username = offer.username
            ice.restart(aioice, offer.username, offer.password)
        answer = await self._answer(offer)
        if restarts:
            self._checking = self._loop.create_task(ice.check_pairs(aioice), name="checking new paths to a browser")
        self._present()
        return answer

    async def add(self, candidate: RTCIceCandidate) -> None:
        """Add a candidate that the browser found after its offer. Raises `OfferError` if there are too many."""
        if candidate.sdpMid is None and candidate.sdpMLineIndex is None:
            candidate.sdpMid = self._rtc.getTransceivers()[0].mid
        self._offer(frozenset({place_of(candidate)}), is_hidden(candidate))
        if is_usable(candidate, local=self._local):
            await self._rtc.addIceCandidate(candidate)

    async def close(self) -> None:
        """Close the connection and all that belongs to it, and wait until it is closed."""
        self._inbound.close()
        if self._deadline is not None:
            self._deadline.cancel()
        await self._negotiation.end()
        await self._stop_checking()
        await close(self._rtc)

    @property
    def _transport(self) -> RTCDtlsTransport:
        return self._rtc.getTransceivers()[0].receiver.transport

    async def _stop_checking(self) -> None:
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait({self._checking})

    def _offer(self, candidates: frozenset[str], hidden: int) -> None:
        """Take what the browser has offered. Raises `OfferError` if that is too much."""
        offered = self._offered | candidates
        if len(offered) > MOST_CANDIDATES:
            raise OfferError(f"expected at most {MOST_CANDIDATES} candidates for a connection; got another one")
        self._hidden += hidden if candidates - self._offered else 0
        self._offered = offered

    async def _answer(self, offer: Offer) -> str:
        self._offer(offer.candidates, offer.hidden)
        try:
            await self._negotiation.accept(aiortc.RTCSessionDescription(offer.sdp, "offer"))
        except Exception as error:  # aiortc does not document what it raises
            raise OfferError(f"the offer cannot be answered: {error or type(error).__name__}") from error
        for other in self._rtc.getTransceivers()[1:]:  # video or further audio, which nothing would receive
            other.direction = "inactive"
        await self._negotiation.gather(await self._rtc.createAnswer())
        return self._rtc.localDescription.sdp

    # Callbacks of aiortc and of the clock

    def _arrive(self, packet: RtpPacket) -> None:
        self._present()
        self._inbound.arrive(packet)

    def _present(self) -> None:
        self._heard_at = self._loop.time()

    def _changed(self) -> None:
        match self._rtc.connectionState:
            case "connected" if not self.is_up:
                self._present()
                self.is_up = True
                if self._deadline is not None:
                    self._deadline.cancel()
                self._up()
            case "failed":
                self._lost(self, BROKE if self.is_up else f"the browser did not connect: {self._obstacle()}")
            case "closed":
                self._lost(self, LEFT)

    def _overdue(self) -> None:
        self._lost(self, f"the browser did not connect within {CONNECT:g} s: {self._obstacle()}")

    def _obstacle(self) -> str:
        """Why there is no connection."""
        if self._rtc.iceConnectionState == "completed":
            return "ICE found a path, but the encryption (DTLS) could not be agreed on over it"
        return (
            f"ICE failed, no path was found. It offered {len(self._offered)} addresses, {self._hidden} of them hidden; "
            "a TURN server would give a path"
        )
