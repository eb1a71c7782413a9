"""The streaming resampler: its filters, its exactness, its delay."""

import itertools
import math

import numpy as np
import pytest
import soxr
from codec.signals import PAIRS, cut, decibels, lengths, noise, rms, stream, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow.errors import AudioCodecError
from voiceflow.processors.codec import Resampler
from voiceflow.processors.codec.resample import design, limits

every_pair = pytest.mark.parametrize(("source", "target"), PAIRS)
main_pairs = pytest.mark.parametrize(
    ("source", "target"),
    [(8_000, 16_000), (16_000, 8_000), (48_000, 16_000), (22_050, 8_000), (44_100, 16_000), (24_000, 22_050)],
)


def prototype(source, target):
    """The filter at the rate source * up, gathered from the matrices: output m is the sum of
    prototype[m * down - k * up] * input[k]."""
    filter = design(source, target)
    taps = np.zeros(2 * filter.delay * filter.down + 1)
    seen = np.zeros(len(taps), int)
    for group, start in enumerate(filter.starts):
        for column in range(filter.taps.shape[2]):
            output = group * filter.taps.shape[2] + column
            inputs = start + np.arange(filter.taps.shape[1]) - filter.history
            index = output * filter.down - inputs * filter.up
            inside = (index >= 0) & (index < len(taps))
            assert not filter.taps[group, ~inside, column].any()
            taps[index[inside]] = filter.taps[group, inside, column]
            seen[index[inside]] += 1
    assert seen.min() == seen.max() == filter.taps.shape[0] * filter.taps.shape[2] // filter.up
    return taps


