"""Keys of a configuration file that nobody knows: which known one was meant.

Most are ignored with a warning. A key that may stand for one of `SECURITY`, or stands below one, is an error: the
server would start without what was to guard it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Final, TypeAlias

Warn: TypeAlias = Callable[[str], object]
"""Is told of each unknown key, in a sentence that names file, line and key."""

ALIKE: Final = 0.8
"""How alike, of 1, a word of a known key and an unknown key must be for the known one to be named."""

SECURITY: Final = frozenset(
    {"allowed_origins", "auth", "auth_exclude", "provider_config", "stream_keys", "transfer_to"}
)
"""Keys that say who may come in, how they show who they are, and whom they may call."""
OF_ROUTES: Final = "transfer_to"
"""The one among them that stands below a number, and not at the top."""
BEGINNINGS: Final = ("allow", "auth", "cors")
"""How keys begin that are probably meant to say so."""


def guards(name: str, known: Iterable[str]) -> bool:
    """Whether an unknown key may stand for one of `SECURITY` that is among the `known`."""
    return _plain(name).startswith(BEGINNINGS) or nearest(name, known) in SECURITY or _is_of_routes(name)


def hint(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Which key was meant by an unknown one, or all that there are."""
    known = list(known)
    if near := nearest(name, known):
        return f"did you mean {prefix}{near}?"
    if not prefix and _is_of_routes(name):
        return f"did you mean {OF_ROUTES} of a number, below that number in dids?"
    return f"known here: {', '.join(known)}"


def nearest(name: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The known key that `name` probably stands for: one that is at least so much `alike`, or one of whose words it is,
    as `voice` is of `tts_voice`."""
    plain = _plain(name)
    keys = {key.lower(): key for key in known}
    if near := get_close_matches(plain, keys, n=1, cutoff=alike):
        return keys[near[0]]
    words = {word: key for key in reversed(keys.values()) for word in key.lower().split("_")}
    near = get_close_matches(plain, words, n=1, cutoff=ALIKE)
    return words[near[0]] if near else None


def _is_of_routes(name: str) -> bool:
    return nearest(name, [OF_ROUTES], ALIKE) is not None


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
