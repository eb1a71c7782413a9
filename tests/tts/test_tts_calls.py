"""Voices in whole calls: order, interruption, failure, the lines that are kept as audio."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest
from doubles import Ear, Script, make_call, now
from hypothesis import given, settings
from hypothesis import strategies as st
from talking import Interrupter, Notes, Parrot, audio, ear_of, run, when
from tts.voices import FORM, LETTER, RATE, Letters, Timed, letters, shown, text_of

from voiceflow import (
    DTMF,
    AudioFormat,
    AudioRaw,
    Call,
    Clear,
    Error,
    Frame,
    LLMEnd,
    LLMText,
    Mark,
    Pipeline,
    Processor,
    Transcript,
)
from voiceflow.processors.codec import Convert
from voiceflow.processors.tts import TTS

APOLOGY, HOLD = audio(1.0, byte=7), audio(1.0, byte=9)
APOLOGY_TEXT = "Sorry, something went wrong."


class Upstream(Processor):
    """Stands before the voice and remembers what comes up to it."""

    def __init__(self) -> None:
        self.heard: list[Frame] = []

    def process(self, frame: LLMText) -> LLMText:
        return frame

    def upstream(self, frame: Frame) -> Frame:
        self.heard.append(frame)
        return frame


def calling(*script: Frame | float) -> Call:
    """A call that has its fixed lines already."""
    call = make_call(*script)
    call.apology, call.hold = APOLOGY, HOLD
    return call


def talk(tts: TTS, *between: Processor, brain: Processor | None = None) -> Pipeline:
    return lambda call: Pipeline(call.source, Interrupter(), brain or Parrot(), *between, tts, Notes(), call.sink)


def say(tts: TTS, *script: Frame | float, brain: Processor | None = None) -> tuple[Call, Upstream, Notes]:
    call, above, notes = calling(*script), Upstream(), Notes()
    ended = run(
        call, lambda call: Pipeline(call.source, Interrupter(), brain or Parrot(), above, tts, notes, call.sink)
    )
    assert ended.error is None
    return call, above, notes


def heard(call: Call, after: float = 0.0) -> str:
    """What the caller's ear was given, as text."""
    log = [(at, data) for at, kind, data in ear_of(call).log if kind == "audio" and at >= after]
    return text_of(b"".join(data for _, data in log))


# --- order ---


def test_sentences_are_marked_and_the_reply_ends_after_its_audio():
    call, above, notes = say(Letters(), Transcript("One two. Three"), 5.0, Transcript("Four."), 5.0)
    sent = [frame for _, frame in notes.seen if isinstance(frame, Mark | LLMEnd)]
    assert shown(sent) == [Mark("One two."), Mark(), Mark("Three"), Mark(), LLMEnd(), Mark("Four."), Mark(), LLMEnd()]
    assert heard(call) == "One two.ThreeFour."
    assert [frame.text for frame in above.heard] == ["One two.", "Three", "Four."]


class Timing(TTS):
    """Remembers when it was asked; takes no time."""

    rate = RATE

    def __init__(self) -> None:
        self.asked: list[tuple[float, str]] = []

    async def synthesize(self, text: str, voice: str) -> bytes:
        self.asked.append((now(), text))
        return letters(text)


def test_the_next_sentence_is_made_while_the_last_is_heard():
    tts = Timing()
    say(tts, Transcript("Short one. Short two."), 20.0)
    assert tts.asked == [(0.0, "Short one."), (0.0, "Short two.")]


def test_sentences_wait_when_two_seconds_of_audio_do():
    tts, long = Timing(), "x" * 120 + "."  # 6 s
    say(tts, Transcript(f"{long} Second."), 20.0)
    (first, _), (second, text) = tts.asked
    assert (first, text) == (0.0, "Second.")
    assert 6.05 - second == pytest.approx(2.0, abs=0.5)  # seconds left to hear


