"""How many texts are split into the sentences that people find in them: by voiceflow, and by sentencex.

    python benchmarks/sentences.py [--json FILE] [--quick]

The texts are tests/text/golden.txt: the golden rules of Pragmatic Segmenter in 23 languages, and more of its examples.
voiceflow is given one character after the other and no language. sentencex (`pip install sentencex`) is given the
whole text and its language, and again as a pipeline would use it while a model writes: whenever it finds more than one
sentence in what is there, all but the last are taken. Cuts at clauses, which begin speech early, are left out.
"""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from report import options, show, write

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # the texts are those of the tests
from text.golden import Rule, rules

from voiceflow.processors.text import SentenceSplitter, split

Split = Callable[[Rule], list[str]]


def ours(rule: Rule) -> list[str]:
    splitter = SentenceSplitter()
    sentences = [sentence for char in rule.text for sentence in splitter.feed(char)]
    return sentences + splitter.flush()


def with_sentencex() -> dict[str, Split]:
    try:
        segment: Callable[[str, str], list[str]] = importlib.import_module("sentencex").segment
    except ImportError:
        return {}

    def whole(rule: Rule) -> list[str]:
        return [" ".join(sentence.split()) for sentence in segment(rule.language, rule.text) if sentence.strip()]

    def streamed(rule: Rule) -> list[str]:
        sentences, held = [], ""
        for char in rule.text:
            held += char
            *certain, last = segment(rule.language, held)
            if certain:
                sentences += certain
                held = last
        return [" ".join(sentence.split()) for sentence in [*sentences, held] if sentence.strip()]

    return {"sentencex, whole texts": whole, "sentencex, streamed": streamed}


def main() -> None:
    arguments = options(__doc__).parse_args()
    for limit in ("OPENING_CLAUSE", "LONG", "LONGER", "LONGEST"):
        setattr(split, limit, 10_000)
    texts = list(rules())[:: 20 if arguments.quick else 1]
    asked = Counter(rule.group for rule in texts)
    rows = []
    for name, sentences in {"voiceflow": ours, **with_sentencex()}.items():
        right = Counter(rule.group for rule in texts if sentences(rule) == rule.sentences)
        rows.append({"": name, **{group: f"{right[group]} of {asked[group]}" for group in asked}})
    show("Texts split right", rows)
    write(arguments.json, {"texts": rows})


if __name__ == "__main__":
    main()
