"""Prints rows of named values: as a table where it fits the terminal, else each row as a block of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .printed import text

if TYPE_CHECKING:
    from rich.table import Table


def show_rows(rows: Sequence[Mapping[str, str]], *, right: Sequence[str] = (), good: Sequence[str] = ()) -> None:
    """Print `rows`, all of which have the same names, in full: nothing is cut off.

    `right`: the names of columns that are aligned to the right. `good`: values that are shown in green.
    """
    from rich.console import Console
    from rich.measure import Measurement

    console = Console()
    table = _table(rows, right, good)
    unbounded = console.options.update(max_width=10_000)
    if len(rows) > 1 and Measurement.get(console, unbounded, table).maximum <= console.width:
        console.print(table)
        return
    for row in rows:
        console.print(_block(row, good))


def _table(rows: Sequence[Mapping[str, str]], right: Sequence[str], good: Sequence[str]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    columns = [Column(name, justify="right" if name in right else "left") for name in rows[0]]
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for row in rows:
        table.add_row(*(text(value, style=_style(value, good), no_wrap=True) for value in row.values()))
    return table


def _block(row: Mapping[str, str], good: Sequence[str]) -> Table:
    from rich.table import Table

    block = Table(show_header=False)
    for name, value in row.items():
        block.add_row(text(name, style="dim"), text(value, style=_style(value, good), overflow="fold"))
    return block


def _style(value: str, good: Sequence[str]) -> str:
    return "green" if value in good else ""
