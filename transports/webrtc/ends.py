"""The two ends of a browser's call: a source of what the caller does, a sink for what the agent says."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final, Protocol

from voiceflow.frames import End, Frame
from voiceflow.transport import Sink, Source
from voiceflow.transports.webrtc import messages
from voiceflow.transports.webrtc.captions import TAIL
from voiceflow.transports.webrtc.channel import Channel
from voiceflow.transports.webrtc.opus import FORMAT
from voiceflow.transports.webrtc.playoutqueue import PlayoutQueue

if TYPE_CHECKING:
    from voiceflow.call import Call
    from voiceflow.transports.webrtc.captions import Captions

LOOK: Final = 0.5
"""How often, in seconds, it is looked whether the peer is still there."""
PING: Final = 1.0
"""A peer of whom nothing came for this many seconds is asked. Usually audio comes, also of one who is muted."""
VANISHED: Final = 4.0
"""... and after this many is gone. aiortc by itself would notice after 30."""
KEPT: Final = 250
"""Pieces of audio, and keys, that wait for a pipeline that does not take them: five seconds of a call."""
FAILURE: Final = "the call failed"
"""All that a page is told of an error of ours."""


class Connection(Protocol):
    """The connection whose ends these are."""

    queue: PlayoutQueue
    channel: Channel

    @property
    def quiet(self) -> float:
        """Seconds since anything came."""

    @property
    def has_channel(self) -> bool: ...

    async def connected(self) -> None: ...

    async def close(self) -> None: ...


class WebRTCSource(Source):
    """The caller's voice and keys."""

    produces = FORMAT

    def __init__(self, session: Connection) -> None:
        self._session = session
        self._inbox: deque[Frame] = deque()
        self._filled = asyncio.Event()
        self._over: str | None = None
        self._reading = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

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
        """The caller said or did something. Before the call begins, and after it, nobody is there to hear it."""
        if self._reading and len(self._inbox) < KEPT:
            self._inbox.append(frame)
            self._filled.set()

    def end(self, reason: str) -> None:
        """The caller is gone. The first reason counts."""
        self._over = self._over or reason
        self._filled.set()

    def _watch(self) -> None:
        quiet = self._session.quiet
        if quiet >= VANISHED:
            self.end(f"nothing came from the browser for {VANISHED:g} s")
            return
        if quiet >= PING:
            self._session.channel.tell(messages.PagePing())
        self._timer = self._loop.call_later(LOOK, self._watch)


class WebRTCSink(Sink):
    """The agent's voice, and what the page is told."""

    accepts = FORMAT

    def __init__(self, session: Connection) -> None:
        self.wants_interims = session.has_channel
        """Whether speech recognition should show what it has understood so far: if a page can."""
        self.captions: Captions | None = None
        self._session = session

    async def open(self, call: Call) -> None:
        """Nothing is said before there is somebody to hear it."""
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
        """Let the caller hear what has left, say that the call is over, and disconnect."""
        await asyncio.sleep(self.call.play_end + TAIL - asyncio.get_running_loop().time())
        self._session.channel.tell(messages.PageEnded("hung up" if self.call.error is None else FAILURE))
        await self._session.close()

    async def close(self) -> None:
        if self.captions is not None:
            self.captions.close()
        await self._session.close()
