"""A browser for the tests: a WebRTC peer on aiortc, with a microphone, an ear and a data channel. In real time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from fractions import Fraction
from typing import Any, TypeVar

import aiortc
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame
from webrtc.sounds import NOTHING, Samples

from voiceflow import Call, Element, Ended
from voiceflow.transports.webrtc.messages import LABEL
from voiceflow.transports.webrtc.session import PeerSession
from voiceflow.transports.webrtc.turn_servers import IceServer

T = TypeVar("T")

RATE, FRAME = 48_000, 960
Build = Callable[[Call], Element]


class Microphone(MediaStreamTrack):
    """Says `said`, once or again and again, and else nothing."""

    kind = "audio"

    def __init__(self, said: Samples, *, repeats: bool) -> None:
        super().__init__()
        self._said = said
        self._repeats = repeats
        self._frames = 0
        self._start: float | None = None

    async def recv(self) -> AudioFrame:
        now = asyncio.get_running_loop().time()
        self._start = self._start or now
        await asyncio.sleep(self._start + self._frames * FRAME / RATE - now)
        start = self._frames * FRAME
        if self._repeats:
            start %= len(self._said)
        piece = self._said[start : start + FRAME]
        frame = AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(np.pad(piece, (0, FRAME - len(piece))).astype("<i2").tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._frames * FRAME, Fraction(1, RATE)
        self._frames += 1
        return frame


class Browser:
    """Use as `async with Browser() as browser`; `offer`, have it answered, `accept`."""

    def __init__(
        self,
        said: Samples = NOTHING,
        *,
        repeats: bool = False,
        relay: IceServer | None = None,
        channel: bool = True,
        label: str = LABEL,
    ) -> None:
        servers = [] if relay is None else [aiortc.RTCIceServer([*relay.urls], relay.username, relay.credential)]
        policy = aiortc.RTCIceTransportPolicy.ALL if relay is None else aiortc.RTCIceTransportPolicy.RELAY
        self.connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(servers, iceTransportPolicy=policy))
        self.connection.addTrack(Microphone(said, repeats=repeats))
        self.messages: list[dict[str, Any]] = []
        self._heard: list[Samples] = []
        self._listening: asyncio.Task[None] | None = None
        self.channel = self.connection.createDataChannel(label) if channel else None
        if self.channel is not None:
            self.channel.on("message", lambda data: self.messages.append(json.loads(data)))
        self.connection.on("track", self._listen)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.connection.close()
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, answer: str) -> None:
        await self.connection.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))

    def send(self, **message: Any) -> None:
        assert self.channel is not None
        self.channel.send(json.dumps(message))

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    def heard(self) -> Samples:
        """The left channel of what was played."""
        return np.concatenate(self._heard) if self._heard else NOTHING

    async def vanish(self) -> None:
        """Be gone without a word: the network was cut."""
        ice = self.connection.getTransceivers()[0].sender.transport.transport._connection
        for protocol in ice._protocols:
            protocol.transport.abort()

    def _listen(self, track: MediaStreamTrack) -> None:
        async def listen() -> None:
            with contextlib.suppress(MediaStreamError):
                while True:
                    frame = await track.recv()
                    assert isinstance(frame, AudioFrame)
                    self._heard.append(frame.to_ndarray()[0][::2])

        self._listening = asyncio.ensure_future(listen())


@contextlib.asynccontextmanager
async def connected(browser: Browser) -> AsyncIterator[PeerSession]:
    """`browser` and we have exchanged our descriptions."""
    async with browser, await PeerSession.answer(await browser.offer()) as session:
        await browser.accept(session.sdp)
        yield session


async def until(true: Callable[[], T], patience: float = 10.0) -> T:
    """Wait for something; what does not come in time fails the test."""
    async with asyncio.timeout(patience):
        while not (result := true()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return result


def live(main: Coroutine[Any, Any, None]) -> None:
    """Run in real time; at the end no task, no thread and no connection of a call is left."""

    async def checked() -> None:
        async with asyncio.timeout(20):
            await main
        # aiortc's own looks whether it was closed every 20 ms
        await until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, patience=1)

    asyncio.run(checked())
    gc.collect()
    assert not [thing for thing in gc.get_objects() if isinstance(thing, aiortc.RTCPeerConnection)]
    assert not [thread for thread in threading.enumerate() if "decoder" in thread.name]


def echo(call: Call) -> Element:
    return call.source | call.sink


def start(session: PeerSession, build: Build = echo) -> tuple[Call, asyncio.Task[Ended]]:
    call = session.call()
    return call, asyncio.ensure_future(call.run(build))
