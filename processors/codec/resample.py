"""The streaming resampler: a polyphase FIR that keeps its state from one piece of audio to the next.

Each output sample is there as soon as the input sample at its time is. The signal comes out `Resampler.delay`
seconds late, a constant, which is at most 3 ms if both rates are at least 8 kHz. Nothing is held back to fill a
block, so output does not come in bursts.

However a stream is cut into pieces, the samples are the same, bit for bit. Floating-point sums depend on their
order, and BLAS chooses the order by the shape of the matrices; so the sums are exact: taps are multiples of
2**-30, and sums of their products with 16-bit samples stay far below the 2**53 units that a float64 holds.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from voiceflow.errors import AudioCodecError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ATTENUATION = 84.0  # dB, of which the design keeps at least 80
_KAISER_BETA = 0.1102 * (_ATTENUATION - 8.7)
_PASSBAND = 0.85  # as a fraction of the lower Nyquist frequency
_TRANSITION = 400.0  # Hz, from the lower Nyquist frequency to the stopband
# Kaiser's window makes the passband as flat as the stopband is deep. A fifth of its transition band may lie
# within the passband, at a cost of 0.2 dB there, and makes the filter a fifth shorter.
_OVERLAP = 1.2
_TAP_UNIT = 2.0**-30
_MAX_RATIO = 2_560  # 11 025 to 192 000 Hz, the most awkward pair of usual rates, is 2560 / 147
_GROUP = 20  # outputs computed together: few enough that their windows overlap, enough for a matrix product
_OVERSHOOT = 3  # times full scale: sums stay below this, because no filter's taps add up to more

_Filtering: TypeAlias = Callable[["NDArray[np.int16]"], "NDArray[np.float64]"]
"""Takes the samples of one piece and returns the output sums that they complete, rounded to whole numbers."""


class Filter(NamedTuple):
    """The taps for one pair of rates, arranged as matrices.

    Outputs are computed in groups of `taps.shape[2]`; the samples that a group needs are one window of
    `taps.shape[1]` inputs. The distances between windows repeat after `taps.shape[0]` groups, which are a period.
    """

    taps: NDArray[np.float64]
    """Shape (groups in a period, inputs in a window, outputs in a group)."""
    starts: NDArray[np.intp]
    """Where each group's window starts, in inputs after the start of the period's first window."""
    up: int
    """There are `up` outputs for `down` inputs: target / source in lowest terms."""
    down: int
    period: int
    """Inputs in a period."""
    history: int
    """Inputs in a window before the newest one that the group's first output needs."""
    delay: int
    """How late the signal comes out, in outputs."""


