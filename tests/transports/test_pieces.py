"""Audio cut into pieces that a carrier takes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.audio import CANONICAL, ENCODINGS, AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.processors.codec import convert
from voiceflow.transports.chunking import Pieces, silence

MULAW = AudioFormat("mulaw", 8_000)


AUDIO = bytes(value % 251 for value in range(60_000))
SIZES = st.lists(st.integers(0, 30) | st.integers(100, 340) | st.integers(0, 3_000), max_size=20)


def split(sizes: list[int]) -> list[bytes]:
    """The beginning of `AUDIO` in parts of these sizes."""
    return [AUDIO[end - size : end] for end, size in zip(itertools.accumulate(sizes), sizes, strict=True)]


@given(SIZES, st.sampled_from((MULAW, CANONICAL)))
def test_any_split_of_the_audio_gives_the_same_audio_in_pieces_of_20_ms_or_more(
    sizes: list[int], format: AudioFormat
) -> None:
    cutter = Pieces(format, 0.02, 0.05)
    shortest, longest = format.bytes_for(0.02), format.bytes_for(0.05)
    pieces = [piece for part in split(sizes) for piece in cutter.cut(part)]
    pieces += cutter.flush()
    assert all(shortest <= len(piece) <= longest and len(piece) % format.frame_bytes == 0 for piece in pieces)
    sent, size = b"".join(pieces), sum(sizes)
    assert sent[:size] == AUDIO[:size]
    assert len(sent) - size < shortest
    assert sent[size:] == silence(len(sent) - size, format)


@given(SIZES)
def test_less_than_one_piece_is_ever_left_over(sizes: list[int]) -> None:
    cutter = Pieces(MULAW, 0.02, 30.0)
    left = 0
    for part in split(sizes):
        left += len(part) - sum(map(len, cutter.cut(part)))
        assert 0 <= left < 160


def test_what_is_dropped_is_not_heard_later() -> None:
    cutter = Pieces(MULAW, 0.02, 30.0)
    cutter.cut(b"\1" * 100)
    cutter.drop()
    assert cutter.cut(b"\2" * 100) == []
    assert cutter.cut(b"\2" * 60) == [b"\2" * 160]


@pytest.mark.parametrize("encoding", [encoding for encoding in ENCODINGS if encoding != "pcm16be"])
def test_silence_is_silent(encoding: str) -> None:
    format = AudioFormat(encoding, 16_000)
    decoded = convert(AudioRaw(silence(1600, format), format), CANONICAL).samples
    assert np.abs(decoded.astype(int)).max() <= (100 if encoding == "g722" else 8)
