"""Backchannels: what listeners say to show that they listen, without taking the turn or wanting to interrupt."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_ENGLISH = """uh-huh, uhhuh, mm-hmm, mhm, mhmm, m-hm, mm, hm, hmm, aha, ah, oh, uh, um, er, yeah, yep, yup, yes,
    ok, o.k., okay, okey, right, sure, alright, all right, i see, got it, gotcha, go on"""
_GERMAN = """ja, jaja, jep, jo, genau, gut, klar, alles klar, stimmt, verstehe, ich verstehe, ach so, achso, aso, äh,
    ähm, öh"""
_FRENCH = """oui, ouais, d'accord, voilà, bien sûr, tout à fait, je vois, je comprends, mouais, mmh, hum, euh, ah bon"""
_SPANISH = """sí, vale, claro, ajá, ya, ya veo, entiendo, de acuerdo, exacto, bueno, mjm, eh"""

BACKCHANNELS: Final = frozenset(
    " ".join(phrase.split()) for language in (_ENGLISH, _GERMAN, _FRENCH, _SPANISH) for phrase in language.split(",")
)
"""Backchannels in English, German, French and Spanish, and hesitations. None of them refuses or asks to wait."""

_STRETCHED: Final = re.compile(r"([^\W\d])\1{2,}")  # "hmmmm"


def words(text: str) -> list[str]:
    """The words of `text`, without case, accents and punctuation; hyphens and apostrophes separate words.

    >>> words("Uh-huh, d'accord!")
    ['uh', 'huh', 'd', 'accord']
    """
    plain = _STRETCHED.sub(r"\1\1", text.casefold())
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return re.findall(r"\w+", plain)


class Ignored:
    """Phrases that do not count as saying something."""

    def __init__(self, phrases: Iterable[str]) -> None:
        self._phrases = {tuple(words(phrase)) for phrase in phrases} - {()}
        self._longest = max(map(len, self._phrases), default=0)

    def count(self, text: str) -> int:
        """How many words of `text` belong to none of the phrases."""
        said = words(text)
        place = counted = 0
        while place < len(said):
            size = self._match(said, place)
            counted += not size
            place += size or 1
        return counted

    def _match(self, said: list[str], place: int) -> int:
        """The number of words of the longest phrase that begins at word number `place`; 0 if none does."""
        sizes = range(min(self._longest, len(said) - place), 0, -1)
        return next((size for size in sizes if tuple(said[place : place + size]) in self._phrases), 0)
