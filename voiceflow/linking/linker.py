"""Linking: checks that processors fit together and inserts the codec stages between them.

It walks a pipeline downstream and keeps a `Flow`: which frame types there are at this place, in which audio
formats, and whether this is the listening side or already the speech side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, NoReturn, Self, TypeAlias

import msgspec

from voiceflow.audio import ANY, CANONICAL, AudioFormat
from voiceflow.errors import LinkError
from voiceflow.frames import AudioRaw, Control, Frame, LLMText, SpeechStarted, Transcript
from voiceflow.pipeline import Element, Parallel, Pipeline
from voiceflow.processor import Processor
from voiceflow.processors.codec import Convert
from voiceflow.transport import Sink, Source

from .plan import Fork, Plan, Step, walk


class Branches(NamedTuple):
    """A `Parallel`, with every branch taken apart."""

    rows: tuple[Row, ...]


Row: TypeAlias = Sequence[Processor | Branches]
"""Processors one after the other; an element that has several parts is replaced by them."""


def link(pipeline: Element) -> Plan:
    """Check and complete `pipeline`. Raises `LinkError`, and `TypeError` for a wrong annotation."""
    written: dict[int, str] = {}
    elements = _row(Pipeline(pipeline), written)
    everyone = list(_flatten(elements))
    _check_ends(elements, everyone)
    _check_instances(everyone)
    # Without a speaker of its own a pipeline is an echo: the source speaks.
    flow = Flow(speaking=not any(processor.is_speaker for processor in everyone))
    steps = _Linker(everyone, written).row(elements, flow, after=())
    for frame, name in flow.unheard.items():
        advice = "a TTS" if issubclass(frame, LLMText) else f"a processor that consumes {frame.__name__}"
        raise LinkError(
            f"{name} yields {frame.__name__}, which nothing between it and call.sink consumes: put {advice} there"
        )
    return Plan(tuple(steps))


class Flow(msgspec.Struct):
    """The frames at one place of a pipeline. The values of the dictionaries name the processor that they come from."""

    types: dict[type[Frame], str] = {}
    formats: dict[AudioFormat, str] = {}
    unheard: dict[type[Frame], str] = {}
    """Speech that no processor has consumed yet."""
    speaking: bool = False
    """Whether this is the speech side."""

    def copy(self) -> Self:
        return type(self)(dict(self.types), dict(self.formats), dict(self.unheard), self.speaking)

    def may_hold(self, wanted: tuple[type[Frame], ...]) -> bool:
        """Whether frames of any of the `wanted` types may come here."""
        if Frame in wanted or Frame in self.types:
            return True
        return any(issubclass(t, c) or issubclass(c, t) for t in self.types for c in wanted)

    def end_caller_audio(self) -> None:
        self.types = {t: name for t, name in self.types.items() if not issubclass(t, AudioRaw)}
        self.formats = {}

    def convert(self, target: AudioFormat) -> list[Step | Fork]:
        """Return the stage that converts all audio here to `target`; none if that is its format already, or `ANY`."""
        if target is ANY or not self.formats or list(self.formats) == [target]:
            return []
        stage = Convert(target)
        for source in self.formats:
            stage.expect(source)  # a format that cannot be converted raises now, not at the first frame
        step = Step(stage, self.speaking, inserted=True, formats=tuple(self.formats))
        self.formats = {target: stage.name}
        return [step]

    def go_through(self, processor: Processor) -> None:
        """Change to what flows after `processor`."""
        signature, name = processor.signature, processor.name
        self.types = {t: by for t, by in self.types.items() if not signature.takes(t)}
        self.types |= {t: name for t in signature.yields if not issubclass(t, Control)}
        self.unheard = {t: by for t, by in self.unheard.items() if not signature.takes(t)}
        self.unheard |= {t: name for t in signature.yields if t.speech}
        arriving = self.formats
        if signature.takes(AudioRaw):
            self.formats = {}
        if signature.may_yield(AudioRaw):
            produced = arriving if processor.produces is ANY else [processor.produces]
            if not produced and AudioRaw in signature.yields:
                raise LinkError(
                    f"{name} yields audio in the format it gets, but no audio gets there: "
                    f"set its `produces` to a format such as CANONICAL"
                )
            self.formats = {**self.formats, **dict.fromkeys(produced, name)}

    def join(self, branches: list[Flow]) -> None:
        """Change to what flows after a fork into `branches`."""
        still = {t for t in self.unheard if all(t in branch.unheard for branch in branches)}
        new = {t: name for b in branches for t, name in b.unheard.items() if t not in self.unheard}
        self.unheard = {t: name for t, name in self.unheard.items() if t in still} | new
        self.types = {t: name for branch in branches for t, name in branch.types.items()}
        self.formats = {form: name for branch in branches for form, name in branch.formats.items()}
        self.speaking = any(branch.speaking for branch in branches)


class _Linker:
    def __init__(self, everyone: Sequence[Processor], written: dict[int, str]) -> None:
        self._everyone = everyone
        self._written = written  # by the processor's id, the name of the element in the user's pipeline

    def row(self, elements: Row, flow: Flow, after: Row) -> list[Step | Fork]:
        """Link `elements`; `after` is what follows them."""
        steps: list[Step | Fork] = []
        for index, element in enumerate(elements):
            if isinstance(element, Branches):
                steps.append(self._fork(element, flow, [*elements[index + 1 :], *after]))
            else:
                steps += self._one(element, flow)
        return steps

    def _one(self, processor: Processor, flow: Flow) -> list[Step | Fork]:
        signature = processor.signature
        if not isinstance(processor, Source | Sink):
            self._check_needs(processor, flow)
            self._check_consumes(processor, flow)
        steps = flow.convert(processor.accepts) if signature.takes(AudioRaw) else []
        speaker = flow.speaking if isinstance(processor, Source) else processor.is_speaker and not flow.speaking
        if speaker and not isinstance(processor, Source):
            flow.speaking = True
            if processor.speaks:
                flow.types[LLMText] = processor.name  # what call.say says leaves here
            if not signature.takes(AudioRaw):
                flow.end_caller_audio()
        steps.append(Step(processor, flow.speaking, speaker, formats=tuple(flow.formats)))
        flow.go_through(processor)
        return steps

    def _fork(self, parallel: Branches, flow: Flow, after: Row) -> Fork:
        speech = flow.speaking
        flows = [flow.copy() for _ in parallel.rows]
        branches = [self.row(row, f, after) for row, f in zip(parallel.rows, flows, strict=True)]
        if not speech:
            _check_one_voice(branches, flows)
        fork = Fork(tuple(map(tuple, branches)), speech)
        for index, branch_flow in enumerate(flows):
            if fork.ends_caller_audio(index):
                branch_flow.end_caller_audio()
        if len({form for branch_flow in flows for form in branch_flow.formats}) > 1:
            target = _next_format(after)
            for branch, branch_flow in zip(branches, flows, strict=True):
                branch += branch_flow.convert(target)
            fork = Fork(tuple(map(tuple, branches)), speech)
        flow.join(flows)
        return fork

    def _check_consumes(self, processor: Processor, flow: Flow) -> None:
        wanted = processor.signature.consumes
        if not flow.may_hold(wanted):
            self._refuse(processor, "consumes", wanted)

    def _check_needs(self, processor: Processor, flow: Flow) -> None:
        """Refuse `processor` if nothing yields the type that it `needs`: it would do nothing without it."""
        needed = processor.needs
        if needed is not None and not flow.may_hold((needed,)):
            self._refuse(processor, "needs", (needed,))

    def _refuse(self, processor: Processor, verb: str, wanted: tuple[type[Frame], ...]) -> NoReturn:
        name, names = self._written[id(processor)], " or ".join(c.__name__ for c in wanted)
        others = [p for p in self._everyone if p is not processor and any(map(p.signature.may_yield, wanted))]
        others = [p for p in others if self._written[id(p)] != name]
        place = self._everyone.index(processor)
        if not others and LLMText in wanted:
            raise LinkError(f"nothing here answers: put an LLM or a Dialog before {name}, which speaks LLMText")
        if not others:
            source = "a VAD" if wanted == (SpeechStarted,) else f"a processor that yields {names}"
            advice = f"put {source} before {name}"
        elif self._everyone.index(others[0]) < place:
            advice = f"{self._written[id(others[0])]} yields it, but it does not get here"
        else:
            after = self._written[id(others[0])]
            advice = f"{after}, which yields it, stands after it: put {after} before {name}"
        raise LinkError(f"{name} {verb} {names}, but nothing before it yields that: {advice}")


def _check_one_voice(branches: Sequence[Sequence[Step | Fork]], flows: Sequence[Flow]) -> None:
    """Refuse speakers beside each other that answer the same turns with one voice: their words would mix."""
    talking = []
    for steps, flow in zip(branches, flows, strict=True):
        speakers = [step.processor for step in walk(steps) if step.speaker]
        if LLMText in flow.unheard:
            talking += [p.name for p in speakers if p.signature.takes(Transcript)]
    if len(talking) > 1:
        raise LinkError(
            f"{' and '.join(talking)} stand beside each other and answer the same turns, and one voice after them "
            f"would speak both answers into each other: give each branch a voice of its own, or keep one of them"
        )


def _next_format(after: Row) -> AudioFormat:
    """The format that the next consumer of audio asks for, `CANONICAL` if it takes any or there is none."""
    for processor in after:
        if isinstance(processor, Branches):
            break
        if processor.signature.takes(AudioRaw):
            return CANONICAL if processor.accepts is ANY else processor.accepts
    return CANONICAL


def _row(element: Pipeline, written: dict[int, str]) -> Row:
    """Take a pipeline apart into processors and branches, and note which element the user wrote for each."""
    row: list[Processor | Branches] = []
    for whole in element.elements:
        for part in Pipeline(whole).parts():
            if isinstance(part, Parallel):
                row.append(Branches(tuple(_row(branch, written) for branch in part.branches)))
            elif isinstance(part, Processor):
                written[id(part)] = whole.name
                row.append(part)
            else:
                raise LinkError(f"{part!r} is no processor: derive {part.name} from Processor, or give it `parts`")
    return row


def _flatten(row: Row) -> Iterator[Processor]:
    for element in row:
        if isinstance(element, Branches):
            for inner in element.rows:
                yield from _flatten(inner)
        else:
            yield element


def _check_ends(elements: Row, everyone: Sequence[Processor]) -> None:
    if not elements:
        raise LinkError("this pipeline is empty: write `call.source | ... | call.sink`")
    first, last = everyone[0], everyone[-1]
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
    for place, processor in enumerate(everyone):
        before = next(i for i, other in enumerate(everyone) if other is processor)
        if before != place:
            raise LinkError(
                f"one {processor.name} instance stands in two places of the pipeline (positions {before + 1} and "
                f"{place + 1}): make a new {processor.name}() for each"
            )
        call = getattr(processor, "call", None)
        if call is not None and not isinstance(processor, Source | Sink):
            raise LinkError(
                f"this {processor.name} instance already works for call {call.id}: make it inside "
                f"pipeline(call), so that every call gets its own"
            )
