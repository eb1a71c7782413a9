"""Linking, over random chains: formats meet at every boundary, and nothing is inserted where they already do."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from doubles import Ear, Script
from hypothesis import given
from hypothesis import strategies as st

from voiceflow import ANY, AudioFormat, AudioRaw, Call, Parallel, Pipeline, Processor
from voiceflow.linking.linker import link
from voiceflow.linking.plan import Fork, Plan, Step
from voiceflow.processors.codec import Convert

FORMATS = [
    AudioFormat("pcm16", 16_000),
    AudioFormat("pcm16", 8_000),
    AudioFormat("mulaw", 8_000),
    AudioFormat("pcm16", 48_000, 2),
    AudioFormat("g722", 16_000),
]


class Effect(Processor):
    def __init__(self, accepts: AudioFormat, produces: AudioFormat) -> None:
        self.accepts, self.produces = accepts, produces

    def process(self, frame: AudioRaw) -> AudioRaw:
        return frame


class AsyncEffect(Effect):
    async def process(self, frame: AudioRaw) -> AudioRaw:
        return frame


formats = st.sampled_from(FORMATS)
effects = st.builds(
    lambda kind, accepts, produces: kind(accepts, produces),
    st.sampled_from([Effect, AsyncEffect]),
    formats | st.just(ANY),
    formats | st.just(ANY),
)
rows = st.lists(effects, max_size=5)
forks = st.lists(st.lists(effects, min_size=1, max_size=3), min_size=1, max_size=3).map(
    lambda branches: Parallel(*(Pipeline(*branch) for branch in branches))
)
chains = st.lists(effects | forks, max_size=5)


def build(source: AudioFormat, elements: Sequence[Processor], sink: AudioFormat) -> Plan:
    call = Call(Script(format=source), Ear(sink), transport="test")
    return link(Pipeline(call.source, *elements, call.sink))


def leaving(step: Step | Fork, arriving: set[AudioFormat]) -> set[AudioFormat]:
    """The formats after `step`; fails where a processor is given what it does not accept."""
    if isinstance(step, Fork):
        out: set[AudioFormat] = set()
        for branch in step.branches:
            current = arriving
            for inner in branch:
                current = leaving(inner, current)
            out |= current
        return out
    processor = step.processor
    if not processor.signature.takes(AudioRaw):
        return arriving | ({processor.produces} if processor.signature.may_yield(AudioRaw) else set())
    if processor.accepts is not ANY:
        assert arriving <= {processor.accepts}, f"{processor} is given {arriving}"
    return arriving if processor.produces is ANY else {processor.produces}


@given(formats, chains, formats)
def test_every_processor_is_given_the_format_it_accepts(
    source: AudioFormat, chain: list[Processor], sink: AudioFormat
) -> None:
    current: set[AudioFormat] = set()
    for step in build(source, chain, sink).steps:
        current = leaving(step, current)


@given(formats, rows, formats)
def test_a_codec_stage_stands_only_directly_before_a_consumer_that_needs_it(
    source: AudioFormat, row: list[Processor], sink: AudioFormat
) -> None:
    steps = list(build(source, row, sink).walk())
    for step, consumer in itertools.pairwise(steps):
        if step.inserted:
            assert isinstance(step.processor, Convert)
            assert not consumer.inserted
            assert step.processor.produces is consumer.processor.accepts
            assert set(step.formats) != {step.processor.produces}, "a conversion of equal formats"
    assert not steps[-1].inserted


@given(formats, st.lists(st.booleans(), max_size=5))
def test_equal_formats_insert_nothing(format: AudioFormat, anys: list[bool]) -> None:
    row = [Effect(ANY if transparent else format, ANY if transparent else format) for transparent in anys]
    assert not any(step.inserted for step in build(format, row, format).walk())


@given(formats, chains, formats)
def test_what_the_user_composed_stays_in_its_order(
    source: AudioFormat, chain: list[Processor], sink: AudioFormat
) -> None:
    composed = [
        processor
        for element in chain
        for branch in (element.branches if isinstance(element, Parallel) else [Pipeline(element)])
        for processor in branch.elements
    ]
    linked = [step.processor for step in build(source, chain, sink).walk() if not step.inserted]
    assert linked[1:-1] == composed
