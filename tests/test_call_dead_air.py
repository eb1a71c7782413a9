"""Dead air: what the caller hears while the agent takes long."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from doubles import make_call
from talking import LONG, Voice, audio, ear_of, run, talk

from voiceflow import AudioRaw, Call, Frame, LLMText, Mark, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors import BargeIn, Dialog

HOLD = audio(1.0, byte=9)


class Slow(Processor):
    """A model that takes its time, before it speaks and again in the middle."""

    def __init__(self, before: float, between: float = 0.0) -> None:
        self.before, self.between = before, between

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        if not frame.final:
            return
        await asyncio.sleep(self.before)
        yield LLMText("one\n")
        await asyncio.sleep(self.between)
        yield LLMText("two\n")


class SlowVoice(Processor):
    """Takes its time for each sentence."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
        await asyncio.sleep(self.seconds)
        yield Mark(frame.text.strip())
        yield audio(0.3)
        yield Mark()


class SlowSTT(Processor):
    """Takes its time for an utterance."""

    overlap = True

    def __init__(self, seconds: float = 8.0) -> None:
        self.seconds = seconds

    async def process(self, frame: SpeechStopped | AudioRaw) -> AsyncIterator[SpeechStopped | Transcript]:
        if isinstance(frame, SpeechStopped):
            await asyncio.sleep(self.seconds)
            yield Transcript("go")
            yield frame


def holds(call: Call) -> list[float]:
    """When the caller began to hear the hold line, each time."""
    heard = [at for at, kind, what in ear_of(call).log if kind == "audio" and bytes(what)[:1] == b"\x09"]
    return [at for place, at in enumerate(heard) if place == 0 or at - heard[place - 1] > 0.5]


class HoldLine(Processor):
    """Sets the call's hold line, as speech synthesis does when it opens."""

    async def open(self, call: Call) -> None:
        call.hold = HOLD

    def process(self, frame: SpeechStarted) -> SpeechStarted:
        return frame


def test_the_line_is_played_after_four_seconds_of_silence_and_again_four_after_its_end():
    call = make_call(Transcript("go"), 40.0)
    run(call, talk(Slow(12.0), ears=(HoldLine(),)))
    assert holds(call) == [pytest.approx(4.0, abs=0.01), pytest.approx(9.0, abs=0.01)]


def test_another_line_may_be_set_during_the_call():
    call = make_call(Transcript("go"), 40.0)

    async def act() -> None:
        await asyncio.sleep(6.0)
        call.hold = audio(2.0, byte=9)

    run(call, talk(Slow(17.0), ears=(HoldLine(),)), act)
    assert holds(call) == [pytest.approx(at, abs=0.01) for at in (4.0, 9.0, 15.0)]


def test_the_answer_follows_the_line_and_is_one_reply():
    call, voice = make_call(Transcript("go"), 40.0), Voice()
    replies = []
    run(call, talk(Slow(6.0), voice=voice, ears=(HoldLine(),)), act=watch(call, replies))
    assert voice.texts == ["one", "two"]
    assert [(reply.text, reply.heard) for reply in replies] == [("one\ntwo\n", "one two")]


def watch(call: Call, replies: list):
    async def act() -> None:
        call.on_reply(replies.append)

    return act


def test_a_reply_that_stops_in_the_middle_is_filled():
    call = make_call(Transcript("go"), 40.0)
    run(call, talk(Slow(0.0, 7.0), ears=(HoldLine(),)))
    assert holds(call) == [pytest.approx(4.3, abs=0.51)]


def test_a_slow_recognition_is_filled_too():
    call = make_call(audio(0.1), SpeechStopped(), 40.0)
    run(call, talk(Slow(0.0), ears=(SlowSTT(), HoldLine())))
    assert holds(call) == [pytest.approx(4.0, abs=0.01)]


def test_who_answers_in_time_is_not_interrupted():
    call = make_call(Transcript("go"), 40.0)
    run(call, talk(Slow(3.9, 3.9), ears=(HoldLine(),)))
    assert holds(call) == []


