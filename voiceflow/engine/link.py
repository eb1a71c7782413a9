"""The queue between two tasks.

A writer appends first and then waits until the link is within its bound, so no frame is ever held outside a
queue, where an interruption could not reach it. Audio is bounded by time, everything else by number.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.frames import AudioRaw, Frame

AUDIO_SECONDS = 2.0
FRAMES = 4096


class Link:
    """A bounded queue of frames with one reader. `put` never blocks: writers wait for `space` when `full`."""

    __slots__ = (
        "audio",
        "audio_bound",
        "carries_caller",
        "dropped",
        "frames",
        "full",
        "on_drop",
        "others",
        "overtake",
        "reader",
        "writers",
    )

    def __init__(self, format: AudioFormat = CANONICAL) -> None:
        self.frames: deque[Frame] = deque()
        self.audio = 0
        """Bytes of audio in the queue."""
        self.others = 0
        """How many frames in the queue are not audio."""
        self.audio_bound = format.bytes_for(AUDIO_SECONDS)
        self.full = False
        self.carries_caller = True
        """Whether the audio in it is the caller's, which may be dropped, rather than the agent's."""
        self.dropped = 0
        """How many frames a live source had to drop here."""
        self.reader: asyncio.Future[None] | None = None
        self.writers: list[asyncio.Future[None]] = []
        self.overtake: Callable[[Frame], bool] | None = None
        """Set while the reader works: takes a frame that may overtake the work."""
        self.on_drop: Callable[[Frame], None] | None = None

    def put(self, frame: Frame) -> None:
        if self.overtake is not None and self.overtake(frame):
            return
        self.frames.append(frame)
        if type(frame) is AudioRaw:
            self.audio += len(frame.data)
        else:
            self.others += 1
        if self.audio > self.audio_bound or len(self.frames) > FRAMES:
            self.full = True
        reader = self.reader
        if reader is not None:
            self.reader = None
            if not reader.done():
                reader.set_result(None)

    def pop(self) -> Frame:
        """The oldest frame. Raises `IndexError` when empty."""
        frame = self.frames.popleft()
        if type(frame) is AudioRaw:
            self.audio -= len(frame.data)
        else:
            self.others -= 1
        if self.full:
            self._wake_writers()
        return frame

    async def wait(self) -> None:
        """Until there is a frame."""
        if not self.frames:
            self.reader = asyncio.get_running_loop().create_future()
            await self.reader

    async def space(self) -> None:
        """Until the link is within its bound."""
        while self.full:
            writer = asyncio.get_running_loop().create_future()
            self.writers.append(writer)
            await writer

    def flush(self) -> None:
        """Drop all speech, of an interruption. What is not speech keeps its order."""
        if self.holds_speech:
            stale, self.frames = self.frames, deque()
            if self.others:
                self.frames.extend(frame for frame in stale if not type(frame).speech)
            self.others = len(self.frames)
            asyncio.get_running_loop().call_soon(stale.clear)  # freeing thousands of frames can wait
            self.audio = 0
        self._wake_writers()

    @property
    def holds_speech(self) -> bool:
        return len(self.frames) > self.others or any(type(frame).speech for frame in self.frames)

    def remove(self, unwanted: Callable[[Frame], bool]) -> list[Frame]:
        """Take out and return the frames that are `unwanted`; the rest keep their order."""
        removed = [frame for frame in self.frames if unwanted(frame)]
        if removed:
            self.frames = deque(frame for frame in self.frames if not unwanted(frame))
            self.audio = sum(len(frame.data) for frame in self.frames if type(frame) is AudioRaw)
            self.others = sum(type(frame) is not AudioRaw for frame in self.frames)
            self._wake_writers()
        return removed

    def drop_oldest_audio(self) -> None:
        """Make room for a live source: of a full link the oldest audio goes, and nothing else ever does."""
        place = next((i for i, frame in enumerate(self.frames) if type(frame) is AudioRaw), None)
        if place is None:
            self.full = False  # what is left is never dropped
            return
        frame = self.frames[place]
        assert isinstance(frame, AudioRaw)
        del self.frames[place]
        self.audio -= len(frame.data)
        self.dropped += 1
        if self.on_drop is not None:
            self.on_drop(frame)
        self.full = self.audio > self.audio_bound or len(self.frames) > FRAMES

    def _wake_writers(self) -> None:
        self.full = self.audio > self.audio_bound or len(self.frames) > FRAMES
        if not self.full and self.writers:
            writers, self.writers = self.writers, []
            for writer in writers:
                if not writer.done():
                    writer.set_result(None)
