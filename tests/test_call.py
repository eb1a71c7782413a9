"""A call from its first frame to its last: what it can say and hear, and that it always ends."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import numpy as np
import pytest
from doubles import PIECE, Ear, Script, make_call, now, timers, virtual

from voiceflow import (
    CANONICAL,
    DTMF,
    AudioCodecError,
    AudioFormat,
    AudioRaw,
    Call,
    CallError,
    Clear,
    End,
    Ended,
    Frame,
    Limits,
    LinkError,
    LLMEnd,
    LLMText,
    Mark,
    Parallel,
    Processor,
    ProcessorError,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.inference import InferencePool
from voiceflow.wavfile import write_wav

LONG = 10_000.0
FOREVER = 50 * LONG
"""In virtual time: what has not happened by then never will."""
Build = Callable[[Call], Processor]


def audio(seconds: float, byte: int = 1, form: AudioFormat = CANONICAL) -> AudioRaw:
    return AudioRaw(bytes([byte]) * form.bytes_for(seconds), form)


class Parrot(Processor):
    """A model that answers with what it was told."""

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        yield LLMText(frame.text)


class Voice(Processor):
    """A TTS: a tenth of a second for each character, and what it was given."""

    def __init__(self) -> None:
        self.said: list[tuple[float, str]] = []
        self.heard: list[Frame] = []

    async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
        text = frame.text.strip()
        self.said.append((now(), text))
        yield Mark(text)
        yield audio(0.1 * len(text))
        yield Mark()

    def upstream(self, frame: Frame) -> Frame | None:
        self.heard.append(frame)
        return frame

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.said]


class Notes(Processor):
    """A stage that remembers what passes."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, Frame]] = []
        self.finished: list[float] = []

    def process(self, frame: Frame) -> Frame:
        self.seen.append((now(), frame))
        return frame

    def finish(self) -> None:
        self.finished.append(now())

    def of(self, kind: type[Frame]) -> list[Frame]:
        return [frame for _, frame in self.seen if isinstance(frame, kind)]


def left() -> list[asyncio.TimerHandle]:
    """The timers that are set, but for the one that ends a test which hangs."""
    return [timer for timer in timers() if timer.when() != FOREVER]


def run(call: Call, build: Build, act: Callable[[], Awaitable[Any]] | None = None) -> Ended:
    """Run `call`, and `act` beside it, in virtual time; after it no task and no timer may be left."""

    async def main() -> Ended:
        running = asyncio.ensure_future(call.run(build))
        for _ in range(3):
            await asyncio.sleep(0)
        try:
            if act is not None:
                await act()
        finally:
            ended = await running
        await asyncio.sleep(0)
        assert not left(), "timers are left after the call"
        assert not call.is_connected
        return ended

    return virtual(asyncio.wait_for(main(), FOREVER))


def talk(*brain: Processor, voice: Voice | None = None, ears: tuple[Processor, ...] = ()) -> Build:
    """A pipeline that listens, thinks and speaks."""

    def build(call: Call) -> Processor:
        pipeline = call.source
        for processor in (*ears, *(brain or (Parrot(),)), voice or Voice()):
            pipeline = pipeline | processor
        return pipeline | call.sink

    return build


def ear_of(call: Call) -> Ear:
    assert isinstance(call.sink, Ear)
    return call.sink


def kinds(call: Call) -> list[str]:
    return [kind for _, kind, _ in ear_of(call).log]


def when(call: Call, kind: str) -> list[float]:
    return [at for at, what, _ in ear_of(call).log if what == kind]


# --- saying ---


def test_say_returns_the_seconds_once_they_were_heard():
    call, voice = make_call(LONG), Voice()

    async def act() -> None:
        assert await call.say("Hello there") == pytest.approx(1.1)
        assert now() == pytest.approx(1.1)
        await call.hangup()

    run(call, talk(voice=voice), act)
    assert voice.texts == ["Hello there"]


def test_say_returns_what_was_heard_when_it_is_cleared():
    call = make_call(LONG)

    async def act() -> None:
        saying = asyncio.ensure_future(call.say("Hello there, how are you"))
        await asyncio.sleep(0.75)
        call.clear()
        assert await saying == pytest.approx(0.75)
        assert now() == 0.75
        await call.hangup()

    run(call, talk(), act)


def test_say_returns_nothing_when_it_is_cleared_before_it_began():
    call = make_call(LONG)

    async def act() -> None:
        first = asyncio.ensure_future(call.say("Hello there, how are you"))
        second = asyncio.ensure_future(call.say("Goodbye"))
        await asyncio.sleep(0.5)
        call.clear()
        assert (await first, await second) == (pytest.approx(0.5), 0.0)
        await call.hangup()

    run(call, talk(), act)


def test_say_waits_until_everyone_is_open():
    class Slow(Voice):
        async def open(self, call: Call) -> None:
            await asyncio.sleep(3.0)

    call, voice = make_call(LONG), Slow()

    async def act() -> None:
        assert await call.say("Hello") == pytest.approx(0.5)
        await call.hangup()

    run(call, talk(voice=voice), act)
    assert voice.said == [(3.0, "Hello")]


