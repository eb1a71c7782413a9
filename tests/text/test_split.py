"""Sentences, as early as they are certain."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from text.corpus import SENTENCES
from text.golden import rules

from voiceflow.processors.text import SentenceSplitter

WIDE = re.compile("[^\\x00-\u036f–—‘’“”„•…⁃€]")


def split(*pieces: str) -> list[str]:
    splitter = SentenceSplitter()
    return [sentence for piece in pieces for sentence in splitter.feed(piece)] + splitter.flush()


def chopped(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Text that is full of places where a sentence might end."""
    odd = st.text("aA.!?…,;: \n\"'”«»「」《》。、)(-I1b2•։।؟ας", max_size=8)
    known = st.sampled_from([line.replace("|", "") for line in SENTENCES] + [rule.text for rule in rules()])
    words = st.sampled_from(
        ["Dr.", "U.S.", "The", "3.", "Mai", "am", "word", "sentence, ", "St.", "A", "etc.", "p.m.", "1.)", "2.)", "a."]
    )
    return "".join(part + draw(st.sampled_from(["", " ", "  ", "\n"])) for part in draw(st.lists(odd | known | words)))


@st.composite
def long_texts(draw: st.DrawFn) -> str:
    part = st.sampled_from(["word ", "longer word, ", "w, ", "word", "end. ", " – ", "x" * 300, "、", "Dr. "])
    return "".join(draw(part) * draw(st.integers(1, 40)) for _ in range(draw(st.integers(1, 12))))


@pytest.mark.parametrize("line", SENTENCES)
def test_sentences_of_many_kinds(line):
    assert split(line.replace("|", "")) == [sentence.strip() for sentence in line.split("|")]


@pytest.mark.parametrize("line", SENTENCES)
def test_one_character_at_a_time(line):
    assert split(*line.replace("|", "")) == [sentence.strip() for sentence in line.split("|")]


@given(st.data(), texts() | long_texts())
def test_how_the_text_is_cut_into_pieces_makes_no_difference(data, text):
    assert split(*data.draw(st.composite(chopped)(text))) == split(text)


@given(texts())
def test_no_word_is_lost_or_broken(text):
    assert "".join("".join(split(text)).split()) == "".join(text.split())
    if not WIDE.search(text):  # where words are told by spaces
        assert " ".join(split(text)).split() == text.split()


@given(long_texts())
def test_what_is_cut_anywhere_loses_nothing(text):
    assert "".join("".join(split(text)).split()) == "".join(text.split())


@given(texts() | long_texts())
def test_text_that_was_split_before_passes_straight_on(text):
    sentences = split(text)
    assert split("".join(sentence + "\n" for sentence in sentences)) == sentences
    again = SentenceSplitter()
    assert [again.feed(sentence + "\n") for sentence in sentences] == [[sentence] for sentence in sentences]


@pytest.mark.parametrize("length", range(995, 1005))
@pytest.mark.parametrize("end", [".", "...", '."', ", ", "。", "!? "])
def test_what_is_cut_near_the_end_of_a_sentence_passes_straight_on(length, end):
    sentences = split("x" * length + end + "And on.")
    assert split("".join(sentence + "\n" for sentence in sentences)) == sentences


@given(st.text() | texts())
def test_no_sentence_has_space_around_it_or_is_empty(text):
    assert all(sentence and sentence == sentence.strip() for sentence in split(text))


@given(st.lists(texts() | long_texts(), max_size=4))
def test_what_is_held_is_bounded(pieces):
    splitter = SentenceSplitter()
    for piece in pieces:
        splitter.feed(piece)
    assert sum(map(len, splitter.flush())) <= 1100


@pytest.mark.parametrize("piece", [".", "!", " ", "…", "。", "«", "U.S. ", "(", "! »", ",", "–", "x"])
def test_what_never_ends_is_held_within_bounds(piece):
    splitter = SentenceSplitter()
    for _ in range(20):
        splitter.feed(piece * 200)
    assert sum(map(len, splitter.flush())) <= 1100


