"""Questions and other things that a tool or a dialog does with the call while the caller may interrupt."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from doubles import make_call, now
from talking import LONG, Voice, ear_of, kinds, run, talk

from voiceflow import DTMF, Call, Clear, LLMText, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors import LLM, BargeIn, Dialog, Message, ToolCall

ANSWER = (SpeechStarted(), 0.5, Transcript("to Graz"), SpeechStopped(), LONG)


class Model(LLM):
    """Calls its tool, then says what came of it."""

    async def chat(self, messages: list[Message]) -> AsyncIterator[str | ToolCall]:
        self.requests = [*getattr(self, "requests", []), messages]
        if messages[-1].role == "tool":
            yield f"Result {messages[-1].content}."
        else:
            yield ToolCall("1", "act", "{}")


def with_tool(act, *script):
    model, voice = Model(tools=[act]), Voice()
    call = make_call(*script)

    async def hang_up() -> None:
        await asyncio.sleep(20.0)
        await call.hangup(force=True)

    run(call, talk(model, voice=voice, ears=(BargeIn(),)), hang_up)
    return model, voice, call


def test_the_answer_to_a_tools_question_interrupts_nothing_and_is_no_turn_of_its_own():
    async def act(call: Call) -> str:
        heard = await call.ask("Where to?", timeout=5.0)
        return heard.text if heard else "nothing"

    model, voice, call = with_tool(act, Transcript("book"), 2.0, *ANSWER)
    assert voice.texts == ["Where to?", "Result to Graz."]
    assert "clear" not in kinds(call)
    assert len(model.requests) == 2  # the question and the tool's result; none for the answer


def test_the_answer_may_come_before_the_question_was_heard_to_its_end():
    async def act(call: Call) -> str:
        heard = await call.ask("Where do you want to go today?", timeout=5.0)
        return heard.text if heard else "nothing"

    _, voice, call = with_tool(act, Transcript("book"), 0.5, *ANSWER)
    assert voice.texts[-1] == "Result to Graz."
    assert "clear" not in kinds(call)


def test_after_the_question_the_caller_may_interrupt_again():
    async def act(call: Call) -> str:
        heard = await call.ask("Where to?", timeout=5.0)
        return (heard.text + " word" * 60) if heard else "nothing"

    _, _, call = with_tool(act, Transcript("book"), 2.0, *ANSWER[:-1], 3.0, SpeechStarted(), 0.5, SpeechStopped(), LONG)
    assert kinds(call).count("clear") == 1


def test_a_tool_that_clears_does_not_void_its_own_turn():
    async def act(call: Call) -> str:
        saying = asyncio.ensure_future(call.say("This is a long story that nobody wants to hear."))
        await asyncio.sleep(1.0)
        call.clear()
        await saying
        return "short"

    _, voice, call = with_tool(act, Transcript("go"), LONG)
    assert voice.texts[-1] == "Result short."
    assert kinds(call).count("clear") == 1
    assert ear_of(call).audio


def test_a_stage_that_interrupts_a_tool_voids_its_turn():
    class Censor(Processor):
        def process(self, frame: LLMText) -> LLMText | Clear:
            return Clear() if "secret" in frame.text else frame

    async def act(call: Call) -> str:
        await call.say("the secret")
        return "told"

    voice = Voice()
    call = make_call(Transcript("go"), LONG)

    async def hang_up() -> None:
        await asyncio.sleep(20.0)
        await call.hangup(force=True)

    run(call, lambda c: c.source | Model(tools=[act]) | Censor() | voice | c.sink, hang_up)
    assert voice.texts == []


def test_work_of_an_interrupted_reply_says_nothing_and_the_log_tells(caplog):
    class Leaves(Processor):
        """Leaves a task behind that speaks later."""

        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            async def later() -> None:
                await asyncio.sleep(3.0)
                returned.append(await self.call.say("too late"))

            tasks.append(asyncio.ensure_future(later()))
            yield LLMText("A long reply that is interrupted soon.\n")
            await asyncio.sleep(2.0)

    tasks, returned = [], []
    call, voice = make_call(Transcript("go"), 1.0, SpeechStarted(), SpeechStopped(), 8.0), Voice()
    with caplog.at_level(logging.WARNING):
        run(call, talk(Leaves(), voice=voice, ears=(BargeIn(),)))
    assert returned == [0.0]
    assert "too late" not in voice.texts
    assert "call.say says nothing: the reply in which this work was begun has been interrupted" in caplog.text


def test_what_call_start_runs_speaks_whatever_becomes_of_the_reply_it_was_started_in():
    class Starts(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            async def later() -> None:
                await asyncio.sleep(3.0)
                await self.call.say("still here")

            self.call.start(later, "later")
            yield LLMText("A long reply that is interrupted soon.\n")
            await asyncio.sleep(2.0)

    call, voice = make_call(Transcript("go"), 1.0, SpeechStarted(), SpeechStopped(), 8.0), Voice()
    run(call, talk(Starts(), voice=voice, ears=(BargeIn(),)))
    assert voice.texts[-1] == "still here"


@pytest.mark.parametrize("timeout", [1.0, 5.0])
def test_digits_wait_for_keys_as_long_as_they_say_whoever_speaks(timeout):
    got = []

    async def lead(call: Call) -> None:
        got.append((await call.digits(4, timeout=timeout), now()))

    run(make_call(SpeechStarted(), LONG), talk(Dialog(lead)))
    assert got == [("", pytest.approx(timeout))]


def test_a_caller_who_does_not_stop_keeps_a_question_open_for_thirty_seconds_at_most():
    got = []

    async def lead(call: Call) -> None:
        got.append((await call.ask("Who is there?", timeout=5.0), now()))

    run(make_call(2.0, SpeechStarted(), LONG), talk(Dialog(lead)))
    (heard, at) = got[0]
    assert heard is None
    assert at <= 2.0 + 5.0 + 10.0 + 30.0


def test_keys_pressed_meanwhile_do_not_answer_a_question_for_words():
    got = []

    async def lead(call: Call) -> None:
        got.append(await call.ask("Who?", timeout=2.0))

    run(make_call(1.0, DTMF("1"), LONG), talk(Dialog(lead)))
    assert got == [None]


def test_an_answer_that_comes_before_the_question_was_begun_interrupts_nothing():
    class Curious(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            await asyncio.sleep(1.0)
            answer = await self.call.ask("really")
            yield LLMText("none" if answer is None else answer.text)

    call, voice = (
        make_call(Transcript("go"), 0.5, SpeechStarted(), 1.0, Transcript("yes"), SpeechStopped(), LONG),
        Voice(),
    )
    run(call, talk(Curious(), voice=voice))
    assert voice.texts[-1] == "yes"
