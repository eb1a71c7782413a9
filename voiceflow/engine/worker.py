"""The tasks of a call: one for each asynchronous processor, one for the source.

A worker pops a frame, notes the epoch, lets the processor work on the frame and emits what comes of it. Every
emission is checked against the epoch before the next stage sees it: whatever work swallows cancellation,
buffers, or finishes late in a thread, none of its speech gets past its worker after a `Clear`.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import TYPE_CHECKING

from voiceflow.audio import CANONICAL
from voiceflow.frames import End, Frame, Transcript
from voiceflow.linking.plan import Step
from voiceflow.signature import Kind

from .dispatch import (
    CONTROL,
    FINISH,
    PASS,
    PROCESS_AUDIO,
    SPEECH,
    SWALLOW,
    Inlet,
    Outlet,
    may_be_cut,
    yields_speech,
)
from .link import Link
from .stage import Deliver

if TYPE_CHECKING:
    from voiceflow.turns.replies import Voice

    from .runtime import Runtime

SLICE = 0.001
"""A task yields to the loop after this much continuous work, in seconds."""


class Work:
    """One piece of a speaker's work."""

    __slots__ = ("ended", "void", "worker")

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.ended = False
        self.void = False
        """Whether it was interrupted: nothing that comes of it may be heard or done any more."""


replying: contextvars.ContextVar[Work | None] = contextvars.ContextVar("replying", default=None)
"""The piece of a speaker's work that the current task is, or that the task was started in."""


def nowhere(frame: Frame) -> None:
    """Where the output of abandoned work goes."""