def test_what_is_played_passes_untouched():
    class Brain(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("One.\n")
            await self.call.play(AudioRaw(b"\5\0" * 800, AudioFormat("pcm16", 8000)))
            yield LLMText("Two.")

    call, _, notes = say(Letters(), Transcript("go"), 20.0, brain=Brain())
    assert [frame.text for frame in notes.of(Mark)] == ["One.", "", "Two.", ""]
    assert heard(call).replace("\5", "").replace("\0", "") == "One.Two."  # a converter fades in and out
    assert heard(call).count("\5") == 2


class Eight(TTS):
    """At a rate that is neither the call's nor the caller's."""

    rate = 22_050

    def synthesize(self, text: str, voice: str) -> bytes:
        return b"\1\1" * 22_050


def test_speech_is_converted_straight_to_what_the_caller_takes():
    call = Call(Script(Transcript("go"), 5.0), Ear(AudioFormat("mulaw", 8000)), transport="test")
    run(call, lambda call: call.source | Parrot() | Eight() | call.sink)
    assert [type(element) for element in call.elements].count(Convert) == 1
    assert len(ear_of(call).audio) == pytest.approx(8000, abs=40)


# --- interruption ---

SENTENCES = "The first sentence. And a second one. Then the third."


@given(st.floats(0.03, 2.5))
@settings(max_examples=40, deadline=None)
def test_what_was_heard_of_an_interrupted_sentence_is_exact_with_word_times(at):
    call, above, _ = say(Timed(), Transcript(SENTENCES), at, DTMF("1"), 10.0)
    clear = next(frame for frame in above.heard if isinstance(frame, Clear))
    spoken = SENTENCES.replace(". ", ".")  # there is no space between sentences
    audible = spoken[: int((at + 1e-6) / LETTER)]
    ends = {place for place, character in enumerate(spoken + " ") if character == " "}
    ends |= {place + 1 for place, character in enumerate(spoken) if character == "."}
    whole = max((end for end in ends if end <= len(audible)), default=0)
    assert clear.heard == spoken[:whole].strip().replace(".", ". ").strip()
    assert clear.seconds == pytest.approx(at)
    cleared = when(call, "clear")
    assert cleared == [pytest.approx(at, abs=1e-6)]
    assert not [kind for moment, kind, _ in ear_of(call).log if kind == "audio" and moment > at]


def test_after_an_interruption_nothing_of_the_old_reply_is_heard():
    call, _, notes = say(Letters(), Transcript("Long. " * 20 + "end"), 1.0, DTMF("1"), 0.5, Transcript("New one."), 9.0)
    assert heard(call, after=1.01) == "New one."
    assert [frame for _, frame in notes.seen if isinstance(frame, LLMEnd)] == [LLMEnd()]


def test_synthesis_is_cancelled_and_its_stream_closed():
    closed = []

    class Endless(TTS):
        rate = RATE

        async def synthesize(self, text: str, voice: str) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(FORM.bytes_for(0.1))
                    await asyncio.sleep(0.05)
            finally:
                closed.append(now())

    say(Endless(), Transcript("go"), 1.0, DTMF("1"), 3.0)
    assert closed == [1.0]


def test_a_blocking_stream_is_closed_when_its_thread_comes_back():
    closed, leave = threading.Event(), threading.Event()

    class Blocking(TTS):
        rate = RATE

        async def open(self, call: Call) -> None:
            self.loop = asyncio.get_running_loop()

        def synthesize(self, text: str, voice: str) -> Iterator[bytes]:
            try:
                yield bytes(FORM.bytes_for(0.1))
                self.loop.call_soon_threadsafe(interrupt)
                leave.wait(10.0)
                yield letters("stale")
            finally:
                closed.set()

    def interrupt() -> None:
        call.clear()
        assert not closed.is_set()
        leave.set()

    call = calling(Transcript("go"), 1.0)
    run(call, talk(Blocking()))
    assert closed.wait(10.0)
    assert "stale" not in heard(call)


# --- failure ---


class Fails(TTS):
    rate = RATE

    def synthesize(self, text: str, voice: str) -> bytes:
        if text.startswith("Bad"):
            raise OSError("no voice")
        return letters(text)


def test_a_failure_is_heard_as_the_apology_and_the_call_goes_on(caplog):
    call, above, _ = say(Fails(), Transcript("Bad one. Good one."), 5.0, Transcript("Good two."), 5.0)
    assert heard(call).replace("\u0707", "") == "Good one.Good two."
    assert heard(call).count("\u0707") == 1.0 / LETTER
    assert ear_of(call).frames.count(Error("could not say 'Bad one.': OSError: no voice", "Fails")) == 1
    assert [frame.text for frame in above.heard] == [APOLOGY_TEXT, "Good one.", "Good two."]


class Leaves(TTS):
    rate = RATE

    async def synthesize(self, text: str, voice: str) -> bytes:
        if text.startswith("Bad"):
            raise SystemExit(3)
        return letters(text)


def test_a_voice_that_would_end_the_process_is_a_failure_like_others(caplog):
    call, _, _ = say(Leaves(), Transcript("Bad one. Good one."), 5.0)
    assert heard(call).endswith("Good one.")
    assert heard(call).count("\u0707") == 1.0 / LETTER


def test_of_a_reply_that_failed_only_the_apology_was_heard(caplog):
    replies = []

    class Watch(Upstream):
        async def open(self, call: Call) -> None:
            call.on_reply(replies.append)

    run(calling(Transcript("Bad one."), 9.0), talk(Fails(), Watch()))
    (reply,) = replies
    assert (reply.text, reply.heard) == ("Bad one.", APOLOGY_TEXT)


class Slow(TTS):
    """Takes its time for every sentence."""

    rate = RATE

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def synthesize(self, text: str, voice: str) -> bytes:
        await asyncio.sleep(self.seconds)
        return letters(text)


def lines_heard(call: Call, byte: int) -> list[float]:
    """When the caller began to hear a fixed line."""
    at = [moment for moment, kind, data in ear_of(call).log if kind == "audio" and data[:1] == bytes([byte])]
    return [moment for place, moment in enumerate(at) if place == 0 or moment - at[place - 1] > 0.5]


def test_a_slow_voice_is_filled_with_the_hold_line():
    call, above, _ = say(Slow(6.0), Transcript("Here."), 20.0)
    assert lines_heard(call, 9) == [4.0]
    assert heard(call).endswith("Here.")
    assert [frame.text for frame in above.heard] == ["Here."]


def test_a_voice_that_hangs_is_given_up_and_the_caller_is_never_left_in_silence(caplog):
    call, _, _ = say(Slow(10_000.0), Transcript("Here."), 60.0)
    told = [frame.message for frame in ear_of(call).frames if isinstance(frame, Error)]
    assert told == ["could not say 'Here.': TooLateError: synthesize gave no audio for 15 s"]
    audible = [at for at, kind, _ in ear_of(call).log if kind == "audio"]
    assert lines_heard(call, 7) == [pytest.approx(15.0, abs=0.5)]
    silences = [b - a for a, b in zip([0.0, *audible], audible, strict=False)]
    assert max(silences) < 5.0
