"""Writing: a step as a whole, in one transaction, if the run is still where the step was decided."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection, IntegrityError

from holdpoint.engine.canonical import canonical
from holdpoint.engine.definition import Definition
from holdpoint.engine.evolve import request_opened
from holdpoint.engine.model import CHANGING, SETTLING, Entry, RunRecord, Step
from holdpoint.engine.ports import Key, KeyTaken, Lease, Moved
from holdpoint.stores.columns import (
    DeadlineColumns,
    DefinitionColumns,
    EntryColumns,
    KeyColumns,
    LeaseColumns,
    RequestColumns,
    RunColumns,
    StandColumns,
    assigned,
    insert,
)
from holdpoint.stores.database import Database
from holdpoint.stores.part import Part, no_run
from holdpoint.stores.rows import (
    RANKS,
    deadline_columns,
    entry_row,
    key_columns,
    lease_columns,
    stand_columns,
    to_due,
    to_micros,
)

# ruff: noqa: S608 - all that is put together here are constants
_ADD_RUN = insert("runs", RunColumns, StandColumns)
_MOVE_RUN = f"UPDATE runs SET {assigned(StandColumns)} WHERE id = ? AND seq = ?"
_ADD_ENTRY = insert("history", "run", EntryColumns)
_ADD_CONTENT = "INSERT OR IGNORE INTO contents (run, sha256, body) VALUES (?, ?, ?)"
_ADD_REVISION = "INSERT INTO revisions (run, name, revision, seq) VALUES (?, ?, ?, ?)"
_ADD_DEFINITION = f"{insert('definitions', DefinitionColumns, 'document')} ON CONFLICT DO NOTHING"
_ADD_SOURCE = "INSERT OR IGNORE INTO sources (digest, definition) SELECT ?, definition FROM runs WHERE id = ?"
_OPEN_REQUEST = insert("requests", "run", RequestColumns)
_CHANGE_REQUEST = "UPDATE requests SET changes = ?, due_at = ? WHERE request_id = ? AND status = 'open'"
_SETTLE_REQUEST = "UPDATE requests SET status = ?, settled = ? WHERE request_id = ? AND status = 'open'"
_ADD_DEADLINE = insert("deadlines", "run", DeadlineColumns)
_DROP_DEADLINES = "DELETE FROM deadlines WHERE run = ?"
_TAKE_LEASE = insert("leases", "run", LeaseColumns)
_DROP_LEASE = "DELETE FROM leases WHERE run = ? AND token = ?"
_DROP_LAPSED_LEASE = f"DELETE FROM leases WHERE run = ? AND {' AND '.join(f'{n} = ?' for n in LeaseColumns._fields)}"
_ADD_KEY = insert("keys", "run", KeyColumns)
_REMEMBERED = 10_000


class Writing(Part):
    """Commits."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        # Row numbers of runs and definitions never change, so they are worth remembering.
        self._run_rows: dict[str, int] = {}
        self._definition_rows: dict[str, int] = {}
        self._sources: set[str] = set()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One transaction around several commits."""
        with self._database.writing():
            yield

    def commit(
        self,
        step: Step,
        *,
        definition: Definition | None = None,
        source: str | None = None,
        lease: Lease | None = None,
        lapsed: Lease | None = None,
        key: Key | None = None,
    ) -> None:
        """Write the step in one transaction."""
        with self._database.writing() as connection:
            run = self._move(connection, step, definition)
            _add_entries(connection, run, step)
            _follow(connection, run, step)
            _change_deadlines(connection, run, step)
            _change_lease(connection, run, step, lease, lapsed)
            if key is not None:
                _add_key(connection, run, key)
            if source is not None and source not in self._sources:
                connection.execute(_ADD_SOURCE, (bytes.fromhex(source), run))
        if definition is not None:
            self._remember(definition, source, step.after.id, run)

    def _move(self, connection: Connection, step: Step, definition: Definition | None) -> int:
        if step.before is None:
            if definition is None:
                raise ValueError("a first step needs the definition")
            return self._add_run(connection, step.after, definition)
        run = self._row_of_run(connection, step.after.id)
        moved = connection.execute(_MOVE_RUN, (*stand_columns(step.after), run, step.before.seq))
        if moved.rowcount != 1:
            raise Moved(step.after.id)
        return run

    def _add_run(self, connection: Connection, run: RunRecord, definition: Definition) -> int:
        columns = RunColumns(
            run_id=run.id,
            definition=self._add_definition(connection, definition),
            started_at=to_micros(run.started_at),
            initiator=run.initiator,
        )
        return int(connection.execute(_ADD_RUN, (*columns, *stand_columns(run))).lastrowid or 0)

    def _remember(self, definition: Definition, source: str | None, run_id: str, run: int) -> None:
        """Keep what is now committed and never changes: the numbers of rows, and that a source has one."""
        with self._database.reading() as connection:
            if connection.in_transaction:  # part of a batch, which may still be undone
                return
        if len(self._run_rows) >= _REMEMBERED:
            self._run_rows.clear()
        self._run_rows[run_id] = run
        if source is not None:
            self._sources.add(source)
        if definition.id not in self._definition_rows:
            with self._database.reading() as connection:
                self._definition_rows[definition.id] = _row_of_definition(connection, definition)

    def _row_of_run(self, connection: Connection, run_id: str) -> int:
        known = self._run_rows.get(run_id)
        if known is not None:
            return known
        row = connection.execute("SELECT id FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise no_run(run_id)
        return int(row[0])

    def _add_definition(self, connection: Connection, definition: Definition) -> int:
        known = self._definition_rows.get(definition.id)
        if known is not None:
            return known
        columns = DefinitionColumns(
            digest=bytes.fromhex(definition.id),
            version=bytes.fromhex(definition.version),
            workflow=definition.workflow,
        )
        connection.execute(_ADD_DEFINITION, (*columns, definition.text))
        return _row_of_definition(connection, definition)


def _row_of_definition(connection: Connection, definition: Definition) -> int:
    row = connection.execute("SELECT id FROM definitions WHERE digest = ?", (bytes.fromhex(definition.id),)).fetchone()
    return int(row[0])


def _add_entries(connection: Connection, run: int, step: Step) -> None:
    connection.executemany(_ADD_ENTRY, [entry_row(run, entry) for entry in step.entries])
    if step.contents:
        connection.executemany(
            _ADD_CONTENT, [(run, bytes.fromhex(sha256), text) for sha256, text in step.contents.items()]
        )


def _follow(connection: Connection, run: int, step: Step) -> None:
    """Write what the entries say into the rows that stand for it."""
    state = step.before.state if step.before else None
    for entry in step.entries:
        if entry.kind == "state.entered":
            state = entry.data["state"]
        elif entry.kind == "request.opened":
            connection.execute(_OPEN_REQUEST, (run, *_opened(entry, state or "")))
        elif entry.kind in CHANGING:
            changed = step.after.requests.get(entry.data["request"])
            if changed is not None:
                change = (canonical(changed.changes), to_due(changed.due_at), changed.id)
                connection.execute(_CHANGE_REQUEST, change)
        elif entry.kind == "artifact.revised":
            connection.execute(_ADD_REVISION, (run, entry.data["name"], entry.data["revision"], entry.seq))
        elif entry.kind in SETTLING:
            settled = connection.execute(_SETTLE_REQUEST, (SETTLING[entry.kind], entry.seq, entry.data["request"]))
            if settled.rowcount != 1:
                raise Moved(step.after.id)


def _opened(entry: Entry, state: str) -> RequestColumns:
    request = request_opened(entry, state)
    return RequestColumns(
        request_id=request.id,
        state=request.state,
        kind=request.kind,
        status="open",
        rank=RANKS[request.priority],
        opened=entry.seq,
        settled=None,
        due_at=to_due(request.due_at),
        changes=None,
    )


def _change_deadlines(connection: Connection, run: int, step: Step) -> None:
    before, after = step.before.deadlines if step.before else (), step.after.deadlines
    if before == after:
        return
    if before:
        connection.execute(_DROP_DEADLINES, (run,))
    if after:
        connection.executemany(_ADD_DEADLINE, [(run, *deadline_columns(deadline)) for deadline in after])


def _change_lease(connection: Connection, run: int, step: Step, lease: Lease | None, lapsed: Lease | None) -> None:
    attempt = step.before.attempt if step.before else None
    if lapsed is not None:
        dropped = connection.execute(_DROP_LAPSED_LEASE, (run, *lease_columns(lapsed)))
        if dropped.rowcount != 1:
            raise Moved(step.after.id)
    elif attempt is not None and attempt != step.after.attempt:
        connection.execute(_DROP_LEASE, (run, attempt.token))
    if lease is not None:
        connection.execute(_TAKE_LEASE, (run, *lease_columns(lease)))


def _add_key(connection: Connection, run: int, key: Key) -> None:
    try:
        connection.execute(_ADD_KEY, (run, *key_columns(key)))
    except IntegrityError:
        raise KeyTaken(key.key) from None
