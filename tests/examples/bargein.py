from voiceflow import Processor, SpeechStarted, SpeechStopped, Transcript
from voiceflow.processors.bargein import BargeIn

from . import Example

SPEECH = (SpeechStarted(0.34), SpeechStopped(0.7), SpeechStarted(0.34))
WORDS = (Transcript("no", final=False), Transcript("no wait"), Transcript("stop"), Transcript("uh-huh"))

EXAMPLES: dict[type[Processor], list[Example]] = {
    BargeIn: [
        Example(BargeIn, SPEECH),
        Example(lambda: BargeIn(min_speech=0.5), SPEECH),
        Example(lambda: BargeIn(min_words=2), WORDS),
    ],
}
