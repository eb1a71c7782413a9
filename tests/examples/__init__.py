"""How to make and feed every shipped processor, for the conformance tests. One module for each room of processors."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import NamedTuple

from voiceflow import AudioFormat, AudioRaw, Frame, Processor


class Example(NamedTuple):
    """How to make a processor, and what to give it: more than one frame, so that it has something to forget."""

    make: Callable[[], Processor]
    feed: tuple[Frame, ...]


def speech_like(format: AudioFormat, pieces: int = 5) -> tuple[AudioRaw, ...]:
    """20 ms pieces that differ from each other."""
    size = format.bytes_for(0.02)
    return tuple(AudioRaw(bytes((7 * n + 3 * place) % 251 for n in range(size)), format) for place in range(pieces))


def every_example() -> dict[type[Processor], list[Example]]:
    """What each module here has in its `EXAMPLES`."""
    found: dict[type[Processor], list[Example]] = {}
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        found |= importlib.import_module(module.name).EXAMPLES
    return found
