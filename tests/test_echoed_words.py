"""The agent's own words, which an echo brings back: they are no turn."""

import pytest
from doubles import make_call
from talking import Parrot, Voice, run

from voiceflow import Frame, Mark, SpeechStarted, SpeechStopped, Transcript
from voiceflow.playout.ledger import Sentence
from voiceflow.processors import BargeIn
from voiceflow.turns.echoed_words import repeats

TEXT = "Your table is booked for Thursday at eight. Please come ten minutes earlier."
PLAYED = Sentence(Mark("Shall I book the table for Monday, Tuesday or Wednesday?"), 0.0, None, began=10.0, ended=14.0)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("I book the table for", 10.2, 12.3),
        ("i cook the table for monday", 10.2, 12.8),  # as it was misheard
        ("Shall I book the table for Monday, Tuesday or Wednesday?", 9.9, 14.3),
        ("Tuesday or Wednesday", 12.6, 14.3),
        ("Wednesday", 13.3, 14.3),
    ],
)
def test_words_that_were_played_at_that_time_are_an_echo(text, start, end):
    assert repeats(Transcript(text, start=start - 5.0, end=end - 5.0), [PLAYED], 5.0)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("Wednesday", 14.6, 15.6),  # the answer
        ("Tuesday or Wednesday", 15.0, 16.5),
        ("Monday", 13.5, 14.5),  # an answer that interrupts
        ("no, for two people", 11.0, 12.3),
        ("book the table for Friday evening, please", 11.0, 13.0),
        ("", 11.0, 12.0),
        ("I book the table for", 20.0, 22.0),
        ("I book the table for", 0.0, 0.0),  # when is not known
    ],
)
def test_what_the_caller_says_is_none(text, start, end):
    assert not repeats(Transcript(text, start=start, end=end), [PLAYED], 0.0)


def test_sentences_in_a_row_are_one_echo():
    sentences = [
        Sentence(Mark("It is booked."), 0.0, None, began=1.0, ended=2.0),
        Sentence(Mark("Please come early."), 0.0, None, began=2.1, ended=3.4),
        Sentence(Mark("Never played."), 0.0, None),
    ]
    assert repeats(Transcript("is booked please come early", start=1.0, end=3.7), sentences, 0.0)


def said(*script: Frame | float) -> list[str]:
    call, voice = make_call(Transcript(TEXT), *script, 20.0), Voice()
    run(call, lambda call: call.source | BargeIn() | Parrot() | voice | call.sink)
    return voice.texts


def test_an_echo_that_has_cut_the_reply_is_no_turn_and_the_rest_is_said():
    echo = Transcript("your table is booked", start=0.2, end=2.4)
    first, rest = said(2.2, SpeechStarted(), 0.5, echo, SpeechStopped())
    assert first == TEXT
    assert rest.startswith("for Thursday")


def test_the_caller_who_cuts_it_with_other_words_has_the_turn():
    words = Transcript("no, at nine", start=1.2, end=2.4)
    assert said(2.2, SpeechStarted(), 0.5, words, SpeechStopped()) == [TEXT, "no, at nine"]


def test_the_callers_own_repetition_after_the_reply_is_a_turn():
    words = Transcript("on Thursday at eight", start=8.9, end=10.0)
    assert said(9.2, SpeechStarted(), 0.9, words, SpeechStopped()) == [TEXT, "on Thursday at eight"]
