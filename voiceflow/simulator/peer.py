"""A browser's side of a WebRTC connection: it offers one Opus line and the data channel, as the page does.

Incoming audio is taken as packets before they reach aiortc's jitter buffer, whose delay would be measured otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
from aiortc import (
    RTCConfiguration,
    RTCDtlsTransport,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtp import RtpPacket
from av import Packet

from voiceflow.errors import ProviderConnectionError
from voiceflow.logs import get_logger
from voiceflow.simulator.packetloss import LossyPath, impair
from voiceflow.simulator.script import PERFECT, Network
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.negotiation import Negotiation, allow_opus_only, close
from voiceflow.transports.webrtc.opus import FRAME, TIME_BASE, Encoder
from voiceflow.transports.webrtc.rtp_tap import tap
from voiceflow.transports.webrtc.session import usable
from voiceflow.transports.webrtc.turn_servers import IceServer

log = get_logger("voiceflow.simulator")

GATHER: Final = 10.0
"""Seconds to gather ICE candidates, as in the page. aiortc gives up a silent STUN server after 5."""
CONNECT: Final = 15.0
"""Seconds for the connection, as in the page."""
ADVICE: Final = "`voiceflow doctor --ice` shows what is in the way"

Speak = Callable[[], Awaitable[bytes | None]]
"""Returns the next 20 ms of audio when they are due; None for silence. Raises `MediaStreamError` at the end."""

_decode: Any = msgspec.json.Decoder(messages.ToPage).decode
_encode = msgspec.json.Encoder().encode


class Microphone(MediaStreamTrack):
    """The track that aiortc sends to the server: the audio of `speak` as Opus."""

    kind = "audio"

    def __init__(self, speak: Speak) -> None:
        super().__init__()
        self._speak = speak
        self._encoder = Encoder()
        self._pieces = 0

    async def recv(self) -> Packet[Any]:
        packet = Packet(self._encoder.encode(await self._speak()))
        packet.pts = self._pieces * FRAME
        packet.time_base = TIME_BASE
        self._pieces += 1
        return packet


class Peer:
    """One connection. Call `offer`, let the server answer it, `accept` the answer; and call `close` in any case."""

    def __init__(
        self,
        servers: Sequence[IceServer],
        speak: Speak,
        hear: Callable[[RtpPacket], None],
        read: Callable[[messages.ToPage], None],
        *,
        relay_only: bool = False,
    ) -> None:
        """`speak` returns the audio to send; `hear` is given each packet of audio, `read` each message on the data
        channel. `relay_only`: connect through a TURN server only."""
        policy = RTCIceTransportPolicy.RELAY if relay_only else RTCIceTransportPolicy.ALL
        self._read = read
        self._connection = RTCPeerConnection(RTCConfiguration(usable(servers), iceTransportPolicy=policy))
        self._negotiation = Negotiation(self._connection)
        self._connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._connection.on("connectionstatechange", self._state_changed)
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why the connection has ended."""
        self._path: LossyPath | None = None
        self._connection.addTrack(Microphone(speak))
        audio = self._connection.getTransceivers()[0]
        allow_opus_only(audio)
        tap(audio.receiver, hear)
        self._channel = self._connection.createDataChannel(messages.LABEL)
        self._channel.on("message", self._receive)
        self._channel.on("open", self._opened)

    async def offer(self) -> str:
        """Our offer (SDP), with all candidates. Raises `ProviderConnectionError` if the ICE servers do not answer in
        time, or there are no candidates."""
        try:
            async with asyncio.timeout(GATHER):
                await self._negotiation.gather(await self._connection.createOffer())
        except TimeoutError as error:
            raise ProviderConnectionError(f"the ICE servers have not answered within {GATHER:g} s: {ADVICE}") from error
        sdp = self._connection.localDescription.sdp
        if "a=candidate" not in sdp:
            raise ProviderConnectionError(f"there is no way from here: no address of ours, and no relay; {ADVICE}")
        return sdp

    async def accept(self, sdp: str, network: Network = PERFECT) -> None:
        """Connect to the server whose answer (SDP) this is, and return when the data channel is open. Audio that we
        send goes through `network`.

        Raises `ProviderConnectionError` if the answer cannot be used, or no connection is found in time.
        """
        try:
            await self._negotiation.accept(RTCSessionDescription(sdp, "answer"))
        except Exception as error:  # aiortc does not state what it raises for which mistake
            raise ProviderConnectionError(f"the server's answer cannot be used: {error}") from error
        if network != PERFECT:
            self._path = impair(self._transport.transport, network)
        try:
            async with asyncio.timeout(CONNECT):
                await asyncio.shield(self._connected)
        except TimeoutError as error:
            raise ProviderConnectionError(f"no way to the server was found within {CONNECT:g} s: {ADVICE}") from error

    def tell(self, message: messages.FromPage) -> None:
        if self._channel.readyState == "open":
            self._channel.send(_encode(message).decode())

    async def close(self) -> None:
        await asyncio.shield(asyncio.ensure_future(self._close()))

    async def _close(self) -> None:
        if self._path is not None:
            await self._path.close()
        await self._negotiation.end()
        await close(self._connection)

    @property
    def _transport(self) -> RTCDtlsTransport:
        return self._connection.getTransceivers()[0].sender.transport

    def _receive(self, data: str | bytes) -> None:
        try:
            message = _decode(data)
        except msgspec.DecodeError as error:
            log.warning("a message from the server was ignored: %s", str(error))
        else:
            self._read(message)

    def _opened(self) -> None:
        if not self._connected.done():
            self._connected.set_result(None)

    def _state_changed(self) -> None:
        match self._connection.connectionState:
            case "failed":
                self._lose(f"no way to the server was found: {ADVICE}", "the connection to the server broke")
            case "closed":
                self._lose("the server closed the connection", "the server closed the connection")

    def _lose(self, before: str, after: str) -> None:
        if not self._connected.done():
            self._connected.set_exception(ProviderConnectionError(before))
            self._connected.exception()  # marks it as seen, in case nobody waits for it
        if not self.lost.done():
            self.lost.set_result(after)
