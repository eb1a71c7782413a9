"""The queue between two tasks.

A writer appends first and then waits until the link is within its bound, so no frame is ever held outside a
queue, where an interruption could not reach it. Audio is bounded by time, everything by number.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.frames import AudioRaw, Control, Frame

from .notifier import Notifier

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
        "skipped",
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
        """Whether its frames are the caller's, some of which may be dropped, rather than the agent's."""
        self.dropped: Counter[str] = Counter()
        """How many frames of each type a live source had to drop here."""
        self.skipped = 0
        """How many of the oldest frames are known not to be audio and need not be examined again."""
        self.reader: asyncio.Future[None] | None = None
        self.writers = Notifier()
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
        """Take the oldest frame. Raises `IndexError` when empty."""
        frame = self.frames.popleft()
        if type(frame) is AudioRaw:
            self.audio -= len(frame.data)
        else:
            self.others -= 1
        if self.skipped:
            self.skipped -= 1
        if self.full:
            self._wake_writers()
        return frame

    async def wait(self) -> None:
        """Wait until there is a frame."""
        if not self.frames:
            self.reader = asyncio.get_running_loop().create_future()
            await self.reader

    async def space(self) -> None:
        """Wait until the link is within its bound."""
        while self.full:
            await self.writers.wait()

    def flush(self) -> None:
        """Drop all speech, because of an interruption. All other frames keep their order."""
        if self.holds_speech:
            stale, self.frames = self.frames, deque()
            if self.others:
                self.frames.extend(frame for frame in stale if not type(frame).speech)
            self.others = len(self.frames)
            asyncio.get_running_loop().call_soon(stale.clear)  # freeing thousands of frames can wait
            self.audio = self.skipped = 0
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
            self.skipped = 0
            self._wake_writers()
        return removed

    def make_room(self) -> None:
        """Drop the oldest frames until the link is within its bound, for a live source, which never waits. Audio goes
        first, as it is worth least; `Control` frames are never dropped, nor is anything that the agent says."""
        while self.full and self.carries_caller:
            index = self._oldest_audio() if self.audio else self._oldest_droppable()
            if index is None:
                break
            frame = self.frames[index]
            del self.frames[index]
            if type(frame) is AudioRaw:
                self.audio -= len(frame.data)
            else:
                self.others -= 1
            self.dropped[type(frame).__name__] += 1
            if self.on_drop is not None:
                self.on_drop(frame)
            self.full = self._is_full

    def _oldest_audio(self) -> int:
        """The index of the oldest audio frame. Each frame is examined once, however often this is called."""
        frames, index = self.frames, self.skipped
        while type(frames[index]) is not AudioRaw:
            index += 1
        self.skipped = index
        return index

    def _oldest_droppable(self) -> int | None:
        return next((index for index, frame in enumerate(self.frames) if not isinstance(frame, Control)), None)

    @property
    def _is_full(self) -> bool:
        return self.audio > self.audio_bound or len(self.frames) > FRAMES

    def _wake_writers(self) -> None:
        self.full = self._is_full
        if not self.full:
            self.writers.tell()
