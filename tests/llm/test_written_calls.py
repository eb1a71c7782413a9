"""Calls of tools that a model writes as text are called and never spoken, in the form of every known chat template."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow.processors.llm.spoken import SpokenText

TOOLS = {"weather": ("city", "unit"), "now": (), "send_mail": ("to", "lines")}


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model writes, and what is meant by it."""

    template: str
    text: str
    said: str = ""
    calls: list[tuple[str, dict[str, Any]]] = msgspec.field(default_factory=lambda: [("weather", {"city": "Oslo"})])


WRITTEN = msgspec.convert(yaml.safe_load((Path(__file__).parent / "written_calls.yaml").read_text()), list[Written])


def read(*pieces: str) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    spoken = SpokenText(TOOLS)
    said = "".join([*map(spoken.feed, pieces), spoken.finish()])
    return said.strip(), [(call.name, call.given) for call in spoken.calls]


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[begin:end] for begin, end in itertools.pairwise(ends)]


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written.template)
@given(places=st.lists(st.integers(0, 400), max_size=8))
@settings(max_examples=15)
def test_calls_of_every_template_are_called_and_not_spoken_wherever_the_pieces_end(written, places):
    assert read(*cut(written.text, places)) == (written.said, written.calls)


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: written.template)
def test_calls_are_read_character_by_character_and_with_words_around_them(written):
    assert read(*written.text) == (written.said, written.calls)
    said, calls = read("Well.\n", *written.text)
    assert (said, calls) == (f"Well.\n{written.said}".strip(), written.calls)


@pytest.mark.parametrize(
    "body",
    [
        *("{{}}", "{{'a': 1}}", "{...}", "[" * 3000, "{" * 3000, '{"a": ' * 1000, "weather(" * 500),
        *("weather({1: {}}, **x)", r"'\d'", "{'name': 'now', 'args': {(1,): {2}}}"),
    ],
)
def test_a_call_that_cannot_be_read_raises_nothing(body):
    for form in ("{}", "<tool_call>{}</tool_call>", "[TOOL_CALLS]{}", "```json\n{}\n```", "[weather({})]"):
        text = form.replace("{}", body, 1)
        read(text)
        read(*(text[place : place + 7] for place in range(0, len(text), 7)))


PARTS = [
    *(part for written in WRITTEN for part in (written.text[:15], written.text[-12:])),
    "weather(", '{"name": ', "```", "\n", "<", "[", "Action: ", "functools[", "word ", "</s>",
    "<|im_end|>", "}", "]", ")",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=8))
@settings(deadline=None)
def test_how_any_text_is_cut_makes_no_difference(parts):
    text = "".join(parts)
    assert read(*parts) == read(text) == read(*text)
