"""The words of a call by a carrier, which tells none: those of the script, and what Whisper hears in the recordings."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from voiceflow import weights
from voiceflow.audio import CANONICAL
from voiceflow.errors import VoiceflowError
from voiceflow.frames import AudioRaw
from voiceflow.logs import get_logger
from voiceflow.processors.codec import convert
from voiceflow.simulator.report import Said
from voiceflow.simulator.script import CallerPart
from voiceflow.simulator.turns import SpokenLine

log = get_logger("voiceflow.cli")

MARGIN = 0.1
"""Seconds around each stretch of speech that are transcribed with it."""
SOUND = "(speech)"
"""What is shown of speech whose words are not known."""


def transcript(
    lines: Sequence[SpokenLine], said: AudioRaw, heard: AudioRaw, part: CallerPart, language: str | None
) -> list[Said]:
    """The conversation in words, as far as they are known. `part` is what the caller did."""
    whisper = _whisper(language) if lines else None
    found = []
    with Console(stderr=True).status("transcribing"):
        for line in lines:
            known = part.texts(line.start - MARGIN, line.end) if line.who == "caller" else []
            if known and None not in known:
                text = " ".join(filter(None, known))
            else:
                text = _words(whisper, said if line.who == "caller" else heard, line) if whisper else SOUND
            found.append(Said(line.who, text or SOUND, line.interrupted, at_seconds=round(line.start, 2)))
    return found


def _whisper(language: str | None) -> Any:
    """A recogniser, if one is here: a transcript is no reason to download it. None: there is none."""
    if importlib.util.find_spec("faster_whisper") is None:
        return None
    try:
        model = next(m for m in weights.catalogue if (m.kind, m.name) == ("whisper", weights.DEFAULT_WHISPER))
        if weights.where(model) is None:
            return None
        from voiceflow.processors.stt.whisper import WhisperSTT

        whisper = WhisperSTT(language=language or "en")
        whisper.model = whisper.load()
    except (VoiceflowError, ValueError) as error:
        log.warning("the call is not transcribed: %s", error)
        return None
    return whisper


def _words(whisper: Any, audio: AudioRaw, line: SpokenLine) -> str:
    start, end = (round(seconds * audio.format.rate) for seconds in (max(0.0, line.start - MARGIN), line.end + MARGIN))
    piece = convert(AudioRaw(audio.samples[start:end].tobytes(), audio.format), CANONICAL)
    return str(whisper.transcribe(piece.data, CANONICAL.rate).text)
