"""Speech recognition: from the caller's audio to transcripts."""

from voiceflow.processors.stt.stt import STT
from voiceflow.processors.stt.transcriber import Transcription
from voiceflow.processors.stt.whisper import WhisperSTT

__all__ = ["STT", "Transcription", "WhisperSTT"]
