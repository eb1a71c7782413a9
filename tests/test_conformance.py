"""Rules for every shipped processor: it is like new after `reset`, loses nothing that it does not consume, and can end
at any time. A new processor needs an entry in tests/examples/, and no test of its own for these rules."""

import asyncio
import gc
import importlib
import inspect
import pkgutil
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from doubles import Ear, Script, make_call, timers, virtual
from examples import Example, every_example

import voiceflow.processors
from voiceflow import (
    ANY,
    CANONICAL,
    DTMF,
    AudioRaw,
    Call,
    Error,
    Frame,
    LLMEnd,
    LLMText,
    Mark,
    Parallel,
    Pipeline,
    Processor,
    Sink,
    Source,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.engine.running_call import RunningCall
from voiceflow.inference import loaded_models as models
from voiceflow.linking.linker import link
from voiceflow.processors.codec import Convert

EXAMPLES = every_example()


def shipped() -> list[type[Processor]]:
    """Every processor that voiceflow.processors has, in the order of their names."""
    found = set()
    for module in pkgutil.walk_packages(voiceflow.processors.__path__, "voiceflow.processors."):
        for thing in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(thing) and issubclass(thing, Processor) and hasattr(thing, "process"):
                found.add(thing)
    return sorted(found - {Processor, Pipeline, Parallel, Source, Sink}, key=lambda cls: cls.__qualname__)


def examples() -> Iterator[object]:
    for cls in shipped():
        for place, example in enumerate(EXAMPLES.get(cls, [])):
            yield pytest.param(example, id=f"{cls.__name__}-{place}")


with_every_example = pytest.mark.parametrize("example", list(examples()))


@pytest.mark.parametrize("cls", shipped(), ids=lambda cls: cls.__name__)
def test_every_shipped_processor_has_an_example(cls):
    assert EXAMPLES.get(cls), (
        f"{cls.__module__}.{cls.__name__} is shipped but has no entry in EXAMPLES (tests/examples/ROOM.py): add "
        f"`{cls.__name__}: [Example(lambda: {cls.__name__}(...), (frames that it consumes, ...))]`"
    )


def test_the_walk_finds_the_shipped_processors():
    assert Convert in shipped()


# --- driven by hand ---


async def results(out: object) -> list[Frame]:
    """The frames that `process` or `finish` has made, whichever form it has."""
    if inspect.isawaitable(out):
        out = await out
    if out is None:
        return []
    if isinstance(out, Frame):
        return [out]
    if hasattr(out, "__aiter__"):
        return [frame async for frame in out]
    assert hasattr(out, "__iter__")
    return list(out)


class Talk(Processor):
    def process(self, frame: Transcript) -> AudioRaw:
        return AudioRaw(bytes(640))


calls: list[RunningCall] = []
"""The calls for which a test opened processors."""


def running_call() -> Call:
    """A call in which no frame flows, but which answers processors like one that runs."""
    call = make_call()
    life = call.session = RunningCall(call, link(call.source | Talk() | call.sink))
    calls.append(life)
    return call


def drive(main: Coroutine[Any, Any, None]) -> None:
    """Run a test, and end what its calls have started."""

    failures: list[dict[str, Any]] = []

    async def whole() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, failure: failures.append(failure))
        await main
        for life in calls:
            life.close()
            await life.tasks.stop()
        calls.clear()

    virtual(whole())
    gc.collect(1)  # what a failed task was about is told when the task goes
    assert not failures, "a task of the processor's own has failed, and nothing asked for its result"


async def opened(example: Example) -> Processor:
    processor = example.make()
    await models.load([processor])
    call = running_call()
    for part in processor.parts():
        part.call = call
    await processor.open(call)
    return processor


async def fed(processor: Processor, frames: tuple[Frame, ...], *, finish: bool = True) -> list[Frame]:
    out = []
    for frame in frames:
        out += await results(processor.process(frame))
    if finish:
        out += await results(processor.finish())
    return out


@with_every_example
def test_the_example_feeds_it_what_it_consumes(example):
    signature = example.make().signature
    assert len(example.feed) > 1
    assert all(signature.takes(type(frame)) for frame in example.feed)


@with_every_example
def test_after_reset_it_is_like_new(example):
    async def main() -> None:
        fresh = await opened(example)
        expected = await fed(fresh, example.feed)
        await fresh.close()
        for used in range(len(example.feed) + 1):
            processor = await opened(example)
            await fed(processor, example.feed[:used], finish=False)
            processor.reset()
            assert await fed(processor, example.feed) == expected
            await processor.close()

    drive(main())


@with_every_example
def test_reset_may_come_at_any_time_and_again_and_again(example):
    async def main() -> None:
        processor = await opened(example)
        processor.reset()
        processor.reset()
        for frame in example.feed:
            await fed(processor, (frame,), finish=False)
            processor.reset()
        assert await fed(processor, ()) == await fed(await opened(example), ())

    drive(main())


