"""Runs one linked pipeline for one call: opens it, watches over it, ends it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from voiceflow.errors import CallError, ProcessorError
from voiceflow.frames import AudioRaw, Clear, End, Frame, Transcript
from voiceflow.linking.plan import Plan, Step
from voiceflow.playout.playout import Playout
from voiceflow.processor import Processor
from voiceflow.processors.codec import Convert, convert
from voiceflow.transport import Sink
from voiceflow.turns.activity import Activity
from voiceflow.turns.deadair import Silence
from voiceflow.turns.replies import Floor

from .interruption import Interruption
from .tasks import Tasks
from .wiring import Wiring
from .worker import Worker

if TYPE_CHECKING:
    from voiceflow.call import Call

failures: Counter[str] = Counter()
"""How many calls each processor has ended in this process."""

TOLD = 16
"""How many of the frames that were heard last are known, where several speakers hear them."""

LONGEST_SPEECH = 1800.0
"""Seconds. Who seems to speak for longer is a detector that is stuck: it does not keep a call from being idle."""

Observer = Callable[[Processor, Processor, Frame], None]


class Ended(msgspec.Struct, frozen=True):
    """How a call ended."""

    reason: str
    error: BaseException | None = None
    """What ended it, if it failed."""
    dropped: int = 0
    """How many pieces of the caller's audio were dropped because the pipeline was too slow for them."""
    abandoned: int = 0
    """How many pieces of work had to be closed by force."""


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
        self.tasks = Tasks(limits.cancel, self._task_failed, call.log)
        self.opened = asyncio.Event()
        self.observers: list[Observer] = []
        self.floor = Floor()
        self.activity = Activity(self)
        self.silence = Silence(self)
        self.interruption = Interruption(self)
        self.sink = next(step.processor for step in plan.walk() if isinstance(step.processor, Sink))
        self.playout = self.sink.playout = Playout(self.sink, self.interruption.played, self._drained, self.fail)
        self.playout.carries_caller = plan.is_echo
        self.playout.on_audio = call.audio_listeners
        self.wiring = Wiring(self)
        self.wiring.connect()
        self.workers = list(self.wiring.workers.values())
        self.voice = next(self.wiring.voices[id(step)] for step in plan.walk() if step.speaker)
        self._over: asyncio.Future[Ended] = self.loop.create_future()
        self.error: CallError | None = None
        """What has ended the call, if it failed."""
        self._ending: str | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._disconnecting: asyncio.Task[None] | None = None
        self._told: deque[Frame] = deque(maxlen=TOLD)
        self.began = self._heard_at = self.loop.time()
        self._converters: dict[int, Convert] = {}

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
            ended = await self._over
        except CallError as error:
            self.error = error
            raise
        finally:
            await self._tear_down(processors)
        dropped = sum(link.dropped for link in (self.playout, *(worker.inbox for worker in self.workers)))
        return msgspec.structs.replace(ended, dropped=dropped, abandoned=self.tasks.abandoned)

    async def _open(self, processors: Sequence[Processor]) -> None:
        async def open_one(processor: Processor) -> None:
            try:
                await processor.open(self.call)
            except Exception as error:
                raise ProcessorError(f"{processor.name}.open", error) from error

        opening = {self.tasks.start(open_one(p), p.name) for p in processors if type(p).open is not Processor.open}
        if opening:
            done, late = await asyncio.wait(opening, timeout=self.limits.open, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            if late:
                names = ", ".join(sorted(task.get_name() for task in late))
                raise CallError(f"{names} did not open within {self.limits.open:g} s: a model or a server hangs")

    async def _tear_down(self, processors: Sequence[Processor]) -> None:
        for timer in self._timers.values():
            timer.cancel()
        for worker in self.workers:
            worker.cancel_deadline()
        self.silence.close()
        self._mute()
        await self._disconnect()
        await self.tasks.stop()
        for processor in processors:
            if type(processor).close is not Processor.close:
                self.tasks.start(self._logged(processor.close(), f"{processor.name}.close"), processor.name)
        await self.tasks.finish()
        self.playout.close()
        self.call.hear(End())
        self.opened.set()  # whoever still waits to say something finds the call over

    async def _disconnect(self) -> None:
        """Disconnect the peer, once, and unless it has left by itself."""
        if self.call.is_connected and self._disconnecting is None:
            hangup = self._logged(self.sink.hangup(), f"{self.sink.name}.hangup")
            self._disconnecting = self.tasks.start(hangup, "disconnecting the peer")
        if self._disconnecting is not None:
            await asyncio.wait({self._disconnecting}, timeout=self.limits.drain)
        self.call.is_connected = False

    async def _logged(self, work: Awaitable[None], name: str) -> None:
        """Await `work`; what goes wrong at the end of a call is only logged."""
        try:
            await work
        except Exception as error:
            self.log.error("%s failed: %s", name, error, exc_info=error)

    # What processors make happen

    def control(self, frame: Frame) -> None:
        """A processor yielded `Clear` or `End`."""
        if isinstance(frame, Clear):
            self.interruption.clear()
        elif isinstance(frame, End):
            self.tasks.start(self.hang_up(frame.reason or "hung up"), "hang up")

    def hear(self, frame: Frame) -> None:
        """The caller said or did something; it has arrived before the speaker."""
        if len(self.wiring.voices) > 1 and any(frame is told for told in self._told):
            return  # it came to another speaker before
        self._told.append(frame)
        self._heard_at = self.loop.time()
        if isinstance(frame, Transcript) and frame.final and frame.text and self.voice.pending:
            self.interruption.clear()  # the caller goes on: one answer to all of it
        self.floor.hear(frame)
        self.silence.hear(frame)
        self.call.hear(frame)

    def adapt(self, step: Step, frame: Frame) -> AudioRaw | None:
        """Audio in another format than was linked: convert it on the spot."""
        assert isinstance(frame, AudioRaw)
        processor = step.processor
        converter = self._converters.get(id(processor))
        if converter is None:
            converter = self._converters[id(processor)] = Convert(processor.accepts)
            self.log.warning("%s takes %s and got %s: converted", processor.name, processor.accepts, frame.format)
        return converter.process(frame)

    def reset(self, processor: Processor) -> None:
        """What it was about to say is void."""
        converter = self._converters.get(id(processor))
        if converter is not None:
            converter.reset()
        try:
            processor.reset()
        except Exception as error:
            self.fail(processor, error)

    def replace(self, worker: Worker, successor: Worker) -> None:
        """An abandoned worker's place is taken."""
        self.workers[self.workers.index(worker)] = successor
        self.wiring.workers[id(worker.step)] = successor

    # Failure

    def fail(self, processor: Processor, error: BaseException) -> None:
        """An exception in `processor`: it ends this call and no other."""
        self._fail(ProcessorError(processor.name, error))

    def _task_failed(self, name: str, error: BaseException) -> None:
        if self.opened.is_set():  # before that, `_open` tells
            self._fail(ProcessorError(name, error))

    def _fail(self, error: ProcessorError) -> None:
        if self.error is None and not self.tasks.stopping:
            self.error = error
            failures[error.processor] += 1
            self.log.error("%s", error, exc_info=error.__cause__)
            self.tasks.start(self._apologise(error), "apology")

    async def _apologise(self, error: ProcessorError) -> None:
        """Let the caller hear the apology, past a pipeline that is not to be trusted any more."""
        try:
            apology = self.call.apology
            if apology is not None and self.opened.is_set() and self.call.is_connected:
                self.interruption.clear()
                self._mute()
                self.playout.put(convert(apology, self.sink.accepts))
                await self.playout.rest(self.limits.drain)
        finally:
            self._finish(Ended(str(error), error))

    # The end

    def caller_left(self, reason: str) -> None:
        """The peer ended the stream: nobody is left to hear a reply."""
        if self._ending is None:
            self.call.is_connected = False
            self._mute()
            self.interruption.clear()
            for worker in self.workers:
                worker.silence()
            self._drain(reason)

    async def hang_up(self, reason: str, *, force: bool = False) -> bool:
        """End the call once everything said has been heard. False if an interruption revoked that."""
        epoch = self.epoch
        await self.playout.rest(self.limits.drain)
        if self.epoch != epoch and not force:
            return False
        self.end(reason)
        return True

    def end(self, reason: str) -> None:
        """End the call from our side: what was said is still heard, nothing more is said."""
        if self._ending is None:
            self._mute()
            self.wiring.intake.stop()
            self._drain(reason)
            self.tasks.start(self._disconnect_after_speech(), "hang up")

    async def _disconnect_after_speech(self) -> None:
        """The caller need not wait until the listening side is drained, too."""
        await self.playout.rest(self.limits.drain)
        await self._disconnect()

    def _mute(self) -> None:
        self.floor.release()
        for voice in self.wiring.voices.values():
            voice.mute()

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

    # Limits

    def _arm_limits(self) -> None:
        self._timers["call"] = self.loop.call_later(self.limits.call, self.end, "maximum duration reached")
        self._heard_at = self.loop.time()
        self._watch_idle()

    def _watch_idle(self) -> None:
        now = self.loop.time()
        quiet_since = max(self._heard_at, min(now, self.playout.ledger.play_end))
        if self.floor.taken and now - quiet_since < LONGEST_SPEECH:
            quiet_since = now
        left = quiet_since + self.limits.idle - now
        if left < self.limits.idle * 1e-6:  # a timer may be early by what a float rounds
            self.end("nothing was said for too long")
        else:
            self._timers["idle"] = self.loop.call_later(left, self._watch_idle)

    def observe(self, callback: Observer) -> None:
        """Call `callback(upstream, downstream, frame)` for each frame at each processor boundary."""
        self.observers.append(callback)
        self.wiring.connect()
