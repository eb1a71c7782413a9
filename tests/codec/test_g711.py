"""G.711 is bit-exact to the ITU's tables."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow.processors.codec import g711

EVERY_SAMPLE = np.arange(-32_768, 32_768).astype(np.int16)
EVERY_CODE = bytes(range(256))
LAWS = {
    "mulaw": (g711.mulaw_encode, g711.mulaw_decode),
    "alaw": (g711.alaw_encode, g711.alaw_decode),
}


@pytest.mark.parametrize(
    ("encoded", "digest"),
    [
        (g711.mulaw_encode(EVERY_SAMPLE), "90c29de505fb68e766118303bd552a16005dcf810873698bee1d8f3b247ce28c"),
        (g711.alaw_encode(EVERY_SAMPLE), "38488f6fd710f4686360edc4d38639f96c491595ef93f8eb8d62d5e07ca6ce7b"),
    ],
    ids=LAWS,
)
def test_encoding_every_sample_gives_the_itu_table(encoded, digest):
    assert hashlib.sha256(encoded).hexdigest() == digest


@pytest.mark.parametrize(
    ("decoded", "digest"),
    [
        (g711.mulaw_decode(EVERY_CODE), "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827"),
        (g711.alaw_decode(EVERY_CODE), "e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174"),
    ],
    ids=LAWS,
)
def test_decoding_every_code_gives_the_itu_table(decoded, digest):
    assert hashlib.sha256(decoded.astype("<i2").tobytes()).hexdigest() == digest


def test_both_codes_of_mulaw_silence_decode_to_zero():
    assert g711.mulaw_decode(b"\x7f\xff").tolist() == [0, 0]


def test_every_code_survives_a_round_trip_except_that_mulaw_has_two_zeros():
    assert g711.mulaw_encode(g711.mulaw_decode(EVERY_CODE)) == EVERY_CODE.replace(b"\x7f", b"\xff")
    assert g711.alaw_encode(g711.alaw_decode(EVERY_CODE)) == EVERY_CODE


@pytest.mark.parametrize(("law", "bias", "linear"), [("mulaw", 132, 256), ("alaw", 0, 256)])
def test_a_round_trip_is_within_half_a_step_of_the_law(law, bias, linear):
    # A step is 1/16 of its segment, half a step at most 1/32 of any magnitude in it; mu-law's segments are
    # shifted by its bias, and A-law's two smallest have equal steps. Mu-law drops 2 bits first.
    encode, decode = LAWS[law]
    magnitude = np.abs(EVERY_SAMPLE.astype(int))
    error = np.abs(decode(encode(EVERY_SAMPLE)) - EVERY_SAMPLE.astype(int))
    loudest = int(decode(EVERY_CODE).max())
    assert (error <= np.maximum(magnitude + bias, linear) / 32 + 3)[magnitude <= loudest].all()
    assert error.max() <= max(512, 32_768 - loudest)


@given(st.binary(max_size=2_000), st.sampled_from(sorted(LAWS)))
@settings(deadline=None)
def test_any_bytes_decode_to_one_sample_each(data, law):
    encode, decode = LAWS[law]
    samples = decode(data)
    assert len(samples) == len(data)
    assert len(encode(samples)) == len(data)


def test_law_to_law_is_decoding_and_encoding():
    assert g711.mulaw_to_alaw(EVERY_CODE) == g711.alaw_encode(g711.mulaw_decode(EVERY_CODE))
    assert g711.alaw_to_mulaw(EVERY_CODE) == g711.mulaw_encode(g711.alaw_decode(EVERY_CODE))
