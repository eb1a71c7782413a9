"""The account of what was heard: replies, sentences, and where an interruption cuts them."""

import pytest
from doubles import virtual

from voiceflow import Mark, Word
from voiceflow.playout.ledger import Cleared, Ledger, cut
from voiceflow.reply import Reply

LINE = "one two three four"  # 18 characters


def accounting(test):
    """Run a test of a new ledger inside an event loop, whose futures replies are made of."""

    def run() -> None:
        async def main() -> None:
            test(Ledger())

        virtual(main())

    run.__name__ = test.__name__
    return run


def begin(ledger: Ledger, *, part: bool = False) -> Reply:
    reply = Reply()
    ledger.replies.append(reply)
    ledger.begin(reply, part=part)
    return reply


def sentence(ledger: Ledger, text: str, seconds: float, now: float = 0.0) -> None:
    ledger.open(Mark(text))
    ledger.audio(seconds, now)
    ledger.close()


def clear(ledger: Ledger, now: float, queued: float = 0.0, *, closed: bool = False) -> Cleared:
    return ledger.clear(now, queued, closed=closed)


# --- cutting a sentence ---


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        (0.0, ""),
        (0.29, ""),
        (0.3, "one"),
        (0.69, "one"),
        (0.7, "one two"),
        (1.29, "one two"),
        (1.3, "one two three"),
        (1.79, "one two three"),
        (1.8, "one two three four"),
        (9.0, "one two three four"),
    ],
)
def test_without_word_times_a_sentence_is_cut_in_proportion_at_the_last_whole_word(heard, text):
    assert cut(LINE, (), heard, 1.8) == text


@pytest.mark.parametrize(
    ("heard", "text"),
    [(0.0, ""), (0.99, ""), (1.0, "one"), (1.05, "one"), (1.1, "one two"), (1.4, "one two"), (1.5, "one two three")],
)
def test_word_times_say_where_a_sentence_is_cut(heard, text):
    words = (Word("one", 1.0), Word("two", 1.1), Word("three", 1.5))
    assert cut("one two three", words, heard, 2.0) == text


def test_a_cut_sentence_keeps_its_own_spacing_and_punctuation():
    assert cut("Well,  yes: no.", (), 1.0, 1.5) == "Well,  yes"[:5]
    assert cut("  one two", (), 0.5, 0.9) == "  one"


def test_a_sentence_of_spaces_is_cut_to_nothing():
    assert cut("   ", (), 1.0, 1.0).strip() == ""


# --- what was heard ---


@accounting
def test_what_is_sent_is_heard_as_time_goes_by(ledger):
    ledger.audio(1.0, now=10.0)
    assert ledger.play_end == 11.0
    assert [ledger.heard(now) for now in (10.0, 10.25, 11.0, 20.0)] == [0.0, 0.25, 1.0, 1.0]


@accounting
def test_audio_is_played_after_what_was_sent_before(ledger):
    ledger.audio(1.0, now=0.0)
    ledger.audio(1.0, now=0.1)
    assert ledger.play_end == 2.0
    assert ledger.heard(0.5) == pytest.approx(0.5)


@accounting
def test_after_an_underrun_the_clock_starts_afresh(ledger):
    ledger.audio(1.0, now=0.0)
    assert ledger.heard(3.0) == 1.0
    ledger.audio(1.0, now=5.0)
    assert ledger.play_end == 6.0
    assert [ledger.heard(now) for now in (5.0, 5.5, 6.0, 9.0)] == [1.0, 1.5, 2.0, 2.0]


@accounting
def test_an_echo_before_its_time_raises_what_was_heard(ledger):
    begin(ledger)
    sentence(ledger, LINE, 1.0)
    ledger.audio(1.0, 0.0)
    name = ledger.cues[0].name
    assert ledger.heard(0.25) == pytest.approx(0.25)
    ledger.echo(name)
    assert ledger.heard(0.25) == 1.0


@accounting
def test_an_echo_implies_all_earlier_ones(ledger):
    begin(ledger)
    for text in ("one.", "two.", "three."):
        sentence(ledger, text, 1.0)
    names = [cue.name for cue in ledger.cues]
    assert [cue.sentence.mark.text for cue in ledger.echo(names[1])] == ["one.", "two."]
    assert ledger.echo(names[0]) == []
    assert ledger.echo(names[1]) == []
    assert [cue.sentence.mark.text for cue in ledger.echo(names[2])] == ["three."]


@accounting
def test_an_unknown_echo_means_nothing(ledger):
    begin(ledger)
    sentence(ledger, "one.", 1.0)
    assert ledger.echo("somebody else's") == []
    assert ledger.heard(0.0) == 0.0
    assert len(ledger.cues) == 1


