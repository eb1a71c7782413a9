"""Reduces a model's stream of text to what may be spoken: no thoughts, no control characters. No I/O in here."""

from __future__ import annotations

import re

_UNSPEAKABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff\ud800-\udfff\ufffd\ufffe\uffff]")
"""Control and invisible characters, halves of surrogate pairs, and the replacement for bytes that are not UTF-8."""
_TAG = re.compile(r"<(/?)\s*(?:think|thinking|thought|reasoning)\s*>", re.IGNORECASE)
_TAG_BEGUN = re.compile(r"<\s*/?\s*[a-z]{0,9}\s*\Z", re.IGNORECASE)
"""The end of a piece that may become a tag with the next piece."""


class SpokenText:
    """Takes an answer piece by piece, however it is cut, and returns what the caller may hear of it."""

    def __init__(self) -> None:
        self._held = ""
        self._thinking = False
        self._begun = False

    def feed(self, piece: str) -> str:
        text = self._held + _UNSPEAKABLE.sub("", piece)
        self._held = ""
        spoken = []
        place = 0
        for tag in _TAG.finditer(text):
            if not self._thinking:
                spoken.append(text[place : tag.start()])
            self._thinking = not tag[1]  # a closing tag may come alone: the opening one was in the prompt
            place = tag.end()
        begun = _TAG_BEGUN.search(text, max(place, len(text) - 32))
        end = begun.start() if begun else len(text)
        self._held = text[end:]
        if not self._thinking:
            spoken.append(text[place:end])
        return self._trimmed("".join(spoken))

    def finish(self) -> str:
        """Return the text that was held back and is no tag. A thought that was never closed is not spoken."""
        held, self._held = self._held, ""
        return "" if self._thinking else self._trimmed(held)

    def _trimmed(self, text: str) -> str:
        if not self._begun:
            text = text.lstrip()
            self._begun = bool(text)
        return text
