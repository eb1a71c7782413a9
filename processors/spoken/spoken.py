"""A sentence as it is said, and which of its parts stand for which of what was written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from voiceflow.frames import Word


class Piece(NamedTuple):
    """A part of a text that is said in another way."""

    start: int
    end: int
    said: str


class Spoken:
    """A text and how it is said: `text` is for the voice, `words` tells when what was written was heard.

    >>> spoken = Spoken("It costs $5 now.", [Piece(9, 11, "five dollars")])
    >>> spoken.text
    'It costs five dollars now.'
    >>> [word.text for word in spoken.words([Word("It", 0.1), Word("costs", 0.4), Word("five", 0.7)])]
    ['It', 'costs', '$5', 'now.']
    """

    def __init__(self, written: str, pieces: Iterable[Piece] = ()) -> None:
        self._written = written
        said: list[str] = []
        self._places: list[tuple[int, int]] = [(0, 0)]
        """Places in what was written, each with its place in what is said."""
        at = length = 0

        def add(text: str, end: int) -> None:
            nonlocal at, length
            said.append(text)
            at, length = end, length + len(text)
            self._places.append((at, length))

        for piece in sorted(pieces):
            add(written[at : piece.start], piece.start)
            is_apart = "".join(said[-2:]).endswith(" ")
            add(piece.said.removeprefix(" ") if is_apart else piece.said, piece.end)
        add(written[at:], len(written))
        self.text = "".join(said)

    def words(self, said: Sequence[Word]) -> tuple[Word, ...]:
        """The words that were written, with the times of those that are said."""
        if not said or self.text == self._written:
            return tuple(said)
        ends, at = [], 0
        for word in said:
            found = self.text.find(word.text, at)
            at = min(len(self.text), (found if found >= 0 else at + 1) + len(word.text))
            ends.append((at, word.end))
        return tuple(
            Word(word[0], next((time for at, time in ends if at >= place), said[-1].end))
            for word in re.finditer(r"\S+", self._written)
            for place in [self._said_at(word.end()) - 1]
        )

    def _said_at(self, place: int) -> int:
        """The place in what is said that belongs to a place in what was written."""
        for (start, said_start), (end, said_end) in zip(self._places, self._places[1:], strict=False):
            if place <= end:
                share = (place - start) / (end - start) if end > start else 1.0
                return round(said_start + share * (said_end - said_start))
        return len(self.text)
