"""Whatever the code of users raises, wherever the engine calls it, ends at most its own call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from doubles import PIECE, Ear, Script, make_call
from talking import Interrupter, Parrot, Voice, run, talk, timed

from voiceflow import (
    DTMF,
    Call,
    Ended,
    Frame,
    LLMText,
    Mark,
    Parallel,
    Processor,
    ProcessorError,
    Transcript,
)
from voiceflow.processors import Dialog


class OddError(BaseException):
    """What no `except Exception` catches."""


ERRORS = [SystemExit(3), KeyboardInterrupt(), OddError("odd"), asyncio.CancelledError(), StopIteration()]
each_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)


class Raises(Processor):
    """Raises `error` in the method that a subclass overrides."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Function(Raises):
    def process(self, frame: DTMF) -> DTMF:
        raise self.error


class Generator(Raises):
    def process(self, frame: DTMF) -> Iterator[DTMF]:
        yield frame
        raise self.error


class Coroutine(Raises):
    async def process(self, frame: DTMF) -> DTMF:
        raise self.error


class AsyncGenerator(Raises):
    async def process(self, frame: DTMF) -> AsyncIterator[DTMF]:
        yield frame
        raise self.error


class Finish(Raises):
    def process(self, frame: DTMF) -> DTMF:
        return frame

    def finish(self) -> None:
        raise self.error


class AsyncFinish(Raises):
    async def process(self, frame: DTMF) -> DTMF:
        return frame

    async def finish(self) -> None:
        raise self.error


class Open(Function):
    def process(self, frame: DTMF) -> DTMF:
        return frame

    async def open(self, call: Call) -> None:
        raise self.error


class Load(Function):
    def process(self, frame: DTMF) -> DTMF:
        return frame

    def load(self) -> None:
        raise self.error


class Talks(Dialog):
    def __init__(self, error: BaseException) -> None:
        async def talk(call: Call) -> None:
            raise error

        super().__init__(talk)


class Speaks(Raises):
    def process(self, frame: LLMText) -> LLMText:
        return frame


class Reset(Speaks):
    def reset(self) -> None:
        raise self.error


class Upstream(Speaks):
    def upstream(self, frame: Frame) -> Frame | None:
        raise self.error


class OnClear(Speaks):
    def on_clear(self, heard: str, seconds: float) -> None:
        raise self.error


class OnPlayed(Speaks):
    def on_played(self, mark: Mark) -> None:
        raise self.error


SCRIPT = (Transcript("hello"), 3.0, Transcript("hello again"), 0.2, DTMF("1"), 5.0)


def outcome(processor: Processor, *, speech: bool) -> Ended | BaseException:
    ears = (Interrupter(),) if speech else (processor,)
    brain: tuple[Processor, ...] = (Parrot(), processor) if speech else (Parrot(),)
    result, _ = timed(make_call(*SCRIPT), talk(*brain, ears=ears))
    return result


@each_error
@pytest.mark.parametrize("kind", [Function, Generator, Coroutine, AsyncGenerator, Finish, AsyncFinish])
def test_a_processor_on_the_listening_side_ends_its_own_call(kind, error):
    ended = outcome(kind(error), speech=False)
    assert isinstance(ended, Ended)
    assert isinstance(ended.error, ProcessorError)
    assert ended.error.processor == kind.__name__


@each_error
@pytest.mark.parametrize("kind", [Reset, Upstream, OnClear, OnPlayed])
def test_a_processor_that_is_told_of_an_interruption_ends_its_own_call(kind, error):
    ended = outcome(kind(error), speech=True)
    assert isinstance(ended, Ended)
    assert isinstance(ended.error, ProcessorError)
    assert ended.error.processor == kind.__name__


@each_error
@pytest.mark.parametrize("kind", [Load, Open])
def test_a_processor_that_does_not_begin_keeps_its_own_call_from_opening(kind, error):
    with pytest.raises(Exception, match=f"{type(error).__name__}|that was cancelled"):
        run(make_call(*SCRIPT), talk(ears=(kind(error),)))


@each_error
def test_the_pipeline_itself_keeps_its_own_call_from_opening(error):
    def build(call: Call) -> Any:
        raise error

    with pytest.raises(Exception, match=f"{type(error).__name__}|that was cancelled"):
        run(make_call(*SCRIPT), build)


@each_error
def test_a_dialog_ends_its_own_call(error):
    result, _ = timed(make_call(*SCRIPT), lambda c: c.source | Talks(error) | Voice() | c.sink)
    assert isinstance(result, Ended)
    assert result.error is not None


@each_error
def test_a_processor_that_does_not_close_is_logged(error, caplog):
    class Close(Function):
        def process(self, frame: DTMF) -> DTMF:
            return frame

        async def close(self) -> None:
            raise self.error

    ended = outcome(Close(error), speech=False)
    assert ended == Ended("the caller hung up")


@each_error
def test_branches_of_a_fork_end_their_own_call(error):
    def build(call: Call) -> Any:
        return call.source | Parallel(Coroutine(error), Function(error)) | Parrot() | Voice() | call.sink

    result, _ = timed(make_call(*SCRIPT), build)
    assert isinstance(result, Ended)
    assert result.error is not None


@each_error
@pytest.mark.parametrize("event", ["observe", "on_turn", "on_reply"])
def test_a_callback_is_logged_and_the_call_goes_on(event, error, caplog):
    def callback(*args: object) -> None:
        raise error

    call = make_call(*SCRIPT)
    getattr(call, event)(callback)
    result, _ = timed(call, talk())
    assert result == Ended("the caller hung up")


@each_error
@pytest.mark.parametrize("method", ["write_audio", "write_mark", "write_clear", "notify", "hangup"])
def test_a_sink_ends_its_own_call(method, error):
    class Broken(Ear):
        pass

    if method == "hangup":

        async def hangup(self: Ear) -> None:
            raise error

        Broken.hangup = hangup  # type: ignore[method-assign]
    else:

        def write(self: Ear, *args: object) -> None:
            raise error

        setattr(Broken, method, write)
    call = Call(Script(*SCRIPT), Broken(echoes=True), transport="test")
    result, _ = timed(call, talk(ears=(Interrupter(),)))
    assert isinstance(result, Ended)


@each_error
def test_a_source_ends_its_own_call(error):
    class Broken(Script):
        async def frames(self) -> AsyncIterator[Frame]:
            yield PIECE
            raise error

    call = Call(Broken(), Ear(), transport="test")
    result, _ = timed(call, talk())
    assert isinstance(result, Ended)
    assert result.error is not None


@each_error
def test_work_that_is_started_beside_the_call_ends_its_own_call(error):
    call = make_call(*SCRIPT)

    async def act() -> None:
        async def work() -> None:
            raise error

        call.start(work, "work")

    assert run(call, talk(), act=act).error is not None
