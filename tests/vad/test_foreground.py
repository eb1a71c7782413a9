"""Other voices in the room: a television, someone who talks in the background."""

import numpy as np
import pytest
from doubles import make_call
from stt.test_stt import Scripted
from talking import Parrot, Voice, run, when
from vad.listening import (
    BOTH,
    MULAW,
    RATE,
    SAID,
    SPEECH,
    Sound,
    hear,
    listen,
    mixed,
    pcm,
    row,
    silence,
    spoken,
    white,
)

from voiceflow import CANONICAL
from voiceflow.processors import BargeIn
from voiceflow.processors.codec import convert
from voiceflow.processors.vad import EnergyVAD
from voiceflow.processors.vad.foreground import Foreground, Levels

OTHER = row(*[SAID[::-1]] * 5)
"""Somebody else, who talks all the time: 30 s."""
END = 3.0 + len(SAID) / RATE
"""When the caller, who begins at 3 s, has finished."""


def room(decibels: float) -> Sound:
    """The caller, with a talker in the background, so many dB weaker."""
    return mixed(row(silence(3.0), SAID), OTHER * 10 ** (decibels / 20), white(28.0, 5))[: 28 * RATE]


def noisy(*sounds: Sound) -> Sound:
    """`sounds` one after the other, on a line that is not quite silent."""
    return mixed(row(*sounds), white(sum(map(len, sounds)) / RATE, 1))


def telephone(sound: Sound) -> Sound:
    return convert(convert(pcm(sound), MULAW), CANONICAL).samples.astype(np.float64)


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("decibels", [-40, -30, -20, -15, -12])
@pytest.mark.parametrize("line", [lambda sound: sound, telephone], ids=["wideband", "telephone"])
def test_a_turn_ends_though_a_weaker_voice_goes_on(detector, decibels, line):
    ends = [end for _, end in hear(detector(), line(room(decibels))).spans if end > 3.5]
    assert ends[0] == pytest.approx(END, abs=0.35)


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("decibels", [-15, -12])
def test_the_weaker_voice_begins_no_turn_of_its_own_after_it(detector, decibels):
    assert all(start < END for start, _ in hear(detector(), room(decibels)).spans)


@pytest.mark.parametrize("detector", BOTH)
def test_the_caller_begins_another_turn_over_the_voice_in_the_background(detector):
    line = room(-15)
    line[15 * RATE : 15 * RATE + len(SAID)] += SAID
    start, end = hear(detector(preroll=0.0), line).spans[-1]
    assert start == pytest.approx(15.0, abs=0.4)
    assert end == pytest.approx(15.0 + len(SAID) / RATE, abs=0.35)


@pytest.mark.parametrize("detector", BOTH)
def test_a_softer_caller_is_heard_after_a_pause(detector):
    """Somebody else takes the telephone, and is as soft as a background would be."""
    assert len(hear(detector(), noisy(silence(0.5), SAID, silence(3.5), SAID / 5, silence(1.5))).spans) == 2


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("factor", [0.05, 0.2, 1.0])
def test_without_a_background_nothing_of_a_turn_is_lost_however_loud(detector, factor):
    vad = EnergyVAD(50.0) if detector is EnergyVAD else detector()
    spans = hear(vad, noisy(silence(0.5), SPEECH * factor, silence(1.5))).spans
    assert spans[0][0] == pytest.approx(0.5, abs=0.2)
    assert spans[-1][1] == pytest.approx(0.5 + 6.45, abs=0.3)


@pytest.mark.parametrize("detector", BOTH)
def test_a_voice_that_fades_is_one_turn(detector):
    fading = SAID * np.linspace(1.0, 0.35, len(SAID))
    [(_, end)] = hear(detector(), noisy(silence(0.5), fading, silence(1.5))).spans
    assert end == pytest.approx(0.5 + len(SAID) / RATE, abs=0.3)


@pytest.mark.parametrize("detector", BOTH)
def test_after_audio_had_stopped_the_same_voice_is_heard(detector):
    first, second = list(spoken(SAID[: 2 * RATE])), list(spoken(row(SAID, silence(1.0))))
    spans = listen(detector(), *first, 2.0, *second).spans
    assert len(spans) == 2


def test_after_it_has_forgotten_it_is_like_new():
    used, new = Foreground(0.02), Foreground(0.02)
    for place in range(500):
        used.judge(place % 7 > 0, 100.0 + place, speaking=place % 50 > 10)
    used.forget()
    assert [used.judge(True, 500.0, speaking=p > 3) for p in range(99)] == [
        new.judge(True, 500.0, speaking=p > 3) for p in range(99)
    ]


def test_the_loud_level_is_that_of_the_loudest_fiftieth_and_is_forgotten():
    levels = Levels()
    assert levels.loud == -np.inf
    for level in (*[40.0] * 90, *[60.0] * 10):
        levels.add(level, 0.02)
    assert levels.loud == pytest.approx(60.5)
    for _ in range(1000):
        levels.add(40.0, 0.02)
    assert levels.loud == pytest.approx(40.5)
    for _ in range(100_000):
        levels.add(30.0, 0.02)
    assert levels.loud == pytest.approx(30.5)


@pytest.mark.parametrize("detector", BOTH)
def test_what_was_said_in_fifteen_seconds_is_answered_though_the_voice_goes_on(detector):
    call, voice, stt = make_call(*spoken(np.tile(SAID, 6)), 1.0, live=True), Voice(), Scripted("a story")
    run(call, lambda call: call.source | detector() | BargeIn() | stt | Parrot() | voice | call.sink)
    assert voice.said[0] == (pytest.approx(15.6, abs=0.5), "a story")
    assert not [at for at in when(call, "clear") if at < voice.said[0][0] + 0.7]
