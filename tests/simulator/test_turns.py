"""Who spoke when, as it is found in the recordings of both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.simulator.turns import PAUSE, answered, spoken_lines, stretches

FORMAT = AudioFormat("pcm16", 8_000)


def recording(*parts: tuple[float, float], seconds: float = 12.0, level: float = 8_000, noise: float = 0) -> AudioRaw:
    """A tone in each part, from its beginning to its end."""
    time = np.arange(round(seconds * FORMAT.rate)) / FORMAT.rate
    on = np.zeros_like(time)
    for start, end in parts:
        on[(time >= start) & (time < end)] = 1
    tone = level * on * np.sin(2 * np.pi * 440 * time)
    hiss = np.random.default_rng(1).uniform(-noise, noise, len(time))
    return AudioRaw((tone + hiss).astype("<i2").tobytes(), FORMAT)


def lines(said: AudioRaw, heard: AudioRaw, cuts: tuple[float, ...] = ()) -> list[tuple[str, float, float, bool]]:
    return [
        (line.who, round(line.start, 1), round(line.end, 1), line.interrupted)
        for line in spoken_lines(said, heard, cuts)
    ]


def test_each_answer_is_timed_from_the_callers_last_sound() -> None:
    said, heard = recording((2.0, 3.0), (6.0, 7.0)), recording((0.0, 1.0), (3.6, 5.0), (8.2, 9.0))
    found = spoken_lines(said, heard)
    assert [line.who for line in found] == ["agent", "caller", "agent", "caller", "agent"]
    assert [line.latency for line in found if line.who == "agent"] == [
        None,
        pytest.approx(0.6, abs=0.021),
        pytest.approx(1.2, abs=0.021),
    ]


def test_pauses_of_one_side_are_no_turns() -> None:
    assert lines(recording((0.0, 1.0), (2.0, 3.0)), recording((4.0, 5.0), (7.0, 8.0))) == [
        ("caller", 0.0, 3.0, False),
        ("agent", 4.0, 8.0, False),
    ]


def test_a_reply_that_was_cut_off_is_interrupted() -> None:
    said, heard = recording((3.0, 4.0)), recording((1.0, 3.2), (5.0, 6.0))
    assert lines(said, heard, cuts=(3.2,)) == [
        ("agent", 1.0, 3.2, True),
        ("caller", 3.0, 4.0, False),
        ("agent", 5.0, 6.0, False),
    ]


def test_noise_far_below_the_speech_is_silence() -> None:
    assert lines(recording((2.0, 3.0), level=20_000, noise=800), recording()) == [("caller", 2.0, 3.0, False)]


@pytest.mark.parametrize(
    ("said", "heard", "expected"),
    [
        ([(1.0, 2.0)], [(3.0, 4.0)], True),
        ([(1.0, 2.0)], [(0.0, 0.9)], False),
        ([(1.0, 2.0)], [], False),
        ([], [(0.0, 0.9)], True),
        ([], [], False),
        ([(0.0, 2.0)], [(0.1, 2.1)], True),
    ],
)
def test_an_answer_begins_after_the_caller_has(
    said: list[tuple[float, float]], heard: list[tuple[float, float]], expected: bool
) -> None:
    assert answered(spoken_lines(recording(*said), recording(*heard))) == expected


@given(st.lists(st.tuples(st.floats(0.1, 2.0), st.floats(0.7, 3.0)), max_size=5))
def test_every_stretch_is_found_where_it_is(pieces: list[tuple[float, float]]) -> None:
    assert PAUSE < 0.7
    expected, place = [], 0.5
    for length, pause in pieces:
        expected.append((place, place + length))
        place += length + pause
    found = list(stretches(recording(*expected, seconds=place + 1)))
    assert found == [(pytest.approx(start, abs=0.021), pytest.approx(end, abs=0.021)) for start, end in expected]
