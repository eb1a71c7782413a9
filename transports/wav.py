"""A call from a file to a file: the caller is a recording, and what the caller hears is recorded.

    source = WavSource(read_wav("in.wav"))
    sink = WavSink(source)
    ended = await Call(source, sink, transport="wav").run(build)
    write_wav("out.wav", sink.heard())

The call takes as long as the recording, on the event loop's clock: on a `VirtualLoop` it takes no longer than
the work. Both ends count from the moment at which the caller began to speak into the first frame, so the two
files laid beside each other are the call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw, Frame
from voiceflow.transport import Sink, Source

FRAME = 0.02
"""Seconds of audio in each frame."""
REST = 1.0
"""The caller hangs up once the recording is over and the agent has been at rest for this many seconds."""
PATIENCE = 60.0
"""The caller hangs up this many seconds after the end of the recording, even if the agent is not at rest."""
JITTER = 0.02
"""Audio that is late by at most this many seconds follows the audio before it without a gap: a real event loop is
sometimes late by some milliseconds, which a telephone's jitter buffer hides."""


class WavSource(Source):
    """A caller who speaks as recorded, then listens in silence and hangs up."""

    live = False

    def __init__(self, audio: AudioRaw) -> None:
        self.audio = audio
        self.produces = audio.format
        self._start: float | None = None
        self._sent = 0  # samples of each channel that were sent
        self._busy = 0.0  # the last position at which the agent was busy, in seconds

    @property
    def position(self) -> float:
        """How much of the caller's audio has been sent, in seconds."""
        return self._sent / self.produces.rate

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning of the first frame, the zero of the call's timeline. Ahead of `position` while a
        slow pipeline makes the caller wait."""
        return 0.0 if self._start is None else asyncio.get_running_loop().time() - self._start

    async def frames(self) -> AsyncIterator[Frame]:
        self._start = asyncio.get_running_loop().time()
        for frame in self._frames():
            self._sent += len(frame.data) // self.produces.frame_bytes
            await asyncio.sleep(self.position - self.elapsed)  # a frame is complete when its last sample is
            if self._agent_is_busy:
                self._busy = self.position
            yield frame

    def _frames(self) -> Iterator[AudioRaw]:
        data, size = self.audio.data, self.produces.bytes_for(FRAME)
        for start in range(0, len(data), size):
            yield AudioRaw(data[start : start + size], self.produces)
        silence = AudioRaw(bytes(size), self.produces)
        over, patience = self.position, self.elapsed + PATIENCE
        while self.position < max(over, self._busy) + REST and self.elapsed < patience:
            yield silence

    @property
    def _agent_is_busy(self) -> bool:
        """Whether the agent speaks or is about to. The echo of the caller's own silence does not count."""
        return self.call.busy and not self.call.is_echo


class WavSink(Sink):
    """Records what the caller hears, sample by sample on the call's timeline: mono, at the caller's rate."""

    def __init__(self, source: WavSource) -> None:
        self.accepts = AudioFormat("pcm16", source.produces.rate)
        self._source = source
        self._heard = bytearray()

    def write_audio(self, data: bytes) -> None:
        gap = self._now() - len(self._heard)
        if gap > self.accepts.bytes_for(JITTER if self._heard else 0):
            self._heard += bytes(gap)
        self._heard += data

    def write_clear(self) -> None:
        del self._heard[self._now() :]

    async def hangup(self) -> None:
        self.write_clear()

    def heard(self) -> AudioRaw:
        """What the caller has heard from the zero of the call's timeline to the end of the agent's last audio."""
        return AudioRaw(bytes(self._heard), self.accepts)

    def _now(self) -> int:
        """The index in `_heard` of the audio that is played at this moment."""
        return self.accepts.bytes_for(self._source.elapsed)
