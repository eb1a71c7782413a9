"""`stream_keys` of the configuration file: what stream tokens are signed with, in place of a key of each run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Final

from voiceflow.errors import ConfigError

from .secrets import Secrets
from .yamlfile import Value

SHORTEST: Final = 32
"""Characters of a key."""
FEWEST_BITS: Final = 80
"""The least entropy that a key may have, as its characters suggest it: 32 random hexadecimal digits have about 115."""
HINT: Final = "make one by `openssl rand -base64 32`"


class StreamKey(Secrets, frozen=True, kw_only=True):
    """One key. Raises `ConfigError` if it can be guessed."""

    text: str

    def __post_init__(self) -> None:
        if len(self.text) < SHORTEST:
            raise ConfigError(f"expected {SHORTEST} characters or more, came {len(self.text)}: {HINT}")
        if _repeats(self.text) or _bits(self.text) < FEWEST_BITS:
            raise ConfigError(f"expected a random key, came one with a pattern: {HINT}")


def read_stream_keys(value: Value) -> tuple[StreamKey, ...]:
    """One key, or a list of them: the one that signs, and those that came before. Raises `ConfigError`, which does not
    show a key."""
    return tuple(_key(number, one) for number, one in enumerate(value.items(), 1) if one.text().strip())


def _key(number: int, value: Value) -> StreamKey:
    try:
        return StreamKey(text=value.text().strip())
    except ConfigError as error:
        raise value.error(f"key {number} of stream_keys: {error}") from None


def _repeats(text: str) -> bool:
    """Whether a text is another one, repeated."""
    return any(text[period:] == text[:-period] for period in range(1, len(text) // 2 + 1))


def _bits(text: str) -> float:
    """The entropy of a text, if each character was chosen by itself, or by its distance from the one before."""
    steps = [ord(second) - ord(first) for first, second in pairwise(text)]
    return min(_entropy(text), _entropy(steps)) * len(text)


def _entropy(items: Sequence[Hashable]) -> float:
    """Bits per item, by how often each occurs (Shannon)."""
    shares = [count / len(items) for count in Counter(items).values()]
    return -sum(share * math.log2(share) for share in shares)
