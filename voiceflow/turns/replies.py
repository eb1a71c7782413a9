"""The speaker's side of a reply: when it may start, where it begins and ends, what waits to be said."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from voiceflow.engine.stage import Deliver
from voiceflow.frames import AudioRaw, Frame, LLMEnd, LLMText, SpeechStarted, SpeechStopped, Transcript
from voiceflow.playout.ledger import Reply, ReplyBegin, ReplyEnd

if TYPE_CHECKING:
    from voiceflow.engine.link import Link
    from voiceflow.engine.runtime import Runtime
    from voiceflow.processor import Processor

FLOOR_SECONDS = 10.0
"""How long a reply waits for the caller to stop speaking, at most."""


class Floor:
    """Whether the caller is speaking. Who wants to reply waits until it is free."""

    def __init__(self) -> None:
        self.on_free: list[Callable[[], None]] = []
        self._free = asyncio.Event()
        self._free.set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def taken(self) -> bool:
        return not self._free.is_set()

    def hear(self, frame: Frame) -> None:
        if isinstance(frame, SpeechStarted):
            self._free.clear()
        elif isinstance(frame, SpeechStopped):
            self.release()

    def want(self) -> None:
        """Somebody has something to say, and waits `FLOOR_SECONDS` at most."""
        if self.taken and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLOOR_SECONDS, self.release)

    async def wait(self) -> None:
        self.want()
        await self._free.wait()

    def release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._free.set()
        for callback in self.on_free:
            callback()


class Voice:
    """Makes replies of what a speaker emits, and of what `call.say` and `call.play` add. One reply runs at a
    time; those that come while it runs, or while the caller speaks, wait."""

    def __init__(self, processor: Processor, runtime: Runtime) -> None:
        signature = processor.signature
        self.deliver: Deliver
        self._runtime = runtime
        self._playout = runtime.playout
        self._floor = runtime.floor
        self._reply: Reply | None = None
        """The reply that is running."""
        self._begun = False
        """Whether any of it has been said."""
        self._held: list[Frame] | None = None
        """What it said so far, if it began while the caller spoke."""
        self._waiting: deque[tuple[Reply, list[Frame]]] = deque()
        self._muted = False
        self._one_reply_per_turn = not signature.takes(AudioRaw) and signature.takes(Transcript)
        # A speech-to-speech model is given audio piece by piece and says itself where a reply ends.
        self._reply_is_work = not (signature.takes(AudioRaw) and LLMEnd in signature.yields)
        self._floor.on_free.append(self._speak_next)

    async def turn(self, frame: Frame, inbox: Link) -> Frame:
        """Wait for the caller to finish. Final transcripts that gathered meanwhile get one reply."""
        if self._one_reply_per_turn and _is_final(frame):
            await self._floor.wait()
            gathered = [frame, *inbox.remove(_is_final)]
            if len(gathered) > 1:
                frame = _join([f for f in gathered if isinstance(f, Transcript)])
        return frame

    def work_begins(self) -> None:
        """A reply has its place from here on, though it may be long until its first word."""
        if self._reply_is_work and self._reply is None and not self._muted:
            self._reply = self._new_reply()
            self._reply.answers = True
        self._runtime.silence.expect_speech()

    def work_ended(self) -> None:
        if self._reply is None or not self._reply_is_work:
            return
        if self._begun or self._held:
            self.emit(LLMEnd())
        else:
            reply, self._reply = self._reply, None
            self._playout.withdraw(reply)
            self._speak_next()

    def emit(self, frame: Frame) -> None:
        """What the speaker yields, on its way downstream."""
        if not type(frame).speech:
            self.deliver(frame)
        elif not self._muted:
            self._say(frame)
            if isinstance(frame, LLMText) and self._reply is not None:
                self._reply.text += frame.text

    def say(self, frames: list[Frame], *, interruptible: bool = True) -> Reply:
        """Say `frames` as a reply of its own, after the one that is running."""
        reply = self._new_reply(interruptible=interruptible)
        reply.text = "".join(frame.text for frame in frames if isinstance(frame, LLMText))
        if self._muted:
            self._playout.withdraw(reply)
        else:
            self._waiting.append((reply, [*frames, LLMEnd()]))
            self._speak_next()
        return reply

    def unsay(self, reply: Reply) -> None:
        """Nobody wants `reply` to be said any more, if it has not begun."""
        for waiting in self._waiting:
            if waiting[0] is reply:
                self._waiting.remove(waiting)
                self._playout.withdraw(reply)
                break

    def join(self, frames: list[Frame], *, interruptible: bool = True) -> Reply:
        """Say `frames` as a part of the reply that is running."""
        part = self._new_reply(interruptible=interruptible, part=True)
        running = self._reply
        if isinstance(frames[0], LLMText) and running is not None and running.text and running.text[-1] != "\n":
            self.emit(LLMText("\n"))  # what was said so far is not to run on into it
        if self._muted:
            self._playout.withdraw(part)
        else:
            for frame in (ReplyBegin(part, part=True), *frames, ReplyEnd(part)):
                self.emit(frame)
        return part

    @property
    def pending(self) -> bool:
        """Whether an answer is in the making, or waits, of which nothing was said while the caller speaks."""
        made = self._reply is not None or any(reply.answers for reply, _ in self._waiting)
        return not self._begun and self._floor.taken and made

    @property
    def begun(self) -> bool:
        """Whether a reply has been said in part."""
        return self._begun

    def clear(self) -> None:
        """Everything said so far is void; the ledger has closed its account of it."""
        self._reply = self._held = None
        self._begun = False
        self._waiting.clear()

    def mute(self) -> None:
        """Say nothing more. What was said so far is a reply."""
        if self._begun:
            self.emit(LLMEnd())
        elif self._reply is not None:
            self._playout.withdraw(self._reply)
        for reply, _ in self._waiting:
            self._playout.withdraw(reply)
        self.clear()
        self._muted = True

    def _say(self, frame: Frame) -> None:
        if not self._begun:
            self._begin(frame)
            return
        self.deliver(frame)
        if type(frame) is LLMEnd:
            self._end()

    def _begin(self, frame: Frame) -> None:
        """The first speech of a reply; while the caller speaks, all of it."""
        if self._reply is None:
            if type(frame) is LLMEnd:  # of a reply in which nothing was said
                self.deliver(frame)
                return
            self._reply = self._new_reply()
        if self._held is None and not (self._floor.taken or self._waiting):
            self._begun = True
            self.deliver(ReplyBegin(self._reply))
            self._say(frame)
            return
        self._floor.want()
        self._held = [*(self._held or []), frame]
        if type(frame) is LLMEnd:
            self._waiting.append((self._reply, self._held))
            self._end()

    def _end(self) -> None:
        self._reply = self._held = None
        self._begun = False
        self._speak_next()

    def _speak_next(self) -> None:
        """Say what waits, as soon as nobody speaks."""
        while self._waiting and not self._begun and not self._muted:
            if self._floor.taken:
                self._floor.want()
                return
            reply, frames = self._waiting.popleft()
            self.deliver(ReplyBegin(reply))
            for frame in frames:
                self.deliver(frame)
        if self._held is not None and not self._floor.taken:
            held, self._held = self._held, None
            for frame in held:
                self._say(frame)

    def _new_reply(self, *, interruptible: bool = True, part: bool = False) -> Reply:
        reply = Reply(interruptible=interruptible)
        self._playout.ledger.replies.append(reply)
        if not part:
            for callback in self._runtime.call.reply_listeners:
                callback(reply)
        return reply


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
