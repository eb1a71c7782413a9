"""What every detector does with audio, whatever it takes for a voice."""

import asyncio
import gc
import sys
from typing import ClassVar

import numpy as np
import pytest
from doubles import Ear, Script, now
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import LONG, Parrot, Voice, left, run
from vad.listening import BOTH, RATE, SAID, SPEECH, hear, listen, pcm, row, silence, spoken

from voiceflow import AudioRaw, Call, Processor
from voiceflow.processors.vad import VAD, EnergyVAD


class Loud(VAD):
    """Takes for a voice what is loud; windows of 4 ms."""

    window: ClassVar[int] = 64

    def __init__(self, confirm: float = 0.04, silence: float = 0.1, preroll: float = 0.1) -> None:
        super().__init__(confirm, silence, preroll)

    def is_voiced(self, window, level):
        return level > 1000


def tone(seconds: float) -> np.ndarray:
    return 8000 * np.sin(np.arange(round(seconds * RATE)) * 0.3)


@pytest.mark.parametrize("detector", [Loud, *BOTH])
@pytest.mark.parametrize("pieces", [(320,), (1600, 7), (RATE,)])
def test_all_audio_passes_untouched_piece_by_piece(detector, pieces):
    listener = hear(detector(), SPEECH, pieces)
    frames = [frame for frame in spoken(SPEECH, pieces) if isinstance(frame, AudioRaw)]
    assert listener.data == [frame.data for frame in frames]


@pytest.mark.parametrize("detector", BOTH)
def test_speech_is_found_where_it_is(detector):
    found = hear(detector(preroll=0.0), row(silence(1.0), SPEECH, silence(1.0)))
    assert found.spans == [(pytest.approx(1.26, abs=0.1), pytest.approx(7.45, abs=0.15))]


def test_speech_starts_behind_the_very_frame_that_completes_the_confirm_time():
    sound = row(silence(0.2), tone(1.0), silence(1.0))
    started, _ = hear(EnergyVAD(), sound).events
    assert started.at == round(0.24 * RATE)
    assert started.time == pytest.approx(0.24)


def test_the_speech_begins_the_preroll_before_its_first_voiced_window():
    started, stopped = hear(Loud(preroll=0.1), row(silence(0.512), tone(0.512), silence(1.0))).events
    assert started.edge == round(0.412 * RATE)
    assert stopped.edge == round(1.024 * RATE)
    assert stopped.at == pytest.approx(stopped.edge + 0.1 * RATE, abs=320)


def test_one_long_frame_brings_all_its_events_with_their_places_in_it():
    sound = row(silence(0.256), tone(0.256), silence(0.256), tone(0.256), silence(0.256))
    events = hear(Loud(), sound, (len(sound),)).events
    assert [event.started for event in events] == [True, False, True, False]
    assert [event.edge for event in events] == [round(s * RATE) for s in (0.156, 0.512, 0.668, 1.024)]
    assert {event.at for event in events} == {len(sound)}


