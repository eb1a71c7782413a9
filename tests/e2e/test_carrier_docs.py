"""What docs/twilio.md and docs/telnyx.md show under "Try it without an account" is done, word for word: their files are
written, their commands are run, with real engines, and what they promise comes of it."""

from __future__ import annotations

import re
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

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


@pytest.mark.parametrize("name", ["twilio", "telnyx"])
def test_a_booking_and_a_transfer_by_the_commands_of_the_document(name: str, tmp_path: Path) -> None:
    if reason := engines.missing():
        pytest.skip(reason)
    cache = {"VOICEFLOW_CACHE": str(weights.cache_folder())}
    page = blocks((DOCS / f"{name}.md").read_text())
    port = next(
        found[1] for block in page if (found := re.search(rf"127\.0\.0\.1:(\d+)/sip/{name}/answer", block.text))
    )
    said = ""
    with ExitStack() as stack:
        for block in page:
            if block.file:
                (tmp_path / block.file).write_text(block.text)
            elif block.kind == "sh":
                for line in block.text.splitlines():
                    program, *words = shlex.split(line)
                    assert program == "voiceflow"
                    if words[0] == "run":
                        stack.enter_context(serving(tmp_path, *words[1:], "-p", port, **cache))
                        continue
                    into = tmp_path / words.pop() if ">>" in words else None
                    done = command(tmp_path, *(word for word in words if word != ">>"), watchdog=LONGEST, **cache)
                    said += done.stdout + done.stderr
                    if into is not None:
                        with into.open("a") as file:
                            file.write(done.stdout)
                    assert "Traceback" not in done.stderr
            else:  # what is printed
                for line in block.text.splitlines():
                    assert line in said, said
    assert "commanded   │ transferred to +12025550155" in said


@pytest.mark.parametrize("name", ["twilio", "telnyx"])
def test_the_documents_have_files_commands_and_what_comes_of_them(name: str) -> None:
    page = blocks((DOCS / f"{name}.md").read_text())
    assert [block.file for block in page if block.file] == [".env", "voiceflow.yaml", "booking.yaml", "person.yaml"]
    assert sum(block.kind == "sh" for block in page) >= 3
    assert sum(not block.kind for block in page) == 2
