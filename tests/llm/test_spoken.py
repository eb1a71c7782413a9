"""What of a model's stream may be spoken, however it is cut into pieces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceflow.processors.llm.spoken import SpokenText


def spoken(*pieces: str) -> str:
    filter = SpokenText()
    return "".join([*map(filter.feed, pieces), filter.finish()])


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {0, len(text)})
    return [text[begin:end] for begin, end in itertools.pairwise(ends)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there.", "Hello there."),
        ("<think>I must greet.</think>Hello.", "Hello."),
        ("<think>\nI must\n</think>\n\nHello.", "Hello."),
        ("<thinking>a</thinking>Hello <thought>b</thought>there.", "Hello there."),
        ("<THINK>a</Think>Hello.", "Hello."),
        ("</think>\n\nHello.", "Hello."),
        ("Hello. <think>and now", "Hello. "),
        ("<think>for ever and ever", ""),
        ("<think>a < b</th</think>Hello.", "Hello."),
        ("Is a < b or b > a?", "Is a < b or b > a?"),
        ("Press <", "Press <"),
        ("<thin air>", "<thin air>"),
        ("a\x00b\x1b[31mc\x07", "ab[31mc"),
        ("caf\ufffde \ud83d ok\u200b", "cafe  ok"),
        ("two\nlines\tand", "two\nlines\tand"),
        (" \n\n ", ""),
    ],
)
@given(places=st.lists(st.integers(0, 200), max_size=8))
def test_thoughts_and_garbage_are_not_spoken_wherever_the_pieces_end(text, expected, places):
    assert spoken(*cut(text, places)) == expected


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", ">", "/", "thi", "nk", "word ", "\n", " ", "é"])))
def test_how_the_text_is_cut_makes_no_difference(pieces):
    text = "".join(pieces)
    assert spoken(*pieces) == spoken(text) == spoken(*text)


def test_words_are_spoken_as_they_come():
    filter = SpokenText()
    assert [filter.feed(piece) for piece in ("Hello", " there", ".")] == ["Hello", " there", "."]


def test_a_piece_of_a_megabyte_takes_no_time():
    assert len(spoken("<" * 1_000_000)) == 1_000_000
