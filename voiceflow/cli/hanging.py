"""Finds the processors of a call that hang: those that were given a frame and neither yielded anything nor finished."""

from __future__ import annotations

from types import FrameType
from typing import TYPE_CHECKING, Final, TypeAlias

from voiceflow.frames import End, Frame
from voiceflow.processor import Processor
from voiceflow.transport import Sink, Source

from .waiting import waiting

if TYPE_CHECKING:
    import asyncio

    from voiceflow.call import Call
    from voiceflow.pipeline import Element

Places: TypeAlias = "dict[Processor, FrameType]"

LONG: Final = 5.0
"""Seconds after which a processor that was at work when the caller left, at one place in its code and without a result,
is taken to hang. A caller from a recording leaves a busy agent only after a minute."""
SLOW: Final = 2.0
"""Seconds after the call's end until the processors that have not finished are looked up, with the place at which each
waits. The call itself waits for them somewhat longer."""


class Hanging:
    """Watches the frames of a running call, to tell after its end which processor hung."""

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        self._call = call
        self._loop = loop
        self._given: dict[Processor, Frame] = {}
        """The last frame that each processor was given, of the types that it takes."""
        self._seen: tuple[Places, Places] = ({}, {})
        """Where each processor was at work at the last look but one, and at the last one."""
        self._yielded: dict[Processor, float] = {}
        """When each processor last yielded something."""
        self._finished: dict[Processor, bool] = {}
        """The processors that were given `End`, and whether they have passed it on."""
        self._hang: Places = {}
        """Where the processors that hang wait."""
        self._processors = [element for element in call.elements if isinstance(element, Processor)]
        self._workers = [p for p in self._processors if isinstance(p, Source) or p.signature.kind.is_async]
        call.observe(self._observe)
        self._look()

    @property
    def found(self) -> str | None:
        """A message that names the first processor that hangs, and at what; None if none does. Those downstream of it
        only wait for it."""
        for processor in self._processors:
            if processor in self._hang or not self._finished.get(processor, True):
                return self._told(processor)
        return None

    def _observe(self, upstream: Element, downstream: Element, frame: Frame) -> None:
        assert isinstance(upstream, Processor)
        assert isinstance(downstream, Processor)
        if isinstance(frame, End):
            if not self._finished:
                self._end()
            self._finished[upstream] = True
            self._finished.setdefault(downstream, isinstance(downstream, Sink))
            return
        if issubclass(type(frame), upstream.signature.yields):
            self._yielded[upstream] = self._loop.time()
        if downstream.signature.takes(type(frame)):
            self._given[downstream] = frame

    def _look(self) -> None:
        if not self._finished:
            self._seen = self._seen[1], self._at_work()
            self._loop.call_later(LONG / 2, self._look)

    def _at_work(self) -> Places:
        return {worker: frame for worker in self._workers if worker in self._given and (frame := waiting(worker.name))}

    def _end(self) -> None:
        """Note what is at work as the call ends: if the caller left, work on unheard speech is cancelled next."""
        self._loop.call_later(SLOW, self._look_at_late)
        if not self._call.is_connected:
            for worker, frame in self._at_work().items():
                silent = self._loop.time() - self._yielded.get(worker, float("-inf"))
                if silent >= LONG and self._seen[0].get(worker) is frame:
                    self._hang[worker] = frame

    def _look_at_late(self) -> None:
        for processor, finished in self._finished.items():
            if not finished and (frame := waiting(processor.name)):
                self._hang[processor] = frame

    def _told(self, processor: Processor) -> str:
        frame, place = self._given.get(processor), self._hang.get(processor)
        given = "the end of the call" if frame is None else _described(frame)
        waits = f"; it waits at {place.f_code.co_filename}, line {place.f_lineno}" if place else ""
        return f"{processor.name} hangs: it was given {given}, and did not finish{waits}"


def _described(frame: Frame) -> str:
    text = getattr(frame, "text", None)
    return f"{type(frame).__name__}({text!r})" if isinstance(text, str) else type(frame).__name__
