"""German."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from voiceflow.processors.spoken.grammar import Grammar, Number, Say, word_before, words

_MONTHS = (
    "Jan(?:uar|\\.)|Jänner|Feb(?:ruar|\\.)|März|Mär?z?\\.|Apr(?:il|\\.)|Mai|Jun(?:i|\\.)|Jul(?:i|\\.)|Aug(?:ust|\\.)|"
    "Sept?(?:ember|\\.)|Okt(?:ober|\\.)|Nov(?:ember|\\.)|Dez(?:ember|\\.)"
)
_DATIVE = words("am dem im vom zum beim seit ab bis den einem jeden diesen nach vor zur der")
_DER = frozenset(("der", "die", "das"))
_FEMININE = re.compile(r"(?:e|ung|heit|keit|schaft|ion|tät|ei|Uhr|Nacht|Stadt|Person|Frau|Nummer|Million|Milliarde)$")


class German(Grammar):
    code = "de"
    point = "Komma"
    minus = "minus"
    to = " bis "
    per = "pro"
    by = "mal"
    at = "ät"
    dot = "Punkt"
    hyphen = "minus"
    underscore = "Unterstrich"
    slash = "Schrägstrich"
    squared = " hoch zwei"
    cubed = " hoch drei"
    power = " hoch"
    number_sign = "Nummer"
    hashtag = "Hashtag "
    month_begins = (("ja", "jä"), "fe", "mä", "ap", "mai", "jun", "jul", "au", "se", "ok", "no", "de")
    scales: ClassVar = {
        "k": ("tausend", "tausend"),
        "Tsd.": ("tausend", "tausend"),
        "Mio.": ("Million", "Millionen"),
        "Mio": ("Million", "Millionen"),
        "M": ("Million", "Millionen"),
        "Mrd.": ("Milliarde", "Milliarden"),
        "Mrd": ("Milliarde", "Milliarden"),
        "Million": ("Million", "Millionen"),
        "Millionen": ("Million", "Millionen"),
        "Milliarde": ("Milliarde", "Milliarden"),
        "Milliarden": ("Milliarde", "Milliarden"),
        "Billionen": ("Billion", "Billionen"),
    }
    signs: ClassVar = {
        "&": "und", "©": "copyright", "+": "plus", "=": "ist gleich", "==": "ist gleich", "<": "ist kleiner als",
        ">": "ist größer als", "<=": "höchstens", ">=": "mindestens", "≤": "höchstens", "≥": "mindestens",
        "≠": "ungleich", "!=": "ungleich", "≈": "ungefähr", "~": "ungefähr", "×": "mal", "÷": "geteilt durch",
        "±": "plus minus", "·": "mal", "→": "nach", "->": "nach", "=>": "nach", "√": "Wurzel aus", "∞": "unendlich",
        "π": "pi", "@": "ät", "%": "Prozent", "§": "Paragraf", "§§": "Paragrafen", "№": "Nummer", "°": "Grad",
        "−": "minus", "∑": "Summe von", "∫": "Integral von", "€": "Euro", "£": "Pfund",
    }  # fmt: skip
    rates: ClassVar = {
        "Monat": "Monat", "Jahr": "Jahr", "Woche": "Woche", "Tag": "Tag", "Stunde": "Stunde", "Std.": "Stunde",
        "h": "Stunde", "Minute": "Minute", "Min.": "Minute", "min": "Minute", "s": "Sekunde", "Person": "Person",
        "Nacht": "Nacht", "kg": "Kilogramm", "Stück": "Stück",
    }  # fmt: skip
    currency: ClassVar = {
        "CHF": (("Franken", "Franken"), ("Rappen", "Rappen")),
        "JPY": (("Yen", "Yen"), ("", "")),
    }
    abbreviations = (
        (r"\b[zZ]\. ?B\.", "zum Beispiel"),
        (r"\b[dD]\. ?h\.", "das heißt"),
        (r"\bu\. ?a\.", "unter anderem"),
        (r"\bi\. ?d\. ?R\.", "in der Regel"),
        (r"\bz\. ?T\.", "zum Teil"),
        (r"\bu\. ?Ä\.", "und Ähnliches"),
        (r"\bo\. ?[äÄ]\.", "oder Ähnliches"),
        (r"\bs\. ?o\.", "siehe oben"),
        (r"\bs\. ?u\.", "siehe unten"),
        (r"\bv\. ?Chr\.", "vor Christus"),
        (r"\bn\. ?Chr\.", "nach Christus"),
        (r"\bbzw\.", "beziehungsweise"),
        (r"\bca\.", "circa"),
        (r"\busw\.(?=,| [a-zäöü])|\busw\b", "und so weiter"),
        (r"\betc\.(?=,| [a-zäöü])|\betc\b", "et cetera"),
        (r"\bggf\.", "gegebenenfalls"),
        (r"\bevtl\.", "eventuell"),
        (r"\binkl\.", "inklusive"),
        (r"\bexkl\.", "exklusive"),
        (r"\bzzgl\.", "zuzüglich"),
        (r"\babzgl\.", "abzüglich"),
        (r"\bvgl\.", "vergleiche"),
        (r"\bsog\.", "sogenannte"),
        (r"\bgeb\.", "geboren"),
        (r"\bNr\.", "Nummer"),
        (r"\bTel\.", "Telefon"),
        (r"\bStr\.", "Straße"),
        (r"\b([A-ZÄÖÜ][a-zäöüß]+)str\.", r"\1straße"),
        (r"\bDr\.", "Doktor"),
        (r"\bProf\.", "Professor"),
        (r"\bHr\.(?= [A-ZÄÖÜ])", "Herr"),
        (r"\bHrn\.(?= [A-ZÄÖÜ])", "Herrn"),
        (r"\bFr\.(?= [A-ZÄÖÜ])", "Frau"),
        (r"\bDipl\.-Ing\.", "Diplomingenieur"),
        (r"\bSt\.(?= [A-ZÄÖÜ])", "Sankt"),
        (r"\bS\.(?= \d)", "Seite"),
        (r"\bAbs\.(?= \d)", "Absatz"),
        (r"\bArt\.(?= \d)", "Artikel"),
        (r"\bKap\.(?= \d)", "Kapitel"),
        (r"\bAbb\.(?= \d)", "Abbildung"),
        (r"\bBd\.(?= \d)", "Band"),
        (r"\bmind\.", "mindestens"),
        (r"\bmax\.(?= ?\d)", "maximal"),
        (r"\bMwSt\.", "Mehrwertsteuer"),
        (r"\bMo[.]?[–-]Fr\b\.?", "Montag bis Freitag"),
        (r"\bMo[.]?[–-]Sa\b\.?", "Montag bis Samstag"),
        (r"\bMo\.", "Montag"),
        (r"\bDi\.", "Dienstag"),
        (r"\bMi\.", "Mittwoch"),
        (r"\bDo\.", "Donnerstag"),
        (r"\bSa\.", "Samstag"),
        (r"\bSo\.(?=,| \d)", "Sonntag"),
    )

    def agreeing(self, words: str, noun: str) -> str:
        if not words.endswith("eins") or not noun[:1].isupper():
            return words
        return f"{words[:-4]}ein{'e' if words == 'eins' and _FEMININE.search(noun) and noun != 'Uhr' else ''}"

    def counted(self, number: Number, noun: str) -> str:
        noun = "Cent" if noun == "cent" else noun
        return super().counted(number, noun)

    def with_cents(self, whole: str, cents: str, small: int) -> str:
        return f"{whole} {self.cardinal(small)}"

    def parts(self, whole: str, over: int, under: int) -> str:
        if under == 2:
            if whole:
                return f"{self.cardinal(whole)}einhalb".replace("einseinhalb", "eineinhalb")
            return "ein halb" if over == 1 else f"{self.cardinal(over)} Halbe"
        name = {3: "Drittel", 4: "Viertel", 7: "Siebtel", 8: "Achtel"}.get(
            under, f"{self.cardinal(under)}{'tel' if under < 20 else 'stel'}".capitalize()
        )
        said = f"{'ein' if over == 1 else self.cardinal(over)} {name}"
        return f"{self.cardinal(whole)} {said}" if whole else said

    def is_year(self, written: str, before: str, after: str) -> bool:
        return "1100" <= written <= "1999" and (
            before.lower() in ("jahr", "jahre", "seit", "von", "bis", "ab", "um", "vor", "nach", "und", "in", "jahren")
            or re.match(r"[)–-]|[.,;:!?]?(?:\s|$)(?![A-ZÄÖÜ])", after) is not None
        )

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str | None:
        said = f"{'ein' if hour == 1 else self.cardinal(hour)} Uhr"
        if minute or second:
            said += f" {self.cardinal(minute)}"
        return f"{said} und {self.counted(Number(str(second)), 'Sekunden')}" if second else said

    def clocks(self) -> Iterable[tuple[str, Say]]:
        yield (
            r"(?<![\w.,])([01]?\d|2[0-4])\.([0-5]\d) ?(?:Uhr\b|h\b)",
            lambda f: self.clock(int(f[1]), int(f[2]), None, ""),
        )
        yield r"(?<![\w.,])([01]?\d|2[0-4]) ?Uhr\b", lambda f: self.clock(int(f[1]), 0, None, "")

    def _ordinal(self, day: int, before: str) -> str:
        before = before.lower()
        ending = "" if before in _DER else "n" if before in _DATIVE else "r"
        return f"{self.ordinal(day)}{ending}"

    def date(self, day: int, month: int, year: str, before: str) -> str:
        full = f" {self.year(year)}" if year else ""
        return f"{self._ordinal(day, before)} {self.month(month)}{full}"

    def dates(self) -> Iterable[tuple[str, Say]]:
        yield r"(?<![\w.,])(?:½|1/2)(?= ([A-ZÄÖÜ]\w+))", self._half
        yield rf"(?<![\w.])(\d{{1,2}})\. ?({_MONTHS})(?: (\d{{4}}))?(?!\w)", self.day_month
        yield r"(?<![\w.])(0?[1-9]|[12]\d|3[01])\.(0?[1-9]|1[0-2])\.(?=\s|$|[,;)!?–-])", self._day_number
        yield r"(?<=\b[a-zA-Z]{2} )(\d{1,2})\.(?= [A-ZÄÖÜ][a-zäöüß]+)", self._nth
        yield r"(?<=\b[a-zA-Z]{3} )(\d{1,2})\.(?= [A-ZÄÖÜ][a-zäöüß]+)", self._nth
        yield r"(?<!\w)(\d0|\d\d\d0)er\b", self._decade

    def _half(self, found: re.Match[str]) -> str:
        return "eine halbe" if _FEMININE.search(found[1]) else "ein halber"

    def _day_number(self, found: re.Match[str]) -> str:
        return self.date(int(found[1]), int(found[2]), "", word_before(found))

    def _nth(self, found: re.Match[str]) -> str | None:
        before = word_before(found).lower()
        return self._ordinal(int(found[1]), before) if before in _DATIVE | _DER | {"des"} else None

    def _decade(self, found: re.Match[str]) -> str:
        said = self.year(found[1]) if len(found[1]) == 4 else self.cardinal(found[1])
        return f"{said}er"

    def roman(self, value: int, before: str, after: str) -> str | None:
        if after == "." and before[:1].isupper():
            return f"der {self.ordinal(value).capitalize()}"
        return self.cardinal(value) if before[:1].isupper() else None
