"""Test signals, and ways to cut them into pieces."""

import itertools

import numpy as np
from hypothesis import strategies as st

from voiceflow.audio import ENCODINGS, AudioFormat

RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
PAIRS = tuple(itertools.permutations(RATES, 2))


def tone(frequency, rate, seconds=0.5, amplitude=32_000.0):
    time = np.arange(round(seconds * rate)) / rate
    return np.rint(amplitude * np.sin(2 * np.pi * frequency * time)).astype(np.int16)


def noise(rate, limit, seconds=0.5, seed=1, amplitude=6_000.0):
    """White noise up to `limit` Hz, that begins and ends softly."""
    count = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    spectrum[np.fft.rfftfreq(count, 1 / rate) > limit] = 0
    signal = np.fft.irfft(spectrum, count)
    signal *= amplitude / signal.std() * np.hanning(count)
    return np.rint(signal).clip(-32_768, 32_767).astype(np.int16)


def rms(signal):
    return float(np.sqrt(np.mean(np.square(np.asarray(signal, dtype=float)))))


def decibels(ratio):
    return 20 * np.log10(max(ratio, 1e-12))


def cut(data, lengths):
    """`data` in pieces of these lengths; the last piece is what remains."""
    ends = [end for end in itertools.accumulate(lengths) if end < len(data)]
    return [data[a:b] for a, b in itertools.pairwise([0, *ends, len(data)])]


def stream(converter, pieces):
    """All that comes out of a converter of samples, its end included."""
    return np.concatenate([*(converter.push(piece) for piece in pieces), converter.finish()])


def audio_formats():
    """Every format: all encodings, the usual rates, mono and stereo."""
    usual = [AudioFormat(e, r, c) for e in ENCODINGS if e != "g722" for r in RATES for c in (1, 2)]
    return st.sampled_from([*usual, AudioFormat("g722", 16_000)])


def lengths(longest=900):
    """How a stream is cut: mostly short pieces, empty ones among them."""
    return st.lists(st.integers(0, 5) | st.integers(0, longest), max_size=12)
