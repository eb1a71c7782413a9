from voiceflow import CANONICAL, AudioFormat, Processor
from voiceflow.processors.codec import Convert

from . import Example, speech_like

MULAW = AudioFormat("mulaw", 8000)

EXAMPLES: dict[type[Processor], list[Example]] = {
    Convert: [
        Example(lambda: Convert(CANONICAL), speech_like(MULAW)),
        Example(lambda: Convert(MULAW), speech_like(AudioFormat("pcm16", 22_050))),
        Example(lambda: Convert(CANONICAL), (*speech_like(MULAW, 2), *speech_like(AudioFormat("pcm16", 48_000, 2), 2))),
        Example(lambda: Convert(CANONICAL), speech_like(CANONICAL, 2)),
    ],
}
