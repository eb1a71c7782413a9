"""A sound that was no turn interrupts the agent: it goes on, to the end of its answer."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from doubles import make_call
from talking import LONG, Voice, kinds, run

from voiceflow import Call, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors import LLM, BargeIn, Message

WORDS = ("one two three four. ", "five six seven. ", "eight nine ten. ")


class Recogniser(Processor):
    """Passes transcripts, as a pipeline with speech recognition does."""

    def process(self, frame: Transcript) -> Transcript:
        return frame


class Model(LLM):
    """Writes a sentence every second; goes on from where the conversation says it has stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[list[Message]] = []

    async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
        self.requests.append(messages)
        said = " ".join(m.content for m in messages if m.role == "assistant")
        for sentence in WORDS:
            if sentence.strip() not in said:
                await asyncio.sleep(1.0)
                yield sentence + "\n"


def conversation(*script: object) -> tuple[Model, Voice, Call]:
    model, voice = Model(), Voice()
    call = make_call(*script, LONG)  # type: ignore[arg-type]

    async def act() -> None:
        await asyncio.sleep(60.0)
        await call.hangup(force=True)

    run(call, lambda c: c.source | Recogniser() | BargeIn() | model | voice | c.sink, act)
    return model, voice, call


COUGH = (SpeechStarted(), 0.3, SpeechStopped())


@pytest.mark.parametrize("at", [1.2, 1.9, 2.5, 3.1])
def test_the_reply_goes_on_to_its_end(at):
    _, voice, call = conversation(Transcript("count"), at, *COUGH)
    assert kinds(call).count("clear") == 1
    said = " ".join(voice.texts).split()
    assert {word.rstrip(".") for word in said} == {word.rstrip(".") for word in " ".join(WORDS).split()}


def test_the_request_for_the_rest_holds_what_was_made_and_no_words_of_the_callers():
    model, _, _ = conversation(Transcript("count"), 1.2, *COUGH)
    _, rest = model.requests
    assert [message.role for message in rest] == ["user", "assistant", "user"]
    assert rest[0].content == "count"
    assert rest[1].content.startswith("one two three four.")
    assert rest[2].content == "(Go on from where you stopped.)"


def test_an_answer_that_was_complete_needs_no_second_request():
    model, voice, _ = conversation(Transcript("count"), 4.5, *COUGH)
    assert len(model.requests) == 1
    assert voice.texts[-1].endswith("ten.")


def test_words_are_a_turn_and_nothing_goes_on():
    model, _, _ = conversation(Transcript("count"), 1.2, SpeechStarted(), 0.3, Transcript("stop"), SpeechStopped())
    assert [message.content for message in model.requests[1] if message.role == "user"] == ["count stop"]
    assert len(model.requests) == 2


def test_an_interruption_of_the_rest_ends_it_for_good():
    model, _, call = conversation(
        Transcript("count"), 1.2, *COUGH, 1.5, SpeechStarted(), 0.3, Transcript("enough"), SpeechStopped()
    )
    assert kinds(call).count("clear") == 2
    assert [m.content for m in model.requests[-1] if m.role == "user"][-1] == "enough"
