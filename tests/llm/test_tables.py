"""The page on language models shows all that is tested: servers, chat templates, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from llm.replay import dialects

FOLDER = Path(__file__).parent
PAGE = (FOLDER.parent.parent / "docs" / "language-models.md").read_text()
APIS = {"chat_completions": "openai", "claude": "anthropic", "ollama": "ollama"}
DONE = {
    "full": "asked again, once, without the older half, which stays out",
    "refused": "asked again, once, without what the model has not taken before",
    "later": "fails at once",
    "spent": "fails at once",
    "soon": "asked again, once, within 2 s",
}


def streams() -> Iterator[str]:
    for api, sdk in APIS.items():
        for name, dialect in dialects(api):
            server, _, case = name.partition(": ")
            yield f"| {server} | {case} | {f'{sdk} too' if dialect.conforms else ''} |"


def templates() -> Iterator[str]:
    for written in yaml.safe_load((FOLDER / "written_calls.yaml").read_text()):
        if written.get("calls", True):
            text = written["text"].replace("\n", " ").replace("|", "\\|")
            yield f"| {written['template']} | `{text[:70]}{'…' if len(text) > 70 else ''}` |"


def refusals() -> Iterator[str]:
    listed = yaml.safe_load((FOLDER / "refusals.yaml").read_text())
    for kind, done in DONE.items():
        servers = sorted({refusal["server"] for refusal in listed if refusal["is"] == kind} - {"a server"})
        yield f"| {kind} | {done} | {', '.join(servers)} |"


@pytest.mark.parametrize("table", [streams, templates, refusals])
def test_the_page_shows_the_whole_table(table):
    lines = list(table())
    assert [line for line in PAGE.splitlines() if line in lines] == lines
