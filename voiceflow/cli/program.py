"""The name of this program in commands that it prints, which are to work when they are copied."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

NAME = "voiceflow"


def program() -> str:
    """`voiceflow` where that leads to this program, else how it was started: by its path, or as a module."""
    started = Path(sys.argv[0])
    if started.name not in (NAME, "__main__.py"):
        return NAME  # it is no program: a test, or a program of the user's that calls a command
    ours = started if started.name == NAME else Path(sys.executable).with_name(NAME)
    found = shutil.which(NAME)
    if found is not None and os.path.exists(ours) and os.path.samefile(found, ours):
        return NAME
    return shlex.join([sys.executable, "-m", NAME] if ours is not started else [str(started)])
