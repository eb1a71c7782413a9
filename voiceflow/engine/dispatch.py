"""Which frames a processor gets and which it may yield, looked up by type: one dictionary access per frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from voiceflow.audio import ANY
from voiceflow.frames import AudioRaw, Clear, Control, End, Error, Frame

if TYPE_CHECKING:
    from voiceflow.processor import Processor

# The way of a frame that comes to a processor. Plain integers: an enum's members cost more to compare than
# the whole lookup.
PASS: Final = 0
PROCESS: Final = 1
PROCESS_AUDIO: Final = 2
"""Process it, once it is in the format that the processor accepts."""
FINISH: Final = 3
SWALLOW: Final = 4
"""Consume it and do nothing."""

# What a frame is to the processor that yields it.
KEPT: Final = 0
"""It survives an interruption."""
SPEECH: Final = 1
"""It goes on only if no `Clear` came since its work began."""
CONTROL: Final = 2
"""A `Clear` or an `End`: it acts at once and goes nowhere."""


class Inlet(dict[type[Frame], int]):
    """The way of each type of frame that comes to a processor."""

    def __init__(self, processor: Processor, *, silent: bool = False) -> None:
        self.signature = processor.signature
        self.other = SWALLOW if silent else PROCESS
        self.audio = PROCESS_AUDIO if not silent and processor.accepts is not ANY else self.other

    def __missing__(self, frame: type[Frame]) -> int:
        if frame is End:
            way = FINISH
        elif not self.signature.takes(frame):
            way = PASS
        else:
            way = self.audio if issubclass(frame, AudioRaw) else self.other
        self[frame] = way
        return way


class Outlet(dict[type[Frame], int]):
    """What each type of frame that a processor yields is. Raises `TypeError` for what it did not declare."""

    def __init__(self, processor: Processor) -> None:
        self.yields = processor.signature.yields

    def __missing__(self, frame: type[Frame]) -> int:
        if not issubclass(frame, Frame):
            raise TypeError(f"it yielded a {frame.__name__} where a frame is expected: wrap it, as in LLMText(text)")
        if not issubclass(frame, self.yields):
            declared = " | ".join(t.__name__ for t in self.yields) or "None"
            raise TypeError(f"it yielded {frame.__name__} but is annotated to yield {declared}: add it there")
        out = CONTROL if issubclass(frame, (Clear, End)) else SPEECH if frame.speech else KEPT
        self[frame] = out
        return out


def may_be_cut(processor: Processor) -> bool:
    """Whether an interruption may cut its work short: nothing it yields would have been kept."""
    return all(frame.speech or issubclass(frame, (Control, Error)) for frame in processor.signature.yields)


def yields_speech(processor: Processor) -> bool:
    return any(frame.speech for frame in processor.signature.yields)
