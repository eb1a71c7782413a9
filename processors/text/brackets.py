"""Decides what to do with brackets: links, images, citations, boxes of tasks."""

from __future__ import annotations

import re
from typing import Final

from voiceflow.processors.text import markup
from voiceflow.processors.text.cuts import WAIT, Cut, may_close

LABEL: Final = re.compile(rf"\[((?:[^\[\]{markup.NEWLINES}]|\[[^\[\]{markup.NEWLINES}]*\])*)\]")
ADDRESS: Final = re.compile(
    rf"\((?:[^(){markup.NEWLINES}]|\([^(){markup.NEWLINES}]*\))*\)|\[[^\[\]{markup.NEWLINES}]*\]"
)
_CITATION: Final = re.compile(r"\[?(?:\^[^\s\[\]]+|\d{1,3}(?:[†:][^\[\]]*|(?: ?[,;–-] ?\d{1,3})*))\]?")
_WIKI: Final = re.compile(r"\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]")
_SOURCE: Final = re.compile(rf"【[^【】{markup.NEWLINES}]{{0,{markup.HOLD}}}】")


def link(text: str, at: int, bracket: int, *, starts_line: bool, over: bool) -> Cut:
    """The cut for what may be a link, an image or a citation at `at`, whose text begins with the bracket at
    `bracket`."""
    literal = Cut(1, text[at])
    label = LABEL.match(text, bracket, bracket + markup.HOLD)
    if label is None:
        return WAIT if may_close(text, bracket, markup.HOLD, over=over) else literal
    end, after = label.end(), text[label.end() : label.end() + 1]
    if not after and not over:
        return WAIT
    if starts_line and label[1] in (" ", "x", "X"):
        return Cut(end - at)  # the box of a task in a list: [x]
    is_citation = at == bracket and _CITATION.fullmatch(label[1]) is not None
    if after == "(" or (after == "[" and not is_citation):
        address = ADDRESS.match(text, end, end + markup.HOLD_ADDRESS)
        if address is not None:
            return Cut(address.end() - at, again="" if is_citation else _shown(label[1]), removed=is_citation)
        if may_close(text, end, markup.HOLD_ADDRESS, over=over):
            return WAIT
    if starts_line and after == ":" and (definition := _definition(text, at, end, is_citation, over=over)):
        return definition
    if is_citation:
        return Cut(end - at, removed=True)
    return Cut(end - at, again=_shown(label[1])) if _WIKI.fullmatch(label[1]) else literal


def _shown(label: str) -> str:
    """The text of a link with this label: of [[Page|text]] the text."""
    wiki = _WIKI.fullmatch(label)
    return wiki[1] if wiki else label


def _definition(text: str, at: int, end: int, is_citation: bool, *, over: bool) -> Cut | None:
    """The cut for the beginning of a line that tells the address behind a link, or a footnote: [name]: https://x.com.
    None if the colon after the brackets, at `end`, begins none."""
    rest = text[end + 1 : end + 1 + markup.LONGEST_OPENING].lstrip(" ").lower()
    if is_citation or markup.LINK.match(rest):
        return Cut(end + 1 - at, removed=True)
    may_be = not over and len(text) - end <= markup.LONGEST_OPENING and (not rest or rest in markup.LINK_BEGINS)
    return WAIT if may_be else None


def source(text: str, at: int, *, over: bool) -> Cut:
    """The cut for what may be a citation of a file at `at`: 【4:0†source】."""
    found = _SOURCE.match(text, at)
    if found is None:
        return WAIT if may_close(text, at, markup.HOLD, over=over) else Cut(1, text[at])
    return Cut(len(found[0]), removed=True) if "†" in found[0] or found[0][1:-1].isdecimal() else Cut(1, text[at])
