"""G.722: one stateful encoder and decoder per stream, whatever the pieces."""

import sys

import numpy as np
import pytest
from codec.signals import cut, decibels, lengths, noise, rms
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow.errors import MissingExtraError
from voiceflow.processors.codec.g722 import G722Decoder, G722Encoder

QMF_DELAY = 22  # samples at 16 kHz: two 24-tap filter banks, encoder and decoder


def encoded(pieces):
    encoder = G722Encoder()
    return b"".join([*(encoder.push(piece) for piece in pieces), encoder.finish()])


def test_speech_survives_a_round_trip():
    sent = noise(16_000, 3_400, seconds=1)
    heard = G722Decoder().push(encoded([sent]))
    error = heard[QMF_DELAY:].astype(float) - sent[:-QMF_DELAY]
    assert decibels(rms(sent) / rms(error)) > 20


def test_two_samples_make_one_byte_and_back():
    assert len(encoded([np.zeros(320, np.int16)])) == 160
    assert len(G722Decoder().push(bytes(160))) == 320


@given(st.binary(max_size=400).map(lambda data: data[: len(data) & ~1]), lengths(150))
@settings(deadline=None)
def test_encoding_does_not_depend_on_the_pieces(data, pieces):
    samples = np.frombuffer(data, np.int16)
    assert encoded(cut(samples, pieces)) == encoded([samples])


@given(st.binary(max_size=400), lengths(300))
@settings(deadline=None)
def test_decoding_any_bytes_does_not_depend_on_the_pieces(data, pieces):
    decoder = G722Decoder()
    parts = [decoder.push(piece) for piece in cut(data, pieces)]
    assert np.array_equal(np.concatenate(parts), G722Decoder().push(data))


def test_an_odd_sample_waits_and_is_not_lost_at_the_end():
    encoder = G722Encoder()
    assert len(encoder.push(np.ones(3, np.int16))) == 1
    assert len(encoder.push(np.ones(2, np.int16))) == 1
    assert len(encoder.finish()) == 1
    assert encoder.finish() == b""


@pytest.mark.parametrize("ending", ["finish", "reset"])
def test_after_its_end_an_encoder_is_like_new(ending):
    samples = noise(16_000, 7_000, seconds=0.05)
    encoder = G722Encoder()
    encoder.push(samples[:333])
    getattr(encoder, ending)()
    assert encoder.push(samples) == G722Encoder().push(samples)


@pytest.mark.parametrize("ending", ["finish", "reset"])
def test_after_its_end_a_decoder_is_like_new(ending):
    data = encoded([noise(16_000, 7_000, seconds=0.05)])
    decoder = G722Decoder()
    decoder.push(data)
    getattr(decoder, ending)()
    assert np.array_equal(decoder.push(data), G722Decoder().push(data))


def test_samples_of_a_strided_view_are_read_as_such():
    stereo = noise(16_000, 3_000, seconds=0.02)
    assert G722Encoder().push(stereo[::2]) == G722Encoder().push(stereo[::2].copy())


def test_without_the_package_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "G722", None)
    with pytest.raises(MissingExtraError, match=r"pip install '.*\[g722\]'"):
        G722Encoder()
