"""The golden rules of Pragmatic Segmenter, and more texts of its authors, in 23 languages."""

from collections import Counter

import pytest
from text.golden import RIGHT, rules

from voiceflow.processors.text import SentenceSplitter, split


@pytest.fixture(autouse=True)
def whole(monkeypatch):
    """Sentences are not cut at clauses."""
    for limit in ("OPENING_CLAUSE", "LONG", "LONGER", "LONGEST"):
        monkeypatch.setattr(split, limit, 10_000)


def pieces_of(text: str, size: int) -> list[str]:
    splitter = SentenceSplitter()
    pieces = [sentence for at in range(0, len(text), size) for sentence in splitter.feed(text[at : at + size])]
    return pieces + splitter.flush()


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_as_many_golden_rules_are_kept_as_the_documentation_says(size):
    right = Counter(rule.group for rule in rules() if pieces_of(rule.text, size) == rule.sentences)
    assert right == RIGHT
