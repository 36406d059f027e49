"""Listings, a page at a time. What is asked for differs from call to call, so peewee's builder makes the statements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import peewee

from holdpoint.engine.ports import InboxRow, RunRow
from holdpoint.stores.columns import DefinitionColumns, EntryColumns, RequestColumns, RunColumns, Shape, StandColumns
from holdpoint.stores.cursors import read_cursor
from holdpoint.stores.part import Part, reads
from holdpoint.stores.rows import RANKS, open_request_from, record_from, to_micros

_RUN = Shape(("r", RunColumns), ("r", StandColumns), ("d", DefinitionColumns))
_OPEN = Shape(
    ("q", RequestColumns), ("h", EntryColumns), ("r", RunColumns), ("r", StandColumns), ("d", DefinitionColumns)
)
_RUNS = peewee.Table("runs").alias("r")
_DEFINITIONS = peewee.Table("definitions").alias("d")
_REQUESTS = peewee.Table("requests").alias("q")
_HISTORY = peewee.Table("history").alias("h")
_DEADLINES = peewee.Table("deadlines").alias("l")


class Pages(Part):
    """Runs, and what is open."""

    @reads
    def runs(
        self, *, now: datetime, statuses: Sequence[str], workflow: str | None, limit: int, after: str | None
    ) -> Sequence[RunRow]:
        """A page of runs. Their requests are not read."""
        query = (
            _RUNS.join(_DEFINITIONS, on=(_DEFINITIONS.c.id == _RUNS.c.definition))
            .select(_RUNS.c.id, *_RUN.of(r=_RUNS, d=_DEFINITIONS))
            .order_by(_RUNS.c.id.desc())
            .limit(limit)
        )
        if statuses:
            # The first condition is for the index, the second for what is due and not yet written.
            stored = {*statuses, *(("waiting",) if "running" in statuses else ())}
            query = query.where(_RUNS.c.status.in_(sorted(stored)) & _status_as_read(now).in_(list(statuses)))
        if workflow is not None:
            query = query.where(_DEFINITIONS.c.workflow == workflow)
        if after is not None:
            query = query.where(_RUNS.c.id < read_cursor(after, 1)[0])
        return [_run_row(row) for row in self._rows(query)]

    @reads
    def inbox(
        self,
        *,
        now: datetime,
        workflow: str | None,
        priority: str | None,
        due: datetime | None,
        limit: int,
        after: str | None,
    ) -> Sequence[InboxRow]:
        """A page of open requests, by the index that holds the open ones alone."""
        order = (_REQUESTS.c.rank, _REQUESTS.c.due_at, _REQUESTS.c.request_id)
        query = (
            _REQUESTS.join(_RUNS, on=(_RUNS.c.id == _REQUESTS.c.run))
            .join(_DEFINITIONS, on=(_DEFINITIONS.c.id == _RUNS.c.definition))
            .join(_HISTORY, on=((_HISTORY.c.run == _REQUESTS.c.run) & (_HISTORY.c.seq == _REQUESTS.c.opened)))
            .select(*_OPEN.of(q=_REQUESTS, h=_HISTORY, r=_RUNS, d=_DEFINITIONS))
            .where((_REQUESTS.c.status == "open") & (_REQUESTS.c.due_at > _time_of_run(now)))
            .order_by(*order)
            .limit(limit)
        )
        if workflow is not None:
            query = query.where(_DEFINITIONS.c.workflow == workflow)
        if priority is not None:
            query = query.where(_REQUESTS.c.rank == RANKS[priority])
        if due is not None:
            query = query.where(_REQUESTS.c.due_at <= to_micros(due))
        if after is not None:
            query = query.where(peewee.Tuple(*order) > peewee.Tuple(*read_cursor(after, 3)))
        return [_inbox_row(row) for row in self._rows(query)]

    def _rows(self, query: Any) -> list[tuple[Any, ...]]:
        with self._database.reading():
            return list(query.tuples().execute(self._database.peewee))


def _run_row(row: tuple[Any, ...]) -> RunRow:
    run, stand, definition = _RUN.apart(row[1:])
    return RunRow(run=record_from(run, stand, definition, {}), cursor=str(row[0]))


def _inbox_row(row: tuple[Any, ...]) -> InboxRow:
    request, entry, run, stand, definition = _OPEN.apart(row)
    record = record_from(run, stand, definition, {})
    return InboxRow(
        request=open_request_from(record.id, request, entry),
        run=record,
        cursor=f"{request.rank},{request.due_at},{request.request_id}",
    )


def _status_as_read(now: datetime) -> Any:
    """The status that a run is shown with: `running` where something that it waits for is due (spec 3.3)."""
    due = _DEADLINES.select(_DEADLINES.c.run).where(
        (_DEADLINES.c.run == _RUNS.c.id) & (_DEADLINES.c.due_at <= _time_of_run(now))
    )
    is_overdue = (_RUNS.c.status == "waiting") & peewee.fn.EXISTS(due)
    return peewee.Case(None, ((is_overdue, "running"),), _RUNS.c.status)


def _time_of_run(now: datetime) -> Any:
    """A run's time is the later of the clock and its last entry (spec 3.9)."""
    return peewee.fn.MAX(to_micros(now), _RUNS.c.at)
