"""Formulas in LaTeX, written as people write them in a line of text: E = mc^2, a/b, √2."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from voiceflow.processors.text import markup
from voiceflow.processors.text.cuts import WAIT, Cut, may_close

HOLD: Final = 400
"""Characters within which a formula must end."""
HOLD_INLINE: Final = 80
"""Characters within which a formula between single dollars must end, on its line."""

_DISPLAYED: Final = re.compile(r"\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)", re.DOTALL)
_INLINE: Final = re.compile(rf"\$(?=[^\s\d$])([^${markup.NEWLINES}]*[^\s$])\$(?!\d)")
_DISPLAYED_BEGINS: Final = ("$$", "\\[", "\\(")

_SIGNS: Final = {
    "times": "×", "cdot": "·", "div": "÷", "pm": "±", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠",
    "ne": "≠",
    "approx": "≈", "equiv": "≡", "infty": "∞", "to": "→", "rightarrow": "→", "implies": "→", "Rightarrow": "→",
    "degree": "°", "circ": "°", "in": "∈", "sum": "∑", "int": "∫", "prod": "∏", "partial": "∂", "nabla": "∇",
    "ldots": "…", "dots": "…", "cdots": "…", "sqrt": "√", "lt": "<", "gt": ">",
}  # fmt: skip
_GROUP: Final = r"\{([^{}]*)\}"
_FRACTION: Final = re.compile(rf"\\[dt]?frac\s*{_GROUP}\s*{_GROUP}")
_WRAPPED: Final = re.compile(rf"\\(?:text|mathrm|mathbf|mathit|operatorname|boxed|overline|vec|hat)\s*{_GROUP}")
_SCRIPT: Final = re.compile(rf"([\^_]){_GROUP}")
_ROOT: Final = re.compile(rf"\\sqrt\s*{_GROUP}")
_COMMAND: Final = re.compile(r"\\([A-Za-z]+)|\\([,;:!% ])")


def formula(text: str, at: int, *, over: bool) -> Cut | None:
    """The cut for a formula that begins at `at` with a dollar or a backslash; None if none does."""
    begin = text[at : at + 2]
    if not begin[1:]:
        return None if over else WAIT
    if begin in _DISPLAYED_BEGINS:
        found = _DISPLAYED.match(text, at, at + HOLD)
        if found is None:
            may_be = not over and len(text) - at < HOLD
            return WAIT if may_be else Cut(2) if begin == "$$" else None
        return Cut(len(found[0]), plain(found[1] or found[2] or found[3]))
    if begin[0] == "\\" or begin[1].isspace() or begin[1].isdigit():
        return None
    found = _INLINE.match(text, at, at + HOLD_INLINE)
    if found is None:
        return WAIT if may_close(text, at, HOLD_INLINE, over=over) and text.count("$", at) < 2 else None
    if found.end() == len(text) and not over:
        return WAIT  # a digit may follow
    return Cut(len(found[0]), plain(found[1]))


def plain(latex: str) -> str:
    """The formula in a line of text.

    >>> plain(r"x = \\frac{-b \\pm \\sqrt{d}}{2a}"), plain(r"\\text{area} = \\pi r^{2}")
    ('x = (-b ± √(d))/(2a)', 'area = π r^2')
    """
    while True:  # from the inside out
        before = latex
        latex = _WRAPPED.sub(r"\1", latex)
        latex = _ROOT.sub(lambda root: f"√{_bracketed(root[1])}", latex)
        latex = _SCRIPT.sub(lambda script: script[1] + _bracketed(script[2]), latex)
        latex = _FRACTION.sub(lambda part: f"{_bracketed(part[1])}/{_bracketed(part[2])}", latex)
        if latex == before:
            break
    latex = _COMMAND.sub(_sign, latex).replace("\\", " ").replace("{", "").replace("}", "")
    return " ".join(latex.split())


def _bracketed(part: str) -> str:
    part = part.strip()
    return part if re.fullmatch(r"\w*|[^\w\s]", part) else f"({part})"


def _sign(command: re.Match[str]) -> str:
    name = command[1]
    if not name:
        return "%" if command[2] == "%" else " "
    if name in _SIGNS:
        return _SIGNS[name]
    case = "CAPITAL" if name[0].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {case} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")
    except KeyError:
        return "" if name in ("left", "right", "quad", "qquad", "displaystyle", "begin", "end") else f"{name} "
