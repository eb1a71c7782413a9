"""Which audio belongs to an utterance, and where a long one is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow import CANONICAL
from voiceflow.processors.stt.utterance import Utterance, quietest

SECOND = CANONICAL.bytes_for(1.0)


def ramp(seconds: float, start: int = 0) -> bytes:
    """Audio whose samples are counted, so that one sees which they are."""
    return np.arange(start, start + round(seconds * 16_000)).astype("<u2").tobytes()


def pieces(audio: bytes, size: int = 640) -> list[bytes]:
    return [audio[i : i + size] for i in range(0, len(audio), size)]


def filled(*audio: bytes) -> Utterance:
    utterance = Utterance()
    for piece in audio:
        utterance.add(piece)
    return utterance


def test_an_utterance_is_its_lead_and_what_comes_until_it_ends():
    utterance = filled(*pieces(ramp(1.0)))
    utterance.begin(0.35)
    for piece in pieces(ramp(1.0, 16_000)):
        utterance.add(piece)
    assert utterance.end(0.0) == ramp(1.35, 16_000 - 5_600)


def test_the_silence_after_the_last_word_is_trimmed_to_a_fifth_of_a_second():
    utterance = Utterance()
    utterance.begin(0.0)
    utterance.add(ramp(2.0))
    assert utterance.end(0.7) == ramp(1.5)


@pytest.mark.parametrize("trail", [0.0, 0.1, 0.2])
def test_a_silence_shorter_than_that_stays(trail):
    utterance = Utterance()
    utterance.begin(0.0)
    utterance.add(ramp(1.0))
    assert utterance.end(trail) == ramp(1.0)


def test_the_trimmed_silence_belongs_to_the_next_utterance_if_its_lead_reaches_so_far_and_nothing_is_heard_twice():
    utterance = Utterance()
    utterance.begin(0.0)
    utterance.add(ramp(2.0))
    first = utterance.end(0.7)
    utterance.begin(1.5)
    assert first + utterance.end(0.0) == ramp(2.0)


def test_an_utterance_without_audio_is_empty():
    utterance = Utterance()
    utterance.begin(0.5)
    assert utterance.end(0.7) == b""


def test_a_trail_longer_than_the_utterance_leaves_nothing():
    utterance = Utterance()
    utterance.begin(0.0)
    utterance.add(ramp(0.3))
    assert utterance.end(5.0) == b""


def test_two_seconds_are_kept_while_nobody_speaks():
    utterance = filled(*pieces(ramp(4.0)))
    assert utterance.seconds == pytest.approx(2.0)
    utterance.begin(10.0)
    assert utterance.end(0.0) == ramp(2.0, 32_000)


def test_an_utterance_up_to_28_seconds_is_one_piece():
    utterance = Utterance()
    utterance.begin(0.0)
    utterance.add(bytes(28 * SECOND))
    assert utterance.take_piece() is None


def test_a_longer_one_is_cut_in_its_quietest_pause_after_20_seconds():
    loud = (np.random.default_rng(1).standard_normal(29 * 16_000) * 3_000).astype("<i2")
    loud[5 * 16_000 : 6 * 16_000] = 0  # too early
    loud[23 * 16_000 : 23 * 16_000 + 4_000] //= 100
    utterance = Utterance()
    utterance.begin(0.0)
    utterance.add(loud.tobytes())
    piece = utterance.take_piece()
    assert piece is not None
    assert 23.0 <= len(piece) / SECOND <= 23.25
    assert piece + utterance.end(0.0) == loud.tobytes()


def test_one_enormous_frame_is_cut_into_pieces():
    utterance = Utterance()
    utterance.begin(0.0)
    utterance.add(bytes(100 * SECOND))
    cut = list(iter(utterance.take_piece, None))
    assert sum(map(len, cut)) + len(utterance.audio) == 100 * SECOND
    assert all(20 * SECOND <= len(piece) <= 28 * SECOND for piece in cut)


def test_after_reset_it_is_like_new():
    utterance = filled(ramp(1.0))
    utterance.begin(1.0)
    utterance.reset()
    assert not utterance.speaking
    assert utterance.audio == b""


moves = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 3_000)),
        st.tuples(st.just("begin"), st.floats(0, 3)),
        st.tuples(st.just("end"), st.floats(0, 3)),
    )
)


@given(moves)
def test_what_is_taken_is_a_run_of_what_came_and_never_the_same_twice(moves):
    utterance, came, taken = Utterance(), 0, 0
    for move, amount in moves:
        if move == "add":
            utterance.add(np.arange(came, came + amount).astype("<u2").tobytes())
            came += amount
        elif move == "begin" and not utterance.speaking:
            utterance.begin(amount)
            assert len(utterance.audio) // 2 <= min(came - taken, round(amount * 16_000))
        elif move == "end" and utterance.speaking:
            audio = np.frombuffer(utterance.end(amount), "<u2")
            if len(audio):
                first = int(audio[0])
                assert (audio == np.arange(first, first + len(audio)) % 65_536).all()
                assert first >= taken or came > 65_536
                taken = first + len(audio)
        assert utterance.speaking or utterance.seconds <= 2.0 + 3_000 / 16_000


@given(st.integers(0, 100))
def test_the_quietest_place_is_within_the_bounds_and_between_samples(seed):
    audio = (np.random.default_rng(seed).standard_normal(32_000) * 1_000).astype("<i2").tobytes()
    place = quietest(audio, 16_000, 48_000)
    assert 16_000 <= place <= 48_000
    assert place % 2 == 0
