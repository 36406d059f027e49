"""Tables for people, one line a row: as wide as needed, or as the terminal is.

On a terminal that is too narrow, a table gives up in this order: dates next to how far from now they are, columns that
say the usual in every row, free text, the ends of names, and at last whole columns from the right. What is whole is
never cut, and nothing is ever folded into a second line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size

from holdpoint.commands.output import Part, escape, say, show_distance, show_minute, terminal_width

Cell: TypeAlias = Part | datetime | None
"""A text with or without a style; a time; nothing."""

GAP = 2
_LEAST_TEXT = 16
_LEAST_NAME = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column and what may become of it: *is_whole* is never cut, *is_text* is the first to be.

    Where every row says what is *usual*, the column may be left out.
    """

    title: str
    is_whole: bool = False
    is_text: bool = False
    usual: str | None = None


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table, on a terminal within its width."""
    for line in table_lines(columns, list(rows), terminal_width()):
        say(*line)


def table_lines(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None) -> list[list[Part]]:
    """The lines of a table within a width, None for as wide as needed; each as the parts of one line."""
    table = _Table(
        titles={column.title: column for column in columns},
        cells={
            column.title: [_shown(row[number], is_short=False) for row in rows] for number, column in enumerate(columns)
        },
    )
    if width is not None and table.width > width:
        short = {
            column.title: [_shown(row[number], is_short=True) for row in rows] for number, column in enumerate(columns)
        }
        table = _narrowed(replace(table, cells=short), width)
    return list(table.lines())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    titles: Mapping[str, Column]
    cells: Mapping[str, Sequence[tuple[str, str]]]

    def width_of(self, title: str) -> int:
        return max([cell_len(title), *(cell_len(text) for text, _ in self.cells[title])])

    @property
    def width(self) -> int:
        return sum(self.width_of(title) + GAP for title in self.titles) - GAP

    def without(self, title: str) -> _Table:
        return replace(self, titles={name: column for name, column in self.titles.items() if name != title})

    def cut(self, title: str, width: int) -> _Table:
        cells = [(_cut(text, width), style) for text, style in self.cells[title]]
        return replace(self, cells={**self.cells, title: cells})

    def lines(self) -> Iterable[list[Part]]:
        widths = {title: self.width_of(title) for title in self.titles}
        rows = zip(*(self.cells[title] for title in self.titles), strict=True)
        for cells in ([(title, "bold") for title in self.titles], *rows):
            line: list[Part] = []
            for (text, style), width in zip(cells, widths.values(), strict=True):
                line += [(text, style), " " * (width - cell_len(text) + GAP)]
            while line and not (line[-1] if isinstance(line[-1], str) else line[-1][0]).strip():
                line.pop()
            yield line


def _narrowed(table: _Table, width: int) -> _Table:
    """The table made to fit, as far as what is whole allows."""
    for title, column in table.titles.items():
        if table.width > width and all(text == column.usual for text, _ in table.cells[title]):
            table = table.without(title)
    for title, column in list(table.titles.items()):
        if table.width > width and column.is_text:
            left = table.width_of(title) - (table.width - width)
            table = table.cut(title, left) if left >= max(_LEAST_TEXT, cell_len(title)) else table.without(title)
    names = [title for title, column in table.titles.items() if not column.is_whole and not column.is_text]
    while table.width > width and names:
        widest = max(names, key=table.width_of)
        least = max(_LEAST_NAME, cell_len(widest))
        if table.width_of(widest) <= least:
            break
        table = table.cut(widest, table.width_of(widest) - 1)
    for title in reversed(list(table.titles)[1:]):
        if table.width > width:
            table = table.without(title)
    return table


def _shown(cell: Cell, *, is_short: bool) -> tuple[str, str]:
    """A cell's text, in one line with nothing that the terminal would obey, and its style."""
    if cell is None:
        return "", ""
    if isinstance(cell, datetime):
        return show_distance(cell) if is_short else f"{show_minute(cell)} {show_distance(cell)}", ""
    text, style = (cell, "") if isinstance(cell, str) else cell
    return escape(text).replace("\t", " "), style


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else f"{set_cell_size(text, width - 1).rstrip()}…"
