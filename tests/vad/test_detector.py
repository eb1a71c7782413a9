"""Where speech starts and stops, from one judgement after the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.processors.vad import Detector

WINDOW = 320


def edges(detector: Detector, judgements: str) -> list[tuple[str, int, int]]:
    """(+/-, window after which it was known, sample) for judgements such as "..##.."."""
    found = []
    for voiced in judgements:
        if detector.push(voiced == "#", WINDOW):
            sample = detector.began if detector.speaking else detector.voiced_end
            found.append(("+" if detector.speaking else "-", detector.position // WINDOW, sample))
    return found


def make(confirm: float = 0.04, silence: float = 0.1, preroll: float = 0.0) -> Detector:
    return Detector(confirm, silence, preroll)


def test_speech_starts_with_the_window_that_completes_the_confirm_time():
    assert edges(make(confirm=0.06), "..###") == [("+", 5, 2 * WINDOW)]


def test_what_is_shorter_than_the_confirm_time_is_no_speech():
    assert edges(make(confirm=0.06), "##.##.##.##") == []


def test_without_a_confirm_time_one_window_is_enough():
    assert edges(make(confirm=0.0), ".#") == [("+", 2, WINDOW)]


def test_speech_stops_when_the_last_voiced_window_is_the_silence_gap_ago():
    assert edges(make(), "##" + "." * 4 + "#" + "." * 5) == [("+", 2, 0), ("-", 12, 7 * WINDOW)]


def test_the_preroll_belongs_to_the_speech():
    assert edges(make(preroll=0.1), "." * 10 + "##") == [("+", 12, 5 * WINDOW)]


def test_the_preroll_begins_no_earlier_than_the_audio():
    assert edges(make(preroll=0.3), "..##") == [("+", 4, 0)]


def test_the_preroll_holds_nothing_that_was_voiced_in_the_speech_before():
    assert edges(make(preroll=1.0), "##.....##") == [("+", 2, 0), ("-", 7, 2 * WINDOW), ("+", 9, 2 * WINDOW)]


def test_the_times_may_be_changed_while_somebody_speaks():
    detector = make()
    assert edges(detector, "##....") == [("+", 2, 0)]
    detector.silence, detector.confirm = 0.2, 0.02
    assert edges(detector, "....") == []
    assert edges(detector, "..#") == [("-", 12, 2 * WINDOW), ("+", 13, 12 * WINDOW)]


def test_a_shorter_silence_gap_counts_at_once():
    detector = make(silence=0.7)
    assert edges(detector, "##....") == [("+", 2, 0)]
    detector.silence = 0.06
    assert edges(detector, ".") == [("-", 7, 2 * WINDOW)]


@pytest.mark.parametrize("judgements", ["", "..", "#", "##", "##..", "##.....#"])
def test_after_starting_over_it_is_like_new(judgements: str):
    detector = make(preroll=0.1)
    edges(detector, judgements)
    detector.start_over()
    assert vars(detector) == vars(make(preroll=0.1))


@given(
    judgements=st.text("#.", max_size=80),
    confirm=st.integers(0, 5),
    silence=st.integers(1, 6),
    preroll=st.integers(0, 6),
)
def test_speech_is_what_the_words_say(judgements: str, confirm: int, silence: int, preroll: int):
    """Against the definition, looked up in the whole string at every window."""
    window = WINDOW / 16_000
    found = edges(Detector(confirm * window, silence * window, preroll * window), judgements)
    expected, speaking, last = [], False, 0
    for place in range(1, len(judgements) + 1):
        so_far = judgements[:place]
        if not speaking:
            run = len(so_far) - len(so_far.rstrip("#"))
            if run >= max(confirm, 1):
                speaking = True
                expected.append(("+", place, max(place - run - preroll, last) * WINDOW))
                last = place
        else:
            last = so_far.rindex("#") + 1
            if place - last >= silence:
                speaking = False
                expected.append(("-", place, last * WINDOW))
        if speaking:
            last = so_far.rindex("#") + 1
    # After a stop, a run begins anew: voiced windows before it do not count.
    assert found == expected
    assert [kind for kind, *_ in found] == ["+", "-"] * (len(found) // 2) + ["+"] * (len(found) % 2)
