"""`voiceflow routes`: what it shows, and how it exits."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from cli.refusals import refusal
from click.testing import CliRunner, Result

from voiceflow.cli.routes import routes

TWO = """\
dids:
  +1 (512) 555-1234:
    user_id: ann
    display_name: Ann's [bakery]
    limit: 5
    days: [mo, tu]
  442079460018:
    user_id: ben
"""
DEFAULT = {
    "user_id": "unknown",
    "display_name": "",
    "llm_model": "llama3.2",
    "system_prompt": "You are a helpful voice assistant. Keep responses concise.",
    "tts_voice": "en_US-lessac-medium",
    "language": "",
    "words": {},
    "transfer_to": None,
    "max_calls": None,
    "extra": {},
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working folder and home; what .env adds to the environment is undone."""
    monkeypatch.chdir(tmp_path)
    kept = {name: value for name, value in os.environ.items() if name != "OLLAMA_MODEL"}
    with mock.patch.dict(os.environ, kept | {"HOME": str(tmp_path / "home"), "COLUMNS": "100"}, clear=True):
        yield tmp_path


def run(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(routes, arguments, prog_name="voiceflow routes", env=variables)


def test_all_numbers_and_their_routes_are_a_table_where_it_fits() -> None:
    Path("voiceflow.yaml").write_text(TWO)
    result = run(COLUMNS="200")
    assert result.exit_code == 0
    assert result.stderr == "configuration: voiceflow.yaml\n"
    heading, ann, ben = (line for line in result.stdout.splitlines() if any(c.isalpha() for c in line))
    assert "number" in heading
    assert "+15125551234" in ann
    assert "ann" in ann
    assert "+442079460018" in ben
    assert "ben" in ben


def test_a_narrow_terminal_gets_a_block_for_each_number() -> None:
    Path("voiceflow.yaml").write_text(TWO)
    shown = run(COLUMNS="80").stdout
    assert [line.split()[3] for line in shown.splitlines() if "│ number" in line] == ["+15125551234", "+442079460018"]
    assert str(DEFAULT["system_prompt"]) in shown


def test_a_number_in_any_writing_shows_all_of_its_route() -> None:
    Path("voiceflow.yaml").write_text(TWO)
    result = run("1 (512) 555-1234")
    assert result.exit_code == 0
    for words in ("+15125551234", "Ann's [bakery]", DEFAULT["system_prompt"], "limit=5", "days=['mo', 'tu']"):
        assert str(words) in result.stdout
    assert "ben" not in result.stdout


def test_json_has_every_key() -> None:
    Path("other.yaml").write_text(TWO)
    result = run("-c", "other.yaml", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    extra = {"limit": 5, "days": ["mo", "tu"]}
    ann = DEFAULT | {"user_id": "ann", "display_name": "Ann's [bakery]", "extra": extra}
    expected = {"+15125551234": ann, "+442079460018": DEFAULT | {"user_id": "ben"}}
    assert json.loads(result.stdout) == {"config": "other.yaml", "default": None, "routes": expected}
    one = json.loads(run("-c", "other.yaml", "--json", "+44 20 7946 0018").stdout)
    assert one["routes"] == {"+442079460018": DEFAULT | {"user_id": "ben"}}


def test_without_a_file_every_number_gets_the_default_route() -> None:
    assert json.loads(run("--json").stdout) == {"config": None, "default": DEFAULT, "routes": {}}
    assert json.loads(run("--json", "+15125551234").stdout)["routes"] == {"+15125551234": DEFAULT}
    result = run()
    assert result.exit_code == 0
    assert "every number gets the default route" in result.stderr
    assert "any number" in result.stdout


def test_dot_env_in_the_working_folder_counts() -> None:
    Path(".env").write_text("USER_ID=eve\n")
    Path("voiceflow.yaml").write_text(TWO.replace("ann", "${USER_ID}"))
    assert "eve" in run("+15125551234").stdout


def test_a_number_without_a_route_is_exit_code_1() -> None:
    Path("voiceflow.yaml").write_text(TWO)
    result = run("+15125559999")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: no route for the number +15125559999: add it under `dids` in voiceflow.yaml, "
        "until then calls to it are refused\n"
    )


def test_a_number_is_shown_in_its_one_form_and_a_refusal_says_what_was_looked_up() -> None:
    Path("voiceflow.yaml").write_text("country: US\ndids:\n  512 555 1234: {user_id: ann}\n  desk: {user_id: ben}\n")
    assert list(json.loads(run("--json").stdout)["routes"]) == ["+15125551234", "desk"]
    assert list(json.loads(run("--json", "(512) 555-1234").stdout)["routes"]) == ["+15125551234"]
    assert (
        json.loads(run("--json", "sip:desk@pbx.example").stdout)["routes"]["sip:desk@pbx.example"]["user_id"] == "ben"
    )
    result = run("5125559999")
    assert result.exit_code == 1
    assert "no route for the number '5125559999', looked up as '+15125559999': add it under `dids`" in result.stderr


def test_what_cannot_be_used_is_one_line_and_exit_code_2() -> None:
    assert refusal(run("-c", "no.yaml")) == "there is no configuration file no.yaml"
    Path("voiceflow.yaml").write_text("dids:\n  front desk:\n")
    assert refusal(run()).startswith("voiceflow.yaml, line 2: 'front desk' is not a telephone number")


def test_help_has_examples() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert '  voiceflow routes "+1 (512) 555-1234"\n' in result.stdout


def test_where_calls_may_be_transferred_and_what_is_said_are_shown_as_they_are_written() -> None:
    Path("voiceflow.yaml").write_text(
        "dids:\n"
        "  +12025550197: {transfer_to: ['+12025550155', '+4930*'], words: {greeting: Hi!, de: {hold: Moment.}}}\n"
        "  +12025550198: {transfer_to: []}\n"
        "  +12025550199:\n"
    )
    shown = [run(number).stdout for number in ("+12025550197", "+12025550198", "+12025550199")]
    assert re.search(r"transfer_to +│ \+12025550155, \+4930\* +│", shown[0])
    assert re.search(r"words +│ greeting=Hi!, de.hold=Moment. +│", shown[0])
    assert re.search(r"transfer_to +│ nowhere +│", shown[1])
    assert "transfer_to" not in shown[2]
    assert re.search(r"transfer_to +│ +│", run().stdout)
    assert not any(python in run().stdout for python in ("None", "()", "{}", "('"))