class Resampler:
    """Resamples one mono stream from `source` Hz to `target` Hz.

    After n inputs, however cut, there have been ceil(n * target / source) outputs. `finish` gives the
    `delay` that is left: round(delay * target) outputs, a whole number by design, so that output number
    round(delay * target) + m is the signal at m / target seconds.
    """

    _inputs: int
    """How many inputs have come since the current period began."""
    _begun: bool
    """Whether the stream has had any input."""
    _place: tuple[int, int]
    """The kind of piece that `_filtering` is made for: `_inputs` before it, and its length in samples."""
    _filtering: _Filtering
    """Filters such a piece."""
    _after: int
    """`_inputs` after such a piece."""

    def __init__(self, source: int, target: int) -> None:
        self._filter = design(source, target)
        width, period = self._filter.taps.shape[1], self._filter.period
        self.delay = self._filter.delay / target
        """How many seconds after its input the signal comes out."""
        # Longer pieces are cut: that bounds the buffers, and keeps BLAS from starting threads.
        self._longest = source // 20
        periods = self._longest // period + 2
        self._line = np.zeros(periods * period + width)  # from the first window of the current period on
        self._starts = np.add.outer(np.arange(periods) * period, self._filter.starts).reshape(-1)
        self._windows = np.lib.stride_tricks.sliding_window_view(self._line, width)
        self.reset()

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """The outputs that `samples` complete."""
        return limits().take(self.push_unlimited(samples).astype(np.intp))

    def push_unlimited(self, samples: NDArray[np.int16]) -> NDArray[np.float64]:
        """As `push`, but whole numbers perhaps beyond full scale: indexes into `limits`. Valid until the next piece."""
        count = len(samples)
        if count > self._longest:
            cuts = range(0, count, self._longest)
            return np.concatenate([self.push_unlimited(samples[cut : cut + self._longest]).copy() for cut in cuts])
        place = self._inputs, count
        if place != self._place:  # seldom: the pieces of a stream are usually equally long
            self._place = place
            self._filtering, self._after = self._filtering_at(*place)
            self._begun = self._begun or count > 0
        self._inputs = self._after
        return self._filtering(samples)

    def finish(self) -> NDArray[np.int16]:
        """Return the last `delay` seconds of the stream, and reset."""
        _, _, up, down, _, _, delay = self._filter
        silence = np.zeros(delay * down // up + 2 if self._begun else 0, np.int16)
        tail = self.push(silence)[:delay]
        self.reset()
        return tail

    def reset(self) -> None:
        """Forget the stream and get ready for a new one."""
        self._line.fill(0.0)
        self._inputs = 0
        self._begun = False
        self._place = 0, -1

    def _filtering_at(self, before: int, count: int) -> tuple[_Filtering, int]:
        """A function that filters the `count` inputs after the first `before` of the current period, and `_inputs`
        after them.

        All views of the buffers are made here, once: making them takes as long as filtering.
        """
        taps, _, up, down, period, history, _ = self._filter
        groups, _, outputs = taps.shape
        after = before + count
        start, stop = -(-before * up // down), -(-after * up // down)  # outputs since the current period began
        first, last = start // outputs, -(-stop // outputs)  # their groups
        sums = np.empty((last - first, outputs))
        add_up: Callable[[], object]
        if groups == 1:
            add_up = partial(self._windows[first * period : last * period : period].dot, taps[0], sums)
        else:
            add_up = partial(_add_up, self._windows, self._starts[first:last], first % groups, taps, sums)
        completed = sums.reshape(-1)[start - first * outputs : stop - first * outputs]
        gone, end = after - after % period, history + after
        room, kept, keep = self._line[history + before : end], self._line[: end - gone], self._line[gone:end]

        def filtering(samples: NDArray[np.int16]) -> NDArray[np.float64]:
            room[...] = samples
            add_up()
            if gone:
                kept[...] = keep
            return np.rint(completed, completed)

        return filtering, after - gone


def _add_up(
    windows: NDArray[np.float64],
    starts: NDArray[np.intp],
    place: int,
    taps: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Fill `sums` for the groups whose windows begin at `starts`, at uneven distances. The first group is number
    `place` of its period."""
    inputs, done = windows[starts, None], 0
    while done < len(starts):  # one period at a time
        part = slice(done, done + len(taps) - place)
        np.matmul(inputs[part], taps[place : place + len(starts) - done], sums[part, None])
        done, place = part.stop, 0


@functools.cache
def limits() -> NDArray[np.int16]:
    """The table that limits a resampler's sums to 16-bit samples: what is beyond full scale becomes full scale. Indexed
    by the sum, negative ones from the end. Looking samples up takes half the time of clipping them."""
    loudest = _OVERSHOOT * 32_768
    return np.roll(np.arange(-loudest, loudest), loudest).clip(-32_768, 32_767).astype(np.int16)


@functools.cache
def design(source: int, target: int) -> Filter:
    """A linear-phase low-pass for the ratio target / source, by Kaiser's window.

    Raises `AudioCodecError` if a term of the ratio, in lowest terms, exceeds 2560.
    """
    divisor = math.gcd(source, target)
    up, down = target // divisor, source // divisor
    if max(up, down) > _MAX_RATIO:
        raise AudioCodecError(
            f"cannot resample {source} to {target} Hz: their ratio is {up}/{down}, and terms up to "
            f"{_MAX_RATIO} are supported; use one of the usual rates, such as 16000 Hz"
        )
    nyquist = min(source, target) / 2
    stopband = nyquist + _TRANSITION
    width = _OVERLAP * (stopband - _PASSBAND * nyquist)  # of Kaiser's transition band, in Hz
    # Kaiser's estimate of the order is (attenuation - 7.95) / (2.285 * 2 pi * width / rate); half is delay.
    delay = math.ceil((_ATTENUATION - 7.95) / (2.285 * 4 * math.pi * width) * target)
    reach = delay * down  # taps each side, at the rate source * up: a whole number of outputs
    cutoff = (2 * stopband - width) / (source * up)  # in cycles per half tap
    ideal = up * cutoff * np.sinc(cutoff * np.arange(-reach, reach + 1))
    prototype = np.rint(ideal * np.kaiser(2 * reach + 1, _KAISER_BETA) / _TAP_UNIT) * _TAP_UNIT

    outputs = _group_size(up)
    groups = max(1, up // outputs)
    first = np.arange(groups) * outputs * down // up  # the newest input of each group's first output
    history = 2 * reach // up
    inputs = np.arange(history + 1 - (1 - outputs) * down // up)
    # Output m is the sum over inputs k of prototype[m * down - k * up].
    m = (np.arange(groups) * outputs)[:, None, None] + np.arange(outputs)
    k = first[:, None, None] + inputs[:, None] - history
    tap = m * down - k * up
    within = (tap >= 0) & (tap < len(prototype))
    taps = np.where(within, prototype[np.where(within, tap, 0)], 0.0)
    period = groups * outputs * down // up
    return Filter(taps, first, up, down, period, history, delay)


def _group_size(up: int) -> int:
    """The divisor or multiple of `up` that is nearest `_GROUP`."""
    if up <= _GROUP:
        return up * round(_GROUP / up)
    return min((n for n in range(1, up + 1) if up % n == 0), key=lambda n: abs(n - _GROUP))
