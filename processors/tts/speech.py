"""One sentence on its way through `synthesize`, whichever form that has: its audio, checked, piece by piece."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import TypeAlias

import msgspec
import numpy as np

from voiceflow.frames import Word
from voiceflow.inference import WorkClock, called, shared_pool


class Speech(msgspec.Struct, frozen=True):
    """What `synthesize` may give instead of bytes, where it knows when each word is spoken."""

    audio: bytes
    words: tuple[Word, ...] = ()
    """Every word of the sentence and when its audio ends, in seconds from the sentence's first sample. In a stream
    they come with the first audio, or before it as `Speech(b"", words)`."""


Audio: TypeAlias = bytes | Speech
"""16-bit little-endian mono PCM, or that with the times of its words."""
Synthesis: TypeAlias = (
    Audio | Iterator[Audio] | AsyncIterator[Audio] | Awaitable[Audio | Iterator[Audio] | AsyncIterator[Audio]]
)
"""What `synthesize` may return: a sentence whole or piece by piece, awaited or not."""
Synthesize = Callable[[str, str], Synthesis]
"""`synthesize(text, voice)` of a `TTS`."""
Pieces = asyncio.Queue[Speech | Exception | None]
"""The audio of one sentence: then None, or what `synthesize` raised."""

WINDOW = 0.01
"""Seconds over which it is looked whether the voice pauses."""
VOICED = 0.02
"""Of the loudest sample: below it is a pause."""
PIECE = 0.5
"""Seconds of audio in a frame, where `synthesize` gives a whole sentence at once."""
CANCEL = 0.5
"""Seconds that `synthesize` may take to heed its cancellation: less than the engine allows."""
ODD = "synthesize gave an odd number of bytes: a sample of 16-bit PCM has two"


@contextlib.asynccontextmanager
async def synthesis(
    synthesize: Synthesize, text: str, voice: str, rate: int, clock: WorkClock
) -> AsyncIterator[Pieces]:
    """Have `text` spoken in a task of its own, its time counted by `clock`. The task ends with this block."""
    pieces: Pieces = asyncio.Queue(1)  # whoever reads it sets the pace
    results = _results(synthesize, text, voice, rate)
    with clock:
        task = asyncio.create_task(_fill(pieces, _checked(results, text)), name=f"synthesize {text[:20]!r}")
    try:
        yield pieces
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL)


async def _fill(pieces: Pieces, speech: AsyncGenerator[Speech, None]) -> None:
    try:
        async with contextlib.aclosing(speech):
            async for piece in speech:
                await pieces.put(piece)
    except Exception as error:
        await pieces.put(error)
    else:
        await pieces.put(None)


async def _results(synthesize: Synthesize, text: str, voice: str, rate: int) -> AsyncGenerator[object, None]:
    """What `synthesize` returns or yields. Blocking work is done in the pool."""
    given = await called(shared_pool(), synthesize, text, voice)
    if isinstance(given, AsyncGenerator):
        async with contextlib.aclosing(given):
            async for piece in given:
                yield piece
    else:
        for piece in _cut(_speech(given), text, rate):
            yield piece


def _cut(speech: Speech, text: str, rate: int) -> Iterator[Speech]:
    """A whole sentence in pieces, so that no queue holds more of it than it must. Its length being known, so is
    roughly when each word ends."""
    audio, size = speech.audio, 2 * round(PIECE * rate)
    if len(audio) % 2:
        raise ValueError(ODD)  # before any of the noise is heard that it must be
    yield Speech(audio[:size], speech.words or _in_proportion(text, audio, rate))
    for place in range(size, len(audio), size):
        yield Speech(audio[place : place + size])


def _in_proportion(text: str, audio: bytes, rate: int) -> tuple[Word, ...]:
    """Every character taken to last equally long, the pauses of the voice left out."""
    window = max(1, round(WINDOW * rate))
    levels = np.abs(np.frombuffer(audio, "<i2").astype(np.int32))
    levels = np.maximum.reduceat(levels, np.arange(0, len(levels), window)) if len(levels) else np.zeros(1)
    spoken = np.cumsum(levels >= VOICED * levels.max())
    words = list(re.finditer(r"\S+", text))
    ends = np.searchsorted(spoken, [spoken[-1] * word.end() / len(text) for word in words])
    return tuple(
        Word(word[0], min(float(end + 1) * window, len(audio) / 2) / rate)
        for word, end in zip(words, ends, strict=True)
    )


async def _checked(results: AsyncGenerator[object, None], text: str) -> AsyncGenerator[Speech, None]:
    """Whole samples, the words with the first of them. Raises `TypeError` and `ValueError`."""
    words: tuple[Word, ...] = ()
    any_audio = False
    half = b""  # of a sample: a stream from a network is cut anywhere
    async with contextlib.aclosing(results):
        async for result in results:
            speech = _speech(result)
            if speech.words and any_audio:
                raise ValueError("synthesize gave words after audio: a sentence's words come with its first audio")
            words = words or speech.words
            audio = half + speech.audio
            whole = len(audio) & ~1
            half = audio[whole:]
            if whole:
                yield Speech(audio[:whole], () if any_audio else words)
                any_audio = True
    if half:
        raise ValueError(ODD)
    if not any_audio:
        raise ValueError(f"synthesize gave no audio for {text!r}")


def _speech(result: object) -> Speech:
    if isinstance(result, bytes):
        return Speech(result)
    if isinstance(result, Speech):
        return result
    raise TypeError(
        f"synthesize gave {type(result).__name__}: expected bytes of 16-bit little-endian mono PCM, or "
        f"Speech(audio, words)"
    )
