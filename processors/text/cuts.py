"""Decides what to remove from a text, where the text alone tells it, without the state of a `SpeechCleaner`."""

from __future__ import annotations

import html
import string
from typing import NamedTuple

from voiceflow.processors.text import markup


class Cut(NamedTuple):
    """What to do with the next characters of a text."""

    size: int
    """How many characters are done with."""
    say: str = ""
    """Text to pass on in their place."""
    again: str = ""
    """Text to clean in their place."""
    space: bool = False
    """Whether a space follows what is passed on."""
    removed: bool = False
    """Whether punctuation after them has nothing to close."""


WAIT = Cut(0)
"""Nothing can be decided until more text has arrived."""


def is_open(text: str, end: int, size: int, *, over: bool) -> bool:
    """Whether the run of `size` characters that ends at `end` may go on in the next piece of text."""
    return end == len(text) and size < markup.HOLD and not over


def may_close(text: str, at: int, hold: int, *, over: bool) -> bool:
    """Whether the bracket at `at` may still be closed, on its line and within `hold` characters."""
    return not over and len(text) - at < hold and not any(char in markup.NEWLINES for char in text[at:])


def fence(text: str, at: int, end: int, *, over: bool) -> Cut | None:
    """The cut for a fence of code from `at` to `end`: the whole line, or only the fence if the line goes on with code.
    None for fewer than three characters, which are no fence."""
    if is_open(text, end, end - at, over=over):
        return WAIT
    if end - at < 3:
        return None
    info = markup.INFO.match(text, end)
    assert info is not None
    if info.end() == len(text) and not over:
        return WAIT
    after = text[info.end() : info.end() + 1]
    is_line = after in markup.NEWLINES if after else " " not in info[0].strip()
    return Cut((info.end() if is_line else end) - at)


def is_said(run: str, before: str, after: str) -> bool:
    """Whether a run of `*`, `_`, `~`, `=` or a backslash between these characters is text rather than markup."""
    if len(run) >= markup.HOLD or run[0] == "`":
        return False
    if run[0] == "~":
        return len(run) != 2
    if run[0] == "=":
        return len(run) != 2 or before.isalnum() == after.isalnum()  # a == b
    if run[0] == "\\":
        return after not in string.punctuation and not after.isspace()
    if before.isspace() and after.isspace():
        return run == "*"  # 2 * 3
    if not (before + after).isascii() and (is_wide(before) or is_wide(after)):
        return False  # 这是**重要**的
    is_within = (before.isalnum() or before == ")") and (after.isalnum() or after == "(")
    return is_within and (run in ("*", "_", "__") or after.isdigit())  # 2*3, snake_case, 2**3


def is_wide(char: str) -> bool:
    """Whether `char` is Chinese, Japanese, Korean or a full-width form."""
    return "\u2e80" <= char <= "\u9fff" or "\uac00" <= char <= "\ud7af" or "\uff00" <= char <= "\uffef"


def entity(text: str, at: int, *, over: bool) -> Cut:
    """The cut for the `&` at `at`, which may begin a character reference such as `&amp;`."""
    entity = markup.ENTITY.match(text, at)
    if entity is None:
        return WAIT if not over and markup.ENTITY_BEGINS.match(text, at) else Cut(1, "&")
    decoded = html.unescape(entity[0])
    if decoded == entity[0]:
        return Cut(1, "&")
    return Cut(len(entity[0]), "<") if decoded == "<" else Cut(len(entity[0]), again=decoded)
