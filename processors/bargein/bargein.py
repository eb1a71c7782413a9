"""Barge-in: callers interrupt the agent by speaking, by speaking for some time, or by saying enough words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from voiceflow.annotations import Kind, Signature
from voiceflow.backchannels import BACKCHANNELS, Phrases
from voiceflow.frames import Clear, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processor import Processor
from voiceflow.processors.bargein.resumption import Resumption, at_question
from voiceflow.processors.resume_reply import ResumeReply
from voiceflow.processors.vad import PREROLL, VAD

if TYPE_CHECKING:
    from voiceflow.call import Call
    from voiceflow.reply import Reply


class BargeIn(Processor):
    """Stops the agent when the caller interrupts.

    `BargeIn()` stands between the VAD and the STT and interrupts as soon as the caller speaks;
    `BargeIn(min_speech=0.5)` once they have spoken for half a second, the silence after the last sound not included:
    a cough does not interrupt. If the sound that interrupted turns out to contain no words, or nothing but phrases of
    `ignore`, such as "uh-huh", the agent goes on: it says the rest of what had been made of its answer, and a model
    that had not finished the answer is asked to go on.

    `BargeIn(min_words=2)` stands after the STT and interrupts when the caller has said two words outside the phrases
    of `ignore`, even if over several utterances.

    While the agent speaks, transcripts that are nothing but phrases of `ignore` are dropped: an "uh-huh" is no turn. To
    an agent that is silent, or has all but asked a question, it is an answer. A reply that may not be interrupted is
    heard to its end, and what the caller said meanwhile is the next turn.
    Raises `ValueError` for both conditions at once.
    """

    def __init__(self, min_speech: float = 0.0, min_words: int = 0, ignore: Iterable[str] = BACKCHANNELS) -> None:
        if min_speech and min_words:
            raise ValueError(
                f"BargeIn(min_speech={min_speech:g}, min_words={min_words}): the time is known before the STT, the "
                f"words after it. Give one of them, or put a BargeIn in each place"
            )
        self.min_speech = min_speech
        """How long the caller must speak to interrupt, in seconds."""
        self.min_words = min_words
        """How many words the caller must say to interrupt; 0 if the sound of their voice suffices."""
        self._ignored = Phrases(ignore)
        self._said = 0  # how many such words were in final transcripts since the agent began to speak
        self._vad: VAD | None = None
        self._timer: asyncio.TimerHandle | None = None  # where there is no VAD to tell
        self._waits = False  # for the caller to have spoken long enough
        self._resumption: Resumption | None = None
        self._reply: Reply | None = None  # the last one that was begun
        self._speaks = False  # whether the caller is speaking now

    @property
    def wants_interims(self) -> bool:
        """Whether it acts on interim transcripts, so that the STT should make them."""
        return self.min_words > 0

    @property
    def signature(self) -> Signature:
        """Only the frames that the condition is about: a `BargeIn` on the wrong side of the STT does not link."""
        heard = (Transcript,) if self.min_words else (SpeechStarted, SpeechStopped)
        return Signature(Kind.GENERATOR, heard, (*heard, Clear, ResumeReply))

    async def open(self, call: Call) -> None:
        self._vad = next((element for element in call.elements if isinstance(element, VAD)), None)
        call.on_reply(self._replied)
        recognised = any(isinstance(e, Processor) and e.signature.may_yield(Transcript) for e in call.elements)
        if recognised and call.can_speak and not self.min_words:
            self._resumption = Resumption(call, self.emit, self._ignored)

    def process(
        self, frame: SpeechStarted | SpeechStopped | Transcript
    ) -> Iterator[SpeechStarted | SpeechStopped | Transcript | Clear]:
        match frame:
            case Transcript():
                yield from self._words(frame)
            case SpeechStarted():
                yield frame
                self._speaks = True
                self._detected(frame)
                self._started(frame)
                if not self._waits and self._interrupts():
                    yield Clear()
            case SpeechStopped():
                self._speaks = False
                self._detected(frame)
                self._disarm()
                yield frame

    def reset(self) -> None:
        self._disarm()
        self._said = 0
        self._speaks = False

    def finish(self) -> None:
        self._disarm()

    async def close(self) -> None:
        self._disarm()

    def _words(self, transcript: Transcript) -> Iterator[Transcript | Clear]:
        new = self._ignored.count(transcript.text)
        if transcript.final and not new and self.call.speaking and not self._is_asked():
            return
        said = self._said + new
        if said >= self.min_words and self._interrupts():
            self._said = 0
            yield Clear()
        elif transcript.final:
            self._said = said
        yield transcript

    def _is_asked(self) -> bool:
        """Whether the caller is hearing a question."""
        reply, awaited = self._reply, self.call.awaiting_caller
        return reply is not None and at_question(reply, reply.heard, awaited=awaited)

    def _detected(self, frame: SpeechStarted | SpeechStopped) -> None:
        if self._resumption is not None:
            self._resumption.detected(frame)

    def _interrupts(self) -> bool:
        """Whether there is a reply that may be interrupted; if so, prepares the resumption. A reply of which nothing is
        spoken yet is left alone: the caller may have made a mere sound, and if they go on speaking, they get an answer
        to all of it."""
        if not (self.call.replying and self.call.interruptible):
            return False
        if self._resumption is not None:
            self._resumption.interrupted()
        return True

    def _replied(self, reply: Reply) -> None:
        self._reply = reply
        if not self.call.speaking:  # else the reply answers what the caller is saying now
            self._said = 0
        if not reply.interruptible:
            reply.done.add_done_callback(self._protected_ended)

    def _protected_ended(self, done: asyncio.Future[float]) -> None:
        """A caller who still speaks when a protected reply ends interrupts what follows it."""
        if self._speaks and not self._waits and not self.min_words and self._interrupts():
            self.emit(Clear())

    def _started(self, speech: SpeechStarted) -> None:
        """Set the timer for `min_speech`, unless the speech is long enough already."""
        self._disarm()
        spoken = max(0.0, speech.lead - PREROLL) if self._vad is None else self._vad.spoken
        self._waits = spoken < self.min_speech
        if self._waits and self._vad is not None:
            self._vad.when_spoken(self.min_speech, self._long_enough)
        elif self._waits:
            self._timer = asyncio.get_running_loop().call_later(self.min_speech - spoken, self._long_enough)

    def _long_enough(self) -> None:
        """Interrupt: the caller has been speaking for `min_speech`."""
        self._disarm()
        if self._interrupts():
            self.emit(Clear())

    def _disarm(self) -> None:
        self._waits = False
        if self._vad is not None:
            self._vad.when_spoken(0.0, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
