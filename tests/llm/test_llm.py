"""Whole calls with a model: what it is asked, what is said, and what happens when it fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from doubles import make_call, now
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import LONG, Interrupter, Notes, Voice, kinds, run, talk, when

from voiceflow import DTMF, Call, Clear, Ended, Error, Frame, LLMText, Processor, Transcript
from voiceflow.processors.llm import LLM, Message, Responder, ToolCall
from voiceflow.words import ENGLISH

Answer = Callable[[], AsyncIterator[Any]]


class Model(LLM):
    """Answers as it is told, in turn, and remembers what it was asked."""

    def __init__(self, *answers: Answer | str, **options: Any) -> None:
        super().__init__(**options)
        self.answers = list(answers)
        self.asked: list[list[Message]] = []
        self.at: list[float] = []

    async def chat(self, messages: list[Message]) -> AsyncIterator[Any]:
        self.asked.append(messages)
        self.at.append(now())
        answer = self.answers.pop(0) if self.answers else "well"
        if isinstance(answer, str):
            for word in answer.split():
                yield f"{word} "
        else:
            async for piece in answer():
                yield piece

    def said(self, turn: int = -1) -> list[tuple[str, str]]:
        return [(message.role, message.content) for message in self.asked[turn]]


def pieces(*steps: Any) -> Answer:
    """Numbers are seconds to wait, exceptions are raised, everything else is yielded."""

    async def answer() -> AsyncIterator[Any]:
        for step in steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, BaseException):
                raise step
            else:
                yield step

    return answer


def converse(model: LLM, *script: Frame | float, voice: Voice | None = None) -> tuple[Call, list[str], Notes]:
    """A call with `model`, in which keys interrupt; what was said, and what passed the model."""
    call, voice, notes = make_call(*script), voice or Voice(), Notes()
    ended = run(call, lambda c: c.source | Interrupter() | model | notes | voice | c.sink)
    assert ended.error is None
    return call, [text for text in voice.texts if text], notes


# the interface


def test_an_answer_may_be_returned_or_yielded_here_or_in_a_thread():
    class Returns(LLM):
        def chat(self, messages: list[Message]) -> str:
            return messages[-1].content

    class Awaits(LLM):
        async def chat(self, messages: list[Message]) -> str:
            return messages[-1].content

    class Yields(LLM):
        def chat(self, messages: list[Message]) -> Iterator[str]:
            yield from messages[-1].content.split()

    class Streams(LLM):
        async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
            for word in messages[-1].content.split():
                yield word

    class Passes(LLM):
        def chat(self, messages: list[Message]) -> AsyncIterator[str]:
            return Streams.chat(self, messages)  # type: ignore[arg-type]

    class Decorated(LLM):
        def chat(self, messages: list[Message]) -> Any:
            return Awaits.chat(self, messages)  # type: ignore[arg-type]

    class Assigned(LLM):
        chat = lambda self, messages: messages[-1].content  # noqa: E731

    class Given(LLM):
        def __init__(self, chat: Callable[[list[Message]], str]) -> None:
            self.chat = chat  # type: ignore[method-assign]
            super().__init__()

    for model, expected in [
        (Assigned(), ["hello there"]),
        (Given(lambda messages: messages[-1].content), ["hello there"]),
        (Decorated(), ["hello there"]),
        (Returns(), ["hello there"]),
        (Awaits(), ["hello there"]),
        (Yields(), ["hello", "there"]),
        (Streams(), ["hello", "there"]),
        (Passes(), ["hello", "there"]),
    ]:
        _, said, notes = converse(model, Transcript("hello there"), 5.0)
        assert said == expected
        assert notes.of(Error) == []


def test_a_model_without_chat_is_refused():
    class Nothing(LLM):
        pass

    with pytest.raises(TypeError, match="Nothing has no `chat`: write `def chat"):
        Nothing()


def test_a_model_that_would_end_the_process_ends_its_answer():
    class Leaves(LLM):
        def chat(self, messages: list[Message]) -> str:
            raise SystemExit(3)

    class Stops(LLM):
        async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
            yield "well "
            raise KeyboardInterrupt

    for model, ended in ((Leaves(), "SystemExit: 3"), (Stops(), "KeyboardInterrupt")):
        _, said, notes = converse(model, Transcript("hi"), 5.0)
        assert said[-1].startswith("Sorry, I")
        assert [frame.message for frame in notes.of(Error)] == [f"RuntimeError: it raised {ended}"]


def test_only_finals_with_words_are_answered_and_no_transcript_goes_further():
    model = Model()
    script = (Transcript("hel", final=False), 0.1, Transcript("hello"), 0.1, Transcript("  "), 2.0)
    _, said, notes = converse(model, *script)
    assert said == ["well"]
    assert len(model.asked) == 1
    assert notes.of(Transcript) == []


def test_words_are_said_as_they_come():
    voice = Voice()
    converse(Model(pieces("one ", 1.0, "two")), Transcript("go"), 5.0, voice=voice)
    assert voice.said == [(0.0, "one"), (1.0, "two")]


def test_prompts_and_tools_of_a_call_do_not_load_a_model_of_their_own():
    loaded = []

    class Heavy(Model):
        def load(self) -> int:
            loaded.append(1)
            return len(loaded)

    for name in ("Ann", "Ben"):
        converse(Heavy(system=f"The caller is {name}.", tools=[lambda_tool(name)]), Transcript("hi"), 1.0)
    assert len(loaded) == 1


def lambda_tool(name: str) -> Callable[[], str]:
    def who() -> str:
        return name

    return who


# what the model is asked


def test_the_conversation_grows_by_what_was_said():
    model = Model("hello there", "fine", system="Be brief.")
    converse(model, Transcript("hi"), 5.0, Transcript("how are you"), 5.0, Transcript("bye"), 5.0)
    assert model.said() == [
        ("system", "Be brief."),
        ("user", "hi"),
        ("assistant", "hello there"),
        ("user", "how are you"),
        ("assistant", "fine"),
        ("user", "bye"),
    ]


STORY = "once upon a time there was a very small dog"


@given(st.floats(0.05, 4.0))
@settings(deadline=None, max_examples=100)
def test_the_next_request_holds_exactly_the_words_that_were_heard(seconds):
    model, told = Model(STORY), []

    class Told(Processor):
        def process(self, frame: LLMText) -> LLMText:
            return frame

        def upstream(self, frame: Frame) -> Frame | None:
            told.append(frame)
            return frame

    call = make_call(Transcript("go"), seconds, DTMF("1"), 0.5, Transcript("next"), 5.0)
    run(call, lambda c: c.source | Interrupter() | model | Told() | Voice() | c.sink)
    heard, length = [], 0
    for word in STORY.split():  # a tenth of a second for each letter
        length += len(word)
        if length * 0.1 <= seconds + 1e-6:
            heard.append(word)
    spoken = [("assistant", " ".join(heard))] if heard else []
    expected = [("user", "go"), *spoken, ("user", "next")] if heard else [("user", "go next")]
    assert model.said() == expected
    if len(heard) < len(STORY.split()):
        assert [f.heard for f in told if isinstance(f, Clear)] == [" ".join(heard)]


def test_a_caller_who_goes_on_before_the_reply_began_said_one_thing():
    model = Model(pieces(2.0, "never heard"), "sunny")
    _, said, _ = converse(model, Transcript("the weather"), 1.0, DTMF("1"), 0.2, Transcript("in Paris"), 5.0)
    assert said == ["sunny"]
    assert model.said() == [("user", "the weather in Paris")]


def test_one_turn_gets_one_reply_also_when_the_model_is_slow():
    model = Model(pieces(3.0, "first"), "second")
    _, said, _ = converse(model, Transcript("one"), 0.5, Transcript("two"), 10.0)
    assert said == ["first", "second"]
    assert model.said() == [("user", "one"), ("assistant", "first"), ("user", "two")]


def test_what_the_call_says_is_part_of_the_conversation():
    model = Model("hello")
    call = make_call(3.0, Transcript("hi"), 3.0, Transcript("bye"), 2.0)

    async def greet() -> None:
        await call.say("Welcome")

    run(call, talk(model), act=greet)
    assert model.said(0) == [("user", "(The caller is on the line.)"), ("assistant", "Welcome"), ("user", "hi")]
    assert model.said()[-3:] == [("user", "hi"), ("assistant", "hello"), ("user", "bye")]


# failures


@pytest.mark.parametrize(
    ("answer", "said", "error"),
    [
        (pieces(ValueError("no")), [ENGLISH.cannot_think], "ValueError: no"),
        (pieces(TimeoutError("theirs")), [ENGLISH.cannot_think], "TimeoutError: theirs"),
        (
            pieces(asyncio.CancelledError()),
            [ENGLISH.cannot_think],
            "RuntimeError: it awaited something that was cancelled",
        ),
        (pieces("One ", ConnectionError("gone")), ["One", ENGLISH.lost_thought], "ConnectionError: gone"),
        (pieces(), [ENGLISH.cannot_think], "the model answered nothing"),
        (pieces(" ", "\n"), [ENGLISH.cannot_think], "the model answered nothing"),
        (pieces("<thi", "nk>Well, ", "let me see"), [ENGLISH.cannot_think], "the model answered nothing"),
        (pieces("\x00\ufffd", "\ud83d"), [ENGLISH.cannot_think], "the model answered nothing"),
        (pieces(42), [ENGLISH.cannot_think], "TypeError: `chat` gives str, pieces of str or ToolCall, not int: 42"),
        (pieces(LONG), [ENGLISH.cannot_think], "no word from the model for 12 s: a smaller one may be fast enough"),
        (pieces("One ", LONG), ["One", ENGLISH.lost_thought], "no word from the model for 12 s"),
        (pieces("<think>", *[5.0, "hm"] * 100), [ENGLISH.cannot_think], "no word from the model for 12 s"),
    ],
)
def test_a_failure_is_an_error_and_an_apology_and_the_call_goes_on(answer, said, error):
    model = Model(answer, "better")
    _, heard, notes = converse(model, Transcript("one"), 60.0, Transcript("two"), 5.0)
    assert heard == [*said, "better"]
    (frame,) = notes.of(Error)
    assert frame.message.startswith(error)
    assert frame.processor == "Model"
    assert [role for role, _ in model.said()] == ["user", "assistant", "user"]


def test_a_function_that_blocks_fails_like_any_other():
    class Broken(LLM):
        def chat(self, messages: list[Message]) -> str:
            raise RuntimeError("no model")

    _, said, notes = converse(Broken(), Transcript("one"), 10.0)
    assert said == [ENGLISH.cannot_think]
    assert notes.of(Error) == [Error("RuntimeError: no model", "Broken")]


def test_thoughts_are_neither_said_nor_stored():
    model = Model(pieces("<th", "ink>I should greet", "</thi", "nk>\n\nHello", " there."))
    _, said, _ = converse(model, Transcript("hi"), 5.0, Transcript("bye"), 5.0)
    assert " ".join(said[:2]) == "Hello there."
    assert "greet" not in str(model.asked)


def test_a_stream_that_never_ends_is_cut():
    async def forever() -> AsyncIterator[str]:
        while True:
            yield "on and "
            await asyncio.sleep(0)

    model = Model(forever, "better", max_tokens=20)
    _, said, notes = converse(model, Transcript("one"), 100.0, Transcript("two"), 5.0)
    assert 20 <= len(said) <= 30
    assert said[-1] == "better"
    assert notes.of(Error) == []


def test_a_stream_that_drips_is_cut():
    model = Model(pieces(*["on ", 5.0] * 1000), "better", max_tokens=20)
    _, said, _ = converse(model, Transcript("one"), 100.0, Transcript("two"), 5.0)
    assert len(said) == 6
    assert said[-1] == "better"


def test_a_piece_of_a_megabyte_is_cut():
    _, said, _ = converse(Model(pieces("x" * 1_000_000), max_tokens=20), Transcript("one"), 30.0)
    assert said == ["x" * 200]


# tools


def called(name: str, arguments: str = "{}", id: str = "1") -> ToolCall:
    return ToolCall(id, name, arguments)


def test_the_model_calls_a_tool_and_answers_with_its_result():
    def weather(city: str) -> str:
        return f"sunny in {city}"

    model = Model(pieces("Let me see.", called("weather", '{"city": "Oslo"}')), "nice", tools=[weather])
    _, said, _ = converse(model, Transcript("the weather"), 5.0)
    assert said == ["Let me see.", "nice"]
    assert model.asked[1][-2:] == [
        Message("assistant", "Let me see.", (called("weather", '{"city": "Oslo"}'),)),
        Message("tool", "sunny in Oslo", tool_call_id="1"),
    ]


def test_what_was_said_before_a_tool_is_a_sentence_that_need_not_wait():
    async def slow() -> None:
        await asyncio.sleep(5.0)

    given: list[tuple[float, str]] = []

    class Listener(Processor):
        def process(self, frame: LLMText) -> LLMText:
            given.append((now(), frame.text))
            return frame

    model = Model(pieces("One moment.", called("slow")), "done", tools=[slow])
    run(make_call(Transcript("go"), 10.0), talk(model, Listener()))
    assert given == [(0.0, "One moment."), (0.0, "\n"), (5.0, "done ")]


def test_wrong_calls_are_told_to_the_model_which_may_try_again():
    def weather(city: str) -> str:
        return "sunny"

    calls = [called("whether", id="1"), called("weather", "{}", "2"), called("weather", '{"city": "Oslo"}', "3")]
    model = Model(*(pieces(call) for call in calls), "nice", tools=[weather])
    _, said, _ = converse(model, Transcript("the weather"), 5.0)
    assert said == ["nice"]
    results = [message.content for message in model.asked[-1] if message.role == "tool"]
    assert [result.partition(":")[0] for result in results] == ["Error", "Error", "sunny"]


def test_a_model_that_only_calls_tools_is_stopped():
    def again() -> None:
        pass

    model = Model(*(pieces(called("again", id=str(n))) for n in range(20)), tools=[again])
    _, said, notes = converse(model, Transcript("go"), 10.0)
    assert said == [ENGLISH.cannot_think]
    assert len(model.asked) == 6
    assert "called tools 5 times in a row" in notes.of(Error)[0].message


def test_a_model_that_says_nothing_after_a_tool_has_failed():
    done = []
    model = Model(pieces(called("note")), pieces(), tools=[lambda_named(done)])
    _, said, notes = converse(model, Transcript("go"), 5.0)
    assert (said, done) == ([ENGLISH.cannot_think], [1])
    assert notes.of(Error) == [Error("the model answered nothing", "Model")]


def test_a_model_may_say_nothing_after_a_tool_that_spoke_or_hung_up():
    async def tell(call: Call) -> None:
        await call.say("it is done")

    async def leave(call: Call) -> None:
        await call.hangup()

    for tool, expected in ((tell, ["it is done"]), (leave, [])):
        model = Model(pieces(called(tool.__name__)), pieces(), tools=[tool])
        _, said, notes = converse(model, Transcript("go"), 5.0)
        assert (said, notes.of(Error)) == (expected, [])


def test_a_tool_that_something_else_cancelled_has_failed():
    async def book() -> None:
        raise asyncio.CancelledError

    model = Model(pieces(called("book")), "sorry", tools=[book])
    _, said, _ = converse(model, Transcript("go"), 5.0)
    assert said == ["sorry"]
    assert [m.content for m in model.asked[1] if m.role == "tool"] == [
        "Error: RuntimeError: it awaited something that was cancelled"
    ]


def test_tools_and_models_that_wait_take_no_thread_from_those_that_compute():
    threads = []

    def look_up() -> None:
        threads.append(threading.current_thread().name)

    class Client(LLM):
        def chat(self, messages: list[Message]) -> str | ToolCall:
            look_up()
            return "here" if messages[-1].role == "tool" else called("look_up")

    converse(Client(tools=[look_up]), Transcript("go"), 5.0)
    assert [name.partition("_")[0] for name in threads] == ["waiting"] * 3


def lambda_named(done: list[int]) -> Callable[[], None]:
    def note() -> None:
        done.append(1)

    return note


def test_a_tool_that_was_interrupted_acts_once_and_its_result_is_kept():
    done = []

    async def book() -> str:
        await asyncio.sleep(2.0)
        done.append(now())
        return "booked"

    model = Model(pieces("Of course. ", called("book")), "hm", "yes", tools=[book])
    script = (Transcript("book it"), 1.5, DTMF("1"), 0.1, Transcript("wait"), 2.0, Transcript("is it"), 2.0)
    converse(model, *script)
    assert done == [2.0]
    assert [m.content for m in model.asked[1] if m.role == "tool"] == ["(still running)"]
    assert [m.content for m in model.asked[2] if m.role == "tool"] == ["booked"]
    assert model.said(2)[:3] == [("user", "book it"), ("assistant", "Of course."), ("tool", "booked")]


def test_a_tool_hangs_up_when_the_goodbye_was_heard():
    async def hang_up(call: Call) -> None:
        await call.hangup()

    model = Model(pieces(called("hang_up")), pieces(1.0, "goodbye dear caller"), tools=[hang_up])
    call, voice = make_call(Transcript("bye"), 60.0), Voice()
    assert run(call, talk(model, voice=voice)) == Ended("hung up")
    assert voice.texts == ["goodbye dear caller"]
    assert when(call, "hangup") == [pytest.approx(1.0 + 1.9, abs=0.01)]


def test_an_interruption_of_the_goodbye_revokes_the_hang_up():
    async def hang_up(call: Call) -> None:
        await call.hangup()

    model = Model(pieces(called("hang_up")), "goodbye dear caller", "yes", tools=[hang_up])
    script = (Transcript("bye"), 0.5, DTMF("1"), 0.1, Transcript("wait"), 10.0)
    call, said, _ = converse(model, *script)
    assert said[-1] == "yes"
    assert "hangup" not in kinds(call)


def test_a_tool_whose_turn_was_interrupted_cannot_speak_hang_up_or_transfer():
    outcomes: list[Any] = []

    async def leave(call: Call) -> None:
        await asyncio.sleep(2.0)
        outcomes.append(await call.say("stale"))
        outcomes.append(await call.hangup())
        outcomes.append(call.id)
        await call.transfer("+15125551234")

    model = Model(pieces(called("leave")), pieces(3.0, "well"), tools=[leave])
    script = (Transcript("bye"), 0.5, DTMF("1"), 0.1, Transcript("wait"), 20.0, Transcript("and"), 1.0)
    call, said, _ = converse(model, *script)
    assert said == ["well", "well"]
    assert outcomes == [0.0, False, call.id]
    (result,) = (m.content for m in model.asked[-1] if m.role == "tool")
    assert "they were not transferred" in result
    assert "hangup" not in kinds(call)


def test_what_a_tool_says_is_part_of_the_reply():
    async def search(call: Call) -> str:
        await call.say("searching")
        return "found"

    model = Model(pieces(called("search")), "here", tools=[search])
    _, said, _ = converse(model, Transcript("go"), 5.0, Transcript("thanks"), 2.0)
    assert said == ["searching", "here", "well"]
    assert model.said()[-2] == ("assistant", "searching here")


@pytest.mark.parametrize(("seconds", "finished"), [(2.0, True), (30.0, False)])
def test_a_tool_that_runs_when_the_caller_leaves_has_a_few_seconds(seconds, finished):
    done = []

    async def book() -> None:
        await asyncio.sleep(seconds)
        done.append(now())

    call = make_call(Transcript("book it"), 1.0)
    ended = run(call, talk(Model(pieces(called("book")), tools=[book])))
    assert ended == Ended("the caller hung up")
    assert done == ([seconds] if finished else [])


# the responder


def test_the_responder_talks():
    call, said, notes = converse(
        Responder(), Transcript("Hello!"), 20.0, Transcript("I want my money back."), 9.0, Transcript("Time?"), 9.0
    )
    assert said[0].startswith("Hello!")
    assert said[1:] == ["Why do you want your money back?", "You said: time. Please tell me more."]
    assert notes.of(Error) == []
    assert "hangup" not in kinds(call)
