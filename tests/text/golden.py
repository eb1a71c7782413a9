"""The texts of golden.txt, and how many of them a splitter splits as they say."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Rule(NamedTuple):
    """A text, and the sentences it has."""

    language: str
    golden: bool
    """Whether it is a golden rule, rather than a further example."""
    text: str
    sentences: list[str]

    @property
    def group(self) -> str:
        if not self.golden:
            return "further examples, 5 languages"
        return "golden rules, English" if self.language == "en" else "golden rules, 22 languages"


RIGHT = {"golden rules, English": 45, "golden rules, 22 languages": 108, "further examples, 5 languages": 105}
"""How many are split right; docs/speech-text.md says which are not."""


def rules() -> Iterator[Rule]:
    language, golden = "", True
    for line in Path(__file__).with_name("golden.txt").read_text("utf-8").splitlines():
        if line.startswith("## "):
            language, _, kind = line.removeprefix("## ").partition(" ")
            golden = not kind
        elif line and not line.startswith("# "):
            sentences = [" ".join(sentence.split()) for sentence in line.split("|")]
            yield Rule(language, golden, line.replace("|", ""), sentences)
