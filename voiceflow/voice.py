"""The speaker's side of a reply: when one may start, where it begins and ends, what waits to be said."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from .frames import AudioRaw, Frame, LLMEnd, SpeechStarted, SpeechStopped, Transcript
from .ledger import Ledger, Reply, ReplyBegin, ReplyEnd
from .stage import Deliver

if TYPE_CHECKING:
    from .link import Link
    from .processor import Processor

FLOOR_SECONDS = 10.0
"""How long a reply waits for the caller to stop speaking, at most."""


class Floor:
    """Whether the caller is speaking."""

    def __init__(self) -> None:
        self._free = asyncio.Event()
        self._free.set()

    @property
    def taken(self) -> bool:
        return not self._free.is_set()

    def hear(self, frame: Frame) -> None:
        if isinstance(frame, SpeechStarted):
            self._free.clear()
        elif isinstance(frame, SpeechStopped):
            self._free.set()

    async def free(self) -> None:
        """Wait until the caller does not speak, `FLOOR_SECONDS` at most."""
        try:
            async with asyncio.timeout(FLOOR_SECONDS):
                await self._free.wait()
        except TimeoutError:
            self._free.set()


class Voice:
    """Wraps what a speaker emits into replies, and injects what `call.say` and `call.play` add."""

    def __init__(self, processor: Processor, ledger: Ledger, floor: Floor) -> None:
        signature = processor.signature
        self.deliver: Deliver
        self.working = False
        """Whether a reply's work is in progress."""
        self._ledger = ledger
        self._floor = floor
        self._reply: Reply | None = None
        self._waiting: deque[tuple[Reply, list[Frame]]] = deque()
        self._muted = False
        self._one_reply_per_turn = not signature.takes(AudioRaw) and signature.takes(Transcript)
        # A speech-to-speech model is given audio piece by piece and says itself where a reply ends.
        self._reply_ends_with_work = not (signature.takes(AudioRaw) and LLMEnd in signature.yields)

    def emit(self, frame: Frame) -> None:
        """What the speaker yields, on its way downstream."""
        if not type(frame).speech:
            self.deliver(frame)
            return
        if self._muted:
            return
        if self._reply is None and type(frame) is not LLMEnd:
            self._reply = self._begin()
            self.deliver(ReplyBegin(self._reply))
        self.deliver(frame)
        if type(frame) is LLMEnd:
            self._next()

    async def turn(self, frame: Frame, inbox: Link) -> Frame:
        """Wait for the caller to finish. Final transcripts that gathered meanwhile get one reply."""
        if self._one_reply_per_turn and _is_final(frame):
            await self._floor.free()
            gathered = [frame, *inbox.remove(_is_final)]
            if len(gathered) > 1:
                frame = _join([f for f in gathered if isinstance(f, Transcript)])
        self.working = True
        return frame

    def work_ended(self) -> None:
        self.working = False
        if self._reply is not None and self._reply_ends_with_work:
            self.emit(LLMEnd())

    def say(self, frames: list[Frame]) -> Reply:
        """Say `frames` as a reply of its own, after the one that is running."""
        reply = self._begin()
        if self._muted:
            self._ledger.replies.remove(reply)
            reply.finish(0.0, interrupted=True)
        elif self._reply is not None:
            self._waiting.append((reply, frames))
        else:
            self._speak(reply, frames)
        return reply

    def join(self, frames: list[Frame]) -> Reply:
        """Say `frames` as a part of the reply that is running."""
        if self._reply is None:
            self._reply = self._begin()
            self.deliver(ReplyBegin(self._reply))
        part = self._begin()
        self.deliver(ReplyBegin(part, part=True))
        for frame in frames:
            self.deliver(frame)
        self.deliver(ReplyEnd(part))
        return part

    def clear(self) -> None:
        """Everything said so far is void; the ledger has closed its account of it."""
        self._reply = None
        self._waiting.clear()

    def mute(self) -> None:
        """Nobody is left to hear anything."""
        self._muted = True

    def _begin(self) -> Reply:
        reply = Reply()
        self._ledger.replies.append(reply)
        return reply

    def _next(self) -> None:
        self._reply = None
        while self._waiting and self._reply is None:
            self._speak(*self._waiting.popleft())

    def _speak(self, reply: Reply, frames: list[Frame]) -> None:
        self.deliver(ReplyBegin(reply))
        for frame in frames:
            self.deliver(frame)
        self.deliver(LLMEnd())


def _is_final(frame: Frame) -> bool:
    return isinstance(frame, Transcript) and frame.final


def _join(transcripts: list[Transcript]) -> Transcript:
    last = transcripts[-1]
    return Transcript(
        " ".join(t.text for t in transcripts if t.text),
        language=last.language,
        no_speech_probability=min(t.no_speech_probability for t in transcripts),
        start=transcripts[0].start,
        end=last.end,
    )
