"""Text on its way to speech: markdown removed, sentences split, as a stream."""

from voiceflow.processors.text.clean import CleanForSpeech, SpeechCleaner
from voiceflow.processors.text.split import SentenceSplitter, SplitSentences

__all__ = ["CleanForSpeech", "SentenceSplitter", "SpeechCleaner", "SplitSentences"]
