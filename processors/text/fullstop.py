"""Decides whether a sentence ends at a place in the text.

Answers are True, False, or None where the text that follows must be seen first. An answer holds whatever is appended
to the text. In doubt the sentence goes on: a missing pause is less noticeable than a sentence that falls apart.
"""

from __future__ import annotations

import re
from typing import Final

from voiceflow.processors.text.abbreviations import (
    BEFORE_NUMBER,
    BEFORE_ORDINAL,
    MONTHS,
    NEVER_LAST,
    SOMETIMES_LAST,
    STARTERS,
)

NEWLINE: Final = r"[\n\r\v\f\x85\u2028\u2029]"
_CLOSING: Final = r"""["'”’“‘»«›‹)\]}*_]"""  # “ and « close in German; * and _ are emphasis
_WIDE_CLOSING: Final = r"""[」』”’）】》"')\]]"""
_OPENING: Final = "\"'“‘„«»‹›([{¿¡*_"

# Runs are bounded, and so is the text that is held back while it waits for the end of one.
PLACE: Final = re.compile(
    rf"(?P<newline>{NEWLINE})"
    rf"|(?P<wide>[。！？｡।][。！？｡।…]{{0,15}})(?P<wide_closing>{_WIDE_CLOSING}{{0,8}})"
    rf"|(?P<stop>[.!?…‽؟]{{1,16}})(?P<closing>{_CLOSING}{{0,8}}(?: [»›])?)(?P<space> ?)"
    rf"|(?P<clause>(?:[,;:]{_CLOSING}{{0,8}}|(?<= )[-–—]{{1,3}}) |[，；：、])"
)
"""Where a sentence, or one of its clauses, may end. The text must have no two spaces in a row."""

_LONGEST_STARTER: Final = max(map(len, STARTERS | MONTHS))
_FIRST_WORD: Final = re.compile(rf"[{re.escape(_OPENING)}]{{0,3}}([\w'’]*)")
_LIST_NUMBER: Final = re.compile(r"\d{1,2}\.\s?")
_INITIALS: Final = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")


def ends(text: str, start: int, place: re.Match[str], *, over: bool) -> bool | None:
    """Whether the sentence of `text` that begins at `start` ends at `place`; `over` if nothing follows `text`."""
    if place["newline"]:
        return True
    after = text[place.end() : place.end() + 1]
    if not after and over:
        return True
    if place["wide"]:
        return _wide_ends(place["wide_closing"], after)
    if not place["space"]:
        return after.isspace() if after else None  # at a newline; without a space it goes on: 3.14, example.com
    stop, closing = place["stop"], place["closing"]
    word = _word_before(text, start, place)
    if not closing and stop.strip(".…"):
        is_quoted = text.count("«", start, place.start()) > text.count("»", start, place.start())
        return True if after or not is_quoted else None  # « Bonjour ! » closes after a space
    if stop == "." and not closing and _is_plain(word):
        return True
    if not after:
        return None
    if stop == "." and not closing:
        return _full_stop_ends(text, start, place, word, over=over)
    if "." in stop and not closing and after == "I":
        return False  # I... I don't know
    return _is_capital(after)


def _wide_ends(closing: str, after: str) -> bool | None:
    """Whether a full stop of Chinese or Japanese, which have no spaces, ends its sentence before `after`. After the end
    of a quotation, a Japanese particle means that the sentence goes on."""
    if not after:
        return None
    return not (closing.endswith(("」", "』")) and after in "とっでなのはがをにも")  # 「はい。」と言った


def _full_stop_ends(text: str, start: int, place: re.Match[str], word: str, *, over: bool) -> bool | None:
    """Whether a single full stop, which stands after `word` and before a space, ends its sentence."""
    lower, after = word.lower(), text[place.end()]
    if not _is_capital(after) or lower in NEVER_LAST or (lower in BEFORE_NUMBER and after.isdigit()):
        return False
    if _LIST_NUMBER.fullmatch(text, start, place.end()):
        return False  # 1. First
    initials = _INITIALS.fullmatch(word)
    if initials and word.islower() and lower not in SOMETIMES_LAST:
        return False
    if initials or lower in SOMETIMES_LAST or (len(word) == 1 and word.isalpha() and word != "I"):
        return _sentence_begins(text, place.end(), over=over)
    if word.isdigit() and len(word) <= 2:
        before = text[start : place.start() - len(word)].lower().split()
        if before and before[-1].lstrip(_OPENING) in BEFORE_ORDINAL:
            return _sentence_begins(text, place.end(), over=over)
        following = _word_at(text, place.end(), over=over)
        return None if following is None else following.lower() not in MONTHS
    return True


def _word_before(text: str, start: int, place: re.Match[str]) -> str:
    return text[max(text.rfind(" ", start, place.start()) + 1, start) : place.start()].lstrip(_OPENING)


def _is_plain(word: str) -> bool:
    """Whether `word` can only be an ordinary word, no abbreviation, whatever follows."""
    known = word in NEVER_LAST or word in SOMETIMES_LAST or word in BEFORE_NUMBER
    return len(word) > 4 and word.isalpha() and word.islower() and not known


def _is_capital(after: str) -> bool:
    """Whether a sentence may begin with the character `after`."""
    return not after.islower() and after not in ".,;:!?…)]}"


def _sentence_begins(text: str, at: int, *, over: bool) -> bool | None:
    """Whether the word at `at` begins a sentence, rather than being a name."""
    word = _word_at(text, at, over=over)
    if word is None:
        return None
    return word[:1].isupper() and word.lower().replace("’", "'") in STARTERS


def _word_at(text: str, at: int, *, over: bool) -> str | None:
    """The word at `at`; empty for an initial, or for a word too long to be in a table. None if it may go on."""
    found = _FIRST_WORD.match(text, at)
    assert found is not None
    if len(found[1]) > _LONGEST_STARTER:
        return ""
    if found.end() == len(text) and not over:
        return None
    return "" if text[found.end() : found.end() + 1] == "." and len(found[1]) == 1 else found[1]
