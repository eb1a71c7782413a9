"""Addresses of e-mail and the web, names of files, telephone numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import phonenumbers
from phonenumbers import Leniency, PhoneNumberMatcher

from voiceflow.processors.spoken.grammar import Grammar
from voiceflow.processors.spoken.spoken import Piece

_DOMAINS: Final = "com|org|net|edu|gov|io|ai|app|dev|de|at|ch|fr|es|it|eu|uk|us|co|info|mx|be|ca|nl|pl|jp|cn|in|br"
_ENDINGS: Final = "py|js|ts|txt|pdf|md|json|csv|html|xml|zip|exe|docx?|xlsx?|pptx?|png|jpe?g|mp3|mp4|wav|sh|ya?ml"
_ADDRESS: Final = re.compile(
    r"(?<![\w.])(?:mailto:)?[\w.+%-]+@[\w-]+(?:\.[\w-]+)+(?<![.-])"
    r"|\bhttps?://[^\s<>]*[\w/]"
    rf"|(?<![\w@.])(?:[a-zA-Z0-9][a-zA-Z0-9-]*\.)+(?:{_DOMAINS})(?:\.[a-z]{{2}})?(?:/[\w./?=&#%-]*[\w/])?(?![\w@])"
    rf"|(?<![\w@.])[\w-]+\.(?:{_ENDINGS})\b"
)
_FOUR_DIGITS: Final = re.compile(r"\d.{0,3}\d.{0,3}\d.{0,3}\d")
_GROUPED: Final = re.compile(r"[+(]|^0\d|\d[ ./-]\d")
_DATE: Final = re.compile(r"\d{1,4}([./-])\d{1,2}\1\d{2,4}|\d{4}[-–]\d{4}|\d{1,2}[.:]\d{2}|\d{4}-\d\d-\d\d.*")
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}([ .]\d{3})+")
_AMOUNT: Final = re.compile(r"\s?[€$£%]")


class Addresses:
    """Finds addresses and telephone numbers in a sentence."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._signs = {
            **grammar.signs,
            "@": grammar.at,
            ".": grammar.dot,
            "-": grammar.hyphen,
            "_": grammar.underscore,
            "/": grammar.slash,
        }

    def find(self, text: str) -> Iterator[Piece]:
        for found in _ADDRESS.finditer(text):
            yield Piece(found.start(), found.end(), self._address(found[0]))
        if _FOUR_DIGITS.search(text):
            yield from self._telephones(text)

    def _address(self, address: str) -> str:
        address = re.sub(r"^(?:mailto:|https?://)|/$", "", address)
        said = []
        for part in re.findall(r"\d+|[^\W\d_]+|[\W_]", address):
            said.append(self._grammar.short(part) if part.isdigit() else self._signs.get(part, part))
        return " ".join(said)

    def _telephones(self, text: str) -> Iterator[Piece]:
        region = self._grammar.region or {"en": "US"}.get(self._grammar.code, self._grammar.code.upper())
        for found in PhoneNumberMatcher(text, region, leniency=Leniency.POSSIBLE):
            is_first = text[max(0, found.start - 1) : found.start] not in tuple("$€£#-–:.,/")
            if is_first and _GROUPED.search(found.raw_string) and not self._is_other(found, text):
                yield Piece(found.start, found.end, self._telephone(found.raw_string))

    def _is_other(self, found: phonenumbers.PhoneNumberMatch, text: str) -> bool:
        """Whether what looks like a telephone number is a date, a time, an amount or a number with thousands."""
        raw = found.raw_string
        if _DATE.fullmatch(raw) or _AMOUNT.match(text, found.end):
            return True
        if _THOUSANDS.fullmatch(raw):
            return not (self._grammar.code == "es" and " " in raw and phonenumbers.is_valid_number(found.number))
        return len(re.sub(r"\D", "", raw)) < 7 and raw[0] not in "+0"

    def _telephone(self, raw: str) -> str:
        groups = re.findall(r"\d+", raw)
        if self._grammar.pairs:
            pairs = [group[at : at + 2] for group in groups for at in range(0, len(group), 2)]
            said = ", ".join(map(self._grammar.cardinal, pairs))
        else:
            said = ", ".join(map(self._grammar.digits, groups))
        return f"{self._grammar.signs['+']} {said}" if "+" in raw else said