def gain(taps, frequencies, rate):
    """The magnitude response of a symmetric filter in dB, relative to an ideal interpolator's."""
    half = len(taps) // 2
    response = np.full(len(frequencies), taps[half])
    for block in np.array_split(np.arange(1, half + 1), max(1, half // 256)):
        response += 2 * np.cos(2 * np.pi / rate * np.outer(frequencies, block)) @ taps[half + block]
    return 20 * np.log10(np.maximum(np.abs(response), 1e-12))


def reference(source, target, samples):
    """The definition, summed output by output."""
    filter, taps = design(source, target), prototype(source, target)
    count = math.ceil(len(samples) * filter.up / filter.down) + filter.delay
    index = np.arange(count)[:, None] * filter.down - np.arange(len(samples)) * filter.up
    inside = (index >= 0) & (index < len(taps))
    sums = np.where(inside, taps[np.where(inside, index, 0)], 0.0) @ samples.astype(float)
    return np.rint(sums).clip(-32_768, 32_767)


@every_pair
def test_the_filter_is_symmetric_so_its_delay_is_the_same_for_all_frequencies(source, target):
    taps = prototype(source, target)
    assert np.array_equal(taps, taps[::-1])
    assert np.abs(taps).argmax() == len(taps) // 2


@every_pair
def test_the_passband_is_flat_within_half_a_decibel(source, target):
    taps, up = prototype(source, target), design(source, target).up
    edge = 0.85 * min(source, target) / 2
    ripple = gain(taps, np.linspace(0, edge, 100), source * up) - decibels(up)
    assert np.abs(ripple).max() <= 0.5


@every_pair
def test_the_stopband_is_80_decibels_down(source, target):
    taps, up = prototype(source, target), design(source, target).up
    edge = min(source, target) / 2 + 400
    # Side lobes are 1 / (length of the filter) wide and fall off: look closely where they are highest.
    near = np.linspace(edge, min(edge + 12_000, source * up / 2), 500)
    far = np.linspace(edge, source * up / 2, 300)
    images = np.arange(1, min(up, 100)) * float(source)  # of a constant
    response = gain(taps, np.concatenate((near, far, images[images > edge])), source * up)
    assert response.max() - decibels(up) <= -80


@every_pair
def test_the_delay_is_at_most_3_ms_and_is_where_an_impulse_comes_out(source, target):
    resampler = Resampler(source, target)
    at = source // 100
    impulse = np.zeros(source // 20, np.int16)
    impulse[at] = 32_000
    heard = stream(resampler, [impulse]).astype(float)
    power = heard**2
    centre = (power * np.arange(len(power))).sum() / power.sum() / target
    assert resampler.delay <= 0.003
    assert centre - at / source == pytest.approx(resampler.delay, abs=0.1 / target)


@main_pairs
def test_the_delay_is_the_lag_of_the_best_cross_correlation_with_soxr(source, target):
    sent = noise(source, 0.7 * min(source, target) / 2, seconds=0.3)
    ideal = soxr.resample(sent.astype(float), source, target, "VHQ")
    resampler = Resampler(source, target)
    heard = stream(resampler, [sent])
    lag = np.correlate(heard.astype(float), ideal, "full").argmax() - (len(ideal) - 1)
    assert lag == round(resampler.delay * target)


@every_pair
def test_band_limited_noise_is_what_soxr_makes_of_it(source, target):
    sent = noise(source, 0.75 * min(source, target) / 2, seconds=0.25)
    ideal = soxr.resample(sent.astype(float), source, target, "VHQ")
    resampler = Resampler(source, target)
    heard = stream(resampler, [sent])[round(resampler.delay * target) :][: len(ideal)]
    assert decibels(rms(ideal) / rms(heard - ideal[: len(heard)])) > 65


@every_pair
def test_sums_are_exact_so_their_order_cannot_matter(source, target):
    taps = design(source, target).taps * 2.0**30
    assert np.array_equal(taps, np.rint(taps))
    assert 32_768 * np.abs(taps).sum(axis=1).max() < 2**53


@every_pair
def test_whatever_a_filter_makes_of_16_bit_samples_has_a_limit(source, target):
    loudest = 32_768 * np.abs(design(source, target).taps).sum(axis=1).max()
    assert loudest < len(limits()) / 2


@every_pair
def test_samples_are_those_of_the_definition_whatever_the_pieces(source, target):
    random = np.random.default_rng(source * target)
    sent = random.integers(-32_768, 32_768, 700).astype(np.int16)
    expected = reference(source, target, sent)
    for pieces in ([], [1] * 60, random.integers(0, 90, 40).tolist(), [160] * 4):
        assert np.array_equal(stream(Resampler(source, target), cut(sent, pieces)), expected)


@given(st.sampled_from(PAIRS), lengths(3_000), st.integers(0, 9_000), st.integers(0, 99))
@settings(deadline=None, max_examples=150)
def test_any_split_of_a_stream_gives_the_same_samples(pair, pieces, count, seed):
    sent = np.random.default_rng(seed).integers(-32_768, 32_768, count).astype(np.int16)
    whole = stream(Resampler(*pair), [sent])
    assert np.array_equal(stream(Resampler(*pair), cut(sent, pieces)), whole)


@given(st.sampled_from(PAIRS), lengths(2_000))
@settings(deadline=None)
def test_nothing_is_withheld_and_the_end_is_as_long_as_the_delay(pair, pieces):
    source, target = pair
    resampler, given_, got = Resampler(source, target), 0, 0
    for piece in pieces:
        given_ += piece
        got += len(resampler.push(np.zeros(piece, np.int16)))
        assert got == -(-given_ * target // source)
    assert len(resampler.finish()) == (round(resampler.delay * target) if given_ else 0)


@pytest.mark.parametrize("ending", ["finish", "reset"])
@given(st.sampled_from(PAIRS), st.integers(0, 3_000))
@settings(deadline=None, max_examples=50)
def test_after_its_end_a_resampler_is_like_new(ending, pair, count):
    sent = noise(pair[0], 3_000, seconds=0.06)
    resampler = Resampler(*pair)
    resampler.push(np.full(count, 32_767, np.int16))
    getattr(resampler, ending)()
    assert np.array_equal(stream(resampler, [sent]), stream(Resampler(*pair), [sent]))


@main_pairs
@pytest.mark.parametrize("period", [2, 8, 13, 40, 10_000])
def test_full_scale_square_waves_saturate_and_do_not_wrap(source, target, period):
    high = np.arange(600) % period < (period + 1) // 2
    square = np.where(high, 32_767, -32_768).astype(np.int16)
    heard = stream(Resampler(source, target), [square])
    assert np.array_equal(heard, reference(source, target, square))


@main_pairs
def test_a_full_scale_sine_keeps_its_level_and_its_slope(source, target):
    heard = stream(Resampler(source, target), [tone(1_000, source, amplitude=32_767)])
    steepest = 2 * np.pi * 1_000 / target * 32_767
    assert np.abs(np.diff(heard.astype(int))).max() <= steepest * 1.05 + 2
    assert np.abs(heard.astype(int)).max() >= 32_600


@main_pairs
def test_a_constant_stays_the_same_constant(source, target):
    heard = stream(Resampler(source, target), [np.full(source // 10, 12_345, np.int16)])
    settled = round(0.006 * target)
    assert np.abs(heard[settled:-settled].astype(int) - 12_345).max() <= 1


@pytest.mark.parametrize(
    ("source", "target"),
    [(16_000, 8_000), (48_000, 16_000), (24_000, 8_000), (44_100, 16_000), (22_050, 8_000)],
)
def test_tones_above_the_lower_nyquist_frequency_do_not_come_back_as_aliases(source, target):
    for frequency in np.linspace(target / 2 + 401, source / 2 - 50, 12):
        heard = stream(Resampler(source, target), [tone(frequency, source)])
        settled = heard[round(0.01 * target) : -round(0.01 * target)]
        assert decibels(rms(settled) / rms(tone(frequency, source))) < -80


@pytest.mark.parametrize(("source", "target"), [(8_000, 16_000), (16_000, 48_000), (8_000, 44_100)])
def test_tones_leave_no_images_above_the_lower_nyquist_frequency(source, target):
    for frequency in np.linspace(200, source / 2 - 401, 12):
        heard = stream(Resampler(source, target), [tone(frequency, source)])
        settled = heard[round(0.01 * target) : -round(0.01 * target)].astype(float)
        window = np.kaiser(len(settled), 14)
        spectrum = np.abs(np.fft.rfft(settled * window)) / (32_000 / 2 * window.sum())
        above = np.fft.rfftfreq(len(settled), 1 / target) > source / 2 + 400
        assert decibels(spectrum[above].max()) < -80


def test_silence_is_silent():
    for pair in itertools.islice(PAIRS, 0, None, 7):
        assert not stream(Resampler(*pair), [np.zeros(2_000, np.int16)]).any()


@pytest.mark.parametrize(("source", "target"), [(8_000, 12_000), (96_000, 16_000), (4_000, 88_200)])
def test_other_rates_whose_ratio_is_small_work_too(source, target):
    sent = noise(source, 1_000, seconds=0.1)
    expected = reference(source, target, sent[:500])
    assert np.array_equal(stream(Resampler(source, target), cut(sent[:500], [1, 99, 0, 173])), expected)


def test_rates_without_a_small_ratio_are_refused_by_name():
    with pytest.raises(AudioCodecError, match=r"15999 to 16000 Hz"):
        Resampler(15_999, 16_000)
