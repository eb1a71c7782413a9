"""The part of an STT that transcribes: takes an utterance piece by piece and makes a `Transcript` of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Protocol, TypeAlias

import msgspec

from voiceflow.audio import CANONICAL
from voiceflow.errors import CallError
from voiceflow.frames import Error, Frame, SpeechStopped, Transcript
from voiceflow.inference import WorkClock, called, recognition_pool, waits
from voiceflow.processor import Processor
from voiceflow.processors.stt.pace import Pace, pace_of, utterances

LIMIT = 30.0
"""Seconds that a transcription may take at most. Time in which it waits for a thread is not counted."""
SHORTEST = CANONICAL.bytes_for(0.1)
"""Bytes of audio below which nothing is transcribed: no word is shorter than 0.1 s."""


class Transcription(msgspec.Struct, frozen=True):
    """What was said in a piece of audio."""

    text: str
    """Empty for silence and noise."""
    no_speech_probability: float = 0.0
    language: str = ""


Heard: TypeAlias = Transcription | str
Transcribed: TypeAlias = (
    Heard | Iterator[Heard] | AsyncIterator[Heard] | Awaitable[Heard | Iterator[Heard] | AsyncIterator[Heard]]
)
"""What `transcribe` may return: a result, or all that was understood so far, again and again; awaited or not."""


class UtterancePiece(Frame, frozen=True, gc=False):
    """A piece of what the caller said, yet to be transcribed."""

    audio: bytes
    """In the canonical format (16-bit mono PCM at 16 kHz), 28 s at most."""
    utterance: int
    """The number of the utterance in its call, from 1."""
    start: float
    """When the utterance began, in seconds since the call's start."""
    end: float
    """When this piece of it ended, in seconds since the call's start."""
    last: bool
    """Whether the utterance ends with this piece."""


class Recogniser(Protocol):
    """The STT that a transcriber works for."""

    apology: str | None
    interims_wanted: bool

    @property
    def name(self) -> str: ...

    @property
    def model_key(self) -> Any: ...

    def transcribe(self, audio: bytes, rate: int) -> Transcribed: ...

    def has_stopped(self, utterance: int) -> bool:
        """Whether the caller has not begun to speak again since the end of that utterance."""


