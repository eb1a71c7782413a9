"""How a call speaks: `say`, `play`, digits that are sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from doubles import PIECE, Ear, Script, make_call, now, virtual
from talking import LONG, Notes, Parrot, Voice, audio, ear_of, kinds, run, talk

from voiceflow import (
    DTMF,
    AudioCodecError,
    AudioFormat,
    AudioRaw,
    Call,
    CallError,
    Clear,
    LLMEnd,
    LLMText,
    Processor,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.sounds.wavfile import write_wav


# saying
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


# playing
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


class Tool(Processor):
    """A model whose tool goes on in a task of its own, whatever becomes of the reply."""

    def __init__(self, tool: Callable[[Call], Awaitable[Any]]) -> None:
        self.tool = tool
        self.results: list[Any] = []

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        if frame.text == "tool":
            asyncio.ensure_future(self._work())  # noqa: RUF006
        yield LLMText("a long answer")
        await asyncio.sleep(3.0)

    async def _work(self) -> None:
        await asyncio.sleep(2.0)
        self.results.append(await self.tool(self.call))


class Interrupts(Processor):
    def process(self, frame: DTMF) -> None:
        self.call.clear()


@pytest.mark.parametrize(
    ("tool", "result"), [(lambda call: call.say("done"), 0.0), (lambda call: call.hangup(), False)]
)
def test_what_an_interrupted_reply_left_running_says_nothing_and_does_not_hang_up(tool, result):
    call, voice, model = make_call(Transcript("tool"), 1.0, DTMF("1"), Transcript("next"), 9.0), Voice(), Tool(tool)
    ended = run(call, talk(model, voice=voice, ears=(Interrupts(),)))
    assert model.results == [result]
    assert voice.texts == ["a long answer", "a long answer"]
    assert ended.reason == "the caller hung up"


def test_what_a_finished_reply_left_running_may_speak_whatever_was_interrupted_since():
    script = (Transcript("tool"), 0.1, Transcript("next"), 1.0, DTMF("1"), 9.0)

    class Quick(Tool):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            if frame.text == "tool":
                asyncio.ensure_future(self._work())  # noqa: RUF006
            yield LLMText(frame.text * 3)

    call, voice, model = make_call(*script), Voice(), Quick(lambda call: call.say("reminder"))
    run(call, talk(model, voice=voice, ears=(Interrupts(),)))
    assert voice.texts == ["tooltooltool", "nextnextnext", "reminder"]
    assert model.results == [pytest.approx(0.8)]


def test_an_interim_transcript_is_no_reply():
    class Patient(Parrot):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            if frame.final:
                yield LLMText(frame.text)

    replies = []
    call = make_call(Transcript("o", final=False), Transcript("one"), 5.0)
    call.on_reply(replies.append)
    run(call, talk(Patient()))
    assert [reply.text for reply in replies] == ["one"]


def test_what_is_no_longer_wanted_before_it_has_begun_is_not_said():
    call, voice = make_call(SpeechStarted(), 1.0, SpeechStopped(), LONG), Voice()

    async def act() -> None:
        first = asyncio.ensure_future(call.say("one"))
        second = asyncio.ensure_future(call.say("two"))
        await asyncio.sleep(0.5)
        second.cancel()
        assert await first == pytest.approx(0.3)
        assert await call.say("three") == pytest.approx(0.5)
        await call.hangup()

    run(call, talk(voice=voice), act)
    assert voice.texts == ["one", "three"]


def test_who_goes_on_speaking_to_a_caller_who_is_gone_does_not_hold_up_the_rest():
    class Chatterbox(Processor):
        async def open(self, call: Call) -> None:
            async def chatter() -> None:
                while True:
                    await call.say("and another thing")

            call.start(chatter, self.name)

        def process(self, frame: DTMF) -> DTMF:
            return frame

    assert run(make_call(3.0), talk(ears=(Chatterbox(),))).error is None


def test_what_waits_behind_something_that_cannot_be_played_is_said():
    call, voice = make_call(LONG), Voice()

    async def act() -> None:
        playing = asyncio.ensure_future(call.play("no such file.wav"))
        saying = asyncio.ensure_future(call.say("instead"))
        with pytest.raises(AudioCodecError):
            await playing
        await saying
        await call.hangup()

    run(call, talk(voice=voice), act)
    assert voice.said == [(0.0, "instead")]
