"""Patterns for what is not to be spoken: the markup of markdown and HTML, links, emoji."""

from __future__ import annotations

import re
import string
from typing import Final

HOLD: Final = 200
"""Characters within which a tag, or the text of a link, must end to count as one. Longer runs of one character are cut
here, too."""
HOLD_ADDRESS: Final = 1200
"""Characters within which the address of a link must end."""
PIECE: Final = 1000
"""Characters of a piece of text that are looked at together."""

EMOJI: Final = (
    "\U0001f000-\U0001faff\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u231a\u231b\u23cf\u23e9-\u23fa"
    "\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u3030\u303d\u3297\u3299\U000e0020-\U000e007f"
)
JOINERS: Final = "\u200b\u200d\u2060\ufe0e\ufe0f\u20e3\ufeff\u00ad"
"""Invisible characters: those that join or vary emoji, soft hyphens, byte order marks."""
SPECIAL: Final = rf"\s#>*_~`+=|<\[!&$【\\\-–•◦‣{EMOJI}{JOINERS}"
"""Characters that may begin markup, written for use within a character class."""

NEWLINES: Final = "\n\r\v\f\x85\u2028\u2029"
CLOSING: Final = ".,;:!?)]}»”’…。，！？；：、）」"
"""Punctuation that follows a word without a space, also when something was removed between them."""

EMOJI_RUN: Final = re.compile(f"[{EMOJI}{JOINERS}]+")
PLAIN: Final = re.compile(rf"[A-Za-z0-9]+|[^A-Za-z0-9({SPECIAL}]+|\(")
"""Plain text: a word, characters between words, or a bracket. Words and brackets match alone because links begin at
them."""

# At the start of a line
RULE: Final = re.compile(rf"[-–*_=+|•◦‣][-–*_=+|•◦‣: \t]{{0,{HOLD - 1}}}")
"""A line of nothing but these is a rule, an underline or part of a table. They also begin list items and table rows."""
BULLET: Final = re.compile(r"[-–*+•◦‣][ \t]+")
HEADING: Final = re.compile(rf"#{{1,{HOLD}}}")
FENCE: Final = re.compile(rf"([`~])\1{{0,{HOLD - 1}}}")
INFO: Final = re.compile(rf"[^`{NEWLINES}]{{0,{HOLD}}}")

# Anywhere
RUN: Final = re.compile(rf"([*_~`=\\])\1{{0,{HOLD - 1}}}")
CELL: Final = re.compile(rf"\|[| \t]{{0,{HOLD - 1}}}")
ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
ENTITY_BEGINS: Final = re.compile(r"&(?:#[0-9a-zA-Z]{0,7}|[A-Za-z][A-Za-z0-9]{0,31})?\Z")
AUTOLINK: Final = re.compile(r"<(?:mailto:)?([\w.+%-]+@[\w-]+(?:\.[\w-]+)+)>|<tel:(\+?[\d ().-]{3,24})>")
TAG: Final = re.compile(
    rf"""</?([A-Za-z][A-Za-z0-9:-]*)(?:\s+[\w:@-]+\s*=\s*(?:"[^"<>{NEWLINES}]*"|'[^'<>{NEWLINES}]*'|[^\s"'<>]+))*\s*/?>"""
    rf"|<!--[^<>{NEWLINES}]*-->"
)
TAG_BEGINS: Final = re.compile(rf"<(?:[/!A-Za-z][^<>{NEWLINES}]*)?\Z")
TAG_NAME: Final = frozenset(string.ascii_letters + "/!")
"""What follows the `<` of a tag."""
THOUGHTS: Final = {"think", "thinking", "thought", "reasoning"}
"""Tags around a model's thoughts, which are removed with their contents."""
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
"""The beginning of an address, with the words before it that make no sense without it."""
LINK_BEGINS: Final = frozenset(opening[:n] for opening in _OPENINGS for n in range(1, len(opening)))
"""Everything that may become a match of `LINK`, in lower case."""
LONGEST_OPENING: Final = max(map(len, _OPENINGS))
URL: Final = re.compile(r"[A-Za-z0-9!#$%&'()*+,./:;=?@\[\]_~{}-]*")
URL_TAIL: Final = re.compile(r"[.,;:!?')\]}*_~]{0,8}\Z")
"""Punctuation after an address: it belongs to the sentence, not to the address."""
