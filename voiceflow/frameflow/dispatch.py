"""What each type of frame is to a processor that gets or yields it: one dictionary access for each frame."""

from __future__ import annotations

import functools
from typing import Final

from voiceflow.annotations import Signature
from voiceflow.audio import ANY, AudioFormat
from voiceflow.frames import AudioRaw, Clear, Control, End, Error, Frame

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


@functools.lru_cache(maxsize=1024)
def incoming(signature: Signature, accepts: AudioFormat, *, silent: bool = False) -> Incoming:
    """The table for a processor. Calls share it: a type of frame is looked at once in a process."""
    return Incoming(signature, accepts, silent=silent)


@functools.lru_cache(maxsize=1024)
def outgoing(signature: Signature, *, speech_side: bool) -> Outgoing:
    """The same for what a processor yields."""
    return Outgoing(signature, speech_side=speech_side)


class Incoming(dict[type[Frame], int]):
    """The way of each type of frame that comes to a processor. A `silent` one consumes without working."""

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
    """What each type of frame that a processor yields is. Above the speaker nothing is speech: audio there is the
    caller's. Raises `TypeError` for what the processor did not declare."""

    def __init__(self, signature: Signature, *, speech_side: bool) -> None:
        self._yields = signature.yields
        self._speech_side = speech_side
        self.may_be_cut = speech_side and all(
            frame.speech or issubclass(frame, (Control, Error)) for frame in signature.yields
        )
        """Whether an interruption may cut the work short: it is the agent's, and nothing it yields would be kept."""
        self.speak = speech_side and any(frame.speech for frame in signature.yields)
        """Whether any of it is speech."""

    def __missing__(self, frame: type[Frame]) -> int:
        if not issubclass(frame, Frame):
            raise TypeError(f"it yielded a {frame.__name__} where a frame is expected: wrap it, as in LLMText(text)")
        if not issubclass(frame, self._yields):
            declared = " | ".join(t.__name__ for t in self._yields) or "None"
            raise TypeError(f"it yielded {frame.__name__} but is annotated to yield {declared}: add it there")
        out = CONTROL if issubclass(frame, (Clear, End)) else SPEECH if frame.speech and self._speech_side else KEPT
        self[frame] = out
        return out
