"""G.722, the telephone's wideband codec: 16 kHz in 64 kbit/s, two samples a byte.

The codec itself is libg722, by the package `G722`; it is bit-exact to ITU-T G.722. It is adaptive, so one
encoder and one decoder belong to each stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voiceflow.errors import MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class G722Decoder:
    """Decodes one stream of G.722 to 16 kHz samples. Raises `MissingExtraError` without the extra `g722`."""

    def __init__(self) -> None:
        self.reset()

    def push(self, data: bytes) -> NDArray[np.int16]:
        """The two samples of every byte."""
        return np.frombuffer(self._codec.decode(data), np.int16)

    def finish(self) -> None:
        """Reset. No samples are ever left over."""
        self.reset()

    def reset(self) -> None:
        """Forget the stream and get ready for a new one."""
        self._codec = _codec()


class G722Encoder:
    """Encodes one stream of 16 kHz samples as G.722. Raises `MissingExtraError` without the extra `g722`."""

    _odd: NDArray[np.int16]

    def __init__(self) -> None:
        self.reset()

    def push(self, samples: NDArray[np.int16]) -> bytes:
        """A byte for every two samples; an odd last sample waits for the next piece."""
        if len(self._odd):
            samples = np.concatenate((self._odd, samples))
        even = len(samples) & ~1
        self._odd = samples[even:].copy()  # not a view: that would keep the whole piece alive
        # Contiguous, because libg722 reads an array's memory without looking at its strides.
        encoded: bytes = self._codec.encode(np.ascontiguousarray(samples[:even]))
        return encoded

    def finish(self) -> bytes:
        """Return the byte of an odd last sample, which is coded twice to fill it, and reset."""
        encoded = self.push(self._odd)
        self.reset()
        return encoded

    def reset(self) -> None:
        """Forget the stream and get ready for a new one."""
        self._codec = _codec()
        self._odd = np.empty(0, np.int16)


def _codec() -> Any:
    try:
        from G722 import G722
    except ImportError as error:
        raise MissingExtraError("G.722", "g722") from error
    return G722(16_000, 64_000)
