"""Each turn's latency: segments that sum up, from the caller's last sound to the agent's first."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from doubles import make_call
from talking import audio, run, talk

from voiceflow import (
    AudioRaw,
    Call,
    LLMText,
    Mark,
    Processor,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.turns.latency import TurnLatency


class Recogniser(Processor):
    overlap = True

    async def process(self, frame: SpeechStopped | AudioRaw) -> AsyncIterator[SpeechStopped | Transcript]:
        if isinstance(frame, SpeechStopped):
            await asyncio.sleep(0.3)
            yield Transcript("what time is it")
            yield frame


class Model(Processor):
    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        await asyncio.sleep(0.2)
        yield LLMText("it is ")
        await asyncio.sleep(0.1)
        yield LLMText("late\n")


class Synthesiser(Processor):
    def __init__(self) -> None:
        self.text = ""

    async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
        self.text += frame.text
        if frame.text.endswith("\n"):
            yield Mark(self.text)
            await asyncio.sleep(0.4)
            yield audio(0.5)
            yield audio(0.5)
            yield Mark()


def call_and_turns(*script: object) -> tuple[Call, list[TurnLatency]]:
    turns: list[TurnLatency] = []
    call = make_call(*script)  # type: ignore[arg-type]
    call.on_turn(turns.append)
    return call, turns


def test_the_segments_of_a_turn_are_told_when_its_answer_begins_to_be_heard():
    call, turns = call_and_turns(SpeechStarted(), 1.0, SpeechStopped(trail=0.7), 5.0)
    run(call, talk(Model(), voice=Synthesiser(), ears=(Recogniser(),)))
    (turn,) = turns
    assert msgspec.structs.astuple(turn) == pytest.approx((0.7, 0.3, 0.2, 0.1, 0.4, 0.0))
    assert turn.total == pytest.approx(1.7)


def test_every_turn_counts_once():
    call, turns = call_and_turns(
        *(SpeechStarted(), 1.0, SpeechStopped(trail=0.5), 5.0), *(SpeechStarted(), 1.0, SpeechStopped(trail=0.5), 5.0)
    )
    run(call, talk(Model(), voice=Synthesiser(), ears=(Recogniser(),)))
    assert [turn.total for turn in turns] == pytest.approx([1.5, 1.5])


def test_a_turn_that_the_caller_takes_up_again_is_counted_from_its_last_sound():
    script = (SpeechStarted(), 1.0, SpeechStopped(trail=0.5), 0.35, SpeechStarted(), 1.0, SpeechStopped(trail=0.6), 5.0)
    call, turns = call_and_turns(*script)
    run(call, talk(Model(), voice=Synthesiser(), ears=(Recogniser(),)))
    assert [turn.endpoint for turn in turns] == pytest.approx([0.6])


def test_what_the_agent_says_of_its_own_is_no_turn():
    call, turns = call_and_turns(5.0)

    async def act() -> None:
        await call.say("hello")

    run(call, talk(Model(), voice=Synthesiser(), ears=(Recogniser(),)), act=act)
    assert turns == []


def test_it_reads_well():
    turn = TurnLatency(0.7, 0.31, 0.2, 0.1, 0.4, 0.02)
    assert str(turn).startswith("1.73 s from voice to voice: endpoint 0.70, recognition 0.31, first token 0.20")
