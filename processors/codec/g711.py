"""G.711, the telephone's two companding laws, mu-law and A-law: 8 bits a sample, decoded and encoded by tables.

Bit-exact to ITU-T G.711 (11/1988), as the ITU's reference code (G.191) computes it. Both laws cut a sample
into a sign, a 3-bit segment that doubles in width from one to the next, and a 4-bit mantissa within it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from voiceflow.processors.codec.resample import limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

Samples: TypeAlias = "NDArray[np.int16] | NDArray[np.float64]"
"""What the encoders take: 16-bit samples, or a resampler's whole numbers, which may be beyond full scale."""

_MULAW_BIAS = 33  # shifts mu-law's segments to powers of two, from 2**5 on
_ALAW_TOGGLE = 0x55  # A-law inverts every other bit, so that silence has transitions on the line


def mulaw_decode(data: bytes) -> NDArray[np.int16]:
    """The samples of mu-law `data`, one a byte."""
    return mulaw_decoding().take(np.frombuffer(data, np.uint8))


def alaw_decode(data: bytes) -> NDArray[np.int16]:
    """The samples of A-law `data`, one a byte."""
    return alaw_decoding().take(np.frombuffer(data, np.uint8))


def mulaw_encode(samples: Samples) -> bytes:
    """Samples in mu-law, one byte each."""
    return mulaw_encoding().take(samples.astype(np.intp)).tobytes()


def alaw_encode(samples: Samples) -> bytes:
    """Samples in A-law, one byte each."""
    return alaw_encoding().take(samples.astype(np.intp)).tobytes()


def mulaw_to_alaw(data: bytes) -> bytes:
    """Mu-law `data` in A-law: the same as decoding and encoding it, by one table."""
    return data.translate(_mulaw_to_alaw())


def alaw_to_mulaw(data: bytes) -> bytes:
    """A-law `data` in mu-law: the same as decoding and encoding it, by one table."""
    return data.translate(_alaw_to_mulaw())


@functools.cache
def mulaw_decoding() -> NDArray[np.int16]:
    """The sample of each of the 256 mu-law codes."""
    code = ~np.arange(256, dtype=np.uint8)
    segment, mantissa = (code >> 4) & 7, (code & 15).astype(np.int16)
    magnitude = (((mantissa << 1) + _MULAW_BIAS) << segment) - _MULAW_BIAS << 2
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


@functools.cache
def alaw_decoding() -> NDArray[np.int16]:
    """The sample of each of the 256 A-law codes."""
    code = np.arange(256, dtype=np.uint8) ^ _ALAW_TOGGLE
    segment, mantissa = ((code >> 4) & 7).astype(np.int16), (code & 15).astype(np.int16)
    step = (mantissa << 1) + 1 + np.where(segment > 0, 32, 0)  # segments 0 and 1 are equally wide
    magnitude = step << np.maximum(segment - 1, 0) << 3
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


@functools.cache
def mulaw_encoding() -> NDArray[np.uint8]:
    """The mu-law code of each sample, indexed as `resample.limits` is."""
    sample = limits().astype(np.int32)
    # One's complement for negative samples, as in G.191; audioop negates, and differs in 508 codes.
    magnitude = np.minimum((np.where(sample < 0, ~sample, sample) >> 2) + _MULAW_BIAS, 0x1FFF)
    segment = _bit_length(magnitude) - 6
    mantissa = (magnitude >> (segment + 1)) & 15
    code = ~(segment << 4 | mantissa) & 0x7F
    codes: NDArray[np.int32] = np.where(sample < 0, code, code | 0x80)
    return codes.astype(np.uint8)


@functools.cache
def alaw_encoding() -> NDArray[np.uint8]:
    """The A-law code of each sample, indexed as `resample.limits` is."""
    sample = limits().astype(np.int32)
    magnitude = np.where(sample < 0, ~sample, sample) >> 4
    segment = np.maximum(_bit_length(magnitude) - 4, 0)
    mantissa = (magnitude >> np.maximum(segment - 1, 0)) & 15
    code = segment << 4 | mantissa
    codes: NDArray[np.int32] = np.where(sample < 0, code, code | 0x80) ^ _ALAW_TOGGLE
    return codes.astype(np.uint8)


@functools.cache
def _mulaw_to_alaw() -> bytes:
    return alaw_encode(mulaw_decoding())


@functools.cache
def _alaw_to_mulaw() -> bytes:
    return mulaw_encode(alaw_decoding())


def _bit_length(number: NDArray[np.int32]) -> NDArray[np.int32]:
    exponent: NDArray[np.int32] = np.frexp(number.astype(np.float32))[1]
    return exponent
