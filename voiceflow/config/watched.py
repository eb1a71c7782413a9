"""When a file that may change while the program runs is to be read again: once it has stopped changing."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, time
from typing import Final, NamedTuple

CHECK_EVERY: Final = 1.0
"""Seconds between two checks of whether a file has changed, and for which it must not have changed to be read. Editors
empty a file before they write it, and copying takes a while."""


class _Version(NamedTuple):
    """What differs after any change to a file, even if another file has replaced it."""

    modified: int
    size: int
    inode: int
    changed: float
    """When content or attributes were changed, by the clock on the wall. Programs cannot set it."""


class WatchedFile:
    """A file that is read at most once for each change to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begin()

    def begin(self) -> None:
        """The file is about to be read, as it is now: a change from now on is a new one."""
        self._read = self._seen = _version(self.path)
        self._checked = monotonic()

    def is_due(self) -> bool:
        """Whether the file has changed since it was read, and has stopped changing. True once for each change."""
        if monotonic() < self._checked + CHECK_EVERY:
            return False
        self._checked = monotonic()
        before, self._seen = self._seen, _version(self.path)
        # Lookups may be hours apart: what was last changed long before now has stopped changing, too.
        settled = self._seen == before or (self._seen is not None and time() - self._seen.changed >= CHECK_EVERY)
        due = settled and self._seen != self._read
        if due:
            self._read = self._seen
        return due

    def is_unchanged(self) -> bool:
        """Whether the file is still the one that was found to be due, or that `begin` saw."""
        return _version(self.path) == self._read


def _version(path: Path) -> _Version | None:
    """The version of a file. None: there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return _Version(stat.st_mtime_ns, stat.st_size, stat.st_ino, stat.st_ctime)
