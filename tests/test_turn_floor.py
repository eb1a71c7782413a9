"""Whoever speaks first: an agent that begins while the caller does is held, one that has begun is interrupted."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from doubles import Ear, Script
from hypothesis import example, given, settings
from hypothesis import strategies as st
from talking import Voice, run

from voiceflow import Call, Frame, LLMText, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors import BargeIn

INSTANTS = [0.0, 1e-6, 0.001, 0.02]
"""Between two events: at the same moment, and adjacent ones."""


class Hop(Processor):
    """Between the detector and the speaker: what passes waits for its task."""

    async def process(self, frame: Transcript) -> Transcript:
        return frame


class Model(Processor):
    """Begins to answer after `thinking` seconds."""

    def __init__(self, thinking: float) -> None:
        self.thinking = thinking

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        await asyncio.sleep(self.thinking)
        for word in ("one\n", "two\n", "three\n"):
            yield LLMText(word)


def heard(thinking: float, speaks_at: float, hops: int, order: bool) -> tuple[list[float], float]:
    """When the agent's audio was written, and when the caller had finished."""
    script: list[Frame | float] = [Transcript("go"), speaks_at, SpeechStarted(), 3.0, SpeechStopped(), 20.0]
    ear = Ear()
    call = Call(Script(*script), ear, transport="test")
    ears = [BargeIn(), *(Hop() for _ in range(hops))]
    if order:
        ears.reverse()
    run(call, lambda c: _row(c, [*ears, Model(thinking), Voice()]))
    return [at for at, kind, _ in ear.log if kind == "audio"], speaks_at + 3.0


def _row(call: Call, processors: list[Processor]) -> object:
    pipeline = call.source
    for processor in processors:
        pipeline = pipeline | processor
    return pipeline | call.sink


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from(INSTANTS),
    st.sampled_from([-1, 1]),
    st.integers(0, 3),
    st.booleans(),
)
@example(0.5, 0.0, 1, 2, False)
def test_the_agent_never_talks_over_a_caller_who_goes_on(thinking, apart, sign, hops, order):
    speaks_at = max(0.0, thinking + sign * apart)
    written, finished = heard(thinking, speaks_at, hops, order)
    # An agent that was first may have said a piece before it was interrupted.
    assert all(at <= speaks_at + 1e-9 or at >= finished for at in written), (written, speaks_at, finished)
    assert max(written) >= finished  # and in the end it answers


@pytest.mark.parametrize("hops", [0, 2])
def test_the_floor_is_taken_as_soon_as_the_detector_says_so(hops):
    written, finished = heard(0.5, 0.499, hops, False)
    assert min(written) >= finished


def act_during(*script: Frame | float, act) -> Voice:
    """The voice of a call in which `act(call)` runs beside `script`."""
    voice = Voice()
    call = Call(Script(*script), Ear(), transport="test")
    run(call, lambda c: c.source | Hop() | Model(0.0) | voice | c.sink, lambda: act(call))
    return voice


def test_what_is_said_besides_waits_ten_seconds_for_the_caller_at_most_each_time():
    async def act(call: Call) -> None:
        await asyncio.sleep(1.0)
        saying = asyncio.ensure_future(call.say("one"))
        await asyncio.sleep(20.0)
        await saying
        await call.say("two")

    stuck = (SpeechStarted(), 20.0, SpeechStarted(), 60.0)
    assert act_during(*stuck, act=act).said == [(11.0, "one"), (31.0, "two")]


def test_a_caller_who_speaks_again_is_not_taken_to_have_stopped():
    """Recognition is late: when the end of the first utterance arrives, they are in the middle of the second."""

    class Slow(Processor):
        async def process(self, frame: SpeechStopped) -> SpeechStopped:
            await asyncio.sleep(1.0)
            return frame

    voice = Voice()
    script = (SpeechStarted(), 0.5, SpeechStopped(), 0.5, SpeechStarted(), 2.0, SpeechStopped(), 20.0)
    call = Call(Script(*script), Ear(), transport="test")

    async def act() -> None:
        await asyncio.sleep(0.2)
        await call.say("at last")

    run(call, lambda c: c.source | Slow() | Model(0.0) | voice | c.sink, act)
    assert voice.said == [(4.0, "at last")]
