"""Backchannels while the agent speaks: it says its reply to the end, and the caller has not taken the turn."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from doubles import make_call
from stt.test_stt import Scripted, speech, utterance
from talking import Parrot, Voice, run, when

from voiceflow import DTMF, Frame, LLMText, Parallel, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors import LLM, BargeIn, Message

REPLY = "one two three. four five six. seven eight nine."
NOD = (SpeechStarted(), 0.3, Transcript("Mm-hmm."), SpeechStopped())


def said(*script: Frame | float, first: str = REPLY, barge_in: BargeIn | None = None) -> list[str]:
    """What the agent says, from its reply `first` on."""
    call, voice = make_call(Transcript(first), *script, 15.0), Voice()
    run(call, lambda call: call.source | (barge_in or BargeIn()) | Parrot() | voice | call.sink)
    return voice.texts


@pytest.mark.parametrize(
    "nod",
    ["Yeah.", "Okay", "Right.", "Mm-hmm.", "Uh-huh!", "Yes, yes.", "Ja, genau.", "D'accord.", "Vale.", "Sì.", "..."],
)
def test_a_reply_that_a_nod_has_cut_is_said_to_its_end_and_the_nod_is_no_turn(nod):
    assert said(1.0, SpeechStarted(), 0.3, Transcript(nod), SpeechStopped()) == [
        REPLY,
        "three. four five six. seven eight nine.",
    ]


def test_the_rest_follows_at_once():
    call, voice = make_call(Transcript(REPLY), 1.0, *NOD, 15.0), Voice()
    run(call, lambda call: call.source | BargeIn() | Parrot() | voice | call.sink)
    assert [at for at, _ in voice.said] == [0.0, 1.3]


def test_nods_after_the_nod_that_cut_it_are_no_turn_either():
    again = (
        SpeechStarted(),
        0.3,
        Transcript("Yeah."),
        0.1,
        SpeechStarted(),
        0.3,
        Transcript("Right."),
        SpeechStopped(),
    )
    assert said(1.0, *again) == [REPLY, "three. four five six. seven eight nine."]


def test_words_after_the_nod_are_the_turn():
    again = (
        SpeechStarted(),
        0.3,
        Transcript("Yeah."),
        0.1,
        SpeechStarted(),
        0.3,
        Transcript("but no"),
        SpeechStopped(),
    )
    assert said(1.0, *again) == [REPLY, "but no"]


def test_words_with_a_nod_before_them_are_a_turn():
    assert said(1.0, SpeechStarted(), 0.3, Transcript("yeah, stop"), SpeechStopped()) == [REPLY, "yeah, stop"]


def test_every_nod_of_a_long_reply_is_dropped():
    texts = said(1.0, *NOD, 1.0, *NOD, 1.0, *NOD)
    assert len(texts) == 4
    assert REPLY.endswith(texts[-1])


def test_a_nod_too_short_to_cut_the_reply_is_dropped_though_it_is_recognised_late():
    nod = (1.0, SpeechStarted(), 0.3, SpeechStopped(), 0.5, Transcript("okay"))
    assert said(*nod, barge_in=BargeIn(min_speech=1.0)) == [REPLY]


def test_to_a_silent_agent_it_is_an_answer():
    assert said(8.0, *NOD) == [REPLY, "Mm-hmm."]


def test_backchannels_of_ones_own_replace_the_built_in_ones():
    own = (SpeechStarted(), 0.3, Transcript("Go ahead!"), SpeechStopped())
    assert len(said(1.0, *own, barge_in=BargeIn(ignore=["go ahead"]))) == 2
    assert said(1.0, *own, barge_in=BargeIn(ignore=["go ahead"]))[1] != "Go ahead!"
    assert said(1.0, *NOD, barge_in=BargeIn(ignore=["go ahead"])) == [REPLY, "Mm-hmm."]


# answers

QUESTION = "I have a table at seven. Shall I book it for you?"


@pytest.mark.parametrize(("at", "is_answer"), [(1.0, False), (2.8, False), (4.2, True)])
def test_over_the_last_words_of_a_question_yes_is_the_answer(at, is_answer):
    texts = said(at, SpeechStarted(), 0.3, Transcript("Yes."), SpeechStopped(), first=QUESTION)
    assert (texts[1] == "Yes.") is is_answer
    assert is_answer or QUESTION.endswith(texts[1])


@pytest.mark.parametrize(("reply", "is_answer"), [(REPLY, False), ("Shall I book a table for two?", True)])
def test_so_it_is_where_words_interrupt(reply, is_answer):
    texts = said(1.0, Transcript("Yes."), first=reply, barge_in=BargeIn(min_words=1))
    assert texts == ([reply, "Yes."] if is_answer else [reply])


def test_an_answer_to_call_ask_needs_no_question_mark():
    call, voice, answers = make_call(2.6, SpeechStarted(), 0.3, Transcript("Yes."), SpeechStopped(), 15.0), Voice(), []

    async def act() -> None:
        answers.append(await call.ask("Please say yes or no after the tone."))

    run(call, lambda call: call.source | BargeIn() | Parrot() | voice | call.sink, act)
    assert [answer.text for answer in answers] == ["Yes."]


def test_a_nod_at_the_beginning_of_call_ask_is_no_answer():
    script = (0.8, *NOD, 9.0, SpeechStarted(), 0.3, Transcript("no"), SpeechStopped(), 15.0)
    call, voice, answers = make_call(*script), Voice(), []

    async def act() -> None:
        answers.append(await call.ask("Listen well. Please say yes or no after the tone."))

    run(call, lambda call: call.source | BargeIn() | Parrot() | voice | call.sink, act)
    assert [answer.text for answer in answers] == ["no"]


# with a detector, a recogniser and a model


class Storyteller(LLM):
    """Writes a sentence every half second; goes on from where the conversation says it has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[list[Message]] = []

    async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
        self.requests.append(messages)
        told = " ".join(message.content for message in messages if message.role == "assistant")
        for sentence in ("one two three. ", "four five six. ", "seven eight nine. "):
            if sentence.strip() not in told:
                await asyncio.sleep(0.5)
                yield sentence + "\n"


