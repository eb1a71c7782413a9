"""Steps of a pipeline: `from voiceflow.processors import BargeIn, PiperTTS, SileroVAD, WhisperSTT`.

A subpackage is imported when one of its names is first asked for, so that a pipeline loads only what it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voiceflow.processors.bargein import BargeIn
    from voiceflow.processors.dialog import Dialog, Greeting
    from voiceflow.processors.llm import LLM, AutoLLM, ClaudeLLM, Message, OllamaLLM, OpenAILLM, ToolCall
    from voiceflow.processors.stt import STT, Transcription, WhisperSTT
    from voiceflow.processors.text import CleanForSpeech, SplitSentences
    from voiceflow.processors.tts import TTS, PiperTTS, Speech
    from voiceflow.processors.vad import VAD, EnergyVAD, SileroVAD

_SUBPACKAGES = {
    "dialog": ("Dialog", "Greeting"),
    "llm": ("LLM", "AutoLLM", "ClaudeLLM", "Message", "OllamaLLM", "OpenAILLM", "ToolCall"),
    "stt": ("STT", "Transcription", "WhisperSTT"),
    "text": ("CleanForSpeech", "SplitSentences"),
    "tts": ("TTS", "PiperTTS", "Speech"),
    "bargein": ("BargeIn",),
    "vad": ("VAD", "EnergyVAD", "SileroVAD"),
}
_SUBPACKAGE_OF = {name: subpackage for subpackage, names in _SUBPACKAGES.items() for name in names}

__all__ = [
    "LLM",
    "STT",
    "TTS",
    "VAD",
    "AutoLLM",
    "BargeIn",
    "ClaudeLLM",
    "CleanForSpeech",
    "Dialog",
    "EnergyVAD",
    "Greeting",
    "Message",
    "OllamaLLM",
    "OpenAILLM",
    "PiperTTS",
    "SileroVAD",
    "Speech",
    "SplitSentences",
    "ToolCall",
    "Transcription",
    "WhisperSTT",
]


def __getattr__(name: str) -> Any:
    if name not in _SUBPACKAGE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_SUBPACKAGE_OF[name]}"), name)
