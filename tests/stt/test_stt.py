"""An STT in a call: what it makes of what the caller says, when, and what happens if it cannot."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from doubles import Ear, Script, make_call, now
from talking import LONG, Notes, Voice, audio, run, talk, timed, when
from vad.listening import RATE, SAID, row, silence, spoken

from voiceflow import (
    DTMF,
    AudioRaw,
    Call,
    Error,
    Frame,
    LinkError,
    Processor,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.inference import recognition_pool, shared_pool
from voiceflow.linking.linker import link
from voiceflow.processors.stt import STT, Transcription
from voiceflow.processors.stt.pace import Pace, pace_of, utterances
from voiceflow.processors.stt.transcriber import Transcriber
from voiceflow.processors.vad import EnergyVAD


class Scripted(STT):
    """Takes `seconds` for each piece of audio and has `results` in turn, the last for ever. Exceptions it raises."""

    def __init__(self, *results: object, seconds: float = 0.5, interims: bool = False) -> None:
        super().__init__(interims=interims)
        self.results = list(results or ["heard"])
        self.seconds = seconds
        self.got: list[tuple[float, float]] = []
        """When each piece was to be transcribed, and how long it is."""
        self.at_work = 0

    async def transcribe(self, audio: bytes, rate: int) -> Transcription:
        assert rate == 16_000
        self.got.append((now(), round(len(audio) / 32_000, 3)))
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        self.at_work += 1
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.at_work -= 1
        if isinstance(result, BaseException):
            raise result
        return result  # type: ignore[return-value]  # some are wrong on purpose


def speech(seconds: float) -> list[Frame | float]:
    """A caller who makes sound for so long, in real time."""
    return [item for _ in range(round(seconds * 50)) for item in (0.02, audio(0.02))]


def utterance(seconds: float, silence: float = 0.7, lead: float = 0.2) -> list[Frame | float]:
    """What a VAD makes of `seconds` of speech: it is sure of it after `lead`, and of its end after `silence`."""
    return [
        *speech(lead),
        SpeechStarted(lead),
        *speech(seconds - lead + silence),
        SpeechStopped(silence),
    ]


def noted(stt: STT, *script: Frame | float, live: bool = False, voice: Voice | None = None) -> Notes:
    """What came out of `stt`."""
    notes = Notes()
    run(make_call(*script, live=live), talk(ears=(stt, notes), voice=voice))
    return notes


def words(notes: Notes) -> list[tuple[float, str]]:
    return [(at, f.text if isinstance(f, Transcript) else type(f).__name__) for at, f in notes.seen if said(f)]


def said(frame: Frame) -> bool:
    return isinstance(frame, (Transcript, SpeechStarted, SpeechStopped, Error))


# an utterance


def test_speech_becomes_a_transcript_with_its_times():
    stt = Scripted(Transcription("good  morning ", 0.25, "en"))
    notes = noted(stt, *speech(3.0), *utterance(1.0), 5.0)
    assert stt.got == [(4.7, pytest.approx(1.2))]
    assert notes.of(Transcript) == [
        Transcript(
            "good morning",
            language="en",
            no_speech_probability=0.25,
            start=pytest.approx(3.0),
            end=pytest.approx(4.0),
        )
    ]


def test_the_start_passes_at_once_and_the_stop_follows_the_transcript():
    stopped = SpeechStopped(0.7)
    notes = noted(Scripted(), *utterance(1.0)[:-1], stopped, 5.0)
    assert words(notes) == [(0.2, "SpeechStarted"), (2.2, "heard"), (2.2, "SpeechStopped")]
    assert notes.of(SpeechStopped)[0] is stopped


def test_the_callers_audio_ends_here():
    assert noted(Scripted(), *utterance(1.0), 5.0).of(AudioRaw) == []


def test_silence_and_noise_give_no_transcript_and_the_floor_is_free():
    voice = Voice()
    script = (Transcript("before"), *utterance(1.0), 5.0)
    notes = noted(Scripted(Transcription("", 0.9), seconds=0.5), SpeechStarted(), *script, voice=voice)
    assert notes.of(Transcript) == [Transcript("before")]
    assert voice.said == [(pytest.approx(2.2), "before")]


def test_keys_pass_while_a_transcription_is_under_way():
    notes = noted(Scripted(seconds=2.0), *utterance(1.0), 0.5, DTMF("1"), 5.0)
    assert [at for at, frame in notes.seen if isinstance(frame, DTMF)] == [2.2]
    assert words(notes)[-1][0] == pytest.approx(3.7)


def test_a_stop_without_a_start_passes():
    stt = Scripted()
    notes = noted(stt, *speech(1.0), SpeechStopped(0.5), 2.0)
    assert words(notes) == [(1.0, "SpeechStopped")]
    assert stt.got == []


def test_a_start_and_a_stop_without_audio_are_no_work():
    stt = Scripted()
    notes = noted(stt, SpeechStarted(0.3), 1.0, SpeechStopped(0.7), 2.0)
    assert words(notes) == [(0.0, "SpeechStarted"), (1.0, "SpeechStopped")]
    assert stt.got == []


def test_a_second_start_does_not_begin_anew():
    stt = Scripted()
    script = [SpeechStarted(), *speech(1.0), SpeechStarted(), *speech(1.0), SpeechStopped()]
    assert [text for _, text in words(noted(stt, *script, 2.0))] == [
        "SpeechStarted",
        "SpeechStarted",
        "heard",
        "SpeechStopped",
    ]
    assert stt.got == [(2.0, 2.0)]


# turns


def test_the_reply_waits_for_all_that_was_said_before_it_began():
    """The caller goes on while what they said first is being transcribed: one turn, and one reply."""
    voice = Voice()
    notes = noted(Scripted("one", "two", seconds=1.0), *utterance(1.0), *utterance(1.0), 5.0, voice=voice)
    assert [text for _, text in words(notes)] == ["SpeechStarted", "SpeechStarted", "one", "two", "SpeechStopped"]
    assert voice.said == [(pytest.approx(4.4), "one two")]


def test_an_utterance_that_ends_before_the_last_one_is_transcribed_joins_it():
    voice = Voice()
    script = [*utterance(0.5, 0.3), *utterance(0.5, 0.3), 20.0]
    notes = noted(Scripted("one", "two", seconds=3.0), *script, voice=voice)
    assert [text for _, text in words(notes)] == ["SpeechStarted", "SpeechStarted", "one", "two", "SpeechStopped"]
    assert voice.said == [(pytest.approx(6.8), "one two")]


def test_what_a_live_caller_says_during_a_long_transcription_is_not_lost():
    stt = Scripted("one", "two", seconds=6.0)
    script = [*utterance(1.0), *utterance(4.0), 20.0]
    call, notes = make_call(*script, live=True), Notes()
    ended = run(call, talk(ears=(stt, notes)))
    assert ended.dropped == 0
    assert [length for _, length in stt.got] == [pytest.approx(1.2), pytest.approx(4.2)]


def test_the_call_is_busy_while_it_transcribes():
    call, seen = make_call(*utterance(1.0), 5.0), []

    async def act() -> None:
        for at in (1.0, 1.9, 3.0):
            await asyncio.sleep(at - now())
            seen.append(call.busy)

    run(call, talk(ears=(Scripted(Transcription("")),)), act=act)
    assert seen == [False, True, False]


def test_a_slow_transcription_is_no_dead_air():
    class HoldLine(Processor):
        async def open(self, call: Call) -> None:
            call.hold = audio(1.0, byte=9)

        def process(self, frame: DTMF) -> DTMF:
            return frame

    call = make_call(*utterance(1.0), 20.0)
    run(call, talk(ears=(Scripted(seconds=6.0), HoldLine())))
    assert when(call, "audio")[0] == pytest.approx(5.7)


def test_what_never_arrived_is_not_cut_off():
    """A stop that comes because audio does not: its trail is time, of which no audio may be cut."""
    stt = Scripted()
    notes = noted(stt, SpeechStarted(), *speech(1.0), 0.7, SpeechStopped(0.7), 5.0)
    assert stt.got == [(1.7, 1.0)]
    (transcript,) = notes.of(Transcript)
    assert isinstance(transcript, Transcript)
    assert transcript.end == pytest.approx(1.0)


# long speech


def test_ten_minutes_of_speech_are_one_transcript_made_in_pieces_meanwhile():
    stt = Scripted(*(f"part{n}" for n in range(100)))
    notes = noted(stt, *utterance(600.0), 5.0)
    (transcript,) = notes.of(Transcript)
    assert isinstance(transcript, Transcript)
    assert transcript.text == " ".join(f"part{n}" for n in range(len(stt.got)))
    assert (transcript.start, transcript.end) == (pytest.approx(0.0, abs=1e-6), pytest.approx(600.0))
    assert sum(length for _, length in stt.got) == pytest.approx(600.2)
    assert all(20.0 <= length <= 28.0 for _, length in stt.got[:-1])
    assert [at for at, _ in notes.seen if isinstance(_, Transcript)] == [pytest.approx(601.2)]


def test_a_piece_that_fails_does_not_take_the_others_with_it():
    stt = Scripted("one", ValueError("no"), "three")
    notes = noted(stt, *utterance(60.0), 5.0)
    assert [frame.text for frame in notes.of(Transcript)] == ["one three"]
    assert len(notes.of(Error)) == 1


# interims


class Captions(Processor):
    wants_interims = True

    def process(self, frame: DTMF) -> DTMF:
        return frame


def interims(notes: Notes) -> list[tuple[float, str]]:
    return [(at, f.text) for at, f in notes.seen if isinstance(f, Transcript) and not f.final]


def test_there_are_no_interims_unless_somebody_wants_them():
    stt = Scripted()
    assert interims(noted(stt, *utterance(3.0), 5.0)) == []
    assert len(stt.got) == 1


@pytest.mark.parametrize("asked", ["by a processor", "by the constructor"])
def test_interims_come_twice_a_second_while_the_caller_speaks(asked):
    stt = Scripted(*map(str, range(100)), seconds=0.1, interims=asked == "by the constructor")
    notes = Notes()
    ears = (stt, notes, Captions()) if asked == "by a processor" else (stt, notes)
    run(make_call(*utterance(2.0), 5.0), talk(ears=ears))
    assert interims(notes) == [(pytest.approx(0.6 + 0.5 * n), str(n)) for n in range(5)]
    assert [frame.text for frame in notes.of(Transcript) if frame.final] == ["5"]


def test_there_are_never_two_interims_at_a_time():
    stt = Scripted(seconds=0.8, interims=True)
    notes = noted(stt, *utterance(5.0), 5.0)
    begun = [at for at, _ in stt.got[:-1]]
    assert all(0.79 <= after - before <= 0.85 for before, after in pairwise(begun))
    assert len(interims(notes)) == 6


def test_an_interim_that_is_late_is_dropped_and_delays_nothing():
    stt = Scripted("late", "final", seconds=1.0, interims=True)
    notes = noted(stt, *utterance(0.5, 0.3), 5.0)
    assert len(stt.got) == 2
    assert words(notes)[1:] == [(pytest.approx(1.8), "final"), (pytest.approx(1.8), "SpeechStopped")]


def test_interims_of_long_speech_contain_what_came_before():
    stt = Scripted(*["more"] * 1_000, seconds=0.1, interims=True)
    notes = noted(stt, *utterance(60.0), 5.0)
    assert interims(notes)[-1][1] == "more more more"
    assert max(length for _, length in stt.got) <= 28.0


def test_an_interim_that_fails_is_no_error_to_anybody():
    stt = Scripted(ValueError("no"), "heard", interims=True)
    notes = noted(stt, *utterance(0.5, 0.3), 5.0)
    assert [text for _, text in words(notes)] == ["SpeechStarted", "heard", "SpeechStopped"]


def test_an_interim_under_way_is_over_when_the_call_is():
    class Careful(Scripted):
        async def transcribe(self, audio: bytes, rate: int) -> Transcription:
            try:
                return await super().transcribe(audio, rate)
            finally:
                await asyncio.sleep(0.1)  # closes a connection, say
                closed.append(now())

    class Broken(Processor):
        def process(self, frame: DTMF) -> DTMF:
            raise ValueError("no")

    closed: list[float] = []
    call = make_call(SpeechStarted(), *speech(1.0), DTMF("1"), 5.0)
    _, at = timed(call, talk(ears=(Careful(seconds=LONG, interims=True), Broken())))
    assert closed == [pytest.approx(1.1)]
    assert at >= closed[0]


# how `transcribe` may be written


class InThread(STT):
    def transcribe(self, audio: bytes, rate: int) -> str:
        return threading.current_thread().name


class Streaming(STT):
    async def transcribe(self, audio: bytes, rate: int) -> AsyncIterator[Transcription]:
        for text in ("one", "one two", "one two three"):
            await asyncio.sleep(0.2)
            yield Transcription(text)


class Mute(STT):
    async def transcribe(self, audio: bytes, rate: int) -> AsyncIterator[Transcription]:
        for text in ():
            yield text


def test_a_plain_method_runs_in_the_pool_and_may_return_a_string():
    (transcript,) = noted(InThread(), *utterance(1.0), 5.0).of(Transcript)
    assert isinstance(transcript, Transcript)
    assert transcript.text.startswith("recognition")


def test_a_plain_method_may_return_what_has_to_be_awaited_or_iterated():
    class Decorated(STT):
        def transcribe(self, audio: bytes, rate: int) -> Awaitable[Transcription]:
            return Scripted("heard").transcribe(audio, rate)

    class Generator(STT):
        def transcribe(self, audio: bytes, rate: int) -> Iterator[str]:
            yield from ("one", "one two")

    for stt, expected in ((Decorated(), "heard"), (Generator(), "one two")):
        (transcript,) = noted(stt, *utterance(1.0), 5.0).of(Transcript)
        assert isinstance(transcript, Transcript)
        assert transcript.text == expected


class Gated(STT):
    """Works in a thread for as long as it is told."""

    def __init__(self, *, interims: bool = False) -> None:
        super().__init__(interims=interims)
        self.begun, self.go = threading.Event(), threading.Event()
        self.at_work: list[int] = []

    def transcribe(self, audio: bytes, rate: int) -> str:
        self.at_work.append(len(audio))
        self.begun.set()
        self.go.wait(10.0)
        return "heard"


def test_however_many_callers_are_to_be_transcribed_a_thread_is_left_for_the_voices():
    async def main() -> None:
        stt = Gated()
        jobs = [asyncio.ensure_future(Transcriber(stt)._transcribe(bytes(6400), lambda _: None)) for _ in range(99)]
        await asyncio.sleep(0)
        async with asyncio.timeout(5.0):
            assert await shared_pool().run(lambda: "spoken") == "spoken"
            await asyncio.to_thread(stt.begun.wait)
        assert len(stt.at_work) <= max(1, shared_pool().threads - 1)
        stt.go.set()
        await asyncio.gather(*jobs)

    asyncio.run(main())


def test_there_are_no_interims_while_other_calls_wait_for_a_thread():
    stt = InThread(interims=True)
    other = Gated()
    thread = threading.Thread(target=lambda: asyncio.run(recognition_pool().run(other.transcribe, b"", 16_000)))
    thread.start()
    assert other.begun.wait(10.0)

    class Lets(Processor):
        def process(self, frame: SpeechStopped) -> SpeechStopped:
            other.go.set()
            return frame

    notes = Notes()
    run(make_call(*utterance(3.0), 5.0), talk(ears=(Lets(), stt, notes)))
    thread.join(10.0)
    assert [frame.final for frame in notes.of(Transcript)] == [True]


class Fast(InThread):
    """Its pace is known to no other test."""


def interims_of(stt: STT, *script: Frame | float) -> int:
    notes = Notes()
    run(make_call(*script), talk(ears=(stt, notes)))
    return len(interims(notes))


def interims_with_vad(stt: STT) -> int:
    """How many are made of an utterance whose end our VAD finds."""
    notes = Notes()
    run(make_call(*spoken(row(SAID[: 3 * RATE], silence(2.0)))), talk(ears=(EnergyVAD(), stt, notes)))
    return len(interims(notes))


def test_there_are_no_interims_before_it_is_known_how_long_one_takes():
    assert interims_with_vad(Fast(interims=True)) == 0
    assert interims_with_vad(Fast(interims=True)) > 0


@pytest.mark.parametrize(("seconds", "made"), [(0.3, True), (0.8, False)])
def test_an_interim_that_a_final_would_have_to_wait_for_is_not_begun(seconds, made):
    class Measured(InThread):
        pass

    stt = Measured(interims=True)
    pace_of(Measured, str(stt.model_key)).took(seconds)
    assert (interims_with_vad(stt) > 0) is made


def test_none_is_begun_where_the_utterance_may_be_over_at_any_moment():
    """A VAD of the user's own does not tell how long it waits before it says that the caller has stopped."""

    class Measured(InThread):
        pass

    stt = Measured(interims=True)
    pace_of(Measured, str(stt.model_key)).took(0.1)
    assert interims_of(stt, *utterance(3.0), 5.0) == 0
    assert interims_with_vad(Measured(interims=True)) > 0