@accounting
def test_names_are_unique_through_interruptions(ledger):
    names = []
    for _ in range(3):
        begin(ledger)
        sentence(ledger, "one.", 1.0)
        sentence(ledger, "two.", 1.0)
        names += [cue.name for cue in ledger.cues]
        clear(ledger, 0.0)
    assert len(set(names)) == 6


@accounting
def test_a_mark_that_does_not_come_back_counts_as_played_after_the_grace(ledger):
    begin(ledger)
    sentence(ledger, "one.", 1.0)
    sentence(ledger, "two.", 1.0)
    assert ledger.elapse(2.99, grace=2.0) == []
    assert [cue.sentence.mark.text for cue in ledger.elapse(3.0, grace=2.0)] == ["one."]
    assert [cue.sentence.mark.text for cue in ledger.elapse(4.0, grace=2.0)] == ["two."]


# --- sentences and replies ---


@accounting
def test_a_played_sentence_becomes_the_replys_words(ledger):
    reply = begin(ledger)
    sentence(ledger, "Good morning.", 1.0)
    sentence(ledger, "How are you?", 1.0)
    assert reply.heard == ""
    ledger.elapse(1.0, 0.0)
    assert reply.heard == "Good morning."
    ledger.elapse(2.0, 0.0)
    assert reply.heard == "Good morning. How are you?"


@accounting
def test_a_mark_closes_the_sentence_that_is_open(ledger):
    reply = begin(ledger)
    ledger.open(Mark("one."))
    ledger.audio(1.0, 0.0)
    assert ledger.open(Mark("two.")) is not None
    ledger.audio(1.0, 0.0)
    ledger.elapse(1.0, 0.0)
    assert reply.heard == "one."


@accounting
def test_a_closing_mark_without_an_open_sentence_means_nothing(ledger):
    begin(ledger)
    assert ledger.close() is None
    assert ledger.close() is None
    assert not ledger.cues


@accounting
def test_the_replys_end_closes_its_sentence_and_resolves_it_when_played(ledger):
    reply = begin(ledger)
    ledger.open(Mark("one."))
    ledger.audio(1.0, 0.0)
    ledger.end()
    assert not reply.done.done()
    ledger.elapse(1.0, 0.0)
    assert (reply.heard, reply.done.result(), reply.interrupted) == ("one.", 1.0, False)


@accounting
def test_a_reply_counts_from_its_own_beginning(ledger):
    first = begin(ledger)
    ledger.audio(1.0, 0.0)
    ledger.end()
    second = begin(ledger)
    ledger.audio(0.5, 0.0)
    ledger.end()
    ledger.elapse(1.5, 0.0)
    assert (first.done.result(), second.done.result()) == (pytest.approx(1.0), pytest.approx(0.5))


@accounting
def test_a_reply_that_begins_ends_the_one_before(ledger):
    first = begin(ledger)
    ledger.open(Mark("one."))
    ledger.audio(1.0, 0.0)
    begin(ledger)
    ledger.elapse(1.0, 0.0)
    assert first.heard == "one."
    assert first.done.result() == 1.0


@accounting
def test_a_reply_without_audio_is_done_when_what_is_before_it_was_played(ledger):
    first = begin(ledger)
    ledger.audio(1.0, 0.0)
    ledger.end()
    empty = begin(ledger)
    ledger.end()
    assert not empty.done.done()
    ledger.elapse(1.0, 0.0)
    assert (first.done.result(), empty.done.result()) == (1.0, 0.0)


@accounting
def test_a_part_of_a_reply_has_its_own_seconds_and_adds_its_words_to_the_reply(ledger):
    reply = begin(ledger)
    sentence(ledger, "one.", 1.0)
    part = begin(ledger, part=True)
    sentence(ledger, "two.", 0.5)
    ledger.end(part)
    sentence(ledger, "three.", 1.0)
    ledger.end()
    ledger.elapse(1.5, 0.0)
    assert part.done.result() == pytest.approx(0.5)
    assert not reply.done.done()
    ledger.elapse(2.5, 0.0)
    assert reply.done.result() == pytest.approx(2.5)
    assert reply.heard == "one. two. three."


@accounting
def test_ends_without_a_reply_mean_nothing(ledger):
    assert ledger.end() is None
    assert not ledger.cues


# --- interruption ---


@accounting
def test_a_clear_cuts_the_sentence_that_is_being_played(ledger):
    reply = begin(ledger)
    sentence(ledger, "First one.", 1.0)
    sentence(ledger, LINE, 1.8)
    cleared = clear(ledger, now=1.75)
    assert [mark.text for mark in cleared.played] == ["First one."]
    assert cleared.heard == reply.heard == "First one. one two"
    assert cleared.seconds == pytest.approx(1.75)
    assert reply.done.result() == pytest.approx(1.75)
    assert reply.interrupted


@accounting
def test_a_clear_leaves_no_word_of_a_sentence_that_was_not_begun(ledger):
    reply = begin(ledger)
    sentence(ledger, "one.", 1.0)
    sentence(ledger, "two.", 1.0)
    clear(ledger, now=0.99)
    assert reply.heard == ""


