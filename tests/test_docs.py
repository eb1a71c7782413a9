"""The documents lead somewhere: every relative link, and every path that the documents on the architecture name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
DOCUMENTS = sorted([ROOT / page for page in PAGES] + list((ROOT / "docs").rglob("*.md")))
ABOUT_THE_CODE = [
    file for file in DOCUMENTS if file.name == "architecture.md" or file.is_relative_to(ROOT / "docs" / "decisions")
]
FOLDERS = ("voiceflow", "processors", "transports", "pipelines", "tests", "benchmarks", "docs")

FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
ELSEWHERE = re.compile(r"[a-z]+:|#")
"""The beginning of a link to another site, or to a place in the same page."""
QUOTED = re.compile(r"`([^`\n]+)`")
MODULE = re.compile(r"[\w./-]+\.py")
IN_A_FOLDER = re.compile(rf"({'|'.join(FOLDERS)})/[\w./-]*")


def names(files: list[Path]) -> list[str]:
    return [file.relative_to(ROOT).as_posix() for file in files]


def links(text: str) -> Iterator[str]:
    """The relative links of a page in Markdown; examples of code have none."""
    for target in LINK.findall(FENCED.sub("", text)):
        if not ELSEWHERE.match(target):
            yield target.partition("#")[0]


def paths(text: str) -> Iterator[str]:
    """The files and folders that a page names in backticks. A path with a word in capitals stands for several."""
    for quoted in QUOTED.findall(FENCED.sub("", text)):
        if (MODULE.fullmatch(quoted) or IN_A_FOLDER.fullmatch(quoted)) and "NAME" not in quoted:
            yield quoted


@pytest.mark.parametrize("name", names(DOCUMENTS))
def test_every_relative_link_leads_to_something_that_exists(name: str) -> None:
    file = ROOT / name
    assert not [target for target in links(file.read_text()) if not (file.parent / target).exists()]


@pytest.mark.parametrize("name", names(ABOUT_THE_CODE))
def test_every_path_that_is_named_exists(name: str) -> None:
    assert not [path for path in paths((ROOT / name).read_text()) if not (ROOT / path).exists()]


def test_the_documents_on_the_architecture_name_paths() -> None:
    assert "docs/architecture.md" in names(ABOUT_THE_CODE)
    for file in ABOUT_THE_CODE:
        assert file.name == "README.md" or list(paths(file.read_text())), file


def test_the_index_of_decisions_lists_each_of_them() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(links((folder / "README.md").read_text()))
    assert listed >= {file.name for file in folder.glob("*.md")} - {"README.md"}


def test_links_and_paths_are_found() -> None:
    page = "See [a](x.md), [b](y.md#z), ![c](d/e.png), [f](https://example.com), [g](#h).\n```\n[no](i.md)\n```\n"
    assert list(links(page)) == ["x.md", "y.md", "d/e.png"]
    page = "`voiceflow/call.py`, `tests/`, `here.py`, `carriers/NAME`, `Work.emit`, `processors/NAME/x.py`"
    assert list(paths(page)) == ["voiceflow/call.py", "tests/", "here.py"]
