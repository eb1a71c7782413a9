"""A call always ends: hang-ups, callers who leave, deadlines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest
from doubles import PIECE, Ear, Script, make_call, now, virtual
from talking import LONG, Notes, Parrot, Voice, audio, ear_of, kinds, left, run, talk, timed, when

from voiceflow import (
    DTMF,
    AudioFormat,
    AudioRaw,
    Call,
    CallError,
    Element,
    End,
    Ended,
    Frame,
    Limits,
    LLMText,
    Processor,
    ProcessorError,
    Route,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.call import Build


# hanging up
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


class Effect(Processor):
    """Takes its time with the caller's audio."""

    async def process(self, frame: AudioRaw) -> AudioRaw:
        await asyncio.sleep(0.005)
        return frame


def echo(call: Call) -> Element:
    return call.source | call.sink


def echo_with_an_effect(call: Call) -> Element:
    return call.source | Effect() | call.sink


def talkative(**ear: Any) -> Call:
    """A call whose caller is never silent, on a line whose clock is a little fast."""
    return make_call(*(item for _ in range(6_000) for item in (PIECE, 0.0199)), live=True, **ear)


def ended_after(call: Call, build: Build, act: Callable[[], Awaitable[object]]) -> tuple[Ended, float]:
    """How the call ended, and how long after `act` was begun, at 3 s of the call."""
    begun = []

    async def later() -> None:
        await asyncio.sleep(3.0)
        begun.append(now())
        await act()

    def built(call: Call) -> Element:
        asyncio.get_running_loop().call_soon(partial(call.start, later, "act"))  # once it runs
        return build(call)

    ended, at = timed(call, built)
    assert isinstance(ended, Ended)
    return ended, at - begun[0]


@pytest.mark.parametrize("build", [echo, echo_with_an_effect])
@pytest.mark.parametrize("echoes", [False, True], ids=["", "returns marks"])
@pytest.mark.parametrize("force", [False, True], ids=["hang up", "hang up by force"])
def test_an_echo_of_a_caller_who_is_never_silent_can_be_hung_up(build, echoes, force):
    call = talkative(echoes=echoes)
    ended, took = ended_after(call, build, lambda: call.hangup(force=force))
    assert ended == Ended("hung up")
    assert took <= 1.0 + 0.5  # what was queued: the clock is fast, so it grows
    assert len(when(call, "hangup")) == 1


@pytest.mark.parametrize("force", [False, True], ids=["hang up", "hang up by force"])
def test_what_was_queued_in_an_echo_is_heard_before_it_is_hung_up(force):
    call = talkative()

    async def act() -> None:
        call.start(partial(call.play, AudioRaw(b"\2\0" * 24_000)), "announcement")
        await asyncio.sleep(0.5)
        await call.hangup(force=force)

    ended, took = ended_after(call, echo, act)
    assert ended.reason == "hung up"
    assert 1.5 <= took <= 0.5 + 1.5 + 1.0 + 0.3  # what the caller said meanwhile is queued, too
    assert ear_of(call).audio.count(b"\2\0" * 1_600) == 15


def test_an_interruption_revokes_a_hang_up_of_an_echo():
    call = talkative()

    async def act() -> None:
        leaving = asyncio.ensure_future(call.hangup())
        await asyncio.sleep(0.5)
        call.clear()
        assert await leaving is False

    ended, _ = ended_after(call, echo, act)
    assert ended == Ended("the caller hung up")


def test_an_apology_in_an_echo_ends_the_call():
    call = talkative()
    call.apology = AudioRaw(b"\3\0" * 16_000)

    async def act() -> None:
        raise ValueError

    ended, took = ended_after(call, echo, act)
    assert isinstance(ended.error, ProcessorError)
    assert took == pytest.approx(1.0, abs=0.3)
    assert ear_of(call).audio.endswith(b"\3\0" * 1_600)


def test_a_transfer_from_an_echo_does_not_wait_for_its_end():
    call = talkative()
    control = call.control = Control()
    call.route = Route(transfer_to=("+49",))
    asked = []

    async def act() -> None:
        asked.append(now())
        await call.transfer("+49")

    ended_after(call, echo, act)
    ((_, at),) = control.done
    assert at - asked[0] <= 1.5


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


# the caller leaves
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


# deadlines


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


class Control:
    """A carrier's call control that records what it is asked to do."""

    digits_end_stream = False

    def __init__(self) -> None:
        self.done: list[tuple[str, float]] = []

    async def hangup(self) -> bool:
        return True

    async def send_digits(self, digits: str) -> bool:
        return True

    async def transfer(self, to: str) -> bool:
        self.done.append((to, now()))
        return True


def test_a_transfer_waits_until_what_was_said_has_been_heard():
    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one moment")
            assert await self.call.transfer("+49")

    call = make_call(Transcript("connect me"), 10.0)
    control = call.control = Control()
    assert run(call, talk(Model())).error is None
    assert control.done == [("+49", pytest.approx(1.0, abs=0.06))]


def test_a_detector_that_is_stuck_does_not_keep_a_call_from_being_idle():
    call = make_call(SpeechStarted(), LONG)
    ended, at = timed(call, talk())
    assert isinstance(ended, Ended)
    assert ended.reason == "nothing was said for too long"
    assert at == pytest.approx(1800 + 300, abs=301)
