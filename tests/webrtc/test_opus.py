"""Opus: what packets hold, silence, losses, channels."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from webrtc.sounds import Samples, encode, frames, heard, likeness, loudest, speech

from voiceflow.transports.webrtc.opus import FORMAT, FRAME, FRAME_BYTES, LONGEST, SILENCE, Decoder, Encoder, samples_in


def encode_elsewhere(left: Samples, right: Samples, milliseconds: float) -> list[bytes]:
    """By another encoder: stereo, packets of another length."""
    codec = av.CodecContext.create("libopus", "w")
    assert isinstance(codec, av.AudioCodecContext)
    codec.sample_rate, codec.format, codec.layout = FORMAT.rate, "s16", "stereo"
    codec.time_base = Fraction(1, FORMAT.rate)
    codec.options = {"frame_duration": str(milliseconds)}
    both = np.column_stack([left, right]).reshape(-1)
    size = round(milliseconds * FORMAT.rate / 1000)
    packets = []
    for start in range(0, len(left) - size + 1, size):
        frame = av.AudioFrame(format="s16", layout="stereo", samples=size)
        frame.sample_rate, frame.pts, frame.time_base = FORMAT.rate, start, Fraction(1, FORMAT.rate)
        frame.planes[0].update(both[2 * start : 2 * (start + size)].astype("<i2").tobytes())
        packets += [bytes(packet) for packet in codec.encode(frame)]
    return packets


def test_speech_comes_back_as_it_was_3_milliseconds_later() -> None:
    said, decoder = speech(), Decoder()
    data = b"".join(decoder.decode(packet) for packet in encode(said))
    same, delay = likeness(said, data)
    assert same > 0.99
    assert delay <= 0.003 * FORMAT.rate


def test_each_piece_gives_one_packet_at_once() -> None:
    assert all(samples_in(packet) == FRAME for packet in encode(speech()))


def test_silence_is_one_constant_packet_that_decodes_to_nothing() -> None:
    encoder, decoder = Encoder(), Decoder()
    assert encoder.encode(None) == SILENCE
    for frame in frames(speech())[:50]:
        decoder.decode(encoder.encode(frame))
    decoder.decode(encoder.encode(None))  # the rest of what was said
    assert {encoder.encode(None) for _ in range(3)} == {SILENCE}
    after = [heard(decoder.decode(SILENCE)) for _ in range(50)]
    assert all(np.abs(samples).max() <= 1 for samples in after[1:])


@pytest.mark.parametrize("milliseconds", [2.5, 5, 10, 20, 40, 60])
def test_the_length_of_a_packet_is_read_from_it(milliseconds: float) -> None:
    said, decoder = speech()[: FORMAT.rate], Decoder()
    for packet in encode_elsewhere(said, said, milliseconds):
        assert samples_in(packet) == milliseconds * FORMAT.rate / 1000
        assert len(decoder.decode(packet)) == samples_in(packet) * 2


@given(st.binary(max_size=1500))
def test_any_bytes_decode_to_the_length_they_claim_or_to_nothing(packet: bytes) -> None:
    assert 0 <= samples_in(packet) <= LONGEST
    if samples_in(packet):
        decoder = Decoder()
        assert len(decoder.decode(packet)) in (0, samples_in(packet) * 2)
        assert len(decoder.conceal()) <= FRAME_BYTES * 6


def test_stereo_is_mixed_down_to_its_mean() -> None:
    said = speech()
    silent = np.zeros_like(said)
    decoder = Decoder()
    data = b"".join(decoder.decode(packet) for packet in encode_elsewhere(said, silent, 20))
    same, delay = likeness(said, data)
    mean = heard(data)
    assert same > 0.9
    assert np.dot(said[: len(mean) - delay], mean[delay:]) / np.dot(said, said.astype(float)) == pytest.approx(
        0.5, abs=0.1
    )


def test_what_is_lost_goes_on_as_before_and_fades() -> None:
    said, decoder = speech(), Decoder()
    packets = encode(said)
    loud = loudest()
    for packet in packets[:loud]:
        before = decoder.decode(packet)
    made_up = [decoder.conceal() for _ in range(10)]
    assert all(len(data) == FRAME_BYTES for data in made_up)
    levels = [np.abs(heard(data)).mean() for data in made_up]
    assert levels[0] > np.abs(heard(before)).mean() / 4
    assert levels[-1] < levels[0] / 2
    assert len(decoder.decode(packets[loud + 10])) == FRAME_BYTES


def test_before_the_first_packet_there_is_nothing_to_go_on_with() -> None:
    assert not any(Decoder().conceal())
