"""The language of a call, and what callers hear and models are sent in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from doubles import PIECE, Ear, Script, virtual
from talking import LONG, Voice, audio, ear_of, run
from tts.voices import FORM, Letters, text_of

from voiceflow import Call, Element, Frame, Route, SpeechStarted, SpeechStopped, Transcript, preload
from voiceflow.processors import STT, Dialog, Greeting
from voiceflow.processors.codec import convert
from voiceflow.processors.llm import LLM, AutoLLM, Message, Responder, ToolCall
from voiceflow.words import CATALOGUE

GERMAN, FRENCH, ENGLISH = CATALOGUE["de"], CATALOGUE["fr"], CATALOGUE["en"]
GUTEN_TAG = Transcript("Guten Tag.", language="de")


def a_call(*script: Frame | float, **route: Any) -> Call:
    return Call(Script(*script), Ear(FORM), transport="test", route=Route(**route))


class Asked(LLM):
    """Notes what it is sent, and fails."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[list[Message]] = []

    async def chat(self, messages: list[Message]) -> str:
        self.sent.append(messages)
        raise ConnectionError("gone")


class Slow(LLM):
    async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
        await asyncio.sleep(9.0)
        yield "Well."


# -- which language it is


@pytest.mark.parametrize(
    ("route", "transcripts", "language"),
    [
        ({}, [], "en"),
        ({"language": "de"}, [], "de"),
        ({"language": "de"}, [Transcript("Bonjour, madame.", language="fr")], "de"),
        ({}, [GUTEN_TAG], "de"),
        ({"language": "auto"}, [GUTEN_TAG], "de"),
        ({}, [Transcript("Guten Tag.", language="de-AT")], "de"),
        ({}, [GUTEN_TAG, Transcript("Bonjour, madame.", language="fr")], "fr"),
        ({"tts_voice": "es_ES-davefx-medium"}, [], "es"),
        ({"tts_voice": "es_ES-davefx-medium"}, [GUTEN_TAG], "de"),
        ({"tts_voice": "mine.onnx"}, [], "en"),
        ({}, [Transcript("Ja.", language="de")], "en"),
        ({}, [Transcript("Ja.", language="de"), Transcript("Gut.", language="de")], "de"),
        ({}, [Transcript("Ja.", language="de"), Transcript("Yes.", language="en")], "en"),
        ({}, [Transcript("Guten Tag.", final=False, language="de")], "en"),
        ({}, [GUTEN_TAG, Transcript("Hm hm hm.")], "de"),
    ],
)
def test_it_is_the_routes_else_what_was_recognised_else_the_voices_else_english(
    route: dict[str, Any], transcripts: list[Transcript], language: str
) -> None:
    call = a_call(*[item for transcript in transcripts for item in (0.1, transcript)], 1.0, **route)
    run(call, lambda call: call.source | Asked() | Voice() | call.sink)
    assert call.language == language
    assert call.words == CATALOGUE[language]


def test_a_voice_that_is_chosen_in_the_pipeline_tells_the_language_too() -> None:
    call = a_call(1.0)
    run(call, lambda call: call.source | Asked() | Letters("it_IT-paola-medium") | call.sink)
    assert call.language == "it"
    assert text_of(call.hold.data) == CATALOGUE["it"].hold  # type: ignore[union-attr]


def test_a_change_is_told_once() -> None:
    told: list[str] = []
    call = a_call(0.1, GUTEN_TAG, 0.1, GUTEN_TAG, 1.0)
    call.on_language(told.append)
    run(call, lambda call: call.source | Asked() | Voice() | call.sink)
    assert told == ["de"]


# -- what is heard and sent in it


@pytest.mark.parametrize(("route", "said"), [({"language": "de"}, Transcript("Hallo.")), ({}, GUTEN_TAG)])
def test_the_apology_of_a_model_that_fails_is_in_it(route: dict[str, Any], said: Transcript) -> None:
    voice = Voice()
    run(a_call(0.1, said, 20.0, **route), lambda call: call.source | Asked() | voice | call.sink)
    assert voice.texts == [GERMAN.cannot_think]


def test_a_model_that_breaks_off_says_so_in_it() -> None:
    class BreaksOff(LLM):
        async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
            yield "Nun ja"
            raise ConnectionError("gone")

    voice = Voice()
    run(a_call(0.1, GUTEN_TAG, 20.0), lambda call: call.source | BreaksOff() | voice | call.sink)
    assert "".join(voice.texts).endswith(GERMAN.lost_thought)


def test_the_request_to_a_model_is_in_it() -> None:
    asked = Asked()
    call = a_call(5.0, GUTEN_TAG, 20.0)
    run(call, lambda call: call.source | Greeting("Tag!") | asked | Voice() | call.sink)
    assert asked.sent[0][0] == Message("user", GERMAN.connected)


def weather(city: str) -> str:
    """The weather in a city."""
    raise OSError("no network")


def test_the_results_of_tools_that_fail_are_in_it() -> None:
    class Calls(LLM):
        async def chat(self, messages: list[Message]) -> AsyncIterator[str | ToolCall]:
            results = [message.content for message in messages if message.role == "tool"]
            if results:
                told.extend(results)
                yield "Gut."
                return
            yield ToolCall("1", "weather", '{"city": "Oslo"}')
            yield ToolCall("2", "weather", "{}")
            yield ToolCall("3", "nothing", "{}")

    told: list[str] = []
    call = a_call(0.1, GUTEN_TAG, 20.0)
    run(call, lambda call: call.source | Calls(tools=[weather]) | Voice() | call.sink)
    assert told[0] == "Fehler: OSError: no network"
    assert told[1].startswith("Fehler: falsche Argumente für weather: ")
    assert told[2] == "Fehler: Es gibt kein Werkzeug 'nothing', nur weather."


