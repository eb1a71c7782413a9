"""Paths that need no authentication, with all that is below them.

A path is compared by its segments, as it is written. One that a proxy or an application might take for another path is
never among them: with an empty segment, `.` or `..`, a backslash, or an escaped separator.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from voiceflow.errors import ConfigError

_PATH: Final = re.compile(r"(/[^/\\?#*%\s]+)+/?")
_AMBIGUOUS: Final = re.compile(rb"%(2f|5c|2e|25|00|3b)|\\", re.IGNORECASE)


class PathPrefixes:
    """Paths, with all that is below them."""

    def __init__(self, paths: Collection[str]) -> None:
        """Raises `ConfigError` for a path that cannot be meant."""
        self._paths = tuple(map(excluded_path, [paths] if isinstance(paths, str) else paths))

    def has(self, scope: Mapping[str, Any]) -> bool:
        """Whether the path of a request, below the application's own, is among them."""
        path: str = scope["path"]
        root = scope.get("root_path", "")
        if root and (path == root or path.startswith(f"{root}/")):
            path = path[len(root) :]
        if not any(path == one or path.startswith(f"{one}/") for one in self._paths):
            return False
        raw = (scope.get("raw_path") or b"").partition(b"?")[0]
        inner = path.split("/")[1:]
        return (
            _AMBIGUOUS.search(raw) is None
            and "\\" not in path
            and "%" not in path
            and not any(segment in (".", "..") for segment in inner)
            and "" not in inner[:-1]  # the last one is, after a slash at the end
        )


def excluded_path(path: str) -> str:
    """A path to be excluded, without a slash at its end. Raises `ConfigError`."""
    if _PATH.fullmatch(path) is None or any(segment in (".", "..") for segment in path.split("/")):
        raise ConfigError(f"{path!r} cannot be excluded: expected a path such as /health, with what is below it")
    return path.rstrip("/")
