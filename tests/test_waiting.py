"""A model that waits for a thread, because other calls have taken all of them, is not given up as if it hung."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from doubles import make_call
from talking import Build, Notes, Parrot, Voice, audio, run, talk
from tts.voices import RATE, letters

from voiceflow import AudioRaw, Error, Frame, SpeechStarted, SpeechStopped, Transcript
from voiceflow.inference import InferencePool
from voiceflow.processors import LLM, STT, TTS, Message, ToolCall
from voiceflow.processors.llm import pieces, tools
from voiceflow.processors.spoken import speak
from voiceflow.processors.stt import transcriber
from voiceflow.processors.tts import speech

WAITED = 40.0
"""Seconds that the call's job waits: longer than any limit on work, shorter than the limit on waiting."""


class Crowded:
    """A pool of one thread, which other calls have taken."""

    def __init__(self) -> None:
        self.pool = InferencePool(1)
        self._begun, self._go = threading.Event(), threading.Event()
        self._other = threading.Thread(target=lambda: asyncio.run(self.pool.run(self._take)))

    def __enter__(self) -> "Crowded":
        self._other.start()
        assert self._begun.wait(10.0)
        return self

    def __exit__(self, *error: object) -> None:
        self._go.set()
        self._other.join(10.0)

    async def passes(self) -> None:
        """Let the call's job wait for its thread, and then have it."""
        for _ in range(2000):
            if self.pool.queued:
                break
            await asyncio.sleep(0)
        assert self.pool.queued == 1
        asyncio.get_running_loop().advance(WAITED)  # type: ignore[attr-defined]
        for _ in range(5):
            await asyncio.sleep(0)
        self._go.set()

    def _take(self) -> None:
        self._begun.set()
        self._go.wait(10.0)


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowded]:
    speak("", "en")  # what writing sentences out needs is loaded: else a thread would load it in the call
    with Crowded() as crowd:
        monkeypatch.setattr(transcriber, "recognition_pool", lambda: crowd.pool)
        monkeypatch.setattr(speech, "shared_pool", lambda: crowd.pool)
        monkeypatch.setattr(tools, "waiting_pool", lambda: crowd.pool)
        yield crowd


class Recogniser(STT):
    def transcribe(self, audio: bytes, rate: int) -> str:
        return "heard"


class Robot(TTS):
    rate = RATE

    def synthesize(self, text: str, voice: str) -> bytes:
        return letters(text)


class Oracle(LLM):
    def chat(self, messages: list[Message]) -> str:
        return "well"


class Asks(LLM):
    """Calls its tool first."""

    async def chat(self, messages: list[Message]) -> "str | ToolCall":
        return messages[-1].content if messages[-1].role == "tool" else ToolCall("1", "look_up", "{}")


def look_up() -> str:
    """Look it up."""
    return "found"


def said(build: Build, crowded: Crowded, *script: Frame | float) -> None:
    call = make_call(*script, 120.0)
    call.apology = call.hold = AudioRaw(bytes(640))
    ended = run(call, build, act=crowded.passes)
    assert ended.error is None


def test_speech_recognition_that_waits_for_a_thread_is_not_given_up(crowded):
    notes = Notes()
    said(talk(ears=(Recogniser(), notes)), crowded, SpeechStarted(), audio(1.0), SpeechStopped(0.0))
    assert [frame.text for frame in notes.of(Transcript)] == ["heard"]
    assert notes.of(Error) == []


def test_a_voice_that_waits_for_a_thread_is_not_given_up(crowded):
    notes = Notes()
    said(lambda call: call.source | Parrot() | Robot() | notes | call.sink, crowded, Transcript("Hi."))
    assert notes.of(Error) == []
    assert len(notes.of(AudioRaw)) > 0


def test_a_language_model_that_waits_for_a_thread_is_not_given_up(crowded, monkeypatch):
    monkeypatch.setattr(pieces, "waiting_pool", lambda: crowded.pool)
    voice = Voice()
    said(talk(Oracle(), voice=voice), crowded, Transcript("Hi."))
    assert voice.texts == ["well"]


def test_a_tool_that_waits_for_a_thread_is_not_given_up(crowded):
    voice = Voice()
    said(talk(Asks(tools=[look_up]), voice=voice), crowded, Transcript("Hi."))
    assert voice.texts == ["found"]
