"""The agent's own voice, returned by the line."""

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


# the levels


def tone(rms: float, seconds: float, format: AudioFormat = CANONICAL) -> AudioRaw:
    return convert(pcm(np.sqrt(2) * rms * np.sin(np.arange(round(seconds * RATE)) * 0.3)), format)


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_the_caller_must_exceed_twice_a_tenth_of_what_is_heard(format):
    line = Echo()
    line.played(tone(5000, 0.1, format), 1.0)
    assert line.gate(500.0, 1.05) == pytest.approx(1000, rel=0.05)


def test_what_is_not_heard_yet_and_what_was_heard_long_ago_do_not_count():
    line = Echo()
    line.played(tone(5000, 0.1), 1.0)
    assert line.gate(0.0, 0.99) == 0.0
    assert line.gate(500.0, 1.69) > 900
    assert line.gate(0.0, 1.71) == 0.0


def test_the_loudest_20_ms_of_a_piece_count():
    line = Echo()
    line.played(pcm(row(silence(0.08), tone(5000, 0.02).samples.astype(float))), 1.0)
    assert line.gate(500.0, 1.0) == pytest.approx(1000, rel=0.05)


def test_the_strength_of_the_echo_is_learned_and_is_never_taken_for_more_than_expected():
    line, at = Echo(), 0.0
    gates = []
    for level in (*[50.0] * 2000, *[400.0] * 100, *[4000.0] * 500):
        line.played(tone(5000, 0.02), at)
        gates.append(line.gate(level, at))
        at += 0.02
    assert gates[0] == pytest.approx(1000, rel=0.05)
    assert gates[1999] == pytest.approx(100, rel=0.05)
    assert gates[2099] == pytest.approx(800, rel=0.05)
    assert max(gates) <= 1050


def test_what_was_said_softly_teaches_nothing_about_the_echo():
    line = Echo()
    for place in range(1000):
        line.played(tone(300, 0.02), place * 0.02)
        line.gate(0.0, place * 0.02)
    assert line.strength == Echo().strength


def test_an_empty_piece_is_no_sound():
    line = Echo()
    line.played(AudioRaw(b""), 0.0)
    assert line.gate(100.0, 0.0) == 0.0
