"""Piper: voices that run on this machine, on one core some twenty times faster than real time.

The package is GPL-3.0-or-later. https://github.com/OHF-Voice/piper1-gpl
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from voiceflow import weights
from voiceflow.errors import MissingExtraError, WeightsError
from voiceflow.inference import loaded_models, shared_pool
from voiceflow.processors.tts.tts import TTS
from voiceflow.words import language_of

if TYPE_CHECKING:
    from piper import PiperVoice

    from voiceflow.call import Call

CATALOGUE_RATE = 22_050
"""The sample rate in Hz of every voice in the catalogue: that of Piper's quality `medium`."""
SLOWEST, FASTEST = 0.25, 4.0
THREADS = 4
"""Threads for one sentence at most: a voice gains little from more. Half of the cores are left to other calls."""

_BRACKETS = str.maketrans("[]", "  ")


class PiperTTS(TTS):
    """Speaks with a voice of Piper's: one of the catalogue by name, or an .onnx file with its .onnx.json beside it.

    `speed` is 1.0 as recorded, 2.0 twice as fast. `en_US-libritts_r-medium#12` is speaker 12 of a voice that has
    several. An unknown name falls back to the default voice with a warning, an unknown speaker to the first. A voice is
    loaded once per process.

    Unless a voice is named in the pipeline, it follows the language of the call: to a voice of the catalogue that is on
    this machine, and back.
    Raises `ValueError` for a speed outside 0.25 to 4; at start-up `WeightsError` for a voice that cannot be downloaded
    or loaded.
    """

    def __init__(self, voice: str = weights.DEFAULT_VOICE, speed: float = 1.0) -> None:
        super().__init__(voice)
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"speed {speed!r} is outside {SLOWEST:g} to {FASTEST:g}: 1.0 is as recorded")
        self.speed = speed
        self._name, self._speaker = _name_and_speaker(voice)
        self.rate = _rate(self._name)
        self._named = voice
        self._stand_in: PiperTTS | None = None
        """The instance whose voice is heard while the call is in a language that this one does not speak."""

    @property
    def model_key(self) -> str:
        """The voice's name: all speeds and speakers share one model."""
        return self._name

    def load(self) -> PiperVoice:
        try:
            import babel  # noqa: F401  # what writes numbers out
            import num2words  # noqa: F401
            import onnxruntime  # type: ignore[import-untyped]
            import phonenumbers  # noqa: F401
            from piper import PiperVoice
            from piper.config import PiperConfig
        except ImportError as error:
            raise MissingExtraError(self.name, "tts") from error
        files = weights.piper(self._name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, min(THREADS, (os.cpu_count() or 1) // 2))
        # Threads that spin while they wait for work take it from the other calls.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            config = PiperConfig.from_dict(json.loads(files.config.read_bytes()))
            session = onnxruntime.InferenceSession(str(files.onnx), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no type in common
            raise WeightsError(
                f"{files.onnx} is not a voice that Piper can load: {error}. Get the file again"
            ) from error
        return PiperVoice(session=session, config=config)

    async def open(self, call: Call) -> None:
        speakers = self.model.config.num_speakers
        if self._speaker is not None and self._speaker >= speakers:
            call.log.warning("%s has no speaker %d, using speaker 0 of %d", self._name, self._speaker, speakers)
        await super().open(call)

    async def close(self) -> None:
        if self._stand_in is not None:
            loaded_models.release([self._stand_in])

    async def follow(self, language: str, call: Call) -> None:
        own, heard = language_of(self._named), self._stand_in
        if language == own or not own or not self._may_follow(call):
            wanted = None
        elif heard is not None and language_of(heard.voice) == language:
            return
        else:
            wanted = await self._speaker_of(language, call) or heard
            if call.language != language:
                return
        if wanted is not heard:
            await self.close()
            self._stand_in, self.voice = wanted, wanted.voice if wanted else self._named

    def _may_follow(self, call: Call) -> bool:
        """Whether nobody has chosen this voice for the language in which the call is. What a route chooses holds for
        the language that it names; where it names none, the language is recognised."""
        chosen = self._named != weights.DEFAULT_VOICE
        return not chosen or (self._named == call.route.tts_voice and not call.spoken.is_fixed)

    async def _speaker_of(self, language: str, call: Call) -> PiperTTS | None:
        """An instance with a voice of `language`, loaded. None where there is none here."""
        name: str | None = await shared_pool().run(_voice_here, language)
        if name is None or self.rate != CATALOGUE_RATE:
            call.log.warning("no voice for the language %r is on this machine: %s goes on", language, self.voice)
            return None
        speaker = PiperTTS(name, self.speed)
        if hasattr(self, "call"):
            speaker.call = call
        try:
            await loaded_models.load([speaker])
        except Exception as error:
            call.log.warning("the voice %s cannot be loaded, %s goes on: %s", name, self.voice, error)
            return None
        call.log.info("the voice is %s from now on", name)
        return speaker

    def synthesize(self, text: str, voice: str) -> bytes:
        from piper.config import SynthesisConfig

        heard = self._stand_in or self
        piper: PiperVoice = heard.model
        speaker = heard._speaker if (heard._speaker or 0) < piper.config.num_speakers else None
        config = SynthesisConfig(speaker_id=speaker, length_scale=piper.config.length_scale / self.speed)
        # C takes neither halves of surrogate pairs nor NUL. Text in [[ ]] would be taken for phonemes.
        text = text.encode(errors="replace").decode().replace("\0", " ").translate(_BRACKETS)
        return b"".join(chunk.audio_int16_bytes for chunk in piper.synthesize(text, config))

    def list_voices(self) -> list[str]:
        """The names in the catalogue."""
        return weights.voices()


def _voice_here(language: str) -> str | None:
    """The first voice of a language, in the catalogue's order, that is on this machine. None: there is none."""
    voices = (model for model in weights.catalogue if model.kind == "piper" and language_of(model.name) == language)
    return next((model.name for model in voices if weights.where(model) is not None), None)


def _name_and_speaker(voice: str) -> tuple[str, int | None]:
    numbered = re.fullmatch(r"(.+)#(\d+)", voice)
    return (numbered[1], int(numbered[2])) if numbered else (voice, None)


def _rate(name: str) -> int:
    """The voice's sample rate in Hz. Linking needs it before the voice is loaded: a file's configuration tells it, and
    the catalogue's is known without downloading anything. Raises `WeightsError` for a configuration without a rate."""
    if not name.endswith(".onnx"):
        return CATALOGUE_RATE
    config = weights.piper(name).config
    try:
        return int(json.loads(config.read_bytes())["audio"]["sample_rate"])
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{config} does not describe a voice: it has no audio.sample_rate ({error!r})") from error
