"""Finds the line of a processor's own code at which its task waits."""

from __future__ import annotations

import asyncio
import gc
import inspect
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import voiceflow

_OWN = str(Path(voiceflow.__file__).parent)
_PACKAGES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
"""Folders of code that waits on behalf of other code: Python's, and installed packages."""
_PARTS = tuple(f"{_OWN}/{name}" for name in ("engine", "frameflow", "inference", "turns"))
"""The parts of voiceflow that do, too."""


def waiting(name: str) -> FrameType | None:
    """The frame in which a task called `name` waits: the innermost one that does not wait on behalf of other code.
    None if there is no such task or frame."""
    own = [
        frame
        for task in asyncio.all_tasks()
        if task.get_name() == name
        for frame in _frames(task.get_coro())
        if not _is_of_others(frame.f_code.co_filename)
    ]
    return own[-1] if own else None


def _is_of_others(file: str) -> bool:
    """Whether code of `file` waits on behalf of other code. voiceflow's own processors do not, packages though they
    are when it is installed."""
    return file.startswith(_PARTS) or (file.startswith(_PACKAGES) and not file.startswith(_OWN))


def _frames(awaited: Any) -> Iterator[FrameType]:
    """The frames from the coroutine of a task to what it awaits innermost."""
    while awaited is not None:
        for kind in ("cr", "ag", "gi"):
            if hasattr(awaited, f"{kind}_frame"):
                if (frame := getattr(awaited, f"{kind}_frame")) is not None:
                    yield frame
                awaited = getattr(awaited, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
                break
        else:  # `async for` and `anext` await a step of a generator, whose generator no attribute of it names
            awaited = next(filter(inspect.isasyncgen, gc.get_referents(awaited)), None)