def test_none_is_begun_in_a_pause_that_may_be_the_end(monkeypatch):
    """An interim of 0.6 s may begin while the caller speaks, and not in the silence that ends a turn after 0.7 s."""

    class Measured(InThread):
        def transcribe(self, audio: bytes, rate: int) -> str:
            lengths.append(len(audio) / 32_000)
            return "heard"

    monkeypatch.setattr("voiceflow.processors.stt.pace.CALM", 0.0)  # the machine does not become faster
    lengths: list[float] = []
    stt, line = Measured(interims=True), row(SAID[: 2 * RATE], silence(2.0))
    pace_of(Measured, str(stt.model_key)).took(0.6)
    call = make_call(*spoken(line))
    run(call, talk(ears=(EnergyVAD(), stt)))
    *previews, final = lengths
    assert len(previews) > 2
    assert max(previews) < 2.2
    assert final == pytest.approx(2.2, abs=0.1)


def test_none_is_begun_while_another_caller_speaks_whose_final_would_have_to_wait():
    class Measured(InThread):
        pass

    stt, other = Measured(interims=True), Measured()
    pace_of(Measured, str(stt.model_key)).took(0.1)
    utterances.add(other)
    assert interims_with_vad(stt) == 0
    utterances.discard(other)
    assert interims_with_vad(Measured(interims=True)) > 0


