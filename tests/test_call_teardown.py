"""The end of a call: what it still does, and what reaches nobody any more."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from doubles import PIECE, make_call, now, virtual
from talking import LONG, STT, Interrupter, Notes, Parrot, Voice, kinds, run, talk, when

from voiceflow import DTMF, Call, CallError, Frame, LLMText, Processor, Transcript


# what has no listener any more
def test_a_stage_that_fails_at_the_end_does_not_keep_it_from_the_others():
    class Broken(Processor):
        def process(self, frame: DTMF) -> DTMF:
            return frame

        def finish(self) -> None:
            raise ValueError("broken")

    notes = Notes()
    ended = run(make_call(0.1), talk(ears=(Broken(), notes)))
    assert "broken" in str(ended.error)
    assert notes.finished == [0.1]


def test_a_model_is_not_asked_once_the_caller_has_left():
    asked = []

    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            asked.append(frame)
            yield LLMText("stale")

    run(make_call(PIECE), talk(Model(), ears=(STT(),)))
    assert asked == []


def test_what_a_caller_ordered_last_is_still_delivered():
    class Order(Frame):
        dish: str

    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText | Order]:
            yield LLMText("stale")
            yield Order("pizza")

    notes, voice = Notes(), Voice()
    run(make_call(PIECE), lambda c: c.source | STT() | Model() | notes | voice | c.sink)
    assert (notes.of(Order), voice.texts) == ([Order("pizza")], [])


def test_a_forced_hang_up_ends_with_what_was_begun_and_lets_nothing_wait():
    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("a story")
            await asyncio.sleep(LONG)

    call, voice = make_call(Transcript("go"), LONG), Voice()

    async def act() -> None:
        saying = asyncio.ensure_future(call.say("later"))
        await asyncio.sleep(0.2)
        assert await call.hangup(force=True)
        assert await saying == 0.0
        assert now() == pytest.approx(0.7)

    run(call, talk(Model(), voice=voice), act)
    assert voice.texts == ["a story"]
    assert when(call, "hangup") == [pytest.approx(0.7)]


def test_what_the_caller_says_after_the_hang_up_is_not_listened_to():
    class Slow(Processor):
        async def process(self, frame: DTMF) -> DTMF:
            return frame

        async def finish(self) -> None:
            await asyncio.sleep(2.0)

    notes, call = Notes(), make_call(1.0, DTMF("1"), LONG)
    run(call, talk(ears=(notes, Slow())), call.hangup)
    assert notes.seen == []


def test_a_call_that_is_cancelled_while_it_is_torn_down_is_cancelled():
    class Slow(Processor):
        def process(self, frame: DTMF) -> DTMF:
            return frame

        async def close(self) -> None:
            await asyncio.sleep(0.5)

    async def main() -> None:
        call = make_call()
        running = asyncio.ensure_future(call.run(talk(ears=(Slow(),))))
        await asyncio.sleep(0.2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert now() == 0.5

    virtual(main())


def test_what_waits_for_a_call_that_does_not_open_is_not_said():
    class Broken(Processor):
        async def open(self, call: Call) -> None:
            await asyncio.sleep(1.0)
            raise ValueError("no model")

        def process(self, frame: DTMF) -> DTMF:
            return frame

    async def main() -> None:
        call = make_call(LONG)
        running = asyncio.ensure_future(call.run(talk(ears=(Broken(),))))
        await asyncio.sleep(0.1)
        saying = asyncio.ensure_future(call.say("hello"))
        with pytest.raises(CallError, match="no model"):
            await running
        async with asyncio.timeout(1.0):
            assert await saying == 0.0

    virtual(main())


def test_work_that_fails_while_the_call_is_torn_down_is_no_failure_of_the_call():
    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText | Transcript]:
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                raise ValueError("too late") from None
            yield LLMText("never")

    call = make_call(Transcript("go"))
    ended = run(call, talk(Model()))
    assert (ended.error, call.error) == (None, None)


def test_a_task_that_led_the_conversation_and_is_done_keeps_no_call_busy():
    call = make_call(LONG)

    async def act() -> None:
        call.start(nothing, "greeting", leads=True)
        await asyncio.sleep(1.0)
        assert not call.busy
        await call.hangup()

    async def nothing() -> None:
        await asyncio.sleep(0.5)
        assert call.busy

    assert run(call, talk(), act).error is None


# after the call
def test_a_processor_that_is_closed_reaches_nobody_any_more():
    ran = []

    class Last(Processor):
        def process(self, frame: DTMF) -> DTMF:
            raise ValueError("broken")

        async def close(self) -> None:
            self.emit(DTMF("9"))
            self.call.clear()
            self.call.start(self.work, "work")

        async def work(self) -> None:
            ran.append(now())

    call = make_call(Transcript("a long story"), 0.5, DTMF("1"), LONG)
    ended = run(call, lambda c: c.source | Parrot() | Voice() | Last() | c.sink)
    assert "broken" in str(ended.error)
    assert kinds(call)[-1] == "hangup"
    assert ran == []


def test_work_that_was_interrupted_is_not_abandoned_by_a_call_that_ends_meanwhile():
    class Model(Processor):
        async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
            yield LLMText("one")
            try:
                await asyncio.sleep(LONG)
            finally:
                await asyncio.sleep(0.5)

    class Fragile(Processor):
        def process(self, frame: DTMF) -> DTMF:
            if frame.digit == "2":
                raise ValueError("broken")
            return frame

    call = make_call(Transcript("go"), 0.1, DTMF("1"), 0.2, DTMF("2"), LONG)
    ended = run(call, talk(Model(), ears=(Fragile(), Interrupter())))
    assert "broken" in str(ended.error)
    assert ended.abandoned == 0
