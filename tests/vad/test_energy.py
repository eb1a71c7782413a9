"""What the energy detector takes for speech, and what for noise."""

import numpy as np
import pytest
from vad.listening import (
    BOTH,
    RATE,
    SAID,
    SPEECH,
    clicks,
    hear,
    hum,
    melody,
    mixed,
    pink,
    row,
    silence,
    white,
)

from voiceflow.processors.vad import EnergyVAD

LEVEL = SAID.std()
NOISES = {"white": white, "pink": pink, "hum of 50 Hz": lambda s, rms: hum(s, rms, 50.0)}
with_every_noise = pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("rms", [0, 30, 300, 1000, 2000])
@with_every_noise
def test_noise_on_the_line_is_no_speech(noise, rms, detector):
    assert hear(detector(), noise(10.0, rms)).events == []


@pytest.mark.parametrize("snr", [20, 10, 5])
@pytest.mark.parametrize("detector", BOTH)
@with_every_noise
def test_speech_is_found_in_noise(noise, detector, snr):
    line = mixed(row(silence(1.0), SPEECH), noise(10.0, LEVEL / 10 ** (snr / 20)))
    [(start, end)] = hear(detector(preroll=0.0), line).spans
    assert start == pytest.approx(1.26, abs=0.15)
    assert end == pytest.approx(7.45, abs=0.3)


@with_every_noise
def test_noise_that_comes_in_the_call_holds_the_speech_for_four_seconds_at_most(noise):
    line = mixed(white(20.0, 50), row(silence(5.0), noise(15.0, 1500)))
    [(start, end)] = hear(EnergyVAD(), line).spans
    assert start == pytest.approx(4.7, abs=0.1)
    assert end < 9.0


@with_every_noise
def test_noise_that_swells_is_no_speech(noise):
    assert hear(EnergyVAD(), noise(20.0, 1500) * np.logspace(-1.5, 0.0, 20 * RATE)).events == []


def test_speech_after_the_noise_has_gone_is_found():
    line = row(white(8.0, 1500), white(4.0, 30), SAID / 4, silence(1.0))
    assert [start for start, _ in hear(EnergyVAD(preroll=0.0), line).spans] == [pytest.approx(12.0, abs=0.3)]


def test_a_caller_who_speaks_at_once_is_heard():
    assert hear(EnergyVAD(), SAID).spans == [(0.0, pytest.approx(len(SAID) / RATE, abs=0.3))]


def test_a_line_of_more_than_2100_at_its_start_is_speech_until_it_is_known():
    assert hear(EnergyVAD(), white(10.0, 4000)).spans == [(0.0, pytest.approx(3.0, abs=0.1))]


def test_speech_without_a_pause_is_over_at_its_longest_and_the_rest_begins_a_turn_after_ten_seconds():
    line = row(silence(0.5), *[SAID] * 10, silence(1.0))
    spans = hear(EnergyVAD(), line).spans
    assert spans[0] == (0.2, pytest.approx(15.2, abs=0.1))
    assert spans[1][0] == pytest.approx(25.2, abs=0.6)
    assert all(end - start <= 15.1 for start, end in spans)


def test_speech_after_speech_that_was_cut_begins_a_turn_once_there_was_a_pause():
    line = row(*[SAID] * 3, silence(0.9), SAID, silence(1.0))
    begin = 3 * len(SAID) / RATE + 0.9
    (_, cut), (start, end) = hear(EnergyVAD(preroll=0.0), line).spans
    assert cut == pytest.approx(15.0, abs=0.1)
    assert start == pytest.approx(begin, abs=0.1)
    assert end == pytest.approx(begin + len(SAID) / RATE, abs=0.2)


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("offset", [-20_000, 3_000])
def test_a_dc_offset_changes_nothing(detector, offset):
    line = row(silence(1.0), SPEECH / 4, silence(1.0))
    assert hear(detector(), silence(5.0) + offset).events == []
    [(start, end)] = hear(detector(), line + offset).spans
    assert hear(detector(), line).spans == [(pytest.approx(start, abs=0.1), pytest.approx(end, abs=0.2))]


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("samples", [1, 30, 150])
def test_clicks_are_no_speech_wherever_they_fall(detector, samples):
    assert hear(detector(), clicks(20.0, samples)).events == []


def test_speech_starts_at_an_rms_of_500_and_goes_on_at_less():
    for rms, found in ((470, 0), (540, 1)):
        assert len(hear(EnergyVAD(), row(silence(0.5), hum(1.0, rms, 400.0), silence(1.0))).spans) == found
    fading = row(silence(0.5), hum(0.5, 600, 400.0), hum(0.5, 350, 400.0), hum(1.0, 250, 400.0))
    [(_, end)] = hear(EnergyVAD(), fading).spans
    assert end == pytest.approx(1.5, abs=0.05)


def test_music_is_speech_to_it():
    """Stated, not wanted: loudness alone cannot tell."""
    [(start, end)] = hear(EnergyVAD(), melody(20.0, 3000)).spans
    assert (start, end) == (0.0, pytest.approx(15.0, abs=0.3))
