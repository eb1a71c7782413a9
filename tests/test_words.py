"""Sentences of our own: complete in each language, and replaced by the configuration and by routes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from voiceflow import Route
from voiceflow.config.routes import Routes
from voiceflow.words import CATALOGUE, ENGLISH, Words, code_of, filled, language_of, words

NAMES = Words.__struct_fields__
SENT = ("connected", "go_on", "running", "system_prompt", "no_tool", "tool_late", "wrong_arguments", "tool_failed")
HEARD = [name for name in NAMES if name not in SENT]


def routes(folder: Path, content: str) -> Routes:
    file = folder / "voiceflow.yaml"
    file.write_text(content)
    return Routes(file)


def of(folder: Path, content: str) -> Route:
    return routes(folder, content).lookup_or_raise("+15125551234")


def test_seven_languages_come_with_us() -> None:
    assert set(CATALOGUE) == {"en", "de", "fr", "es", "it", "pt", "nl"}


@pytest.mark.parametrize("language", CATALOGUE)
def test_a_language_has_every_sentence_in_one_line(language: str) -> None:
    for name in NAMES:
        sentence = getattr(CATALOGUE[language], name)
        assert sentence.strip() == sentence
        assert sentence.isprintable()
        assert any(map(str.isalpha, sentence))
        assert re.findall(r"{\w+}", sentence) == re.findall(r"{\w+}", getattr(ENGLISH, name))
        assert language == "en" or sentence != getattr(ENGLISH, name)
    assert all(getattr(CATALOGUE[language], name)[-1] in ".?!" for name in HEARD)


@pytest.mark.parametrize(
    ("written", "code"), [("de", "de"), ("DE", "de"), ("de-AT", "de"), ("pt_BR", "pt"), (" nl ", "nl"), ("", "")]
)
def test_a_language_has_a_code_without_its_country(written: str, code: str) -> None:
    assert code_of(written) == code


@pytest.mark.parametrize(
    ("voice", "language"),
    [
        ("de_DE-thorsten-medium", "de"),
        ("en_US-libritts_r-medium#12", "en"),
        ("/voices/it_IT-paola-medium.onnx", "it"),
        ("mine.onnx", ""),
        ("", ""),
    ],
)
def test_the_name_of_a_voice_tells_its_language(voice: str, language: str) -> None:
    assert language_of(voice) == language


def test_values_take_the_place_of_their_names_and_other_braces_stay() -> None:
    assert filled("{name} {other} {error", name="{error}", error="late") == "late {other} {error"


def test_a_language_of_which_we_have_nothing_is_english_but_for_what_is_configured() -> None:
    swedish = words("sv", {"sv": {"hold": "Ett ögonblick."}, "de": {"apology": "Verzeihung."}})
    assert swedish == msgspec.structs.replace(ENGLISH, hold="Ett ögonblick.")


def test_the_configuration_sets_the_language_of_all_routes_and_a_route_its_own(tmp_path: Path) -> None:
    known = routes(
        tmp_path,
        "language: de-DE\ndids:\n  +15125551234:\n  +15125551235: {language: FR}\n  +15125551236: {language: Auto}\n",
    )
    assert [route.language for route in known.all()] == ["de", "fr", "auto"]
    assert known.default.language == "de"


def test_a_route_without_a_system_prompt_has_one_in_its_language(tmp_path: Path) -> None:
    assert of(tmp_path, "language: de\n").system_prompt == CATALOGUE["de"].system_prompt
    assert of(tmp_path, "dids:\n  +15125551234: {tts_voice: es_ES-davefx-medium}\n").system_prompt == (
        CATALOGUE["es"].system_prompt
    )
    assert of(tmp_path, "dids:\n  +15125551234: {language: de, system_prompt: Hi.}\n").system_prompt == "Hi."
    ours = "words: {system_prompt: Ours.}\ndids:\n  +15125551234:\n  +15125551235: {user_id: ann}\n"
    assert [route.system_prompt for route in routes(tmp_path, ours).all()] == ["Ours."] * 2


def test_words_are_those_of_the_route_then_of_the_configuration_then_ours(tmp_path: Path) -> None:
    route = of(
        tmp_path,
        """\
words:
  hold: Everywhere.
  apology: Everywhere.
  de: {hold: Überall., not_caught: Wie?}
  sv: {hold: Ett ögonblick.}
dids:
  +15125551234:
    words:
      apology: Here.
      de: {greeting: Servus!}
""",
    )
    german, swedish, english = (words(code, route.words) for code in ("de", "sv", "en"))
    assert (german.greeting, german.hold, german.not_caught, german.apology) == ("Servus!", "Überall.", "Wie?", "Here.")
    assert german.lost_thought == CATALOGUE["de"].lost_thought
    assert (swedish.hold, swedish.apology, swedish.greeting) == ("Ett ögonblick.", "Here.", ENGLISH.greeting)
    assert (english.hold, english.apology, english.greeting) == ("Everywhere.", "Here.", ENGLISH.greeting)


def test_every_sentence_can_be_set(tmp_path: Path) -> None:
    content = "words:\n" + "".join(f"  {name}: my {name}\n" for name in NAMES)
    assert words("fr", of(tmp_path, content).words) == Words(**{name: f"my {name}" for name in NAMES})


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        ("words: {hold_line: x}\n", "line 1: words.hold_line is unknown and ignored, did you mean hold?"),
        ("words:\n  de: {gretting: x}\n", "line 2: words.gretting is unknown and ignored, did you mean greeting?"),
        ("words: {not_cought: x}\n", "line 1: words.not_cought is unknown and ignored, did you mean not_caught?"),
    ],
)
def test_a_sentence_that_does_not_exist_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str, warning: str
) -> None:
    assert of(tmp_path, content).words in ({}, {"de": {}})
    (record,) = caplog.records
    assert record.getMessage().endswith(warning)


@pytest.mark.parametrize("language", ["german", "d", "de DE", "1"])
def test_what_is_no_language_is_refused(tmp_path: Path, language: str) -> None:
    with pytest.raises(Exception, match=r"line 1: language is '.*': expected a code such as en, de, .*, or auto"):
        of(tmp_path, f"language: {language}\n")
