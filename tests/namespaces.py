"""Processes in namespaces of their own (Linux): with another user, another file system, another network."""

from __future__ import annotations

import functools
import shutil
import subprocess

import pytest

NOBODY = 54321
"""The number of a user who has no name and no home."""
READ_ONLY = 'mount --make-rprivate / && mount -o remount,bind,ro / && exec "$@"'


def without_a_name() -> list[str]:
    """The beginning of a command that is run as a user without a name, who may read what we may."""
    return _usable(["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"])


def read_only() -> list[str]:
    """The beginning of a command that is run where no file of the root can be written."""
    return _usable(["unshare", "--map-root-user", "--mount", "sh", "-c", READ_ONLY, "sh"])


def _usable(command: list[str]) -> list[str]:
    if (problem := _problem(tuple(command))) is not None:
        pytest.skip(f"no such namespace can be made here: {problem}")
    return command


@functools.cache
def _problem(command: tuple[str, ...]) -> str | None:
    """Why commands cannot be run so; None if they can."""
    if shutil.which(command[0]) is None:
        return f"there is no {command[0]}"
    done = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else None
