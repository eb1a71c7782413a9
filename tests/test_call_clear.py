"""A `Clear`: what it reaches, what it leaves alone, and who is told in which order."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from doubles import PIECE, Ear, Script, make_call, now
from talking import LONG, Interrupter, Parrot, Voice, audio, ear_of, run, talk, when

from voiceflow import (
    CANONICAL,
    DTMF,
    AudioFormat,
    AudioRaw,
    Call,
    Clear,
    Ended,
    Frame,
    LLMEnd,
    LLMText,
    Processor,
    Transcript,
)
from voiceflow.reply import Reply


class Thinker(Processor):
    """Says something and goes on with its work."""

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        yield LLMText("a long story")
        await asyncio.sleep(LONG)


# what it leaves alone
def test_work_about_something_else_than_speech_is_not_interrupted():
    saved = []

    class Journal(Processor):
        async def process(self, frame: DTMF) -> None:
            await asyncio.sleep(1.0)
            saved.append((now(), frame))

    call = make_call(Transcript("a long story"), 0.1, DTMF("1"), 5.0)

    async def act() -> None:
        await asyncio.sleep(0.5)
        call.clear()

    run(call, talk(Parrot(), Journal()), act)
    assert when(call, "clear") == [0.5]
    assert saved == [(1.1, DTMF("1"))]


def test_what_the_caller_said_to_a_model_of_speech_is_not_dropped():
    got = []

    class Model(Processor):
        speaks = True

        async def process(self, frame: AudioRaw) -> AsyncIterator[AudioRaw | LLMEnd]:
            got.append(frame)
            if len(got) == 1:
                yield audio(1.0)
                await asyncio.sleep(1.0)

    call = make_call(*(PIECE for _ in range(5)), 0.5, DTMF("1"), 5.0)
    run(call, lambda c: c.source | Interrupter() | Model() | c.sink)
    assert when(call, "clear") == [0.5]
    assert len(got) == 5


# what it reaches
@pytest.mark.parametrize("by_code", [False, True])
def test_a_word_at_which_a_stage_interrupts_is_the_works_last(by_code):
    went_on = []

    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            await asyncio.sleep(0.1)
            yield LLMText("stop")
            went_on.append(now())
            yield LLMText("two")

    class Censor(Processor):
        def process(self, frame: LLMText) -> Iterator[LLMText | Clear]:
            if frame.text == "stop" and by_code:
                self.call.clear()
            elif frame.text == "stop":
                yield Clear()
            else:
                yield frame

    call, voice = make_call(Transcript("go"), 5.0), Voice()
    run(call, talk(Model(), Censor(), voice=voice))
    assert (voice.texts, went_on, when(call, "clear")) == (["one"], [], [0.1])


def test_a_coroutine_at_whose_word_a_stage_interrupts_is_interrupted_like_any_other():
    replies: list[Reply] = []

    class Model(Processor):
        async def process(self, frame: Transcript) -> LLMText:
            return LLMText(frame.text)

    class Censor(Processor):
        def process(self, frame: LLMText) -> LLMText | None:
            if frame.text != "stop":
                return frame
            self.call.clear()
            return None

    call = make_call(Transcript("a long story"), 0.5, Transcript("stop"), 5.0)
    call.on_reply(replies.append)
    run(call, talk(Model(), Censor()))
    assert [(reply.text, reply.interrupted) for reply in replies] == [("a long story", True), ("stop", True)]


def test_a_model_of_speech_is_interrupted_before_its_first_sound():
    class Model(Processor):
        speaks = True

        async def process(self, frame: AudioRaw) -> AsyncIterator[AudioRaw | LLMEnd]:
            await asyncio.sleep(1.0)
            yield frame

    call = make_call(PIECE, 0.5, DTMF("1"), 5.0)
    run(call, lambda c: c.source | Interrupter() | Model() | c.sink)
    assert ear_of(call).audio == b""


def test_nothing_of_what_was_cleared_is_left_in_a_conversion():
    form = AudioFormat("pcm16", 8000)

    class Liar(Processor):
        """A TTS whose audio is not in the format that it states."""

        async def process(self, frame: LLMText) -> AudioRaw:
            return audio(1.0, byte=64 if frame.text == "loud" else 0, form=form)

    call = make_call(Transcript("loud"), 0.5, DTMF("1"), 0.5, Transcript("silence"), 5.0)
    run(call, lambda c: c.source | Interrupter() | Parrot() | Liar() | c.sink)
    (cleared,) = when(call, "clear")
    after = b"".join(data for at, kind, data in ear_of(call).log if kind == "audio" and at > cleared)
    assert len(after) > CANONICAL.bytes_for(0.9)
    assert not any(after)


def test_what_a_sink_cannot_recall_was_heard():
    class Direct(Ear):
        def recallable(self) -> float:
            return 0.0

    ear = Direct()
    call = Call(Script(LONG), ear, transport="test")

    async def act() -> None:
        saying = asyncio.ensure_future(call.say("something that is long"))
        await asyncio.sleep(0.5)
        call.clear()
        assert await saying == pytest.approx(len(ear.audio) / CANONICAL.byte_rate)
        await call.hangup()

    run(call, talk(), act)
    assert len(ear.audio) > CANONICAL.bytes_for(0.6)


# who interrupts
def test_work_that_interrupts_by_the_call_goes_on_with_the_same_reply():
    replies: list[Reply] = []

    class Model(Processor):
        async def process(self, frame: Transcript | DTMF) -> AsyncIterator[LLMText]:
            if isinstance(frame, DTMF):
                self.call.clear()
            yield LLMText("key" if isinstance(frame, DTMF) else "a long story")

    call = make_call(Transcript("go"), 0.5, DTMF("1"), 5.0)
    call.on_reply(replies.append)
    run(call, talk(Model()))
    assert [(reply.heard, reply.interrupted) for reply in replies] == [("a", True), ("key", False)]


# several, and what comes after
def test_a_second_interruption_lets_the_work_clean_up():
    cleaned = []

    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            try:
                await asyncio.sleep(LONG)
            finally:
                await asyncio.sleep(0.5)
                cleaned.append(now())

    call = make_call(Transcript("go"), 0.1, DTMF("1"), 0.2, DTMF("2"), 5.0)
    run(call, talk(Model(), ears=(Interrupter(),)))
    assert cleaned == [0.6]


def test_a_clear_within_a_clear_is_one_and_the_same():
    told = []

    class Model(Thinker):
        def reset(self) -> None:
            self.call.clear()

        def upstream(self, frame: Frame) -> Frame | None:
            told.append(frame)
            return frame

    call = make_call(Transcript("go"), 0.5, DTMF("1"), 5.0)
    ended = run(call, talk(Model(), ears=(Interrupter(),)))
    assert ended.error is None
    assert told == [Clear("a", pytest.approx(0.5))]


def test_processors_are_reset_from_the_sink_up_to_the_speaker_once_nothing_is_said_any_more():
    told = []

    class Model(Thinker):
        def reset(self) -> None:
            told.append(("model", self.call.replying))

    class Filter(Processor):
        def process(self, frame: LLMText) -> LLMText:
            return frame

        def reset(self) -> None:
            told.append(("filter", self.call.replying))

    call = make_call(Transcript("go"), 0.1, DTMF("1"), 5.0)
    run(call, talk(Model(), Filter(), ears=(Interrupter(),)))
    assert told[:2] == [("filter", False), ("model", False)]


def test_after_an_interruption_what_was_cancelled_under_the_work_still_fails_the_call():
    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            if frame.text == "second":
                cancelled = asyncio.get_running_loop().create_future()
                cancelled.cancel()
                await cancelled
            await asyncio.sleep(LONG)

    call = make_call(Transcript("first"), 0.1, DTMF("1"), 0.1, Transcript("second"), LONG)
    ended = run(call, talk(Model(), ears=(Interrupter(),)))
    assert ended.error is not None
    assert "Model" in str(ended.error)


def test_abandoned_work_leaves_nothing_in_its_processor():
    class Stubborn(Processor):
        left = ""

        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText(f"{frame.text}{self.left}")
            if frame.text == "first":
                for _ in range(1000):
                    try:
                        await asyncio.sleep(LONG)
                    except asyncio.CancelledError:
                        self.left = " and what was left"

        def reset(self) -> None:
            self.left = ""

    call, voice = make_call(Transcript("first"), 0.1, DTMF("1"), 2.0, Transcript("second"), 5.0), Voice()
    run(call, talk(Stubborn(), voice=voice, ears=(Interrupter(),)))
    assert voice.texts == ["first", "second"]


def test_the_end_comes_after_last_words_that_are_abandoned():
    class Stubborn(Parrot):
        async def finish(self) -> AsyncIterator[LLMText]:
            yield LLMText("goodbye")
            for _ in range(1000):
                try:
                    await asyncio.sleep(LONG)
                except asyncio.CancelledError:
                    continue

    call = make_call(LONG)

    async def act() -> None:
        await call.hangup()
        await asyncio.sleep(0.1)
        call.clear()

    assert run(call, talk(Stubborn()), act) == Ended("hung up", abandoned=1)
