"""What counts as said."""

import pytest

from voiceflow.backchannels import Phrases, words
from voiceflow.processors.bargein import BACKCHANNELS

COUNTED = Phrases(BACKCHANNELS)


@pytest.mark.parametrize(
    "text",
    [
        *("uh-huh", "Uh huh.", "UHHUH", "Mm-hmm!", "mm‑hmm", "Hmmmm...", "mhm", "Yeah, yeah.", "ok"),
        *("MMFM", "M.M.F.", "Mmh-hm", "Uhuh.", "Ow."),  # as Whisper hears humming
        *("O.K.", "Okay", "I see.", "Yeah, got it, all right"),
        *("Ja.", "Ja, genau!", "Mhm, alles klar.", "Ach so", "Ähm", "stimmt", "Ja ja"),
        *("Oui", "D'accord.", "D’accord !", "Ah bon ?", "Voilà", "Tout à fait", "ouais ouais"),
        *("Sí", "¡Claro!", "Vale, vale", "Ya veo.", "De acuerdo", "Ajá"),
        *("Sì.", "Sì, certo.", "Ho capito", "Va bene, d'accordo."),
        *("Sim.", "Pois é.", "Tá bom, entendi.", "Uhum"),
        *("Jawel.", "Oké, prima.", "Ja, precies.", "Ik snap het."),
        *("", "  ", "...", "…"),
    ],
)  # fmt: skip
def test_backchannels_do_not_count_however_they_are_written(text):
    assert COUNTED.count(text) == 0


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("no", 1),
        ("Stop!", 1),
        ("Wait, wait", 2),
        ("Yeah, but wait", 2),
        ("I see what you mean", 3),
        ("I want to see", 4),
        ("Nein, danke", 2),
        ("non merci", 2),
        ("no, gracias", 2),
        ("okay stop", 1),
        ("no, grazie", 2),
        ("não, obrigado", 2),
        ("nee, wacht", 2),
        ("что", 1),
    ],
)
def test_everything_else_counts_word_by_word(text, count):
    assert COUNTED.count(text) == count


def test_who_ignores_nothing_counts_every_word():
    assert Phrases(()).count("Uh-huh, yes.") == 3


def test_backchannels_of_ones_own_replace_the_built_in_ones():
    own = Phrases(["Right-o", "go on then"])
    assert own.count("Right o! Go on, then.") == 0
    assert own.count("go on") == 2
    assert own.count("yes") == 1


def test_words_are_without_case_accents_and_punctuation():
    assert words("Voilà: l'ÉTÉ 2025!") == ["voila", "l", "ete", "2025"]


@pytest.mark.parametrize("phrase", sorted(BACKCHANNELS))
def test_no_backchannel_says_no_or_asks_to_wait(phrase):
    refusals = {"no", "nope", "nein", "nee", "non", "stop", "wait", "warte", "halt", "attends", "espera", "alto"}
    refusals |= {"no", "aspetta", "nao", "espere", "nee", "wacht"}
    assert not refusals & set(words(phrase))
