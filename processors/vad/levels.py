"""How loud audio is: RMS on the scale of 16-bit samples, 0 to 32 768."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def level(window: NDArray[np.int16]) -> float:
    """The RMS of the quieter half of a window of an even number of samples, without DC offset.

    A click is shorter than half a window, so it makes one window loud at most, wherever it falls. A voice of 80 Hz
    still has most of a period in each half of 20 ms.
    """
    samples = window.astype(np.float64)
    middle = len(samples) >> 1
    return math.sqrt(min(_variance(samples[:middle]), _variance(samples[middle:])))


def rms(window: NDArray[np.int16]) -> float:
    """The RMS of a window, without DC offset."""
    return math.sqrt(_variance(window.astype(np.float64)))


def _variance(samples: NDArray[np.float64]) -> float:
    mean = np.add.reduce(samples) / len(samples)
    return max(0.0, float(np.dot(samples, samples) / len(samples) - mean * mean))
