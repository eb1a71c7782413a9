"""Linking: checks that processors fit together and inserts the codec stages between them.

`link` follows what flows through a pipeline - frame types, audio formats, and whether it is still the
caller who is heard or already the agent who speaks - and returns the plan that the runtime runs and
`voiceflow graph` draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from voiceflow.processors.codec import Convert

from .audio import ANY, CANONICAL, AudioFormat
from .errors import LinkError
from .frames import AudioRaw, Frame
from .pipeline import Parallel, Pipeline
from .processor import Processor
from .transport import Sink, Source


class Step(msgspec.Struct, frozen=True, eq=False):
    """A processor in its place."""

    processor: Processor
    speech: bool
    """Whether it is on the speech side: the speaker, or below it."""
    speaker: bool = False
    inserted: bool = False
    """Whether linking put it here."""
    formats: tuple[AudioFormat, ...] = ()
    """The formats of the audio that arrives here."""

    @property
    def fused(self) -> bool:
        """Whether it runs inside its upstream neighbour's task."""
        return not (isinstance(self.processor, Source) or self.processor.signature.kind.is_async)


class Fork(msgspec.Struct, frozen=True, eq=False):
    """Branches beside each other."""

    branches: tuple[tuple[Step | Fork, ...], ...]


class Plan(msgspec.Struct, frozen=True, eq=False):
    """A linked pipeline."""

    steps: tuple[Step | Fork, ...]

    def walk(self) -> Iterator[Step]:
        """Every step, upstream before downstream."""
        yield from walk(self.steps)

    @property
    def speaker(self) -> Processor:
        """Where agent speech originates: with several beside each other the first."""
        return next(step.processor for step in self.walk() if step.speaker)

    @property
    def tasks(self) -> int:
        """How many tasks run this plan, the call's own aside."""
        return sum(not step.fused for step in self.walk())


def walk(steps: Sequence[Step | Fork]) -> Iterator[Step]:
    """Every step in `steps` and in the forks among them."""
    for step in steps:
        if isinstance(step, Step):
            yield step
        else:
            for branch in step.branches:
                yield from walk(branch)


class _Flow(msgspec.Struct):
    """What flows at one place. Values name the processor that it comes from."""

    types: dict[type[Frame], str] = {}
    formats: dict[AudioFormat, str] = {}
    unconsumed: dict[type[Frame], str] = {}
    """Speech that no processor has consumed yet."""
    speaking: bool = False

    def copy(self) -> _Flow:
        return _Flow(dict(self.types), dict(self.formats), dict(self.unconsumed), self.speaking)

    def end_caller_audio(self) -> None:
        self.types = {t: name for t, name in self.types.items() if not issubclass(t, AudioRaw)}
        self.formats = {}


def link(pipeline: Processor) -> Plan:
    """Check and complete `pipeline`. Raises `LinkError`, or `TypeError` for a wrong annotation."""
    elements = Pipeline(pipeline).elements
    everyone = list(_flatten(elements))
    _check_ends(elements, everyone)
    _check_instances(everyone)
    has_speaker = any(p.is_speaker for p in everyone[1:-1])
    linker = _Linker(everyone)
    flow = _Flow()
    steps = linker.row(elements[:-1], flow, elements[-1:])
    if not has_speaker:
        steps[0] = msgspec.structs.replace(steps[0], speaker=True) if isinstance(steps[0], Step) else steps[0]
        steps = [_on_speech_side(step) for step in steps]
        flow.speaking = True
    steps += linker.one(elements[-1], flow)
    if flow.unconsumed:
        frame, name = next(iter(flow.unconsumed.items()))
        advice = "add a TTS before call.sink" if frame.__name__ == "LLMText" else "add a processor that consumes it"
        raise LinkError(f"{name} yields {frame.__name__}, which nothing between it and call.sink consumes: {advice}")
    return Plan(tuple(steps))


def _flatten(elements: Sequence[Processor]) -> Iterator[Processor]:
    for element in elements:
        if isinstance(element, Parallel):
            for branch in element.branches:
                yield from _flatten(branch.elements)
        else:
            yield element


def _check_ends(elements: Sequence[Processor], everyone: Sequence[Processor]) -> None:
    if not elements:
        raise LinkError("this pipeline is empty: write `call.source | ... | call.sink`")
    first, last = elements[0], elements[-1]
    if not isinstance(first, Source):
        raise LinkError(f"a pipeline begins with call.source, not with {first.name}: write `call.source | ...`")
    for kind, end in ((Source, "call.source"), (Sink, "call.sink")):
        found = [p for p in everyone if isinstance(p, kind)]
        if len(found) > 1:
            names = " and ".join(p.name for p in found)
            raise LinkError(f"a pipeline has one {end}, this one has {len(found)}: {names}. Keep one")
    if not isinstance(last, Sink):
        raise LinkError(f"a pipeline ends with call.sink, not with {last.name}: write `... | call.sink`")
    if last.accepts is ANY:
        raise LinkError(f"{last.name} does not say which audio it sends: set its `accepts` to a format")


def _check_instances(everyone: Sequence[Processor]) -> None:
    seen: dict[int, int] = {}
    for place, processor in enumerate(everyone):
        if id(processor) in seen:
            raise LinkError(
                f"one {processor.name} instance stands in two places of the pipeline (position "
                f"{seen[id(processor)] + 1} and {place + 1}): make a new {processor.name}() for each"
            )
        seen[id(processor)] = place
        other = getattr(processor, "call", None)
        if other is not None and not isinstance(processor, Source | Sink):
            raise LinkError(
                f"this {processor.name} instance already works for call {other.id}: make it inside pipeline(call), "
                f"so that every call gets its own"
            )


