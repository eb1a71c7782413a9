"""Says a sentence in a language."""

from __future__ import annotations

import importlib.util
import unicodedata
from typing import TYPE_CHECKING, Final

from voiceflow.processors.spoken.spoken import Piece, Spoken

if TYPE_CHECKING:
    from voiceflow.processors.spoken.rules import Rules

LANGUAGES: Final = ("en", "de", "fr", "es")
"""The languages whose numbers, dates and so on are written out."""
_PACKAGES: Final = ("babel", "num2words", "phonenumbers")

_rules: dict[str, Rules | None] = {}
"""The rules of each language that was asked for; None if there are none."""


def speak(text: str, language: str = "") -> Spoken:
    """`text` as it is said in `language`, a tag such as en-US. In other languages than `LANGUAGES`, and without the
    packages of the extra `tts`, only digits of other scripts are written as 0 to 9. The first call for a language loads
    what it needs, which takes some 0.1 s.

    >>> speak("It is 25 °C.", "en").text
    'It is twenty-five degrees Celsius.'
    """
    if not is_ready(language):
        _rules[language] = _load(language)
    new = [char if char.isascii() else _plain(char) for char in text]
    plain = "".join(char if len(char) == 1 else " " for char in new)  # as long as the text
    rules = _rules[language]
    pieces = rules.pieces(plain) if rules is not None else []
    taken = {at for piece in pieces for at in range(piece.start, piece.end)}
    digits = [
        Piece(at, at + 1, said)
        for at, (written, said) in enumerate(zip(text, new, strict=True))
        if written != said and at not in taken
    ]
    return Spoken(text, pieces + digits)


def is_ready(language: str) -> bool:
    """Whether nothing has to be loaded to speak `language`."""
    return language in _rules


def _load(language: str) -> Rules | None:
    code, _, region = language.replace("_", "-").partition("-")
    if code not in LANGUAGES or not all(importlib.util.find_spec(package) for package in _PACKAGES):
        return None
    from voiceflow.processors.spoken.languages import GRAMMARS
    from voiceflow.processors.spoken.rules import Rules

    return Rules(GRAMMARS[code](region.upper()))


def _plain(char: str) -> str:
    """A digit of any script as 0 to 9, and what is written in a circle or wide for Chinese as elsewhere: ① ５ ％."""
    if unicodedata.category(char) == "Nd":
        return str(unicodedata.digit(char))
    is_form = unicodedata.decomposition(char).startswith(("<circle>", "<wide>"))
    return unicodedata.normalize("NFKC", char) if is_form else char
