"""French."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from voiceflow.processors.spoken.grammar import Grammar, Number, Say, roman_value

_MONTHS = (
    "janv(?:ier|\\.)|févr(?:ier|\\.)|mars|avr(?:il|\\.)|mai|juin|juil(?:let|\\.)|août|sept(?:embre|\\.)|oct(?:obre|\\.)|"
    "nov(?:embre|\\.)|déc(?:embre|\\.)"
)
_FEMININE = re.compile(
    r"(?:tion|sion|té|ette|elle|ence|ance|ure|ade|ée|ie|ine|aine|onne|heures?|minutes?|secondes?|livres?|tonnes?|"
    r"fois|personnes?|nuits?|pages?|places?|chambres?|pommes?|tables?|lignes?|roupies?|once|pinte)s?$"
)


class French(Grammar):
    code = "fr"
    point = "virgule"
    minus = "moins"
    to = " à "
    per = "par"
    by = "par"
    at = "arobase"
    dot = "point"
    hyphen = "tiret"
    underscore = "tiret bas"
    slash = "slash"
    squared = " au carré"
    cubed = " au cube"
    power = " puissance"
    number_sign = "numéro"
    hashtag = "hashtag "
    spaced_groups = True
    decimals_counted = True
    pairs = True
    units: ClassVar = {
        "Ko": "digital-kilobyte",
        "Mo": "digital-megabyte",
        "Go": "digital-gigabyte",
        "To": "digital-terabyte",
    }
    no_units = frozenset(("A", "h", "t"))
    month_begins = ("jan", "fév", "mar", "avr", "mai", "juin", "juil", "aoû", "sep", "oct", "nov", "déc")
    scales: ClassVar = {
        "k": ("mille", "mille"),
        "M": ("million", "millions"),
        "Md": ("milliard", "milliards"),
        "Mds": ("milliard", "milliards"),
        "million": ("million", "millions"),
        "millions": ("million", "millions"),
        "milliard": ("milliard", "milliards"),
        "milliards": ("milliard", "milliards"),
    }
    signs: ClassVar = {
        "&": "et", "©": "copyright", "+": "plus", "=": "égale", "==": "égale", "<": "est inférieur à",
        ">": "est supérieur à", "<=": "est inférieur ou égal à", ">=": "est supérieur ou égal à",
        "≤": "est inférieur ou égal à", "≥": "est supérieur ou égal à", "≠": "différent de", "!=": "différent de",
        "≈": "environ", "~": "environ", "×": "fois", "÷": "divisé par", "±": "plus ou moins", "·": "fois",
        "→": "vers", "->": "vers", "=>": "vers", "√": "racine carrée de", "∞": "l'infini", "π": "pi", "@": "arobase",
        "%": "pour cent", "§": "paragraphe", "№": "numéro", "°": "degrés", "−": "moins", "∑": "somme de",
        "∫": "intégrale de", "€": "euros", "£": "livres",
    }  # fmt: skip
    rates: ClassVar = {
        "mois": "mois", "an": "an", "année": "année", "semaine": "semaine", "jour": "jour", "j": "jour",
        "heure": "heure", "h": "heure", "minute": "minute", "min": "minute", "s": "seconde", "personne": "personne",
        "pers.": "personne", "nuit": "nuit", "kg": "kilogramme",
    }  # fmt: skip
    currency: ClassVar = {
        "CHF": (("franc suisse", "francs suisses"), ("centime", "centimes")),
        "JPY": (("yen", "yens"), ("", "")),
        "CAD": (("dollar canadien", "dollars canadiens"), ("cent", "cents")),
    }
    abbreviations = (
        (r"\bp\. ?ex\.", "par exemple"),
        (r"\b[cC]\.?-à-d\.?|\b[cC]\.?à\.?d\.?(?!\w)", "c'est-à-dire"),
        (r"\betc\.(?=,| [a-zà-ÿ])|\betc\b", "et cetera"),
        (r"\bM\.(?= [A-ZÀ-Ý])", "Monsieur"),
        (r"\bMM\.(?= [A-ZÀ-Ý])", "Messieurs"),
        (r"\bMmes\b", "Mesdames"),
        (r"\bMme\b\.?", "Madame"),
        (r"\bMlle\b\.?", "Mademoiselle"),
        (r"\bDr\b\.?(?= [A-ZÀ-Ý])", "Docteur"),
        (r"\bPr\b\.?(?= [A-ZÀ-Ý])", "Professeur"),
        (r"\b[nN][°º]\.?(?= ?\d)", "numéro"),
        (r"\bav\.(?= )", "avenue"),
        (r"\bbd\b\.?(?= [A-ZÀ-Ýd])", "boulevard"),
        (r"\bpl\.(?= )", "place"),
        (r"\bSt-(?=[A-Z])", "Saint-"),
        (r"\bSte-(?=[A-Z])", "Sainte-"),
        (r"\benv\.", "environ"),
        (r"\btél\.|\bTél\.", "téléphone"),
        (r"\bp\.(?= ?\d)", "page"),
        (r"\bpp\.(?= ?\d)", "pages"),
        (r"\bart\.(?= ?\d)", "article"),
        (r"\bchap\.(?= ?\d)", "chapitre"),
        (r"\bfig\.(?= ?\d)", "figure"),
        (r"\bav\. ?J\.-C\.", "avant Jésus-Christ"),
        (r"\bapr?\. ?J\.-C\.", "après Jésus-Christ"),
        (r"\bmax\.(?= ?\d)", "maximum"),
        (r"\bmin\.(?= [a-zà-ÿ])", "minimum"),
        (r"\bRDV\b", "rendez-vous"),
        (r"\bsvp\b|\bSVP\b", "s'il vous plaît"),
    )

    def agreeing(self, words: str, noun: str) -> str:
        return f"{words}e" if re.search(r"\bun$", words) and _FEMININE.search(noun) else words

    def of(self, noun: str) -> str:
        return f"d'{noun}" if noun[0] in "aeiouyéh" else f"de {noun}"

    def millions(self, number: Number, scale: tuple[str, str], code: str) -> str:
        said = super().millions(number, scale, code)
        return re.sub(r"\b(mille) d(?:e |')", r"\1 ", said)

    def counted(self, number: Number, noun: str) -> str:
        if noun in ("million", "millions", "milliard", "milliards") and number.fraction:
            noun = noun.rstrip("s") if int(number.whole) < 2 else noun
        return super().counted(number, noun)

    def unit(self, unit: str, *, one: bool) -> str:
        return super().unit(unit, one=one).replace("par heure", "heure")

    def with_cents(self, whole: str, cents: str, small: int) -> str:
        return f"{whole} {self.cardinal(small)}"

    def parts(self, whole: str, over: int, under: int) -> str:
        name = {2: "demi", 3: "tiers", 4: "quart"}.get(under, self.ordinal(under))
        said = f"{self.cardinal(over)} {name}{'s' if over > 1 and name != 'tiers' else ''}"
        if not whole:
            return said
        return f"{self.cardinal(whole)} et {'demi' if said == 'un demi' else said}"

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str | None:
        said = self.counted(Number(str(hour)), "heures" if hour > 1 else "heure")
        if minute or second:
            said += f" {self.cardinal(minute)}"
        return f"{said} et {self.counted(Number(str(second)), 'secondes')}" if second else said

    def _and_a_half(self, found: re.Match[str]) -> str:
        noun = found[2]
        said = f"{self.number(Number(found[1]), noun)} {noun} et demi"
        return f"{said}e" if _FEMININE.search(noun) else said

    def clocks(self) -> Iterable[tuple[str, Say]]:
        yield (
            r"(?<![\w.,])([01]?\d|2[0-4]) ?[hH] ?([0-5]\d)(?!\w)",
            lambda f: self.clock(int(f[1]), int(f[2]), None, ""),
        )
        yield r"(?<![\w.,])([01]?\d|2[0-4]) ?[hH](?!\w)", lambda f: self.clock(int(f[1]), 0, None, "")

    def date(self, day: int, month: int, year: str, before: str) -> str:
        full = f" {self.cardinal(year)}" if year else ""
        return f"{'premier' if day == 1 else self.cardinal(day)} {self.month(month)}{full}"

    def dates(self) -> Iterable[tuple[str, Say]]:
        yield r"(?<![\w.,])(\d+)(?:½| ½| 1/2) ([^\W\d_]+)", self._and_a_half
        yield rf"(?<![\w.,])(\d{{1,2}})(?:er)? ({_MONTHS})(?: (\d{{4}}))?(?!\w)", self.day_month
        yield r"(?<!\w)(\d+)(?:ère|er|re|ème|e|nde|nd)\b", self._nth
        yield r"\b([IVXL]+)(?:ème|e) siècle", self._century

    def _nth(self, found: re.Match[str]) -> str:
        feminine = found[0].endswith(("ère", "re"))
        return "première" if feminine and found[1] == "1" else self.ordinal(int(found[1]))

    def _century(self, found: re.Match[str]) -> str:
        return f"{self.ordinal(roman_value(found[1]))} siècle"

    def roman(self, value: int, before: str, after: str) -> str | None:
        is_number = before[:1].isupper() or before in ("chapitre", "tome", "partie")
        return f"{self.cardinal(value)}{after}" if is_number else None
