"""`voiceflow models`: what it shows, what it gets, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from weights.hub import CONTENT, Hub, isolate, serving, whisper_model

from voiceflow import weights
from voiceflow.cli import main

WATCHED = """
from weights.hub import whisper_model
from voiceflow import weights
weights.catalogue = (whisper_model(),)
from voiceflow.cli import main
main(["models", "download", "minute"])
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one model, which is the only one in the catalogue."""
    monkeypatch.setattr(weights, "catalogue", (whisper_model(),))
    with serving() as hub:
        isolate(tmp_path, monkeypatch, hub.address)
        hub.publish(whisper_model())
        yield hub


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments], prog_name="voiceflow", env={"COLUMNS": "100"})


def test_every_model_is_shown_with_its_size_licence_and_place(hub: Hub, tmp_path: Path) -> None:
    result = run()
    assert result.exit_code == 0
    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in result.stdout.splitlines() if "│" in line]
    assert rows == [
        ["name", "minute"],
        ["kind", "whisper"],
        ["size", "0 MB"],
        ["licence", "MIT"],
        ["where", "not here"],
    ]
    assert result.stderr.endswith(f"cache: {tmp_path / 'cache'}\n")
    assert run("download", "minute").exit_code == 0
    assert "│ where   │ cached  │" in run().stdout


def test_json_has_what_the_table_has_and_the_sums(hub: Hub, tmp_path: Path) -> None:
    told = json.loads(run("--json").stdout)
    assert told["cache"] == str(tmp_path / "cache")
    (model,) = told["models"]
    files = model.pop("files")
    assert model == {
        "name": "minute",
        "kind": "whisper",
        "size": sum(map(len, CONTENT.values())),
        "source": "https://huggingface.co/Systran/faster-whisper-minute",
        "licence": "MIT",
        "where": None,
    }
    assert [(file["name"], file["size"], file["sha256"]) for file in files] == [
        (file.name, file.size, file.sha256) for file in whisper_model().files
    ]


def test_showing_models_neither_downloads_nor_copies_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(tmp_path, monkeypatch)
    result = run()
    assert result.exit_code == 0
    assert all(model.name in result.stdout for model in weights.catalogue)
    assert not (tmp_path / "cache" / "whisper").exists()


def test_download_prints_where_each_model_is(hub: Hub, tmp_path: Path) -> None:
    result = run("download", "minute", "minute")
    assert result.exit_code == 0
    assert result.stdout == f"minute: {tmp_path / 'cache' / 'whisper' / 'minute'}\n" * 2
    assert len(hub.requested) == len(CONTENT)


def test_an_unknown_model_is_refused_before_anything_is_downloaded(hub: Hub) -> None:
    result = run("download", "minute", "minutes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: there is no model 'minutes': did you mean minute?\n"
    assert hub.requested == []


def test_a_download_that_fails_is_exit_code_1_with_what_was_tried(hub: Hub) -> None:
    hub.files.clear()
    result = run("download", "minute")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Error: cannot get minute for whisper:" in result.stderr
    assert "404 Not Found" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_terminal_shows_a_bar_for_each_file(hub: Hub) -> None:
    ours, theirs = os.openpty()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "TERM": "xterm", "COLUMNS": "100"}
    command = [sys.executable, "-c", WATCHED]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # Linux: the other side is closed
            pass
        finally:
            os.close(ours)
    assert process.returncode == 0
    assert b"minute/model.bin" in shown
    assert b"minute/config.json" in shown


def test_help_has_examples() -> None:
    assert "voiceflow models download base" in run("--help").stdout
    assert "HF_ENDPOINT" in run("download", "--help").stdout
