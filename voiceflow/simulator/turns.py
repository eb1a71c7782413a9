"""Who spoke when, and how long each answer took: found in the recordings of both sides, whatever the server tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from voiceflow.frames import AudioRaw
from voiceflow.simulator.script import QUIET

FRAME: Final = 0.02
"""Seconds that are loud or silent as a whole."""
PAUSE: Final = 0.6
"""Seconds of silence within what one side says at a time."""
FAINT: Final = 0.05
"""The share of a recording's peak below which it is silent: noise of the line, breath."""
CUT: Final = 0.3
"""Seconds by which the end of what was heard may differ from where it was cut."""


class SpokenLine(msgspec.Struct):
    """What one side said until the other began. Times are in seconds from the caller's first piece."""

    who: Literal["caller", "agent"]
    start: float
    end: float
    parts: list[tuple[float, float]]
    """The stretches of speech in it."""
    latency: float | None = None
    """Of an answer: seconds from the caller's last sound to the agent's first. None where they overlap."""
    interrupted: bool = False


def spoken_lines(said: AudioRaw, heard: AudioRaw, cuts: Sequence[float] = ()) -> list[SpokenLine]:
    """The conversation: what the caller `said` and `heard`, recorded from the same moment. `cuts` are the times at
    which the agent's audio was cut off."""
    parts = [("caller", *part) for part in stretches(said)] + [("agent", *part) for part in stretches(heard)]
    lines: list[SpokenLine] = []
    for who, start, end in sorted(parts, key=lambda part: part[1]):
        if lines and lines[-1].who == who:
            lines[-1].end = max(lines[-1].end, end)
            lines[-1].parts.append((start, end))
            continue
        line = SpokenLine("caller" if who == "caller" else "agent", start, end, [(start, end)])
        if who == "agent" and lines and start >= lines[-1].end:
            line.latency = start - lines[-1].end
        lines.append(line)
    for line in lines:
        line.interrupted = line.who == "agent" and any(abs(cut - line.end) <= CUT for cut in cuts)
    return lines


def stretches(audio: AudioRaw) -> Iterator[tuple[float, float]]:
    """Beginning and end, in seconds, of each stretch of `audio` (pcm16, mono) without a longer silence than `PAUSE`."""
    size = round(FRAME * audio.format.rate)
    samples = np.abs(audio.samples.astype(np.int32))
    if not len(samples):
        return
    peaks = np.maximum.reduceat(samples, np.arange(0, len(samples), size))
    loud = np.flatnonzero(peaks >= max(QUIET, FAINT * peaks.max()))
    if not len(loud):
        return
    breaks = np.flatnonzero(np.diff(loud) > PAUSE / FRAME)
    for first, last in zip([0, *(breaks + 1)], [*breaks, len(loud) - 1], strict=True):
        yield float(loud[first]) * FRAME, float(loud[last] + 1) * FRAME


def answered(lines: Sequence[SpokenLine]) -> bool:
    """Whether the agent began to speak after the caller had, or at all where the caller said nothing."""
    callers = [line.start for line in lines if line.who == "caller"]
    return any(part[0] >= min(callers, default=0.0) for line in lines if line.who == "agent" for part in line.parts)