def test_a_call_that_ends_in_an_utterance_keeps_no_other_from_interims():
    run(make_call(*utterance(3.0)[:100]), talk(ears=(Fast(interims=True),)))
    assert not utterances


def test_a_pace_is_that_of_the_slowest_lately():
    pace = Pace()
    assert pace.seconds == np.inf
    for seconds, known in ((1.0, 1.0), (2.0, 2.0), (1.0, 1.5), (1.0, 1.25)):
        pace.took(seconds)
        assert pace.seconds == known


def test_the_last_of_an_async_generator_is_final_and_the_others_are_interims():
    notes = noted(Streaming(interims=True), *utterance(0.3, 0.1), 5.0)
    assert [(f.text, f.final) for f in notes.of(Transcript)] == [
        ("one", False),
        ("one two", False),
        ("one two three", False),
        ("one two three", True),
    ]
    notes = noted(Streaming(), *utterance(1.0), 5.0)
    assert [(f.text, f.final) for f in notes.of(Transcript)] == [("one two three", True)]


def test_an_async_generator_that_yields_nothing_has_heard_nothing():
    assert [text for _, text in words(noted(Mute(), *utterance(1.0), 5.0))] == ["SpeechStarted", "SpeechStopped"]


def test_a_subclass_with_its_own_constructor_and_model_needs_to_call_nothing():
    class Own(STT):
        def __init__(self, word: str) -> None:
            self.word = word

        def load(self) -> str:
            return self.word.upper()

        def transcribe(self, audio: bytes, rate: int) -> Transcription:
            return Transcription(self.model)

    assert [frame.text for frame in noted(Own("yes"), *utterance(1.0), 5.0).of(Transcript)] == ["YES"]


