"""Transports and processors that the engine's tests are built from: the engine is real, its two ends are scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any, TypeVar

from voiceflow import (
    CANONICAL,
    DTMF,
    AudioFormat,
    AudioRaw,
    Call,
    Frame,
    Limits,
    Sink,
    Source,
    SpeechStarted,
    SpeechStopped,
    Transcript,
)
from voiceflow.testing.virtualloop import VirtualLoop

T = TypeVar("T")

PIECE = AudioRaw(b"\1\0" * 320)
"""20 ms of canonical audio."""


def virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` in virtual time and check that it leaves no task behind."""

    async def checked() -> T:
        result = await main
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left: {left}"
        return result

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(checked())


def timers() -> list[asyncio.TimerHandle]:
    """The timers that are set on the running loop."""
    return [timer for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]


def now() -> float:
    return round(asyncio.get_running_loop().time(), 6)


class Script(Source):
    """A caller that follows a script: numbers are seconds to wait, everything else is a frame."""

    yields = (AudioRaw, DTMF, Transcript, SpeechStarted, SpeechStopped)

    def __init__(self, *script: Frame | float, live: bool = False, format: AudioFormat = CANONICAL) -> None:
        self.script: Iterable[Frame | float] = script
        self.live = live
        self.produces = format

    async def frames(self) -> AsyncIterator[Frame]:
        for item in self.script:
            if isinstance(item, Frame):
                yield item
            else:
                await asyncio.sleep(item)


class Ear(Sink):
    """A caller's ear: remembers what was written to it and when."""

    def __init__(self, format: AudioFormat = CANONICAL, *, echoes: bool = False) -> None:
        self.accepts = format
        self.echoes = echoes
        self.log: list[tuple[float, str, Any]] = []

    def write_audio(self, data: bytes) -> None:
        self.log.append((now(), "audio", data))

    def write_mark(self, name: str) -> None:
        self.log.append((now(), "mark", name))

    def write_clear(self) -> None:
        self.log.append((now(), "clear", None))

    def notify(self, frame: Frame) -> None:
        self.log.append((now(), "frame", frame))

    async def hangup(self) -> None:
        self.log.append((now(), "hangup", None))

    @property
    def audio(self) -> bytes:
        return b"".join(data for _, kind, data in self.log if kind == "audio")

    @property
    def frames(self) -> list[Frame]:
        return [data for _, kind, data in self.log if kind == "frame"]


def make_call(*script: Frame | float, limits: Limits | None = None, live: bool = False, **ear: Any) -> Call:
    return Call(Script(*script, live=live), Ear(**ear), transport="test", limits=limits)
