"""Processors that open late, raise, or lie about their audio: they end their call and no other."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from doubles import PIECE, Ear, Script, make_call, now, timers, virtual
from talking import LONG, Interrupter, Notes, Parrot, Voice, audio, ear_of, kinds, run, talk, timed

from voiceflow import (
    CANONICAL,
    DTMF,
    AudioFormat,
    AudioRaw,
    Call,
    CallError,
    Clear,
    Ended,
    Frame,
    LinkError,
    LLMText,
    Parallel,
    Processor,
    ProcessorError,
    Transcript,
)


# opening
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
    ended = run(make_call(audio(0.1), live=True), talk(ears=(ears,)))
    assert ended == Ended("the caller hung up, before the call had opened")


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


# failures
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


# audio in another format than was linked
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


def test_of_several_failures_the_first_counts():
    class Fragile(Processor):
        def process(self, frame: DTMF) -> DTMF:
            raise ValueError(f"broken by {frame.digit}")

    call = make_call(DTMF("1"), DTMF("2"), LONG)
    ended = run(call, talk(ears=(Fragile(),)))
    assert "broken by 1" in str(ended.error)
    assert call.error is ended.error
