"""Runs `synthesize`, in whichever form it was written, for one sentence: gives its audio, checked, piece by piece."""

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
    """Audio with the times of its words: what `synthesize` may return or yield instead of bytes."""

    audio: bytes
    """16-bit little-endian mono PCM."""
    words: tuple[Word, ...] = ()
    """Every word of the sentence and when its audio ends, in seconds from the sentence's first sample. In a stream
    they come with the first audio, or before it as `Speech(b"", words)`."""


Audio: TypeAlias = bytes | Speech
"""16-bit little-endian mono PCM, with or without the times of its words."""
Synthesis: TypeAlias = (
    Audio | Iterator[Audio] | AsyncIterator[Audio] | Awaitable[Audio | Iterator[Audio] | AsyncIterator[Audio]]
)
"""What `synthesize` may return: a sentence whole or piece by piece, awaited or not."""
Synthesize = Callable[[str, str], Synthesis]
"""`synthesize(text, voice)` of a `TTS`."""
Pieces = asyncio.Queue[Speech | Exception | None]
"""A queue of the audio of one sentence, and at its end None or the exception that `synthesize` raised."""

WINDOW = 0.01
"""Seconds in a window, of which each is taken for voice or for a pause."""
VOICED = 0.02
"""A window is a pause if all of it is below this fraction of the loudest sample."""
PIECE = 0.5
"""Seconds of audio in a piece, where `synthesize` returns a whole sentence at once."""
CANCEL = 0.5
"""Seconds that `synthesize` may take to heed its cancellation: less than the engine allows."""
ODD = "synthesize gave an odd number of bytes: a sample of 16-bit PCM has two"


@contextlib.asynccontextmanager
async def synthesis(
    synthesize: Synthesize, text: str, voice: str, rate: int, clock: WorkClock
) -> AsyncIterator[Pieces]:
    """Synthesise `text` in a task of its own, whose working time `clock` counts. The task ends with the block."""
    pieces: Pieces = asyncio.Queue(1)  # the reader sets the pace
    results = _results(synthesize, text, voice, rate)
    with clock:
        task = asyncio.create_task(_fill(pieces, _checked(results, text)), name="synthesize")
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
    """Yield what `synthesize` returns or yields; a whole sentence is cut. Blocking work runs in the shared pool."""
    given = await called(shared_pool(), synthesize, text, voice)
    if isinstance(given, AsyncGenerator):
        async with contextlib.aclosing(given):
            async for piece in given:
                yield piece
    else:
        for piece in _cut(_speech(given), text, rate):
            yield piece


def _cut(speech: Speech, text: str, rate: int) -> Iterator[Speech]:
    """Cut a whole sentence into pieces, so that queues hold little of it. Where its words have no times, they are
    estimated, since the length of the sentence is known. Raises `ValueError` for half a sample."""
    audio, size = speech.audio, 2 * round(PIECE * rate)
    if len(audio) % 2:
        raise ValueError(ODD)  # before any of it is heard: it must be noise
    yield Speech(audio[:size], speech.words or _in_proportion(text, audio, rate))
    for place in range(size, len(audio), size):
        yield Speech(audio[place : place + size])


def _in_proportion(text: str, audio: bytes, rate: int) -> tuple[Word, ...]:
    """An estimate of when each word ends: all characters last equally long, the pauses of the voice are left out."""
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
    """Yield whole samples, the words with the first of them. Raises `TypeError` for what is not audio, `ValueError` for
    no audio, half a sample at the end, or words that come after audio."""
    words: tuple[Word, ...] = ()
    any_audio = False
    half = b""  # a sample's first byte: a stream from a network is cut anywhere
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
