"""The base class of speech recognition: one method to write.

    class Recogniser(STT):
        def load(self):
            return SomeModel()

        def transcribe(self, audio: bytes, rate: int) -> Transcription:
            return Transcription(self.model.recognise(audio, rate))

Everything else - which audio belongs to an utterance, order, interims, failures - is done here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from voiceflow.audio import CANONICAL
from voiceflow.frames import AudioRaw, SpeechStarted, SpeechStopped
from voiceflow.pipeline import Element
from voiceflow.processor import Processor
from voiceflow.processors.stt.pace import utterances
from voiceflow.processors.stt.transcriber import Transcribed, Transcriber, UtterancePiece
from voiceflow.processors.stt.utterance import MediaClock, Utterance
from voiceflow.processors.vad.vad import VAD

if TYPE_CHECKING:
    from voiceflow.call import Call

INTERIM_EVERY = 0.5
"""Seconds of speech between interim transcripts."""


class STT(Processor):
    """Speech recognition: derive from it and write `transcribe`.

    Needs a VAD before it. Consumes the caller's audio; yields `SpeechStarted`, the final `Transcript` of what was
    said, unless it was nothing, and then `SpeechStopped`. While the caller speaks there are interim transcripts about
    every 0.5 s, if `interims` is true or any processor of the call has a true attribute `wants_interims`; where
    `transcribe` takes a thread, only those for which no call's final has to wait, as measured on this machine. Speech
    of more than 28 s is transcribed in pieces while it goes on, and is one `Transcript` at its end.

    If a transcription raises or takes too long, an `Error` frame follows, the caller hears `apology`, and the call
    goes on.

    In a pipeline it is two processors: itself, a stage that collects what the caller says, and a `Transcriber`, whose
    task transcribes it. So audio never queues behind a transcription, which may take longer than a link can hold.
    """

    needs = SpeechStarted
    """Without a VAD before it, the pipeline does not link: nothing would tell when the caller speaks."""
    apology: str | None = None
    """What the caller hears when an utterance could not be transcribed. None: that it was not caught, in the call's
    language."""
    interims = False
    """Whether to make interim transcripts even if no processor of the call wants them."""

    def __new__(cls, *args: Any, **kwargs: Any) -> STT:
        self = cast(STT, super().__new__(cls, *args, **kwargs))
        self._prepare()  # not in __init__, which subclasses may replace
        return self

    def _prepare(self) -> None:
        self.interims_wanted = False
        """Whether interim transcripts are to be made. Known once the call is open."""
        self._transcriber = Transcriber(self)
        self._utterance = Utterance()
        self._utterances = 0
        self._start = 0.0  # the place in the audio at which the utterance began
        self._previewed = 0.0  # how many seconds of the utterance the last interim covered
        self._clock = MediaClock()
        self._vad: VAD | None = None

    def __init__(self, *, interims: bool = False) -> None:
        self.interims = interims

    def parts(self) -> Iterable[Element]:
        return (self, self._transcriber)

    def transcribe(self, audio: bytes, rate: int) -> Transcribed:
        """What is said in `audio`: 16-bit little-endian mono PCM at `rate` Hz, which is 16 000, and 28 s at most.

        A plain method runs in a thread; all calls share one thread less than the machine has cores, so that recognition
        leaves room for the agents' voices. Write a method that waits for a server `async`: it runs on the event loop.
        A generator yields all that it has understood so far, again and again; the last yield is the result.
        """
        raise NotImplementedError(f"{self.name} has no `transcribe`: write `def transcribe(self, audio, rate)`")

    async def open(self, call: Call) -> None:
        self._vad = next((e for e in call.elements if isinstance(e, VAD)), None)
        self.interims_wanted = self.interims or any(getattr(e, "wants_interims", False) for e in call.elements)

    def process(
        self, frame: AudioRaw | SpeechStarted | SpeechStopped
    ) -> Iterator[UtterancePiece | SpeechStarted | SpeechStopped]:
        utterance = self._utterance
        match frame:
            case AudioRaw():
                utterance.add(frame.data)
                self._clock.add(frame.duration, self.call.elapsed)
                if utterance.speaking:
                    yield from self._long_pieces()
                    self._preview()
            case SpeechStarted():
                if not utterance.speaking:
                    utterance.begin(frame.lead)
                    utterances.add(self)
                    self._utterances += 1
                    self._start = self._place - frame.lead
                    self._previewed = 0.0
                yield frame
            case SpeechStopped():
                if utterance.speaking:
                    yield self._last_piece(frame.trail)
                yield frame

    def finish(self) -> Iterator[UtterancePiece | SpeechStopped]:
        """If the caller has left in the middle of an utterance, transcribe what they said of it."""
        if self._utterance.speaking:
            yield self._last_piece(0.0)
            yield SpeechStopped()

    def reset(self) -> None:
        self._utterance.reset()
        utterances.discard(self)
        self._utterances = 0
        self._transcriber.reset()

    def has_stopped(self, utterance: int) -> bool:
        """Whether the caller has not begun to speak again since the end of that utterance."""
        return utterance == self._utterances and not self._utterance.speaking

    def _long_pieces(self) -> Iterator[UtterancePiece]:
        while (audio := self._utterance.take_piece()) is not None:
            yield self._piece(audio, self._place - self._utterance.seconds, last=False)
            self._previewed = self._utterance.seconds

    def _last_piece(self, trail: float) -> UtterancePiece:
        silence = trail - (self.call.elapsed - self._clock.arrived)  # that came: what did not cannot be cut off
        return self._piece(self._utterance.end(silence), self._place - trail, last=True)

    def _piece(self, audio: bytes, end: float, *, last: bool) -> UtterancePiece:
        times = self._clock.time(self._start), self._clock.time(max(self._start, end))
        return UtterancePiece(audio, self._utterances, *times, last=last)

    @property
    def _left(self) -> float:
        """How many seconds from now the utterance may be over at the earliest, if the caller does not go on. What is no
        `VAD` of ours does not tell how long it waits: it may be over now."""
        vad = self._vad
        return 0.0 if vad is None else vad.silence - (vad.position - vad.voiced_end) / CANONICAL.rate

    @property
    def _place(self) -> float:
        """Up to where in the audio the caller has been heard, in seconds."""
        return self._clock.place(self.call.elapsed)

    def _preview(self) -> None:
        new = self._utterance.seconds - self._previewed
        if self.interims_wanted and new >= INTERIM_EVERY and self._transcriber.may_preview(self._left):
            self._previewed = self._utterance.seconds
            self._transcriber.preview(self._utterance.audio, self._clock.time(self._start))
