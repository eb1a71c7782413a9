"""What rules need to know of a language: its numbers, and words for what is written with signs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Final, NamedTuple

import babel
import babel.numbers
import babel.units
import num2words

_ROMAN: Final = {"I": 1, "V": 5, "X": 10, "L": 50}

Say = Callable[[re.Match[str]], str | None]
"""What to say in place of what was found; None to leave it."""


class Number(NamedTuple):
    """A number as it was written, without its sign and its separators."""

    whole: str
    fraction: str = ""

    @property
    def is_one(self) -> bool:
        return self.whole == "1" and not self.fraction


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def roman_value(numeral: str) -> int:
    """The value of a Roman number that is written with I, V, X and L."""
    values = [_ROMAN[char] for char in numeral]
    return sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True))


def word_before(found: re.Match[str]) -> str:
    """The word before what was found; empty if nothing stands before it."""
    words = found.string[: found.start()].split()
    return words[-1] if words else ""


class Grammar:
    """A language. Subclasses tell how it counts, reads the clock, and what its signs and abbreviations stand for."""

    code: ClassVar[str]
    point: ClassVar[str]
    minus: ClassVar[str]
    to: ClassVar[str]
    """Between the ends of a range."""
    per: ClassVar[str]
    by: ClassVar[str]
    """Between length and width: 1920x1080."""
    at: ClassVar[str]
    dot: ClassVar[str]
    """In addresses of e-mail and the web, as `at`, `hyphen`, `underscore` and `slash`."""
    hyphen: ClassVar[str]
    underscore: ClassVar[str]
    slash: ClassVar[str]
    squared: ClassVar[str]
    cubed: ClassVar[str]
    power: ClassVar[str]
    """Before any other exponent."""
    number_sign: ClassVar[str]
    """For # before a number."""
    hashtag: ClassVar[str]
    spaced_groups: ClassVar[bool] = False
    """Whether a space may stand between thousands."""
    decimals_counted: ClassVar[bool] = False
    """Whether two decimals are read as one number."""
    largest_denominator: ClassVar[int] = 100
    """Fractions with a larger one are not said as such."""
    pairs: ClassVar[bool] = False
    """Whether telephone numbers are read in pairs of digits."""
    month_begins: ClassVar[tuple[str | tuple[str, ...], ...]]
    """What the names of the months begin with, in lower case: as much as tells one from another. A tuple for a month of
    several names."""
    scales: ClassVar[Mapping[str, tuple[str, str]]]
    """For k, M, B and what else stands for thousands, millions and so on: the word for one, and for more."""
    signs: ClassVar[Mapping[str, str]]
    """Words for signs."""
    rates: ClassVar[Mapping[str, str]]
    """What may follow `per` after a slash, and how it is said."""
    abbreviations: ClassVar[tuple[tuple[str, str], ...]]
    """Regular expressions for abbreviations, and what is said in their place."""
    currency: ClassVar[Mapping[str, tuple[tuple[str, str], tuple[str, str]]]] = {}
    """Names of currencies and their hundredths, one and more, where num2words has others or none."""

    def __init__(self, region: str = "") -> None:
        self.region = region
        """Where the language is spoken, as US; empty if that is not known."""

    @cached_property
    def locale(self) -> babel.Locale:
        try:
            return babel.Locale.parse("_".join(filter(None, (self.code, self.region))))
        except (babel.UnknownLocaleError, ValueError):
            return babel.Locale(self.code)

    # Numbers

    @property
    def decimal_point(self) -> str:
        """What is said between a whole number and its decimals."""
        return self.point

    @cached_property
    def number_pattern(self) -> str:
        """A regular expression for a number without its sign."""
        decimal = babel.numbers.get_decimal_symbol(self.locale)
        group = {".": ",", ",": "."}[decimal]
        groups = rf"[{re.escape(group)}\u00a0\u202f'’{' ' if self.spaced_groups else ''}]"
        other = rf"|{re.escape(group)}\d{{1,2}}(?!\d)" if group == "." else ""  # 3.5, where a comma is usual
        return rf"(?:\d{{1,3}}(?:{groups}\d{{3}})+(?!\d)|\d+)(?:{re.escape(decimal)}\d+{other})?"

    def parsed(self, written: str) -> Number:
        """The number that was written as `number_pattern` allows."""
        decimal = babel.numbers.get_decimal_symbol(self.locale)
        if decimal not in written and re.search(r"\.\d{1,2}$", written):
            decimal = "."
        whole, _, fraction = written.partition(decimal)
        return Number(re.sub(r"\D", "", whole), fraction)

    def cardinal(self, value: int | str) -> str:
        """The words for a whole number; its digits one by one if it is very long or begins with a zero."""
        digits = str(value)
        if len(digits) > 12 or (len(digits) > 1 and digits[0] == "0"):
            return self.digits(digits)
        return str(num2words.num2words(int(digits), lang=self.code)).replace(",", "")

    def digits(self, written: str) -> str:
        """The digits one by one."""
        return " ".join(self.cardinal(digit) for digit in written if digit.isdigit())

    def short(self, digits: str) -> str:
        """A number within a name or a code: as a number up to 99, longer ones digit by digit."""
        return self.cardinal(digits) if len(digits) < 3 else self.digits(digits)

    def ordinal(self, value: int) -> str:
        return str(num2words.num2words(value, lang=self.code, to="ordinal")).replace(",", "")

    def year(self, written: str) -> str:
        return str(num2words.num2words(int(written), lang=self.code, to="year")).replace(",", "")

    def fraction(self, digits: str) -> str:
        """What is said after the decimal point."""
        is_number = self.decimals_counted and digits[0] != "0" and len(digits) <= 2
        return self.cardinal(digits) if is_number else self.digits(digits)

    def number(self, number: Number, noun: str = "") -> str:
        """The words for a number that counts `noun`."""
        if number.fraction:
            return f"{self.cardinal(number.whole)} {self.decimal_point} {self.fraction(number.fraction)}"
        return self.agreeing(self.cardinal(number.whole), noun)

    def agreeing(self, words: str, noun: str) -> str:
        """The words for a number in the form that `noun` asks for."""
        return words

    def counted(self, number: Number, noun: str) -> str:
        """So many of `noun`, which is given in the right number."""
        return f"{self.number(number, noun)} {noun}"

    def parts(self, whole: str, over: int, under: int) -> str:
        """`over`/`under` after the whole number `whole`, which may be empty."""
        raise NotImplementedError

    def signed(self, found: re.Match[str], said: str) -> str:
        """A number in words, with the minus that was found before it."""
        return f"{self.minus} {said}" if found["minus"] else said

    # Money, units, time

    units: ClassVar[Mapping[str, str]] = {}
    """Signs of units that only this language has, and what CLDR calls them."""
    no_units: ClassVar[frozenset[str]] = frozenset()
    """Signs of units that are words of the language."""

    def dates(self) -> Iterable[tuple[str, Say]]:
        """Rules for dates that are written with words."""
        return ()

    def clocks(self) -> Iterable[tuple[str, Say]]:
        """Rules for times that are written in the way of the language."""
        return ()

    def millions(self, number: Number, scale: tuple[str, str], code: str) -> str:
        """An amount of the currency `code` in thousands, millions and so on, whose word is `scale`."""
        names, _ = self._currency_names(code)
        return f"{self.counted(number, scale[0] if number.is_one else scale[1])} {self.of(names[1])}"

    def of(self, noun: str) -> str:
        """`noun` after a million."""
        return noun

    def money(self, number: Number, code: str) -> str:
        """An amount of the currency `code`."""
        names, cents = self._currency_names(code)
        name = names[0] if number.is_one else names[1]
        if len(number.fraction) != 2 or not cents[0]:
            return self.counted(number, name)
        whole, small = Number(number.whole), int(number.fraction)
        if not small:
            return self.counted(whole, names[0] if whole.is_one else names[1])
        hundredths = self.counted(Number(str(small)), cents[0] if small == 1 else cents[1])
        if not int(number.whole):
            return hundredths
        return self.with_cents(self.counted(whole, names[0] if whole.is_one else names[1]), hundredths, small)

    def _currency_names(self, code: str) -> tuple[Sequence[str], Sequence[str]]:
        """The names of a currency and of its hundredths, one and more. CLDR has no names of hundredths."""
        forms: Mapping[str, tuple[Sequence[str], Sequence[str]]] = num2words.CONVERTER_CLASSES[self.code].CURRENCY_FORMS
        if known := self.currency.get(code) or forms.get(code):
            return known
        one, more = (babel.numbers.get_currency_name(code, count, self.locale) for count in (1, 2))
        return (one, more), ("", "")

    def with_cents(self, whole: str, cents: str, small: int) -> str:
        """An amount with its hundredths, which are `small`."""
        raise NotImplementedError

    def unit(self, unit: str, *, one: bool) -> str:
        """The name of a unit of CLDR."""
        named = babel.units.format_unit(1 if one else 2, unit, "long", locale=self.locale)
        return re.sub(r"[\d\s\u00a0]+", " ", named).strip()

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str | None:
        """A time of day; `suffix` is what follows it, as pm or Uhr. None if it is none."""
        raise NotImplementedError

    def date(self, day: int, month: int, year: str, before: str) -> str:
        """A date in words; `year` may be empty, `before` is the word before it."""
        raise NotImplementedError

    def day_month(self, found: re.Match[str]) -> str | None:
        """The date of which a day, the name of a month and perhaps a year were found; None if it is none."""
        day = int(found[1])
        return self.date(day, self.month_of(found[2]), found[3] or "", word_before(found)) if 1 <= day <= 31 else None

    def month_of(self, name: str) -> int:
        """The number of the month that is called `name`, which may be short for it."""
        return next(number for number, begin in enumerate(self.month_begins, 1) if name.lower().startswith(begin))

    def month(self, number: int) -> str:
        return str(self.locale.months["format"]["wide"][number])

    @property
    def month_first(self) -> bool:
        """Whether 3/4/2025 is the fourth of March."""
        return False

    def is_year(self, written: str, before: str, after: str) -> bool:
        """Whether four digits after the word `before` are a year."""
        return False

    def roman(self, value: int, before: str, after: str) -> str | None:
        """What is said for a Roman number after the word `before`; None to leave it."""
        return None
