"""What the agent remembers to have said is what the caller has heard: hundreds of interruptions at random moments.

Whole calls in virtual time, over a line to a simulated carrier. Detector, barge-in, recognition, model and speech are
the real ones but for their engines; every word has audio of its own, so that the recording tells which were heard.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import numpy as np
import pytest
from carrierline import MULAW, Carrier, Line
from doubles import Script, virtual

from voiceflow import AudioFormat, AudioRaw, Call, Frame, Limits, Pipeline, Word
from voiceflow.processors import STT, TTS, BargeIn, EnergyVAD
from voiceflow.processors.codec import convert
from voiceflow.processors.llm import LLM, Message
from voiceflow.processors.tts import Speech
from voiceflow.simulator.player import Player

RATE = 8_000
PIECE = 0.02
PCM = AudioFormat("pcm16", RATE)
QUIETEST, LOUDEST = 200, 8_000
"""What is much quieter than the rest of a sentence is taken for a pause in it. The caller speaks at 3 000: an agent
that is ten times as loud would be taken for the source of it."""
CODES = [
    code for code in range(0x100) if QUIETEST < abs(convert(AudioRaw(bytes([code]), MULAW), PCM).samples[0]) < LOUDEST
]
"""Samples as the carrier has them."""
LEVELS = convert(AudioRaw(bytes(CODES), MULAW), PCM).samples
PER_SECOND = 15.0
"""Characters."""


def caller(chance: random.Random, times: int) -> Iterator[Frame | float]:
    """Somebody who listens for a while and says something, again and again."""
    noise = np.random.default_rng(1)
    yield from _sound(noise, 1.0, 30)
    for _ in range(times):
        yield from _sound(noise, chance.uniform(0.2, 1.0), 3000)
        yield from _sound(noise, chance.uniform(1.2, 8.0), 30)
    yield from _sound(noise, 20.0, 30)


def _sound(noise: np.random.Generator, seconds: float, level: float) -> Iterator[Frame | float]:
    for _ in range(round(seconds / PIECE)):
        yield PIECE
        yield AudioRaw((noise.standard_normal(320) * level).astype("<i2").tobytes())


class Ears(STT):
    """Understands what number of utterance it is."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)

    async def transcribe(self, audio: bytes, rate: int) -> str:
        await asyncio.sleep(0.2)
        return f"question {next(self._numbers)}"


class Storyteller(LLM):
    """Says words that nobody has said before."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(history=10**9)
        self.requests: list[list[Message]] = []
        self.said: list[set[str]] = []
        """The words of each answer."""
        self._chance = chance
        self._numbers = itertools.count()

    async def chat(self, messages: list[Message]) -> AsyncIterator[str]:
        self.requests.append(messages)
        words: set[str] = set()
        self.said.append(words)
        await asyncio.sleep(self._chance.uniform(0.05, 0.5))
        for _ in range(self._chance.randrange(1, 7)):
            for place in range(length := self._chance.randrange(1, 14)):
                word = self._word()
                words.add(word)
                yield (word.capitalize() if not place else word) + (". " if place == length - 1 else " ")
                await asyncio.sleep(0.02)

    def _word(self) -> str:
        number, letters = next(self._numbers), ""
        for _ in range(4):
            number, letter = divmod(number, 20)
            letters += "bcdfghjklmnpqrstvwxz"[letter] + "aeiou"[letter % 5]
        return letters[: self._chance.choice((4, 6, 8))] + letters


class Voice(TTS):
    """Each word has its own sample, and lasts nearly as long as its characters say."""

    rate = RATE

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.words: list[tuple[str, int]] = []
        """Each word that was spoken, and how many samples long it is."""
        self._chance = chance

    def speak(self, text: str) -> Speech:
        audio, ends = [], []
        for word in re.findall(r"\S+", text):
            samples = round(len(word) * RATE / PER_SECOND * self._chance.uniform(0.85, 1.15))
            level = LEVELS[len(self.words) % len(CODES)]
            audio.append(np.full(samples, level, "<i2").tobytes())
            self.words.append((word, samples))
            ends.append(Word(word, sum(map(len, audio)) / 2 / RATE))
        return Speech(b"".join(audio), tuple(ends))


class Timed(Voice):
    """Tells when each word ends."""

    async def synthesize(self, text: str, voice: str) -> Speech:
        await asyncio.sleep(0.1)
        return self.speak(text)


class Untimed(Voice):
    async def synthesize(self, text: str, voice: str) -> bytes:
        await asyncio.sleep(0.1)
        return self.speak(text).audio


class Streamed(Voice):
    """Nobody knows how long a sentence will be."""

    async def synthesize(self, text: str, voice: str) -> AsyncIterator[bytes]:
        audio = self.speak(text).audio
        for start in range(0, len(audio), 1600):
            await asyncio.sleep(0.03)
            yield audio[start : start + 1600]


class Told(NamedTuple):
    remembered: list[list[str]]
    """The agent's words, as each request has them."""
    heard: list[list[str]]
    """The words of each answer that the caller has heard to their ends."""
    said: list[set[str]]
    clears: int


