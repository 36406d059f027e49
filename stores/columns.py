"""The columns of each table, in the one order in which statements name them and rows are taken apart.

Statements are made of these once, when a module is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias


class RunColumns(NamedTuple):
    """Of `runs`, what never changes. `definition` is the number of a row."""

    run_id: str
    definition: int
    started_at: int
    initiator: str | None


class StandColumns(NamedTuple):
    """Of `runs`, what every step writes."""

    status: str
    seq: int
    head: bytes
    at: int
    record: str


class DefinitionColumns(NamedTuple):
    """Of `definitions`, all but the document."""

    digest: bytes
    version: bytes
    workflow: str


class EntryColumns(NamedTuple):
    """Of `history`, all but its run."""

    seq: int
    at: int
    kind: str
    actor: str | None
    actor_kind: str | None
    data: str
    hash: bytes


class RequestColumns(NamedTuple):
    """Of `requests`, all but its run."""

    request_id: str
    state: str
    kind: str
    status: str
    rank: int
    opened: int
    settled: int | None
    due_at: int
    changes: str | None


class DeadlineColumns(NamedTuple):
    """Of `deadlines`, all but its run."""

    due_at: int
    request_id: str
    action: str


class LeaseColumns(NamedTuple):
    """Of `leases`, all but its run."""

    token: int
    owner: str
    expires_at: int


class KeyColumns(NamedTuple):
    """Of `keys`, all but its run."""

    scope: str
    key: str
    body: bytes
    request_id: str | None


class RunName(NamedTuple):
    """Of `runs`, the id alone, for the rows that belong to one."""

    run_id: str


Columns: TypeAlias = type[Any]
"""One of the classes above."""


class Shape:
    """Columns of several tables that a statement selects side by side, each group with its table's short name."""

    def __init__(self, *groups: tuple[str, Columns]) -> None:
        self._groups = groups
        self.sql = ", ".join(f"{table}.{name}" for table, columns in groups for name in columns._fields)
        ends = [sum(len(columns._fields) for _, columns in groups[: index + 1]) for index in range(len(groups))]
        self._parts = [
            (columns._make, slice(end - len(columns._fields), end))
            for (_, columns), end in zip(groups, ends, strict=True)
        ]

    def apart(self, row: Sequence[Any]) -> list[Any]:
        """A row's columns, group by group."""
        return [make(row[part]) for make, part in self._parts]

    def of(self, **tables: Any) -> list[Any]:
        """The columns as peewee's builder wants them, from its tables by their short names."""
        return [getattr(tables[table].c, name) for table, columns in self._groups for name in columns._fields]


def insert(table: str, *groups: Columns | str) -> str:
    """The statement that adds a row of these columns; a text is the name of one."""
    names = [name for group in groups for name in ((group,) if isinstance(group, str) else group._fields)]
    places = ", ".join("?" for _ in names)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"  # noqa: S608 - constants of the modules


def assigned(columns: Columns) -> str:
    """What stands behind SET to write these columns."""
    return ", ".join(f"{name} = ?" for name in columns._fields)
