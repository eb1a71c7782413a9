"""The beat of what is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.transports.webrtc.pacer import CATCH_UP, Pacer

STEP = 0.02


def beat(busy: list[float]) -> list[tuple[int, float]]:
    """The steps, and when each was taken, by one who is `busy` for so many seconds after each."""
    pacer, now, taken = Pacer(STEP), 5.0, []
    for seconds in busy:
        step, wait = pacer.next(now)
        now += wait
        taken.append((step, now - 5.0))
        now += seconds
    return taken


@given(st.lists(st.floats(0, STEP), min_size=1, max_size=200))
def test_each_step_comes_at_its_time(busy: list[float]) -> None:
    for place, (step, at) in enumerate(beat(busy)):
        assert step == place
        assert at == pytest.approx(place * STEP)


@given(st.floats(0, CATCH_UP))
def test_a_busy_moment_leaves_no_delay_behind(seconds: float) -> None:
    step, at = beat([0.0, seconds, *[0.0] * 20])[-1]
    assert step == 21
    assert at == pytest.approx(21 * STEP)


@given(st.floats(CATCH_UP + 2 * STEP, 100))
def test_a_long_stop_is_not_made_up_for_and_the_numbers_tell_the_time(seconds: float) -> None:
    steps = beat([seconds, *[0.0] * 20])
    assert steps[2][1] - steps[1][1] >= 0
    step, at = steps[-1]
    assert at == pytest.approx(step * STEP, abs=1e-6)
    assert sum(1 for _, when in steps if when == steps[1][1]) <= 2


@given(st.lists(st.floats(0, 1), max_size=100))
def test_no_step_comes_twice_or_too_early(busy: list[float]) -> None:
    steps = beat([0.0, *busy])
    assert [step for step, _ in steps] == sorted({step for step, _ in steps})
    assert all(at >= step * STEP - 1e-6 for step, at in steps)
