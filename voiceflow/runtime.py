"""Runs one linked pipeline for one call: opens it, interrupts it, ends it.

Everything here happens on the event loop's thread. Interruption is a plain function call that runs to
completion; no frame moves while it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from voiceflow.processors.codec import Convert, convert

from .errors import CallError, ProcessorError
from .frames import AudioRaw, Clear, End, Frame, Mark
from .plan import Fork, Plan, Step
from .playout import Playout
from .processor import Processor
from .transport import Sink
from .voice import Floor
from .wiring import Wiring
from .worker import Worker

if TYPE_CHECKING:
    from .call import Call

Observer = Callable[[Processor, Processor, Frame], None]


class Ended(msgspec.Struct, frozen=True):
    """How a call ended."""

    reason: str
    error: BaseException | None = None
    """What ended it, if it failed."""


class Limits(msgspec.Struct, frozen=True):
    """Deadlines in seconds. They are kept outside the pipeline: no state of it can switch them off."""

    open: float = 10.0
    """For all processors to open."""
    drain: float = 5.0
    """For what was under way when the call ended."""
    cancel: float = 1.0
    """For work to heed its cancellation."""
    call: float = 3600.0
    """For the whole call."""
    idle: float = 300.0
    """Without anything said by either side."""


class Runtime:
    """One call's running pipeline."""

    def __init__(self, call: Call, plan: Plan, limits: Limits) -> None:
        self.call = call
        self.plan = plan
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.log = call.log
        self.epoch = 0
        """Counts the interruptions. Speech from an earlier epoch is stale."""
        self.stopping = False
        self.observers: list[Observer] = []
        self.opened = asyncio.Event()
        self.floor = Floor()
        self.sink = next(step.processor for step in plan.walk() if isinstance(step.processor, Sink))
        self.playout = Playout(self.sink, self._played, self._drained)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.abandoned = 0
        """How many pieces of work did not heed their cancellation."""
        self.wiring = Wiring(self)
        self.wiring.connect()
        self.workers = list(self.wiring.workers.values())
        self.voice = next(self.wiring.voices[id(step)] for step in plan.walk() if step.speaker)
        self._over: asyncio.Future[Ended] = self.loop.create_future()
        self._error: ProcessorError | None = None
        self._ending: str | None = None
        self._clearing = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._heard_at = self.loop.time()
        self._converters: dict[int, Convert] = {}

    @property
    def cancel_seconds(self) -> float:
        return self.limits.cancel

    # A call's life

    async def run(self) -> Ended:
        """Open, run until something ends the call, and leave nothing behind."""
        processors = [step.processor for step in self.plan.walk()]
        try:
            self.wiring.intake.start()
            await self._open(processors)
            for worker in self.workers:
                worker.start()
            self.opened.set()
            self._arm_limits()
            return await self._over
        finally:
            await self._tear_down(processors)

    async def _open(self, processors: Sequence[Processor]) -> None:
        async def open_one(processor: Processor) -> None:
            try:
                await processor.open(self.call)
            except Exception as error:
                raise ProcessorError(f"{processor.name}.open", error) from error

        tasks = {
            self.loop.create_task(open_one(p), name=p.name) for p in processors if type(p).open is not Processor.open
        }
        try:
            done, late = await asyncio.wait(tasks, timeout=self.limits.open) if tasks else (set(), set())
            if late:
                names = ", ".join(sorted(task.get_name() for task in late))
                raise CallError(f"{names} did not open within {self.limits.open:g} s: a model or a server hangs")
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tear_down(self, processors: Sequence[Processor]) -> None:
        self.stopping = True
        self.call.is_connected = False
        for timer in self._timers.values():
            timer.cancel()
        for worker in self.workers:
            worker.cancel_deadline()
        await self._stop_tasks()
        closing = {
            self.loop.create_task(p.close(), name=p.name) for p in processors if type(p).close is not Processor.close
        }
        if closing:
            done, late = await asyncio.wait(closing, timeout=self.limits.cancel)
            for task in late:
                self.kill(task, task.get_name())
            for task in done:
                if not task.cancelled() and task.exception() is not None:
                    self.log.error("%s.close raised", task.get_name(), exc_info=task.exception())
        self.playout.close()
        self.opened.set()  # whoever still waits to say something finds the call over

    async def _stop_tasks(self) -> None:
        for task in self.tasks:
            task.cancel()
        for attempt in range(3):
            if not self.tasks:
                return
            if attempt:
                for task in list(self.tasks):
                    self.kill(task, task.get_name())
            await asyncio.wait(self.tasks, timeout=self.limits.cancel)
        names = ", ".join(task.get_name() for task in self.tasks)
        self.log.error("%s refuses to end: it swallows even the closing of its coroutine", names)

    # Tasks

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start a task that ends with the call at the latest."""
        task = self.loop.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and not self.stopping:
            self._fail(ProcessorError(task.get_name(), task.exception()))  # type: ignore[arg-type]

    def kill(self, task: asyncio.Task[Any], name: str) -> None:
        """Close by force the coroutine of a task that does not heed its cancellation."""
        self.abandoned += 1
        self.log.warning("%s did not stop within %g s of its cancellation: closed by force", name, self.limits.cancel)
        if close_by_force(task.get_coro()):
            self.tasks.discard(task)
            task.remove_done_callback(self._task_done)
            task.add_done_callback(_retrieve)
        task.cancel()

    def replace(self, worker: Worker, successor: Worker) -> None:
        """An abandoned worker's place is taken."""
        self.workers[self.workers.index(worker)] = successor
        self.wiring.workers[id(worker.step)] = successor

    # Interruption

    def clear(self) -> None:
        """Drop everything the agent has not yet said. Does nothing when there is nothing to drop."""
        if self._clearing or not self._anything_said():
            return
        self._clearing = True
        try:
            self._flush()
        finally:
            self._clearing = False

    def _anything_said(self) -> bool:
        if not self.playout.at_rest:
            return True
        return any(worker.speaking for worker in self.workers if worker.step.speech)

    def _flush(self) -> None:
        # Phase 1: the runtime alone.
        self.epoch += 1
        for worker in reversed(self.workers):
            if worker.step.speech:
                if not worker.step.speaker:
                    worker.inbox.flush()
                worker.interrupt()
        for junction in self.wiring.junctions.values():
            junction.clear()
        for voice in self.wiring.voices.values():
            voice.clear()
        cleared = self.playout.clear()
        # Phase 2: everyone on the speech side is told, from the sink up. One that raises ends the call, but
        # the others are still told.
        for mark in cleared.played:
            self._played(mark)
        for step in reversed(list(self.plan.walk())):
            if step.speech:
                self.reset(step.processor)
        self._ascend(self.plan.steps, Clear(cleared.heard, cleared.seconds))

    def reset(self, processor: Processor) -> None:
        converter = self._converters.get(id(processor))
        if converter is not None:
            converter.reset()
        try:
            processor.reset()
        except Exception as error:
            self.fail(processor, error)

    def _played(self, mark: Mark) -> None:
        self._ascend(self.plan.steps, mark)

    def _ascend(self, steps: Sequence[Step | Fork], frame: Frame | None) -> Frame | None:
        """Hand `frame` from processor to processor, upstream to the speaker, until one absorbs it."""
        for step in reversed(steps):
            if frame is None:
                break
            if isinstance(step, Fork):
                answers = [self._ascend(branch, frame) for branch in reversed(step.branches)]
                frame = next((answer for answer in answers if answer is not None), None)
            elif step.speech:
                try:
                    frame = step.processor.upstream(frame)
                except Exception as error:
                    self.fail(step.processor, error)
        return frame

    # What processors make happen

    def control(self, frame: Frame) -> None:
        """A processor yielded `Clear` or `End`."""
        if isinstance(frame, Clear):
            self.clear()
        elif isinstance(frame, End):
            self.spawn(self.hang_up(frame.reason or "hung up"), "hang up")

    def hear(self, frame: Frame) -> None:
        """The caller said or did something; it has arrived before the speaker."""
        self._heard_at = self.loop.time()
        self.floor.hear(frame)
        self.call.hear(frame)

    def adapt(self, step: Step, frame: Frame) -> AudioRaw | None:
        """Audio in another format than was linked: convert it on the spot."""
        assert isinstance(frame, AudioRaw)
        processor = step.processor
        converter = self._converters.get(id(processor))
        if converter is None:
            self.log.warning(
                "%s was linked for %s and got %s: converted on the spot",
                processor.name,
                processor.accepts,
                frame.format,
            )
            converter = self._converters[id(processor)] = Convert(processor.accepts)
        converted: AudioRaw | None = converter.process(frame)
        return converted

    def fail(self, processor: Processor, error: BaseException) -> None:
        """An exception in `processor`: it ends this call and no other."""
        self._fail(ProcessorError(processor.name, error))

    def _fail(self, error: ProcessorError) -> None:
        if self._error is not None or self.stopping:
            return
        self._error = error
        self.log.error("%s", error, exc_info=error.__cause__)
        self.spawn(self._apologise(error), "apology")

    async def _apologise(self, error: ProcessorError) -> None:
        """Let the caller hear the apology, past a pipeline that is not to be trusted any more."""
        try:
            apology = self.call.apology
            if apology is not None and self.opened.is_set() and self.call.is_connected:
                self.clear()
                for voice in self.wiring.voices.values():
                    voice.mute()
                self.playout.put(convert(apology, self.sink.accepts))
                await self.playout.rest(self.limits.drain)
        finally:
            self._finish(Ended(str(error), error))

    # The end

    def caller_left(self) -> None:
        """The peer ended the stream: nobody is left to hear a reply."""
        if self._ending is None:
            self.call.is_connected = False
            self._mute()
            self.clear()
            for worker in self.workers:
                worker.silence()
            self._drain("the caller hung up")

    async def hang_up(self, reason: str, *, force: bool = False) -> bool:
        """End the call once everything said has been heard. False if an interruption revoked that."""
        epoch = self.epoch
        await self.playout.rest(self.limits.drain)
        if self.epoch != epoch and not force:
            return False
        self.end(reason)
        return True

    def end(self, reason: str) -> None:
        """End the call from our side, now."""
        if self._ending is None:
            self._mute()
            self.wiring.intake.stop()
            self.spawn(self._disconnect(), "hang up")
            self._drain(reason)

    def _mute(self) -> None:
        for voice in self.wiring.voices.values():
            voice.mute()

    async def _disconnect(self) -> None:
        try:
            async with asyncio.timeout(self.limits.cancel):
                await self.sink.hangup()
        except TimeoutError:
            self.log.warning("%s did not disconnect within %g s", self.sink.name, self.limits.cancel)
        self.call.is_connected = False

    def _drain(self, reason: str) -> None:
        """Send `End` after everything that is under way, and wait for it at the sink."""
        self._ending = reason
        late = Ended(f"{reason}; what was under way did not finish within {self.limits.drain:g} s")
        self._timers["drain"] = self.loop.call_later(self.limits.drain, self._finish, late)
        self.wiring.intake.deliver(End(reason))

    def _drained(self) -> None:
        self._finish(Ended(self._ending or "the stream ended"))

    def _finish(self, ended: Ended) -> None:
        if not self._over.done():
            self._over.set_result(ended)

    def _arm_limits(self) -> None:
        self._timers["call"] = self.loop.call_later(self.limits.call, self.end, "maximum duration reached")
        self._heard_at = self.loop.time()
        self._watch_idle()

    def _watch_idle(self) -> None:
        now = self.loop.time()
        quiet_since = max(self._heard_at, min(now, self.playout.ledger.play_end))
        if now - quiet_since >= self.limits.idle:
            self.end("nothing was said for too long")
        else:
            self._timers["idle"] = self.loop.call_at(quiet_since + self.limits.idle, self._watch_idle)

    # What the call wants to know

    @property
    def busy(self) -> bool:
        """Whether agent speech is being generated, queued or played, or anything is still being worked on."""
        return not self.playout.at_rest or any(worker.working or worker.inbox.frames for worker in self.workers)

    def observe(self, callback: Observer) -> None:
        """Call `callback(upstream, downstream, frame)` for each frame at each processor boundary."""
        self.observers.append(callback)
        self.wiring.connect()


class Abandoned(BaseException):
    """Thrown into work that did not heed its cancellation. Do not catch it."""


def close_by_force(coroutine: Any, attempts: int = 10) -> bool:
    """Run `coroutine` to its end by raising at whatever it awaits. False if it survives even that.

    Not `coroutine.close()`: before Python 3.13 that leaves an async generator within it suspended for good.
    """
    for _ in range(attempts):
        try:
            coroutine.throw(Abandoned())
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            return True
    return False


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
