"""Only what can be said is left, and it leaves as early as it can."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from text.corpus import CLEANED, HINTED, SENTENCES

from voiceflow.processors.text import SentenceSplitter, SpeechCleaner


def clean(*pieces: str, hint: str = "") -> str:
    cleaner = SpeechCleaner(hint)
    return "".join(cleaner.feed(piece) for piece in pieces) + cleaner.flush()


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Markdown as a model might write it."""
    part = st.sampled_from([raw for raw, _ in CLEANED] + [line.replace("|", "") for line in SENTENCES])
    return "".join(draw(part) + draw(st.sampled_from([" ", "\n", "\n\n"])) for _ in range(draw(st.integers(0, 6))))


GARBAGE = st.text("ab1 \n*_~`#>-+=|<>[]()!&;\\.:/?$^{}【】†👋\ufe0f。看", max_size=40) | st.lists(
    st.sampled_from(
        ["https://", "www.", "visit ", "<think>", "</think>", "<br", "![", "](", "&amp;", "```", "**", "see "]
    )
).map("".join)


@pytest.mark.parametrize(("raw", "said"), CLEANED)
def test_markup_of_many_kinds(raw, said):
    assert clean(raw).strip() == said


@pytest.mark.parametrize(("raw", "said"), CLEANED)
def test_one_character_at_a_time(raw, said):
    assert clean(*raw).strip() == said


@pytest.mark.parametrize(("raw", "said"), HINTED)
def test_a_hint_stands_for_an_address(raw, said):
    assert clean(raw, hint="the page we sent you") == said


@given(st.data(), documents() | GARBAGE)
def test_how_the_text_is_cut_into_pieces_makes_no_difference(data, text):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=12)))
    assert clean(*(text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True))) == clean(text)


@given(documents())
def test_clean_text_stays_as_it_is(text):
    assert clean(clean(text)) == clean(text)


@given(st.text("abcAB 12,.!?;:'\"%€é\nüß", max_size=200))
def test_nothing_is_lost_but_markup(text):
    assert clean(text).split() == text.split()


LONG_RUNS = st.sampled_from(
    ["<", "[", "*", "`", "|", "-", "#", "&", "\\", "(", "h", " ", "\n", "|</", "<a", "&lt;b", "a|"]
)


@given(st.lists(GARBAGE | LONG_RUNS.map(lambda run: run * 1500), max_size=4))
@example(["[", "][", "<" * 1500])
@example(["[](", "|</" * 600])
def test_what_is_held_is_bounded(pieces):
    cleaner = SpeechCleaner()
    for piece in pieces:
        cleaner.feed(piece)
    assert len(cleaner.flush()) <= 2500


@pytest.mark.parametrize("run", ["<", "<a", "&lt;", "&amp;", "a|", "[a](", "[a](b)", "[", "*a", "`", "h", "<b "])
def test_a_long_text_takes_time_in_proportion_to_its_length(run, monkeypatch):
    looked_at = []
    decide = SpeechCleaner._next
    monkeypatch.setattr(
        SpeechCleaner,
        "_next",
        lambda self, text, at, *, over: looked_at.append(text) or decide(self, text, at, over=over),
    )
    clean(run * 5_000)
    assert max(map(len, looked_at)) <= 2500  # so much is copied for a character at most


@pytest.mark.parametrize("begin", ["https://", "<think>", "[a](", "<b ", "```", "&", "!["])
def test_what_never_ends_is_held_within_bounds(begin):
    cleaner = SpeechCleaner()
    cleaner.feed(begin)
    for _ in range(100):
        cleaner.feed("abcdefghij" * 20)
    assert len(cleaner.flush()) <= 2500


def test_text_without_markup_passes_at_once():
    cleaner = SpeechCleaner()
    for token in [
        "Good",
        " morning",
        ",",
        " Ann",
        ".",
        " It",
        "'s",
        " 10",
        ":",
        "30",
        "!",
        " Bye",
        ".\n",
        "New",
        " line",
    ]:
        assert cleaner.feed(token) == token


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        ("a *k", "a k"),
        ("a *", "a"),
        ("a <b", "a"),
        ("a [b", "a"),
        ("an [x] kind", "an [x] kind"),
        ("more h", "more"),
        ("more ha", "more ha"),
        ("- ", ""),
        ("- k", "k"),
        ("a & k", "a & k"),
    ],
)
def test_only_what_may_become_markup_is_held(piece, said):
    assert SpeechCleaner().feed(piece) == said


def test_a_thought_is_never_said_however_it_is_cut():
    assert clean("Hi <thi", "nk>sec", "ret</th", "ink>there") == "Hi there"


@given(documents())
def test_cleaned_text_has_the_sentences_of_its_lines(text):
    splitter = SentenceSplitter()
    sentences = splitter.feed(clean(text)) + splitter.flush()
    assert "".join("".join(sentences).split()) == "".join(clean(text).split())
