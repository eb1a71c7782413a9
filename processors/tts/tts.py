"""The base class of speech synthesis: what every voice shares, so that a voice of your own is one method."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw, Error, LLMEnd, LLMText, Mark
from voiceflow.inference import WorkClock
from voiceflow.pipeline import Element
from voiceflow.processor import Processor
from voiceflow.processors.codec import convert
from voiceflow.processors.text import CleanForSpeech, SplitSentences
from voiceflow.processors.tts.fixed_phrases import APOLOGY, lines
from voiceflow.processors.tts.speech import Pieces, Speech, Synthesis, synthesis

if TYPE_CHECKING:
    from voiceflow.call import Call

PATIENCE = 15.0
"""Seconds of work without a piece of audio after which a sentence is given up."""
SORRY_AGAIN = 5.0
"""Seconds before the apology is repeated in the same reply, so that it does not follow each sentence that fails."""


class TTS(Processor):
    """Speaks what the agent says, sentence by sentence. A voice of your own is a rate and a method:

        class Robot(TTS):
            rate = 8000

            def synthesize(self, text: str, voice: str) -> bytes:
                return ...  # 16-bit little-endian mono PCM

    `synthesize` may be a function or generator, which run in a thread, or a coroutine or async generator; it gives
    bytes, or `Speech` where it knows when each word is spoken. If it fails, the stage yields an `Error` and an apology
    to the caller, and the call goes on.

    In a pipeline two stages come before it by themselves: they remove markup and split the text into sentences.
    """

    rate: int
    """The sample rate of what `synthesize` gives, in Hz. It must be known before the model is loaded."""
    voice: str = ""
    """The argument `voice` of `synthesize`."""

    _apology: AudioRaw | None = None
    _sorry_at = -math.inf
    """When the caller last heard the apology in this reply, on the loop's clock."""

    def __init__(self, voice: str | None = None) -> None:
        if voice is not None:
            self.voice = voice

    def parts(self) -> Iterable[Element]:
        return (CleanForSpeech(), SplitSentences(), self)

    @property
    def produces(self) -> AudioFormat:  # type: ignore[override]  # follows from `rate`
        """The format of the speech. Raises `TypeError` if the class has no `rate` or no `synthesize`."""
        has_rate, speaks = hasattr(self, "rate"), getattr(self.synthesize, "__func__", None) is not TTS.synthesize
        for there, missing, advice in (
            (has_rate, "rate", "rate = 22_050"),
            (speaks, "synthesize", "def synthesize(self, text: str, voice: str) -> bytes: ..."),
        ):
            if not there:
                raise TypeError(f"{self.name} has no `{missing}`: write `{advice}` in the class")
        return AudioFormat("pcm16", self.rate)

    def synthesize(self, text: str, voice: str) -> Synthesis:
        """The audio of one sentence, `text`, spoken by `voice`."""
        raise NotImplementedError

    def list_voices(self) -> list[str]:
        """The voices that can be chosen by name."""
        return [self.voice] if self.voice else []

    async def before_calls(self) -> None:
        """Synthesise the apology and the hold line when a server starts, before there are calls. A voice that is not
        ready before `open` does so in its first call."""
        await lines(self, in_call=False)

    async def open(self, call: Call) -> None:
        """Give the call an apology and a hold line in this voice, if it has none."""
        if call.apology is None or call.hold is None:
            spoken = await lines(self, in_call=True)
            call.apology = call.apology or spoken.apology
            call.hold = call.hold or spoken.hold
        if call.apology is not None:
            self._apology = convert(call.apology, self.produces)  # in no thread: waiting for one delays the call

    async def process(self, frame: LLMText | LLMEnd) -> AsyncIterator[AudioRaw | Mark | LLMEnd | Error]:
        if isinstance(frame, LLMEnd):
            self._sorry_at = -math.inf
            yield frame
            return
        sentence = frame.text.strip()
        if not any(map(str.isalnum, sentence)):
            return  # nothing of it can be spoken
        begun, clock = False, WorkClock()
        try:
            async with synthesis(self.synthesize, sentence, self.voice, self.rate, clock) as pieces:
                while (piece := await _next(pieces, clock)) is not None:
                    if not begun:
                        begun = True
                        yield Mark(sentence, piece.words)
                    yield AudioRaw(piece.audio, self.produces)
            yield Mark()
        except Exception as error:
            if begun:
                yield Mark()
            for said in self._failed(sentence, error):
                yield said

    def reset(self) -> None:
        self._sorry_at = -math.inf

    def _failed(self, sentence: str, error: Exception) -> Iterator[Error | Mark | AudioRaw]:
        self.call.log.error("%s could not say %r: %s", self.name, sentence, error, exc_info=error)
        yield Error(f"could not say {sentence!r}: {type(error).__name__}: {error}", self.name)
        now = asyncio.get_running_loop().time()
        if self._apology is not None and now - self._sorry_at >= SORRY_AGAIN:
            self._sorry_at = now
            yield Mark(APOLOGY)  # the apology, too, counts as heard
            yield self._apology
            yield Mark()


async def _next(pieces: Pieces, clock: WorkClock) -> Speech | None:
    """The next piece, None after the last one. Raises what `synthesize` raised, and `TimeoutError`."""
    async with clock.within(PATIENCE, f"synthesize gave no audio for {PATIENCE:g} s"):
        piece = await pieces.get()
    if isinstance(piece, Exception):
        raise piece
    return piece
