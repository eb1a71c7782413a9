"""The beginning of a call: models are loaded and processors open within limits; a caller may leave meanwhile."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator

import pytest
from doubles import Ear, Script, make_call, now, virtual
from talking import LONG, ear_of, run, talk, timed

from voiceflow import (
    DTMF,
    AudioRaw,
    Call,
    CallError,
    Frame,
    Limits,
    Pipeline,
    Processor,
    Transcript,
    preload,
)


class Slow(Processor):
    """Takes long to load its model, in a thread. Virtual time waits for threads, so the seconds here are real."""

    release: threading.Event

    def load(self) -> str:
        self.release.wait(10.0)
        return "model"

    def process(self, frame: Transcript) -> Transcript:
        return frame


def slow(**attributes: object) -> type[Slow]:
    """A new subclass, so that no other test shares its model."""
    return type("Slow", (Slow,), {"release": threading.Event(), **attributes})


def in_real_time(call: Call, kind: type[Slow]) -> tuple[object, float]:
    async def main() -> tuple[object, float]:
        started = time.monotonic()
        try:
            return await call.run(talk(ears=(kind(),))), time.monotonic() - started
        except CallError as error:
            return error, time.monotonic() - started

    try:
        return asyncio.run(main())
    finally:
        kind.release.set()


def test_a_model_that_hangs_ends_the_call_and_is_named():
    kind = slow()
    result, _ = in_real_time(make_call(60.0, live=True, limits=Limits(open=0.1)), kind)
    assert isinstance(result, CallError)
    assert "the model of Slow was not loaded within 0.1 s" in str(result)
    assert "voiceflow.preload" in str(result)


def test_the_longest_duration_counts_from_the_beginning():
    kind = slow()
    ended, _ = in_real_time(make_call(60.0, live=True, limits=Limits(call=0.1)), kind)
    assert ended.reason == "maximum duration reached, before the call had opened"


def test_a_caller_who_leaves_while_a_model_loads_is_gone_at_once():
    kind = slow()
    call = make_call(0.05, live=True)
    ended, _ = in_real_time(call, kind)
    assert ended.reason == "the caller hung up, before the call had opened"
    assert [entry[1] for entry in ear_of(call).log] == []  # nobody is hung up on


def test_a_caller_who_leaves_while_a_processor_opens_is_gone_at_once():
    class Opens(Processor):
        cancelled = False

        async def open(self, call: Call) -> None:
            try:
                await asyncio.sleep(8.0)
            except asyncio.CancelledError:
                Opens.cancelled = True
                raise

        def process(self, frame: Transcript) -> Transcript:
            return frame

    ended, at = timed(make_call(2.0, live=True), talk(ears=(Opens(),)))
    assert (at, ended.reason) == (2.0, "the caller hung up, before the call had opened")
    assert Opens.cancelled


def test_preload_loads_what_a_call_would_wait_for():
    kind = slow()
    kind.release.set()

    async def main() -> None:
        await preload(Pipeline(make_call().source, kind(), make_call().sink))
        kind.release.clear()
        call = make_call(0.1, live=True)
        assert (await call.run(lambda c: c.source | kind() | c.sink)).error is None

    asyncio.run(main())


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(2)])
def test_a_model_that_cannot_be_loaded_ends_its_call_only(error):
    class Broken(Processor):
        def load(self) -> None:
            raise error

        def process(self, frame: Transcript) -> Transcript:
            return frame

    call = make_call(1.0)

    async def main() -> None:
        with pytest.raises(BaseException, match=r"broken|2"):
            await call.run(talk(ears=(Broken(),)))
        assert not call.is_connected
        assert call.error is not None

    virtual(main())


def test_tear_down_runs_to_its_end_however_often_it_is_cancelled():
    closed = []

    class Closes(Processor):
        def process(self, frame: Transcript) -> Transcript:
            return frame

        async def close(self) -> None:
            await asyncio.sleep(0.5)
            closed.append(now())

    async def main() -> None:
        call = make_call(LONG)
        running = asyncio.ensure_future(call.run(talk(ears=(Closes(),))))
        await asyncio.sleep(1.0)
        running.cancel()
        for _ in range(3):
            await asyncio.sleep(0.1)
            running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not call.is_connected

    virtual(main())  # which finds tasks that are left
    assert closed == [1.5]


class Opens(Processor):
    """Takes some seconds to open, and then half as long for each piece of audio as that lasts."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.got: list[Frame] = []

    async def open(self, call: Call) -> None:
        await asyncio.sleep(self.seconds)

    async def process(self, frame: AudioRaw | DTMF) -> None:
        await asyncio.sleep(0.05 if isinstance(frame, AudioRaw) else 0.0)
        self.got.append(frame)


PIECES = [AudioRaw(bytes([number]) * 3200) for number in range(1, 61)]
"""Pieces of 100 ms."""


@pytest.mark.parametrize("pieces", [PIECES[:41], PIECES], ids=["then leaves", "goes on"])
def test_what_comes_before_the_opening_is_kept_and_nothing_overtakes_it(pieces):
    ears = Opens(4.0)
    run(make_call(*(item for piece in pieces for item in (piece, 0.1)), live=True), talk(ears=(ears,)))
    assert ears.got == pieces


def test_of_the_audio_from_before_the_opening_the_last_five_seconds_are_kept():
    ears = Opens(1.0)
    early = [AudioRaw(bytes([number]) * 32_000) for number in range(1, 11)]
    run(make_call(DTMF("1"), *early, 1.0, DTMF("2"), 5.0, live=True), talk(ears=(ears,)))
    assert ears.got == [DTMF("1"), *early[-5:], DTMF("2")]


def test_what_a_source_emits_before_the_opening_is_kept():
    class Keypad(Script):
        async def frames(self) -> AsyncIterator[Frame]:
            asyncio.get_running_loop().call_later(0.5, self.emit, DTMF("1"))
            asyncio.get_running_loop().call_later(1.5, self.emit, DTMF("2"))
            await asyncio.sleep(3.0)
            return
            yield

    ears = Opens(1.0)
    run(Call(Keypad(live=True), Ear(), transport="test"), talk(ears=(ears,)))
    assert ears.got == [DTMF("1"), DTMF("2")]


def test_a_load_that_gives_up_by_itself_is_not_said_to_have_reached_our_limit():
    class GivesUp(Processor):
        def load(self) -> None:
            raise TimeoutError("the hub did not answer")

        def process(self, frame: Transcript) -> Transcript:
            return frame

    async def main() -> None:
        with pytest.raises(Exception, match="the hub did not answer") as raised:
            await make_call(1.0).run(talk(ears=(GivesUp(),)))
        assert "was not loaded within" not in str(raised.value)

    virtual(main())
