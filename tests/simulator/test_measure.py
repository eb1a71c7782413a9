"""What is counted, and how it is summed up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.simulator.measure import Durations, EchoDelay, Tally
from voiceflow.simulator.player import Span
from voiceflow.transports.dialect import Refusal

PIECE, SIZE = 0.02, 160


def quantiles(durations: Durations) -> tuple[float, float, float]:
    found = durations.quantiles()
    assert found is not None
    return found.p50, found.p99, found.max


def test_nothing_counted_has_no_quantiles() -> None:
    assert Durations().quantiles() is None


@given(st.lists(st.floats(0, 10), min_size=1, max_size=300))
def test_quantiles_are_those_of_the_durations_to_a_tenth_of_a_millisecond(seconds: list[float]) -> None:
    durations = Durations()
    for duration in seconds:
        durations.add(duration)
    expected = [float(np.quantile(seconds, q, method="inverted_cdf")) * 1000 for q in (0.5, 0.99, 1.0)]
    assert quantiles(durations) == pytest.approx(expected, abs=0.06)


@given(
    delays=st.lists(st.floats(0.001, 0.5), min_size=1, max_size=60),
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=20),
)
def test_an_echo_in_pieces_of_any_size_has_the_delay_of_each_piece(delays: list[float], sizes: list[int]) -> None:
    """The n-th piece is back when the message came that brought its last byte."""
    tally = Tally()
    echo = EchoDelay(tally, PIECE, SIZE)
    for number in range(len(delays)):
        echo.sent(number * PIECE)
    now, total, expected, back, n = len(delays) * PIECE, len(delays) * SIZE, Durations(), 0, 0
    while back < total:
        now += delays[n % len(delays)]
        size = min(sizes[n % len(sizes)], total - back)
        for piece in range(back // SIZE, (back + size) // SIZE):
            expected.add(now - piece * PIECE)
        echo.received(size, now)
        back, n = back + size, n + 1
    assert tally.delay.quantiles() == expected.quantiles()
    assert tally.not_echoes == 0


def test_a_lost_piece_has_no_delay_and_shifts_no_other() -> None:
    tally = Tally()
    echo = EchoDelay(tally, PIECE, SIZE)
    for now in (0.0, None, 0.04):
        echo.sent(now)
    echo.received(SIZE, 0.01)
    echo.received(SIZE, 0.045)
    echo.received(SIZE, 0.05)
    found = tally.delay.quantiles()
    assert found is not None
    assert found.count == 2
    assert [found.p50, found.max] == pytest.approx([10, 10], abs=0.11)


def test_jitter_is_the_change_of_the_delay() -> None:
    tally = Tally()
    echo = EchoDelay(tally, PIECE, SIZE)
    for number, delay in enumerate((0.010, 0.015, 0.015, 0.011)):
        echo.sent(number * PIECE)
        echo.received(SIZE, number * PIECE + delay)
    found = tally.jitter.quantiles()
    assert found is not None
    assert found.count == 3
    assert [found.p50, found.max] == pytest.approx([4, 5], abs=0.11)


def test_an_agent_that_says_more_than_the_caller_is_no_echo() -> None:
    tally = Tally()
    echo = EchoDelay(tally, PIECE, SIZE)
    echo.sent(0.0)
    echo.received(SIZE, 0.01)
    echo.received(SIZE, 0.02)
    echo.sent(0.02)
    echo.received(5 * SIZE, 0.03)
    assert tally.not_echoes == 1


def test_the_rest_of_a_resampler_is_not_more_than_was_said() -> None:
    tally = Tally()
    echo = EchoDelay(tally, PIECE, SIZE)
    echo.sent(0.0)
    echo.received(SIZE + 20, 0.01)
    assert tally.not_echoes == 0


def test_what_does_not_come_back_within_a_minute_is_not_waited_for() -> None:
    tally = Tally()
    echo = EchoDelay(tally, PIECE, SIZE)
    for number in range(3_001):
        echo.sent(number * PIECE)
    echo.received(SIZE, 61.0)
    assert tally.delay.quantiles() is None


def span(start: float, end: float, *, cut: bool = False) -> Span:
    return Span(start, end, offset=0, size=1, cut=cut)


def test_a_short_silence_is_a_gap_and_a_long_one_a_pause() -> None:
    tally = Tally()
    tally.listen([span(0, 1), span(1.1, 2), span(3, 4), span(4.4, 5)])
    assert (tally.gaps, round(tally.gap_seconds, 6)) == (2, 0.5)


def test_the_silence_after_a_clear_is_no_gap() -> None:
    tally = Tally()
    tally.listen([span(0, 1, cut=True), span(1.1, 2)])
    assert tally.gaps == 0


def test_a_refusal_is_counted_by_its_code_and_told_by_its_first_detail() -> None:
    tally = Tally()
    for detail in "abc":
        tally.refuse(Refusal(31951, "Invalid Message", detail))
    tally.refuse(Refusal(31950, "Malformed Message"))
    assert [(r.code, r.detail, r.count) for r in tally.refusals.values()] == [(31951, "a", 3), (31950, "", 1)]
