"""Spanish."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

import babel.numbers

from voiceflow.processors.spoken.grammar import Grammar, Number, Say, words

_MONTHS = (
    "enero|febrero|marzo|abril|mayo|junio|julio|agosto|sep?tiembre|octubre|noviembre|diciembre|"
    "ene\\.|feb\\.|mar\\.|abr\\.|jun\\.|jul\\.|ago\\.|sept?\\.|oct\\.|nov\\.|dic\\."
)
_FEMININE = re.compile(r"(?:a|as|ción|ciones|sión|dad|dades|noches?|veces|vez)$")
_MASCULINE = words("""
    día días mapa mapas problema problemas idioma idiomas tema temas programa programas kilogramo
""")
_ORDINALS = ("", "primer", "segund", "tercer", "cuart", "quint", "sext", "séptim", "octav", "noven", "décim")


class Spanish(Grammar):
    code = "es"
    point = "coma"
    minus = "menos"
    to = " a "
    per = "por"
    by = "por"
    at = "arroba"
    dot = "punto"
    hyphen = "guion"
    underscore = "guion bajo"
    slash = "barra"
    squared = " al cuadrado"
    cubed = " al cubo"
    power = " elevado a"
    number_sign = "número"
    hashtag = "hashtag "
    spaced_groups = True
    decimals_counted = True
    largest_denominator = 10
    no_units = frozenset(("A", "t"))
    month_begins = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "se", "oct", "nov", "dic")
    scales: ClassVar = {
        "k": ("mil", "mil"),
        "mil": ("mil", "mil"),
        "M": ("millón", "millones"),
        "millón": ("millón", "millones"),
        "millones": ("millón", "millones"),
    }
    signs: ClassVar = {
        "&": "y", "©": "copyright", "+": "más", "=": "es igual a", "==": "es igual a", "<": "es menor que",
        ">": "es mayor que", "<=": "es menor o igual que", ">=": "es mayor o igual que", "≤": "es menor o igual que",
        "≥": "es mayor o igual que", "≠": "distinto de", "!=": "distinto de", "≈": "aproximadamente",
        "~": "aproximadamente", "×": "por", "÷": "dividido por", "±": "más menos", "·": "por", "→": "a", "->": "a",
        "=>": "a", "√": "raíz cuadrada de", "∞": "infinito", "π": "pi", "@": "arroba", "%": "por ciento",
        "§": "sección", "№": "número", "°": "grados", "−": "menos", "∑": "suma de", "∫": "integral de", "€": "euros",
        "£": "libras",
    }  # fmt: skip
    rates: ClassVar = {
        "mes": "mes", "año": "año", "semana": "semana", "día": "día", "hora": "hora", "h": "hora", "minuto": "minuto",
        "min": "minuto", "s": "segundo", "persona": "persona", "noche": "noche", "kg": "kilogramo",
    }  # fmt: skip
    currency: ClassVar = {"JPY": (("yen", "yenes"), ("", ""))}
    abbreviations = (
        (r"&(?= ?[Hh]?[Ii])", "e"),
        (r"\bp\. ?ej\.", "por ejemplo"),
        (r"\betc\.(?=,| [a-zá-ú])|\betc\b", "etcétera"),
        (r"\bSres\.", "Señores"),
        (r"\bSra\.", "Señora"),
        (r"\bSrta\.", "Señorita"),
        (r"\bSr\.", "Señor"),
        (r"\bDra\.", "Doctora"),
        (r"\bDr\.", "Doctor"),
        (r"\bD\.ª|\bDña\.", "Doña"),
        (r"\bD\.(?= [A-ZÁ-Ú])", "Don"),
        (r"\bUds\.", "ustedes"),
        (r"\bUd\.", "usted"),
        (r"\bProf\.", "Profesor"),
        (r"\bLic\.", "Licenciado"),
        (r"\bIng\.", "Ingeniero"),
        (r"\bEE\. ?UU\.", "Estados Unidos"),
        (r"\b[nN](?:úm|[.]?[ºo°])\.?(?= ?\d)", "número"),
        (r"\bpágs\.(?= ?\d)", "páginas"),
        (r"\bpág\.(?= ?\d)|\bp\.(?= ?\d)", "página"),
        (r"\bart\.(?= ?\d)", "artículo"),
        (r"\bcap\.(?= ?\d)", "capítulo"),
        (r"\bvol\.(?= ?\d)", "volumen"),
        (r"\bAvda?\.", "Avenida"),
        (r"(?<!\w)[Cc]/ ?(?=[A-ZÁ-Ú])", "calle "),
        (r"\b[Tt]el\.", "teléfono"),
        (r"\baprox\.", "aproximadamente"),
        (r"\bmáx\.", "máximo"),
        (r"\bmín\.", "mínimo"),
        (r"\bSto\.", "Santo"),
        (r"\bSta\.", "Santa"),
        (r"\ba\. ?C\.", "antes de Cristo"),
        (r"\bd\. ?C\.", "después de Cristo"),
        (r"\bizq\.", "izquierda"),
        (r"\bdcha\.", "derecha"),
    )

    @property
    def decimal_point(self) -> str:
        return "punto" if babel.numbers.get_decimal_symbol(self.locale) == "." else self.point

    def agreeing(self, words: str, noun: str) -> str:
        noun = noun.split(" ")[0]
        if not noun or noun in ("y", "o", "a", "de", "por", "es", "más", "menos", "en", "con"):
            return words
        if _is_feminine(noun):
            words = re.sub(r"(?<=[cn])ientos\b", "ientas", words)
            return re.sub(r"uno$", "una", words)
        return (
            re.sub(r"veintiuno$", "veintiún", words) if words.endswith("veintiuno") else re.sub(r"\buno$", "un", words)
        )

    def of(self, noun: str) -> str:
        return f"de {noun}"

    def millions(self, number: Number, scale: tuple[str, str], code: str) -> str:
        return super().millions(number, scale, code).replace("mil de ", "mil ")

    def with_cents(self, whole: str, cents: str, small: int) -> str:
        return f"{whole} con {self.cardinal(small)}"

    def parts(self, whole: str, over: int, under: int) -> str:
        name = {2: "medio", 3: "tercio"}.get(under, f"{_ORDINALS[under]}o")
        plural = "s" if over > 1 else ""
        said = f"{'un' if over == 1 else self.cardinal(over)} {name}{plural}"
        if not whole:
            return said
        return f"{self.cardinal(whole)} y medio" if (over, under) == (1, 2) else f"{self.cardinal(whole)} y {said}"

    def clock(self, hour: int, minute: int, second: int | None, suffix: str) -> str | None:
        half = re.sub(r"[^apm]", "", suffix.lower())
        said = {1: "una", 21: "veintiuna"}.get(hour, self.cardinal(hour))
        if minute:
            said += f" {self.cardinal(minute)}" if minute > 9 or second else f" y {self.cardinal(minute)}"
        elif not half:
            said += " en punto"
        if second:
            said = f"{said} y {self.cardinal(second)} segundos"
        return said + {"am": " de la mañana", "pm": " de la tarde" if hour < 9 or hour == 12 else " de la noche"}.get(
            half, ""
        )

    def _and_a_half(self, found: re.Match[str]) -> str:
        noun = found[2]
        return f"{self.number(Number(found[1]), noun)} {noun} y {'media' if _is_feminine(noun) else 'medio'}"

    def clocks(self) -> Iterable[tuple[str, Say]]:
        yield (
            r"(?<![\w:.,$])(1[0-2]|[1-9])\s?([ap]\.?\s?m\b\.?|[AP]\.?M\b\.?)",
            lambda f: self.clock(int(f[1]), 0, None, f[2]),
        )

    def date(self, day: int, month: int, year: str, before: str) -> str:
        full = f" de {self.cardinal(year)}" if year else ""
        return f"{'primero' if day == 1 else self.cardinal(day)} de {self.month(month)}{full}"

    def dates(self) -> Iterable[tuple[str, Say]]:
        yield r"(?<![\w.,])(\d+)(?:½| ½| 1/2) ([^\W\d_]+)", self._and_a_half
        yield rf"(?<![\w.,])(\d{{1,2}}) (?:de )?({_MONTHS})(?: (?:de(?:l)? )?(\d{{4}}))?(?!\w)", self.day_month
        yield r"(?<!\w)(\d{1,2})(?:\.?([ºª°])|\.?(er|do|ra|da|to|ta|mo|ma|vo|va|no|na))(?!\w| ?[CF]\b)", self._nth

    def _nth(self, found: re.Match[str]) -> str | None:
        value = int(found[1])
        if not 1 <= value <= 10:
            return self.ordinal(value) if found[2] != "°" else None
        if found[3] == "er":
            return _ORDINALS[value]
        return f"{_ORDINALS[value]}{'a' if found[2] == 'ª' or (found[3] or '').endswith('a') else 'o'}"

    def roman(self, value: int, before: str, after: str) -> str | None:
        if before.lower() in ("siglo", "capítulo", "tomo", "parte"):
            return f"{self.cardinal(value)}{after}"
        if not before[:1].isupper():
            return None
        return f"{_ORDINALS[value]}o{after}" if value <= 10 else f"{self.cardinal(value)}{after}"


def _is_feminine(noun: str) -> bool:
    return _FEMININE.search(noun) is not None and noun not in _MASCULINE