BURSTS = row(*(part for gap in (0.05, 0.3, 0.08, 0.2) for part in (silence(gap), tone(gap))), silence(0.3))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 90), st.integers(91, RATE)), min_size=1).filter(lambda p: np.mean(p) > 40))
def test_however_the_audio_is_cut_the_speech_is_at_the_same_samples(pieces):
    whole, cut = hear(Loud(), BURSTS), listen(Loud(), *spoken(BURSTS, pieces), live=False)
    assert len(whole.spans) > 2
    assert [event.edge for event in cut.events] == [event.edge for event in whole.events]
    assert cut.spans == whole.spans
    ends = np.cumsum([len(data) // 2 for data in cut.data])
    for event, known in zip(cut.events, _known_at(Loud(), BURSTS), strict=True):
        assert event.at == ends[np.searchsorted(ends, known)]  # the first frame that ends there or later


def _known_at(vad: Loud, sound: np.ndarray) -> list[int]:
    """The samples after which the events are known: with pieces of one window."""
    return [event.at for event in hear(vad, sound, (vad.window,)).events]


@pytest.mark.parametrize("detector", BOTH)
@pytest.mark.parametrize("pieces", [(1,), (37, 513, 2), (RATE,)])
def test_pieces_of_a_sample_to_a_second_make_no_difference(detector, pieces):
    sound = SPEECH[: 2 * RATE]
    expected = hear(detector(silence=0.2), sound).events
    assert len(expected) >= 2
    assert [e.edge for e in hear(detector(silence=0.2), sound, pieces).events] == [e.edge for e in expected]


def test_speech_ends_with_the_call():
    started, stopped = hear(EnergyVAD(), row(silence(0.5), SAID[:RATE])).events
    assert (started.started, stopped.started) == (True, False)
    assert stopped.edge == pytest.approx(1.5 * RATE, abs=0.1 * RATE)


def test_silence_ends_with_nothing():
    assert hear(EnergyVAD(), silence(1.0)).events == []


def test_no_audio_at_all_is_survived():
    assert listen(EnergyVAD(), 1.0, AudioRaw(b""), 1.0).events == []


# audio that stops arriving


@pytest.mark.parametrize("detector", BOTH)
def test_speech_ends_by_time_when_audio_stops_arriving(detector):
    gone = pcm(row(silence(0.5), SAID[:RATE]))
    listener = listen(detector(silence=0.7), *spoken(row(silence(0.5), SAID[:RATE])), LONG)
    started, stopped = listener.events
    assert started.started
    assert not stopped.started
    assert stopped.at == len(gone.samples)
    assert 1.5 + 0.5 < stopped.time <= 1.5 + 0.7 + 1e-6


def test_silence_that_came_counts_towards_the_gap():
    sound = row(silence(0.512), tone(0.512), silence(0.448))
    _, stopped = listen(Loud(silence=0.7), *spoken(sound), LONG).events
    assert stopped.time == pytest.approx(1.024 + 0.7)
    assert stopped.edge == round(1.024 * RATE)


def test_a_stop_tells_how_long_ago_the_voice_ended_also_when_audio_stopped_arriving():
    sound = row(silence(0.512), tone(0.512), silence(0.2))
    listener = listen(Loud(silence=0.7), *spoken(sound), LONG)
    (trail,) = listener.trails
    assert listener.events[1].time - trail == pytest.approx(1.024)
    assert trail == pytest.approx(0.7)


def test_audio_that_is_late_by_a_jitter_is_waited_for():
    sound = row(silence(0.512), tone(0.512), silence(0.64))
    listener = listen(Loud(silence=0.7), *spoken(sound), 0.15, *spoken(tone(0.512)), LONG)
    assert listener.spans == [(0.41, pytest.approx(2.18, abs=0.01))]


def test_a_pause_in_the_stream_shorter_than_the_gap_does_not_part_the_speech():
    script = (*spoken(row(silence(0.512), tone(0.512))), 0.6, *spoken(row(tone(0.512), silence(1.0))))
    assert len(listen(Loud(silence=0.7), *script).spans) == 1


def test_pieces_that_are_longer_than_the_gap_are_not_overdue():
    sound = row(silence(0.5), *[SAID] * 2, silence(2.0))
    assert len(hear(EnergyVAD(silence=0.5), sound, (RATE,)).spans) == 1


def test_audio_that_comes_back_is_heard_as_speech_of_its_own():
    again = (*spoken(row(silence(0.512), tone(0.512))), 5.0)
    listener = listen(Loud(silence=0.7), *again, *again)
    assert listener.spans == [(0.41, 1.02), (1.44, 2.05)]


def test_a_source_that_waits_for_the_pipeline_is_not_taken_to_have_stopped():
    """A recording is read no faster than the pipeline takes it: its pauses mean nothing."""
    script = (*spoken(row(silence(0.512), tone(0.512))), 20.0, *spoken(row(tone(0.512), silence(1.0))))
    assert len(listen(Loud(silence=0.7), *script, live=False).spans) == 1


def test_while_nobody_speaks_there_is_no_timer_and_in_speech_there_is_one():
    seen = []

    async def look(call: Call) -> None:
        for _ in range(300):
            seen.append((now(), len(left())))
            await asyncio.sleep(0.0101)

    quiet = listen(Loud(), *spoken(silence(3.0)), act=look)
    idle, seen = max(count for _, count in seen), []
    listener = listen(Loud(), *spoken(row(silence(0.512), tone(2.0), silence(0.5))), act=look)
    assert quiet.events == []
    assert len(listener.spans) == 1
    assert max(count for _, count in seen) <= idle + 1


# tuning


def test_the_silence_gap_may_be_changed_during_the_call():
    vad = Loud(silence=5.0)

    async def hurry(call: Call) -> None:
        await asyncio.sleep(1.5)
        vad.silence = 0.2

    _, stopped = listen(vad, *spoken(row(silence(0.512), tone(0.512), silence(3.0))), act=hurry).events
    assert stopped.time == pytest.approx(1.5, abs=0.021)


def test_the_level_may_be_changed_during_the_call():
    vad = EnergyVAD()

    async def listen_closer(call: Call) -> None:
        await asyncio.sleep(2.0)
        vad.level = 50.0

    whisper = row(silence(0.5), tone(0.5) / 40, silence(2.0), tone(0.5) / 40, silence(1.0))
    assert listen(vad, *spoken(whisper), act=listen_closer).spans == [(pytest.approx(2.7), pytest.approx(3.5))]


# length


@pytest.mark.parametrize("detector", BOTH)
def test_after_ten_minutes_it_finds_speech_where_it_found_it_in_the_first(detector):
    turn = row(silence(1.0), SPEECH, silence(1.8))
    listener = hear(detector(), row(*[turn] * 60), (RATE // 10,))
    assert len(turn) == pytest.approx(10 * RATE, abs=RATE // 5)
    first, places = listener.spans[0], range(60)
    for place, (start, end) in zip(places, listener.spans, strict=True):
        offset = place * len(turn) / RATE
        assert start - offset == pytest.approx(first[0], abs=0.1)
        assert end - offset == pytest.approx(first[1], abs=0.1)


class Scale(Processor):
    """Counts, once a minute, what the process has allocated."""

    def __init__(self) -> None:
        self.samples = 0
        self.sizes: list[int] = []

    def process(self, frame: AudioRaw) -> AudioRaw:
        self.samples += len(frame.data) // 2
        if self.samples % (60 * RATE) == 0:
            gc.collect()  # what earlier tests left would be freed at any time, and be counted here
            self.sizes.append(sys.getallocatedblocks())
        return frame


@pytest.mark.slow
@pytest.mark.parametrize("detector", BOTH)
def test_ten_minutes_of_speech_take_no_memory(detector):
    scale = Scale()
    script = (*spoken(np.tile(SAID, 99)[: 600 * RATE], (RATE // 10,)), 2.0)
    call = Call(Script(*script, live=True), Ear(), transport="test")
    run(call, lambda call: call.source | detector() | scale | Parrot() | Voice() | call.sink)
    assert len(scale.sizes) == 10
    assert max(scale.sizes[1:]) - min(scale.sizes[1:]) < 300
