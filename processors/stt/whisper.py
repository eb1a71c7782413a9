"""Whisper on this machine, by faster-whisper.

Its model looks at 30 s at a time, however short the utterance, so all utterances take about equally long. Time stamps
inside the text are switched off: with them, noise becomes one sentence repeated over and over. It decodes once, at
temperature 0: to try again at higher temperatures when that fails takes long and gives made-up text.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voiceflow import weights
from voiceflow.audio import CANONICAL
from voiceflow.errors import AudioCodecError, MissingExtraError, WeightsError
from voiceflow.processors.stt.stt import STT
from voiceflow.processors.stt.transcriber import Transcription
from voiceflow.words import code_of

if TYPE_CHECKING:
    from voiceflow.call import Call

THREADS = 4
"""Cores that one transcription uses at most: a small model gains little from more."""
TOKENS, TOKENS_PER_SECOND, MOST_TOKENS = 24, 12, 224
"""How many tokens the text of an utterance may have: `TOKENS`, and `TOKENS_PER_SECOND` more for each second, but
`MOST_TOKENS` at most. English has five a second; a text with more than twice as many repeats itself, which would take
seconds."""

NO_SPEECH = 0.6
"""Text is made up if the probability that nobody speaks is above this, and the text itself is improbable (next)."""
LOG_PROBABILITY = -1.0
"""The mean log probability of its tokens below which text is improbable. Both limits are Whisper's own."""
WILD_GUESS = -1.5
"""Text less probable than this is made up even if the sound may be speech: it was music, for instance."""
COMPRESSION = 2.4
"""Text that compresses by more than this factor is made up: it repeats itself."""


class WhisperSTT(STT):
    """Speech recognition by Whisper.

    `model` is tiny, base, small, medium or large-v3 (tiny.en to medium.en know only English), or the folder of a model
    for CTranslate2. It is loaded once per process, and downloaded if need be. `language` is a code such as "de"; None
    (or "auto") detects that of each utterance, which takes nearly twice the time and errs on short ones. `beam_size`
    candidates are weighed against each other: in noise five give less than half the errors of one, for a tenth more
    time. `device` and `compute_type` are CTranslate2's: "cuda" and "float16" for a GPU.

    Silence, noise and music give no text, by Whisper's own estimates of how probable speech and the text are.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = "base",
        language: str | None = "en",
        *,
        beam_size: int = 5,
        device: str = "cpu",
        compute_type: str = "int8",
        interims: bool = False,
    ) -> None:
        super().__init__(interims=interims)
        self._name = os.fspath(model)
        self._language = None if language in (None, "auto") else code_of(language or "")
        self._beam_size = beam_size
        self._device, self._compute_type = device, compute_type

    @property
    def model_key(self) -> Any:
        """What is loaded: calls in different languages and with different beams share one model."""
        return self._name, self._device, self._compute_type

    async def open(self, call: Call) -> None:
        await super().open(call)
        self._check_language(self.model)

    def load(self) -> Any:
        """The model, a `faster_whisper.WhisperModel`.

        Raises `MissingExtraError`, `WeightsError`, and `ValueError` for a language that it does not know.
        """
        try:
            from faster_whisper import WhisperModel  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingExtraError("WhisperSTT", "stt") from error
        folder = weights.whisper(self._name)
        if not os.path.isfile(folder / "tokenizer.json"):  # faster-whisper would look for one on the network
            raise WeightsError(f"{folder} is not a Whisper model for faster-whisper: it has no tokenizer.json")
        cores = os.cpu_count() or 1
        threads = min(THREADS, cores)
        try:
            model = WhisperModel(
                str(folder),
                device=self._device,
                compute_type=self._compute_type,
                cpu_threads=threads,
                num_workers=max(1, cores // threads),
            )
        except Exception as error:  # CTranslate2 and the tokenizer each raise exceptions of their own
            raise _unusable(folder, error) from error
        self._check_language(model)
        return model

    def transcribe(self, audio: bytes, rate: int) -> Transcription:
        """The text of `audio`, 16-bit PCM at 16 000 Hz. Raises `AudioCodecError` for another rate."""
        if rate != CANONICAL.rate:
            raise AudioCodecError(f"Whisper takes audio at {CANONICAL.rate} Hz, not at {rate} Hz: convert it first")
        samples = np.frombuffer(audio, "<i2").astype(np.float32)
        samples /= 32_768
        segments, info = self.model.transcribe(
            samples,
            language=self._language,
            beam_size=self._beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
            max_new_tokens=min(MOST_TOKENS, TOKENS + TOKENS_PER_SECOND * len(samples) // rate),
            no_speech_threshold=None,  # is_made_up judges: faster-whisper would drop the probability, too
            log_prob_threshold=None,
            compression_ratio_threshold=None,
        )
        heard = list(segments)  # this is where the work is done
        return Transcription(
            " ".join(segment.text.strip() for segment in heard if not is_made_up(segment)),
            no_speech_probability=max((segment.no_speech_prob for segment in heard), default=1.0),
            language=info.language,
        )

    def _check_language(self, model: Any) -> None:
        """Raise `ValueError` if `model` does not know the language. Called when the model is loaded, so that a server
        does not start, and in each call, which may ask the same model for another language."""
        if self._language is not None and self._language not in model.supported_languages:
            known = ", ".join(sorted(model.supported_languages))
            raise ValueError(f"Whisper {self._name} does not know the language {self._language!r}: use one of {known}")


def is_made_up(segment: Any) -> bool:
    """Whether Whisper has made up the text of `segment`, where nobody spoke."""
    if segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < LOG_PROBABILITY:
        return True
    return bool(segment.compression_ratio > COMPRESSION or segment.avg_logprob < WILD_GUESS)


def _unusable(folder: Path, error: Exception) -> WeightsError:
    return WeightsError(
        f"the Whisper model in {folder} cannot be loaded ({error}): it is damaged or of another kind. Delete that "
        f"folder and let it be downloaded again, or name another model"
    )
