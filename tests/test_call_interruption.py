"""Work that is interrupted: cut short, void, abandoned."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from doubles import PIECE, Ear, Script, make_call, now
from talking import LONG, Interrupter, Notes, Parrot, Voice, kinds, run, talk, when

from voiceflow import (
    DTMF,
    AudioRaw,
    Call,
    Clear,
    End,
    Ended,
    Frame,
    LLMText,
    Mark,
    Processor,
    Transcript,
)
from voiceflow.inference import InferencePool


def test_work_that_swallows_its_cancellation_says_nothing_more():
    class Stubborn(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                await asyncio.sleep(0.3)
            yield LLMText("stale")
            yield LLMText("stale")

    call, voice = make_call(Transcript("go"), 0.1, DTMF("1"), 5.0), Voice()
    run(call, talk(Stubborn(), voice=voice, ears=(Interrupter(),)))
    assert voice.texts == ["one"]


def test_work_that_was_interrupted_cannot_say_anything_by_the_call_either():
    class Stubborn(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                await self.call.say("stale")

    call, voice = make_call(Transcript("go"), 0.1, DTMF("1"), 5.0), Voice()
    run(call, talk(Stubborn(), voice=voice, ears=(Interrupter(),)))
    assert voice.texts == ["one"]


def test_work_that_was_interrupted_cannot_hang_up():
    """A cancelled turn's tool call must not act after the caller has interrupted it."""

    class Stubborn(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText | End]:
            yield LLMText("one")
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                yield End("stale")

    call = make_call(Transcript("go"), 0.1, DTMF("1"), 5.0)
    assert run(call, talk(Stubborn(), ears=(Interrupter(),))) == Ended("the caller hung up")
    assert "hangup" not in kinds(call)


