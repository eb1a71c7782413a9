"""Dates and times of day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from voiceflow.processors.spoken.grammar import Grammar, Say, word_before


class Times:
    """Finds dates and times in a sentence."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar

    def rules(self) -> Iterator[tuple[str, Say]]:
        days, months = r"(0?[1-9]|[12]\d|3[01])", r"(0?[1-9]|1[0-2])"
        before = r"(?<![\w.,/-])"
        yield before + r"(\d{4})-(0[1-9]|1[0-2])-([0-2]\d|3[01])(?:T[\d:]+Z?)?(?![\w-])", self._iso_date
        yield before + rf"{days}([./-]){months}\2(\d{{4}}|\d\d)(?![\w-]|\.\d)", self._date
        yield before + rf"{months}([./-]){days}\2(\d{{4}}|\d\d)(?![\w-]|\.\d)", self._american_date
        yield from self._grammar.dates()
        yield (
            r"(?<![\w:.,])([01]?\d|2[0-4])(?::([0-5]\d))(?::([0-5]\d))?(?:\s?([ap]\.?\s?m\b\.?|[AP]\.?M\b\.?|Uhr\b|hs?\b))?"
            r"(?![\w:])",
            self._clock,
        )
        yield from self._grammar.clocks()

    def _iso_date(self, found: re.Match[str]) -> str | None:
        year, month, day = found.groups()
        return self._dated(int(day), int(month), year, found)

    def _date(self, found: re.Match[str]) -> str | None:
        day, _, month, year = found.groups()
        return None if self._grammar.month_first and found[2] == "/" else self._dated(int(day), int(month), year, found)

    def _american_date(self, found: re.Match[str]) -> str | None:
        month, _, day, year = found.groups()
        return self._dated(int(day), int(month), year, found)

    def _dated(self, day: int, month: int, year: str, found: re.Match[str]) -> str | None:
        try:
            date(2000, month, day)
        except ValueError:
            return None
        full = year if len(year) == 4 else f"20{year}"
        return self._grammar.date(day, month, full, word_before(found))

    def _clock(self, found: re.Match[str]) -> str | None:
        hour, minute, second, suffix = found.groups()
        return self._grammar.clock(int(hour), int(minute), int(second) if second else None, suffix or "")
