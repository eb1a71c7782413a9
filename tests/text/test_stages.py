"""The stages around the splitter and the cleaner, in a call."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from doubles import make_call
from talking import Interrupter, Notes, Voice, run, talk

from voiceflow import DTMF, Frame, LLMEnd, LLMText, Processor, Transcript
from voiceflow.processors.text import CleanForSpeech, SplitSentences


class Model(Processor):
    """Says each of its pieces a second after the one before."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        for piece in self.pieces:
            yield LLMText(piece)
            await asyncio.sleep(1.0)


def speech(*stages: Processor, pieces: tuple[str, ...], script: tuple[Frame | float, ...]) -> list[tuple[float, Frame]]:
    notes = Notes()
    ears = (Interrupter(),)
    run(make_call(*script), talk(Model(*pieces), *stages, notes, voice=Voice(), ears=ears))
    return [(at, frame) for at, frame in notes.seen if isinstance(frame, LLMText | LLMEnd)]


def test_each_sentence_is_a_frame_that_ends_with_a_newline_and_leaves_when_it_is_certain():
    said = speech(SplitSentences(), pieces=("Hello! I ", "am Dr. Smith. And", " you?"), script=(Transcript("hi"), 20.0))
    assert said == [
        (0.0, LLMText("Hello!\n")),
        (1.0, LLMText("I am Dr. Smith.\n")),
        (3.0, LLMText("And you?\n")),
        (3.0, LLMEnd()),
    ]


@pytest.mark.parametrize("stage", [SplitSentences, CleanForSpeech])
def test_what_is_held_leaves_before_the_end_of_the_reply(stage):
    said = speech(stage(), pieces=("a *",), script=(Transcript("hi"), 20.0))
    assert [type(frame) for _, frame in said[-2:]] == [LLMText, LLMEnd]


def test_the_reply_after_begins_afresh():
    said = speech(
        CleanForSpeech(),
        SplitSentences(),
        pieces=("<think>never", " closed"),
        script=(Transcript("hi"), 5.0, Transcript("hi"), 5.0),
    )
    assert [frame for _, frame in said] == [LLMEnd(), LLMEnd()]
    said = speech(SplitSentences(), pieces=("one",), script=(Transcript("hi"), 5.0, Transcript("hi"), 5.0))
    assert [frame for _, frame in said] == [LLMText("one\n"), LLMEnd()] * 2


@pytest.mark.parametrize("stage", [SplitSentences, CleanForSpeech])
def test_an_interruption_forgets_what_was_held(stage):
    script = (Transcript("hi"), 0.5, DTMF("1"), 0.5, Transcript("again"), 20.0)
    said = speech(stage(), pieces=("Never [mind", " it"), script=script)
    text = "".join(frame.text for _, frame in said if isinstance(frame, LLMText))
    assert "mind it" in text
    assert "mind Never" not in text
    assert "mindNever" not in text


def test_text_without_markup_is_the_same_frame():
    frame = LLMText("Hello there")
    assert next(CleanForSpeech().process(frame)) is frame


def test_cleaned_sentences():
    said = speech(
        CleanForSpeech("our page"),
        SplitSentences(),
        pieces=("**Sure!**", " Visit https://", "x.com.\n\n- One", "\n- Two 👋"),
        script=(Transcript("hi"), 20.0),
    )
    assert [frame.text for _, frame in said if isinstance(frame, LLMText)] == [
        "Sure!\n",
        "our page.\n",
        "One\n",
        "Two\n",
    ]
