"""Marks: what the processes of a machine note for each other, so that something is done once whichever of them does it.

They share a folder in which each mark is a symbolic link that leads nowhere; its target is the text that is noted. The
operating system makes a link together with its text, and only one process can make one of a name, so no lock and no
server is needed. Links are read and never followed.

The folder's name comes from a key that the processes share, and its user alone can enter it. A folder of that name that
belongs to another user, is open to others or is a link itself is an error: whoever made it could remove marks.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

KEPT: Final = 86_400.0
"""Seconds for which a mark is kept."""
MANY: Final = 10_000
KEPT_OF_MANY: Final = 3_600.0
"""Seconds for which one is kept where there are more than `MANY`, so that sweeping them never takes long."""
SWEEP_EVERY: Final = 60.0
_OWNER: Final = "owner"
_NAME: Final = re.compile(r"voiceflow-[0-9a-f]{32}")


class SharedMarks:
    """The marks of the processes that share `key`. All methods raise `OSError` if the folder cannot be used."""

    def __init__(self, key: bytes, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = Path(tempfile.gettempdir(), f"voiceflow-{hashlib.sha256(b'marks' + key).hexdigest()[:32]}")
        self._clock = clock
        self._since: dict[str, float] | None = None
        """When this process first saw each mark. None: it has not looked yet."""
        self._swept = -SWEEP_EVERY

    def owner(self) -> str:
        """A random name of those who share the folder, made by the first of them."""
        return self.put(_OWNER, secrets.token_urlsafe(9))

    def put(self, name: str, text: str) -> str:
        """Note `text`, unless there is a mark of this name. Returns the text of the mark."""
        with self._opened() as folder:
            try:
                os.symlink(text, name, dir_fd=folder)
            except FileExistsError:
                return os.readlink(name, dir_fd=folder)
            finally:
                self._sweep(folder)
            return text

    def claim(self, name: str) -> bool:
        """Make a mark. False: there is one of this name already."""
        mine = secrets.token_urlsafe(9)
        return self.put(name, mine) == mine

    def get(self, name: str) -> str | None:
        """The text of a mark, if there is one."""
        with self._opened() as folder, suppress(FileNotFoundError):
            return os.readlink(name, dir_fd=folder)
        return None

    def remove(self) -> None:
        """Remove the folder, if that is possible."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The folder's descriptor. It is made where it is missing: somebody may have tidied up."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            found = os.fstat(descriptor)
            if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise PermissionError(errno.EPERM, "it belongs to another user or is open to others: remove it")
            os.utime(descriptor)  # so that nobody takes it for one that was left behind
            yield descriptor
        finally:
            os.close(descriptor)

    def _sweep(self, folder: int) -> None:
        """Remove the marks that have been kept for their time. The wall clock, which may be set, says only how old
        those are that were there before this process."""
        now = self._clock()
        if now < self._swept + SWEEP_EVERY:
            return
        self._swept = now
        names = set(os.listdir(folder)) - {_OWNER}
        if self._since is None:
            remove_left_behind()
            self._since = {name: now - _age(folder, name) for name in names}
        self._since = {name: self._since.get(name, now) for name in names}
        kept = KEPT if len(names) <= MANY else KEPT_OF_MANY
        for name, since in self._since.items():
            if now > since + kept:
                with suppress(FileNotFoundError):  # other processes sweep, too
                    os.unlink(name, dir_fd=folder)


def remove_left_behind() -> None:
    """Remove the folders of this user's that nobody has used for longer than `KEPT`: those of runs that were killed."""
    for folder in filter(_NAME.fullmatch, os.listdir(tempfile.gettempdir())):
        path = Path(tempfile.gettempdir(), folder)
        with suppress(OSError):
            found = path.lstat()
            unused = time.time() > found.st_mtime + KEPT
            if unused and found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode):
                shutil.rmtree(path, ignore_errors=True)


def _age(folder: int, name: str) -> float:
    """How old a mark is by the wall clock, in seconds. 0 if it is gone."""
    try:
        return max(0.0, time.time() - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime)
    except FileNotFoundError:
        return 0.0
