"""A carrier's playout buffer, by itself: every moment is one that the test chose."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow.audio import AudioFormat
from voiceflow.simulator.player import Player, Returned

MULAW = AudioFormat("mulaw", 8_000)
FORMATS = [MULAW, AudioFormat("pcm16", 16_000), AudioFormat("g722", 16_000), AudioFormat("pcm16", 8_000)]


def seconds(length: float, format: AudioFormat = MULAW, value: int = 1) -> bytes:
    return bytes([value]) * format.bytes_for(length)


def spans(player: Player) -> list[tuple[float, float]]:
    return [(round(span.start, 6), round(span.end, 6)) for span in player.spans]


def played(*names: str) -> list[Returned]:
    return [Returned(name, played=True) for name in names]


def cleared(*names: str) -> list[Returned]:
    return [Returned(name, played=False) for name in names]


def test_audio_is_played_in_real_time_from_its_arrival_on() -> None:
    player = Player(MULAW)
    assert player.audio(seconds(0.5), now=10.0)
    assert [player.position(now) for now in (9.0, 10.0, 10.125, 10.5, 11.0)] == [0, 0, 0.125, 0.5, 0.5]


def test_audio_that_comes_while_some_is_playing_follows_without_a_gap() -> None:
    player = Player(MULAW)
    for now in (1.0, 1.01, 1.03):
        player.audio(seconds(0.02), now)
    assert spans(player) == [(1.0, 1.06)]


def test_audio_that_comes_too_late_leaves_a_gap() -> None:
    player = Player(MULAW)
    player.audio(seconds(0.02), now=1.0)
    player.audio(seconds(0.02), now=1.05)
    assert spans(player) == [(1.0, 1.02), (1.05, 1.07)]
    assert player.position(1.03) == 0.02
    assert player.position(1.06) == 0.03


def test_a_jitter_buffer_hides_as_much_jitter_as_it_is_long() -> None:
    player = Player(MULAW, jitter_buffer=0.02)
    for now in (1.0, 1.04, 1.04, 1.079):
        player.audio(seconds(0.02), now)
    assert spans(player) == [(1.02, 1.1)]
    player.audio(seconds(0.02), now=1.101)
    assert spans(player) == [(1.02, 1.1), (1.121, 1.141)]


@pytest.mark.parametrize("speed", [0.95, 0.999, 1.05])
def test_a_player_with_a_wrong_clock_takes_longer_or_shorter(speed: float) -> None:
    player = Player(MULAW, speed=speed)
    player.audio(seconds(10.0), now=0.0)
    assert player.end == pytest.approx(10.0 / speed)
    assert player.position(1.0) == pytest.approx(speed, abs=1 / 8000)


def test_a_mark_returns_when_the_audio_before_it_was_played() -> None:
    player = Player(MULAW)
    player.audio(seconds(0.1), now=0.0)
    player.mark("half", now=0.0)
    player.audio(seconds(0.1), now=0.0)
    player.mark("whole", now=0.0)
    assert player.due == pytest.approx(0.1)
    assert player.advance(0.09) == []
    assert player.advance(0.1) == played("half")
    assert player.due == pytest.approx(0.2)
    assert player.advance(9.0) == played("whole")
    assert player.due is None


def test_a_mark_behind_nothing_returns_at_once() -> None:
    player = Player(MULAW)
    player.mark("first", now=3.0)
    assert player.due == 3.0
    assert player.advance(3.0) == played("first")
    player.audio(seconds(0.1), now=3.0)
    player.mark("second", now=4.0)
    assert player.advance(4.0) == played("second")


def test_a_clear_drops_what_was_not_played_and_returns_all_marks() -> None:
    player = Player(MULAW)
    player.audio(seconds(0.1), now=0.0)
    player.mark("played", now=0.0)
    player.audio(seconds(0.1, value=2), now=0.0)
    player.mark("not played", now=0.0)
    player.mark("neither", now=0.0)
    assert player.clear(0.15) == played("played") + cleared("not played", "neither")
    assert spans(player) == [(0.0, 0.15)]
    assert player.position(9.0) == 0.15
    assert player.recording == seconds(0.1) + seconds(0.05, value=2)
    assert player.clear(0.16) == []


def test_audio_after_a_clear_is_played_at_once() -> None:
    player = Player(MULAW)
    player.audio(seconds(600), now=0.0)
    player.clear(1.0)
    player.audio(seconds(0.02), now=1.5)
    assert spans(player) == [(0.0, 1.0), (1.5, 1.52)]
    assert [span.cut for span in player.spans] == [True, False]


def test_a_clear_before_the_first_sample_sounds_leaves_nothing_of_it() -> None:
    player = Player(MULAW, jitter_buffer=0.02)
    player.audio(seconds(0.1), now=1.0)
    player.clear(1.01)
    assert spans(player) == []
    assert player.recording == b""
    assert player.position(2.0) == 0


def test_a_clear_drops_even_the_last_millisecond() -> None:
    player = Player(MULAW)
    player.audio(seconds(0.1), now=0.0)
    player.clear(0.099)
    assert player.size == 792


def test_a_clear_cuts_between_samples() -> None:
    player = Player(AudioFormat("pcm16", 8_000))
    player.audio(bytes(1_000), now=0.0)
    player.clear(0.01 + 0.7 / 8_000)
    assert player.size == 160


def test_a_full_buffer_refuses_audio_until_there_is_room() -> None:
    player = Player(MULAW, buffer=600.0)
    assert player.audio(seconds(599.98), now=0.0)
    assert player.audio(seconds(0.02), now=0.0)
    assert not player.audio(seconds(0.02), now=0.01)
    assert player.audio(seconds(0.02), now=0.02)
    assert player.end == pytest.approx(600.02)


def test_a_message_longer_than_the_buffer_is_refused_as_a_whole() -> None:
    player = Player(MULAW, buffer=600.0)
    assert not player.audio(seconds(600.02), now=0.0)
    assert spans(player) == []


def test_empty_audio_is_nothing() -> None:
    player = Player(MULAW)
    assert player.audio(b"", now=1.0)
    assert spans(player) == []
    assert player.end == -math.inf


def test_an_hour_of_pieces_ends_to_the_microsecond_when_it_must() -> None:
    player = Player(MULAW, record=False)
    for _ in range(180_000):
        player.audio(bytes(160), now=0.0)
    assert player.end == pytest.approx(3600.0, abs=1e-6)
    assert player.recording == b""


actions = st.lists(
    st.tuples(
        st.sampled_from(("audio", "audio", "audio", "mark", "mark", "clear", "advance")),
        st.integers(0, 2_000).map(lambda tenths: tenths / 10_000),  # seconds until the next
        st.integers(1, 2_000),  # how much audio
    ),
    max_size=40,
)


@settings(max_examples=400)
@given(
    actions=actions,
    format=st.sampled_from(FORMATS),
    jitter_buffer=st.sampled_from((0.0, 0.02)),
    speed=st.sampled_from((0.95, 0.999, 1.0, 1.05)),
)
def test_whatever_happens_marks_return_once_and_in_order_and_nothing_cleared_is_played(
    actions: list[tuple[str, float, int]], format: AudioFormat, jitter_buffer: float, speed: float
) -> None:
    player = Player(format, buffer=1.0, jitter_buffer=jitter_buffer, speed=speed)
    asked: list[str] = []
    returned: list[Returned] = []
    sent: list[tuple[float, bytes]] = []  # what was taken: when, and marked by its number
    clears: list[tuple[float, float, int]] = []  # when, the position then, and how many pieces came before
    now, position, mark_at = 0.0, 0.0, {}
    for number, (action, pause, samples) in enumerate(actions):
        match action:
            case "audio":
                data = bytes([number % 256]) * (samples * format.frame_bytes)
                room = 1.0 - max(0.0, player.end - now) >= len(data) / format.byte_rate / speed
                assert player.audio(data, now) == room
                if room:
                    sent.append((now, data))
            case "mark":
                asked.append(str(number))
                mark_at[str(number)] = player.size / format.byte_rate
                player.mark(str(number), now)
            case "clear":
                before = player.position(now)
                returned += player.clear(now)
                assert len(returned) == len(asked)
                assert player.position(now + 100) == pytest.approx(before)
                clears.append((now, before, len(sent)))
            case "advance":
                for mark in player.advance(now):
                    assert mark.played
                    assert player.position(now) >= mark_at[mark.name] - 1e-6
                    returned.append(mark)
        assert player.position(now) >= position - 1e-9
        position = player.position(now)
        now += pause
    returned += player.advance(now + 100)
    assert [mark.name for mark in returned] == asked
    check_spans(player, sent, speed)
    assert player.recording == expected(player, sent, clears)


def check_spans(player: Player, sent: list[tuple[float, bytes]], speed: float) -> None:
    """They add up, do not overlap, and nothing is played before it came."""
    offset, end = 0, -math.inf
    for span in player.spans:
        assert span.offset == offset
        assert span.size > 0
        assert span.start > end
        assert span.end - span.start == pytest.approx(span.size / player.format.byte_rate / speed)
        assert any(span.start >= at for at, _ in sent)
        offset, end = offset + span.size, span.end
    assert offset == player.size == len(player.recording)


def expected(player: Player, sent: list[tuple[float, bytes]], clears: list[Any]) -> bytes:
    """What was taken, less what each clear found unplayed."""
    heard = b""
    begin = 0
    for _, position, count in clears:
        heard += b"".join(data for _, data in sent[begin:count])
        heard = heard[: round(position * player.format.byte_rate)]
        begin = count
    return heard + b"".join(data for _, data in sent[begin:])