def talk(voice: type[Voice], carrier: Carrier, times: int, seed: int = 1) -> Told:
    """A caller who speaks so many times, mostly while the agent does."""
    chance = random.Random(seed)
    model, tts = Storyteller(chance), voice(chance)

    async def main() -> Told:
        line = RecordedLine(carrier, chance)
        source = Script(*caller(chance, times), live=True)
        call = Call(source, line, transport="test", limits=Limits(call=1e9, idle=1e9))

        def build(call: Call) -> Pipeline:
            return Pipeline(call.source, EnergyVAD(), BargeIn(), Ears(), model, tts, call.sink)

        ended = await call.run(build)
        assert ended.error is None
        heard = whole_words(line.player.recording, tts.words)
        answers = [[word for word in heard if word in said] for said in model.said]
        return Told([_agents(request) for request in model.requests], answers, model.said, line.clears)

    return virtual(main())


class RecordedLine(Line):
    def __init__(self, carrier: Carrier, dice: random.Random) -> None:
        super().__init__(carrier, dice)
        self.player = Player(MULAW, jitter_buffer=carrier.jitter_buffer, speed=carrier.speed)
        self.clears = 0

    def write_clear(self) -> None:
        self.clears += 1
        super().write_clear()


def whole_words(recording: bytes, spoken: list[tuple[str, int]]) -> list[str]:
    """Which of the words that were spoken are in the recording from beginning to end."""
    heard, number = [], 0
    for code, run in itertools.groupby(recording):
        while CODES[number % len(CODES)] != code:
            number += 1
        word, samples = spoken[number]
        if len(list(run)) == samples:
            heard.append(word.strip(".").lower())
        number += 1
    return heard


def _agents(request: list[Message]) -> list[str]:
    text = " ".join(message.content for message in request if message.role == "assistant")
    return re.findall(r"\w+", text.lower())


NEAR, FAR = Carrier(), Carrier(0.15)
RESTLESS = Carrier(0.15, 0.03, jitter_buffer=0.02)
"""Takes 150 to 180 ms each way, and then waits for a piece more."""


@pytest.mark.parametrize("carrier", [NEAR, FAR], ids=["at once", "150 ms away"])
def test_with_word_times_a_request_holds_exactly_the_words_that_were_heard(carrier: Carrier) -> None:
    told = talk(Timed, carrier, 230)
    assert told.clears >= 200
    for number, remembered in enumerate(told.remembered):
        assert remembered == list(itertools.chain(*told.heard[:number]))


@pytest.mark.parametrize(
    ("voice", "carrier"),
    [(Timed, RESTLESS), (Untimed, FAR), (Streamed, FAR)],
    ids=["jitter", "no word times", "a stream without word times"],
)
def test_else_it_holds_them_within_one_word(voice: type[Voice], carrier: Carrier) -> None:
    told = talk(voice, carrier, 230)
    assert told.clears >= 200
    apart = []
    for number, heard in enumerate(told.heard[:-1]):
        said = set(told.said[number])
        remembered = [word for word in told.remembered[-1] if word in said]
        apart.append(len(remembered) - len(heard))
        assert remembered[: len(heard)] == heard[: len(remembered)]
    assert max(map(abs, apart)) <= 1
