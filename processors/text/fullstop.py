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
    DATES,
    MONTHS,
    NAMES,
    NEVER_LAST,
    NEVER_LAST_PAIRS,
    SOMETIMES_LAST,
    STARTERS,
)
from voiceflow.processors.text.places import CLOSES, MARK, OPENING

_LONGEST_WORD: Final = max(map(len, STARTERS | MONTHS))
_FIRST_WORD: Final = re.compile(rf"[{re.escape(OPENING)}]{{0,3}}([\w'’]*)")
_MARK: Final = re.compile(MARK)
_INITIALS: Final = re.compile(r"(?:[^\W\d_]{1,2}\.)+[^\W\d_]{1,2}")
_ROMAN: Final = re.compile(r"[IVXL]{2,6}")


def ends(text: str, start: int, place: re.Match[str], *, over: bool) -> bool | None:
    """Whether the sentence of `text` that begins at `start` ends at `place`; `over` if nothing follows `text`."""
    if place["newline"]:
        return True
    after = text[place.end() : place.end() + 1]
    if place["item"] is not None:
        return _item_begins(text, start, place, over=over)
    if not after and over:
        return True
    if place["own"]:
        return _own_ends(text, start, place, after)
    if not place["space"]:
        return _ends_without_space(text, start, place, after)
    if not any(map(str.isalnum, text[start : place.start()])):
        return False  # . . . And so on
    stop, closing = place["stop"], place["closing"]
    word = _word_before(text, start, place)
    if not closing and stop.strip(".… "):
        if word.lower() + stop in NAMES:
            return _sentence_begins(text, place.end(), over=over)
        is_quoted = text.count("«", start, place.start()) > text.count("»", start, place.start())
        return True if after or not is_quoted else None  # « Bonjour ! » closes after a space
    if stop == "." and not closing and _is_plain(word):
        return True
    if not after:
        return None
    if stop == "." and (not closing or _is_list_mark(text, start, place)):
        return _full_stop_ends(text, start, place, word, over=over)
    if closing[:1] == CLOSES.get(text[place.start() - 1]) or ("." in stop and not closing and after == "I"):
        return False  # [...] or I... I don't know
    return _is_capital(after)


def _item_begins(text: str, start: int, place: re.Match[str], *, over: bool) -> bool | None:
    """Whether the next item of the list whose item the sentence is begins at `place`: 1. First 2. Second."""
    mark = _MARK.match(text, start)
    if mark is None or place.start() < mark.end():
        return False
    if place["form"] is None:
        return False if over else None
    number, following = mark["number"], place["number"]
    is_next = int(following) == int(number) + 1 if (number + following).isdecimal() else _follows(following, number)
    last = text[start : place.start()].rsplit(maxsplit=1)[-1].lower()
    return is_next and place["form"] == mark["form"] and last not in BEFORE_ORDINAL


def _follows(letter: str, other: str) -> bool:
    return letter.isalpha() and other.isalpha() and ord(letter) == ord(other) + 1


def _own_ends(text: str, start: int, place: re.Match[str], after: str) -> bool | None:
    """Whether a mark that ends nothing but sentences does so before `after`. After the end of a quotation, a Japanese
    particle means that the sentence goes on."""
    if not after:
        return None
    before = text[max(start, place.start() - 1) : place.start()]
    if not before or (before.isdigit() and after.isdigit()):
        return False
    if text.count("《", start, place.start()) > text.count("》", start, place.start()):
        return False  # the title of a film
    return not (place["own_closing"].endswith(("」", "』")) and after in "とっでなのはがをにも")  # 「はい。」と言った


def _ends_without_space(text: str, start: int, place: re.Match[str], after: str) -> bool | None:
    """Whether a stop ends its sentence though no space follows it. It does at a newline, and in scripts without
    addresses; elsewhere the sentence goes on: 3.14, example.com."""
    if not after:
        return None
    before = text[max(start, place.start() - 1) : place.start()]
    is_between = place["stop"] == "." and "\u0370" <= before <= "\u1fff" and before.islower() and after.isupper()
    return after.isspace() or is_between


def _full_stop_ends(text: str, start: int, place: re.Match[str], word: str, *, over: bool) -> bool | None:
    """Whether a single full stop, which stands after `word` and before a space, ends its sentence."""
    lower, after = word.lower(), text[place.end()]
    if after in ".…":
        return _ellipsis_begins(text, place.end(), over=over)
    if not _is_capital(after) or re.split("['’]", lower)[-1] in NEVER_LAST or _is_list_mark(text, start, place):
        return False
    if after.isdigit() and (lower in BEFORE_NUMBER or (lower in DATES and word[0].isupper())):
        return False
    before = text[start : place.start() - len(word)].split()[-1:]
    last = before[0].lstrip(OPENING) if before else ""
    if f"{last.lower()} {lower}" in NEVER_LAST_PAIRS:
        return False
    initials = _INITIALS.fullmatch(word)
    if initials and word.islower() and lower not in SOMETIMES_LAST:
        return False
    if word == "I" and not last[:1].isupper():
        return True  # it is I
    is_letter = len(word) == 1 and word.isalpha()
    if initials or is_letter or lower in SOMETIMES_LAST or _ROMAN.fullmatch(word) or _is_plural(word):
        return _sentence_begins(text, place.end(), over=over)
    if word.isdigit() and len(word) <= 2:
        return _number_ends(text, place.end(), last, over=over)
    return True


def _number_ends(text: str, at: int, last: str, *, over: bool) -> bool | None:
    """Whether a sentence ends between a short number, after the word `last`, and the word at `at`. German writes
    ordinals with a full stop."""
    if last.lower() in BEFORE_ORDINAL:
        return _sentence_begins(text, at, over=over)
    following = _word_at(text, at, over=over)
    return None if following is None else following.lower() not in MONTHS


def _ellipsis_begins(text: str, at: int, *, over: bool) -> bool | None:
    """Whether the dots at `at` begin a sentence that leaves out its first words: ...and then."""
    following = text[at : at + 2]
    if text[at] == "…" or following == "..":
        return True
    return False if len(following) == 2 or over else None


def _is_list_mark(text: str, start: int, place: re.Match[str]) -> bool:
    """Whether all of the sentence up to `place` is the mark of an item in a list: 1. First."""
    mark = _MARK.match(text, start)
    return mark is not None and place.start() < mark.end()


def _word_before(text: str, start: int, place: re.Match[str]) -> str:
    return text[max(text.rfind(" ", start, place.start()) + 1, start) : place.start()].lstrip(OPENING)


def _is_plain(word: str) -> bool:
    """Whether `word` can only be an ordinary word, no abbreviation, whatever follows."""
    known = word in NEVER_LAST or word in SOMETIMES_LAST or word in BEFORE_NUMBER
    return len(word) > 4 and word.isalpha() and word.islower() and not known


def _is_plural(word: str) -> bool:
    """Whether `word` is a Spanish abbreviation of two words: EE. UU."""
    return len(word) == 2 and word.isupper() and word[0] == word[1]


def _is_capital(after: str) -> bool:
    """Whether a sentence may begin with the character `after`."""
    return not after.islower() and after not in ".,;:!?…)]}№"


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
    if len(found[1]) > _LONGEST_WORD:
        return ""
    if found.end() == len(text) and not over:
        return None
    return "" if text[found.end() : found.end() + 1] == "." and len(found[1]) == 1 else found[1]
