"""The patterns of what is not said: markdown's and HTML's markup, links, emoji."""

from __future__ import annotations

import re
from typing import Final

HOLD: Final = 200
"""Characters within which a tag or a link's text must end, to be one. Longer runs of a character end here, too."""
HOLD_ADDRESS: Final = 2000
"""Characters within which the address of a link must end."""

EMOJI: Final = (
    "\U0001f000-\U0001faff\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u231a\u231b\u23cf\u23e9-\u23fa"
    "\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u3030\u303d\u3297\u3299\U000e0020-\U000e007f"
)
JOINERS: Final = "\u200b\u200d\u2060\ufe0e\ufe0f\u20e3\ufeff\u00ad"
"""Invisible characters: what emoji are joined and varied with, soft hyphens, byte order marks."""
SPECIAL: Final = rf"\s#>*_~`+=|<\[!&\\\-–•◦‣{EMOJI}{JOINERS}"
"""What may begin markup, within a character class."""

NEWLINES: Final = "\n\r\v\f\x85\u2028\u2029"
CLOSING: Final = ".,;:!?)]}»”’…。，！？；：、）」"
"""What stands directly after a word, also when something was taken out between them."""

EMOJI_RUN: Final = re.compile(f"[{EMOJI}{JOINERS}]+")
PLAIN: Final = re.compile(rf"[A-Za-z0-9]+|[^A-Za-z0-9({SPECIAL}]+|\(")
"""Text: a word, what stands between words, or a bracket. Words are told from the rest to find where links begin."""

# At the start of a line
RULE: Final = re.compile(rf"[-–*_=+|•◦‣][-–*_=+|•◦‣: \t]{{0,{HOLD - 1}}}")
"""A whole line of these is a rule, an underline or part of a table; they also begin items and rows."""
BULLET: Final = re.compile(r"[-–*+•◦‣][ \t]+")
HEADING: Final = re.compile(rf"#{{1,{HOLD}}}")
FENCE: Final = re.compile(rf"([`~])\1{{0,{HOLD - 1}}}")
INFO: Final = re.compile(rf"[^`{NEWLINES}]{{0,{HOLD}}}")

# Anywhere
RUN: Final = re.compile(rf"([*_~`\\])\1{{0,{HOLD - 1}}}")
CELL: Final = re.compile(rf"\|[| \t]{{0,{HOLD - 1}}}")
ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
ENTITY_BEGINS: Final = re.compile(r"&(?:#[0-9a-zA-Z]{0,7}|[A-Za-z][A-Za-z0-9]{0,31})?\Z")
LABEL: Final = re.compile(rf"\[((?:[^\[\]{NEWLINES}]|\[[^\[\]{NEWLINES}]*\])*)\]")
ADDRESS: Final = re.compile(rf"\((?:[^(){NEWLINES}]|\([^(){NEWLINES}]*\))*\)|\[[^\[\]{NEWLINES}]*\]")
TAG: Final = re.compile(
    rf"""</?([A-Za-z][A-Za-z0-9:-]*)(?:\s+[\w:@-]+\s*=\s*(?:"[^"<>{NEWLINES}]*"|'[^'<>{NEWLINES}]*'|[^\s"'<>]+))*\s*/?>"""
    rf"|<!--[^<>{NEWLINES}]*-->"
)
TAG_BEGINS: Final = re.compile(rf"<(?:[/!A-Za-z][^<>{NEWLINES}]*)?\Z")
THOUGHTS: Final = {"think", "thinking", "thought", "reasoning"}
"""Tags around what a model says to itself."""
BREAKS: Final = {"br", "p", "div", "li", "ul", "ol", "tr", "table", "hr", "h1", "h2", "h3", "h4", "h5", "h6"}
"""Tags that begin a new line."""

# Links that are not markdown's
_INTRODUCED_BY: Final = [
    "visit ",
    "see ",
    "at ",
    "go to ",
    "check out ",
    "unter ",
    "besuchen sie ",
    "visitez ",
    "visite ",
    "visita ",
]
_OPENINGS: Final = [
    f"{outer}{introduction}{inner}{scheme}"
    for outer in ("", "(", "<")
    for introduction in ("", *_INTRODUCED_BY)
    for inner in (("", "(", "<") if introduction else ("",))
    for scheme in ("https://", "http://", "www.")
]
LINK: Final = re.compile("|".join(map(re.escape, _OPENINGS)), re.IGNORECASE)
"""Where an address begins, with the words before it that make no sense without it."""
LINK_BEGINS: Final = frozenset(opening[:n] for opening in _OPENINGS for n in range(1, len(opening)))
LONGEST_OPENING: Final = max(map(len, _OPENINGS))
URL: Final = re.compile(r"[A-Za-z0-9!#$%&'()*+,./:;=?@\[\]_~{}-]*")
URL_TAIL: Final = re.compile(r"[.,;:!?')\]}*_~]{0,8}\Z")
"""What belongs to the sentence rather than to the address that it ends with."""
