"""Voices that need no model, and what listens to one."""

from __future__ import annotations

import atexit
import functools
import itertools
import re
import tempfile
from pathlib import Path
from typing import Any

from doubles import Ear, Script, virtual

from voiceflow import (
    ANY,
    AudioFormat,
    AudioRaw,
    Call,
    Frame,
    Limits,
    LLMEnd,
    LLMText,
    Mark,
    Pipeline,
    Processor,
    Word,
)
from voiceflow.processors.tts import TTS, Speech

RATE = 16_000
LETTER = 0.05
"""How long a voice here takes for a character, in seconds."""
FORM = AudioFormat("pcm16", RATE)


def letters(text: str) -> bytes:
    """Each character as a twentieth of a second of its own number."""
    return b"".join((ord(c) % 30_000).to_bytes(2, "little") * round(RATE * LETTER) for c in text)


def text_of(audio: bytes) -> str:
    """What `letters` was given."""
    firsts = range(0, len(audio), FORM.bytes_for(LETTER))
    return "".join(chr(int.from_bytes(audio[at : at + 2], "little")) for at in firsts)


def words(text: str) -> tuple[Word, ...]:
    """When each word of `letters(text)` ends."""
    return tuple(Word(word[0], word.end() * LETTER) for word in re.finditer(r"\S+", text))


class Letters(TTS):
    """Sings letters, and remembers what it was asked for."""

    rate = RATE

    def __init__(self, voice: str | None = None) -> None:
        super().__init__(voice)
        self.asked: list[tuple[str, str]] = []

    def synthesize(self, text: str, voice: str) -> bytes:
        self.asked.append((text, voice))
        return letters(text)


class Timed(TTS):
    """Knows when each word ends."""

    rate = RATE

    async def synthesize(self, text: str, voice: str) -> Speech:
        return Speech(letters(text), words(text))


class Text(Script):
    """What a model says."""

    yields = (LLMText, LLMEnd)


class Notes(Processor):
    """Remembers what it is given, in the format in which it comes."""

    accepts = produces = ANY

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def process(self, frame: Frame) -> Frame:
        self.seen.append(frame)
        return frame


def spoken(tts: TTS, *frames: Frame) -> list[Any]:
    """What `tts` yields for `frames`, in a call."""
    notes = Notes()
    call = Call(Text(*frames, 3600.0), Ear(), transport="test", limits=Limits(idle=7200.0, call=7200.0))
    ended = virtual(call.run(lambda call: Pipeline(call.source, tts, notes, call.sink)))
    assert ended.error is None
    return notes.seen


def shown(frames: list[Any]) -> list[object]:
    """Frames with their audio as the text that it sings, pieces of one sentence together, and marks without words."""
    out: list[object] = []
    for audible, group in itertools.groupby(frames, lambda frame: isinstance(frame, AudioRaw)):
        if audible:
            out.append(text_of(b"".join(frame.data for frame in group)))
        else:
            out += [Mark(frame.text) if isinstance(frame, Mark) else frame for frame in group]
    return out


@functools.cache
def tiny() -> Path:
    """A voice that the real Piper loads."""
    from tts.tiny_piper import tiny_voice

    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return tiny_voice(Path(folder.name))
