"""Makes the running parts of a plan: workers for asynchronous processors, closures for stages, links between them.

Parts are connected from the sink up, so that each is given the one function that takes its frames downstream. When an
observer is added or removed, the parts are kept and the connections made anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from voiceflow.frameflow.epoch import Deliver
from voiceflow.frameflow.link import Link
from voiceflow.frames import DTMF, AudioRaw, End, Frame, SpeechStarted, SpeechStopped, Transcript
from voiceflow.linking.plan import Fork, Plan, Step, walk
from voiceflow.pipeline import Element
from voiceflow.playout.playout import Playout
from voiceflow.session.subscribers import Subscribers
from voiceflow.transport import Source
from voiceflow.turns.replies import Replies
from voiceflow.turns.turn_taking import TurnTaking

from .fork import Junction
from .graph import Graph
from .node import ProcessorNode
from .stage import fuse
from .worker import Worker


class Downstream(NamedTuple):
    """The way downstream from a step."""

    deliver: Deliver
    """Takes a frame downstream."""
    outs: tuple[Link, ...]
    """The links in which that frame may end up."""
    first: Step
    """The first step that the frame comes to."""
    lost: Callable[[Frame], None] | None = None
    """Called with each frame that a link drops before the end of this branch, if this is a branch."""


class Parts(NamedTuple):
    """The functions that make the parts of one call."""

    node: Callable[[Step], ProcessorNode]
    worker: Callable[[ProcessorNode], Worker]
    junction: Callable[[Fork], Junction]


class Wiring:
    """Makes the parts of one call and connects them."""

    def __init__(
        self,
        plan: Plan,
        parts: Parts,
        graph: Graph,
        turns: TurnTaking,
        playout: Playout,
        interrupt: Callable[[], None],
        observers: Subscribers[[Element, Element, Frame]],
    ) -> None:
        self._plan = plan
        self._graph = graph
        self._turns = turns
        self._playout = playout
        self._interrupt = interrupt
        self._observers = observers
        self._make(parts)
        observers.changed = self.connect
        self.connect()

    def _make(self, parts: Parts) -> None:
        plan, graph = self._plan, self._graph
        for step in plan.walk():
            node = parts.node(step)
            graph.nodes.append(node)
            if node.replies is not None:
                self._turns.speakers.append(node.replies)
            if not isinstance(step.processor, Source):
                step.processor._emit = node.emit
            if not (step.fused or isinstance(step.processor, Source)):
                worker = parts.worker(node)
                graph.workers.append(worker)
                worker.inbox.carries_caller = not step.speech or step.speaker or plan.is_echo
                if step.processor.overlap and not step.speech:
                    worker.on_work = self._turns.dead_air.hear
        graph.junctions += map(parts.junction, forks(plan.steps))

    def connect(self) -> None:
        graph = self._graph
        self._nodes = {id(node.step): node for node in graph.nodes}
        self._workers = {id(worker.node.step): worker for worker in graph.workers}
        self._junctions = {id(junction.fork): junction for junction in graph.junctions}
        *steps, sink = self._plan.steps
        assert isinstance(sink, Step)
        deliver = as_linked(self._nodes[id(sink)], self._playout.put)
        if self._plan.is_echo:
            deliver = self._hearing(deliver, ends_audio=False)
        if isinstance(steps[-1], Step):
            deliver = self._observed(steps[-1], sink, deliver)
        self._row(steps, Downstream(deliver, (self._playout.queue,), sink), None)
        del self._nodes, self._workers, self._junctions  # needed only while connecting

    def _row(self, steps: Sequence[Step | Fork], downstream: Downstream, upstream: Step | Fork | None) -> Downstream:
        """Connect `steps`, which follow `upstream`, to what is downstream of them."""
        for index in range(len(steps) - 1, -1, -1):
            step = steps[index]
            before = steps[index - 1] if index else upstream
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
        node = self._nodes[id(step)]
        replies = node.replies
        if replies is not None:
            replies.port.deliver = deliver
        if detects(step):
            deliver = self._detecting(deliver)
        if isinstance(step.processor, Source):
            self._graph.source_reader.deliver, self._graph.source_reader.outs = deliver, outs
            return downstream
        node.port.deliver = deliver if replies is None else replies.take
        if step.fused:
            entry = fuse(node)
            if replies is not None:
                entry = _one_reply(entry, replies)
        else:
            worker = self._workers[id(step)]
            worker.outs, worker.inbox.on_drop = outs, lost
            entry, outs = worker.inbox.put, (worker.inbox,)
        if replies is not None:
            entry = self._hearing(entry, ends_audio=not step.processor.signature.takes(AudioRaw))
        return Downstream(entry, outs, step, lost)

    def _fork(self, fork: Fork, downstream: Downstream, upstream: Step | Fork | None) -> Downstream:
        junction = self._junctions[id(fork)]
        junction.deliver, junction.lost_upstream, junction.entries = downstream.deliver, downstream.lost, []
        entering: list[Link] = []
        for index, branch in enumerate(fork.branches):
            end = junction.merge(index)
            if fork.ends_caller_audio(index):
                end = _without_audio(end)
            last = branch[-1] if branch else upstream
            if isinstance(last, Step):
                end = self._observed(last, downstream.first, end)
            entry = self._row(
                branch, Downstream(end, downstream.outs, downstream.first, junction.lost(index)), upstream
            )
            junction.entries.append(entry.deliver)
            entering += [link for link in entry.outs if link not in entering]
        return Downstream(junction.split, tuple(entering), next(walk([fork]), downstream.first), downstream.lost)

    def _observed(self, upstream: Step, downstream: Step, deliver: Deliver) -> Deliver:
        observers = self._observers
        if not observers:
            return deliver

        def observe(frame: Frame) -> None:
            observers(upstream.processor, downstream.processor, frame)
            deliver(frame)

        return observe

    def _detecting(self, deliver: Deliver) -> Deliver:
        """Wrap what follows a VAD: the caller has the floor at once, before the frame has come to the speaker."""
        detect = self._turns.floor.detect

        def detected(frame: Frame) -> None:
            if isinstance(frame, (SpeechStarted, SpeechStopped)):
                detect(frame)
            deliver(frame)

        return detected

    def _hearing(self, deliver: Deliver, *, ends_audio: bool) -> Deliver:
        """Wrap the entry of a speaker: what the caller did is reported here, and `ends_audio` stops their audio."""
        told, arrive, interrupt = _Told(), self._turns.hear, self._interrupt

        def hear(frame: Frame) -> None:
            if told[type(frame)]:
                if not arrive(frame, interrupt):
                    return
            elif ends_audio and type(frame) is AudioRaw:
                return
            deliver(frame)

        return hear


def detects(step: Step) -> bool:
    """Whether `step` itself detects when the caller speaks, as a VAD does, rather than takes it from another."""
    signature = step.processor.signature
    return not step.speech and signature.may_yield(SpeechStarted) and not signature.takes(SpeechStarted)


def forks(steps: Sequence[Step | Fork]) -> list[Fork]:
    """All forks among `steps`, and those within their branches."""
    found = []
    for step in steps:
        if isinstance(step, Fork):
            found += [step, *(inner for branch in step.branches for inner in forks(branch))]
    return found


def as_linked(node: ProcessorNode, deliver: Deliver) -> Deliver:
    """Convert audio that comes to the sink in another format than linked; stages and workers do that themselves."""
    accepts = node.processor.accepts

    def check(frame: Frame) -> None:
        if type(frame) is AudioRaw and frame.format is not accepts:
            converted = node.adapt(frame)
            if converted is not None:
                deliver(converted)
        else:
            deliver(frame)

    return check


class _Told(dict[type[Frame], bool]):
    """Maps a frame type to whether `TurnTaking.hear` is told of it."""

    def __missing__(self, frame: type[Frame]) -> bool:
        told = self[frame] = issubclass(frame, (Transcript, DTMF, SpeechStarted, SpeechStopped, End))
        return told


def _one_reply(stage: Deliver, replies: Replies) -> Deliver:
    """Wrap a stage that is a speaker: what it yields for one frame is one reply."""

    def speak(frame: Frame) -> None:
        stage(frame)
        replies.work_ended()

    return speak


def _without_audio(deliver: Deliver) -> Deliver:
    def listen_only(frame: Frame) -> None:
        if type(frame) is not AudioRaw:
            deliver(frame)

    return listen_only
