"""Abbreviations, codes, signs, and numbers by themselves."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from voiceflow.processors.spoken.grammar import Grammar, Say, roman_value, word_before


class Signs:
    """Finds what is short for words in a sentence."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar

    def rules(self) -> Iterator[tuple[str, Say]]:
        for pattern, said in self._grammar.abbreviations:
            yield pattern, self._replaced(said)
        yield r"(?<![\w.])(?:[vV](\d+(?:\.\d+)+)|(\d+(?:\.\d+){2,}))(?!\w)", self._dotted
        yield r"(?<!\w)(?P<roman>[IVXL]{2,6}|(?<=[^\W\d_] )[VX])(?P<after>\.|e|ème)?(?![\w.'’])", self._roman
        yield r"(?<![\w-])\d+(?:-\d+){2,}(?![\w-])", self._groups
        yield r"(?<![\w.,])(NUMBER)x(?!\w)", self._times
        yield r"(?<=\d[ap]m)[–-](?=\d)", self._replaced(self._grammar.to)
        yield r"(?<!\w)#(\d+)(?!\w)", self._numbered
        yield r"(?<!\w)#(?=[^\W\d_])", self._replaced(self._grammar.hashtag)
        yield r"(?<!\w)([A-Z]{1,2})&([A-Z]{1,2})(?!\w)", self._initials
        yield r"(?<=[\w)])\^(\(?-?\w+\)?)", self._power
        yield r"(?<=[\w)])[⁰¹⁴-⁹]+", self._superscript
        yield r"[²³]", lambda found: self._grammar.squared if found[0] == "²" else self._grammar.cubed
        rates = "|".join(sorted(self._grammar.rates, key=len, reverse=True))
        yield rf"(?<=[\w€$£%.])[ ]?/[ ]?({rates})(?!\w)", self._rate
        yield r"(?<![\w.,])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*(?![\w])", self._code
        yield from self._signs()

    def _replaced(self, said: str) -> Say:
        return lambda found: found.expand(said)

    def _dotted(self, found: re.Match[str]) -> str | None:
        if re.fullmatch(r"[1-9]\d{0,2}(?:\.\d{3})+", found[0]):
            return None  # thousands
        numbers = (found[1] or found[2]).split(".")
        is_version = found[1] and word_before(found).lower() != "version"
        return f"{'version ' if is_version else ''}{f' {self._grammar.dot} '.join(map(self._grammar.short, numbers))}"

    def _roman(self, found: re.Match[str]) -> str | None:
        return self._grammar.roman(roman_value(found["roman"]), word_before(found), found["after"] or "")

    def _numbered(self, found: re.Match[str]) -> str:
        digits = found[1]
        said = self._grammar.digits(digits) if len(digits) > 3 else self._grammar.cardinal(digits)
        return f"{self._grammar.number_sign} {said}"

    def _initials(self, found: re.Match[str]) -> str:
        return f"{' '.join(found[1])} {self._grammar.signs['&']} {' '.join(found[2])}"

    def _power(self, found: re.Match[str]) -> str:
        exponent = found[1].strip("()")
        if exponent in "23" and len(exponent) == 1:
            return self._grammar.squared if exponent == "2" else self._grammar.cubed
        number = exponent.removeprefix("-")
        said = self._grammar.cardinal(number) if number.isdigit() else number
        return f"{self._grammar.power} {self._grammar.minus if exponent[0] == '-' else ''} {said}"

    def _superscript(self, found: re.Match[str]) -> str:
        return f"{self._grammar.power} {self._grammar.cardinal(unicodedata.normalize('NFKC', found[0]))}"

    def _groups(self, found: re.Match[str]) -> str:
        return ", ".join(map(self._grammar.digits, found[0].split("-")))

    def _times(self, found: re.Match[str]) -> str:
        return f"{self._grammar.number(self._grammar.parsed(found[1]))} {self._grammar.signs['×']}"

    def _rate(self, found: re.Match[str]) -> str:
        return f"{self._grammar.per} {self._grammar.rates[found[1]]}"

    def _code(self, found: re.Match[str]) -> str | None:
        if sizes := re.fullmatch(r"(\d+)x(\d+)", found[0]):
            return f"{self._grammar.cardinal(sizes[1])} {self._grammar.by} {self._grammar.cardinal(sizes[2])}"
        said = []
        for part in re.findall(r"\d+|[A-Za-z]+", found[0]):
            if part.isdigit():
                said.append(self._grammar.short(part))
            else:
                said.append(" ".join(part) if part.isupper() and len(part) < 4 else part)
        return " ".join(said)

    def _signs(self) -> Iterator[tuple[str, Say]]:
        names = "|".join(sorted(map(re.escape, self._grammar.signs), key=len, reverse=True))
        yield r"(?<=\d)[ \u00a0]?[–-][ \u00a0]?(?=[\d$€£])", self._replaced(self._grammar.to)
        yield r"(?<=\d) ?[x×] ?(?=\d)", self._replaced(self._grammar.signs["×"])
        yield r"(?<=[\w)]) ?\* ?(?=[\w(])", self._replaced(self._grammar.signs["×"])
        yield r"(?<=[\w)])_(?=\w)", self._replaced(" ")
        yield r"(?<=[^\W\d_]{2})/(?=[^\W\d_]{2})", self._replaced(" ")
        yield r"(?<![\w)])/(?=\w)|(?<=\w)/(?=[\w/])", self._replaced(self._grammar.slash)
        yield names, lambda found: self._grammar.signs[found[0]]
        yield r"[®™†‡•|¬]", self._replaced("")
        yield r"(?<![\w.,])(?P<minus>(?<![\w)])[-−–])?(?P<number>NUMBER)(?!\w)", self._plain
        yield r"\d+", lambda found: self._grammar.short(found[0])

    def _plain(self, found: re.Match[str]) -> str | None:
        written = found["number"]
        noun = re.match(r" (\w+)", found.string[found.end() :])
        before = re.search(r"([^\W\d_]+|[–-])[ .]?$", found.string[: found.start()])
        if len(written) == 4 and written.isdigit():
            after = found.string[found.end() :]
            if self._grammar.is_year(written, before[1] if before else "", after):
                return self._grammar.year(written)
        number = self._grammar.parsed(written)
        if not number.fraction and len(written) > 6 and written.isdigit():
            said = self._grammar.digits(written)
        else:
            said = self._grammar.number(number, noun[1] if noun else "")
        return self._grammar.signed(found, said)
