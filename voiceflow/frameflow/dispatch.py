"""How frames are treated that a processor gets or yields, by their type: one dictionary access for each frame."""

from __future__ import annotations

import functools
from typing import Final

from voiceflow.annotations import Kind, Signature
from voiceflow.audio import ANY, AudioFormat
from voiceflow.frames import AudioRaw, Clear, Control, End, Error, Frame

# What is done with a frame that comes to a processor. Plain integers: an enum's members cost more to compare than
# the whole lookup.
PASS: Final = 0
PROCESS: Final = 1
PROCESS_AUDIO: Final = 2
"""Convert it to the format that the processor accepts, if need be, and process it."""
FINISH: Final = 3
SWALLOW: Final = 4
"""Consume it and do nothing."""

# How a frame is treated that a processor yields.
KEPT: Final = 0
"""It is delivered, even after an interruption."""
SPEECH: Final = 1
"""It is delivered only if no `Clear` has come since the work that yields it began."""
CONTROL: Final = 2
"""It is a `Clear` or an `End`, which is carried out at once and not passed on."""

ANYTHING: Final = Signature(Kind.FUNCTION, (), (Frame,))
"""The signature of what hands on frames of every type, and is no processor: a fork, the replies of a speaker."""


@functools.lru_cache(maxsize=1024)
def incoming(signature: Signature, accepts: AudioFormat, *, silent: bool = False) -> Incoming:
    """The table for what a processor gets. Calls share it: each frame type is examined once in an OS process."""
    return Incoming(signature, accepts, silent=silent)


@functools.lru_cache(maxsize=1024)
def outgoing(signature: Signature, *, speech_side: bool) -> Outgoing:
    """The table for what a processor yields, shared by calls like the one for what it gets."""
    return Outgoing(signature, speech_side=speech_side)


class Incoming(dict[type[Frame], int]):
    """Maps each frame type to what is done with it (`PASS` to `SWALLOW`). A `silent` processor only swallows."""

    def __init__(self, signature: Signature, accepts: AudioFormat, *, silent: bool = False) -> None:
        self._signature = signature
        self._other = SWALLOW if silent else PROCESS
        self._audio = PROCESS_AUDIO if not silent and accepts is not ANY else self._other

    def __missing__(self, frame: type[Frame]) -> int:
        if frame is End:
            way = FINISH
        elif not self._signature.takes(frame):
            way = PASS
        else:
            way = self._audio if issubclass(frame, AudioRaw) else self._other
        self[frame] = way
        return way


class Outgoing(dict[type[Frame], int]):
    """Maps each frame type that a processor yields to `KEPT`, `SPEECH` or `CONTROL`. Above the speaker nothing is
    speech: audio there is the caller's. Raises `TypeError` for a type that the processor did not declare."""

    def __init__(self, signature: Signature, *, speech_side: bool) -> None:
        self._yields = signature.yields
        self._speech_side = speech_side
        self.may_be_cut = speech_side and all(
            frame.speech or issubclass(frame, (Control, Error)) for frame in signature.yields
        )
        """Whether an interruption may cut the work short: it is on the speech side, and yields nothing to be kept."""
        self.speak = speech_side and any(frame.speech for frame in signature.yields)
        """Whether the processor may yield speech."""

    def __missing__(self, frame: type[Frame]) -> int:
        if not issubclass(frame, Frame):
            raise TypeError(f"it yielded a {frame.__name__} where a frame is expected: wrap it, as in LLMText(text)")
        if not issubclass(frame, self._yields):
            declared = " | ".join(t.__name__ for t in self._yields) or "None"
            raise TypeError(f"it yielded {frame.__name__} but is annotated to yield {declared}: add it there")
        out = CONTROL if issubclass(frame, (Clear, End)) else SPEECH if frame.speech and self._speech_side else KEPT
        self[frame] = out
        return out
