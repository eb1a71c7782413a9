"""What is said in the tests of browser calls, and how much what is heard is like it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import voiceflow.simulator
from voiceflow.processors.codec import convert
from voiceflow.sounds.wavfile import read_wav
from voiceflow.transports.webrtc.opus import FORMAT, FRAME, Encoder

Samples = NDArray[np.int16]
NOTHING: Samples = np.zeros(0, np.int16)


def speech() -> Samples:
    spoken = convert(read_wav(Path(voiceflow.simulator.__file__).with_name("speech.wav")), FORMAT).samples
    return spoken[: len(spoken) // FRAME * FRAME]


def frames(samples: Samples) -> list[bytes]:
    return [samples[start : start + FRAME].astype("<i2").tobytes() for start in range(0, len(samples), FRAME)]


def loudest() -> int:
    """The place of the loudest 20 ms of the speech."""
    return int(np.argmax([np.abs(heard(frame)).mean() for frame in frames(speech())]))


def encode(samples: Samples) -> list[bytes]:
    encoder = Encoder()
    return [encoder.encode(frame) for frame in frames(samples)]


def heard(data: bytes) -> NDArray[np.float64]:
    return np.frombuffer(data, "<i2").astype(np.float64)


def likeness(said: Samples, data: bytes) -> tuple[float, int]:
    """The correlation of what was said with what was heard, at the delay in samples at which it is greatest."""
    got = heard(data)
    size = len(said) + len(got)
    together = np.fft.irfft(np.fft.rfft(got, size) * np.conj(np.fft.rfft(said.astype(np.float64), size)), size)
    delay = int(np.argmax(together[: len(got)]))
    length = min(len(said), len(got) - delay)
    return float(np.corrcoef(said[:length], got[delay : delay + length])[0, 1]), delay


def likeness_of_parts(said: Samples, data: bytes, *, seconds: float = 0.5) -> float:
    """The middle one of the correlations of parts: a machine that is busy may put a gap between two."""
    size = round(seconds * FORMAT.rate)
    parts = [said[start : start + size] for start in range(0, len(said), size)]
    return float(np.median([likeness(part, data)[0] for part in parts if np.abs(part).max() > 1000]))
