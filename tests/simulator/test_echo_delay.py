"""How a browser's echo is found again in a stream that silence shifts."""

from __future__ import annotations

import numpy as np

from voiceflow.audio import AudioFormat
from voiceflow.cli.audio_comparison import positions
from voiceflow.frames import AudioRaw

FORMAT = AudioFormat("pcm16", 8_000)
RATE = FORMAT.rate
NOISE = np.random.default_rng(1).integers(-8000, 8000, 4 * RATE).astype("<i2")


def audio(*parts: np.ndarray) -> AudioRaw:
    return AudioRaw(np.concatenate(parts).astype("<i2").tobytes(), FORMAT)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), "<i2")


def found(heard: AudioRaw, said: AudioRaw | None = None) -> list[tuple[float, float]]:
    places = positions(said or audio(NOISE), heard, lambda sample: max(0, sample - RATE // 10))
    return [(sample / RATE, place / RATE) for sample, place in places]


def test_each_half_second_is_found_where_it_is() -> None:
    delayed = audio(silence(0.1), NOISE[: 2 * RATE], silence(0.25), NOISE[2 * RATE :])
    assert found(delayed) == [(start, start + (0.1 if start < 2 else 0.35)) for start in np.arange(0, 4, 0.5)]


def test_what_is_silent_or_gone_is_left_out() -> None:
    other = np.random.default_rng(2).integers(-8000, 8000, RATE)
    assert [start for start, _ in found(audio(NOISE[:RATE], other, NOISE[2 * RATE :]))] == [0, 0.5, 2, 2.5, 3, 3.5]
    assert found(audio(silence(4))) == []
    assert found(audio(NOISE), said=audio(silence(4))) == []
