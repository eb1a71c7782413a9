"""Who hangs in a call: who was given something, and neither made anything of it nor finished."""

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
"""Seconds at one place and without a result, from which on who was at work when the caller left is taken to hang. A
caller from a recording leaves a busy agent after a minute only."""
SLOW: Final = 2.0
"""Seconds after the call's end from which on it is looked what those wait for that have not finished. The call waits
for them a while longer."""


class Hanging:
    """Watches the frames of a running call."""

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        self._call = call
        self._loop = loop
        self._given: dict[Processor, Frame] = {}
        """What each processor was given last of what it takes."""
        self._seen: tuple[Places, Places] = ({}, {})
        """Where each was at work when it was looked for the last time but one, and for the last time."""
        self._yielded: dict[Processor, float] = {}
        """When something came of it for the last time."""
        self._finished: dict[Processor, bool] = {}
        """Those that were given the stream's end, and whether they have passed it on."""
        self._hang: Places = {}
        """Where those wait that hang."""
        self._processors = [element for element in call.elements if isinstance(element, Processor)]
        self._workers = [p for p in self._processors if isinstance(p, Source) or p.signature.kind.is_async]
        call.observe(self._observe)
        self._look()

    @property
    def found(self) -> str | None:
        """Who, and at what. Who stands behind somebody that hangs waits, too, and is not meant."""
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
        """The call ends. If the caller left, work on what nobody hears any more is about to be cancelled."""
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
