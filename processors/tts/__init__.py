"""Speech synthesis: from sentences to audio with marks.

tts.py has the base class of all voices, speech.py runs `synthesize` for one sentence, fixed_phrases.py makes the
apology and the hold line, piper.py is the voices of Piper.
"""

from voiceflow.processors.tts.fixed_phrases import recorded
from voiceflow.processors.tts.piper import PiperTTS
from voiceflow.processors.tts.speech import Speech
from voiceflow.processors.tts.tts import TTS

__all__ = ["TTS", "PiperTTS", "Speech", "recorded"]
