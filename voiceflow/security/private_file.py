"""Files that only their owner can read. Their folders may be among the temporary files, where others may make a folder
or a link of a name before us."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def make_private(file: Path, content: bytes) -> None:
    """Make `file`. Raises `OSError`, as where there is one already: no link is followed."""
    with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
        out.write(content)


def replace_private(file: Path, text: str) -> None:
    """Write `text` to `file` all at once: whoever reads it finds the old text or the new one. Its folder is made if it
    was removed. Raises `OSError`, as for a folder that others can enter."""
    file.parent.mkdir(mode=0o700, exist_ok=True)
    if not is_private(file.parent):
        raise PermissionError(errno.EPERM, "its folder belongs to another user or is open to others")
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    make_private(new, text.encode())
    new.replace(file)


def is_private(path: Path) -> bool:
    """Whether a path is no link, belongs to this user, and is closed to all others. Raises `OSError` if there is
    none."""
    found = path.lstat()
    return found.st_uid == os.getuid() and not stat.S_ISLNK(found.st_mode) and not found.st_mode & 0o077
