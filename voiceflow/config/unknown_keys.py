"""Keys of a configuration file that nobody knows: which known one was meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Final, TypeAlias

Warn: TypeAlias = Callable[[str], object]
"""Is told of each unknown key, in a sentence that names file, line and key."""

ALIKE: Final = 0.8
"""How alike, of 1, a word of a known key and an unknown key must be for the known one to be named."""


def nearest(name: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The known key that `name` probably stands for: one that is at least so much `alike`, or one of whose words it is,
    as `voice` is of `tts_voice`."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    keys = {key.lower(): key for key in known}
    if near := get_close_matches(plain, keys, n=1, cutoff=alike):
        return keys[near[0]]
    words = {word: key for key in reversed(keys.values()) for word in key.lower().split("_")}
    near = get_close_matches(plain, words, n=1, cutoff=ALIKE)
    return words[near[0]] if near else None
