"""One running call: its parts, put together; how it opens, runs, and is torn down."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from voiceflow.call import Call
from voiceflow.call_limits import Ended
from voiceflow.errors import CallError, ProcessorError
from voiceflow.frameflow.epoch import Epoch, current_reply
from voiceflow.frameflow.notifier import Notifier
from voiceflow.frames import AudioRaw, Clear, End, Frame, LLMText, Transcript
from voiceflow.inference import contained, loaded_models
from voiceflow.linking.plan import Plan, Step
from voiceflow.pipeline import Element
from voiceflow.playout.playout import Playout
from voiceflow.processor import Processor
from voiceflow.session.turn_clock import TurnClock
from voiceflow.turns.echoed_words import repeats
from voiceflow.turns.replies import Replies, Saying
from voiceflow.turns.turn_taking import TurnTaking

from .ending import Ending
from .failures import Failures
from .fork import Junction
from .graph import Graph
from .interruption import Interruption
from .node import ProcessorNode
from .playing import hold_line, play, speech_format
from .source_reader import SourceReader
from .tasks import Tasks
from .timeouts import Timeouts
from .wiring import Parts, Wiring
from .worker import Worker


class RunningCall:
    """One running call. Its `Call` uses it as a `Session` (voiceflow/session/session.py)."""

    def __init__(self, call: Call, plan: Plan) -> None:
        self.call = call
        self.plan = plan
        self.epoch = Epoch()
        self.opened = asyncio.Event()
        self.tasks = Tasks(call.limits.cancel, self._task_failed, call.log)
        self.failures = Failures(call.log, self._failed)
        source, sink = plan.source, plan.sink
        graph, change = Graph(), Notifier()
        self.playout = Playout(
            sink,
            on_played=lambda mark: self._interruption.played(mark),
            on_end=lambda: self._ending.drained(),
            on_error=lambda error: self.failures.fail(sink.name, error),
            listeners=call.events.played,
            change=change,
        )
        self.playout.queue.carries_caller = plan.is_echo
        sink.echo = self.playout.echo
        self.turns = TurnTaking(self.playout, change, graph, self._heard, hold_line(call, sink.accepts))
        self.graph = graph
        self._interruption = Interruption(plan.steps, self.epoch, graph, self.turns, self.playout, self.failures)
        self._ending = Ending(
            call, sink, self.tasks, self.epoch, graph, self.turns, self.playout, self._interruption.clear
        )
        self._timeouts = Timeouts(call.limits, self.playout, self.turns.floor, self._time_is_up)
        lately, began = self.playout.ledger.lately, self._timeouts.began
        self.turns.disregarded.append(lambda transcript: repeats(transcript, lately, began))
        graph.source_reader = SourceReader(source, self.tasks, self.opened, self.failures, self._caller_left)
        parts = Parts(
            node=self._node,
            worker=lambda node: Worker(node, self.tasks, change.tell),
            junction=lambda fork: Junction(fork, self.epoch),
        )
        Wiring(plan, parts, graph, self.turns, self.playout, self._interruption.clear, call.events.passed)
        if any(step.processor.signature.may_yield(Transcript) for step in plan.walk() if step.processor is not source):
            TurnClock(call.events)

    # Opening, running, ending

    async def run(self) -> Ended:
        """Open, run until something ends the call, and leave nothing behind."""
        try:
            self.graph.source_reader.start()
            if await self._open_or_over():
                for worker in self.graph.workers:
                    worker.start()
                self.opened.set()
                self.graph.source_reader.release()
                self._timeouts.opened()
            ended = await self._ending.over
        except Exception as error:
            told = error if isinstance(error, CallError) else CallError(f"the call did not open: {error}")
            self.failures.error = told
            raise
        finally:
            await _to_its_end(self._tear_down())
        links = (self.playout.queue, *(worker.inbox for worker in self.graph.workers))
        dropped, burst = sum(link.dropped.total() for link in links), self.graph.source_reader.burst
        return msgspec.structs.replace(ended, dropped=dropped - burst, burst=burst, abandoned=self.tasks.abandoned)

    async def _open_or_over(self) -> bool:
        """Load the models and open every processor. False if the call was over before that was done."""
        if all(type(p).load is Processor.load and type(p).open is Processor.open for p in self._processors):
            return True
        opening = self.tasks.start(self._open(), "opening")
        await asyncio.wait({opening, self._ending.over}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            opening.result()
        return opening.done()

    async def _open(self) -> None:
        """Load the models, then open all processors, each of these within the limit."""
        limit = self.call.limits.open
        await load_models(self._processors, limit)
        opening = {
            self.tasks.start(_opened(p, self.call), p.name)
            for p in self._processors
            if type(p).open is not Processor.open
        }
        if opening:
            done, late = await asyncio.wait(opening, timeout=limit, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            if late:
                names = ", ".join(sorted(task.get_name() for task in late))
                raise CallError(f"{names} did not open within {limit:g} s: a model or a server hangs")

    def close(self) -> None:
        """Cancel the timers of the call."""
        self._timeouts.close()
        for worker in self.graph.workers:
            worker.cancel_deadline()
        self.turns.close()

    async def _tear_down(self) -> None:
        self.close()
        await self._ending.close()
        self.failures.closed = True
        await self.tasks.stop()
        for processor in self._processors:
            if type(processor).close is not Processor.close:
                closing = self._ending.logged(processor.close(), f"{processor.name}.close")
                self.tasks.start(closing, processor.name)
        await self.tasks.finish()
        loaded_models.release(self._processors)
        self.playout.close()
        self.opened.set()  # code that still waits to speak finds the call over
        self.turns.end()

    # The `Session` of the call

    @property
    def elements(self) -> tuple[Element, ...]:
        return tuple(self._processors)

    @property
    def can_speak(self) -> bool:
        return any(step.speech and step.processor.signature.takes(LLMText) for step in self.plan.walk())

    @property
    def is_echo(self) -> bool:
        return self.plan.is_echo

    @property
    def is_live(self) -> bool:
        return self.plan.source.live

    @property
    def elapsed(self) -> float:
        return self._timeouts.elapsed

    @property
    def error(self) -> CallError | None:
        return self.failures.error

    @property
    def over(self) -> bool:
        return self.tasks.stopping

    def clear(self) -> None:
        self._interruption.clear(by_code=True)

    def start(self, work: Callable[[], Awaitable[None]], name: str, *, leads: bool) -> None:
        async def begin() -> None:
            current_reply.set(None)
            await self.opened.wait()
            if self.over:
                return
            if leads:
                self.turns.led = True
                self.turns.dead_air.expect_speech()
            try:
                with contained():
                    await work()
            finally:
                if leads:
                    self.turns.led = False

        self.tasks.start(begin(), name)

    async def play(self, wav: str | os.PathLike[str] | AudioRaw, saying: Saying) -> None:
        form, replies = speech_format(self.plan), self.turns.speakers[0]
        await play(wav, form, saying, replies, self.playout, self.graph)

    def hang_up(self, reason: str, *, force: bool) -> asyncio.Task[bool]:
        return self.tasks.start(self._ending.hang_up(reason, force=force), "hang up")

    # Callbacks of the parts

    @property
    def _processors(self) -> list[Processor]:
        return [step.processor for step in self.plan.walk()]

    def _node(self, step: Step) -> ProcessorNode:
        replies = None
        if step.speaker:
            announce, expect = self.call.events.replied, self.turns.dead_air.expect_speech
            signature = step.processor.signature
            replies = Replies(signature, self.epoch, self.turns.floor, self.playout, announce, expect)
        return ProcessorNode(step, self.epoch, self._act, self.failures, replies)

    def _act(self, frame: Frame) -> None:
        """Carry out the `Clear` or `End` that a processor yielded."""
        if isinstance(frame, Clear):
            self._interruption.clear()
        elif isinstance(frame, End):
            self.hang_up(frame.reason or "hung up", force=False)

    def _heard(self, frame: Frame) -> None:
        self._timeouts.heard()
        self.call.spoken.hear(frame)
        self.call.events.heard(frame)

    def _caller_left(self, reason: str) -> None:
        self._ending.caller_left(reason, opened=self.opened.is_set())

    def _time_is_up(self, reason: str) -> None:
        if self.opened.is_set():
            self._ending.end(reason)
        else:
            self._ending.finish(Ended(f"{reason}, before the call had opened"))

    def _failed(self, error: ProcessorError) -> None:
        if self.opened.is_set():
            self.tasks.start(self._ending.apologise(error), "apology")
        else:
            self._ending.finish(Ended(str(error), error))

    def _task_failed(self, name: str, error: BaseException) -> None:
        if self.opened.is_set():  # before that, `run` raises it
            self.failures.fail(name, error)


async def load_models(processors: list[Processor], limit: float) -> None:
    """Load the models not yet in memory. Raises what `load` raises, and `CallError` if all take `limit` seconds."""
    late = ""

    def loads(processor: Processor) -> None:
        nonlocal late
        late = processor.name

    try:
        async with asyncio.timeout(limit) as deadline:
            await loaded_models.load(processors, loads)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise CallError(
            f"the model of {late} was not loaded within {limit:g} s: it hangs, or takes longer than a caller waits. "
            f"Load it before the first call, by `await voiceflow.preload(pipeline)`"
        ) from error


async def _opened(processor: Processor, call: Call) -> None:
    try:
        with contained():
            await processor.open(call)
    except Exception as error:
        raise ProcessorError(f"{processor.name}.open", error) from error


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` to its end even if this is cancelled meanwhile, and only then raise the cancellation."""
    task = asyncio.get_running_loop().create_task(work, name="tear-down")
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled
