"""Whole calls in which something is bad - what the caller sends, the model, the voice - and what the caller hears then.

The outcome is the same everywhere: the caller is never left in silence for five seconds without a word, and the next
question is answered.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import numpy as np
import pytest
from doubles import Ear, Script
from e2e import engines
from talking import run
from tts.voices import RATE, letters, text_of
from vad.listening import SAID, Sound, melody, pcm, pink, row, silence, white

from voiceflow import CANONICAL, AudioRaw, Call, Frame, Limits, Pipeline, Processor
from voiceflow.processors import STT, TTS, BargeIn, EnergyVAD, SileroVAD, WhisperSTT
from voiceflow.processors.codec import convert
from voiceflow.processors.llm import LLM, Message

PIECE = 0.02
DEAD = 5.0
"""Seconds of silence, without a word, that are too long."""
HOLD = "One moment, please."
SORRY_MODEL = "Sorry, I cannot think right now.Please say that again."
"""As it is heard: sentence after sentence."""
SORRY_MIDWAY = "Sorry, I lost my train of thought."
SORRY_VOICE = "Sorry, something went wrong."
SORRY_EARS = "Sorry, I did not catch that."
Step = float | str | Exception
"""Of a model: seconds to think, a piece of the answer, what it raises."""


class Ears(STT):
    """Understands everything, but for those utterances with which something is wrong."""

    def __init__(self, *wrong: float | Exception) -> None:
        super().__init__()
        self.heard: list[float] = []
        """How many seconds each piece of an utterance had."""
        self._wrong = list(wrong)

    async def transcribe(self, audio: bytes, rate: int) -> str:
        self.heard.append(len(audio) / CANONICAL.byte_rate)
        match self._wrong.pop(0) if self._wrong else None:
            case Exception() as error:
                raise error
            case float(seconds):
                await asyncio.sleep(seconds)
        await asyncio.sleep(0.2)
        return f"question {len(self.heard)}"


class Model(LLM):
    """Answers the first question with `steps`, every other one well."""

    def __init__(self, *steps: Step, again: int = 1) -> None:
        super().__init__()
        self.requests: list[list[Message]] = []
        self._steps, self._again = steps, again

    async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
        self.requests.append(messages)
        if len(self.requests) > 1:
            yield "Very well."
            return
        for step in itertools.chain.from_iterable(itertools.repeat(self._steps, self._again)):
            match step:
                case float(seconds):
                    await asyncio.sleep(seconds)
                case str():
                    yield step
                case _:
                    raise step


class Voice(TTS):
    """Its audio can be read. What it cannot say is bad."""

    rate = RATE

    async def synthesize(self, text: str, voice: str) -> bytes:
        if "bad" in text:
            raise OSError("no voice for that")
        return letters(text)


class Outcome(NamedTuple):
    heard: str
    """All that the agent said."""
    waited: float
    """The longest silence after the question, within the next minute: up to the agent's last word there."""
    model: Model


def spoken(*sounds: Sound) -> Iterator[Frame | float]:
    data = pcm(row(*sounds)).data
    size = CANONICAL.bytes_for(PIECE)
    for start in range(0, len(data), size):
        yield PIECE
        yield AudioRaw(data[start : start + size])


def voice(seconds: float) -> Sound:
    """Loud enough for speech to a detector that only listens for loudness."""
    return white(seconds, 3000)


def converse(
    model: Model,
    *sounds: Sound,
    ears: STT | None = None,
    tts: TTS | None = None,
    vad: Processor | None = None,
    asked: float = 2.0,
) -> Outcome:
    """A call in which the caller sends `sounds`, and has asked something by `asked` seconds."""
    call = Call(Script(*spoken(*sounds), live=True), Ear(), transport="test", limits=Limits(call=1e6, idle=1e6))
    steps = vad or EnergyVAD(), BargeIn(), ears or Ears(), model, tts or Voice()
    ended = run(call, lambda call: Pipeline(call.source, *steps, call.sink))
    assert ended.error is None
    assert isinstance(call.sink, Ear)
    audible = [(at, at + len(data) / CANONICAL.byte_rate) for at, kind, data in call.sink.log if kind == "audio"]
    waited, end = 0.0, asked
    for start, stop in audible:
        if asked <= start < asked + LONG:
            waited, end = max(waited, start - end), max(end, stop)
    return Outcome(text_of(call.sink.audio), waited, model)


