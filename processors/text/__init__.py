"""Prepares streamed text for speech: removes markdown and splits sentences."""

from voiceflow.processors.text.clean import CleanForSpeech, SpeechCleaner
from voiceflow.processors.text.split import SentenceSplitter, SplitSentences

__all__ = ["CleanForSpeech", "SentenceSplitter", "SpeechCleaner", "SplitSentences"]
