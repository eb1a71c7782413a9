"""Media in order and in time: permutations, losses, duplicates."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voiceflow.audio import AudioFormat
from voiceflow.transports.reorder import WINDOW, Reorder, Timeline

MULAW = AudioFormat("mulaw", 8_000)


@st.composite
def disordered(draw: st.DrawFn) -> list[int]:
    """Numbers from 1, none of them overtaken by more than `WINDOW` later ones; any may come several times."""
    count = draw(st.integers(1, 60))
    late = draw(st.lists(st.integers(0, WINDOW), min_size=count, max_size=count))
    order = sorted(range(1, count + 1), key=lambda number: (number + late[number - 1], number))
    again = draw(st.lists(st.integers(0, count - 1), max_size=10))
    for place in sorted(again, reverse=True):
        order.insert(place + 1, order[place])
    return order


def through(numbers: list[int]) -> list[int]:
    reorder = Reorder[int]()
    released = [item for number in numbers for item in reorder.push(number, number)]
    return released + reorder.flush()


@given(disordered())
def test_any_permutation_within_the_window_comes_out_in_order_and_once(numbers: list[int]) -> None:
    reorder = Reorder[int]()
    released = [item for number in numbers for item in reorder.push(number, number)]
    assert released == sorted(set(numbers))
    assert not reorder.waiting


@given(disordered(), st.sets(st.integers(1, 60)))
def test_what_is_lost_holds_up_the_rest_but_takes_nothing_with_it(numbers: list[int], lost: set[int]) -> None:
    came = [number for number in numbers if number not in lost]
    assert through(came) == sorted(set(came))


@given(st.lists(st.integers(-5, 400) | st.integers(), max_size=60))
def test_numbers_that_mean_nothing_never_pile_up(numbers: list[int]) -> None:
    reorder = Reorder[int]()
    out = sum(len(reorder.push(number, number)) for number in numbers)
    waiting = len(reorder.flush())
    assert waiting <= WINDOW
    assert out + waiting <= len(numbers)
    assert not reorder.waiting


def test_what_is_in_order_never_waits() -> None:
    reorder = Reorder[int]()
    assert [reorder.push(number, number) for number in (1, 2, 3)] == [[1], [2], [3]]


def test_numbers_may_begin_at_zero_or_in_the_middle() -> None:
    assert through([0, 1, 2]) == [0, 1, 2]
    assert through([1000, 1001]) == [1000, 1001]


def test_a_numbering_that_begins_anew_is_followed() -> None:
    assert through([*range(1, 200), 1, 2, 3]) == [*range(1, 200), 1, 2, 3]


def test_one_number_far_off_does_not_hold_up_what_follows() -> None:
    reorder = Reorder[int]()
    assert [item for n in (1, 2, 10**18, 3, 4) for item in reorder.push(n, n)] == [1, 2, 10**18, 3, 4]
    assert not reorder.waiting


@given(st.lists(st.integers(0, 49), max_size=40), st.integers(0, 10**9), st.lists(st.booleans(), max_size=40))
def test_audio_is_as_long_as_the_time_it_took(jitter: list[int], first: int, lost: list[bool]) -> None:
    """Whatever was lost, up to a second on end, and however the timestamps jitter: what comes out ends within one
    packet and the jitter of where the last piece ends."""
    timeline = Timeline(MULAW)
    heard, last = 0, 0
    for place, late in enumerate(jitter):
        if place and place < len(lost) and lost[place]:
            continue
        late = late if place else 0
        heard += len(timeline.gap(first + place * 20 + late, 160)) + 160
        last = (place + 1) * 160
    assert last - 160 < heard <= last + 50 * 8 or not jitter


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30))
def test_timestamps_that_mean_nothing_never_add_more_than_a_second_each(stamps: list[int]) -> None:
    timeline = Timeline(MULAW)
    assert all(len(timeline.gap(stamp, 160)) <= 8_000 for stamp in stamps)


def test_timestamps_rounded_to_milliseconds_add_nothing() -> None:
    timeline = Timeline(AudioFormat("pcm16", 22_050))
    stamps = [round(n * 441 / 22.05) for n in range(1000)]
    assert {timeline.gap(stamp, 882) for stamp in stamps} == {b""}


def test_timestamps_that_begin_anew_add_nothing_and_are_followed() -> None:
    timeline = Timeline(MULAW)
    assert [len(timeline.gap(stamp, 160)) for stamp in (50_000, 0, 20, 80)] == [0, 0, 0, 320]
