"""From a plan to running parts: workers for asynchronous processors, closures for stages, links between.

Wired from the sink up, so that each part is given the one function that takes its frames downstream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from voiceflow.frames import DTMF, AudioRaw, End, Frame, SpeechStarted, SpeechStopped, Transcript
from voiceflow.linking.plan import Fork, Step, walk
from voiceflow.transport import Source
from voiceflow.turns.replies import Voice

from .dispatch import CONTROL, SPEECH, Outlet
from .fork import Junction
from .intake import Intake
from .link import Link
from .stage import Deliver, fuse
from .worker import Worker

if TYPE_CHECKING:
    from .runtime import Runtime


class Downstream(NamedTuple):
    """What stands downstream of a place."""

    deliver: Deliver
    """Takes a frame there."""
    outs: tuple[Link, ...]
    """The links that it may end up in."""
    first: Step
    """The step that it comes to first."""
    lost: Callable[[Frame], None] | None = None
    """Told of a frame that had to be dropped on the way to the end of this branch."""


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
                self.voices[id(step)] = Voice(step.processor, runtime)
            if isinstance(step.processor, Source):
                self.intake = Intake(step.processor, runtime)
            elif not step.fused:
                self.workers[id(step)] = Worker(step, runtime, self.voices.get(id(step)))

    def connect(self) -> None:
        *steps, sink = self.runtime.plan.steps
        assert isinstance(sink, Step)
        deliver = as_linked(sink, self.runtime.playout.put, self.runtime)
        if self.runtime.plan.is_echo:
            deliver = hearing(deliver, self.runtime, ends_audio=False)
        if isinstance(steps[-1], Step):
            deliver = self._observed(steps[-1], sink, deliver)
        self._row(steps, Downstream(deliver, (self.runtime.playout,), sink), None)

    def _row(self, steps: Sequence[Step | Fork], downstream: Downstream, upstream: Step | Fork | None) -> Downstream:
        """Connect `steps`, which stand behind `upstream`, to what is downstream of them."""
        for place in range(len(steps) - 1, -1, -1):
            step = steps[place]
            before = steps[place - 1] if place else upstream
            if isinstance(step, Fork):
                downstream = self._fork(step, downstream, before)
            else:
                downstream = self._step(step, downstream)
                if isinstance(before, Step):
                    observed = self._observed(before, step, downstream.deliver)
                    downstream = downstream._replace(deliver=observed)
        return downstream

    def _step(self, step: Step, downstream: Downstream) -> Downstream:
        deliver, outs, _, lost = downstream
        voice = self.voices.get(id(step))
        if voice is not None:
            voice.deliver = deliver
        if isinstance(step.processor, Source):
            self.intake.deliver, self.intake.outs = deliver, outs
            return downstream
        onward = deliver if voice is None else voice.emit
        step.processor._emit = emitting(step, onward, self.runtime)
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
        return Downstream(entry, outs, step, lost)

    def _fork(self, fork: Fork, downstream: Downstream, upstream: Step | Fork | None) -> Downstream:
        junction = self.junctions.get(id(fork))
        if junction is None:
            junction = self.junctions[id(fork)] = Junction(fork)
        junction.deliver, junction.lost_upstream, junction.entries = downstream.deliver, downstream.lost, []
        entering: list[Link] = []
        for place, branch in enumerate(fork.branches):
            end = junction.merge(place)
            if fork.ends_caller_audio(place):
                end = _without_audio(end)
            last = branch[-1] if branch else upstream
            if isinstance(last, Step):
                end = self._observed(last, downstream.first, end)
            entry = self._row(
                branch, Downstream(end, downstream.outs, downstream.first, junction.lost(place)), upstream
            )
            junction.entries.append(entry.deliver)
            entering += [link for link in entry.outs if link not in entering]
        return Downstream(junction.split, tuple(entering), next(walk([fork]), downstream.first), downstream.lost)

    def _observed(self, upstream: Step, downstream: Step, deliver: Deliver) -> Deliver:
        observers = self.runtime.observers
        if not observers:
            return deliver

        def observe(frame: Frame) -> None:
            for callback in observers:
                callback(upstream.processor, downstream.processor, frame)
            deliver(frame)

        return observe


def as_linked(step: Step, deliver: Deliver, runtime: Runtime) -> Deliver:
    """Lets audio through in the format that the sink accepts; stages and workers see to that themselves."""
    accepts = step.processor.accepts

    def check(frame: Frame) -> None:
        if type(frame) is AudioRaw and frame.format is not accepts:
            converted = runtime.adapt(step, frame)
            if converted is not None:
                deliver(converted)
        else:
            deliver(frame)

    return check


def emitting(step: Step, deliver: Deliver, runtime: Runtime) -> Deliver:
    """Takes what a processor yields between frames."""
    outlet = Outlet(step.processor)

    def emit(frame: Frame) -> None:
        kind = outlet[type(frame)]
        if kind == SPEECH:
            raise TypeError(
                f"{step.processor.name} emitted {type(frame).__name__}: speech is yielded, or said by call.say"
            )
        if runtime.tasks.stopping:
            return
        if kind == CONTROL:
            runtime.control(frame)
        else:
            deliver(frame)

    return emit


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
        told = self[frame] = issubclass(frame, (Transcript, DTMF, SpeechStarted, SpeechStopped, End))
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