LONG = 60.0
QUESTION, LISTENS = (silence(1.0), voice(1.0)), silence(LONG)
"""A question that is asked by second 2, and the silence in which its answer is waited for."""
AGAIN = (voice(1.0), silence(10.0))


@pytest.mark.parametrize(
    ("steps", "heard"),
    [
        ((), SORRY_MODEL),
        ((1000.0,), SORRY_MODEL),
        (("Well, let me see. ", 1000.0), f"Well, let me see.{SORRY_MIDWAY}"),
        ((ConnectionError("refused"),), SORRY_MODEL),
        (("<think>", 3.0, "The caller asks. ", 3.0, "</think>", "Yes."), "Yes."),
        (("<think>", *["So many words. "] * 1000), SORRY_MODEL),
        (("\x00\x07", "\ufffd\ufeff", "\ud83d"), SORRY_MODEL),
        (("*** --- ### ```", "\n\n"), SORRY_MODEL),
        (("\U0001f44d",), SORRY_MODEL),
        (("...",), SORRY_MODEL),
    ],
    ids=["nothing", "stalls", "stops", "raises", "thinks", "only thinks", "garbage", "markup", "emoji", "dots"],
)
def test_a_bad_model_is_never_silence(steps: tuple[Step, ...], heard: str) -> None:
    outcome = converse(Model(*steps), *QUESTION, LISTENS, *AGAIN)
    assert outcome.heard.replace(HOLD, "") == f"{heard}Very well."
    assert outcome.waited < DEAD
    assert len(outcome.model.requests) == 2


def test_a_model_that_never_ends_is_cut_off_and_can_be_interrupted() -> None:
    endless = Model("One more sentence. ", 0.02, again=1_000_000)
    outcome = converse(endless, *QUESTION, silence(300.0))
    assert 2_500 < len(outcome.heard) <= 3_000
    endless = Model("One more sentence. ", 0.02, again=1_000_000)
    outcome = converse(endless, *QUESTION, silence(10.0), *AGAIN)
    assert len(outcome.heard) < 300
    assert outcome.heard.endswith("Very well.")


def test_what_cannot_be_said_is_an_apology() -> None:
    outcome = converse(Model("This is bad. ", "This is not."), *QUESTION, LISTENS, *AGAIN)
    assert outcome.heard == f"{SORRY_VOICE}This is not.Very well."


@pytest.mark.parametrize("wrong", [OSError("no ears"), 1000.0], ids=["raises", "hangs"])
def test_ears_that_fail_ask_again(wrong: float | Exception) -> None:
    outcome = converse(Model("Very well."), *QUESTION, LISTENS, *AGAIN, ears=Ears(wrong))
    assert outcome.heard.removeprefix(HOLD) == f"{SORRY_EARS}Very well."
    assert outcome.waited < DEAD


def test_ten_minutes_of_speech_are_answered_again_and_again() -> None:
    """Somebody who never pauses - a machine, hold music - is a turn again and again."""
    ears, minutes = Ears(), np.tile(SAID, 98)
    outcome = converse(
        Model("Very well."), minutes, silence(5.0), ears=ears, vad=SileroVAD(), asked=len(minutes) / RATE
    )
    assert len(minutes) / RATE > 600
    assert outcome.heard.startswith("Very well.")
    assert max(ears.heard) <= 15.5
    assert len(outcome.model.requests) >= 600 // 26
    last = " ".join(message.content for message in outcome.model.requests[-1] if message.role == "user")
    numbers = [int(number) for number in re.findall(r"question (\d+)", last)]
    assert numbers == list(range(1, len(ears.heard) + 1))


def test_noise_music_and_silence_are_no_question() -> None:
    """They are no speech to the detector, or else not to Whisper; what is said after them is understood."""
    if reason := engines.missing():
        pytest.skip(reason)
    model, whisper = Model("Very well."), WhisperSTT(engines.WHISPER)
    asked = convert(engines.say("What time is it?"), CANONICAL).samples.astype(np.float64)
    noise = pink(6.0, 1500), silence(4.0), melody(6.0, 3000), silence(4.0)
    outcome = converse(model, *noise, asked, silence(8.0), ears=whisper, vad=SileroVAD())
    assert outcome.heard == "Very well."
    (request,) = model.requests
    assert engines.words(request[-1].content) == ["what", "time", "is", "it"]