class Worker:
    """Runs one asynchronous processor, and in the same task the stages fused behind it."""

    def __init__(self, step: Step, runtime: Runtime, voice: Voice | None, inbox: Link | None = None) -> None:
        self.step = step
        self.processor = step.processor
        self.runtime = runtime
        self.inbox = inbox or Link(max(step.formats, key=lambda f: f.byte_rate, default=CANONICAL))
        self.inbox.carries_caller = not step.speech or step.speaker or runtime.plan.is_echo
        self.deliver: Deliver = nowhere
        self.outs: tuple[Link, ...] = ()
        """The links that `deliver` may put frames into."""
        self.voice = voice
        """If this is the speaker."""
        self.inlet = Inlet(self.processor)
        self.working = False
        self._outlet = Outlet(self.processor)
        self._is_coroutine = self.processor.signature.kind is Kind.COROUTINE
        self._may_be_cut = may_be_cut(self.processor)
        self._yields_speech = yields_speech(self.processor)
        self._overlaps = self.processor.overlap
        self._is_plain = not (self._overlaps or voice is not None)
        # Of the work in progress:
        self._frame: Frame = End()
        self._token = 0
        """The epoch that it belongs to."""
        self._stream: AsyncIterator[Frame] | None = None
        self._cut = False
        """Whether an interruption cut it short."""
        self._deadline: asyncio.TimerHandle | None = None
        self._work: Work | None = None
        """If this is the speaker."""

    def start(self) -> None:
        self.task = self.runtime.tasks.start(self._run(), self.processor.name)

    # The loop

    async def _run(self) -> None:
        inbox, process, outlet, clock = self.inbox, self.processor.process, self._outlet, time.perf_counter
        accepts, runtime = self.processor.accepts, self.runtime
        replying.set(None)
        started, turns = clock(), 0
        while self.deliver is not nowhere:
            while not inbox.frames:  # what woke it may have been flushed since
                await inbox.wait()
                started, turns = clock(), 0
            frame = inbox.pop()
            way = self.inlet[type(frame)]
            if way == PASS:
                self.deliver(frame)
            elif way == FINISH:
                await self._finish(frame)
                return
            elif way != SWALLOW:
                if way == PROCESS_AUDIO and frame.format is not accepts:  # type: ignore[attr-defined]
                    converted = runtime.adapt(self.step, frame)
                    if converted is None:
                        continue
                    frame = converted
                if not self._is_plain:
                    prepared = await self._prepare(frame)
                    if prepared is None:
                        continue
                    frame = prepared
                self._frame, self._token, self.working = frame, runtime.epoch, True
                try:
                    if self._is_coroutine:
                        out = await process(frame)
                        self.working = False  # so that a `Clear` below is not taken for one from within
                        if out is not None:
                            if outlet[type(out)] < CONTROL and self._token == runtime.epoch:
                                self.deliver(out)
                            else:
                                self._emit(out)
                    else:
                        await self._consume(process(frame))
                except asyncio.CancelledError:
                    self._absorb_cancellation()
                except Exception as error:
                    runtime.fail(self.processor, error)
                self.working = False
                if not self._is_plain or self._token != runtime.epoch:
                    self._end()
            for out in self.outs:
                if out.full:
                    await out.space()
            turns += 1
            if not turns & 15 and clock() - started > SLICE:
                await asyncio.sleep(0)
                started = clock()

    async def _finish(self, end: Frame) -> None:
        """Let the processor yield what is left, then forward `end`, however that went."""
        self._frame = end
        self._token = self.runtime.epoch
        self.working = True
        try:
            left = self.processor.finish()
            if isinstance(left, Awaitable):
                left = await left
            if isinstance(left, Frame):
                self._emit(left)
            elif isinstance(left, AsyncIterator):
                await self._consume(left)
            elif left is not None:
                self._emit_all(left)
        except asyncio.CancelledError:
            self._absorb_cancellation()
        except Exception as error:
            self.runtime.fail(self.processor, error)
        self._end()
        self.deliver(end)

    # One piece of work

    async def _prepare(self, frame: Frame) -> Frame | None:
        """What there is to do before some processors' work; None if it need not begin any more."""
        if self.voice is not None:
            frame = await self.voice.turn(frame, self.inbox)
            if self.inlet[type(frame)] == SWALLOW:
                return None
            if not (isinstance(frame, Transcript) and not frame.final):
                self.voice.work_begins()
            self._work = Work(self)
            replying.set(self._work)
        if self._overlaps:
            if not self.step.speech:
                self.runtime.silence.hear(frame)
            for overtaking in self.inbox.remove(self._may_overtake):
                self.deliver(overtaking)
            self.inbox.overtake = self._overtake
        return frame

    async def _consume(self, stream: AsyncIterator[Frame]) -> None:
        self._stream, clock = stream, time.perf_counter
        started, turns = clock(), 0
        try:
            async for out in stream:
                self._emit(out)
                if self._cut:
                    break
                for link in self.outs:
                    if link.full:
                        await link.space()
                turns += 1
                if not turns & 15 and clock() - started > SLICE:
                    await asyncio.sleep(0)
                    started = clock()
        finally:
            aclose = getattr(stream, "aclose", None)
            if aclose is not None:
                await aclose()

    def _emit(self, out: Frame) -> None:
        kind = self._outlet[type(out)]
        if kind == SPEECH:
            if self._token == self.runtime.epoch or not self.step.speech:
                self.deliver(out)
        elif kind < CONTROL:
            self.deliver(out)
        elif self._is_current or not self._yields_speech:
            self.runtime.control(out)
            self._go_on()

    def _emit_all(self, left: Iterable[Frame]) -> None:
        for out in left:
            self._emit(out)

    def _go_on(self) -> None:
        """Whoever interrupts is exempt: what it yields next is new."""
        self._token = self.runtime.epoch
        self._cut = False

    @property
    def _is_current(self) -> bool:
        """Whether what the work in progress says is not void."""
        return self._token == self.runtime.epoch and self.deliver is not nowhere

    @property
    def _on_speech(self) -> bool:
        """Whether the work in progress is about what the agent says."""
        return self.step.speech and not self.step.speaker and type(self._frame).speech

    def _end(self) -> None:
        self.working = False
        if self._work is not None:
            self._work.ended = True
        self.inbox.overtake = None
        self.cancel_deadline()
        if self._cut:
            self._cut = False
            if self.task.cancelling():
                self.task.uncancel()
        if self.step.speech and self._token != self.runtime.epoch:
            self.runtime.reset(self.processor)  # it ran on after the reset that came with the Clear
        if self.voice is not None and self.deliver is not nowhere:
            self.voice.work_ended()

    def _absorb_cancellation(self) -> None:
        """Called while a CancelledError is handled: go on if it was a `Clear`, else let it end the task."""
        if self._cut and not self.runtime.tasks.stopping:
            return
        if self.task.cancelling():
            raise
        self.runtime.fail(self.processor, asyncio.CancelledError("it awaited something that was cancelled"))

    # Overtaking

    def _may_overtake(self, frame: Frame) -> bool:
        return not type(frame).speech and self.inlet[type(frame)] == PASS

    def _overtake(self, frame: Frame) -> bool:
        if not self._may_overtake(frame):
            return False
        self.deliver(frame)
        return True

    # Interruption

    def interrupt(self) -> None:
        """A `Clear` came. Drop what is queued to be said, and cut short the work in progress if it is about
        speech and about nothing else."""
        if not self.step.speaker:
            self.inbox.flush()
        if not self.working or self._cut or not (self._on_speech or self._yields_speech):
            return
        own = asyncio.current_task() is self.task
        if own and (self._is_coroutine or getattr(self._stream, "ag_running", False)):
            self._go_on()  # the work itself called call.clear()
            return
        if self._work is not None:
            self._work.void = True
        self._cut = self._may_be_cut
        if self._cut and not own:
            self.task.cancel()
            self._deadline = self.runtime.loop.call_later(self.runtime.limits.cancel, self._abandon)

    def _abandon(self) -> None:
        """The work did not heed its cancellation in time: its output is void, another worker goes on."""
        self._deadline = None
        successor = Worker(self.step, self.runtime, self.voice, self.inbox)
        successor.deliver, successor.outs, successor.inlet = self.deliver, self.outs, self.inlet
        self.deliver = nowhere
        self.inbox.overtake = None
        self.runtime.replace(self, successor)
        self.runtime.tasks.kill(self.task)
        self.runtime.reset(self.processor)
        if successor.voice is not None:
            successor.voice.work_ended()
        if type(self._frame) is End:
            successor.deliver(self._frame)
        else:
            successor.start()

    @property
    def voices(self) -> bool:
        """Whether it is at work on what the agent says, as speech synthesis is."""
        return self.working and self._on_speech

    @property
    def speaking(self) -> bool:
        """Whether there is anything here for a `Clear` to drop."""
        queued = not self.step.speaker and self.inbox.holds_speech
        return queued or (self.working and (self._on_speech or self._yields_speech))

    def cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def silence(self) -> None:
        """Nobody is left to hear a reply: begin no more work that would only speak."""
        if self._yields_speech and self._may_be_cut:
            self.inlet = Inlet(self.processor, silent=True)