def test_a_model_is_never_told_of_a_nod_and_finishes_its_answer():
    model, voice = Storyteller(), Voice()
    stt = Scripted("tell me", "yeah", seconds=0.5)
    call = make_call(*utterance(1.0), 1.5, *utterance(0.5), 20.0)
    run(call, lambda call: call.source | BargeIn() | stt | model | voice | call.sink)
    assert [m.content for m in model.requests[0]] == ["tell me"]
    assert not any("yeah" in m.content for request in model.requests for m in request)
    assert {word for text in voice.texts for word in text.split()} >= set(REPLY.split())
    assert len(when(call, "clear")) == 1


def test_a_nod_that_is_recognised_while_the_caller_speaks_again_is_judged_by_itself():
    """The transcript of the nod comes when the next utterance, which is a turn, has begun."""
    voice, stt = Voice(), Scripted("first", "okay", "stop it", seconds=1.0)
    script = (*utterance(1.0), 1.2, *utterance(0.4, 0.3), *speech(0.2), *utterance(1.0), 20.0)
    call = make_call(*script)

    class Talkative(Parrot):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText(f"{frame.text}, a long story about nothing at all.")

    run(call, lambda call: call.source | BargeIn() | stt | Talkative() | voice | call.sink)
    assert [text.split(",")[0] for text in voice.texts] == ["first", "stop it"]


def test_nobody_who_listens_is_told_of_a_nod():
    call = make_call(0.1, Transcript(REPLY), 1.0, *NOD, 10.0)
    heard: list[str] = []

    async def act() -> None:
        async for transcript in call.listen():
            heard.append(transcript.text)

    run(call, lambda call: call.source | BargeIn() | Parrot() | Voice() | call.sink, act)
    assert heard == [REPLY]


def test_it_is_dropped_where_speakers_stand_beside_each_other():
    class Menu(Processor):
        async def process(self, frame: DTMF) -> AsyncIterator[LLMText]:
            for text in ():
                yield LLMText(text)

    call, voice = make_call(Transcript(REPLY), 1.0, *NOD, 15.0), Voice()
    run(call, lambda call: call.source | BargeIn() | Parallel(Menu(), Parrot()) | voice | call.sink)
    assert len(voice.texts) == 2
    assert REPLY.endswith(voice.texts[1])
