"""The ledger's account of what was heard, compared with what a faithful carrier had really played.

Everything is in virtual time and from seeded dice, so the figures are exact and always the same. The bound is 30 ms
since the ledger cannot see by how much the delays of two messages differ, which is the jitter of this line.
"""

from __future__ import annotations

import itertools
import math

import pytest
from carrierline import Carrier, Echoing, Interruption, interrupt
from hypothesis import given, settings
from hypothesis import strategies as st

LINE = 0.15, 0.03
"""The longest delay one way and its jitter, in seconds."""
BOUND = 0.03
SAMPLE = 1 / 8_000
ECHOING: tuple[Echoing, ...] = ("on time", "late", "out of order", "in bunches", "never")


def within(bound: float, interruptions: list[Interruption]) -> float:
    """The share of interruptions in which the ledger's error is at most `bound`, in seconds."""
    return sum(abs(i.error) <= bound for i in interruptions) / len(interruptions)


# In all of these the marks of sentences that a clear has cut come back, too: they must not count as played.
@pytest.mark.parametrize("echoing", ECHOING)
def test_what_was_heard_is_known_to_30_ms_however_marks_are_echoed(echoing: Echoing) -> None:
    interruptions = interrupt(Carrier(*LINE, echoing=echoing), times=300, seed=1)
    assert within(BOUND, interruptions) >= 0.99


def test_what_was_heard_is_known_to_30_ms_in_99_of_100_random_interruptions() -> None:
    interruptions: list[Interruption] = []
    carriers = itertools.product(ECHOING, (0.0, 0.05, 0.15), (0.999, 1.0, 1.001))
    for seed, (echoing, delay, speed) in enumerate(carriers):
        carrier = Carrier(delay, 0.03, speed=speed, echoing=echoing)
        interruptions += interrupt(carrier, times=20, seed=seed, longest=6.0)
    assert len(interruptions) == 900
    assert within(BOUND, interruptions) >= 0.99
    assert abs(sum(i.error for i in interruptions)) / len(interruptions) < 0.003  # not always early, nor always late


@pytest.mark.parametrize("pace", [0.8, 1.0, 1.2], ids="synthesis at {} times real time".format)
def test_a_synthesis_that_cannot_keep_up_makes_it_no_less_accurate(pace: float) -> None:
    interruptions = interrupt(Carrier(*LINE), times=300, seed=2, pace=pace)
    assert within(BOUND, interruptions) >= 0.99


@settings(max_examples=25, deadline=None)
@given(
    delay=st.floats(0, 1),
    echoing=st.sampled_from(ECHOING),
    pace=st.floats(0.7, 20),
    seed=st.integers(0, 1000),
)
def test_a_delay_alone_costs_no_accuracy(delay: float, echoing: Echoing, pace: float, seed: int) -> None:
    interruptions = interrupt(Carrier(delay, echoing=echoing), times=5, seed=seed, pace=pace)
    assert within(1.5 * SAMPLE, interruptions) == 1


@pytest.mark.parametrize("speed", [0.999, 1.001])
def test_a_clock_that_is_wrong_costs_what_it_is_wrong(speed: float) -> None:
    for interruption in interrupt(Carrier(0.15, speed=speed, echoing="never"), times=300, seed=3):
        drift = abs(1 - speed) * interruption.played
        assert math.copysign(1, 1 - speed) * interruption.error <= drift + 1.5 * SAMPLE
        assert abs(interruption.error) <= drift + 1.5 * SAMPLE
