"""Money, units, fractions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

import babel.numbers

from voiceflow.processors.spoken.grammar import Grammar, Say

SYMBOLS: Final = {
    "US$": "USD", "CA$": "CAD", "A$": "AUD", "R$": "BRL", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR",
    "₽": "RUB", "₩": "KRW", "₺": "TRY", "₴": "UAH", "zł": "PLN", "₪": "ILS", "₫": "VND",
}  # fmt: skip
_UNITS: Final = """
    km/h=speed-kilometer-per-hour mph=speed-mile-per-hour m/s=speed-meter-per-second km²=area-square-kilometer
    km2=area-square-kilometer m²=area-square-meter m2=area-square-meter cm²=area-square-centimeter
    m³=volume-cubic-meter m3=volume-cubic-meter ha=area-hectare cm³=volume-cubic-centimeter km=length-kilometer
    cm=length-centimeter mm=length-millimeter mi=length-mile ft=length-foot yd=length-yard m=length-meter
    μm=length-micrometer µm=length-micrometer nm=length-nanometer kg=mass-kilogram mg=mass-milligram g=mass-gram
    lbs=mass-pound lb=mass-pound oz=mass-ounce t=mass-tonne ml=volume-milliliter mL=volume-milliliter
    cl=volume-centiliter dl=volume-deciliter l=volume-liter L=volume-liter gal=volume-gallon °C=temperature-celsius
    °F=temperature-fahrenheit °=angle-degree º=angle-degree kWh=energy-kilowatt-hour kW=power-kilowatt
    MW=power-megawatt W=power-watt V=electric-volt mA=electric-milliampere A=electric-ampere Hz=frequency-hertz
    kHz=frequency-kilohertz MHz=frequency-megahertz GHz=frequency-gigahertz KB=digital-kilobyte kB=digital-kilobyte
    MB=digital-megabyte GB=digital-gigabyte TB=digital-terabyte kcal=energy-foodcalorie kJ=energy-kilojoule
    bar=pressure-bar hPa=pressure-hectopascal ms=duration-millisecond s=duration-second sec=duration-second
    min=duration-minute h=duration-hour hr=duration-hour hrs=duration-hour Std.=duration-hour Min.=duration-minute
    %=concentr-percent ‰=concentr-permille PS=power-horsepower hp=power-horsepower px=graphics-pixel
"""
UNITS: Final = dict(pair.split("=") for pair in _UNITS.split())
"""Units, and what CLDR calls them."""
_FRACTIONS: Final = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_CURRENCIES: Final = "|".join(sorted(babel.numbers.list_currencies("en")))


class Amounts:
    """Finds sums of money, numbers of units and fractions in a sentence."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._units = {**UNITS, **grammar.units}

    def rules(self) -> Iterator[tuple[str, Say]]:
        symbols = "|".join(map(re.escape, SYMBOLS))
        scales = "|".join(sorted(map(re.escape, self._grammar.scales), key=len, reverse=True))
        units = "|".join(sorted(map(re.escape, self._units), key=len, reverse=True))
        minus = r"(?P<minus>(?<![\w)])[-−–])?"
        sum_of = rf"(?P<number>NUMBER)(?:[ \u00a0]?(?P<scale>{scales})(?![\w]))?"
        yield rf"{minus}(?<!\w)(?P<code>{symbols}|(?:{_CURRENCIES})[ \u00a0]?)[ \u00a0]?{sum_of}(?!\d)", self._money
        yield rf"{minus}(?<![\w.,]){sum_of}[ \u00a0\u202f]?(?P<code>{symbols}|(?:{_CURRENCIES})\b)(?![\w])", self._money
        yield rf"{minus}(?<![\w.,])(?P<number>NUMBER)[ \u00a0\u202f]?(?P<unit>{units})(?![\w°²³])", self._unit
        yield r"(?<![\w.,/])(?:(\d+)[ \u00a0])?(\d{1,2})[/⁄](\d{1,3})(?![\w/])", self._fraction
        yield rf"(?<![\w.,])(\d*)([{_FRACTIONS}])", self._sign_of_fraction
        yield rf"(?<![\w.,])(?P<number>NUMBER)[ \u00a0]?(?P<scale>{scales})(?!\w)", self._scaled

    def _money(self, found: re.Match[str]) -> str | None:
        code = found["code"].strip()
        number, code = self._grammar.parsed(found["number"]), SYMBOLS.get(code, code)
        if scale := found["scale"]:
            return self._grammar.signed(found, self._grammar.millions(number, self._grammar.scales[scale], code))
        return self._grammar.signed(found, self._grammar.money(number, code))

    def _unit(self, found: re.Match[str]) -> str | None:
        sign = found["unit"]
        if sign in self._grammar.no_units:
            return None
        number = self._grammar.parsed(found["number"])
        name = self._grammar.unit(self._units[sign], one=number.is_one)
        return self._grammar.signed(found, self._grammar.counted(number, name))

    def _scaled(self, found: re.Match[str]) -> str | None:
        if found["scale"] in ("K", "B", "T"):
            return None  # 4K, seat 12B
        one, more = self._grammar.scales[found["scale"]]
        number = self._grammar.parsed(found["number"])
        return self._grammar.counted(number, one if number.is_one else more)

    def _fraction(self, found: re.Match[str]) -> str | None:
        whole, over, under = found[1] or "", int(found[2]), int(found[3])
        if over >= under * 3 or under > self._grammar.largest_denominator:
            return None  # nobody says it like that
        return self._grammar.parts(whole, over, under)

    def _sign_of_fraction(self, found: re.Match[str]) -> str:
        over, under = unicodedata.normalize("NFKC", found[2]).split("⁄")
        return self._grammar.parts(found[1], int(over), int(under))
