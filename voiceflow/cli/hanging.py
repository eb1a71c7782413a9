"""Who hangs in a call: who was given something, and neither made anything of it nor finished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from voiceflow.frames import End, Frame
from voiceflow.transport import Sink

from .waiting import waits_at

if TYPE_CHECKING:
    import asyncio

    from voiceflow.call import Call
    from voiceflow.processor import Processor

LONG: Final = 30.0
"""Seconds without a result, after which who was at work on speech when the call ended is taken to hang. A caller from a
recording waits longer than that."""
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
        self._since: dict[Processor, float] = {}
        """Since when it has had something to do and has not yielded anything."""
        self._finished: dict[Processor, bool] = {}
        """Those that were given the stream's end, and whether they have passed it on."""
        self._places: dict[Processor, str | None] = {}
        """What those waited for that hang."""
        call.observe(self._observe)

    @property
    def found(self) -> str | None:
        """Who, and at what. Who stands behind somebody that hangs waits, too, and is not meant."""
        for processor in [step.processor for step in self._call.plan.walk()]:
            if processor in self._places or not self._finished.get(processor, True):
                return self._told(processor)
        return None

    def _observe(self, upstream: Processor, downstream: Processor, frame: Frame) -> None:
        kind = type(frame)
        if isinstance(frame, End):
            if not self._finished:
                self._end()
            self._finished[upstream] = True
            self._finished.setdefault(downstream, isinstance(downstream, Sink))
            return
        if issubclass(kind, tuple(upstream.signature.yields)):
            self._since.pop(upstream, None)
        if downstream.signature.takes(kind):
            self._given[downstream] = frame
            self._since.setdefault(downstream, self._loop.time())

    def _end(self) -> None:
        """The call ends: work on what nobody hears any more is about to be cancelled."""
        self._loop.call_later(SLOW, self._look_at_late)
        for processor, since in self._since.items():
            speaks = any(kind.speech for kind in processor.signature.yields)
            if speaks and self._loop.time() - since >= LONG and (place := waits_at(processor.name)):
                self._places[processor] = place

    def _look_at_late(self) -> None:
        for processor, finished in self._finished.items():
            if not finished and (place := waits_at(processor.name)):
                self._places[processor] = place

    def _told(self, processor: Processor) -> str:
        frame, place = self._given.get(processor), self._places.get(processor)
        given = "the end of the call" if frame is None else _described(frame)
        waits = f"; it waits at {place}" if place else ""
        return f"{processor.name} hangs: it was given {given}, and did not finish{waits}"


def _described(frame: Frame) -> str:
    text = getattr(frame, "text", None)
    return f"{type(frame).__name__}({text!r})" if isinstance(text, str) else type(frame).__name__
