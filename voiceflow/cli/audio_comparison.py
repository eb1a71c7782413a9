"""Compares what was heard with what was said: by how much it is late, and how much alike the two are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from voiceflow.frames import AudioRaw

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST_DELAY = 2.0
"""The longest delay that is found, in seconds."""
ALIKE = 0.5
"""The least correlation at which a part is taken as found."""
QUIET = 1000
"""A part all of whose samples are below this is too quiet to be found again."""
_BLOCK = 1 << 18
"""How many samples are correlated at a time, which bounds the memory that a long call takes."""


class Likeness(NamedTuple):
    delay: float
    """In seconds."""
    correlation: float
    """Normalised: 1 for the same audio, whatever its loudness, about 0 for unrelated audio."""


def compare(said: AudioRaw, heard: AudioRaw) -> Likeness | None:
    """The delay of 0 to 2 s at which `heard` is most like `said`; both have the same rate. None if one is silent."""
    a, b = _mono(said), _mono(heard)
    lags = round(LONGEST_DELAY * said.format.rate) + 1
    # The energy of the part of `heard` that each delay lays beside `said`.
    energy = np.concatenate(([0.0], np.cumsum(b * b)))
    starts = np.arange(lags)
    beside = energy[np.minimum(starts + len(a), len(b))] - energy[np.minimum(starts, len(b))]
    scale = np.sqrt(np.dot(a, a) * beside)
    if not scale.any():
        return None
    alike = np.divide(_correlate(a, b, lags), scale, out=np.zeros(lags), where=scale > 0)
    best = int(np.argmax(alike))
    return Likeness(best / said.format.rate, float(alike[best]))


def positions(said: AudioRaw, heard: AudioRaw, place: Callable[[int], int]) -> Iterator[tuple[int, int]]:
    """Where parts of `said`, each half a second long, are found again in `heard`: the first sample of each, in both.

    `place` maps a sample of `said` to the first sample of `heard` at which the part that begins there may be. Silent
    parts, and parts that are not found, are left out.
    """
    size = said.format.rate // 2
    for start in range(0, len(said.samples) - size + 1, size):
        part = AudioRaw(said.samples[start : start + size].tobytes(), said.format)
        if np.abs(part.samples).max() < QUIET:
            continue
        first = place(start)
        end = first + size + round(LONGEST_DELAY * heard.format.rate)
        found = compare(part, AudioRaw(heard.samples[first:end].tobytes(), heard.format))
        if found is not None and found.correlation >= ALIKE:
            yield start, first + round(found.delay * heard.format.rate)


def _mono(audio: AudioRaw) -> NDArray[np.float64]:
    mono: NDArray[np.float64] = audio.samples.reshape(-1, audio.format.channels).mean(axis=1)
    return mono


def _correlate(a: NDArray[np.float64], b: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """sum(a[n] * b[n + lag]) for every lag, by FFT, block by block."""
    total = np.zeros(lags)
    size = 1 << (min(_BLOCK, len(a)) + lags - 1).bit_length()
    for start in range(0, len(a), _BLOCK):
        block, beside = a[start : start + _BLOCK], b[start : start + _BLOCK + lags - 1]
        spectrum = np.fft.rfft(block, size).conj() * np.fft.rfft(beside, size)
        total += np.fft.irfft(spectrum, size)[:lags]
    return total