# failures


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (ValueError("no model"), "no model"),
        (TimeoutError("too late"), "too late"),
        (asyncio.CancelledError(), "it awaited something that was cancelled"),
        (SystemExit(3), "it raised SystemExit: 3"),
        (None, "it returned NoneType where a Transcription or a string is expected"),
        (b"text", "it returned bytes where"),
    ],
)
def test_a_failure_is_told_and_the_caller_hears_of_it_and_the_call_goes_on(result, told):
    voice = Voice()
    notes = noted(Scripted(result, "again"), *utterance(1.0), 10.0, *utterance(1.0), 10.0, voice=voice)
    (error,) = notes.of(Error)
    assert isinstance(error, Error)
    assert told in error.message
    assert error.processor == "Scripted"
    assert voice.said == [
        (pytest.approx(2.2), "Sorry, I did not catch that."),
        (pytest.approx(1.7 + 10.0 + 2.2), "again"),
    ]


@pytest.mark.parametrize(("seconds", "limit"), [(1.0, 5.0 + 2.4), (20.0, 30.0)])
def test_a_transcription_that_hangs_is_given_up_after_a_time_that_depends_on_its_length(seconds, limit):
    voice = Voice()
    notes = noted(Scripted(seconds=LONG), *utterance(seconds), 60.0, voice=voice)
    (error,) = notes.of(Error)
    assert isinstance(error, Error)
    assert f"no result within {limit:.1f} s" in error.message
    assert voice.said == [(pytest.approx(seconds + 0.7 + limit), "Sorry, I did not catch that.")]


