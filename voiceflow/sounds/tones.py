"""DTMF tones, for digits that are sent in-band (ITU-T Q.23)."""

from __future__ import annotations

import numpy as np

from voiceflow.audio import AudioFormat
from voiceflow.errors import CallError
from voiceflow.frames import AudioRaw

_LOW = (697, 770, 852, 941)
_HIGH = (1209, 1336, 1477, 1633)
_KEYS = ("123A", "456B", "789C", "*0#D")
_FREQUENCIES = {
    key: (low, high) for row, low in zip(_KEYS, _LOW, strict=True) for key, high in zip(row, _HIGH, strict=True)
}
_RATE = 8000
_TONE = _GAP = 0.1  # seconds; ITU-T Q.24 asks receivers to take 40 ms, carriers' gateways like more
_PAUSE = 0.5
_AMPLITUDE = 0.25 * 32767  # of each of the two tones: -12 dBFS


def tones(digits: str) -> AudioRaw:
    """The tones of `digits` (0-9, *, #, A-D; `w` is a pause of half a second) as pcm16, 8 000 Hz, mono. Raises
    `CallError` for any other character."""
    pieces = []
    for digit in digits.upper():
        if digit == "W":
            pieces.append(np.zeros(int(_PAUSE * _RATE)))
        elif digit in _FREQUENCIES:
            time = np.arange(int(_TONE * _RATE)) / _RATE
            low, high = (np.sin(2 * np.pi * frequency * time) for frequency in _FREQUENCIES[digit])
            pieces.append(_AMPLITUDE * (low + high))
            pieces.append(np.zeros(int(_GAP * _RATE)))
        else:
            raise CallError(f"{digit!r} is no key of a telephone: use 0-9, *, #, A-D, or w to pause")
    samples = np.concatenate([np.zeros(0), *pieces])
    return AudioRaw(samples.astype("<i2").tobytes(), AudioFormat("pcm16", _RATE, 1))
