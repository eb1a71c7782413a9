"""Everything beside the flow of frames: emitting between them, tasks of the call, what the call tells others."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from doubles import make_call, now
from talking import LONG, Notes, Parrot, Voice, audio, ear_of, run, talk

from voiceflow import (
    DTMF,
    AudioRaw,
    Call,
    CallError,
    Clear,
    LLMText,
    Mark,
    Processor,
    ProcessorError,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)


class Alarm(Processor):
    """Emits a key after a second, whether audio comes or not."""

    async def open(self, call: Call) -> None:
        asyncio.get_running_loop().call_later(1.0, self.emit, DTMF("1"))

    def process(self, frame: AudioRaw) -> Iterator[AudioRaw | DTMF]:
        yield frame


class AsyncAlarm(Alarm):
    async def process(self, frame: AudioRaw) -> AsyncIterator[AudioRaw | DTMF]:
        yield frame


@pytest.mark.parametrize("alarm", [Alarm, AsyncAlarm])
def test_what_is_emitted_goes_downstream_at_once(alarm):
    notes = Notes()

    class Listener(Processor):
        def process(self, frame: DTMF) -> DTMF:
            notes.seen.append((now(), frame))
            return frame

    call = make_call(3.0)
    seen: list = []
    run(call, talk(ears=(Listener(), alarm(), Listener())), act=observing(call, seen))
    assert notes.seen == [(1.0, DTMF("1"))]
    up, down, _ = seen[0]
    assert (type(up), type(down)) == (alarm, Listener)


def observing(call: Call, seen: list):
    async def act() -> None:
        call.observe(lambda up, down, frame: seen.append((up, down, frame)))

    return act


def test_what_is_emitted_late_goes_nowhere():
    call, alarm = make_call(1.5), Alarm()
    run(call, talk(ears=(alarm,)))
    ear_of(call).log.clear()
    alarm.emit(DTMF("2"))
    assert ear_of(call).frames == []


def test_emitting_before_the_call_runs_says_so():
    with pytest.raises(CallError, match=r"Alarm\.emit: its call is not running"):
        Alarm().emit(DTMF("1"))


def test_an_emitted_clear_interrupts():
    class Impatient(Processor):
        async def open(self, call: Call) -> None:
            asyncio.get_running_loop().call_later(1.0, self.emit, Clear())

        def process(self, frame: DTMF) -> Iterator[DTMF | Clear]:
            yield frame

    call = make_call(Transcript("a very long answer"), 5.0)
    run(call, talk(ears=(Impatient(),)))
    assert [at for at, kind, _ in ear_of(call).log if kind == "clear"] == [1.0]


@pytest.mark.parametrize(("frame", "what"), [(LLMText("hi"), "speech is yielded"), (Mark(), "annotated to yield")])
def test_speech_and_what_was_not_declared_cannot_be_emitted(frame, what):
    class Chatty(Processor):
        def process(self, frame: Transcript) -> Iterator[LLMText]:
            yield LLMText(frame.text)

    chatty, call = Chatty(), make_call(1.0)

    async def act() -> None:
        with pytest.raises(TypeError, match=what):
            chatty.emit(frame)

    run(call, talk(chatty), act=act)


def test_a_task_of_the_call_begins_when_it_has_opened_and_ends_with_it():
    log = []

    class Beside(Processor):
        async def open(self, call: Call) -> None:
            call.start(self._work, self.name)
            await asyncio.sleep(1.0)

        async def _work(self) -> None:
            log.append(now())
            try:
                await asyncio.sleep(LONG)
            finally:
                log.append(now())

        def process(self, frame: DTMF) -> DTMF:
            return frame

    run(make_call(5.0), talk(ears=(Beside(),)))
    assert log == [1.0, 6.0]


def test_a_task_that_raises_fails_the_call_in_the_name_it_was_given():
    class Broken(Processor):
        async def open(self, call: Call) -> None:
            call.start(self._work, "Beside")

        async def _work(self) -> None:
            raise ValueError("no")

        def process(self, frame: DTMF) -> DTMF:
            return frame

    ended = run(make_call(5.0), talk(ears=(Broken(),)))
    assert isinstance(ended.error, ProcessorError)
    assert str(ended.error) == "Beside raised ValueError: no"


def test_each_reply_is_announced_in_its_place_and_filled():
    replies, told = [], []

    class Model(Processor):
        async def open(self, call: Call) -> None:
            call.on_reply(replies.append)

        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            told.append(replies[-1])
            yield LLMText(f"**{frame.text}** ")
            await self.call.say("by the way")
            yield LLMText("end\n")

    call = make_call(Transcript("one"), 0.5, Transcript("two"), 20.0)

    async def act() -> None:
        await asyncio.sleep(0.1)
        await call.say("hello there")

    run(call, talk(Model()), act=act)
    assert [reply.text for reply in replies] == [
        "**one** \nby the way\nend\n",
        "hello there\n",
        "**two** \nby the way\nend\n",
    ]
    assert told == [replies[0], replies[2]]
    assert replies[1].heard == "hello there"


def test_played_audio_is_told_with_the_time_it_is_heard():
    played = []

    class Meter(Processor):
        async def open(self, call: Call) -> None:
            call.on_played(lambda piece, at: played.append((now(), at, piece)))

        def process(self, frame: DTMF) -> DTMF:
            return frame

    call = make_call(Transcript("0123456789"), 5.0)
    run(call, talk(ears=(Meter(),)))
    starts = [at for _, at, _ in played]
    ends = [at + piece.duration for _, at, piece in played]
    assert starts == pytest.approx([0.0, *ends[:-1]])
    assert ends[-1] == pytest.approx(1.0)
    assert max(at - told for told, at, _ in played) == pytest.approx(0.2, abs=0.1)
    assert b"".join(piece.data for _, _, piece in played) == audio(1.0).data


def test_a_call_may_not_be_interrupted_until_what_must_be_heard_was_heard():
    call, states = make_call(10.0), []

    async def act() -> None:
        saying = asyncio.ensure_future(call.say("0123456789", interruptible=False))
        for _ in range(3):
            await asyncio.sleep(0.4)
            states.append(call.interruptible)
        assert await saying == pytest.approx(1.0)

    run(call, talk(Parrot()), act=act)
    assert states == [False, False, True]


def test_a_call_knows_how_long_it_has_lasted():
    call, seen = make_call(SpeechStarted(), 2.5, SpeechStopped()), []

    class Clock(Processor):
        def process(self, frame: SpeechStarted | SpeechStopped) -> SpeechStarted | SpeechStopped:
            seen.append(self.call.elapsed)
            return frame

    async def act() -> None:
        await asyncio.sleep(0)

    run(call, talk(ears=(Clock(),), voice=Voice()), act=act)
    assert seen == pytest.approx([0.0, 2.5])
