"""What is found in a sentence and said in another way: of all rules, the first that matches a place counts."""

from __future__ import annotations

import re

from voiceflow.processors.spoken.addresses import Addresses
from voiceflow.processors.spoken.amounts import Amounts
from voiceflow.processors.spoken.grammar import Grammar, Say
from voiceflow.processors.spoken.signs import Signs
from voiceflow.processors.spoken.spoken import Piece
from voiceflow.processors.spoken.times import Times

_OPENING = "([{\"'“‘„«¿¡"
_CLOSING = ".,;:!?)]}\"'”’»…"


class Rules:
    """The rules of a language."""

    def __init__(self, grammar: Grammar) -> None:
        self._addresses = Addresses(grammar)
        number = grammar.number_pattern
        self._rules: list[tuple[re.Pattern[str], Say]] = [
            (re.compile(pattern.replace("NUMBER", number)), say)
            for part in (Times(grammar), Amounts(grammar), Signs(grammar))
            for pattern, say in part.rules()
        ]

    def pieces(self, text: str) -> list[Piece]:
        """The parts of `text` that are said in another way, none over another."""
        taken = bytearray(len(text))
        pieces = []

        def take(start: int, end: int, said: str | None) -> None:
            if text[end - 1] == "." and not text[end:].strip(_CLOSING + " "):
                end -= 1  # the stop of an abbreviation ends the sentence, too
                said = said and said.removesuffix(".")
            if said is not None and not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                pieces.append(Piece(start, end, _apart(said, text[max(0, start - 1) : start], text[end : end + 1])))

        for piece in self._addresses.find(text):
            take(*piece)
        for pattern, say in self._rules:
            for found in pattern.finditer(text):
                take(found.start(), found.end(), say(found))
        return pieces


def _apart(said: str, before: str, after: str) -> str:
    """`said` with spaces where it would run into the characters before and after it."""
    if not said.strip():
        return said
    left = "" if not before or before.isspace() or before in _OPENING else " "
    right = "" if not after or after.isspace() or after in _CLOSING else " "
    return f"{left}{' '.join(said.split())}{right}"
