"""A conversation that is led with keys: doubles for what recognises, thinks and speaks, without models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from voiceflow import DTMF, Call, Clear, Element, Frame, LLMText, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors.tts import TTS

Happens = Mapping[str, Sequence[Frame]]
"""What happens at a key."""
LETTER = 0.05
"""Seconds that each letter is spoken."""


class Keys(Processor):
    """In the place of a VAD and speech recognition: each key is something that the caller says or does."""

    def __init__(self, happens: Happens) -> None:
        self.happens = happens
        self.pressed = ""

    def process(self, frame: DTMF) -> Iterator[DTMF | SpeechStarted | SpeechStopped | Transcript | Clear]:
        self.pressed += frame.digit
        yield frame
        for happening in self.happens.get(frame.digit, ()):
            assert isinstance(happening, SpeechStarted | SpeechStopped | Transcript | Clear)
            yield msgspec.structs.replace(happening)  # a new one each time, as in life


class Answers(Processor):
    """In the place of a model."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = answers

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        if frame.final:
            yield LLMText(self.answers[frame.text])


class Tone(TTS):
    """In the place of a voice."""

    rate = 16_000

    def synthesize(self, text: str, voice: str) -> bytes:
        time = np.arange(round(LETTER * len(text) * self.rate)) / self.rate
        return (10_000 * np.sin(2 * np.pi * 440 * time)).astype("<i2").tobytes()


class Scripted:
    """A pipeline of these. `keys` is what the last call's caller does."""

    keys: Keys

    def __init__(self, happens: Happens, answers: Mapping[str, str]) -> None:
        self.happens = happens
        self.answers = answers

    def __call__(self, call: Call) -> Element:
        return self.with_model(call, Answers(self.answers))

    def with_model(self, call: Call, model: Element) -> Element:
        self.keys = Keys(self.happens)
        return call.source | self.keys | model | Tone() | call.sink


def says(text: str) -> list[Frame]:
    """The end of a turn of the caller's."""
    return [SpeechStopped(trail=0.5), Transcript(text)]
