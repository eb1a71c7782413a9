"""One browser's call over WebRTC.

    async with await PeerSession.answer(offer, ice_servers) as session:
        send(session.sdp)
        await session.call(route=route).run(build)

The call begins when the connection is established and ends with it; when the call ends, the connection is closed. The
browser offers one audio line, in both directions, in Opus, and, to follow the call, a data channel (channel.py). By
further offers it holds the call, moves it to another network, or replaces its connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from voiceflow.call import Call
from voiceflow.call_limits import Limits
from voiceflow.errors import CallError, MissingExtraError
from voiceflow.frames import DTMF, AudioRaw
from voiceflow.logs import get_logger
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.captions import Captions
from voiceflow.transports.webrtc.channel import Channel
from voiceflow.transports.webrtc.offer import Offer, OfferError, read_candidate, read_offer
from voiceflow.transports.webrtc.playoutqueue import PlayoutQueue
from voiceflow.transports.webrtc.turn_servers import IceServer

if TYPE_CHECKING:
    from aiortc import RTCDataChannel, RTCIceServer

    from voiceflow.transports.webrtc.connection import BrowserConnection
    from voiceflow.transports.webrtc.source_sink import WebRTCSource

log = get_logger("voiceflow.webrtc")

ANSWER: Final = 10.0
"""Seconds within which an offer must be answered. A STUN or TURN server that does not respond takes 5 of them."""
OVER = "the call is over"


class PeerSession:
    """The server's end of one browser's call. Made by `answer`, closed by `close` or at the end of its call."""

    def __init__(self, servers: Sequence[RTCIceServer], *, local: bool) -> None:
        from voiceflow.transports.webrtc.opus import FRAME_BYTES

        self.sdp = ""
        """Our answer to the browser's last offer."""
        self.queue = PlayoutQueue(FRAME_BYTES)
        """The agent's audio that was not sent yet."""
        self.channel = Channel(self._hear)
        self._servers = servers
        self._local = local
        self._loop = asyncio.get_running_loop()
        self._connection: BrowserConnection | None = None
        self._source: WebRTCSource | None = None
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._muted = False
        self._negotiating = asyncio.Lock()
        self._replaced: set[asyncio.Task[None]] = set()
        """The closing of connections that others have replaced."""
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def answer(cls, sdp: str, ice_servers: Sequence[IceServer] = (), *, local: bool = False) -> Self:
        """Answer a browser's offer. `ice_servers` are the servers that our side uses. `local`: the browser may be on
        this machine, and is looked for there, too.

        Raises `OfferError` for an offer that cannot be used, `MissingExtraError` if aiortc is not installed, and
        `CallError` if its version is not one that we can work with (rtp_tap.py, ice.py).
        """
        try:
            servers = usable(ice_servers)
        except ImportError as error:
            raise MissingExtraError("A call from a browser", "webrtc") from error
        session = cls(servers, local=local)
        session._connection, session.sdp = await session._connect(read_offer(sdp, local=local))
        return session

    async def renegotiate(self, sdp: str, *, restart: bool = False) -> str:
        """Answer a further offer of the same call, which goes on. With other certificates than before it is that of a
        new connection, which replaces the old one; `restart` says that it is one in any case.

        Raises `OfferError` if the offer cannot be used, or the call is over.
        """
        offer = read_offer(sdp, first=False, local=self._local)
        async with self._negotiating:
            old = self._connection
            if old is None or self._closing is not None:
                raise OfferError(OVER)
            if restart or offer.fingerprints != old.fingerprints:
                self._connection, self.sdp = await self._connect(offer)
                closing = self._loop.create_task(old.close(), name="closing a replaced peer connection")
                self._replaced.add(closing)
                closing.add_done_callback(self._replaced.discard)
            else:
                self.sdp = await old.renegotiate(offer)
            return self.sdp

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
    def username(self) -> str:
        """The browser's ICE username, which it changes to begin ICE anew."""
        return "" if self._connection is None else self._connection.username

    @property
    def quiet(self) -> float:
        """Seconds since anything came from the browser. 0 while it connects, when nothing is expected."""
        return 0.0 if self._connection is None else self._connection.quiet

    @property
    def has_channel(self) -> bool:
        """Whether the browser offered a data channel, by which a page follows the call."""
        return self._connection is not None and self._connection.has_channel

    async def connected(self) -> None:
        """Wait for the connection. Raises `CallError` if there is none within `connection.CONNECT` seconds."""
        await asyncio.shield(self._connected)

    async def add_candidate(self, candidate: str, mid: str | None = None, line: int | None = None) -> None:
        """Add an ICE candidate that the browser found after its offer: the text after "a=", and the `mid` or the number
        of its media line. An empty text means that there are no more. Raises `OfferError` if it cannot be read, if
        there are too many, or the call is over."""
        if self._connection is None or self._closing is not None:
            raise OfferError(OVER)
        if candidate:
            await self._connection.add(read_candidate(candidate, mid, line))

    async def close(self) -> None:
        """Close the connection and all that belongs to it, and wait until it is closed. May be called repeatedly."""
        if self._closing is None:
            self._closing = self._loop.create_task(self._close(), name="closing a peer connection")
        await asyncio.shield(self._closing)

    def end(self, reason: str) -> None:
        """End the call. `reason` is what its log and its pipeline learn."""
        if not self._connected.done():
            self._connected.set_exception(CallError(reason))
            self._connected.exception()  # else asyncio would complain where nobody waits for it
        elif self._source is not None:
            self._source.end(reason)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _connect(self, offer: Offer) -> tuple[BrowserConnection, str]:
        """A connection of its own for `offer`, and the answer to it."""
        from voiceflow.transports.webrtc.connection import BrowserConnection

        connection = BrowserConnection(
            self._servers,
            self.queue,
            audio=self._deliver,
            channel=self._channel_opened,
            up=self._up,
            lost=self._lose,
            local=self._local,
        )
        try:
            async with asyncio.timeout(ANSWER):
                return connection, await connection.answer(offer)
        except BaseException as error:
            await connection.close()
            if isinstance(error, TimeoutError):
                raise OfferError(f"the offer's candidates could not be resolved within {ANSWER:g} s") from error
            raise

    async def _close(self) -> None:
        async with self._negotiating:
            try:
                if self._connection is not None:
                    await self._connection.close()
                if self._replaced:
                    await asyncio.wait(self._replaced)
            finally:
                self.end("the browser closed the connection")

    # Callbacks of the connection

    def _deliver(self, audio: AudioRaw) -> None:
        if self._source is not None and not self._muted:
            self._source.put(audio)

    def _hear(self, message: messages.FromPage) -> None:
        match message:
            case messages.PagePing():
                self.channel.tell(messages.PagePong())
            case messages.PageMuted():
                self._muted = message.muted
            case messages.PageDtmf() if self._source is not None:
                self._source.put(DTMF(message.digit))
            case messages.PageHangup():
                self.end("the caller hung up")

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        self.channel.attach(channel)

    def _up(self) -> None:
        if not self._connected.done():
            self._connected.set_result(None)

    def _lose(self, connection: BrowserConnection, reason: str) -> None:
        if connection is self._connection:  # else another one has replaced it
            self.end(reason)


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
