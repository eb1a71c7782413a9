"""Recordings, sample by sample."""

from __future__ import annotations

import numpy as np
import pytest

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import convert
from voiceflow.simulator.player import Player
from voiceflow.simulator.record import decoded, played, stereo

PCM = AudioFormat("pcm16", 8_000)


def ramp(first: int, count: int) -> bytes:
    return np.arange(first, first + count, dtype="<i2").tobytes()


def silence(count: int) -> bytes:
    return bytes(2 * count)


def test_what_was_played_stands_where_it_was_played() -> None:
    player = Player(PCM)
    player.audio(ramp(1, 160), now=10.01)
    player.audio(ramp(161, 80), now=10.05)
    assert played(player, zero=10.0).data == silence(80) + ramp(1, 160) + silence(160) + ramp(161, 80)


def test_what_a_clear_cut_off_is_not_in_the_recording() -> None:
    player = Player(PCM)
    player.audio(ramp(1, 800), now=0.0)
    player.clear(0.01)
    player.audio(ramp(1_001, 80), now=0.02)
    assert played(player, zero=0.0).data == ramp(1, 80) + silence(80) + ramp(1_001, 80)


@pytest.mark.parametrize("encoding", ["mulaw", "alaw", "g722", "pcm16"])
def test_coded_audio_is_decoded_as_one_stream(encoding: str) -> None:
    format = AudioFormat(encoding, 16_000 if encoding == "g722" else 8_000)
    samples = (6_000 * np.sin(np.arange(format.rate) * 0.2)).astype("<i2")
    coded = convert(AudioRaw(samples.tobytes(), AudioFormat("pcm16", format.rate)), format).data
    player = Player(format)
    size = format.bytes_for(0.02)
    for number in range(50):
        late = 0.5 if number >= 25 else 0.0
        player.audio(coded[number * size : (number + 1) * size], now=number * 0.02 + late)
    heard = played(player, zero=0.0).samples
    whole = decoded(coded, format).samples
    half = format.rate // 2
    assert np.array_equal(heard[:half], whole[:half])
    assert not heard[half : 2 * half].any()
    assert np.array_equal(heard[2 * half :], whole[half:])


def test_nothing_played_is_an_empty_recording() -> None:
    assert played(Player(PCM), zero=3.0) == AudioRaw(b"", PCM)


def test_two_voices_stand_side_by_side() -> None:
    both = stereo(AudioRaw(ramp(1, 3), PCM), AudioRaw(ramp(11, 2), PCM))
    assert both.format is AudioFormat("pcm16", 8_000, 2)
    assert both.samples.tolist() == [[1, 11], [2, 12], [3, 0]]
