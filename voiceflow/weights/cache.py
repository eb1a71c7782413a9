"""The folder in which models are kept, and the SHA-256 sums of model files, there and elsewhere.

A file appears in the cache complete and verified, or not at all: it is written under another name, checked, and
renamed. One process at a time fills a model's folder, the others wait for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from voiceflow.errors import WeightsError
from voiceflow.logs import get_logger
from voiceflow.variables import variable

from .catalogue import File, Model

logger = get_logger(__name__)

WAIT = 1800.0
"""Seconds to wait for another process that fills the same folder: a download of 3 GB at 2 MB/s takes 25 minutes."""


class Poured:
    """A file that is being written to the cache, with the size and the SHA-256 sum of what was written so far."""

    def __init__(self, file: BinaryIO, expected: File) -> None:
        self._file = file
        self._expected = expected
        self._sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > (self._expected.size or 0):
            raise WeightsError(f"{self._expected.name} has more than the {self._expected.size} bytes expected")
        self._file.write(data)
        self._sha256.update(data)

    def check(self) -> None:
        """Raise WeightsError if what was written is not the file in the catalogue."""
        name, size, sha256 = self._expected.name, self._expected.size, self._expected.sha256
        if self.size != size:
            raise WeightsError(f"{name} has {self.size} bytes: expected {size}")
        if self.sha256 != sha256:
            raise WeightsError(f"{name} has the SHA-256 sum {self.sha256}: expected {sha256}")

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()


def root() -> Path:
    """$VOICEFLOW_CACHE, else the platform's folder for caches. A user who has no home, as in many containers, has a
    folder of their own among the temporary files.

    Raises WeightsError: that folder belongs to somebody else, or $VOICEFLOW_CACHE has no meaning here.
    """
    if named := variable("VOICEFLOW_CACHE"):
        return expanded(named)
    try:
        return _platforms()
    except RuntimeError:  # by Path.home
        return _temporary()


def _platforms() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "voiceflow"
    if sys.platform == "win32":
        return Path(variable("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "voiceflow" / "Cache"
    return Path(variable("XDG_CACHE_HOME") or Path.home() / ".cache") / "voiceflow"


def _temporary() -> Path:
    folder = Path(variable("TMPDIR") or "/tmp", f"voiceflow-cache-{os.getuid()}")
    with contextlib.suppress(OSError):  # what cannot be written is noticed when something is to be kept there
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise WeightsError(f"others can write to {folder}: set VOICEFLOW_CACHE to a folder for models")
    return folder


def expanded(path: str) -> Path:
    """The path, with ~ and ~NAME replaced. Raises WeightsError where there is no such home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise WeightsError(f"{path} needs a home folder, and there is none: write the whole path") from None


def folder_of(model: Model) -> Path:
    """Where a model is, if it is in the cache."""
    return root() / model.kind / model.name


def genuine(path: Path, file: File) -> bool:
    """Whether a file exists and has the size and the SHA-256 sum in the catalogue, which have to be known."""
    try:
        return path.stat().st_size == file.size and checksum(path) == file.sha256
    except OSError:
        return False


def checksum(path: Path) -> str:
    """The SHA-256 sum of a file. It is remembered until size or modification time change: 150 MB take 0.1 to 0.5 s."""
    stat = path.stat()
    known = _note(path)
    try:
        noted = json.loads(known.read_bytes())
        if (noted["size"], noted["mtime_ns"]) == (stat.st_size, stat.st_mtime_ns):
            return str(noted["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    _remember(path, stat, found)
    return found


def fill(model: Model, pour: Callable[[File, Poured], None]) -> Path:
    """Have `pour` write each file of the model that the cache lacks. Returns the model's folder in the cache.

    Raises WeightsError: the folder cannot be written, or a file is not the one in the catalogue.
    """
    folder = folder_of(model)
    try:
        with _alone(model):
            for left in folder.glob("*.part"):  # left by a process that was killed
                left.unlink()
            for file in model.files:
                if not genuine(folder / file.name, file):
                    _put(folder / file.name, file, pour)
    except OSError as error:
        raise WeightsError(
            f"cannot write to {folder}: {error.strerror or error}; set VOICEFLOW_CACHE to a folder with room"
        ) from error
    return folder


def _put(path: Path, file: File, pour: Callable[[File, Poured], None]) -> None:
    if path.exists():
        logger.warning("%s is corrupted: it is replaced", path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=f"{file.name}.", suffix=".part", dir=path.parent)
    try:
        with open(handle, "wb") as out:
            poured = Poured(out, file)
            pour(file, poured)
        poured.check()
        os.chmod(part, 0o644)  # mkstemp's files are for their owner only
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
            path.parent.rmdir()  # if it is empty
        raise
    _remember(path, path.stat(), poured.sha256)


def _note(path: Path) -> Path:
    """The file in which the SHA-256 sum of the file at `path` is remembered."""
    return root() / "verified" / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]


def _remember(path: Path, stat: os.stat_result, sha256: str) -> None:
    """Remember the SHA-256 sum of a file. Where the cache cannot be written, files are hashed at each start."""
    note = _note(path)
    told = {"path": str(path), "size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256}
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(suffix=".part", dir=note.parent)
        with open(handle, "w") as out:
            json.dump(told, out)
        os.replace(part, note)


@contextlib.contextmanager
def _alone(model: Model) -> Iterator[None]:
    """Hold the lock on this model's folder: only one process fills it at a time. A lock ends with its process."""
    try:
        import fcntl
    except ImportError:  # Windows: processes may both download, and the last one's files stay
        yield
        return
    locks = root() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / f"{model.kind}-{model.name}").open("w") as lock:
        until = time.monotonic() + WAIT
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise WeightsError(f"another process has been getting {model.name} for {WAIT:.0f} s") from None
            if not told:
                logger.info("waiting for another process that gets %s", model.name)
                told = True
            time.sleep(0.1)
        yield