def test_say_comes_after_the_reply_that_is_running():
    class Slow(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            await asyncio.sleep(2.0)
            yield LLMText("two")

    call, voice = make_call(Transcript("go"), LONG), Voice()

    async def act() -> None:
        await asyncio.sleep(0.5)
        assert await call.say("three") == pytest.approx(0.5)
        await call.hangup()

    run(call, talk(Slow(), voice=voice), act)
    assert voice.texts == ["one", "two", "three"]


def test_several_sayings_are_heard_in_their_order():
    call, voice = make_call(LONG), Voice()

    async def act() -> None:
        assert await asyncio.gather(*(call.say(text) for text in ("a", "bb", "ccc"))) == pytest.approx([0.1, 0.2, 0.3])
        assert now() == pytest.approx(0.6)
        await call.hangup()

    run(call, talk(voice=voice), act)
    assert voice.texts == ["a", "bb", "ccc"]


def test_a_saying_inside_a_replys_work_joins_that_reply():
    seconds = []

    class Guide(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            seconds.append(await self.call.say("two"))
            yield LLMText("three")

    call, voice, notes = make_call(Transcript("go"), 5.0), Voice(), Notes()
    run(call, lambda c: c.source | Guide() | notes | voice | c.sink)
    assert voice.texts == ["one", "two", "three"]
    assert seconds == [pytest.approx(0.3)]
    assert len(notes.of(LLMEnd)) == 1


def test_a_task_that_the_replys_work_started_joins_it_too():
    class Guide(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            await asyncio.gather(self.call.say("two"), self.call.say("three"))
            yield LLMText("four")

    call, voice, notes = make_call(Transcript("go"), 5.0), Voice(), Notes()
    run(call, lambda c: c.source | Guide() | notes | voice | c.sink)
    assert voice.texts == ["one", "two", "three", "four"]
    assert len(notes.of(LLMEnd)) == 1


def test_a_saying_from_the_listening_side_is_a_reply_of_its_own():
    class Announcer(Processor):
        async def process(self, frame: DTMF) -> DTMF:
            await self.call.say("pressed")
            return frame

    class Slow(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            await asyncio.sleep(1.0)
            yield LLMText("two")

    call, voice, notes = make_call(Transcript("go"), 0.5, DTMF("1"), 5.0), Voice(), Notes()
    run(call, lambda c: c.source | Announcer() | Slow() | notes | voice | c.sink)
    assert voice.texts == ["one", "two", "pressed"]
    assert len(notes.of(LLMEnd)) == 2


def test_say_needs_speech_synthesis_and_says_so():
    call = make_call(LONG)

    async def act() -> None:
        with pytest.raises(CallError, match=r"call\.say needs speech synthesis.*call\.play"):
            await call.say("Hello")
        await call.hangup()

    run(call, lambda c: c.source | c.sink, act)


def test_nothing_can_be_said_before_the_call_runs():
    async def main() -> None:
        with pytest.raises(CallError, match="not running yet"):
            await make_call().say("Hello")

    virtual(main())


def test_nothing_is_heard_after_the_call():
    call, voice = make_call(1.0), Voice()

    async def act() -> None:
        await asyncio.sleep(2.0)
        assert await call.say("Hello") == 0.0
        assert await call.play(PIECE) == 0.0
        call.clear()

    run(call, talk(voice=voice), act)
    assert voice.texts == []


def test_what_is_being_said_when_the_caller_leaves_is_done_at_once():
    call = make_call(1.0)

    async def act() -> None:
        first, second = (asyncio.ensure_future(call.say(text)) for text in ("Hello there, how are you", "Goodbye"))
        assert (await first, await second) == (pytest.approx(1.0), 0.0)
        assert now() == 1.0

    run(call, talk(), act)


def test_clear_without_anything_said_does_nothing():
    call, voice = make_call(LONG), Voice()

    async def act() -> None:
        call.clear()
        assert await call.say("Hello") == pytest.approx(0.5)
        call.clear()
        await call.hangup()

    run(call, talk(voice=voice), act)
    assert "clear" not in kinds(call)
    assert not [frame for frame in voice.heard if isinstance(frame, Clear)]


# --- playing ---


def test_a_piece_of_audio_is_played_in_the_callers_format():
    mulaw = AudioFormat("mulaw", 8000)
    call = Call(Script(LONG), Ear(mulaw), transport="test")

    async def act() -> None:
        assert await call.play(audio(1.0)) == pytest.approx(1.0, abs=0.01)
        await call.hangup()

    run(call, talk(), act)
    assert len(ear_of(call).audio) == pytest.approx(8000, abs=80)


def test_a_wav_file_is_played(tmp_path):
    path = tmp_path / "beep.wav"
    write_wav(path, AudioRaw(np.arange(12_000, dtype="<i2").tobytes(), AudioFormat("pcm16", 24_000)))
    call = make_call(LONG)

    async def act() -> None:
        assert await call.play(path) == pytest.approx(0.5, abs=0.01)
        await call.hangup()

    run(call, talk(), act)
    assert len(ear_of(call).audio) == pytest.approx(16_000, abs=200)


def test_audio_in_the_right_format_is_played_byte_by_byte():
    call = make_call(LONG)
    tune = AudioRaw(np.arange(8_000, dtype="<i2").tobytes())

    async def act() -> None:
        await call.play(tune)
        await call.hangup()

    run(call, lambda c: c.source | c.sink, act)
    assert ear_of(call).audio == tune.data


def test_a_missing_wav_file_is_an_error_of_who_plays_it():
    call = make_call(LONG)

    async def act() -> None:
        with pytest.raises(AudioCodecError, match="does not exist"):
            await call.play("nowhere.wav")
        await call.hangup()

    assert run(call, talk(), act).error is None


def test_digits_are_sent_as_tones():
    call = make_call(LONG)

    async def act() -> None:
        assert await call.send_digits("1w#") == pytest.approx(0.9, abs=0.01)
        with pytest.raises(CallError, match="is no key of a telephone"):
            await call.send_digits("1x")
        await call.hangup()

    run(call, talk(), act)
    samples = np.frombuffer(ear_of(call).audio, "<i2")
    assert np.abs(samples).max() > 10_000


# --- listening ---


def test_listen_yields_utterances_and_no_interims():
    call = make_call(0.5, Transcript("he", final=False), Transcript("hello"), 1.0, DTMF("1"), Transcript("bye"), LONG)
    heard = []

    async def act() -> None:
        async for transcript in call.listen():
            heard.append(transcript.text)
            if transcript.text == "bye":
                break
        await call.hangup(force=True)

    run(call, talk(), act)
    assert heard == ["hello", "bye"]


def test_listening_ends_with_the_call():
    call = make_call(0.5, Transcript("hello"), 0.5)
    heard = []

    async def act() -> None:
        async with asyncio.timeout(60.0):
            async for transcript in call.listen():
                heard.append(transcript.text)

    run(call, talk(), act)
    assert heard == ["hello"]


def test_a_question_that_nobody_can_answer_any_more_is_answered_with_none():
    call = make_call(0.5)
    answers = []

    async def act() -> None:
        async with asyncio.timeout(60.0):
            answers.append(await call.ask("Who are you?"))

    run(call, talk(), act)
    assert answers == [None]


def test_nobody_answers_after_the_call():
    call = make_call(0.5)

    async def act() -> None:
        await asyncio.sleep(2.0)
        async with asyncio.timeout(60.0):
            assert await call.ask("Who are you?") is None
            assert await call.digits(2) == ""
            assert [transcript async for transcript in call.listen()] == []

    run(call, talk(), act)


def test_listen_hears_the_caller_in_a_pipeline_without_a_speaker():
    class STT(Processor):
        async def process(self, frame: AudioRaw) -> AsyncIterator[Transcript]:
            yield Transcript("hello")

    call = make_call(0.5, PIECE, LONG)
    heard = []

    async def act() -> None:
        async with asyncio.timeout(5.0):
            async for transcript in call.listen():
                heard.append(transcript.text)
                break

    async def listen_and_leave() -> None:
        try:
            await act()
        finally:
            await call.hangup(force=True)

    run(call, lambda c: c.source | STT() | c.sink, listen_and_leave)
    assert heard == ["hello"]


def test_several_may_listen():
    call = make_call(0.5, Transcript("hello"), LONG)

    async def first_word() -> str:
        async for transcript in call.listen():
            return transcript.text
        return ""

    async def act() -> None:
        assert await asyncio.gather(first_word(), first_word()) == ["hello", "hello"]
        await call.hangup()

    run(call, talk(), act)


class Mute(Processor):
    """A model with nothing to say: the conversation is led by `call`."""

    async def process(self, frame: Transcript | DTMF) -> AsyncIterator[LLMText]:
        for text in ():
            yield LLMText(text)


def test_ask_returns_what_the_caller_answers():
    call = make_call(2.0, Transcript("I", final=False), 0.5, Transcript("I am Ann"), LONG)

    async def act() -> None:
        answer = await call.ask("Who are you?", timeout=5.0)
        assert answer is not None
        assert (answer.text, now()) == ("I am Ann", 2.5)
        await call.hangup()

    run(call, talk(Mute()), act)


def test_an_answer_may_come_before_the_question_was_said_to_its_end():
    call = make_call(0.5, Transcript("Ann"), LONG)

    async def act() -> None:
        answer = await call.ask("Who are you?", timeout=5.0)
        assert answer == Transcript("Ann")
        assert now() == 0.5
        await call.hangup()

    run(call, talk(Mute()), act)


def test_ask_gives_up_when_nothing_is_answered_after_the_question():
    call = make_call(LONG)

    async def act() -> None:
        assert await call.ask("Who are you?", timeout=5.0) is None
        assert now() == pytest.approx(6.2)
        await call.hangup()

    run(call, talk(Mute()), act)


def test_what_was_said_before_the_question_is_no_answer():
    call = make_call(0.5, Transcript("hello"), 2.0, Transcript("Ann"), LONG)

    async def act() -> None:
        await asyncio.sleep(1.0)
        assert await call.ask("Who?", timeout=5.0) == Transcript("Ann")
        await call.hangup()

    run(call, talk(Mute()), act)


def test_digits_collects_as_many_keys_as_asked_for():
    call = make_call(1.0, DTMF("1"), 1.0, DTMF("2"), 1.0, DTMF("3"), LONG)

    async def act() -> None:
        assert await call.digits(2) == "12"
        assert now() == 2.0
        await call.hangup()

    run(call, talk(Mute()), act)


@pytest.mark.parametrize(("end", "collected"), [("#", "12"), ("*", "12#3")])
def test_digits_end_with_the_end_key(end, collected):
    call = make_call(1.0, DTMF("1"), DTMF("2"), DTMF("#"), DTMF("3"), DTMF("*"), LONG)

    async def act() -> None:
        assert await call.digits(10, end=end) == collected
        await call.hangup()

    run(call, talk(Mute()), act)


def test_digits_end_when_no_key_is_pressed_for_a_while():
    call = make_call(2.0, DTMF("1"), 2.0, DTMF("2"), LONG)

    async def act() -> None:
        assert await call.digits(4, timeout=3.0) == "12"
        assert now() == 7.0
        await call.hangup()

    run(call, talk(Mute()), act)


def test_keys_are_heard_once_where_speakers_stand_beside_each_other():
    class Menu(Processor):
        async def process(self, frame: DTMF) -> AsyncIterator[LLMText]:
            for text in ():
                yield LLMText(text)

    call = make_call(0.5, DTMF("1"), 0.5, DTMF("2"), LONG)

    async def act() -> None:
        assert await call.digits(2) == "12"
        await call.hangup()

    run(call, lambda c: c.source | Parallel(Parrot(), Menu()) | Voice() | c.sink, act)


# --- hanging up ---


def test_hanging_up_waits_until_the_goodbye_was_heard():
    call = make_call(LONG)

    async def act() -> None:
        saying = asyncio.ensure_future(call.say("Goodbye"))
        await asyncio.sleep(0)
        assert await call.hangup()
        assert await saying == pytest.approx(0.7)

    ended = run(call, talk(), act)
    assert ended == Ended("hung up")
    assert when(call, "hangup") == [pytest.approx(0.7)]
    assert kinds(call)[-1] == "hangup"


def test_a_clear_before_the_goodbyes_end_revokes_the_hang_up():
    call = make_call(3.0)

    async def act() -> None:
        saying = asyncio.ensure_future(call.say("Goodbye then"))
        await asyncio.sleep(0)
        leaving = asyncio.ensure_future(call.hangup())
        await asyncio.sleep(0.5)
        call.clear()
        assert await leaving is False
        assert await saying == pytest.approx(0.5)
        assert call.is_connected

    ended = run(call, talk(), act)
    assert ended.reason == "the caller hung up"
    assert "hangup" not in kinds(call)


def test_a_forced_hang_up_is_not_revoked():
    call = make_call(LONG)

    async def act() -> None:
        saying = asyncio.ensure_future(call.say("Goodbye then"))
        await asyncio.sleep(0)
        leaving = asyncio.ensure_future(call.hangup(force=True))
        await asyncio.sleep(0.5)
        call.clear()
        assert await leaving is True
        await saying

    assert run(call, talk(), act) == Ended("hung up")
    assert when(call, "hangup") == [pytest.approx(0.5)]


def test_hanging_up_with_nothing_to_say_is_at_once():
    call = make_call(LONG)

    async def act() -> None:
        await asyncio.sleep(1.0)
        assert await call.hangup()

    assert run(call, talk(), act) == Ended("hung up")
    assert when(call, "hangup") == [1.0]


def test_a_hang_up_inside_a_replys_work_comes_after_that_reply():
    class Polite(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("Good")
            assert await self.call.hangup()
            await asyncio.sleep(1.0)
            yield LLMText("bye")

    call, voice = make_call(Transcript("go"), LONG), Voice()
    assert run(call, talk(Polite(), voice=voice)) == Ended("hung up")
    assert voice.texts == ["Good", "bye"]
    assert when(call, "hangup") == [pytest.approx(1.3)]


def test_a_hang_up_before_the_replys_first_word_comes_after_that_reply():
    class Polite(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            await self.call.hangup()
            await asyncio.sleep(1.0)
            yield LLMText("bye")

    call, voice = make_call(Transcript("go"), LONG), Voice()
    assert run(call, talk(Polite(), voice=voice)) == Ended("hung up")
    assert voice.texts == ["bye"]
    assert when(call, "hangup") == [pytest.approx(1.3)]


def test_a_processor_that_yields_end_hangs_up_after_what_it_said():
    class Polite(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText | End]:
            yield LLMText("bye")
            yield End("it was done")

    call, voice = make_call(Transcript("go"), LONG), Voice()
    assert run(call, talk(Polite(), voice=voice)) == Ended("it was done")
    assert when(call, "hangup") == [pytest.approx(0.3)]


def test_a_stage_that_yields_end_hangs_up_after_what_was_said():
    class Operator(Processor):
        def process(self, frame: DTMF) -> Iterator[DTMF | End]:
            yield frame
            yield End("the caller pressed 0")

    call, voice = make_call(Transcript("hello"), 0.1, DTMF("0"), LONG), Voice()
    ended = run(call, lambda c: c.source | Operator() | Parrot() | voice | c.sink)
    assert ended == Ended("the caller pressed 0")
    assert when(call, "hangup") == [pytest.approx(0.5)]


def test_the_sink_may_take_its_time_to_disconnect():
    class Carrier(Ear):
        """Hangs up by a request over the network."""

        async def hangup(self) -> None:
            await asyncio.sleep(0.5)
            await super().hangup()

    call = Call(Script(LONG), Carrier(), transport="test")

    async def act() -> None:
        await call.hangup()

    assert run(call, talk(), act) == Ended("hung up")
    assert when(call, "hangup") == [0.5]


def test_the_sink_is_hung_up_once():
    call = make_call(LONG)

    async def act() -> None:
        await asyncio.gather(call.hangup(), call.hangup(), call.hangup(force=True))

    run(call, talk(), act)
    assert kinds(call).count("hangup") == 1


def test_hanging_up_while_the_caller_leaves_is_no_cancellation():
    call = make_call(0.3)

    async def act() -> None:
        saying = asyncio.ensure_future(call.say("Goodbye"))
        await asyncio.sleep(0)
        await call.hangup()
        await saying

    assert run(call, talk(), act).error is None


def test_hanging_up_while_a_processor_fails_is_no_cancellation():
    class Broken(Processor):
        async def process(self, frame: DTMF) -> None:
            raise ValueError("no")

    call = make_call(0.3, DTMF("1"), LONG)

    async def act() -> None:
        saying = asyncio.ensure_future(call.say("Goodbye"))
        await asyncio.sleep(0)
        await call.hangup()
        await saying

    assert isinstance(run(call, talk(ears=(Broken(),)), act).error, ProcessorError)


def test_hanging_up_after_the_call_does_nothing():
    class Broken(Processor):
        async def process(self, frame: DTMF) -> None:
            raise ValueError("no")

    call = make_call(DTMF("1"), LONG)

    async def act() -> None:
        await asyncio.sleep(1.0)
        written = len(ear_of(call).log)
        async with asyncio.timeout(60.0):
            await call.hangup()
        assert len(ear_of(call).log) == written
        assert not [timer for timer in left() if timer.when() > now() + 1.0]

    run(call, talk(ears=(Broken(),)), act)


def test_a_transport_that_cannot_transfer_says_so():
    call = make_call(LONG)

    async def act() -> None:
        with pytest.raises(CallError, match=r"test call cannot be transferred to \+49"):
            await call.transfer("+49")
        await call.hangup()

    run(call, talk(), act)


# --- the caller leaves ---


def test_what_the_caller_said_last_is_worked_off():
    class STT(Processor):
        async def process(self, frame: AudioRaw) -> Transcript:
            await asyncio.sleep(0.5)
            return Transcript(str(frame.data[0]))

    call, notes = make_call(*(audio(0.02, byte) for byte in (1, 2, 3))), Notes()
    ended = run(call, lambda c: c.source | STT() | notes | Parrot() | Voice() | c.sink)
    assert ended.reason == "the caller hung up"
    assert notes.of(Transcript) == [Transcript("1"), Transcript("2"), Transcript("3")]


def test_every_processor_is_finished_and_may_yield_what_is_left():
    class STT(Processor):
        def __init__(self) -> None:
            self.size = 0

        async def process(self, frame: AudioRaw) -> Transcript | None:
            self.size += len(frame.data)
            return None

        async def finish(self) -> Transcript:
            await asyncio.sleep(0.1)
            return Transcript(f"{self.size} bytes")

    call, notes, end = make_call(PIECE, PIECE), Notes(), Notes()
    run(call, lambda c: c.source | STT() | notes | Parrot() | Voice() | end | c.sink)
    assert notes.of(Transcript) == [Transcript("1280 bytes")]
    assert (notes.finished, end.finished) == ([0.1], [0.1])


@pytest.mark.parametrize("form", ["frame", "generator", "coroutine", "async generator", "list"])
def test_leftovers_may_be_given_in_every_way(form):
    class STT(Processor):
        async def process(self, frame: AudioRaw) -> AsyncIterator[Transcript]:
            for text in ():
                yield Transcript(text)

        def finish(self) -> Any:
            left = Transcript("left")

            def generator() -> Iterator[Frame]:
                yield left

            async def coroutine() -> Frame:
                return left

            async def async_generator() -> AsyncIterator[Frame]:
                yield left

            return {
                "frame": left,
                "generator": generator,
                "coroutine": coroutine,
                "async generator": async_generator,
                "list": [left],
            }[form]

    class Made(STT):
        def finish(self) -> Any:
            left = super().finish()
            return left() if callable(left) else left

    call, notes = make_call(PIECE), Notes()
    assert run(call, lambda c: c.source | Made() | notes | Parrot() | Voice() | c.sink).error is None
    assert notes.of(Transcript) == [Transcript("left")]


@pytest.mark.parametrize("form", ["frame", "generator", "list"])
def test_leftovers_of_a_stage_may_be_given_in_every_way(form):
    class Splitter(Processor):
        def process(self, frame: Transcript) -> Transcript | None:
            return None

        def finish(self) -> Any:
            left = Transcript("left")
            return {"frame": left, "generator": (frame for frame in [left]), "list": [left]}[form]

    call, notes = make_call(Transcript("a")), Notes()
    assert run(call, lambda c: c.source | Splitter() | notes | Parrot() | Voice() | c.sink).error is None
    assert notes.of(Transcript) == [Transcript("left")]


def test_codec_stages_give_their_last_samples_at_the_end():
    class Recorder(Processor):
        def __init__(self) -> None:
            self.size = 0

        async def process(self, frame: AudioRaw) -> None:
            self.size += len(frame.data)

    mulaw = AudioFormat("mulaw", 8000)
    recorder = Recorder()
    call = Call(Script(audio(1.0, form=mulaw), format=mulaw), Ear(mulaw), transport="test")
    assert run(call, lambda c: c.source | recorder | Parrot() | Voice() | c.sink).error is None
    assert recorder.size == pytest.approx(32_000, abs=100)


def test_nobody_is_left_to_hear_a_reply_when_the_caller_leaves():
    call, voice = make_call(Transcript("hello, who is there?"), 0.5), Voice()
    ended = run(call, talk(voice=voice))
    assert ended == Ended("the caller hung up")
    assert now_of(call) == pytest.approx(0.5, abs=0.1)
    assert max(when(call, "audio")) <= 0.5


def now_of(call: Call) -> float:
    """When the last thing was written to the caller."""
    return ear_of(call).log[-1][0]


def test_no_reply_is_begun_for_who_has_left():
    class Slow(Parrot):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            await asyncio.sleep(1.0)
            yield LLMText(frame.text)

    call, voice = make_call(Transcript("hello"), 0.5, Transcript("still there?")), Voice()
    assert run(call, talk(Slow(), voice=voice)) == Ended("the caller hung up")
    assert voice.texts == []
    assert "audio" not in kinds(call)


def test_a_caller_who_leaves_while_speaking_does_not_hold_the_call():
    times = []

    async def main() -> None:
        call = make_call(SpeechStarted(), 0.5, Transcript("I just wanted to"), 0.5)
        ended = await call.run(talk())
        times.append(now())
        assert ended == Ended("the caller hung up")

    virtual(main())
    assert times[0] == pytest.approx(1.0, abs=0.1)


def test_a_source_may_say_itself_that_the_stream_is_over():
    call = make_call(1.0, End(), LONG)
    assert run(call, talk()) == Ended("the caller hung up")


def test_the_peer_is_not_hung_up_when_it_has_left():
    call = make_call(0.5)
    run(call, talk())
    assert "hangup" not in kinds(call)


# --- deadlines ---


def timed(call: Call, build: Build) -> tuple[Ended | BaseException, float]:
    """How the call ended, and when; and that it left nothing."""

    async def main() -> tuple[Ended | BaseException, float]:
        result: Ended | BaseException
        try:
            result = await call.run(build)
        except CallError as error:
            result = error
        at = now()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not left()
        return result, at

    return virtual(asyncio.wait_for(main(), FOREVER))


def test_a_processor_that_does_not_open_in_ten_seconds_is_named():
    class Stuck(Parrot):
        async def open(self, call: Call) -> None:
            await asyncio.sleep(LONG)

    error, at = timed(make_call(LONG), talk(Stuck()))
    assert isinstance(error, CallError)
    assert "Stuck did not open within 10 s" in str(error)
    assert at == pytest.approx(10.0)


def test_a_processor_whose_open_swallows_cancellation_does_not_hold_the_call():
    class Stubborn(Parrot):
        async def open(self, call: Call) -> None:
            for _ in range(1000):
                try:
                    await asyncio.sleep(LONG)
                except asyncio.CancelledError:
                    continue

    error, at = timed(make_call(LONG), talk(Stubborn()))
    assert isinstance(error, CallError)
    assert at <= 13.0


def test_every_processor_is_closed_though_one_did_not_open():
    closed = []

    class Stuck(Parrot):
        async def open(self, call: Call) -> None:
            await asyncio.sleep(LONG)

    class Tidy(Voice):
        async def close(self) -> None:
            closed.append(self)

    voice = Tidy()
    timed(make_call(LONG), talk(Stuck(), voice=voice))
    assert closed == [voice]


def test_a_peer_is_disconnected_though_a_processor_did_not_open():
    class Stuck(Parrot):
        async def open(self, call: Call) -> None:
            await asyncio.sleep(LONG)

    call = make_call(LONG)
    timed(call, talk(Stuck()))
    assert kinds(call) == ["hangup"]


def test_what_is_under_way_at_the_end_has_five_seconds():
    class Slow(Processor):
        async def process(self, frame: AudioRaw) -> Transcript:
            await asyncio.sleep(LONG)
            return Transcript("")

    ended, at = timed(make_call(1.0, PIECE), talk(ears=(Slow(),)))
    assert isinstance(ended, Ended)
    assert "did not finish within 5 s" in ended.reason
    assert at == pytest.approx(6.0)


def test_work_that_swallows_cancellation_cannot_hold_the_call():
    class Stubborn(Processor):
        async def process(self, frame: AudioRaw) -> Transcript:
            for _ in range(1000):
                try:
                    await asyncio.sleep(LONG)
                except asyncio.CancelledError:
                    continue
            return Transcript("")

    ended, at = timed(make_call(1.0, PIECE), talk(ears=(Stubborn(),)))
    assert isinstance(ended, Ended)
    assert at <= 8.0


@pytest.mark.parametrize("where", ["close", "finish"])
def test_a_last_step_that_never_returns_cannot_hold_the_call(where):
    async def hang(self: Processor) -> None:
        while True:
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                if now() > 100.0:
                    raise

    stuck = type("Stuck", (Parrot,), {where: hang})()
    ended, at = timed(make_call(1.0), talk(stuck))
    assert isinstance(ended, Ended)
    assert at <= 8.0


def test_a_sink_that_never_disconnects_cannot_hold_the_call():
    class Stuck(Ear):
        async def hangup(self) -> None:
            await asyncio.sleep(LONG)

    call = Call(Script(LONG), Stuck(), transport="test", limits=Limits(call=3.0))
    ended, at = timed(call, talk())
    assert isinstance(ended, Ended)
    assert at <= 3.0 + 5.0 + 1.0


def test_a_call_has_a_longest_duration():
    ended, at = timed(make_call(LONG, limits=Limits(call=60.0)), talk())
    assert ended == Ended("maximum duration reached")
    assert at == pytest.approx(60.0)


def test_the_longest_duration_disconnects_the_peer():
    call = make_call(LONG, limits=Limits(call=60.0))
    timed(call, talk())
    assert when(call, "hangup") == [60.0]


def test_what_was_queued_when_the_call_reached_its_limit_is_heard_before_the_peer_is_disconnected():
    class Greeter(Parrot):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("a" * 20)  # 2 s

    call = make_call(Transcript("x"), LONG, limits=Limits(call=1.0))
    timed(call, talk(Greeter()))
    assert when(call, "hangup")[0] >= max(when(call, "audio"))


def test_a_silent_call_ends():
    ended, at = timed(make_call(LONG, limits=Limits(idle=30.0)), talk())
    assert ended == Ended("nothing was said for too long")
    assert at == pytest.approx(30.0)


def test_what_the_caller_does_postpones_the_idle_limit():
    call = make_call(20.0, DTMF("1"), 20.0, SpeechStarted(), SpeechStopped(), LONG, limits=Limits(idle=30.0))
    ended, at = timed(call, talk())
    assert ended == Ended("nothing was said for too long")
    assert at == pytest.approx(70.0)


def test_a_call_is_not_idle_while_the_agent_speaks():
    class Lecturer(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("a" * 1000)  # 100 s

    call = make_call(Transcript("go"), LONG, limits=Limits(idle=30.0))
    ended, at = timed(call, talk(Lecturer()))
    assert ended == Ended("nothing was said for too long")
    assert at == pytest.approx(130.0)


def test_a_call_is_not_idle_while_the_caller_goes_on_speaking():
    call = make_call(
        20.0, SpeechStarted(), 40.0, SpeechStopped(), Transcript("a long story"), 5.0, limits=Limits(idle=30.0)
    )
    ended, at = timed(call, talk())
    assert ended == Ended("the caller hung up")
    assert at == pytest.approx(65.0)


# --- opening ---


class SlowToOpen(Processor):
    """Takes `seconds` to open; remembers the audio it got."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.got: list[Frame] = []

    async def open(self, call: Call) -> None:
        await asyncio.sleep(self.seconds)

    async def process(self, frame: AudioRaw | DTMF) -> None:
        self.got.append(frame)

    @property
    def bytes(self) -> list[int]:
        return [frame.data[0] for frame in self.got if isinstance(frame, AudioRaw)]


def test_what_the_caller_says_while_processors_open_is_kept():
    ears = SlowToOpen(2.0)
    script = [item for byte in range(1, 30) for item in (audio(0.1, byte), 0.1)]
    run(make_call(*script, live=True), talk(ears=(ears,)))
    assert ears.bytes == list(range(1, 30))


def test_of_what_the_caller_says_while_processors_open_the_last_five_seconds_are_kept():
    ears = SlowToOpen(8.05)
    script: list[Frame | float] = [DTMF("1")]
    for byte in range(1, 100):
        script += [audio(0.1, byte), 0.1]
    run(make_call(*script, live=True), talk(ears=(ears,)))
    assert ears.got[0] == DTMF("1")
    assert ears.bytes == list(range(32, 100))  # 81 pieces came before, the last 50 of them were kept


def test_a_caller_who_leaves_while_processors_open_ends_the_call():
    ears = SlowToOpen(2.0)
    assert run(make_call(audio(0.1), live=True), talk(ears=(ears,))) == Ended("the caller hung up")
    assert ears.bytes == [1]


def test_processors_open_at_the_same_time():
    async def main() -> None:
        call, first, second = make_call(PIECE), SlowToOpen(3.0), SlowToOpen(3.0)
        await call.run(lambda c: c.source | Parallel(first, second) | Parrot() | Voice() | c.sink)
        assert now() == pytest.approx(3.0)
        assert first.got == second.got == [PIECE]

    virtual(main())


def test_a_file_is_not_read_before_everyone_is_open():
    ears = SlowToOpen(8.0)
    script = [audio(0.1, byte) for byte in range(1, 100)]
    run(make_call(*script), talk(ears=(ears,)))
    assert ears.bytes == list(range(1, 100))


# --- failures ---


class BrokenStage(Processor):
    def process(self, frame: DTMF) -> DTMF:
        raise ValueError("broken")


class BrokenGenerator(Processor):
    def process(self, frame: DTMF) -> Iterator[DTMF]:
        yield frame
        raise ValueError("broken")


class BrokenCoroutine(Processor):
    async def process(self, frame: DTMF) -> DTMF:
        raise ValueError("broken")


class BrokenAsyncGenerator(Processor):
    async def process(self, frame: DTMF) -> AsyncIterator[DTMF]:
        yield frame
        raise ValueError("broken")


class BrokenReset(Voice):
    def reset(self) -> None:
        raise ValueError("broken")


class BrokenUpstream(Voice):
    def upstream(self, frame: Frame) -> Frame | None:
        raise ValueError("broken")


BROKEN = [BrokenStage, BrokenGenerator, BrokenCoroutine, BrokenAsyncGenerator]


@pytest.mark.parametrize("broken", BROKEN)
def test_an_exception_names_its_processor_and_ends_the_call(broken, caplog):
    call = make_call(1.0, DTMF("1"), LONG)
    ended = run(call, talk(ears=(broken(),)))
    assert ended.reason == f"{broken.__name__} raised ValueError: broken"
    assert isinstance(ended.error, ProcessorError)
    assert isinstance(ended.error.__cause__, ValueError)
    assert broken.__name__ in caplog.text


@pytest.mark.parametrize("broken", BROKEN)
def test_an_exception_is_not_thrown_into_the_host_of_a_stage(broken):
    """Two processors beside each other in one task: the one that raised is blamed, the other goes on."""
    thrown = []

    class Host(Processor):
        async def process(self, frame: DTMF) -> AsyncIterator[DTMF]:
            try:
                yield frame
            except BaseException as error:
                thrown.append(error)
                raise

    call = make_call(DTMF("1"), LONG)
    ended = run(call, talk(ears=(Host(), broken())))
    assert ended.reason.startswith(broken.__name__)
    assert not [error for error in thrown if isinstance(error, ValueError)]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_failure_ends_no_other_call(broken):
    failing, other = make_call(1.0, DTMF("1"), LONG), make_call(5.0, Transcript("hi"), 5.0)
    voice = Voice()

    async def main() -> None:
        first = asyncio.ensure_future(failing.run(talk(ears=(broken(),))))
        second = await other.run(talk(voice=voice))
        assert (await first).error is not None
        assert second == Ended("the caller hung up")
        assert now() == 10.0

    virtual(main())
    assert voice.texts == ["hi"]


@pytest.mark.parametrize("broken", BROKEN)
def test_the_caller_hears_the_apology(broken):
    call = make_call(1.0, DTMF("1"), LONG)
    call.apology = audio(2.0, 9)
    ended = run(call, talk(ears=(broken(),)))
    assert ended.error is not None
    assert ear_of(call).audio == audio(2.0, 9).data


def test_the_apology_interrupts_what_is_being_said_and_nothing_is_said_after_it():
    call = make_call(Transcript("a" * 50), 1.0, DTMF("1"), LONG)
    call.apology = AudioRaw(b"\t" * 8000, AudioFormat("pcm16", 8000))
    run(call, talk(ears=(BrokenStage(),)))
    log = ear_of(call).log
    cleared = kinds(call).index("clear")
    after = b"".join(data for _, kind, data in log[cleared:] if kind == "audio")
    assert log[cleared][0] == 1.0
    assert len(after) == pytest.approx(16_000, abs=200)
    assert b"\1\1\1\1" not in after


@pytest.mark.parametrize("broken", BROKEN)
def test_a_peer_is_disconnected_when_a_processor_fails(broken):
    call = make_call(1.0, DTMF("1"), LONG)
    run(call, talk(ears=(broken(),)))
    assert kinds(call).count("hangup") == 1


@pytest.mark.parametrize("broken", [BrokenReset, BrokenUpstream])
def test_an_exception_in_an_interruption_fails_the_call_and_the_others_are_still_told(broken):
    told = []

    class Model(Parrot):
        def reset(self) -> None:
            told.append("reset")

        def upstream(self, frame: Frame) -> Frame | None:
            if isinstance(frame, Clear):
                told.append("upstream")
            return frame

    call = make_call(Transcript("hello there"), LONG)

    async def act() -> None:
        await asyncio.sleep(0.5)
        call.clear()

    ended = run(call, talk(Model(), voice=broken()), act)
    assert ended.reason == f"{broken.__name__} raised ValueError: broken"
    assert told == ["reset", "upstream"]
    assert "clear" in kinds(call)


def test_an_exception_in_open_names_the_processor():
    class Broken(Parrot):
        async def open(self, call: Call) -> None:
            raise ValueError("no such model")

    closed = []

    class Tidy(Voice):
        async def close(self) -> None:
            closed.append(True)

    error, _ = timed(make_call(LONG), talk(Broken(), voice=Tidy()))
    assert isinstance(error, ProcessorError)
    assert "Broken.open raised ValueError: no such model" in str(error)
    assert closed == [True]


def test_an_exception_in_close_is_logged_and_the_others_are_closed(caplog):
    closed = []

    class Broken(Parrot):
        async def close(self) -> None:
            raise ValueError("no")

    class Tidy(Voice):
        async def close(self) -> None:
            closed.append(True)

    run(make_call(0.5), talk(Broken(), voice=Tidy()))
    assert closed == [True]
    assert "Broken.close" in caplog.text


@pytest.mark.parametrize("is_async", [False, True])
def test_an_exception_in_finish_names_the_processor_and_the_stream_still_ends(is_async):
    class BrokenEnd(Parrot):
        def finish(self) -> None:
            raise ValueError("broken")

    class BrokenStageEnd(Notes):
        def finish(self) -> None:
            raise ValueError("broken")

    broken = BrokenEnd() if is_async else BrokenStageEnd()
    brain = (broken,) if is_async else (broken, Parrot())
    ended = run(make_call(0.5), talk(*brain))
    assert ended.reason == f"{broken.name} raised ValueError: broken"


@pytest.mark.parametrize("method", ["write_audio", "write_clear", "notify", "write_mark"])
def test_an_exception_in_the_sink_ends_the_call_and_names_it(method):
    def broken(self: Ear, *args: object) -> None:
        raise ValueError("broken")

    line = type("BrokenLine", (Ear,), {method: broken})(echoes=True)
    call = Call(Script(Transcript("hi"), 1.0, Transcript("hello"), 0.1, DTMF("1"), LONG), line, transport="test")
    ended = run(call, talk(ears=(Interrupter(),)))
    assert ended.reason == "BrokenLine raised ValueError: broken"


def test_an_exception_while_disconnecting_does_not_change_how_the_call_ended(caplog):
    class BrokenLine(Ear):
        async def hangup(self) -> None:
            raise ConnectionError("refused")

    call = Call(Script(LONG), BrokenLine(), transport="test")

    async def act() -> None:
        await call.hangup()

    assert run(call, talk(), act) == Ended("hung up")
    assert "refused" in caplog.text


def test_an_exception_in_the_source_ends_the_call():
    class Broken(Script):
        async def frames(self) -> AsyncIterator[Frame]:
            yield PIECE
            raise ConnectionError("gone")

    call = Call(Broken(), Ear(), transport="test")
    ended = run(call, talk())
    assert ended.reason == "Broken raised ConnectionError: gone"


def test_a_frame_that_was_not_declared_is_an_error_that_says_what_to_add():
    class Odd(Processor):
        def process(self, frame: DTMF) -> DTMF:
            return Transcript("x")  # type: ignore[return-value]

    ended = run(make_call(DTMF("1"), LONG), talk(ears=(Odd(),)))
    assert "Odd raised TypeError: it yielded Transcript but is annotated to yield DTMF: add it there" in ended.reason


def test_what_is_no_frame_is_an_error_that_says_what_to_do():
    class Odd(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield "hello"  # type: ignore[misc]

    ended = run(make_call(Transcript("x"), LONG), talk(Odd()))
    assert "Odd raised TypeError: it yielded a str where a frame is expected: wrap it" in ended.reason


def test_work_whose_own_task_was_cancelled_fails_the_call():
    class Odd(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            inner = asyncio.ensure_future(asyncio.sleep(LONG))
            inner.cancel()
            await inner
            yield LLMText("x")

    ended = run(make_call(Transcript("x"), LONG), talk(Odd()))
    assert ended.reason.startswith("Odd raised CancelledError")


def test_a_call_runs_once():
    call = make_call()

    async def main() -> None:
        await call.run(talk())
        with pytest.raises(CallError, match="has already run: make a new Call"):
            await call.run(talk())

    virtual(main())


def test_a_pipeline_that_does_not_fit_is_not_run():
    async def main() -> None:
        call = make_call(LONG)
        with pytest.raises(LinkError):
            await call.run(lambda c: c.source | Voice() | c.sink)
        assert not timers()

    virtual(main())


def test_a_call_that_is_cancelled_from_outside_leaves_nothing():
    closed = []

    class Tidy(Voice):
        async def close(self) -> None:
            closed.append(True)

    async def main() -> None:
        call = make_call(Transcript("hello there"), LONG)
        running = asyncio.ensure_future(call.run(talk(voice=Tidy())))
        await asyncio.sleep(0.5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.sleep(0)
        assert not timers()

    virtual(main())
    assert closed == [True]


# --- interruption of work ---


class Interrupter(Processor):
    """A key interrupts."""

    def process(self, frame: DTMF) -> Iterator[DTMF | Clear]:
        yield frame
        yield Clear()


def test_work_that_swallows_its_cancellation_says_nothing_more():
    class Stubborn(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                await asyncio.sleep(0.3)
            yield LLMText("stale")
            yield LLMText("stale")

    call, voice = make_call(Transcript("go"), 0.1, DTMF("1"), 5.0), Voice()
    run(call, talk(Stubborn(), voice=voice, ears=(Interrupter(),)))
    assert voice.texts == ["one"]


def test_work_that_was_interrupted_cannot_say_anything_by_the_call_either():
    class Stubborn(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                await self.call.say("stale")

    call, voice = make_call(Transcript("go"), 0.1, DTMF("1"), 5.0), Voice()
    run(call, talk(Stubborn(), voice=voice, ears=(Interrupter(),)))
    assert voice.texts == ["one"]


def test_work_that_was_interrupted_cannot_hang_up():
    """A cancelled turn's tool call must not act after the caller has interrupted it."""

    class Stubborn(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText | End]:
            yield LLMText("one")
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                yield End("stale")

    call = make_call(Transcript("go"), 0.1, DTMF("1"), 5.0)
    assert run(call, talk(Stubborn(), ears=(Interrupter(),))) == Ended("the caller hung up")
    assert "hangup" not in kinds(call)


def test_work_that_does_not_heed_its_cancellation_is_abandoned_and_replaced():
    class Stubborn(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText(frame.text)
            if frame.text == "first":
                for _ in range(1000):
                    try:
                        await asyncio.sleep(LONG)
                    except asyncio.CancelledError:
                        continue

    call, voice = make_call(Transcript("first"), 0.1, DTMF("1"), 0.1, Transcript("second"), 5.0), Voice()
    run(call, talk(Stubborn(), voice=voice, ears=(Interrupter(),)))
    assert voice.said == [(0.0, "first"), (pytest.approx(1.1), "second")]


def test_an_abandoned_works_frames_are_answered_in_order_by_its_successor():
    class Stubborn(Processor):
        async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
            yield Mark(frame.text)
            yield PIECE
            if frame.text == "first":
                for _ in range(1000):
                    try:
                        await asyncio.sleep(LONG)
                    except asyncio.CancelledError:
                        continue

    class Model(Parrot):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText(frame.text)

    notes = Notes()
    call = make_call(Transcript("first"), 0.1, DTMF("1"), 0.1, Transcript("a"), 0.1, Transcript("b"), 5.0)
    run(call, lambda c: c.source | Interrupter() | Model() | Stubborn() | notes | c.sink)
    assert [mark.text for mark in notes.of(Mark)] == ["first", "a", "b"]


def test_a_thread_that_finishes_late_says_nothing():
    released, finished = threading.Event(), threading.Event()
    pool = InferencePool(1)

    def think() -> str:
        released.wait(10.0)
        finished.set()
        return "stale"

    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            if frame.text == "first":
                yield LLMText("thinking")
                yield LLMText(await pool.run(think))
            else:
                released.set()
                yield LLMText(await pool.run(lambda: "second"))

    class Impatient(Processor):
        """Interrupts as soon as the model has begun to think: time stands still while it does."""

        def process(self, frame: Transcript) -> Transcript:
            if frame.text == "second":
                self.call.clear()
            return frame

    class Feed(Script):
        async def frames(self) -> AsyncIterator[Frame]:
            yield Transcript("first")
            for _ in range(20):
                await asyncio.sleep(0)
            yield Transcript("second")
            await asyncio.sleep(5.0)

    call, voice = Call(Feed(), Ear(), transport="test"), Voice()
    run(call, talk(Model(), voice=voice, ears=(Impatient(),)))
    assert finished.wait(10.0)
    assert "stale" not in voice.texts
    assert voice.texts[-1] == "second"


def test_work_is_cleaned_up_when_it_is_interrupted():
    cleaned = []

    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            try:
                yield LLMText("one")
                await asyncio.sleep(LONG)
            finally:
                cleaned.append(now())

    run(make_call(Transcript("go"), 0.5, DTMF("1"), 5.0), talk(Model(), ears=(Interrupter(),)))
    assert cleaned == [0.5]


def test_a_stage_that_is_interrupted_by_what_it_yielded_goes_no_further():
    steps: list[str] = []

    class Splitter(Processor):
        def process(self, frame: LLMText) -> Iterator[LLMText]:
            try:
                for word in frame.text.split():
                    steps.append(word)
                    yield LLMText(word)
            finally:
                steps.append("closed")

    class Censor(Processor):
        def process(self, frame: LLMText) -> LLMText | None:
            if frame.text == "bad":
                self.call.clear()
                return None
            return frame

    voice = Voice()
    run(make_call(Transcript("a bad word"), 5.0), talk(Parrot(), Splitter(), Censor(), voice=voice))
    assert steps == ["a", "bad", "closed"]
    assert "word" not in voice.texts


def test_who_interrupts_goes_on_in_the_new_turn():
    class Model(Processor):
        async def process(self, frame: Transcript | DTMF) -> AsyncIterator[LLMText | Clear]:
            if isinstance(frame, DTMF):
                yield Clear()
            yield LLMText("key" if isinstance(frame, DTMF) else "a long story")

    call, voice = make_call(Transcript("go"), 0.5, DTMF("1"), 5.0), Voice()
    run(call, talk(Model(), voice=voice))
    assert voice.said == [(0.0, "a long story"), (0.5, "key")]
    assert when(call, "clear") == [0.5]


def test_a_clear_tells_the_model_what_was_heard():
    told = []

    class Model(Parrot):
        def upstream(self, frame: Frame) -> Frame | None:
            told.append(frame)
            return frame

    call = make_call(Transcript("one two three four"), 0.8, DTMF("1"), 5.0)
    run(call, talk(Model(), ears=(Interrupter(),)))
    assert told == [Clear("one two", pytest.approx(0.8))]


def test_a_played_sentence_is_told_from_the_sink_up_to_the_speaker():
    told = []

    class Model(Parrot):
        def upstream(self, frame: Frame) -> Frame | None:
            told.append("model")
            return frame

    class Filter(Processor):
        def process(self, frame: LLMText) -> LLMText:
            return frame

        def upstream(self, frame: Frame) -> Frame | None:
            told.append("filter")
            return frame

    class Listener(Processor):
        def process(self, frame: DTMF) -> DTMF:
            return frame

        def upstream(self, frame: Frame) -> Frame | None:
            told.append("listener")
            return frame

    run(make_call(Transcript("hello"), 5.0), talk(Model(), Filter(), ears=(Listener(),)))
    assert told == ["filter", "model"]


def test_a_processor_may_absorb_what_travels_upstream():
    told = []

    class Model(Parrot):
        def upstream(self, frame: Frame) -> Frame | None:
            told.append(frame)
            return frame

    class Secretive(Voice):
        def upstream(self, frame: Frame) -> Frame | None:
            return None

    call = make_call(Transcript("hello there"), 0.5, DTMF("1"), 5.0)
    run(call, talk(Model(), voice=Secretive(), ears=(Interrupter(),)))
    assert told == []
    assert when(call, "clear") == [0.5]


# --- turns ---


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


# --- overlap ---


class STT(Processor):
    """Takes a second for each piece."""

    async def process(self, frame: AudioRaw) -> Transcript:
        await asyncio.sleep(1.0)
        return Transcript("heard")


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


# --- a source that is faster than the pipeline ---


class Blocked(Processor):
    """Takes nothing for ten seconds, then everything."""

    def __init__(self) -> None:
        self.got: list[Frame] = []

    async def process(self, frame: AudioRaw | DTMF) -> None:
        if not self.got:
            await asyncio.sleep(4.0)
        self.got.append(frame)


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


# --- audio in another format than was linked ---


class Liar(Processor):
    """Says that it produces canonical audio, and yields 8 kHz mu-law."""

    async def process(self, frame: LLMText) -> AsyncIterator[AudioRaw]:
        for _ in range(10):
            yield audio(0.1, 255, AudioFormat("mulaw", 8000))


def test_audio_in_a_format_that_was_not_linked_is_converted_on_the_spot_and_logged_once(caplog):
    class Meter(Processor):
        def __init__(self) -> None:
            self.got: list[AudioRaw] = []

        def process(self, frame: AudioRaw) -> AudioRaw:
            self.got.append(frame)
            return frame

    caplog.set_level(logging.WARNING)
    meter = Meter()
    run(make_call(Transcript("a"), 5.0), lambda c: c.source | Parrot() | Liar() | meter | c.sink)
    assert {frame.format for frame in meter.got} == {CANONICAL}
    assert sum(frame.duration for frame in meter.got) == pytest.approx(1.0, abs=0.01)
    assert caplog.text.count("got mulaw 8000 Hz") == 1


def test_audio_in_a_format_that_was_not_linked_is_converted_at_the_sink_too():
    call = make_call(Transcript("a"), 5.0)
    run(call, lambda c: c.source | Parrot() | Liar() | c.sink)
    assert len(ear_of(call).audio) == pytest.approx(32_000, abs=320)


# --- observers ---


def test_observers_see_every_boundary_fused_or_not():
    seen: list[tuple[str, str, str]] = []
    call, voice = make_call(0.5, Transcript("hi"), LONG), Voice()

    async def act() -> None:
        call.observe(lambda up, down, frame: seen.append((up.name, down.name, type(frame).__name__)))
        await asyncio.sleep(2.0)
        await call.hangup()

    run(call, lambda c: c.source | Notes() | Parrot() | Notes() | voice | c.sink, act)
    boundaries = [(up, down) for up, down, kind in seen if kind == "Transcript"]
    assert boundaries == [("Script", "Notes"), ("Notes", "Parrot")]
    assert [(up, down) for up, down, kind in seen if kind == "LLMText"] == [("Parrot", "Notes"), ("Notes", "Voice")]
    assert [(up, down) for up, down, kind in seen if kind == "AudioRaw"] == [("Voice", "Ear")]


def test_several_observers_are_called_in_turn():
    first: list[Frame] = []
    second: list[Frame] = []
    call = make_call(0.5, DTMF("1"), LONG)

    async def act() -> None:
        call.observe(lambda up, down, frame: first.append(frame))
        call.observe(lambda up, down, frame: second.append(frame))
        await asyncio.sleep(1.0)
        await call.hangup()

    run(call, talk(), act)
    assert first
    assert first == second


def test_observers_see_codec_stages_too():
    mulaw = AudioFormat("mulaw", 8000)
    seen = set()
    call = Call(Script(0.5, audio(0.1, form=mulaw), 1.0, format=mulaw), Ear(mulaw), transport="test")

    async def act() -> None:
        call.observe(lambda up, down, frame: seen.add((up.name, down.name)))

    run(call, talk(ears=(STT(),)), act)
    assert {("Script", "Convert"), ("Convert", "STT")} <= seen


def test_observers_see_every_branch_of_a_fork():
    class Left(Notes):
        pass

    class Right(Notes):
        pass

    seen = []
    call = make_call(0.5, DTMF("1"), LONG)

    async def act() -> None:
        call.observe(lambda up, down, frame: seen.append((up.name, down.name)) if frame == DTMF("1") else None)
        await asyncio.sleep(1.0)
        await call.hangup()

    run(call, lambda c: c.source | Parallel(Left(), Right()) | c.sink, act)
    assert ("Script", "Left") in seen
    assert ("Script", "Right") in seen
    assert ("Left", "Ear") in seen
    assert ("Right", "Ear") in seen


def test_observing_changes_nothing_of_what_is_heard():
    def heard(observed: bool) -> bytes:
        call = make_call(0.5, Transcript("hello"), 0.3, DTMF("1"), 0.3, Transcript("you"), 5.0)

        async def act() -> None:
            await asyncio.sleep(0.6)
            if observed:
                call.observe(lambda up, down, frame: None)

        run(call, talk(ears=(Interrupter(),)), act)
        return ear_of(call).audio

    assert heard(True) == heard(False)


# --- what a call knows of itself ---


def test_speaking_and_busy_follow_what_is_being_said():
    call = make_call(LONG)

    async def act() -> None:
        assert (call.speaking, call.busy) == (False, False)
        saying = asyncio.ensure_future(call.say("Hello"))
        await asyncio.sleep(0.1)
        assert (call.speaking, call.busy) == (True, True)
        await saying
        await asyncio.sleep(0.01)
        assert (call.speaking, call.busy) == (False, False)
        await call.hangup()

    run(call, talk(), act)


def test_a_call_is_busy_while_its_model_thinks():
    class Slow(Parrot):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            await asyncio.sleep(1.0)
            yield LLMText("x")

    call = make_call(Transcript("go"), LONG)

    async def act() -> None:
        await asyncio.sleep(0.5)
        assert (call.speaking, call.busy) == (False, True)
        await call.hangup(force=True)

    run(call, talk(Slow()), act)


def test_calls_have_names_of_their_own_and_what_the_transport_knows():
    call = Call(
        Script(), Ear(), transport="twilio", provider="twilio", caller_id="+1", did="+2", metadata={"sid": "CA"}
    )
    assert call.metadata == {"transport": "twilio", "sid": "CA"}
    assert (call.caller_id, call.did, call.is_connected) == ("+1", "+2", True)
    assert call.id != make_call().id
