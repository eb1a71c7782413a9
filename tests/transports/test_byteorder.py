"""The byte order of L16, heard from the audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.sounds.wavfile import read_wav
from voiceflow.transports.byteorder import ByteOrderCheck

SPEECH = read_wav(Path(__file__).parent.parent / "data" / "speech.wav").samples.astype(float)


def listen(samples: np.ndarray[tuple[int], np.dtype[np.float64]], order: str, rate: int = 16_000) -> str | None:
    check = ByteOrderCheck(AudioFormat("pcm16", rate))
    data = np.rint(samples).astype(order + "i2").tobytes()
    found = (check.listen(data[start : start + 640]) for start in range(0, len(data), 640))
    return next((order for order in found if order is not None), None)


@pytest.mark.parametrize("gain", [1.0, 0.3, 0.1])
@pytest.mark.parametrize(("order", "name"), [("<", "little"), (">", "big")])
def test_speech_tells_the_order_loud_or_soft(order: str, name: str, gain: float) -> None:
    assert listen(SPEECH * gain, order) == name
    assert listen(SPEECH[::2] * gain, order, 8_000) == name


def test_half_a_second_of_speech_is_enough() -> None:
    pieces = SPEECH[: len(SPEECH) // 320 * 320].reshape(-1, 320)
    voiced = pieces[np.abs(pieces).mean(axis=1) > 500].ravel()
    assert listen(voiced[:8_000], "<") == "little"
    assert listen(voiced[:7_680], "<") is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_silence_and_faint_noise_tell_nothing(order: str) -> None:
    noise = np.random.default_rng(3).normal(size=64_000)
    assert listen(np.zeros(64_000), order) is None
    assert listen(20 * noise, order) is None


def test_white_noise_leaves_doubt() -> None:
    assert listen(8_000 * np.random.default_rng(3).uniform(-1, 1, 64_000) * 4, "<") is None


def test_a_pause_in_the_speech_does_not_count() -> None:
    check = ByteOrderCheck(CANONICAL)
    assert all(check.listen(bytes(640)) is None for _ in range(100))
