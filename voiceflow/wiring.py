"""From a plan to running parts: workers for asynchronous processors, closures for stages, links between.

Wired from the sink up, so that each part is given the one function that takes its frames downstream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .fork import Junction
from .frames import DTMF, AudioRaw, Frame, SpeechStarted, SpeechStopped, Transcript
from .intake import Intake
from .link import Link
from .plan import Fork, Step
from .processor import Processor
from .stage import Deliver, fuse
from .transport import Source
from .voice import Voice
from .worker import Worker

if TYPE_CHECKING:
    from .runtime import Runtime

Outs = tuple[Link, ...]


class Wiring:
    """The parts of one call. Wiring again (for observers) keeps the parts and renews the connections."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.workers: dict[int, Worker] = {}
        self.junctions: dict[int, Junction] = {}
        self.voices: dict[int, Voice] = {}
        self.intake: Intake
        for step in runtime.plan.walk():
            if step.speaker:
                self.voices[id(step)] = Voice(step.processor, runtime.playout.ledger, runtime.floor)
            if isinstance(step.processor, Source):
                self.intake = Intake(step.processor, runtime)
            elif not step.fused:
                self.workers[id(step)] = Worker(step, runtime, self.voices.get(id(step)))

    def connect(self) -> None:
        steps, sink = self.runtime.plan.steps[:-1], self.runtime.playout
        deliver = self._observed(steps[-1], self.runtime.plan.steps[-1], sink.put)
        self._row(steps, deliver, (sink,), None)

    def _row(
        self, steps: Sequence[Step | Fork], deliver: Deliver, outs: Outs, lost: Callable[[Frame], None] | None
    ) -> tuple[Deliver, Outs]:
        """Connect `steps` to what is downstream of them; return what is then upstream."""
        for place in range(len(steps) - 1, -1, -1):
            step = steps[place]
            if isinstance(step, Fork):
                deliver, outs = self._fork(step, deliver, outs, lost)
            else:
                deliver, outs = self._step(step, deliver, outs, lost)
            if place:
                deliver = self._observed(steps[place - 1], step, deliver)
        return deliver, outs

    def _step(
        self, step: Step, deliver: Deliver, outs: Outs, lost: Callable[[Frame], None] | None
    ) -> tuple[Deliver, Outs]:
        voice = self.voices.get(id(step))
        if voice is not None:
            voice.deliver = deliver
        if isinstance(step.processor, Source):
            if voice is not None:
                deliver = hearing(deliver, self.runtime, ends_audio=False)
            self.intake.deliver, self.intake.outs = deliver, outs
            return deliver, outs
        onward = deliver if voice is None else voice.emit
        if step.fused:
            entry = fuse(step, onward, self.runtime)
            if voice is not None:
                entry = _one_reply(entry, voice)
        else:
            worker = self.workers[id(step)]
            worker.deliver, worker.outs, worker.inbox.on_drop = onward, outs, lost
            entry, outs = worker.inbox.put, (worker.inbox,)
        if voice is not None:
            entry = hearing(entry, self.runtime, ends_audio=not step.processor.signature.takes(AudioRaw))
        return entry, outs

    def _fork(
        self, fork: Fork, deliver: Deliver, outs: Outs, lost: Callable[[Frame], None] | None
    ) -> tuple[Deliver, Outs]:
        junction = self.junctions.get(id(fork))
        if junction is None:
            speech = all(step.speech for branch in fork.branches for step in branch if isinstance(step, Step))
            junction = self.junctions[id(fork)] = Junction(fork, speech)
        junction.deliver, junction.lost_upstream, junction.entries = deliver, lost, []
        entering: list[Link] = []
        for place, branch in enumerate(fork.branches):
            end = junction.merge(place)
            if fork.ends_caller_audio(place):
                end = _without_audio(end)
            entry, links = self._row(branch, end, outs, junction.lost(place))
            junction.entries.append(entry)
            entering += [link for link in links if link not in entering]
        return junction.split, tuple(entering)

    def _observed(self, upstream: Step | Fork, downstream: Step | Fork, deliver: Deliver) -> Deliver:
        observers = self.runtime.observers
        if not observers:
            return deliver
        source, target = last_of(upstream), first_of(downstream)

        def observe(frame: Frame) -> None:
            for callback in observers:
                callback(source, target, frame)
            deliver(frame)

        return observe


def hearing(deliver: Deliver, runtime: Runtime, *, ends_audio: bool) -> Deliver:
    """Stands before the speaker: here what the caller did has arrived, and the caller's audio ends."""
    told = _Told()

    def hear(frame: Frame) -> None:
        if told[type(frame)]:
            runtime.hear(frame)
        elif ends_audio and type(frame) is AudioRaw:
            return
        deliver(frame)

    return hear


class _Told(dict[type[Frame], bool]):
    """Whether the runtime is told of a type of frame."""

    def __missing__(self, frame: type[Frame]) -> bool:
        told = self[frame] = issubclass(frame, (Transcript, DTMF, SpeechStarted, SpeechStopped))
        return told


def _one_reply(stage: Deliver, voice: Voice) -> Deliver:
    """A stage that speaks: what comes of one frame is one reply."""

    def speak(frame: Frame) -> None:
        stage(frame)
        voice.work_ended()

    return speak


def _without_audio(deliver: Deliver) -> Deliver:
    def listen_only(frame: Frame) -> None:
        if type(frame) is not AudioRaw:
            deliver(frame)

    return listen_only


def first_of(step: Step | Fork) -> Processor:
    return step.processor if isinstance(step, Step) else first_of(step.branches[0][0])


def last_of(step: Step | Fork) -> Processor:
    return step.processor if isinstance(step, Step) else last_of(step.branches[-1][-1])