@accounting
def test_an_open_sentence_is_cut_by_fifteen_characters_a_second_while_little_audio_is_there(ledger):
    reply = begin(ledger)
    ledger.open(Mark("one two three four five six seven"))  # 33 characters: 2.2 s at least
    ledger.audio(0.6, 0.0)
    clear(ledger, now=0.6)
    assert reply.heard == "one two"  # 9 characters in 0.6 s


@accounting
def test_an_open_sentence_is_cut_by_its_audio_so_far_where_that_is_longer(ledger):
    reply = begin(ledger)
    ledger.open(Mark(LINE))
    ledger.audio(1.0, 0.0)
    clear(ledger, now=1.0, queued=2.6)  # 18 characters in 3.6 s or more: 5 in 1 s
    assert reply.heard == "one"


@accounting
def test_a_sentence_whose_end_is_queued_is_cut_by_its_whole_length(ledger):
    reply = begin(ledger)
    ledger.open(Mark(LINE))
    ledger.audio(0.4, 0.0)
    clear(ledger, now=0.4, queued=0.5, closed=True)  # fast: 18 characters in 0.9 s
    assert reply.heard == "one two"


@accounting
def test_a_clear_before_anything_was_heard_leaves_nothing(ledger):
    reply = begin(ledger)
    sentence(ledger, LINE, 1.8, now=5.0)
    cleared = clear(ledger, now=5.0)
    assert (cleared.heard, cleared.played) == ("", [])
    assert cleared.seconds == pytest.approx(0.0)
    assert (reply.heard, reply.done.result()) == ("", pytest.approx(0.0))


@accounting
def test_a_clear_ends_replies_that_have_not_begun_to_be_spoken(ledger):
    waiting = Reply()
    ledger.replies.append(waiting)
    clear(ledger, now=3.0)
    assert waiting.done.result() == 0.0
    assert waiting.interrupted


@accounting
def test_a_reply_that_was_played_before_the_clear_is_not_interrupted(ledger):
    reply = begin(ledger)
    sentence(ledger, "one.", 1.0)
    ledger.end()
    cleared = clear(ledger, now=1.5)
    assert (reply.interrupted, reply.heard, reply.done.result()) == (False, "one.", 1.0)
    assert (cleared.heard, cleared.seconds) == ("", 0.0)


@accounting
def test_a_clear_tells_only_of_the_replies_it_cut_short(ledger):
    first = begin(ledger)
    sentence(ledger, "First one.", 1.0)
    ledger.end()
    second = begin(ledger)
    sentence(ledger, LINE, 1.8)
    ledger.end()
    cleared = clear(ledger, now=1.75)
    assert (first.interrupted, second.interrupted) == (False, True)
    assert cleared.heard == second.heard == "one two"
    assert cleared.seconds == pytest.approx(0.75)


@accounting
def test_echoes_of_what_was_cleared_mean_nothing(ledger):
    begin(ledger)
    sentence(ledger, "one.", 1.0)
    sentence(ledger, "two.", 1.0)
    names = [cue.name for cue in ledger.cues]
    clear(ledger, now=0.5)
    assert ledger.echo(names[1]) == ledger.echo(names[0]) == []
    assert ledger.heard(0.5) == pytest.approx(0.5)


@accounting
def test_after_a_clear_what_is_sent_is_played_at_once(ledger):
    begin(ledger)
    ledger.audio(10.0, 0.0)
    clear(ledger, now=1.0)
    assert ledger.play_end == 1.0
    reply = begin(ledger)
    sentence(ledger, "Sorry.", 0.5, now=1.0)
    ledger.end()
    assert ledger.play_end == 1.5
    ledger.elapse(1.5, 0.0)
    assert (reply.heard, reply.done.result()) == ("Sorry.", pytest.approx(0.5))


@accounting
def test_a_confirmed_position_is_not_taken_back_by_a_clear(ledger):
    reply = begin(ledger)
    sentence(ledger, "one.", 1.0)
    sentence(ledger, LINE, 1.8)
    ledger.echo(ledger.cues[0].name)
    cleared = clear(ledger, now=0.5)
    assert cleared.seconds == 1.0
    assert reply.heard == "one."


@accounting
def test_a_second_clear_finds_nothing(ledger):
    begin(ledger)
    sentence(ledger, LINE, 1.8)
    clear(ledger, now=0.5)
    again = clear(ledger, now=0.6)
    assert (again.heard, again.seconds, again.played) == ("", 0.0, [])


@accounting
def test_what_was_heard_stays_heard_whatever_a_sink_claims_to_recall(ledger):
    ledger.audio(1.0, now=0.0)
    ledger.clear(0.5, 0.0, closed=False)
    ledger.play_end = 0.8
    assert ledger.heard(0.5) == pytest.approx(0.5)