def test_the_caller_waits_from_when_he_had_finished_whoever_it_is_that_takes_long():
    call = make_call(audio(0.1), SpeechStopped(), 40.0)
    run(call, talk(Slow(3.0), ears=(SlowSTT(2.0), HoldLine())))
    assert holds(call) == [pytest.approx(4.0, abs=0.01)]


def test_a_slow_voice_is_filled_though_the_model_has_long_been_done():
    call, voice = make_call(Transcript("go"), 40.0), SlowVoice(6.0)
    run(call, lambda c: c.source | HoldLine() | Slow(0.0) | voice | c.sink)
    assert holds(call) == [pytest.approx(at, abs=0.51) for at in (4.0, 10.3)]


def test_a_caller_who_goes_on_does_not_wait_meanwhile_but_has_waited_before():
    script: tuple[Frame | float, ...] = (SpeechStopped(), 3.0, SpeechStarted(), 3.0, SpeechStopped(), 40.0)
    call = make_call(*script)
    run(call, talk(Slow(0.0), ears=(SlowSTT(5.0), HoldLine())))
    assert holds(call) == [pytest.approx(7.0, abs=0.01)]


def test_nothing_is_said_while_the_agent_waits_for_the_caller():
    class Asks(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("well ")
            answer = await self.call.ask("which one?", timeout=20.0)
            yield LLMText(answer.text if answer else "nothing")

    call, voice = make_call(Transcript("go"), LONG), Voice()
    run(call, talk(Asks(), voice=voice, ears=(HoldLine(),)))
    assert voice.texts[-1] == "nothing"
    assert holds(call) == []


def test_nothing_is_said_when_the_answer_is_none():
    class Silent(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            for text in ():
                yield LLMText(text)

    call = make_call(Transcript("go"), 40.0)
    run(call, talk(Silent(), ears=(HoldLine(),)))
    assert holds(call) == []


def test_without_a_line_nothing_is_played():
    call = make_call(Transcript("go"), 40.0)
    run(call, talk(Slow(12.0)))
    assert ear_of(call).log[0][0] == pytest.approx(12.0)


def test_the_line_can_be_interrupted():
    class Interrupts(Processor):
        def process(self, frame: SpeechStarted) -> SpeechStarted:
            self.call.clear()
            return frame

    script: tuple[Frame | float, ...] = (Transcript("go"), 4.5, SpeechStarted(), 1.0, SpeechStopped(), 40.0)
    call, voice = make_call(*script), Voice()
    run(call, talk(Slow(12.0), voice=voice, ears=(HoldLine(), Interrupts())))
    assert voice.texts == []
    assert [kind for _, kind, _ in ear_of(call).log].count("clear") == 1
    assert len(holds(call)) == 1


def test_a_caller_who_is_in_the_middle_of_a_sentence_does_not_wait():
    interims = (Transcript("I", final=False), 5.0, Transcript("I would", final=False), 5.0)
    call = make_call(SpeechStarted(), 1.0, *interims, Transcript("I would"), SpeechStopped(), 20.0)
    run(call, talk(Slow(6.0), ears=(HoldLine(),)))
    assert holds(call) == [pytest.approx(15.0, abs=0.01)]


def test_who_was_not_answered_once_may_wait_again():
    class Picky(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            if frame.text == "go":
                await asyncio.sleep(6.0)
                yield LLMText("gone")

    call = make_call(Transcript("nothing"), 10.0, Transcript("go"), 20.0)
    run(call, talk(Picky(), ears=(HoldLine(),)))
    assert holds(call) == [pytest.approx(14.0, abs=0.01)]


def test_the_line_counts_for_nothing_of_the_sentence_that_it_fills():
    class Halting(Processor):
        async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
            yield Mark(frame.text.strip())
            yield audio(0.5)
            await asyncio.sleep(20.0)
            yield audio(1.5)
            yield Mark()

    class Interrupts(Processor):
        def process(self, frame: SpeechStarted) -> SpeechStarted:
            self.call.clear()
            return frame

    replies: list = []
    call = make_call(Transcript("go"), 9.0, SpeechStarted(), 1.0, SpeechStopped(), 1.0)
    call.on_reply(replies.append)

    class Says(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one two three four")

    run(call, lambda c: c.source | HoldLine() | Interrupts() | Says() | Halting() | c.sink)
    assert holds(call) == [pytest.approx(4.5, abs=0.51)]
    assert replies[0].heard == "one two"


# In a dialog


def test_a_dialog_that_takes_long_over_something_of_its_own_is_filled():
    async def lead(call: Call) -> None:
        await call.ask("What?", timeout=20.0)
        await asyncio.sleep(6.0)
        await call.say("Here.")
        await asyncio.sleep(6.0)

    call = make_call(2.0, Transcript("look it up"), LONG)
    run(call, talk(Dialog(lead), ears=(HoldLine(),)))
    assert holds(call) == [pytest.approx(6.0, abs=0.01), pytest.approx(8.5 + 4.0, abs=0.6)]


def test_a_dialog_that_waits_for_the_caller_is_not_filled():
    async def lead(call: Call) -> None:
        await call.ask("Who?", timeout=30.0)

    call = make_call(LONG)
    run(call, talk(Dialog(lead), ears=(HoldLine(),)))
    assert holds(call) == []


# A caller who asks whether anybody is there

HELLO = (SpeechStarted(), 0.5, Transcript("Hello?"), SpeechStopped())


class Thinker(Slow):
    """Counts what it is asked."""

    def __init__(self, before: float) -> None:
        super().__init__(before)
        self.asked: list[str] = []

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        self.asked.append(frame.text)
        async for text in super().process(frame):
            yield text


def impatient(thinks: float, *script: Frame | float) -> tuple[Thinker, Voice, Call]:
    first = (SpeechStarted(), 0.5, Transcript("go"), SpeechStopped())
    call, model, voice = make_call(*first, *script, 40.0), Thinker(thinks), Voice()
    run(call, talk(model, voice=voice, ears=(HoldLine(), BargeIn())))
    return model, voice, call


def test_hello_neither_starts_the_request_over_nor_the_time_to_the_hold_line():
    model, voice, call = impatient(5.0, *(item for _ in range(4) for item in (3.0, *HELLO)))
    assert model.asked[0] == "go"
    assert holds(call)[0] <= 4.5
    assert voice.said[0] == (pytest.approx(5.5), "one")


@pytest.mark.parametrize(
    "text", ["Hello?", "Are you still there?", "Hallo, sind Sie noch da?", "Allô ?", "Okay.", "Hm."]
)
def test_it_is_answered_by_the_hold_line_at_once_and_the_request_goes_on(text):
    model, voice, call = impatient(8.0, 2.0, SpeechStarted(), 0.5, Transcript(text), SpeechStopped())
    assert holds(call) == [pytest.approx(3.0, abs=0.01), pytest.approx(8.0, abs=0.01)]
    assert model.asked == ["go"]
    assert voice.said[0] == (pytest.approx(8.5), "one")


def test_what_is_said_over_the_hold_line_does_not_cost_the_answer():
    model, voice, call = impatient(8.0, 4.2, *HELLO)
    assert [kind for _, kind, _ in ear_of(call).log].count("clear") == 0
    assert model.asked == ["go"]
    assert voice.said[0] == (pytest.approx(8.5), "one")


def test_words_meanwhile_are_answered_together_with_the_turn_and_the_silence_counts_on():
    more = (SpeechStarted(), 0.5, Transcript("and stop"), SpeechStopped())
    model, voice, call = impatient(5.0, 3.0, *more)
    assert model.asked == ["go", "and stop"]
    assert holds(call) == [pytest.approx(5.0, abs=0.01)]
    assert voice.said[0] == (pytest.approx(9.0), "one")


def test_hello_is_a_turn_where_no_answer_is_being_made():
    model, _, _ = impatient(1.0, 6.0, *HELLO)
    assert model.asked == ["go", "Hello?"]


def test_without_a_hold_line_hello_still_does_not_start_the_request_over():
    call, model, voice = (
        make_call(SpeechStarted(), Transcript("go"), SpeechStopped(), 2.0, *HELLO, 40.0),
        Thinker(5.0),
        Voice(),
    )
    run(call, talk(model, voice=voice))
    assert model.asked == ["go"]
    assert voice.said[0] == (pytest.approx(5.0), "one")
