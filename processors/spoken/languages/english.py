"""English."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from voiceflow.processors.spoken.grammar import Grammar, Say, words

_MONTHS = (
    "Jan(?:uary|\\.)?|Feb(?:ruary|\\.)?|Mar(?:ch|\\.)?|Apr(?:il|\\.)?|May|June?|July?|Ju[nl]\\.|Aug(?:ust|\\.)?|Sept?(?:ember|\\.)?|"
    "Oct(?:ober|\\.)?|Nov(?:ember|\\.)?|Dec(?:ember|\\.)?"
)
_BEFORE_YEAR = words("""
    in since by from until till during before after year of early late mid circa around and to – - summer winter
    spring autumn fall copyright founded born died season class edition
""")
_KINGS = words("""
    Henry Elizabeth Louis Charles George Edward James William Richard John Paul Pius Benedict Philip
""")


class English(Grammar):
    code = "en"
    point = "point"
    minus = "minus"
    to = " to "
    per = "per"
    by = "by"
    at = "at"
    dot = "dot"
    hyphen = "dash"
    underscore = "underscore"
    slash = "slash"
    squared = " squared"
    cubed = " cubed"
    power = " to the power of"
    number_sign = "number"
    hashtag = "hashtag "
    no_units = frozenset(("A", "h"))
    month_begins = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
    scales: ClassVar = {
        "k": ("thousand", "thousand"),
        "K": ("thousand", "thousand"),
        "M": ("million", "million"),
        "m": ("million", "million"),
        "B": ("billion", "billion"),
        "bn": ("billion", "billion"),
        "T": ("trillion", "trillion"),
        "thousand": ("thousand", "thousand"),
        "million": ("million", "million"),
        "billion": ("billion", "billion"),
        "trillion": ("trillion", "trillion"),
    }
    signs: ClassVar = {
        "&": "and", "©": "copyright", "+": "plus", "=": "equals", "==": "equals", "<": "is less than",
        ">": "is greater than", "<=": "is at most", ">=": "is at least", "≤": "is at most", "≥": "is at least",
        "≠": "is not", "!=": "is not", "≈": "about", "~": "about", "×": "times", "÷": "divided by",
        "±": "plus or minus", "·": "times", "→": "to", "->": "to", "=>": "to", "√": "the square root of",
        "∞": "infinity", "π": "pi", "@": "at", "%": "percent", "§": "section", "№": "number", "°": "degrees",
        "−": "minus", "∑": "the sum of", "∫": "the integral of", "€": "euros", "£": "pounds",
    }  # fmt: skip
    rates: ClassVar = {
        "month": "month", "mo": "month", "year": "year", "yr": "year", "week": "week", "wk": "week", "day": "day",
        "hour": "hour", "hr": "hour", "h": "hour", "minute": "minute", "min": "minute", "second": "second",
        "s": "second", "person": "person", "night": "night", "user": "user", "kg": "kilogram", "lb": "pound",
        "unit": "unit",
    }  # fmt: skip
    currency: ClassVar = {
        "EUR": (("euro", "euros"), ("cent", "cents")),
        "GBP": (("pound", "pounds"), ("penny", "pence")),
        "JPY": (("yen", "yen"), ("", "")),
        "CNY": (("yuan", "yuan"), ("", "")),
    }
    abbreviations = (
        (r"\be\.g\.,?", "for example,"),
        (r"\bi\.e\.,?", "that is,"),
        (r"\betc\.(?=,| [a-z])|\betc\b", "et cetera"),
        (r"\bvs\.?(?= )", "versus"),
        (r"\bapprox\.", "approximately"),
        (r"\bMrs\.", "Missus"),
        (r"\bMr\.", "Mister"),
        (r"\bMs\.", "Miss"),
        (r"(?<=[a-z] )Dr\.(?!\s+[A-Z])", "Drive"),
        (r"\bDr\.(?=\s+[A-Z])", "Doctor"),
        (r"\bProf\.", "Professor"),
        (r"\bSt\.(?=\s+[A-Z])", "Saint"),
        (r"(?<=\w )St\.(?=,|$|\s+[a-z])", "Street"),
        (r"\bMt\.(?=\s+[A-Z])", "Mount"),
        (r"(?<=\w )Ave\b\.?", "Avenue"),
        (r"(?<=\w )Blvd\b\.?", "Boulevard"),
        (r"(?<=\w )Rd\b\.?", "Road"),
        (r"\bApt\.", "Apartment"),
        (r"\bext\.(?=\s*\d)", "extension"),
        (r"\b[Nn]o\.(?=\s*\d)", "number"),
        (r"\bN[°º]\.?(?=\s*\d)", "number"),
        (r"\b[Nn]os\.(?=\s*\d)", "numbers"),
        (r"\bpp\.(?=\s*\d)", "pages"),
        (r"\bp\.(?=\s*\d)", "page"),
        (r"\b[Ff]ig\.(?=\s*\d)", "figure"),
        (r"\b[Cc]h\.(?=\s*\d)", "chapter"),
        (r"\b[Vv]ol\.(?=\s*\d)", "volume"),
        (r"\bdept\.", "department"),
        (r"\bJr\.", "Junior"),
        (r"\bSr\.", "Senior"),
        (r"\bInc\.", "Incorporated"),
        (r"\bLtd\.", "Limited"),
        (r"\bCo\.", "Company"),
        (r"(?<!\w)w/o(?!\w)", "without"),
        (r"(?<!\w)w/ ?(?=\w)", "with "),
        (r"(?<!\w)24/7(?!\w)", "twenty-four seven"),
        (r"\b[Rr]s\.(?=\s*\d)", "rupees"),
        (r"\bMon\.(?=[ ,–-])", "Monday"),
        (r"\bTues?\.(?=[ ,–-])", "Tuesday"),
        (r"\bWed\.(?=[ ,–-])", "Wednesday"),
        (r"\bThu(?:rs?)?\.(?=[ ,–-])", "Thursday"),
        (r"\bFri\.(?=[ ,–-])", "Friday"),
        (r"\b(Mon|Fri|Sun)[–-](Mon|Fri|Sun)\b", r"\1day to \2day"),
        (r"\bvol\.(?= \d)", "volume"),
        (r"\b([AP])\.?M\b\.?", r"\1 M"),
    )

    @property
    def month_first(self) -> bool:
        return self.region in ("", "US")

    def parts(self, whole: str, over: int, under: int) -> str:
        one = {2: "half", 4: "quarter"}.get(under, self.ordinal(under))
        name = one if over == 1 else {2: "halves"}.get(under, f"{one}s")
        if whole:
            return f"{self.cardinal(whole)} and {'a' if over == 1 else self.cardinal(over)} {name}"
        return f"{self.cardinal(over)} {name}"

    def with_cents(self, whole: str, cents: str, small: int) -> str:
        return f"{whole} and {cents}"

    def is_year(self, written: str, before: str, after: str) -> bool:
        return "1100" <= written <= "2099" and (
            before.lower() in _BEFORE_YEAR or bool(re.match(r"[)–-]|[.,;:!?]?(?:\s|$)(?![a-z])", after))
        )

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str | None:
        if second is not None:
            return f"{self._hour_and(hour, minute)} and {self.cardinal(second)} seconds"
        half = re.sub(r"[^apm]", "", suffix.lower())
        if half in ("am", "pm"):
            time = self.cardinal(hour) if not minute else self._hour_and(hour, minute)
            return f"{time} {' '.join(half.upper())}"
        if not minute:
            return (
                f"{self.cardinal(hour)} o'clock"
                if 0 < hour <= 12
                else f"{self.cardinal(hour)} hundred"
                if hour
                else "midnight"
            )
        return self._hour_and(hour, minute)

    def _hour_and(self, hour: int, minute: int) -> str:
        minutes = f"oh {self.cardinal(minute)}" if minute < 10 else self.cardinal(minute)
        return f"{self.cardinal(hour)} {minutes}" if minute else f"{self.cardinal(hour)} o'clock"

    def clocks(self) -> Iterable[tuple[str, Say]]:
        yield r"(?<![\w.])([3-8])['’] ?(1[01]|\d)(?:[\"”]|''|(?!\w))", self._feet
        yield r"(?<![\w:.,$])(1[0-2]|0?[1-9])\s?([ap]\.?m\b\.?|[AP]\.?M\b\.?)", self._whole_hour

    def _feet(self, found: re.Match[str]) -> str:
        return f"{self.cardinal(found[1])} foot {self.cardinal(found[2])}"

    def _whole_hour(self, found: re.Match[str]) -> str:
        return f"{self.cardinal(int(found[1]))} {found[2][0].upper()} M"

    def date(self, day: int, month: int, year: str, before: str) -> str:
        full = f", {self.year(year)}" if year else ""
        if self.month_first or not year:
            return f"{self.month(month)} {self.ordinal(day)}{full}"
        the = "" if before.lower() == "the" else "the "
        return f"{the}{self.ordinal(day)} of {self.month(month)}{full}"

    def dates(self) -> Iterable[tuple[str, Say]]:
        yield rf"\b({_MONTHS}) (\d{{1,2}})(?:st|nd|rd|th)?(?:,? (\d{{4}}))?(?![\w:]|[.,]\d| ?%)", self._month_day
        yield rf"(?<![\w.])(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({_MONTHS})(?:,? (\d{{4}}))?(?!\w)", self._day_month
        yield rf"\b({_MONTHS}),? (\d{{4}})(?![\w,.]\d)", self._month_year
        yield r"(?<![\w.])(\d+)(?:st|nd|rd|th)\b", lambda found: self.ordinal(int(found[1]))
        yield r"(?<!\w)['’]?(\d0|\d\d\d0)s\b", self._decade

    def _month_day(self, found: re.Match[str]) -> str | None:
        if not 1 <= int(found[2]) <= 31:
            return None
        year = f", {self.year(found[3])}" if found[3] else ""
        return f"{self.month(self.month_of(found[1]))} {self.ordinal(int(found[2]))}{year}"

    def _day_month(self, found: re.Match[str]) -> str | None:
        if not 1 <= int(found[1]) <= 31:
            return None
        year = f", {self.year(found[3])}" if found[3] else ""
        the = "" if found.string[: found.start()].rstrip().lower().endswith("the") else "the "
        return f"{the}{self.ordinal(int(found[1]))} of {self.month(self.month_of(found[2]))}{year}"

    def _month_year(self, found: re.Match[str]) -> str:
        return f"{self.month(self.month_of(found[1]))} {self.year(found[2])}"

    def _decade(self, found: re.Match[str]) -> str:
        decade = self.cardinal(int(found[1][-2:])) if found[1][-2:] != "00" else "hundred"
        plural = re.sub(r"y$", "ies", decade) if decade != "ten" else "tens"
        plural = plural if plural.endswith("s") else f"{plural}s"
        return f"{self.cardinal(int(found[1][:-2]))} {plural}" if len(found[1]) == 4 else plural

    def roman(self, value: int, before: str, after: str) -> str | None:
        if before in _KINGS:
            return f"the {self.ordinal(value)}{after}"
        return (
            f"{self.cardinal(value)}{after}" if before[:1].isupper() or before.lower() in ("chapter", "part") else None
        )