@with_every_example
def test_finish_may_come_at_any_time(example):
    async def main() -> None:
        for used in range(len(example.feed) + 1):
            processor = await opened(example)
            out = await fed(processor, example.feed[:used])
            assert all(isinstance(frame, processor.signature.yields) for frame in out)
            await processor.close()

    drive(main())


@with_every_example
def test_finish_after_reset_has_nothing_left(example):
    async def main() -> None:
        processor = await opened(example)
        await fed(processor, example.feed, finish=False)
        processor.reset()
        assert await results(processor.finish()) == await results((await opened(example)).finish())

    drive(main())


@with_every_example
def test_it_yields_what_its_annotation_says_in_the_format_that_it_produces(example):
    async def main() -> None:
        processor = await opened(example)
        out = await fed(processor, example.feed)
        assert all(isinstance(frame, processor.signature.yields) for frame in out)
        audio = [frame for frame in out if isinstance(frame, AudioRaw)]
        assert processor.produces is ANY or {frame.format for frame in audio} <= {processor.produces}
        assert all(len(frame.data) % frame.format.frame_bytes == 0 for frame in audio)

    drive(main())


# --- in a call ---


class Foreign(Frame):
    """A frame that no shipped processor knows."""


class ForeignSpeech(Frame, speech=True):
    pass


class Everything(Script):
    """A source that may send anything."""

    yields = (
        AudioRaw,
        DTMF,
        Transcript,
        SpeechStarted,
        SpeechStopped,
        LLMText,
        LLMEnd,
        Mark,
        Error,
        Foreign,
        ForeignSpeech,
    )


class Rest(Processor):
    """Takes what is spoken, so that any processor can stand before the sink."""

    def __init__(self) -> None:
        self.got: list[Frame] = []

    def process(self, frame: LLMText | ForeignSpeech) -> None:
        self.got.append(frame)


def run(example: Example, *script: Frame | float) -> tuple[Ear, Rest]:
    """Run a call through the processor; it must end by itself, without an error, and leave nothing."""
    audio = next((frame.format for frame in example.feed if isinstance(frame, AudioRaw)), CANONICAL)
    ear, rest = Ear(), Rest()
    call = Call(Everything(*script, format=audio), ear, transport="test")

    async def main() -> None:
        ended = await call.run(lambda call: call.source | example.make() | rest | call.sink)
        assert ended.error is None
        assert ended.reason == "the caller hung up"
        assert ended.abandoned == 0
        await asyncio.sleep(0)
        assert not timers()

    virtual(main())
    return ear, rest


@with_every_example
def test_it_passes_by_what_it_does_not_consume_in_order_and_untouched(example):
    signature = example.make().signature
    passing = [DTMF("1"), Foreign(), Error("no"), SpeechStarted(), SpeechStopped(), Transcript("hi"), DTMF("2")]
    passing = [frame for frame in passing if not signature.takes(type(frame))]
    script: list[Frame | float] = []
    for place, frame in enumerate(passing):
        script += [frame, *example.feed[place : place + 1], 0.02]
    ear, _ = run(example, *script, 5.0)
    came = [frame for frame in ear.frames if any(frame is sent for sent in passing)]
    assert [id(frame) for frame in came] == [id(frame) for frame in passing]


@with_every_example
def test_it_passes_by_speech_that_it_does_not_consume(example):
    speech = [ForeignSpeech(), LLMText("hi"), ForeignSpeech()]
    signature = example.make().signature
    speech = [frame for frame in speech if not signature.takes(type(frame))]
    _, rest = run(example, *speech, 5.0)
    assert [frame for frame in rest.got if any(frame is sent for sent in speech)] == speech


@with_every_example
def test_it_survives_the_end_at_any_time(example):
    for used in range(len(example.feed) + 1):
        ear, _ = run(example, *example.feed[:used])
        assert [kind for _, kind, _ in ear.log if kind == "hangup"] == []


@with_every_example
def test_it_survives_an_interruption_at_any_time(example):
    for used in range(len(example.feed) + 1):
        call = Call(Everything(*example.feed[:used], 0.0, DTMF("1"), *example.feed, 1.0), Ear(), transport="test")
        call.source.produces = next((f.format for f in example.feed if isinstance(f, AudioRaw)), CANONICAL)

        class Interrupter(Processor):
            def process(self, frame: DTMF) -> DTMF:
                self.call.clear()
                return frame

        async def main(call: Call = call, interrupter: type[Processor] = Interrupter) -> None:
            ended = await call.run(lambda call: call.source | interrupter() | example.make() | Rest() | call.sink)
            assert ended.error is None

        virtual(main())
