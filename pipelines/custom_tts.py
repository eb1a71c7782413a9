"""A voice of your own: this one whistles each letter, and needs no model. Talk to it: when you stop, it whistles how
long you talked. Any engine fits in its place: a library, a server, a program, e.g.

    subprocess.run(["espeak-ng", "--stdout", text], capture_output=True, check=True).stdout[44:]  # rate = 22_050
"""

from collections.abc import AsyncIterator

import numpy as np

from voiceflow import Call, LLMText, Pipeline, Processor, SpeechStarted, SpeechStopped
from voiceflow.processors.tts import TTS
from voiceflow.processors.vad import EnergyVAD


class Whistle(TTS):
    rate = 16_000

    def synthesize(self, text: str, voice: str) -> bytes:
        return b"".join(map(self.letter, text.lower()))

    def letter(self, character: str) -> bytes:
        """60 ms of 16-bit little-endian mono PCM: a tone for a letter, a pause for a space."""
        time = np.arange(0.06 * self.rate) / self.rate
        pitch = 500 * 2 ** (ord(character) % 32 / 16)
        loudness = 10_000 * np.hanning(len(time)) if character.isalnum() else 0 * time
        return (loudness * np.sin(2 * np.pi * pitch * time)).astype("<i2").tobytes()


class Stopwatch(Processor):
    async def process(self, frame: SpeechStarted | SpeechStopped) -> AsyncIterator[LLMText]:
        match frame:
            case SpeechStarted(lead):
                self.started = self.call.elapsed - lead
            case SpeechStopped(trail):
                yield LLMText(f"You talked for {self.call.elapsed - trail - self.started:.1f} seconds.")


def pipeline(call: Call) -> Pipeline:
    return call.source | EnergyVAD() | Stopwatch() | Whistle() | call.sink
