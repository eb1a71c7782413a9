"""When the caller said what is in a `Transcript`: by the audio, however unevenly it arrives."""

import asyncio

import pytest
from doubles import Ear, Script
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import Notes, Parrot, Voice, audio, run

from voiceflow import AudioRaw, Call, Ended, Frame, Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors.stt import STT

PIECE = audio(0.02)


class Words(STT):
    def transcribe(self, audio: bytes, rate: int) -> str:
        return "words"


def call_with(stalls: dict[int, float], first: int, last: int, pieces: int) -> tuple[Notes, Ended]:
    """Pieces of 20 ms as they are spoken; before piece `n` the line stalls for some seconds, then catches up."""
    script: list[Frame | float] = []
    behind = 0.0
    for number in range(pieces):
        stall = stalls.get(number, 0.0)
        if stall:
            script.append(stall)
            behind += stall
        elif behind < 0.02:
            script.append(0.02)
        else:
            behind -= 0.02
        script.append(PIECE)
        if number == first:
            script.append(SpeechStarted(0.02))
        if number == last:
            script.append(SpeechStopped(0.0))
    notes = Notes()
    call = Call(Script(*script, 2.0, live=True), Ear(), transport="test")
    ended = run(call, lambda c: c.source | Words() | notes | Parrot() | Voice() | c.sink)
    return notes, ended


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.integers(0, 120), st.sampled_from([0.3, 1.0, 1.5]), max_size=3))
def test_times_are_those_of_the_audio_whatever_stalls(stalls):
    notes, _ = call_with(stalls, first=30, last=90, pieces=150)
    (heard,) = notes.of(Transcript)
    assert isinstance(heard, Transcript)
    assert heard.start <= heard.end
    assert heard.end - heard.start == pytest.approx(61 * 0.02, abs=0.03)


def test_a_burst_is_not_taken_for_a_slow_pipeline():

    notes, ended = call_with({40: 6.0}, first=30, last=90, pieces=400)
    assert notes.of(Transcript)
    assert (ended.dropped, ended.burst) == (0, 0)


def test_a_burst_that_is_too_long_to_be_taken_is_told_from_a_slow_pipeline():
    def ended(stall: float, seconds: float) -> Ended:
        class Slow(Processor):
            async def process(self, frame: AudioRaw) -> AudioRaw:
                await asyncio.sleep(seconds)
                return frame

        script: list[Frame | float] = []
        for number in range(600):
            script += [0.02, PIECE] if number < 100 or number >= 100 + stall / 0.02 else [PIECE]
            if number == 99 and stall:
                script.append(stall)
        call = Call(Script(*script, 2.0, live=True), Ear(), transport="test")
        return run(call, lambda c: c.source | Slow() | Parrot() | Voice() | c.sink)

    stalled, slow = ended(8.0, 0.019), ended(0.0, 0.05)
    assert (stalled.dropped, slow.burst) == (0, 0)
    assert stalled.burst > 100
    assert slow.dropped > 100