class Transcriber(Processor):
    """The processor in whose task `stt` transcribes.

    `SpeechStopped` follows the transcript: a processor that waits for the caller to finish then has what they said,
    and can reply to all of it. If nothing was said, it comes alone. If the caller has begun to speak again meanwhile,
    it is left out: they have not stopped.
    """

    overlap = True

    def __init__(self, stt: Recogniser) -> None:
        self._stt = stt
        self._last: UtterancePiece | None = None
        self._heard: list[Transcription] = []
        """The results for the pieces of the current utterance so far."""
        self._failed = False
        """Whether any piece of the current utterance could not be transcribed."""
        self._working = False
        """Whether a piece is being transcribed, other than for an interim."""
        self._preview: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return f"{self._stt.name}.transcribe"

    async def process(self, frame: UtterancePiece | SpeechStopped) -> AsyncIterator[Transcript | SpeechStopped | Error]:
        if isinstance(frame, UtterancePiece):
            self._drop_preview()
            if frame.last:  # transcribed on SpeechStopped: from then on the caller waits
                self._last = frame
            elif error := await self._hear(frame):
                yield error
            return
        last = self._last
        if last is not None:
            if error := await self._hear(last):
                yield error
            if self._text:
                yield self._transcript(last)
            elif self._failed:
                self.call.start(self._apologise, self.name)
            self.reset()
        if last is None or self._stt.has_stopped(last.utterance):
            utterances.discard(self._stt)
            yield frame

    def may_preview(self, within: float) -> bool:
        """Whether no final transcript, of this or another call, would have to wait for an interim that is begun now:
        this call's is wanted in `within` seconds at the earliest."""
        if self._preview is not None or self._working:
            return False
        if waits(self._stt.transcribe):
            return True
        others = any(other is not self._stt for other in utterances)
        return not (others or recognition_pool().busy) and self._pace.seconds <= within

    def preview(self, audio: bytes, start: float) -> None:
        """Begin to transcribe the utterance so far, for an interim transcript. Call this only if `may_preview`."""
        work = self._transcribe_so_far(audio, start)
        self._preview = asyncio.get_running_loop().create_task(work, name=self.name)

    def reset(self) -> None:
        self._last = None
        self._heard = []
        self._failed = False
        self._drop_preview()

    async def close(self) -> None:
        preview = self._preview
        utterances.discard(self._stt)
        self._drop_preview()
        if preview is not None:
            await asyncio.wait({preview})

    # What comes out

    @property
    def _text(self) -> str:
        return " ".join(heard.text for heard in self._heard if heard.text)

    def _transcript(self, frame: UtterancePiece) -> Transcript:
        said = [heard for heard in self._heard if heard.text]
        return Transcript(
            self._text,
            language=said[-1].language,
            no_speech_probability=min(heard.no_speech_probability for heard in said),
            start=frame.start,
            end=frame.end,
        )

    def _interim_from(self, start: float, end: float) -> Callable[[Transcription], None]:
        """A function that emits an interim transcript of the utterance that began at `start`, understood to `end`."""

        def emit(heard: Transcription) -> None:
            text = f"{self._text} {heard.text}".strip()
            if text and self._stt.interims_wanted:
                self.emit(
                    Transcript(
                        text,
                        final=False,
                        language=heard.language,
                        no_speech_probability=heard.no_speech_probability,
                        start=start,
                        end=end,
                    )
                )

        return emit

    async def _apologise(self) -> None:
        with contextlib.suppress(CallError):  # no processor speaks: the `Error` frame is all there is
            await self.call.say(self._stt.apology or self.call.words.not_caught)

    # Transcribing

    async def _hear(self, piece: UtterancePiece) -> Error | None:
        """Transcribe `piece`. Returns an `Error` frame if that fails, else None."""
        if len(piece.audio) < SHORTEST:
            return None
        self._working = True
        try:
            self._heard.append(await self._transcribe(piece.audio, self._interim_from(piece.start, piece.end)))
        except Exception as error:
            self._failed = True
            self.call.log.error("%s failed: %s", self.name, error, exc_info=error)
            return Error(f"{self.name} failed: {error}", self._stt.name)
        finally:
            self._working = False
        return None

    async def _transcribe_so_far(self, audio: bytes, start: float) -> None:
        emit = self._interim_from(start, start + len(audio) / CANONICAL.byte_rate)
        try:
            emit(await self._transcribe(audio, emit))
        except Exception as error:
            self.call.log.warning("%s failed for an interim: %s", self.name, error)
        if self._preview is asyncio.current_task():
            self._preview = None

    async def _transcribe(self, audio: bytes, emit: Callable[[Transcription], None]) -> Transcription:
        """The result of `transcribe` for `audio`. Raises what that raises, and `TimeoutError` if it is too slow."""
        seconds = len(audio) / CANONICAL.byte_rate
        limit = min(LIMIT, 5.0 + 2.0 * seconds)
        clock = WorkClock()
        begun = clock.time()
        async with clock.within(limit, f"no result within {limit:.1f} s for {seconds:.1f} s of speech"):
            heard = await self._called(audio, emit)
        self._pace.took(clock.time() - begun)
        return heard

    async def _called(self, audio: bytes, emit: Callable[[Transcription], None]) -> Transcription:
        given = await called(recognition_pool(), self._stt.transcribe, audio, CANONICAL.rate)
        if not isinstance(given, AsyncGenerator):
            return self._checked(given)
        heard = Transcription("")
        async with contextlib.aclosing(given):
            async for result in given:
                heard = self._checked(result)
                emit(heard)
        return heard

    def _checked(self, result: object) -> Transcription:
        if isinstance(result, str):
            result = Transcription(result)
        if not isinstance(result, Transcription):
            raise TypeError(f"it returned {type(result).__name__} where a Transcription or a string is expected")
        return msgspec.structs.replace(result, text=" ".join(result.text.split()))

    @property
    def _pace(self) -> Pace:
        return pace_of(type(self._stt), str(self._stt.model_key))

    def _drop_preview(self) -> None:
        if self._preview is not None:
            self._preview.cancel()
            self._preview = None
