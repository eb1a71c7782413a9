"""What all benchmarks share: their options, a table on the terminal, the same figures as JSON.

A report is sections of rows; a row is a dict whose keys head the table's columns.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console()

Row = Mapping[str, Any]


def options(doc: str | None) -> argparse.ArgumentParser:
    """The command line: `--json FILE` and `--quick`, to which a benchmark adds its own."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--quick", action="store_true", help="only try that everything runs")
    return parser


def show(title: str, rows: Sequence[Row]) -> None:
    """Print `rows` as a table."""
    table = Table(title=title, title_justify="left")
    for heading, value in rows[0].items():
        table.add_column(heading, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(*map(rounded, row.values()))
    console.print(table)


def rounded(value: object) -> str:
    """A figure to three places, as people read it; anything else as it is."""
    if not isinstance(value, float):
        return str(value)
    if abs(value) >= 1_000:
        return f"{round(value, 2 - len(str(int(abs(value)))) + 1):,.0f}".replace(",", " ")
    return f"{value:.3g}"


def write(path: Path | None, figures: Mapping[str, Any], *packages: str) -> None:
    """Write `figures` to `path`, if one was given, with the versions of Python and `packages`."""
    if path is None:
        return
    versions = {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"versions": versions, **figures}, indent=2) + "\n")
