"""The screenshots in docs are those that screenshots.py takes of the page as it is."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from browser.chromium import needs_chromium
from browser.screenshots import take

pytestmark = [needs_chromium, pytest.mark.slow]

DOCS = Path(__file__).parent.parent.parent / "docs"
LIKELY = 0.25
"""By how much the size of a file may differ: the clock, the meters and where exactly the agent is interrupted."""


def size(picture: bytes) -> tuple[int, int]:
    """Width and height of a PNG (RFC 2083, 11.2.1)."""
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


def test_the_screenshots_in_docs_are_taken_by_one_command(tmp_path: Path):
    take(tmp_path)
    names = sorted(file.name for file in DOCS.glob("page*.png"))
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    text = (DOCS / "page.md").read_text()
    for name in names:
        taken, kept = (tmp_path / name).read_bytes(), (DOCS / name).read_bytes()
        assert size(taken) == size(kept)
        assert abs(len(taken) / len(kept) - 1) < LIKELY, f"run: python tests/browser/screenshots.py docs ({name})"
        assert f"({name})" in text
