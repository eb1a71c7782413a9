"""A voice of one's own: the forms of `synthesize`, what it may give, and what becomes of text."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from doubles import make_call
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import Parrot, ear_of, run
from tts.voices import FORM, RATE, Letters, Timed, letters, shown, spoken, text_of, words

from voiceflow import AudioRaw, End, Error, LLMEnd, LLMText, Mark, Processor, Transcript, Word
from voiceflow.linking.linker import link
from voiceflow.processors.text import CleanForSpeech, SplitSentences
from voiceflow.processors.tts import TTS, Speech

HELLO = LLMText("Hello there.\n")
SAID = [Mark("Hello there."), "Hello there.", Mark()]
SORRY = [Mark("Sorry, something went wrong."), "Sorry, something went wrong.", Mark()]


# --- the forms of synthesize ---


class Generator(TTS):
    rate = RATE

    def synthesize(self, text: str, voice: str) -> Iterator[bytes]:
        for character in text:
            yield letters(character)


class Coroutine(TTS):
    rate = RATE

    async def synthesize(self, text: str, voice: str) -> bytes:
        await asyncio.sleep(0.1)
        return letters(text)


class AsyncGenerator(TTS):
    rate = RATE

    async def synthesize(self, text: str, voice: str) -> AsyncIterator[bytes]:
        for character in text:
            await asyncio.sleep(0.01)
            yield letters(character)


class Returned(TTS):
    """A plain function that returns an iterator made elsewhere."""

    rate = RATE

    def synthesize(self, text: str, voice: str) -> Iterator[bytes]:
        return iter([letters(text[:3]), letters(text[3:])])


class AwaitedIterator(TTS):
    """A coroutine that returns an asynchronous iterator made elsewhere."""

    rate = RATE

    async def synthesize(self, text: str, voice: str) -> AsyncIterator[bytes]:
        return AsyncGenerator().synthesize(text, voice)


class Decorated(TTS):
    """A plain function that returns what a coroutine function does, as decorators make them."""

    rate = RATE

    def synthesize(self, text: str, voice: str) -> Any:
        return Coroutine().synthesize(text, voice)


class CutAnywhere(TTS):
    """A stream from a network, cut without regard to samples."""

    rate = RATE

    async def synthesize(self, text: str, voice: str) -> AsyncIterator[bytes]:
        audio = letters(text)
        for at in range(0, len(audio), 777):
            yield audio[at : at + 777]


@pytest.mark.parametrize(
    "form", [Letters, Generator, Coroutine, AsyncGenerator, Returned, AwaitedIterator, Decorated, CutAnywhere]
)
def test_every_form_of_synthesize_gives_the_same_speech(form):
    out = spoken(form(), HELLO)
    assert all(frame.format is FORM for frame in out if isinstance(frame, AudioRaw))
    assert shown(out) == SAID


def test_a_stream_is_passed_on_piece_by_piece():
    out = spoken(AsyncGenerator(), HELLO)
    assert [len(frame.data) for frame in out[1:-1]] == [FORM.bytes_for(0.05)] * len("Hello there.")


def test_synthesize_gets_the_voice():
    for tts in (Letters("low"), type("Class", (Letters,), {"voice": "low"})()):
        spoken(tts, HELLO)
        assert tts.asked[-1] == ("Hello there.", "low")
        assert tts.list_voices() == ["low"]


def test_a_subclass_need_not_call_our_init():
    class Own(TTS):
        rate = RATE

        def __init__(self) -> None:
            self.pitch = 2

        def synthesize(self, text: str, voice: str) -> bytes:
            return letters(text)

    assert shown(spoken(Own(), HELLO)) == SAID


def test_synthesize_may_be_assigned():
    class Assigned(TTS):
        rate = RATE
        synthesize = lambda self, text, voice: letters(text)  # noqa: E731

    class Given(TTS):
        rate = RATE

        def __init__(self) -> None:
            self.synthesize = lambda text, voice: letters(text)  # type: ignore[method-assign]

    assert shown(spoken(Assigned(), HELLO)) == shown(spoken(Given(), HELLO)) == SAID


@pytest.mark.parametrize("missing", ["rate", "synthesize"])
def test_what_a_voice_lacks_is_told_when_it_is_linked(missing):
    body: dict[str, Any] = {"rate": RATE, "synthesize": lambda self, text, voice: b""}
    del body[missing]
    mute = type("Mute", (TTS,), body)
    call = make_call()
    with pytest.raises(TypeError, match=f"Mute has no `{missing}`: write"):
        link(call.source | Parrot() | mute() | call.sink)


# --- words ---


def test_word_times_come_with_the_mark():
    assert spoken(Timed(), HELLO)[0] == Mark("Hello there.", words("Hello there."))


def test_the_words_of_a_whole_sentence_are_timed_by_its_length():
    # Every letter of this voice lasts equally long, so that they are exact.
    mark = spoken(Letters(), HELLO)[0]
    assert [word.text for word in mark.words] == ["Hello", "there."]
    assert [word.end for word in mark.words] == pytest.approx([0.25, 0.6])


def test_a_stream_without_words_leaves_them_to_the_engine():
    assert spoken(AsyncGenerator(), HELLO)[0] == Mark("Hello there.")


def test_a_stream_may_give_the_words_before_the_audio():
    class Ahead(TTS):
        rate = RATE

        async def synthesize(self, text: str, voice: str) -> AsyncIterator[Speech | bytes]:
            yield Speech(b"", words(text))
            yield letters(text)

    out = spoken(Ahead(), HELLO)
    assert out[0] == Mark("Hello there.", words("Hello there."))
    assert shown(out) == SAID


def test_words_after_audio_are_an_error():
    class Behind(TTS):
        rate = RATE

        async def synthesize(self, text: str, voice: str) -> AsyncIterator[Speech]:
            yield Speech(letters("H"), words("Hello"))
            yield Speech(letters("i"), (Word("there", 1.0),))

    errors = [frame for frame in spoken(Behind(), HELLO) if isinstance(frame, Error)]
    assert "words come with its first audio" in errors[0].message


# --- what goes wrong ---


class Gives(TTS):
    """Speaks the fixed lines, and for all else gives what it was told."""

    rate = RATE

    def __init__(self, *pieces: object) -> None:
        super().__init__()
        self.pieces = pieces

    def synthesize(self, text: str, voice: str) -> object:
        if text != "Hello there.":
            return letters(text)
        if len(self.pieces) == 1:
            return self.pieces[0]
        return iter(self.pieces)


@pytest.mark.parametrize(
    ("tts", "told"),
    [
        (Gives(b""), "gave no audio for 'Hello there.'"),
        (Gives(b"\0" * 3), "odd number of bytes"),
        (Gives(b"\0" * 3, b"\0" * 4), "odd number of bytes"),
        (Gives([1, 2]), "gave list: expected bytes"),
        (Gives(None), "gave NoneType: expected bytes"),
        (Gives("audio", b"\0\0"), "gave str: expected bytes"),
        (Gives(b"\0\0", None), "gave NoneType: expected bytes"),
    ],
)
def test_what_is_not_audio_is_an_error_that_says_what_was_expected(tts, told, caplog):
    out = spoken(tts, HELLO, LLMText("And on.\n"))
    errors = [frame for frame in out if isinstance(frame, Error)]
    assert told in errors[0].message
    assert errors[0].processor == "Gives"
    assert shown(out)[-6:] == [*SORRY, Mark("And on."), "And on.", Mark()]


def test_a_whole_sentence_that_is_not_audio_is_not_even_begun(caplog):
    out = spoken(Gives(b"\0" * 60_001), HELLO)
    assert isinstance(out[0], Error)
    assert shown(out)[1:] == SORRY


class Fails(TTS):
    """Cannot speak when it is told not to."""

    rate = RATE

    def __init__(self, on: str = "Hello") -> None:
        self.on = on

    async def synthesize(self, text: str, voice: str) -> AsyncIterator[bytes]:
        if text.startswith(self.on):
            raise ConnectionError("the server is gone")
        yield letters(text[:1])
        if text.startswith("Half"):
            raise ConnectionError("the server is gone")
        yield letters(text[1:])


def test_a_failure_is_an_error_and_the_apology_and_the_next_sentence_is_spoken(caplog):
    out = shown(spoken(Fails(), LLMText("Hello there.\nAnd on.\n")))
    assert out == [
        Error("could not say 'Hello there.': ConnectionError: the server is gone", "Fails"),
        *SORRY,
        Mark("And on."),
        "And on.",
        Mark(),
    ]
    assert "Fails could not say a sentence: the server is gone" in caplog.text
    assert "Hello there" not in caplog.text  # the log has it with `debug` alone


def test_a_sentence_that_fails_in_the_middle_is_closed_before_the_apology(caplog):
    out = shown(spoken(Fails(), LLMText("Half of it.\n")))
    assert out[:3] == [Mark("Half of it."), "H", Mark()]
    assert isinstance(out[3], Error)
    assert out[4:] == SORRY


def test_a_request_that_was_cancelled_by_others_is_a_failure_like_others(caplog):
    class Cancelled(TTS):
        rate = RATE

        async def synthesize(self, text: str, voice: str) -> bytes:
            if text != "Hello there.":
                return letters(text)
            raise asyncio.CancelledError

    out = shown(spoken(Cancelled(), HELLO, LLMText("And on.\n")))
    assert out[0] == Error(
        "could not say 'Hello there.': RuntimeError: it awaited something that was cancelled", "Cancelled"
    )
    assert out[1:] == [*SORRY, Mark("And on."), "And on.", Mark()]


def test_one_apology_is_enough_for_a_reply(caplog):
    out = shown(spoken(Fails(), LLMText("Hello.\nHello.\nHello.\n"), LLMEnd(), LLMText("Hello.\n")))
    apologies = [place for place, frame in enumerate(out) if frame == "Sorry, something went wrong."]
    assert len([frame for frame in out if isinstance(frame, Error)]) == 4
    assert apologies == [2, 9]
    assert out[6] == LLMEnd()


def test_a_voice_that_never_speaks_has_the_recorded_apology(caplog):
    with caplog.at_level(logging.ERROR):
        out = spoken(Fails(on=""), HELLO)
    assert [type(frame) for frame in out] == [Error, Mark, AudioRaw, Mark]
    assert 1.5 < out[2].duration < 2.5
    assert out[2].format is FORM
    assert abs(out[2].samples).max() > 10_000
    assert "Fails cannot speak, its callers will hear a recorded apology: ConnectionError" in caplog.text


# --- from text to sentences ---


@pytest.mark.parametrize("text", ["...", "?!", "\N{GRINNING FACE}\N{PARTY POPPER}", " \n \n", "* * *", "", "—"])
def test_what_has_no_words_is_not_spoken(text):
    assert spoken(Letters(), LLMText(text), LLMEnd()) == [LLMEnd()]


def test_what_is_left_is_spoken_at_the_end_of_the_reply_and_before_it():
    out = shown(spoken(Letters(), LLMText("Hello. And"), LLMText(" on"), LLMEnd()))
    assert out == [Mark("Hello."), "Hello.", Mark(), Mark("And on"), "And on", Mark(), LLMEnd()]


def test_what_is_left_is_spoken_when_the_agent_hangs_up():
    class Leaves(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText | End]:
            yield LLMText("Good bye")
            yield End()

    call = make_call(Transcript("bye"), 10.0)
    run(call, lambda call: call.source | Leaves() | Letters() | call.sink)
    assert text_of(ear_of(call).audio) == "Good bye"


@pytest.mark.parametrize("text", ["word " * 1000, "x" * 5000])
def test_five_thousand_characters_without_punctuation_are_spoken_in_parts(text):
    tts = Letters()
    spoken(tts, LLMText(text), LLMEnd())
    said = [asked for asked, _ in tts.asked if asked[0] in "wx"]
    assert "".join(said).replace(" ", "") == text.replace(" ", "")
    assert max(map(len, said)) <= 1000


@pytest.mark.parametrize("text", ["Привет, мир.", "你好，世界。", "नमस्ते दुनिया।", "مرحبا بالعالم.", "こんにちは。"])
def test_other_scripts_are_spoken(text):
    assert shown(spoken(Letters(), LLMText(text), LLMEnd()))[0] == Mark(text)


def chopped(text: str, places: list[int]) -> list[LLMText]:
    cuts = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [LLMText(text[a:b]) for a, b in itertools.pairwise(cuts)]


TEXT = (
    "Hello, Mr. Smith! It costs $3.50 - see [our shop](https://a.example/b).\n\n1. **First**, pay.\n2. Wait... Then go."
)
texts = st.lists(st.sampled_from([*TEXT.split(" "), "\n", "e.g.", "1980.", "ä", "\N{GRINNING FACE}"]), max_size=12)


@given(texts.map(" ".join), st.lists(st.integers(0, 1000), max_size=12))
@settings(max_examples=40, deadline=None)
def test_how_a_text_is_cut_into_tokens_makes_no_difference(text, places):
    whole = spoken(Coroutine(), LLMText(text), LLMEnd())
    assert spoken(Coroutine(), *chopped(text, places), LLMEnd()) == whole


def test_text_may_have_been_cleaned_and_split_before():
    def asked(*before: Any) -> list[str]:
        frames: list[Any] = [LLMText(TEXT), LLMEnd()]
        for stage in before:
            frames = [out for frame in frames for out in stage.process(frame)]
        return [frame.text for frame in spoken(Letters(), *frames) if isinstance(frame, Mark)]

    assert asked(CleanForSpeech(), SplitSentences()) == asked()


def test_a_transcript_is_not_spoken():
    assert not Letters().signature.takes(Transcript)
