from stt.tiny_whisper import tiny_whisper

from voiceflow import AudioRaw, Processor, SpeechStarted, SpeechStopped
from voiceflow.processors.stt import STT, WhisperSTT
from voiceflow.processors.stt.transcriber import Transcriber, UtterancePiece

from . import Example, speech_like


class Yes(STT):
    async def transcribe(self, audio: bytes, rate: int) -> str:
        return "yes"


SPOKEN = bytes(range(200)) * 32
FORMAT = AudioRaw(b"").format
UTTERANCE = (
    *speech_like(FORMAT, 3),
    SpeechStarted(0.04),
    *speech_like(FORMAT, 15),
    SpeechStopped(0.1),
    SpeechStarted(),
    *speech_like(FORMAT, 2),
)

EXAMPLES: dict[type[Processor], list[Example]] = {
    STT: [
        Example(Yes, UTTERANCE),
        Example(lambda: Yes(interims=True), (SpeechStarted(), *speech_like(FORMAT, 30), SpeechStopped())),
        Example(Yes, (SpeechStopped(), *speech_like(FORMAT, 2), SpeechStarted(), SpeechStopped(1.0))),
    ],
    Transcriber: [
        Example(
            lambda: Transcriber(Yes()),
            (
                UtterancePiece(SPOKEN, 1, 0.0, 0.2, last=False),
                UtterancePiece(SPOKEN[::-1], 1, 0.0, 0.4, last=True),
                SpeechStopped(0.1),
                SpeechStopped(0.2),
            ),
        ),
    ],
    WhisperSTT: [Example(lambda: WhisperSTT(tiny_whisper(" yes")), UTTERANCE)],
}
