"""Whole calls: a caller whose audio goes through a detector, a barge-in, a recogniser, a model and a voice."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
from doubles import Ear, Script, now
from talking import run, when

from voiceflow import (
    AudioRaw,
    Call,
    Frame,
    LLMText,
    Mark,
    Processor,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.processors.bargein import BargeIn
from voiceflow.processors.vad import EnergyVAD

RATE = 16_000
PIECE = 0.02


def caller(*script: float) -> Iterator[Frame | float]:
    """Seconds of silence and of speech in turn, beginning with silence; pieces of 20 ms, as they are spoken."""
    noise = np.random.default_rng(1)
    for place, seconds in enumerate(script):
        for _ in range(round(seconds / PIECE)):
            yield PIECE
            level = 3000 if place % 2 else 30
            yield AudioRaw((noise.standard_normal(320) * level).astype("<i2").tobytes())


class Recogniser(Processor):
    """Takes 0.2 s for each utterance: "1", "2", ..."""

    def __init__(self) -> None:
        self.utterances = 0

    async def process(self, frame: SpeechStopped) -> AsyncIterator[SpeechStopped | Transcript]:
        await asyncio.sleep(0.2)
        self.utterances += 1
        yield Transcript(str(self.utterances))
        yield frame


class Model(Processor):
    """Thinks, then says some words: each the number of the request that it answers."""

    def __init__(self, thinking: float = 0.5, words: int = 30) -> None:
        self.thinking, self.words = thinking, words
        self.requests: list[str] = []
        self.clears: list[int] = []
        """How often the caller had interrupted when each request was made."""
        self.unanswered: list[str] = []

    async def open(self, call: Call) -> None:
        call.on_played(lambda audio, at: self.unanswered.clear())

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        self.unanswered.append(frame.text)
        self.requests.append(" ".join(self.unanswered))
        self.clears.append(len(when(self.call, "clear")))
        number = len(self.requests)
        await asyncio.sleep(self.thinking)
        for _ in range(self.words):
            yield LLMText(str(number))
            await asyncio.sleep(0.05)


class Voice(Processor):
    """A tenth of a second for each word; its samples are that number."""

    async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
        yield Mark(frame.text)
        yield AudioRaw(np.full(RATE // 10, int(frame.text), "<i2").tobytes())
        yield Mark()


class Conversation:
    def __init__(self, *script: float, barge_in: BargeIn | None = None, model: Model | None = None) -> None:
        self.recogniser, self.model = Recogniser(), model or Model()
        self.started: list[float] = []
        self.call = Call(Script(*caller(*script), live=True), Ear(), transport="test")
        steps = EnergyVAD(), barge_in or BargeIn(), self._watch(), self.recogniser, self.model, Voice()
        run(self.call, lambda call: _row(call, steps))

    def _watch(self) -> Processor:
        conversation = self

        class Watch(Processor):
            def process(self, frame: SpeechStarted) -> SpeechStarted:
                conversation.started.append(now())
                return frame

        return Watch()

    @property
    def requests(self) -> list[str]:
        return self.model.requests

    @property
    def clears(self) -> list[float]:
        return when(self.call, "clear")

    @property
    def heard(self) -> list[tuple[int, int]]:
        """The requests whose answers were written for the caller, and after how many `clear`s."""
        assert isinstance(self.call.sink, Ear)
        found, clears = [], 0
        for _, kind, data in self.call.sink.log:
            clears += kind == "clear"
            if kind == "audio":
                found += [(int(number), clears) for number in np.unique(np.frombuffer(data, "<i2"))]
        return list(dict.fromkeys(found))


def _row(call: Call, steps: tuple[Processor, ...]) -> Processor:
    pipeline: Processor = call.source
    for step in steps:
        pipeline = pipeline | step
    return pipeline | call.sink


def test_every_turn_gets_one_reply():
    talk = Conversation(1.0, 1.0, 6.0, 1.0, 6.0, 0.5, 6.0)
    assert talk.requests == ["1", "2", "3"]
    assert talk.clears == []
    assert talk.heard == [(1, 0), (2, 0), (3, 0)]


def test_pauses_shorter_than_the_silence_gap_do_not_part_a_turn():
    assert Conversation(1.0, 1.0, 0.6, 1.0, 0.6, 1.0, 6.0).requests == ["1"]


def test_a_caller_who_goes_on_before_the_reply_begins_makes_one_turn():
    """The first utterance is still being recognised when the second begins."""
    talk = Conversation(1.0, 1.0, 0.78, 1.0, 6.0)
    assert talk.requests == ["1 2"]
    assert talk.clears == []


def test_a_caller_who_goes_on_while_the_reply_is_made_is_answered_to_all_of_it():
    talk = Conversation(1.0, 1.0, 1.1, 1.0, 6.0)
    assert talk.requests == ["1", "1 2"]
    assert len(talk.clears) == 1
    assert talk.heard == [(2, 1)]


def test_a_caller_who_interrupts_is_answered_to_what_is_new():
    talk = Conversation(1.0, 1.0, 2.5, 1.0, 6.0)
    assert talk.requests == ["1", "2"]
    assert len(talk.clears) == 1


def test_the_clear_leaves_with_the_packet_that_completes_the_confirm_time():
    talk = Conversation(1.0, 1.0, 2.5, 1.0, 6.0)
    assert talk.clears == [pytest.approx(1.0 + 1.0 + 2.5 + 0.04)]
    assert talk.clears == talk.started[1:]


def test_a_cough_does_not_interrupt_where_speech_must_last():
    """It is over when the time has come, though that is certain only after the silence gap."""
    talk = Conversation(1.0, 1.0, 2.5, 0.2, 6.0, barge_in=BargeIn(min_speech=0.5))
    assert talk.clears == []
    assert talk.requests == ["1", "2"]


def test_speech_interrupts_as_soon_as_it_has_lasted():
    talk = Conversation(1.0, 1.0, 2.5, 1.0, 6.0, barge_in=BargeIn(min_speech=0.5))
    assert talk.clears == [pytest.approx(4.5 + 0.5, abs=0.041)]


def test_a_pause_in_the_speech_puts_the_interruption_off_until_it_goes_on():
    talk = Conversation(1.0, 1.0, 2.5, 0.2, 0.4, 0.5, 6.0, barge_in=BargeIn(min_speech=0.5))
    assert talk.clears == [pytest.approx(4.5 + 0.6, abs=0.041)]


def test_two_hundred_interruptions_leave_nothing_stale_and_every_turn_with_one_reply():
    """Random pauses and utterances; most begin while the agent thinks or speaks."""
    chance = random.Random(7)
    script = [1.0]
    for _ in range(300):
        script += [round(chance.uniform(0.2, 2.0), 2), round(chance.uniform(0.8, 4.5), 2)]
    talk = Conversation(*script, 5.0, model=Model(words=20))
    assert len(talk.clears) >= 200
    assert talk.heard == [(number, talk.model.clears[number - 1]) for number, _ in talk.heard]  # nothing stale
    assert len(talk.heard) > 50
    new = [text.split()[-1] for text in talk.requests]
    assert len(set(new)) == len(new)  # one reply to each turn
    said = {number for text in talk.requests for number in text.split()}
    assert said == {str(number + 1) for number in range(talk.recogniser.utterances)}  # and none is lost