def _on_speech_side(step: Step | Fork) -> Step | Fork:
    if isinstance(step, Step):
        return msgspec.structs.replace(step, speech=True)
    return Fork(tuple(tuple(_on_speech_side(s) for s in branch) for branch in step.branches))


class _Linker:
    """Walks a pipeline downstream, keeping a `_Flow`."""

    def __init__(self, everyone: Sequence[Processor]) -> None:
        self.everyone = everyone

    def row(self, elements: Sequence[Processor], flow: _Flow, after: Sequence[Processor]) -> list[Step | Fork]:
        """Link `elements`; `after` is what follows them."""
        steps: list[Step | Fork] = []
        for place, element in enumerate(elements):
            if isinstance(element, Parallel):
                steps.append(self.fork(element, flow, [*elements[place + 1 :], *after]))
            else:
                steps += self.one(element, flow)
        return steps

    def one(self, processor: Processor, flow: _Flow) -> list[Step | Fork]:
        self._check_consumes(processor, flow)
        steps: list[Step | Fork] = []
        if processor.signature.takes(AudioRaw) and flow.formats:
            steps += _conversion(processor.accepts, flow)
        speaker = processor.is_speaker and not flow.speaking
        if speaker:
            flow.speaking = True
            if not processor.signature.takes(AudioRaw):
                flow.end_caller_audio()
        steps.append(Step(processor, flow.speaking, speaker, formats=tuple(flow.formats)))
        _pass(processor, flow)
        return steps

    def fork(self, parallel: Parallel, flow: _Flow, after: Sequence[Processor]) -> Fork:
        flows = [flow.copy() for _ in parallel.branches]
        branches = [self.row(b.elements, f, after) for b, f in zip(parallel.branches, flows, strict=True)]
        speaking = any(f.speaking for f in flows)
        for branch_flow in flows:
            if speaking and not branch_flow.speaking:
                branch_flow.end_caller_audio()  # the other branch speaks: see runtime's gate at its end
        formats = {f for branch_flow in flows for f in branch_flow.formats}
        if len(formats) > 1:
            target = _next_format(after)
            for branch, branch_flow in zip(branches, flows, strict=True):
                branch += _conversion(target, branch_flow)
        flow.types = {t: name for f in flows for t, name in f.types.items()}
        flow.formats = {form: name for f in flows for form, name in f.formats.items()}
        flow.unconsumed = {
            t: name
            for f in flows
            for t, name in f.unconsumed.items()
            if t not in flow.unconsumed or all(t in other.unconsumed for other in flows)
        }
        flow.speaking = speaking
        return Fork(tuple(tuple(branch) for branch in branches))

    def _check_consumes(self, processor: Processor, flow: _Flow) -> None:
        signature = processor.signature
        if isinstance(processor, Source | Sink) or Frame in signature.consumes or Frame in flow.types:
            return
        if any(issubclass(t, c) or issubclass(c, t) for t in flow.types for c in signature.consumes):
            return
        wanted = " or ".join(c.__name__ for c in signature.consumes)
        elsewhere = next(
            (
                p
                for p in self.everyone
                if p is not processor and any(p.signature.may_yield(c) for c in signature.consumes)
            ),
            None,
        )
        if elsewhere is not None and not _before(elsewhere, processor, self.everyone):
            advice = f"{elsewhere.name}, which yields it, stands after it: put {elsewhere.name} before {processor.name}"
        elif elsewhere is not None:
            advice = f"{elsewhere.name} yields it, but it does not get here"
        else:
            advice = f"put a processor that yields {wanted} before {processor.name}"
        raise LinkError(f"{processor.name} consumes {wanted}, but nothing before it yields that: {advice}")


def _before(a: Processor, b: Processor, everyone: Sequence[Processor]) -> bool:
    order = [id(p) for p in everyone]
    return order.index(id(a)) < order.index(id(b))


def _conversion(target: AudioFormat, flow: _Flow) -> list[Step | Fork]:
    """The stage that brings all audio here to `target`; none if it is that already, or if any will do."""
    if target is ANY or not flow.formats or list(flow.formats) == [target]:
        return []
    stage = Convert(target)
    for source in flow.formats:
        stage.expect(source)  # what cannot be converted shows now, not at the first frame
    step = Step(stage, flow.speaking, inserted=True, formats=tuple(flow.formats))
    flow.formats = {target: stage.name}
    return [step]


def _next_format(after: Sequence[Processor]) -> AudioFormat:
    """The format that the next consumer of audio asks for, `CANONICAL` if it takes any."""
    for processor in after:
        if isinstance(processor, Parallel):
            break
        if isinstance(processor, Sink) or processor.signature.takes(AudioRaw):
            return CANONICAL if processor.accepts is ANY else processor.accepts
    return CANONICAL


def _pass(processor: Processor, flow: _Flow) -> None:
    """Change `flow` to what flows after `processor`."""
    signature = processor.signature
    arriving = flow.formats
    flow.types = {t: name for t, name in flow.types.items() if not signature.takes(t)}
    flow.types |= dict.fromkeys(signature.yields, processor.name)
    flow.unconsumed = {t: name for t, name in flow.unconsumed.items() if not signature.takes(t)}
    flow.unconsumed |= {t: processor.name for t in signature.yields if t.speech}
    if signature.takes(AudioRaw):
        flow.formats = {}
    if signature.may_yield(AudioRaw):
        produced = processor.produces
        if produced is not ANY:
            flow.formats = {**flow.formats, produced: processor.name}
        elif arriving:
            flow.formats = dict.fromkeys(arriving, processor.name)
        elif AudioRaw in signature.yields:
            raise LinkError(
                f"{processor.name} yields audio in the format it gets, but no audio gets there: "
                f"set `produces` to a format such as CANONICAL"
            )