def held(text: str) -> list[str]:
    return SentenceSplitter().feed(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Hello! ", ["Hello!"]),
        ("Hello!", []),
        ("Hello\n", ["Hello"]),
        ("Good morning. ", ["Good morning."]),
        ("I see. ", []),
        ("I see. L", ["I see."]),
        ("In 1980", []),
        ("In 1980.", []),
        ("In 1980. S", ["In 1980."]),
        ("It is 3.", []),
        ("It is 3. ", []),
        ("From the U.S. T", []),
        ("From the U.S. The ", ["From the U.S."]),
        ("你好。我", ["你好。"]),
    ],
)
def test_a_sentence_leaves_when_it_is_certain(text, left):
    assert held(text) == left


def test_the_first_sentence_may_end_at_a_clause_so_that_the_voice_can_begin():
    opening = "Thank you very much for calling our little shop today,"
    assert held(f"{opening} we are ha") == []
    assert held(f"{opening} we are happy to") == [opening]
    assert split(f"{opening} we are happy to help you.") == [opening, "we are happy to help you."]


def test_a_short_rest_stays_with_the_first_sentence():
    text = "Thank you very much for calling our little shop today, Ann."
    assert split(text, " Bye.") == [text, "Bye."]


@pytest.mark.parametrize("length", range(232, 252))
def test_how_it_is_cut_makes_no_difference_where_the_opening_clause_is_long(length):
    text = "x" * length + ", yyyy, zz, and so on. Then more."
    assert split(*text) == split(text)


def test_later_sentences_stay_whole():
    text = "Thank you very much for calling our little shop today, we are happy to help you."
    assert split("Hello! " + text) == ["Hello!", text]


def test_every_reply_has_a_first_sentence():
    text = "Thank you very much for calling our little shop today, we are happy to help you."
    splitter = SentenceSplitter()
    first = splitter.feed(text) + splitter.flush()
    assert splitter.feed(text) + splitter.flush() == first
    assert len(first) == 2


def test_a_sentence_that_goes_on_and_on_ends_at_a_clause():
    pieces = split("Hi! " + "and then we went on, " * 100)
    assert all(250 <= len(piece) <= 280 and piece.endswith(",") for piece in pieces[1:-1])
    assert len(pieces) == 10


def test_a_sentence_without_clauses_ends_at_a_space():
    pieces = split("word " * 400)
    assert all(400 <= len(piece) <= 405 for piece in pieces[:-1])


def test_what_has_no_spaces_ends_anywhere():
    assert [len(piece) for piece in split("x" * 2500)] == [1000, 1000, 500]


def test_a_long_text_takes_time_in_proportion_to_its_length():
    text = re.sub(r"\|", "", " ".join(SENTENCES)) * 20
    assert len(split(text)) > 2000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is whole. Two is", ["One is whole."]),
        ("One is whole. Two is, too.", ["One is whole.", "Two is, too."]),
        ("One is whole! (Two is)", ["One is whole!", "(Two is)"]),
        ("Item one\nItem tw", ["Item one"]),
        ("Only a part", ["Only a part"]),
        ("", []),
    ],
)
def test_of_a_reply_that_breaks_off_the_unfinished_sentence_is_left_out_if_a_whole_one_came_before(text, expected):
    for pieces in ([text], list(text)):
        splitter = SentenceSplitter()
        assert [sentence for piece in pieces for sentence in splitter.feed(piece)] + splitter.break_off() == expected


def test_a_sentence_of_which_a_part_was_said_is_said_as_far_as_it_came():
    splitter = SentenceSplitter()
    said = splitter.feed("Whole. " + "and so on, " * 30) + splitter.break_off()
    assert " ".join(said) == ("Whole. " + "and so on, " * 30).strip()
