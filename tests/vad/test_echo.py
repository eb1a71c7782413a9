"""The agent's own voice, returned by the line."""

from collections.abc import Callable

import numpy as np
import pytest
from vad.listening import BOTH, MULAW, RATE, SAID, SPEECH, Sound, listen, mixed, pcm, row, silence, spoken, white

from voiceflow import CANONICAL, AudioFormat, AudioRaw, Call
from voiceflow.processors.codec import convert
from voiceflow.processors.vad import VAD, EnergyVAD, SileroVAD
from voiceflow.processors.vad.echo import Echo

AGENT = row(*[SPEECH] * 3)
"""What the agent says, from the call's start on: 21 s."""
FORMATS = (CANONICAL, MULAW, AudioFormat("pcm16", 48_000, 2))


def echo(late: float, decibels: float) -> Sound:
    return row(silence(late), AGENT) * 10 ** (decibels / 20)


def caller(at: float, decibels: float = 0.0) -> Sound:
    """Says "Hello. I would like to change my appointment ...", while the agent speaks."""
    return row(silence(at), SAID) * 10 ** (decibels / 20)


def spans(vad: VAD, *line: Sound, ear: AudioFormat = MULAW) -> list[tuple[float, float]]:
    """Where `vad` finds speech in what comes from the line while the agent speaks."""

    async def speak(call: Call) -> None:
        await call.play(pcm(AGENT))

    return listen(vad, *spoken(mixed(*line, silence(23.0))), act=speak, ear=ear).spans


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("late", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("noise", [0, 300])
def test_an_echo_of_minus_20_decibels_does_not_interrupt(detector, late, noise):
    assert spans(detector(), echo(late, -20), white(23.0, noise)) == []


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("late", [0.15, 0.35])
@pytest.mark.parametrize("decibels", [-8, 0])
def test_nor_does_a_strong_one_up_to_as_loud_as_the_agent(detector, late, decibels):
    assert spans(detector(), echo(late, decibels), white(23.0, 30), ear=CANONICAL) == []


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("at", [3.0, 6.6, 11.7])
def test_speech_on_top_of_a_strong_echo_interrupts_all_the_same(detector, at):
    start = spans(detector(preroll=0.0), echo(0.25, -6), caller(at), white(23.0, 30), ear=CANONICAL)[0][0]
    assert at - 0.05 <= start < at + 1.0


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("ear", FORMATS, ids=str)
def test_whatever_format_the_agents_audio_leaves_in(detector, ear):
    assert spans(detector(), echo(0.2, -18), white(23.0, 100), ear=ear) == []


@pytest.mark.parametrize("detector", BOTH)
def test_the_detectors_would_take_it_for_speech_otherwise(detector):
    assert listen(detector(), *spoken(echo(0.2, -20))).spans != []


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("at", [3.0, 6.6, 11.7])
@pytest.mark.parametrize(("decibels", "within"), [(0, 0.3), (-6, 0.4), (-10, 1.7)])
def test_speech_on_top_of_the_echo_interrupts(detector, at, decibels, within):
    line = echo(0.25, -20), caller(at, decibels), white(23.0, 200)
    start = spans(detector(preroll=0.0), *line)[0][0]
    assert at - 0.05 <= start < at + within


@pytest.mark.parametrize("detector", BOTH)
def test_once_the_agent_is_silent_a_softer_voice_is_heard(detector):
    start = spans(detector(preroll=0.0), echo(0.25, -20), caller(22.3, -12), white(30.0, 50))[0][0]
    assert start == pytest.approx(22.3, abs=0.4)


@pytest.mark.parametrize("detector", [EnergyVAD(100.0, preroll=0.0), SileroVAD(preroll=0.0)], ids=lambda vad: vad.name)
def test_on_a_line_without_echo_a_soft_voice_may_interrupt_after_a_while(detector):
    """Weaker than the strongest echo, with its margin, that is expected at first."""
    soft = caller(15.0, -17), white(23.0, 20)
    start, _ = spans(detector, *soft)[0]
    assert start == pytest.approx(15.0, abs=0.6)


# the strength of the echo


WINDOW = 0.02


def tone(rms: float, seconds: float, format: AudioFormat = CANONICAL) -> AudioRaw:
    return convert(pcm(np.sqrt(2) * rms * np.sin(np.arange(round(seconds * RATE)) * 0.3)), format)


def gates(heard: Callable[[int], float], windows: int, line: Echo | None = None, begin: int = 0) -> list[float]:
    """The gates, while the agent says words of changing loudness, and `heard` is the level of what comes back."""
    line, found = line or Echo(WINDOW), []
    for place in range(begin, begin + windows):
        at = round(place * WINDOW, 6)
        line.played(tone(said(place), WINDOW), at)
        found.append(line.gate(heard(place), at))
    return found


SYLLABLES = np.repeat(np.random.default_rng(1).lognormal(7.0, 1.0, 200), 5).clip(20, 6000)
"""The levels of what the agent says: a syllable of another loudness each tenth of a second."""


def said(place: int) -> float:
    """The level of what the agent says in a window."""
    return float(SYLLABLES[place]) if place >= 0 else 0.0


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_at_first_any_echo_is_expected_up_to_some_decibels_more_than_what_was_played(format):
    line = Echo(WINDOW)
    line.played(tone(5000, 0.1, format), 1.0)
    assert line.gate(500.0, 1.05) == pytest.approx(5000 * 10 ** (7 / 20), rel=0.1)


def test_what_is_not_heard_yet_and_what_was_heard_long_ago_do_not_count():
    line = Echo(WINDOW)
    line.played(tone(5000, 0.1), 1.0)
    assert line.gate(0.0, 0.9) < 1.0
    assert line.gate(5000.0, 1.65) > 900
    assert line.gate(0.0, 1.75) < 1.0
    assert line.gate(0.0, 5.0) == 0.0


def test_where_nothing_comes_back_a_soft_voice_is_heard_within_a_second():
    assert max(gates(lambda place: 1.0, 100)[50:]) < 150


@pytest.mark.parametrize("decibels", [-20, -10, 0])
@pytest.mark.parametrize("late", [8, 12, 18])
def test_an_echo_is_known_within_a_second_and_is_always_below_the_gate(decibels, late):
    def echo(place: int) -> float:
        return said(place - late) * 10 ** (decibels / 20)

    known = gates(echo, 300)
    assert all(gate > echo(place) for place, gate in enumerate(known[late:], late))
    assert np.mean(known[100:]) < 4 * np.mean([echo(place) for place in range(100, 300)]) + 150


def test_an_echo_that_begins_in_the_middle_of_a_call_is_known_within_two_seconds():
    line = Echo(WINDOW)
    gates(lambda place: 1.0, 200, line)
    known = gates(lambda place: said(place - 10), 200, line, begin=200)
    assert all(gate > said(200 + place - 10) for place, gate in enumerate(known[100:], 100))


def test_what_was_said_softly_teaches_nothing_about_the_echo():
    line = Echo(WINDOW)
    for place in range(1000):
        line.played(tone(300, 0.02), place * 0.02)
        line.gate(0.0, place * 0.02)
    assert list(line.strengths) == list(Echo(WINDOW).strengths)


def test_an_empty_piece_is_no_sound():
    line = Echo(WINDOW)
    line.played(AudioRaw(b""), 0.0)
    assert line.gate(100.0, 0.0) == 0.0