def test_without_speech_synthesis_a_failure_is_an_error_frame_and_nothing_more():
    class Answers(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[AudioRaw]:
            yield audio(0.1)

    notes, call = Notes(), make_call(*utterance(1.0), 5.0)
    ended = run(call, lambda call: call.source | Scripted(ValueError("no")) | notes | Answers() | call.sink)
    assert ended.error is None
    assert len(notes.of(Error)) == 1


def test_an_stt_without_transcribe_says_what_to_write():
    (error,) = noted(STT(), *utterance(1.0), 5.0).of(Error)
    assert isinstance(error, Error)
    assert "STT has no `transcribe`: write `def transcribe(self, audio, rate)`" in error.message


# the end


def test_what_was_said_when_the_caller_hung_up_is_transcribed_still():
    stt, heard = Scripted(), []
    call = make_call(SpeechStarted(), *speech(1.0))

    async def act() -> None:
        async for transcript in call.listen():
            heard.append((now(), transcript.text))

    run(call, talk(ears=(stt,)), act=act)
    assert heard == [(1.5, "heard")]
    assert stt.got == [(1.0, 1.0)]


def test_a_call_does_not_wait_for_a_transcription_for_ever():
    call = make_call(SpeechStarted(), *speech(1.0))
    ended, at = timed(call, talk(ears=(Scripted(seconds=LONG),)))
    assert at == pytest.approx(6.0)
    assert "did not finish within 5 s" in str(ended)


# linking


class Telephone(Script):
    """Who calls does not say when they speak."""

    yields = (AudioRaw, DTMF)


class Detector(Processor):
    def process(self, frame: AudioRaw) -> AudioRaw | SpeechStarted | SpeechStopped:
        return frame


@pytest.mark.parametrize(
    ("ears", "advice"),
    [
        ((Scripted,), "put a VAD before Scripted"),
        ((Scripted, Detector), "Detector, which yields it, stands after it: put Detector before Scripted"),
    ],
)
def test_a_pipeline_without_a_vad_before_it_does_not_link_and_says_so(ears, advice):
    call = Call(Telephone(1.0), Ear(), transport="test")
    with pytest.raises(LinkError, match=f"Scripted needs SpeechStarted, but nothing before it yields that: {advice}"):
        link(talk(ears=tuple(ear() for ear in ears))(call))


def test_it_is_one_stage_and_one_task():
    plan = link(talk(ears=(Scripted(),))(make_call(*utterance(1.0), 1.0)))
    steps = [step for step in plan.walk() if step.processor.name.startswith("Scripted")]
    assert [(step.processor.name, step.fused) for step in steps] == [
        ("Scripted", True),
        ("Scripted.transcribe", False),
    ]
    assert repr(Scripted("a")) == "Scripted('a')"


def test_memory_is_bounded_while_nobody_speaks():
    stt = Scripted()
    noted(stt, *speech(30.0), SpeechStarted(100.0), SpeechStopped(), 1.0)
    assert stt.got == [(30.0, pytest.approx(2.0))]


def test_audio_is_handed_over_as_it_came():
    heard = []

    class Tap(STT):
        def transcribe(self, audio: bytes, rate: int) -> str:
            heard.append(audio)
            return ""

    sound = np.arange(16_000, dtype="<i2").tobytes()
    frames = [AudioRaw(sound[i : i + 640]) for i in range(0, len(sound), 640)]
    noted(Tap(), *frames[:30], SpeechStarted(0.2), *frames[30:], SpeechStopped(0.0), 1.0)
    assert heard == [sound[20 * 640 :]]
