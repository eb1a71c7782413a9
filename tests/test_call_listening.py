"""How a call listens: `listen`, `ask`, `digits`."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from doubles import PIECE, make_call, now, virtual
from talking import LONG, Parrot, Voice, run, talk

from voiceflow import DTMF, AudioRaw, End, LLMText, Parallel, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.turns.listener import KEPT_FRAMES, Listener


def test_listen_yields_utterances_and_no_interims():
    call = make_call(0.5, Transcript("he", final=False), Transcript("hello"), 1.0, DTMF("1"), Transcript("bye"), LONG)
    heard = []

    async def act() -> None:
        async for transcript in call.listen():
            heard.append(transcript.text)
            if transcript.text == "bye":
                break
        await call.hangup(force=True)

    run(call, talk(), act)
    assert heard == ["hello", "bye"]


def test_listening_ends_with_the_call():
    call = make_call(0.5, Transcript("hello"), 0.5)
    heard = []

    async def act() -> None:
        async with asyncio.timeout(60.0):
            async for transcript in call.listen():
                heard.append(transcript.text)

    run(call, talk(), act)
    assert heard == ["hello"]


def test_a_question_that_nobody_can_answer_any_more_is_answered_with_none():
    call = make_call(0.5)
    answers = []

    async def act() -> None:
        async with asyncio.timeout(60.0):
            answers.append(await call.ask("Who are you?"))

    run(call, talk(), act)
    assert answers == [None]


def test_nobody_answers_after_the_call():
    call = make_call(0.5)

    async def act() -> None:
        await asyncio.sleep(2.0)
        async with asyncio.timeout(60.0):
            assert await call.ask("Who are you?") is None
            assert await call.digits(2) == ""
            assert [transcript async for transcript in call.listen()] == []

    run(call, talk(), act)


def test_listen_hears_the_caller_in_a_pipeline_without_a_speaker():
    class STT(Processor):
        async def process(self, frame: AudioRaw) -> AsyncIterator[Transcript]:
            yield Transcript("hello")

    call = make_call(0.5, PIECE, LONG)
    heard = []

    async def act() -> None:
        async with asyncio.timeout(5.0):
            async for transcript in call.listen():
                heard.append(transcript.text)
                break

    async def listen_and_leave() -> None:
        try:
            await act()
        finally:
            await call.hangup(force=True)

    run(call, lambda c: c.source | STT() | c.sink, listen_and_leave)
    assert heard == ["hello"]


def test_several_may_listen():
    call = make_call(0.5, Transcript("hello"), LONG)

    async def first_word() -> str:
        async for transcript in call.listen():
            return transcript.text
        return ""

    async def act() -> None:
        assert await asyncio.gather(first_word(), first_word()) == ["hello", "hello"]
        await call.hangup()

    run(call, talk(), act)


class Mute(Processor):
    """A model with nothing to say: the conversation is led by `call`."""

    async def process(self, frame: Transcript | DTMF) -> AsyncIterator[LLMText]:
        for text in ():
            yield LLMText(text)


def test_ask_returns_what_the_caller_answers():
    call = make_call(2.0, Transcript("I", final=False), 0.5, Transcript("I am Ann"), LONG)

    async def act() -> None:
        answer = await call.ask("Who are you?", timeout=5.0)
        assert answer is not None
        assert (answer.text, now()) == ("I am Ann", 2.5)
        await call.hangup()

    run(call, talk(Mute()), act)


def test_an_answer_may_come_before_the_question_was_said_to_its_end():
    call = make_call(0.5, Transcript("Ann"), LONG)

    async def act() -> None:
        answer = await call.ask("Who are you?", timeout=5.0)
        assert answer == Transcript("Ann")
        assert now() == 0.5
        await call.hangup()

    run(call, talk(Mute()), act)


def test_ask_gives_up_when_nothing_is_answered_after_the_question():
    call = make_call(LONG)

    async def act() -> None:
        assert await call.ask("Who are you?", timeout=5.0) is None
        assert now() == pytest.approx(6.2)
        await call.hangup()

    run(call, talk(Mute()), act)


def test_what_was_said_before_the_question_is_no_answer():
    call = make_call(0.5, Transcript("hello"), 2.0, Transcript("Ann"), LONG)

    async def act() -> None:
        await asyncio.sleep(1.0)
        assert await call.ask("Who?", timeout=5.0) == Transcript("Ann")
        await call.hangup()

    run(call, talk(Mute()), act)


def test_digits_collects_as_many_keys_as_asked_for():
    call = make_call(1.0, DTMF("1"), 1.0, DTMF("2"), 1.0, DTMF("3"), LONG)

    async def act() -> None:
        assert await call.digits(2) == "12"
        assert now() == 2.0
        await call.hangup()

    run(call, talk(Mute()), act)


@pytest.mark.parametrize(("end", "collected"), [("#", "12"), ("*", "12#3")])
def test_digits_end_with_the_end_key(end, collected):
    call = make_call(1.0, DTMF("1"), DTMF("2"), DTMF("#"), DTMF("3"), DTMF("*"), LONG)

    async def act() -> None:
        assert await call.digits(10, end=end) == collected
        await call.hangup()

    run(call, talk(Mute()), act)


def test_digits_end_when_no_key_is_pressed_for_a_while():
    call = make_call(2.0, DTMF("1"), 2.0, DTMF("2"), LONG)

    async def act() -> None:
        assert await call.digits(4, timeout=3.0) == "12"
        assert now() == 7.0
        await call.hangup()

    run(call, talk(Mute()), act)


def test_keys_are_heard_once_where_speakers_stand_beside_each_other():
    class Menu(Processor):
        async def process(self, frame: DTMF) -> AsyncIterator[LLMText]:
            for text in ():
                yield LLMText(text)

    call = make_call(0.5, DTMF("1"), 0.5, DTMF("2"), LONG)

    async def act() -> None:
        assert await call.digits(2) == "12"
        await call.hangup()

    run(call, lambda c: c.source | Parallel(Parrot(), Menu()) | Voice() | c.sink, act)


def test_a_caller_who_has_begun_to_answer_may_finish():
    script = (2.0, SpeechStarted(), 9.0, Transcript("at last"), SpeechStopped(), 5.0)
    call, answers = make_call(*script), []

    async def act() -> None:
        answers.append(await call.ask("well?", timeout=3.0))

    run(call, talk(Parrot()), act)
    assert [answer.text for answer in answers] == ["at last"]


def test_a_caller_who_began_and_said_nothing_has_not_answered():
    call, answers = make_call(2.0, SpeechStarted(), 9.0, SpeechStopped(), 5.0), []

    async def act() -> None:
        answers.append((await call.ask("well?", timeout=3.0), now()))

    run(call, talk(Parrot()), act)
    assert answers == [(None, pytest.approx(11.0, abs=0.3))]


def test_digits_are_asked_for_and_count_already_meanwhile():
    call, voice = make_call(0.2, DTMF("1"), 0.2, DTMF("2"), LONG), Voice()

    async def act() -> None:
        assert await call.digits(2, say="press two keys") == "12"
        assert now() == pytest.approx(0.4)
        assert await call.digits(2, say="and two more", timeout=3.0) == ""
        assert now() == pytest.approx(1.4 + 1.2 + 3.0)
        await call.hangup()

    run(call, talk(Parrot(), voice=voice), act)
    assert voice.texts == ["press two keys", "and two more"]


def test_what_was_begun_before_the_question_is_no_answer_to_it():
    script = (3.0, Transcript("my table", start=2.5), 2.0, Transcript("the one by the window", start=2.9), 3.0)
    call, answers = make_call(*script, Transcript("yes", start=7.0), 5.0), []

    async def act() -> None:
        first = await call.ask("what do you want to cancel")
        answers.append(first)
        answers.append(await call.ask("shall I cancel it"))

    run(call, talk(), act)
    assert [answer.text for answer in answers if answer] == ["my table", "yes"]


def test_a_listener_that_is_behind_still_learns_that_the_caller_is_gone():
    async def main() -> None:
        listener = Listener(False, lambda: None)
        for _ in range(KEPT_FRAMES + 10):
            listener.hear(DTMF("1"))
        listener.hear(End())
        async with asyncio.timeout(1.0):
            assert await listener.transcript() is None

    virtual(main())
