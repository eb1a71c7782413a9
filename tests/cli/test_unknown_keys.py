"""Typing errors in the configuration: the key that was meant is named, once, by every command that reads the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli.processes import command, serving

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
CONFIG = "log_levle: error\ndids:\n  +15125551234: {voice: x}\n"
WARNINGS = (
    "voiceflow.yaml, line 1: log_levle is unknown and ignored, did you mean log_level?",
    "voiceflow.yaml, line 3: voice is kept in `extra`, did you mean tts_voice?",
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "voiceflow.yaml").write_text(CONFIG)
    shutil.copy(SPEECH, tmp_path / "in.wav")
    return tmp_path


@pytest.mark.parametrize("line", ["graph echo", "routes", "routes --json", "run echo --wav in.wav heard.wav --fast"])
def test_a_command_names_the_key_that_was_meant_once(folder: Path, line: str) -> None:
    done = command(folder, *line.split())
    assert done.returncode == 0, done.stderr
    for warning in WARNINGS:
        assert (done.stdout.count(warning), done.stderr.count(warning)) == (0, 1)


def test_doctor_finds_the_key_that_was_meant(folder: Path) -> None:
    done = command(folder, "doctor", "--json")
    (found,) = (each for each in json.loads(done.stdout)["findings"] if each["check"] == "configuration")
    assert (found["status"], found["said"]) == ("warn", "\n".join(WARNINGS))
    assert "did you mean" not in done.stderr


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("auht: {provider: bearer, tokens: x}", "line 1: auht is unknown, did you mean auth?"),
        ("auth: {provider: bearer, token: x}", "line 1: auth.token is unknown, did you mean auth.tokens?"),
        ("dids: {+15125551234: {transfer: x}}", "line 1: transfer is unknown, did you mean transfer_to?"),
    ],
)
def test_a_server_does_not_start_with_a_typing_error_in_what_guards_it(
    tmp_path: Path, content: str, problem: str
) -> None:
    (tmp_path / "voiceflow.yaml").write_text(content)
    done = command(tmp_path, "run", "echo", "-p", 0)
    assert (done.returncode, done.stderr) == (2, f"Error: voiceflow.yaml, {problem}\n")


@pytest.mark.parametrize("options", [[], ["--workers", "2"], ["--reload"]], ids=" ".join)
def test_a_server_names_the_key_that_was_meant_once_however_many_processes_read_the_file(
    folder: Path, options: list[str]
) -> None:
    (folder / "file.py").write_text("def pipeline(call):\n    return call.source | call.sink\n")
    with serving(folder, "file.py", "-p", 0, *options) as server:
        pass
    for warning in WARNINGS:
        assert server.log.count(warning) == 1
