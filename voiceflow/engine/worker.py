"""The task of an asynchronous processor, and of the stages fused behind it.

A worker pops a frame, lets the processor work on it, and delivers what it yields through the processor's port
(frameflow/epoch.py). An interruption cuts short work on speech; work that does not heed its cancellation in time is
abandoned: a new task takes its place, and whatever the old one still yields is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from voiceflow.annotations import Kind
from voiceflow.audio import CANONICAL
from voiceflow.errors import UNWINDING
from voiceflow.frameflow.dispatch import CONTROL, FINISH, PASS, PROCESS_AUDIO, SWALLOW, incoming
from voiceflow.frameflow.epoch import Port, Work, current_reply, nowhere
from voiceflow.frameflow.link import Link
from voiceflow.frames import End, Frame, Transcript

from .node import ProcessorNode
from .tasks import Tasks
from .timeslice import BATCH, TimeSlice


class Worker:
    """Runs one asynchronous processor."""

    __slots__ = (
        "_deadline",
        "_idle",
        "_stream",
        "_tasks",
        "inbox",
        "incoming",
        "node",
        "on_work",
        "outs",
        "task",
        "work",
    )

    def __init__(self, node: ProcessorNode, tasks: Tasks, idle: Callable[[], None]) -> None:
        self.node = node
        self.inbox = Link(max(node.step.formats, key=lambda f: f.byte_rate, default=CANONICAL))
        self.incoming = incoming(node.processor.signature, node.processor.accepts)
        self.outs: tuple[Link, ...] = ()
        """The links that its frames may end up in."""
        self.on_work: Callable[[Frame], None] | None = None
        """Called with each frame that an overlapping processor begins to work on."""
        self.work = Work(node.port)
        self.task: asyncio.Task[None]
        self._tasks = tasks
        self._idle = idle
        self._stream: AsyncIterator[Frame] | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self.task = self._tasks.start(self._run(), self.node.processor.name)

    # The loop

    async def _run(self) -> None:
        node, inbox, replies, task, work = self.node, self.inbox, self.node.replies, self.task, self.work
        processor, port = node.processor, node.port
        process: Callable[[Frame], Any] = processor.process
        accepts, kinds, epoch = processor.accepts, port.kinds, port.epoch
        coroutine = processor.signature.kind is Kind.COROUTINE
        plain = not (processor.overlap or replies is not None)
        current_reply.set(None)
        pace = TimeSlice()
        while True:
            for _ in range(BATCH):
                while not inbox.frames:  # the frame that woke this task may have been flushed since
                    self._idle()
                    await inbox.wait()
                    pace.restart()
                if replies is not None:
                    await replies.ready(inbox)
                frame = inbox.pop()
                way = self.incoming[type(frame)]
                if way == PASS:
                    port.deliver(frame)
                elif way == FINISH:
                    await self._finish(frame, pace)
                    return
                elif way != SWALLOW:
                    if way == PROCESS_AUDIO and frame.format is not accepts:  # type: ignore[attr-defined]
                        converted = node.adapt(frame)
                        if converted is None:
                            continue
                        frame = converted
                    if plain:
                        work.frame, work.began, work.running = frame, epoch.number, True
                    else:
                        work = self._begin(frame)
                        frame = work.frame
                    try:
                        if coroutine:
                            out = await process(frame)
                            work.running = False  # a `Clear` from downstream does not come from this work
                            if out is not None:
                                if kinds[type(out)] < CONTROL and work.began == epoch.number:
                                    port.deliver(out)  # `Work.emit`, inlined
                                else:
                                    work.emit(out)
                        else:
                            await self._consume(work, process(frame), pace)
                    except UNWINDING as error:
                        self._absorb_cancellation(work, error)
                    except BaseException as error:
                        node.fail(error)
                    work.running = False
                    if self.task is not task:
                        return  # it was abandoned
                    if not plain or work.began != epoch.number:
                        self._end(work)
                for out_link in self.outs:
                    if out_link.full:
                        await out_link.space()
            if pace.used_up():
                await asyncio.sleep(0)
                pace.restart()

    async def _finish(self, end: Frame, pace: TimeSlice) -> None:
        """Let the processor yield what is left, then forward `end`, even if that failed."""
        task, work = self.task, Work(self.node.port)
        self.work = work
        work.begin(end)
        try:
            left = self.node.processor.finish()
            if isinstance(left, Awaitable):
                left = await left
            if isinstance(left, Frame):
                work.emit(left)
            elif isinstance(left, AsyncIterator):
                await self._consume(work, left, pace)
            elif left is not None:
                work.emit_all(left)
        except UNWINDING as error:
            self._absorb_cancellation(work, error)
        except BaseException as error:
            self.node.fail(error)
        if self.task is task:
            self._end(work)
            self.node.port.deliver(end)

    # One piece of work

    def _begin(self, frame: Frame) -> Work:
        """Begin the work of a speaker, which makes a reply, or of an overlapping processor, which may be overtaken."""
        replies = self.node.replies
        if replies is not None:
            frame = replies.gather(frame, self.inbox)
            if not (isinstance(frame, Transcript) and not frame.final):
                replies.work_begins()
        work = self.work = Work(self.node.port)
        work.begin(frame)
        if replies is not None:
            current_reply.set(work)
        if self.node.processor.overlap:
            if self.on_work is not None:
                self.on_work(frame)
            for overtaking in self.inbox.remove(self._may_overtake):
                self.node.port.deliver(overtaking)
            self.inbox.overtake = self._overtake
        return work

    async def _consume(self, work: Work, stream: AsyncIterator[Frame], pace: TimeSlice) -> None:
        self._stream, taken = stream, 0
        try:
            async for out in stream:
                work.emit(out)
                if work.cut:
                    break
                for link in self.outs:
                    if link.full:
                        await link.space()
                taken += 1
                if not taken % BATCH and pace.used_up():
                    await asyncio.sleep(0)
                    pace.restart()
        finally:
            aclose = getattr(stream, "aclose", None)
            if aclose is not None:
                await aclose()

    def _end(self, work: Work) -> None:
        work.running = False
        self.inbox.overtake = None
        self.cancel_deadline()
        if work.cut:
            work.cut = False
            if self.task.cancelling():
                self.task.uncancel()
        if self.node.step.speech and work.is_stale:
            self.node.reset()  # it has run on after the reset that the Clear brought
        if self.node.replies is not None:
            self.node.replies.work_ended()

    def _absorb_cancellation(self, work: Work, error: BaseException) -> None:
        """Called while `error` is handled: return if a `Clear` cancelled the work, else let it end task or call."""
        if work.port is not self.node.port or not isinstance(error, asyncio.CancelledError):
            raise  # it was abandoned
        if work.cut and not self._tasks.stopping:
            return
        if self.task.cancelling():
            raise
        self.node.fail(asyncio.CancelledError("it awaited something that was cancelled"))

    # Overtaking

    def _may_overtake(self, frame: Frame) -> bool:
        return not type(frame).speech and self.incoming[type(frame)] == PASS

    def _overtake(self, frame: Frame) -> bool:
        if overtakes := self._may_overtake(frame):
            self.node.port.deliver(frame)
        return overtakes

    # Interruption

    def interrupt(self, *, by_code: bool) -> bool:
        """Carry out a `Clear`, yielded by a processor or, `by_code`, made by `call.clear`: drop queued speech, and cut
        short the work in progress if it is about speech and nothing else. Returns whether it was that work that called
        `call.clear`: then it goes on."""
        work = self.work
        if not self.node.step.speaker:
            self.inbox.flush()
        if not work.running or work.cut or not self._is_about_speech:
            return False
        if by_code and self._is_called_by(work):
            work.renew()
            return True
        work.void = True
        work.cut = self.node.port.kinds.may_be_cut
        if work.cut and asyncio.current_task() is not self.task:
            self.task.cancel()
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._tasks.patience, self._abandon)
        return False

    def _is_called_by(self, work: Work) -> bool:
        """Whether the code of `work` is calling, in its task or in one that it started."""
        if asyncio.current_task() is not self.task:
            return current_reply.get() is work
        is_coroutine = self.node.processor.signature.kind is Kind.COROUTINE
        return is_coroutine or bool(getattr(self._stream, "ag_running", False))

    def _abandon(self) -> None:
        """Give up work that did not heed its cancellation in time: drop its output, go on in another task."""
        self._deadline = None
        task, work, node = self.task, self.work, self.node
        work.port = Port(node.port.kinds, node.port.epoch, nowhere)
        self.work = Work(node.port)
        self.inbox.overtake = None
        self.task = self._tasks.start(self._run() if type(work.frame) is not End else _nothing(), task.get_name())
        self._tasks.kill(task)
        node.reset()
        if type(work.frame) is End:
            node.port.deliver(work.frame)

    @property
    def _is_about_speech(self) -> bool:
        """Whether the work in progress is on agent speech, or may yield some."""
        step = self.node.step
        return self.node.port.kinds.speak or (step.speech and not step.speaker and type(self.work.frame).speech)

    @property
    def speaking(self) -> bool:
        """Whether there is anything here for a `Clear` to drop."""
        if not self.node.step.speech:
            return False
        queued = not self.node.step.speaker and self.inbox.holds_speech
        return queued or (self.work.running and self._is_about_speech)

    @property
    def busy(self) -> bool:
        """Whether it is at work, or has work waiting."""
        return self.work.running or bool(self.inbox.frames)

    def cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def silence(self) -> None:
        """Begin no more work that would only speak: nobody is left to hear a reply."""
        processor, kinds = self.node.processor, self.node.port.kinds
        if kinds.speak and kinds.may_be_cut:
            self.incoming = incoming(processor.signature, processor.accepts, silent=True)


async def _nothing() -> None:
    """The task of a processor whose `finish` was abandoned: it has nothing left to do."""
