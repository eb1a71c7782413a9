"""Stereo to mono, and mono to stereo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def downmix(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """The mean of the two interleaved channels, a half rounded up."""
    left, right = samples[0::2], samples[1::2]
    mean: NDArray[np.int16] = (left | right) - ((left ^ right) >> 1)  # this form cannot overflow 16 bits
    return mean


def duplicate(data: bytes, size: int) -> bytes:
    """Interleaved stereo from mono `data`, whose samples have `size` bytes: both channels are the same."""
    return np.frombuffer(data, f"V{size}").repeat(2).tobytes()
