"""The apology and the hold line, which the engine plays by itself: kept as audio, to be there when synthesis fails."""

from __future__ import annotations

import asyncio
import functools
import wave
from collections.abc import Hashable
from pathlib import Path
from typing import NamedTuple, Protocol

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw
from voiceflow.inference import Flights, TooLateError, WorkClock
from voiceflow.logs import get_logger
from voiceflow.processors.tts.speech import Synthesis, synthesis
from voiceflow.words import Words

PATIENCE = 4.0
"""Seconds of work that a voice may spend on both lines. The call waits meanwhile."""
OPENING = 5.0
"""Seconds that a call waits for the lines at most, time in which the voice waits for a thread included."""
KEPT = 64
"""Voices whose lines are kept, 100 kB each. Without a limit, voices with other arguments in each call would pile up."""

logger = get_logger(__name__)


class Voice(Protocol):
    """The TTS that speaks the lines."""

    rate: int
    voice: str

    @property
    def name(self) -> str: ...

    @property
    def produces(self) -> AudioFormat: ...

    def synthesize(self, text: str, voice: str) -> Synthesis: ...


class Lines(NamedTuple):
    """The audio that the engine plays by itself."""

    apology: AudioRaw
    hold: AudioRaw | None
    """None if the voice could not speak it."""


_spoken: dict[Hashable, Lines] = {}
_flights: Flights[Lines] = Flights()


async def lines(tts: Voice, words: Words, language: str, *, in_call: bool) -> Lines:
    """The lines of `words`, in `language`, as `tts` speaks them, made once per process for each class, arguments, voice
    and text. For a voice that cannot speak now there are the apology that comes with voiceflow and no hold line, and
    the next call tries again. That is logged as an error if `in_call`."""
    key = (type(tts), repr(tts), tts.voice, tts.rate, words.apology, words.hold)
    if key in _spoken:
        return _spoken[key]
    try:
        async with asyncio.timeout(OPENING):
            return await _flights.join(key, lambda: _make(tts, words, language, key, in_call))
    except TimeoutError:  # the pool's threads are busy: no failure, the lines are still being made
        return Lines(recorded("apology", language), None)


async def _make(tts: Voice, words: Words, language: str, key: Hashable, in_call: bool) -> Lines:
    clock = WorkClock()
    try:
        async with clock.within(PATIENCE, "it took too long"):
            spoken = Lines(await _speak(tts, words.apology, clock), await _speak(tts, words.hold, clock))
    except Exception as error:
        why = str(error) if isinstance(error, TooLateError) else f"{type(error).__name__}: {error}"
        if in_call:
            logger.error("%s cannot speak, its callers will hear a recorded apology: %s", tts.name, why)
        else:
            logger.info("%s cannot speak yet, it will be tried again in its first call: %s", tts.name, why)
        return Lines(recorded("apology", language), None)
    if len(_spoken) >= KEPT:
        del _spoken[next(iter(_spoken))]
    _spoken[key] = spoken
    return spoken


async def _speak(tts: Voice, text: str, clock: WorkClock) -> AudioRaw:
    audio = []
    async with synthesis(tts.synthesize, text, tts.voice, tts.rate, clock) as pieces:
        while (piece := await pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            audio.append(piece.audio)
    return AudioRaw(b"".join(audio), tts.produces)


@functools.cache
def recorded(sentence: str, language: str) -> AudioRaw:
    """A sentence of ours that comes recorded, "apology", "busy" or "stopping", in English where there is none in
    `language`. The English apology was spoken by Piper's voice en_US-joe-medium (CC0), all others, in mu-law, by
    espeak-ng."""
    folder = Path(__file__).parent
    for file in (folder / f"{sentence}-{code}.ulaw" for code in (language, "en") if code.isalpha()):
        if file.is_file():
            return AudioRaw(file.read_bytes(), AudioFormat("mulaw", 8_000))
    with wave.open(str(folder / f"{sentence}.wav")) as english:
        return AudioRaw(english.readframes(english.getnframes()), AudioFormat("pcm16", english.getframerate()))
