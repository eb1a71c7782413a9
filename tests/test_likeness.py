"""The comparison of two recordings: by how much one is late, and how much alike they are."""

from __future__ import annotations

import numpy as np
import pytest

from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.cli.audio_comparison import compare
from voiceflow.frames import AudioRaw


def noise(seconds: float, seed: int = 1, rate: int = 16_000) -> AudioRaw:
    samples = np.random.default_rng(seed).normal(0, 3_000, round(seconds * rate))
    return AudioRaw(samples.astype("<i2").tobytes(), AudioFormat("pcm16", rate))


def late(audio: AudioRaw, samples: int) -> AudioRaw:
    return AudioRaw(bytes(2 * samples) + audio.data, audio.format)


@pytest.mark.parametrize("samples", [0, 1, 320, 4_321, 32_000])
def test_the_delay_of_a_copy_is_found_to_the_sample(samples: int) -> None:
    said = noise(0.5)
    found = compare(said, late(said, samples))
    assert found is not None
    assert found.delay == samples / 16_000
    assert found.correlation == pytest.approx(1)


def test_loudness_does_not_matter() -> None:
    said = noise(0.5)
    quiet = AudioRaw((said.samples // 10).astype("<i2").tobytes())
    found = compare(said, quiet)
    assert found is not None
    assert found.correlation == pytest.approx(1, abs=1e-3)


def test_a_copy_is_found_among_other_audio() -> None:
    said = noise(1)
    mixed = late(said, 800).samples + np.append(noise(1, seed=2).samples, np.zeros(800, np.int16))
    found = compare(said, AudioRaw(mixed.astype("<i2").tobytes()))
    assert found is not None
    assert found.delay == 0.05
    assert found.correlation == pytest.approx(0.7, abs=0.02)


def test_other_audio_is_not_alike() -> None:
    found = compare(noise(2, seed=1), noise(2, seed=2))
    assert found is not None
    assert found.correlation < 0.1


def test_a_recording_longer_than_a_block_is_compared_as_a_whole() -> None:
    said = noise(70, rate=8_000)
    found = compare(said, late(said, 123))
    assert found is not None
    assert found.delay == 123 / 8_000
    assert found.correlation == pytest.approx(1)


def test_stereo_is_mixed_to_mono() -> None:
    said = noise(0.5)
    stereo = AudioRaw(np.repeat(said.samples, 2).tobytes(), AudioFormat("pcm16", 16_000, 2))
    found = compare(stereo, late(said, 320))
    assert found is not None
    assert found.delay == 0.02
    assert found.correlation == pytest.approx(1)


@pytest.mark.parametrize("silence", [AudioRaw(b""), AudioRaw(bytes(16_000)), AudioRaw(bytes(96_000))])
def test_silence_is_like_nothing(silence: AudioRaw) -> None:
    assert compare(noise(0.5), silence) is None
    assert compare(silence, noise(0.5)) is None


def test_what_is_heard_too_late_is_like_nothing() -> None:
    said = noise(0.5)
    assert compare(said, late(said, 3 * CANONICAL.rate)) is None
