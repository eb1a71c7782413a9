"""The base class of speech synthesis: what every voice shares, so that a voice of your own is one method."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from voiceflow.audio import AudioFormat
from voiceflow.frames import AudioRaw, Error, LLMEnd, LLMText, Mark
from voiceflow.inference import WorkClock, shared_pool
from voiceflow.pipeline import Element
from voiceflow.processor import Processor
from voiceflow.processors.codec import convert
from voiceflow.processors.spoken import Spoken, is_ready, speak
from voiceflow.processors.text import CleanForSpeech, SplitSentences
from voiceflow.processors.tts.fixed_phrases import lines
from voiceflow.processors.tts.speech import Pieces, Speech, Synthesis, synthesis
from voiceflow.words import Words, language_of
from voiceflow.words import words as words_in

if TYPE_CHECKING:
    from voiceflow.call import Call

PATIENCE = 15.0
"""Seconds of work without a piece of audio after which a sentence is given up."""
FOLLOWING = 5.0
"""Seconds that a sentence waits for the voice of another language."""
_LANGUAGE = re.compile(r"[a-z]{2}_[A-Z]{2}(?=-)")
"""The language and the region at the beginning of a voice's name."""
QUICK = 250
"""Characters of a sentence that are written out at once, in 1 ms or so; more in a thread."""
SORRY_AGAIN = 5.0
"""Seconds before the apology is repeated in the same reply, so that it does not follow each sentence that fails."""


class _Ours(NamedTuple):
    """Which of the lines that the engine plays are spoken by the voice; the others are the user's."""

    apology: bool
    hold: bool


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
    Numbers, dates, signs and so on are written out for `synthesize`, in the language of the voice, else of the call.
    """

    rate: int
    """The sample rate of what `synthesize` gives, in Hz. It must be known before the model is loaded."""
    voice: str = ""
    """The argument `voice` of `synthesize`."""

    _ours = _Ours(apology=True, hold=True)
    _followed: asyncio.Event | None = None
    """Set once the voice has followed the call to another language. None: there is nothing to wait for."""
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

    async def before_calls(self, call: Call | None) -> None:
        """Synthesise the apology and the hold line when a server starts, before there are calls. A voice that is not
        ready before `open` does so in its first call."""
        if call is not None and call.spoken.is_fixed:
            await self.follow(call.language, call)
        language, words = self._language(call)
        await shared_pool().run(speak, "", self._written_in(language))  # loads what later sentences need
        await lines(self, words, language, in_call=False)

    async def open(self, call: Call) -> None:
        """Give the call an apology and a hold line in this voice and in its language, if it has none."""
        if call.spoken.is_fixed:
            await self.follow(call.language, call)
        self._ours = _Ours(call.apology is None, call.hold is None)
        call.on_language(self._change_language)
        await self._prepare(call)

    async def follow(self, language: str, call: Call) -> None:
        """`call` is in `language` from now on, a code such as `de`: a voice that knows several may change here. Called
        when the call opens, if its route names a language, and when the caller is recognised in another."""

    def _change_language(self, language: str) -> None:
        self._followed = followed = asyncio.Event()

        async def change() -> None:
            try:
                await self.follow(language, self.call)
            finally:
                followed.set()
            if self.call.language == language:  # else it has changed again
                await self._prepare(self.call)

        self.call.start(change, f"{self.name}.follow")

    async def _prepare(self, call: Call) -> None:
        """Speak the lines that are ours."""
        if self._ours.apology or self._ours.hold:
            language, words = self._language(call)
            spoken = await lines(self, words, language, in_call=True)
            if language != call.language:
                return
            call.apology = spoken.apology if self._ours.apology else call.apology
            call.hold = spoken.hold if self._ours.hold else call.hold
        if call.apology is not None:
            self._apology = convert(call.apology, self.produces)  # in no thread: waiting for one delays the call

    def _language(self, call: Call | None) -> tuple[str, Words]:
        """The call's language, the voice's if that is not known, and our sentences in it."""
        if call is None:
            language = language_of(self.voice)
            return language, words_in(language)
        call.spoken.by(self.voice)
        return call.language, call.words

    async def process(self, frame: LLMText | LLMEnd) -> AsyncIterator[AudioRaw | Mark | LLMEnd | Error]:
        if isinstance(frame, LLMEnd):
            self._sorry_at = -math.inf
            yield frame
            return
        sentence = frame.text.strip()
        if not any(map(str.isalnum, sentence)):
            return  # nothing of it can be spoken
        if self._followed is not None:  # what is answered to the caller is spoken as a voice of their language does
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FOLLOWING):
                    await self._followed.wait()
            self._followed = None
        begun, clock = False, WorkClock()
        try:
            said = await self._said(sentence)
            async with synthesis(self.synthesize, said.text, self.voice, self.rate, clock) as pieces:
                while (piece := await _next(pieces, clock)) is not None:
                    if not begun:
                        begun = True
                        yield Mark(sentence, said.words(piece.words))
                    yield AudioRaw(piece.audio, self.produces)
            yield Mark()
        except Exception as error:
            if begun:
                yield Mark()
            for frame_of_failure in self._failed(sentence, error):
                yield frame_of_failure

    async def _said(self, sentence: str) -> Spoken:
        """The sentence as a person would say it."""
        language = self._written_in(self.call.language)
        if is_ready(language) and len(sentence) <= QUICK:
            return speak(sentence, language)
        return await shared_pool().run(speak, sentence, language)

    def _written_in(self, otherwise: str) -> str:
        """The language in which sentences are written out: the voice's, with its region if its name has one."""
        named = _LANGUAGE.match(self.voice.rpartition("/")[2])
        return named[0] if named else language_of(self.voice) or otherwise

    def reset(self) -> None:
        self._sorry_at = -math.inf

    def _failed(self, sentence: str, error: Exception) -> Iterator[Error | Mark | AudioRaw]:
        self.call.log.error("%s could not say a sentence: %s", self.name, error, exc_info=error)
        self.call.log.debug("the sentence that could not be said: %r", sentence)
        yield Error(f"could not say {sentence!r}: {type(error).__name__}: {error}", self.name)
        now = asyncio.get_running_loop().time()
        if self._apology is not None and now - self._sorry_at >= SORRY_AGAIN:
            self._sorry_at = now
            yield Mark(self.call.words.apology)  # the apology, too, counts as heard
            yield self._apology
            yield Mark()


async def _next(pieces: Pieces, clock: WorkClock) -> Speech | None:
    """The next piece, None after the last one. Raises what `synthesize` raised, and `TimeoutError`."""
    async with clock.within(PATIENCE, f"synthesize gave no audio for {PATIENCE:g} s"):
        piece = await pieces.get()
    if isinstance(piece, Exception):
        raise piece
    return piece
