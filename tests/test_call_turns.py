"""The order of speaking: turns, overlapping work, sources that are faster than the pipeline."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from doubles import PIECE, make_call, now
from talking import STT, Blocked, Notes, Parrot, Voice, audio, ear_of, run, talk

from voiceflow import (
    DTMF,
    AudioRaw,
    Frame,
    LLMEnd,
    LLMText,
    Processor,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)


# turns
def test_no_reply_starts_while_the_caller_speaks_and_what_was_said_gets_one_reply():
    script = (SpeechStarted(), 0.5, Transcript("one"), 1.0, Transcript("two"), 0.5, SpeechStopped(), 0.3)
    call, voice = make_call(*script, Transcript("three"), 5.0), Voice()
    run(call, talk(voice=voice))
    assert voice.said == [(2.0, "one two"), (2.3, "three")]


def test_a_reply_waits_ten_seconds_for_the_caller_at_most():
    call, voice = make_call(SpeechStarted(), 1.0, Transcript("one"), 20.0), Voice()
    run(call, talk(voice=voice))
    assert voice.said == [(pytest.approx(11.0), "one")]


def test_a_stage_that_replies_does_not_start_while_the_caller_speaks():
    class Echo(Processor):
        def process(self, frame: Transcript) -> LLMText:
            return LLMText(frame.text)

    call, voice = make_call(SpeechStarted(), 0.5, Transcript("one"), 1.5, SpeechStopped(), 5.0), Voice()
    run(call, talk(Echo(), voice=voice))
    assert voice.said == [(2.0, "one")]


def test_the_joined_transcript_spans_the_ones_it_is_made_of():
    seen = []

    class Model(Parrot):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            seen.append(frame)
            yield LLMText(frame.text)

    script = (
        SpeechStarted(),
        Transcript("one", start=0.5, end=1.0, language="de", no_speech_probability=0.5),
        Transcript("two", start=1.5, end=2.0, language="en", no_speech_probability=0.25),
        1.0,
        SpeechStopped(),
        5.0,
    )
    run(make_call(*script), talk(Model()))
    assert seen == [Transcript("one two", start=0.5, end=2.0, language="en", no_speech_probability=0.25)]


def test_keys_and_interims_are_not_held_back_while_the_caller_speaks():
    got = []

    class Model(Processor):
        async def process(self, frame: Transcript | DTMF) -> AsyncIterator[LLMText]:
            got.append((now(), frame))
            for text in ():
                yield LLMText(text)

    script = (SpeechStarted(), 0.5, Transcript("on", final=False), DTMF("1"), 1.0, SpeechStopped(), 5.0)
    run(make_call(*script), talk(Model()))
    assert got == [(0.5, Transcript("on", final=False)), (0.5, DTMF("1"))]


# overlap


class OverlappingSTT(STT):
    overlap = True


@pytest.mark.parametrize(("stt", "keys"), [(STT, [1.0, 1.0]), (OverlappingSTT, [0.0, 0.5])])
def test_keys_overtake_the_work_of_a_processor_that_overlaps(stt, keys):
    notes = Notes()
    run(make_call(PIECE, DTMF("1"), 0.5, DTMF("2"), 5.0), talk(ears=(stt(), notes)))
    assert [at for at, frame in notes.seen if isinstance(frame, DTMF)] == keys
    assert notes.of(DTMF) == [DTMF("1"), DTMF("2")]
    assert [at for at, frame in notes.seen if isinstance(frame, Transcript)] == [1.0]


def test_a_processor_that_overlaps_works_on_one_frame_at_a_time_in_order():
    spans = []

    class Numbered(Processor):
        overlap = True

        async def process(self, frame: AudioRaw) -> Transcript:
            start = now()
            await asyncio.sleep(1.0)
            spans.append((start, now()))
            return Transcript(str(frame.data[0]))

    notes = Notes()
    run(make_call(audio(0.02, 1), audio(0.02, 2), audio(0.02, 3), 5.0), talk(ears=(Numbered(), notes)))
    assert spans == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0)]
    assert [frame.text for frame in notes.of(Transcript)] == ["1", "2", "3"]


def test_speech_never_overtakes_the_work():
    class Slow(Processor):
        overlap = True

        async def process(self, frame: LLMText) -> AsyncIterator[LLMText]:
            await asyncio.sleep(1.0)
            yield frame

    notes = Notes()
    run(make_call(Transcript("a"), 5.0), lambda c: c.source | Parrot() | Slow() | notes | Voice() | c.sink)
    assert [type(frame) for _, frame in notes.seen if type(frame) in (LLMText, LLMEnd)] == [LLMText, LLMEnd]
    assert [at for at, frame in notes.seen if isinstance(frame, LLMEnd)] == [1.0]


def test_the_end_never_overtakes_the_work():
    notes = Notes()
    run(make_call(PIECE), talk(ears=(OverlappingSTT(), notes)))
    assert notes.of(Transcript) == [Transcript("heard")]
    assert notes.finished == [1.0]


# a source that is faster than the pipeline
def burst(keys: int) -> list[Frame | float]:
    """Three seconds of audio at once, with keys in between."""
    script: list[Frame | float] = [audio(0.1, 200), 0.0]
    for place in range(30):
        script.append(audio(0.1, place + 1))
        if place < keys:
            script.append(DTMF(str(place)))
    return [*script, 8.0]


def test_a_live_source_drops_its_oldest_audio_and_nothing_else():
    blocked = Blocked()
    run(make_call(*burst(9), live=True), talk(ears=(blocked,)))
    keys = [frame.digit for frame in blocked.got if isinstance(frame, DTMF)]
    pieces = [frame.data[0] for frame in blocked.got if isinstance(frame, AudioRaw)]
    assert keys == [str(n) for n in range(9)]
    assert pieces == [200, *range(11, 31)]


def test_a_source_that_is_not_live_waits_and_loses_nothing():
    blocked = Blocked()
    run(make_call(*burst(9)), talk(ears=(blocked,)))
    assert [frame.data[0] for frame in blocked.got if isinstance(frame, AudioRaw)] == [200, *range(1, 31)]


def test_an_echo_of_a_live_source_drops_its_oldest_audio_and_no_part_of_any_other():
    frames = [audio(0.55, byte) for byte in range(1, 11)]
    call = make_call(*frames, 20.0, live=True)
    run(call, lambda c: c.source | c.sink)
    heard = ear_of(call).audio
    sizes = {byte: heard.count(byte) for byte in range(1, 11)}
    whole = len(frames[0].data)
    assert [byte for byte, size in sizes.items() if size == whole][-3:] == [8, 9, 10]
    assert {size for byte, size in sizes.items() if byte > 1} <= {0, whole}


def test_a_long_prompt_of_a_stage_is_heard_whole_beside_a_live_caller():
    class Menu(Processor):
        def process(self, frame: DTMF) -> AudioRaw:
            return audio(5.0, byte=7)

    call = make_call(DTMF("1"), *[PIECE, 0.02] * 20, 6.0, live=True)
    ended = run(call, lambda call: call.source | Menu() | call.sink)
    assert ear_of(call).audio == audio(5.0, byte=7).data
    assert ended.dropped == 0


# what nobody may wait for, or overtake
def test_nothing_overtakes_anything_once_the_work_is_done():
    class Translator(Processor):
        overlap = True

        async def process(self, frame: Transcript) -> Transcript:
            await asyncio.sleep(1.0)
            return frame

    notes, spoken = Notes(), audio(0.02, byte=2)
    call = make_call(Transcript("go"), 2.0, spoken, DTMF("1"), 5.0)
    run(call, lambda c: c.source | Translator() | notes | Parrot() | Voice() | c.sink)
    assert [frame for _, frame in notes.seen] == [Transcript("go"), spoken, DTMF("1")]


def test_a_voice_is_never_far_ahead_of_the_callers_ear():
    made = []

    class Eager(Processor):
        async def process(self, frame: LLMText) -> AsyncIterator[AudioRaw]:
            for _ in range(60):
                made.append(now())
                yield audio(1.0)

    run(make_call(Transcript("go"), 100.0), lambda c: c.source | Parrot() | Eager() | c.sink)
    assert all(at >= number - 5 for number, at in enumerate(made))
    assert len(made) == 60


def test_a_transcript_while_nobody_speaks_is_a_turn_of_its_own():
    class Slow(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            await asyncio.sleep(1.0)
            yield LLMText(frame.text)

    call, voice = make_call(Transcript("one"), 0.5, Transcript("two"), 5.0), Voice()
    run(call, talk(Slow(), voice=voice))
    assert voice.said == [(1.0, "one"), (2.0, "two")]


def test_what_is_said_while_a_reply_is_heard_interrupts_nothing_by_itself():
    class Slow(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText(frame.text)
            await asyncio.sleep(2.0)
            yield LLMText("and the rest")

    call, voice = (
        make_call(Transcript("a story"), 0.5, SpeechStarted(), 0.1, Transcript("hm"), SpeechStopped(), 9.0),
        Voice(),
    )
    run(call, talk(Slow(), voice=voice))
    assert voice.texts == ["a story", "and the rest", "hm", "and the rest"]


def test_every_frame_that_a_stage_answers_gets_a_reply_of_its_own():
    replies = []

    class Menu(Processor):
        def process(self, frame: DTMF) -> LLMText:
            return LLMText(frame.digit)

    call = make_call(DTMF("1"), 1.0, DTMF("2"), 5.0)
    call.on_reply(replies.append)
    run(call, talk(Menu()))
    assert [(reply.heard, reply.complete) for reply in replies] == [("1", True), ("2", True)]


def test_a_burst_is_taken_whole_by_a_processor_that_keeps_up():
    class Quick(Processor):
        async def process(self, frame: AudioRaw) -> None:
            pass

    call = make_call(*(PIECE for _ in range(400)), 1.0, live=True)
    ended = run(call, talk(ears=(Quick(),)))
    assert (ended.dropped, ended.burst) == (0, 0)