def test_work_that_does_not_heed_its_cancellation_is_abandoned_and_replaced():
    class Stubborn(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText(frame.text)
            if frame.text == "first":
                for _ in range(1000):
                    try:
                        await asyncio.sleep(LONG)
                    except asyncio.CancelledError:
                        continue

    call, voice = make_call(Transcript("first"), 0.1, DTMF("1"), 0.1, Transcript("second"), 5.0), Voice()
    run(call, talk(Stubborn(), voice=voice, ears=(Interrupter(),)))
    assert voice.said == [(0.0, "first"), (pytest.approx(1.1), "second")]


def test_an_abandoned_works_frames_are_answered_in_order_by_its_successor():
    class Stubborn(Processor):
        async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
            yield Mark(frame.text)
            yield PIECE
            if frame.text == "first":
                for _ in range(1000):
                    try:
                        await asyncio.sleep(LONG)
                    except asyncio.CancelledError:
                        continue

    notes = Notes()
    call = make_call(Transcript("first"), 0.1, DTMF("1"), 0.1, Transcript("a"), 0.1, Transcript("b"), 5.0)
    run(call, lambda c: c.source | Interrupter() | Parrot() | Stubborn() | notes | c.sink)
    assert [mark.text for mark in notes.of(Mark)] == ["first", "a", "b"]


def test_the_stream_ends_after_a_finish_that_does_not_heed_its_cancellation():
    class Stubborn(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText(frame.text)

        async def finish(self) -> AsyncIterator[LLMText]:
            asyncio.get_running_loop().call_later(0.1, self.call.clear)
            for _ in range(1000):
                try:
                    await asyncio.sleep(LONG)
                except asyncio.CancelledError:
                    continue
            yield LLMText("stale")

    call, voice, notes = make_call(Transcript("first"), 1.0), Voice(), Notes()
    run(call, lambda c: c.source | Stubborn() | notes | voice | c.sink)
    assert voice.texts == ["first"]
    assert notes.finished == [pytest.approx(2.1)]


def test_a_thread_that_finishes_late_says_nothing():
    released, finished = threading.Event(), threading.Event()
    pool = InferencePool(1)

    def think() -> str:
        released.wait(10.0)
        finished.set()
        return "stale"

    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            if frame.text == "first":
                yield LLMText("thinking")
                yield LLMText(await pool.run(think))
            else:
                released.set()
                yield LLMText(await pool.run(lambda: "second"))

    class Impatient(Processor):
        """Interrupts as soon as the model has begun to think: time stands still while it does."""

        def process(self, frame: Transcript) -> Transcript:
            if frame.text == "second":
                self.call.clear()
            return frame

    class Feed(Script):
        async def frames(self) -> AsyncIterator[Frame]:
            yield Transcript("first")
            for _ in range(20):
                await asyncio.sleep(0)
            yield Transcript("second")
            await asyncio.sleep(5.0)

    call, voice = Call(Feed(), Ear(), transport="test"), Voice()
    run(call, talk(Model(), voice=voice, ears=(Impatient(),)))
    assert finished.wait(10.0)
    assert "stale" not in voice.texts
    assert voice.texts[-1] == "second"


def test_work_is_cleaned_up_when_it_is_interrupted():
    cleaned = []

    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            try:
                yield LLMText("one")
                await asyncio.sleep(LONG)
            finally:
                cleaned.append(now())

    run(make_call(Transcript("go"), 0.5, DTMF("1"), 5.0), talk(Model(), ears=(Interrupter(),)))
    assert cleaned == [0.5]


def test_a_stage_that_is_interrupted_by_what_it_yielded_goes_no_further():
    steps: list[str] = []

    class Splitter(Processor):
        def process(self, frame: LLMText) -> Iterator[LLMText]:
            try:
                for word in frame.text.split():
                    steps.append(word)
                    yield LLMText(word)
            finally:
                steps.append("closed")

    class Censor(Processor):
        def process(self, frame: LLMText) -> LLMText | None:
            if frame.text == "bad":
                self.call.clear()
                return None
            return frame

    voice = Voice()
    run(make_call(Transcript("a bad word"), 5.0), talk(Parrot(), Splitter(), Censor(), voice=voice))
    assert steps == ["a", "bad", "closed"]
    assert "word" not in voice.texts


def test_who_interrupts_goes_on_in_the_new_turn():
    class Model(Processor):
        async def process(self, frame: Transcript | DTMF) -> AsyncIterator[LLMText | Clear]:
            if isinstance(frame, DTMF):
                yield Clear()
            yield LLMText("key" if isinstance(frame, DTMF) else "a long story")

    call, voice = make_call(Transcript("go"), 0.5, DTMF("1"), 5.0), Voice()
    run(call, talk(Model(), voice=voice))
    assert voice.said == [(0.0, "a long story"), (0.5, "key")]
    assert when(call, "clear") == [0.5]


def test_who_interrupts_may_go_on_by_the_call():
    class Model(Processor):
        async def process(self, frame: Transcript | DTMF) -> AsyncIterator[LLMText | Clear]:
            if isinstance(frame, DTMF):
                yield Clear()
                await self.call.say("key")
            else:
                yield LLMText("a long story")

    call, voice = make_call(Transcript("go"), 0.5, DTMF("1"), 5.0), Voice()
    run(call, talk(Model(), voice=voice))
    assert voice.said == [(0.0, "a long story"), (0.5, "key")]


def test_work_that_yields_more_than_speech_goes_on_and_only_its_speech_is_dropped():
    class Order(Frame):
        dish: str

    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText | Order]:
            yield LLMText("noted")
            await asyncio.sleep(1.0)
            yield LLMText("stale")
            yield Order("pizza")

    call, voice, notes = make_call(Transcript("go"), 0.1, DTMF("1"), 5.0), Voice(), Notes()
    run(call, lambda c: c.source | Interrupter() | Model() | notes | voice | c.sink)
    assert voice.texts == ["noted"]
    assert [(at, frame) for at, frame in notes.seen if isinstance(frame, Order)] == [(1.0, Order("pizza"))]


def test_what_the_caller_said_is_never_dropped():
    class Denoiser(Processor):
        async def process(self, frame: AudioRaw) -> AudioRaw:
            await asyncio.sleep(1.0)
            return frame

    notes = Notes()
    call = make_call(Transcript("a long story"), 0.5, PIECE, 0.1, DTMF("1"), 5.0)
    run(call, lambda c: c.source | Interrupter() | Denoiser() | notes | Parrot() | Voice() | c.sink)
    assert when(call, "clear") == [0.6]
    assert [(at, frame) for at, frame in notes.seen if isinstance(frame, AudioRaw)] == [(1.5, PIECE)]


def test_a_clear_tells_the_model_what_was_heard():
    told = []

    class Model(Parrot):
        def upstream(self, frame: Frame) -> Frame | None:
            told.append(frame)
            return frame

    call = make_call(Transcript("one two three four"), 0.8, DTMF("1"), 5.0)
    run(call, talk(Model(), ears=(Interrupter(),)))
    assert told == [Clear("one two", pytest.approx(0.8))]


def test_a_played_sentence_is_told_from_the_sink_up_to_the_speaker():
    told = []

    class Model(Parrot):
        def upstream(self, frame: Frame) -> Frame | None:
            told.append("model")
            return frame

    class Filter(Processor):
        def process(self, frame: LLMText) -> LLMText:
            return frame

        def upstream(self, frame: Frame) -> Frame | None:
            told.append("filter")
            return frame

    class Listener(Processor):
        def process(self, frame: DTMF) -> DTMF:
            return frame

        def upstream(self, frame: Frame) -> Frame | None:
            told.append("listener")
            return frame

    run(make_call(Transcript("hello"), 5.0), talk(Model(), Filter(), ears=(Listener(),)))
    assert told == ["filter", "model"]


@pytest.mark.parametrize("absorbs", [True, False])
def test_a_processor_may_absorb_what_comes_up(absorbs):
    class Above(Parrot):
        played: tuple[str, ...] = ()

        def on_played(self, mark: Mark) -> None:
            self.played += (mark.text,)

    class Between(Processor):
        def process(self, frame: LLMText) -> LLMText:
            return frame

        def upstream(self, frame: Frame) -> Frame | None:
            return None if absorbs else frame

    above = Above()
    run(make_call(Transcript("one"), 3.0), lambda c: c.source | above | Between() | Voice() | c.sink)
    assert above.played == (() if absorbs else ("one",))
