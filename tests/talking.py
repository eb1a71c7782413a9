"""Shared by tests of whole calls: a caller, a model, a voice, and a run in virtual time that leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from doubles import Ear, now, timers, virtual

from voiceflow import (
    CANONICAL,
    DTMF,
    AudioFormat,
    AudioRaw,
    Call,
    CallError,
    Clear,
    Element,
    Ended,
    Frame,
    LLMText,
    Mark,
    Processor,
    Transcript,
)

LONG = 10_000.0
FOREVER = 50 * LONG
"""Virtual seconds after which a test that hangs is given up."""
Build = Callable[[Call], Element]


def audio(seconds: float, byte: int = 1, form: AudioFormat = CANONICAL) -> AudioRaw:
    return AudioRaw(bytes([byte]) * form.bytes_for(seconds), form)


class Parrot(Processor):
    """A model that answers with what it was told."""

    async def process(self, frame: Transcript) -> AsyncIterator[LLMText]:
        yield LLMText(frame.text)


class Voice(Processor):
    """A TTS that speaks a tenth of a second for each character, and remembers what it was given."""

    def __init__(self) -> None:
        self.said: list[tuple[float, str]] = []
        self.heard: list[Frame] = []

    async def process(self, frame: LLMText) -> AsyncIterator[Mark | AudioRaw]:
        text = frame.text.strip()
        if not text:
            return
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

    def build(call: Call) -> Element:
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


def timed(call: Call, build: Build) -> tuple[Ended | BaseException, float]:
    """Run the call, and check that it leaves nothing behind. Returns how it ended, and when."""

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


class Interrupter(Processor):
    """Interrupts the agent when a key is pressed."""

    def process(self, frame: DTMF) -> Iterator[DTMF | Clear]:
        yield frame
        yield Clear()


class STT(Processor):
    """A recogniser that takes a second for each piece of audio."""

    async def process(self, frame: AudioRaw) -> Transcript:
        await asyncio.sleep(1.0)
        return Transcript("heard")


class Blocked(Processor):
    """Takes nothing for ten seconds, then everything."""

    def __init__(self) -> None:
        self.got: list[Frame] = []

    async def process(self, frame: AudioRaw | DTMF) -> None:
        if not self.got:
            await asyncio.sleep(4.0)
        self.got.append(frame)
