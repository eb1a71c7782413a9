"""Source and sink of a browser's call: the caller's audio and keys, the agent's audio."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, Protocol

from voiceflow.frames import End, Frame
from voiceflow.transport import Sink, Source
from voiceflow.transports.media_stream import FAILURE
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.captions import TAIL
from voiceflow.transports.webrtc.channel import Channel
from voiceflow.transports.webrtc.opus import FORMAT
from voiceflow.transports.webrtc.playoutqueue import PlayoutQueue

if TYPE_CHECKING:
    from voiceflow.call import Call
    from voiceflow.transports.webrtc.captions import Captions

LOOK: Final = 0.5
"""Seconds between two checks of whether the peer is still there."""
VANISHED: Final = 4.0
"""A peer from which nothing came for this many seconds, not even an answer to whether it is there (ice.py), is gone."""
KEPT: Final = 250
"""Pieces of audio and keys that wait for a pipeline that does not take them: five seconds of a call."""


class Connection(Protocol):
    """What source and sink use of a browser's connection (`PeerSession`)."""

    queue: PlayoutQueue
    channel: Channel

    @property
    def quiet(self) -> float:
        """Seconds since anything came from the peer."""

    @property
    def has_channel(self) -> bool:
        """Whether the page has a data channel."""

    async def connected(self) -> None:
        """Wait for the connection. Raises `CallError` if there is none."""

    async def close(self) -> None: ...


class WebRTCSource(Source):
    """Yields the caller's audio and keys, which the connection puts in."""

    produces = FORMAT

    def __init__(self, session: Connection) -> None:
        self._session = session
        self._inbox: deque[Frame] = deque()
        self._filled = asyncio.Event()
        self._over: str | None = None
        self._reading = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._silent = 0  # looks in a row before each of which nothing had come

    async def frames(self) -> AsyncIterator[Frame]:
        self._reading = True
        self._watch()
        try:
            while True:
                while self._inbox:
                    yield self._inbox.popleft()
                if self._over is not None:
                    yield End(self._over)
                    return
                self._filled.clear()
                await self._filled.wait()
        finally:
            self._reading = False
            if self._timer is not None:
                self._timer.cancel()

    def put(self, frame: Frame) -> None:
        """Add what the caller said or did. Ignored before the call begins and after its end, when nobody listens."""
        if self._reading and len(self._inbox) < KEPT:
            self._inbox.append(frame)
            self._filled.set()

    def end(self, reason: str) -> None:
        """End the call, because the caller is gone. Only the first reason counts."""
        self._over = self._over or reason
        self._filled.set()

    def _watch(self) -> None:
        # Looks are counted, and not the time: after a stall of this process all that came meanwhile is still unread.
        self._silent = self._silent + 1 if self._session.quiet >= LOOK else 0
        if self._silent * LOOK >= VANISHED:
            self.end(f"nothing came from the browser for {VANISHED:g} s")
            return
        self._timer = self._loop.call_later(LOOK, self._watch)


class WebRTCSink(Sink):
    """Sends the agent's audio, and tells the page about clears and the end of the call."""

    accepts = FORMAT

    def __init__(self, session: Connection) -> None:
        self.wants_interims = session.has_channel
        """Whether speech recognition should yield interim transcripts: only if there is a page to show them."""
        self.captions: Captions | None = None
        self._session = session

    async def open(self, call: Call) -> None:
        """Wait for the connection: the agent is not to speak before somebody can hear it."""
        await self._session.connected()

    def write_audio(self, data: bytes) -> None:
        self._session.queue.put(data)

    def recallable(self) -> float:
        return self._session.queue.waiting / FORMAT.byte_rate

    def write_clear(self) -> None:
        self._session.queue.clear()
        if self.captions is not None:
            self.captions.clear()

    async def hangup(self) -> None:
        """Let the caller hear the audio that was sent, tell the page that the call is over, and disconnect."""
        await asyncio.sleep(self.call.play_end + TAIL - asyncio.get_running_loop().time())
        self._session.channel.tell(messages.PageEnded("hung up" if self.call.error is None else FAILURE))
        await self._session.close()

    async def close(self) -> None:
        if self.captions is not None:
            self.captions.close()
        await self._session.close()