def test_the_built_in_responder_answers_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LLM_PROVIDER", "ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_URL", "http://127.0.0.1:9")
    for llm in (Responder(), AutoLLM()):
        voice = Voice()
        call = a_call(0.1, GUTEN_TAG, 20.0)
        run(call, lambda call, llm=llm, voice=voice: call.source | llm | voice | call.sink)  # type: ignore[misc]
        assert voice.texts == ["Sie haben gesagt: Guten Tag. Erzählen Sie mir bitte mehr."]


@pytest.mark.parametrize(("route", "said"), [({"language": "de"}, Transcript("Hallo.")), ({}, GUTEN_TAG)])
def test_the_hold_line_is_in_it_in_the_very_turn_in_which_it_was_recognised(
    route: dict[str, Any], said: Transcript
) -> None:
    call = a_call(0.1, said, SpeechStopped(), 8.0, **route)
    run(call, lambda call: call.source | Slow() | Letters("other") | call.sink)
    assert text_of(ear_of(call).audio).startswith(GERMAN.hold)


def test_the_apology_of_a_voice_that_fails_is_in_it() -> None:
    class Stumbles(Letters):
        def synthesize(self, text: str, voice: str) -> bytes:
            if text == "Ach.":
                raise OSError("stumbled")
            return super().synthesize(text, voice)

    async def talk(call: Call) -> None:
        await call.say("Ach.")

    call = a_call(10.0, language="de")
    run(call, lambda call: call.source | Dialog(talk) | Stumbles("two") | call.sink)
    assert text_of(ear_of(call).audio) == GERMAN.apology


@pytest.mark.parametrize("language", CATALOGUE)
def test_the_recorded_apology_of_a_voice_that_cannot_speak_at_all_is_in_it(language: str) -> None:
    class Broken(Letters):
        def synthesize(self, text: str, voice: str) -> bytes:
            raise OSError("broken")

    call, english = a_call(1.0, language=language), a_call(1.0)
    for each in (call, english):
        run(each, lambda call: call.source | Asked() | Broken("six") | call.sink)
    assert call.apology is not None
    assert (call.apology == english.apology) == (language == "en")
    assert 1.5 < call.apology.duration < 4.0
    loud = abs(convert(call.apology, FORM).samples.astype(int))
    assert 5_000 < loud.max() < 32_000
    assert loud[-160:].max() < 2_000


def test_lines_that_are_the_users_own_stay() -> None:
    call = a_call(0.1, GUTEN_TAG, 5.0)
    call.hold = mine = audio(1.0)
    run(call, lambda call: call.source | Asked() | Letters("three") | call.sink)
    assert call.hold is mine
    assert text_of(call.apology.data) == GERMAN.apology  # type: ignore[union-attr]


class Deaf(STT):
    async def transcribe(self, audio: bytes, rate: int) -> str:
        raise OSError("deaf")


def deaf_call(stt: STT, **route: Any) -> list[str]:
    voice = Voice()
    said = (SpeechStarted(), *[PIECE] * 50, SpeechStopped())
    run(a_call(*said, 20.0, **route), lambda call: call.source | stt | Asked() | voice | call.sink)
    return voice.texts


def test_the_apology_of_recognition_that_fails_is_in_it_unless_it_has_its_own() -> None:
    class Own(Deaf):
        apology = "Wie bitte?"

    assert deaf_call(Deaf(), language="fr") == [FRENCH.not_caught]
    assert deaf_call(Own(), language="fr") == ["Wie bitte?"]


def test_a_greeting_without_text_is_in_it() -> None:
    voice = Voice()
    run(a_call(5.0, language="nl"), lambda call: call.source | Greeting() | Asked() | voice | call.sink)
    assert voice.texts == [CATALOGUE["nl"].greeting]


def test_words_of_a_route_are_heard() -> None:
    voice = Voice()
    words = {"de": {"cannot_think": "Moment mal."}}
    run(a_call(0.1, GUTEN_TAG, 20.0, words=words), lambda call: call.source | Asked() | voice | call.sink)
    assert voice.texts == ["Moment mal."]


def test_a_server_makes_the_lines_of_its_routes_before_the_first_call() -> None:
    made: list[str] = []

    class Counting(Letters):
        def synthesize(self, text: str, voice: str) -> bytes:
            made.append(text)
            return super().synthesize(text, voice)

    def build(call: Call) -> Element:
        return call.source | Asked() | Counting("four") | call.sink

    nominal, call = (a_call(1.0, language="de", words={"": {"hold": "Augenblick."}}) for _ in range(2))
    virtual(preload(build(nominal), nominal))
    assert made == [GERMAN.apology, "Augenblick."]
    run(call, build)
    assert (text_of(call.hold.data), len(made)) == ("Augenblick.", 2)  # type: ignore[union-attr]


def test_a_voice_that_cannot_follow_does_not_end_the_call() -> None:
    class Rigid(Letters):
        async def follow(self, language: str, call: Call) -> None:
            await asyncio.sleep(LONG)

    call = a_call(0.1, GUTEN_TAG, 5.0)
    ended = run(call, lambda call: call.source | Asked() | Rigid("five") | call.sink)
    assert ended.error is None
