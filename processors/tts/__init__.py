"""Speech synthesis: from sentences to audio with marks.

tts.py is the interface and what all voices share, speech.py one sentence's way through `synthesize`, lines.py the
apology and the hold line, piper.py Piper.
"""

from voiceflow.processors.tts.piper import PiperTTS
from voiceflow.processors.tts.speech import Speech
from voiceflow.processors.tts.tts import TTS

__all__ = ["TTS", "PiperTTS", "Speech"]
