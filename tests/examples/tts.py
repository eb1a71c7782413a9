from tts.voices import Letters, tiny

from voiceflow import LLMEnd, LLMText, Processor
from voiceflow.processors.tts import TTS, PiperTTS

from . import Example

FEED = (LLMText("Hello the"), LLMText("re. How are"), LLMEnd(), LLMText("Fine. And "))

EXAMPLES: dict[type[Processor], list[Example]] = {
    TTS: [Example(Letters, FEED)],
    PiperTTS: [Example(lambda: PiperTTS(str(tiny())), FEED)],
}
