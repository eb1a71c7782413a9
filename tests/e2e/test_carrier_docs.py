"""What docs/twilio.md and docs/telnyx.md show under "Try it without an account" is done, word for word: their files are
written, their commands are run, with real engines, and what they promise comes of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from cli.processes import command, serving
from e2e import engines
from launching import free_port

from voiceflow import weights

DOCS = Path(__file__).resolve().parents[2] / "docs"
LONGEST = 240.0
"""Seconds after which a call has failed: its words are recognised after it, on a machine that others may use."""
SERVER = 8000
"""The port of the server in the documents."""


class Block(NamedTuple):
    """A part of a document that is set off from its text."""

    kind: str
    file: str
    """The file that it is, by the line before it. "": none."""
    text: str


def blocks(page: str) -> list[Block]:
    """Those of the part that needs no account, with free ports in place of the document's."""
    part = re.split(r"^## ", page, flags=re.MULTILINE)
    (trial,) = [text for text in part if text.startswith("Try it without an account")]
    for port in {SERVER, *map(int, re.findall(r"^\w+_BASE_URL=http://127\.0\.0\.1:(\d+)", trial, re.MULTILINE))}:
        trial = trial.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}")
    found = re.findall(r"(?:^`([\w.]+)`: [^\n]*\n\n)?^```(\w*)\n(.*?)^```$", trial, re.MULTILINE | re.DOTALL)
    return [Block(kind, file, text) for file, kind, text in found]


class Trial(NamedTuple):
    """A document whose files are written and whose server runs."""

    folder: Path
    calls: list[list[str]]
    """The arguments of `voiceflow` in the commands that call the server."""
    promised: list[str]
    """What is said to come of each."""


def voiceflow(folder: Path, words: list[str]) -> str:
    """What a command prints."""
    done = command(folder, *words, watchdog=LONGEST, VOICEFLOW_CACHE=str(weights.cache_folder()))
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module", params=["twilio", "telnyx"])
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    if reason := engines.missing():
        pytest.skip(reason)
    folder, page = tmp_path_factory.mktemp(request.param), blocks((DOCS / f"{request.param}.md").read_text())
    lines = [shlex.split(line) for block in page if block.kind == "sh" for line in block.text.splitlines()]
    assert all(program == "voiceflow" for program, *_ in lines)
    done = Trial(
        folder,
        [words for _, *words in lines if words[0] == "call"],
        [line for block in page if not block.kind for line in block.text.splitlines()],
    )
    for block in page:
        if block.file:
            (folder / block.file).write_text(block.text)
    for _, *words in lines:
        if words[-2] == ">>":
            with (folder / words[-1]).open("a") as file:
                file.write(voiceflow(folder, words[:-2]))
    (serve,) = [words for _, *words in lines if words[0] == "run"]
    port = urlsplit(done.calls[0][done.calls[0].index("--via-webhook") + 1]).port
    with serving(folder, *serve[1:], "-p", port, VOICEFLOW_CACHE=str(weights.cache_folder())):
        yield done


@pytest.mark.parametrize("number", [0, 1, 2], ids=["a booking", "a transfer", "a number without a route"])
def test_what_the_document_promises_comes_of_each_of_its_calls(trial: Trial, number: int) -> None:
    assert len(trial.calls) == len(trial.promised) == 3
    said = voiceflow(trial.folder, trial.calls[number])
    assert trial.promised[number] in said, said
    assert ("commanded   │ transferred to +12025550155" in said) is (number == 1)


@pytest.mark.parametrize("name", ["twilio", "telnyx"])
def test_the_documents_have_files_commands_and_what_comes_of_them(name: str) -> None:
    page = blocks((DOCS / f"{name}.md").read_text())
    assert [block.file for block in page if block.file] == [".env", "voiceflow.yaml", "booking.yaml", "person.yaml"]
    assert sum(block.kind == "sh" for block in page) >= 3
    assert sum(not block.kind for block in page) == 2
