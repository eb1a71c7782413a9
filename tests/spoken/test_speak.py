"""Sentences are said as a person would say them, and what was heard is told in the words that were written."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceflow import Word
from voiceflow.processors.spoken import LANGUAGES, Spoken, speak, speaking
from voiceflow.processors.spoken.spoken import Piece

CORPUS = [
    (language, *line.split(" => "))
    for language in LANGUAGES
    for line in Path(__file__).with_name(f"{language}.txt").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize(("language", "written", "said"), CORPUS)
def test_a_sentence_is_said_as_a_person_would_say_it(language, written, said):
    assert speak(written, language).text == said


def test_the_corpus_has_three_hundred_sentences_in_four_languages():
    assert len(CORPUS) >= 300
    assert all(sum(language == of for of, *_ in CORPUS) >= 75 for language in LANGUAGES)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en-US", "On March fourth, twenty twenty-five."),
        ("en_GB", "On the third of April, twenty twenty-five."),
        ("en", "On March fourth, twenty twenty-five."),
        ("es-MX", "On cuatro de marzo de dos mil veinticinco."),
        ("fr-CH", "On trois avril deux mille vingt-cinq."),
    ],
)
def test_the_region_tells_the_order_of_dates(language, said):
    text = "On 3/4/2025." if language != "es-MX" else "On 4/3/2025."
    assert speak(text, language).text == said


def test_the_region_tells_how_numbers_are_written():
    assert speak("1,234.5", "es-MX").text == "mil doscientos treinta y cuatro punto cinco"
    assert speak("1.234,5", "es-ES").text == "mil doscientos treinta y cuatro coma cinco"


@pytest.mark.parametrize("language", ["", "it", "xx-YY", "zh"])
def test_in_other_languages_only_digits_of_other_scripts_change(language):
    assert speak("a ١٢ b ५ c 7 % ３％ ½ ① ⑫ x⁴", language).text == "a 12 b 5 c 7 % 3% ½ 1 12 x⁴"


def test_without_the_packages_only_digits_of_other_scripts_change(monkeypatch):
    monkeypatch.setattr(speaking, "_PACKAGES", ("no_such_package",))
    assert speak("It is ٣ and $5.", "en-AU").text == "It is 3 and $5."
    speaking._rules.pop("en-AU")


def test_words_stay_where_nothing_is_short_for_anything():
    for language in LANGUAGES:
        assert speak("Guten Tag, c'est la vie: ¿qué tal?", language).text == "Guten Tag, c'est la vie: ¿qué tal?"


PARTS = """
$ € 5 12 3.14 1,000 1.000 / - – : . , % °C km kg h 10:30 25:61 31.2. 2024-13-45 a@b.c IV ½ #7 ^2 ( ) ' " v1.2.3 +49 Dr.
St. 00 1e5 9999999999999 Jan. am the x = < & \u0663 0/0 1/0
"""
TEXTS = st.text() | st.lists(st.sampled_from([*PARTS.split(), " "])).map("".join)


@settings(max_examples=300)
@given(TEXTS, st.sampled_from([*LANGUAGES, "en-GB", "es-MX", ""]))
def test_whatever_is_written_is_said_and_every_word_of_it_is_heard_in_order(text, language):
    spoken = speak(text, language)
    said = [Word(word, at / 10) for at, word in enumerate(spoken.text.split(), 1)]
    heard = spoken.words(said)
    if said and spoken.text != text:
        assert [word.text for word in heard] == text.split()
    ends = [word.end for word in heard]
    assert ends == sorted(ends)
    assert not ends or ends[-1] == len(said) / 10


@given(
    st.from_regex(r"[a-zäé]{1,8}( \d{1,7}([.,]\d{1,3})?){1,3} [a-zäé]{1,8}", fullmatch=True), st.sampled_from(LANGUAGES)
)
def test_no_digit_is_left(text, language):
    assert not re.search(r"\d", speak(text, language).text)


def test_what_was_heard_is_told_in_the_words_that_were_written():
    spoken = speak("It is $1,234.56 at 10:30 AM.", "en")
    said = tuple(Word(word, at / 10) for at, word in enumerate(spoken.text.split(), 1))
    heard = {word.text: word.end for word in spoken.words(said)}
    assert list(heard) == ["It", "is", "$1,234.56", "at", "10:30", "AM."]
    assert heard["is"] == 0.2
    assert heard["$1,234.56"] == pytest.approx(0.1 * (spoken.text.split().index("cents") + 1))
    assert heard["10:30"] < heard["AM."] == said[-1].end


def test_a_voice_may_divide_words_in_its_own_way():
    spoken = Spoken("It is $5 now.", [Piece(6, 8, "five dollars")])
    said = [Word("it", 0.1), Word("is", 0.2), Word("five-dollars", 0.5), Word("now", 0.7)]
    assert spoken.words(said) == (Word("It", 0.1), Word("is", 0.2), Word("$5", 0.5), Word("now.", 0.7))


def test_words_without_times_stay_without():
    assert speak("It is $5.", "en").words(()) == ()
