"""Reading what belongs to one run, a statement for each question."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from sqlite3 import Connection
from types import MappingProxyType
from typing import Any

from holdpoint.engine.canonical import Json, canonical, decoded
from holdpoint.engine.errors import NotFound
from holdpoint.engine.model import NO_HASH, Entry, Ref, RunRecord
from holdpoint.engine.names import left_by
from holdpoint.engine.ports import Key, RequestRow
from holdpoint.stores.columns import (
    DefinitionColumns,
    EntryColumns,
    KeyColumns,
    RequestColumns,
    RunColumns,
    RunName,
    Shape,
    StandColumns,
)
from holdpoint.stores.part import Part, damaged, no_run, reads
from holdpoint.stores.rows import entry_from, key_from, open_request_from, record_from, request_row_from

REQUESTS = Shape(("r", RunName), ("q", RequestColumns))
KEYS = Shape(("r", RunName), ("k", KeyColumns))
_RUN_AND_OPEN = Shape(
    ("r", RunColumns), ("r", StandColumns), ("d", DefinitionColumns), ("q", RequestColumns), ("h", EntryColumns)
)
_ENTRY = Shape(("h", EntryColumns))

# ruff: noqa: S608 - all that is put together here are constants
_READ_RUN = f"""
    SELECT {_RUN_AND_OPEN.sql}
    FROM runs r
    JOIN definitions d ON d.id = r.definition
    LEFT JOIN requests q ON q.run = r.id AND q.status = 'open'
    LEFT JOIN history h ON h.run = q.run AND h.seq = q.opened
    WHERE r.run_id = ?
"""
_OF_RUN = "(SELECT id FROM runs WHERE run_id = ?)"
_READ_HISTORY = f"SELECT {_ENTRY.sql} FROM history h WHERE h.run = {_OF_RUN} AND h.seq > ? ORDER BY h.seq"
_READ_ENTRY = f"SELECT {_ENTRY.sql} FROM history h WHERE h.run = {_OF_RUN} AND h.seq = ?"
_READ_ENTRIES = f"""
    SELECT {_ENTRY.sql} FROM history h WHERE h.run = {_OF_RUN} AND h.seq IN (SELECT value FROM json_each(?))
"""
_READ_REVISION = f"""
    SELECT {_ENTRY.sql} FROM revisions v JOIN history h ON h.run = v.run AND h.seq = v.seq
    WHERE v.run = {_OF_RUN} AND v.name = ? AND v.revision = ?
"""
_READ_CONTENT = f"SELECT body FROM contents WHERE run = {_OF_RUN} AND sha256 = ?"
_READ_CONTENTS = f"""
    SELECT sha256, body FROM contents
    WHERE run = {_OF_RUN} AND hex(sha256) IN (SELECT upper(value) FROM json_each(?))
"""
_READ_COMPILED = "SELECT d.document FROM sources s JOIN definitions d ON d.id = s.definition WHERE s.digest = ?"
_REQUESTS = f"SELECT {REQUESTS.sql} FROM requests q JOIN runs r ON r.id = q.run"
_READ_REQUEST = f"{_REQUESTS} WHERE q.request_id = ?"
READ_REQUESTS_OF_RUN = f"{_REQUESTS} WHERE r.run_id = ? ORDER BY q.opened"
_KEYS = f"SELECT {KEYS.sql} FROM keys k JOIN runs r ON r.id = k.run"
_READ_KEY = f"{_KEYS} WHERE k.scope = ? AND k.key = ?"
_READ_DECISION_KEYS = f"""
    {_KEYS} JOIN requests q ON q.request_id = k.request_id WHERE r.run_id = ? AND k.key = ? ORDER BY q.opened
"""
READ_KEYS_OF_RUN = f"{_KEYS} WHERE r.run_id = ?"
_FIND = MappingProxyType(
    {
        "runs": "SELECT run_id FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY run_id LIMIT ?",
        "requests": "SELECT request_id FROM requests WHERE request_id >= ? AND request_id < ? ORDER BY 1 LIMIT ?",
    }
)


class Reading(Part):
    """Runs, and what they refer to."""

    @reads
    def run(self, run_id: str) -> RunRecord:
        """Read a run with its open requests, in one statement."""
        with self._database.reading() as connection:
            return read_run(connection, run_id)

    @reads
    def content(self, run_id: str, sha256: str) -> Json:
        """One content of a run."""
        row = self._row(_READ_CONTENT, (run_id, bytes.fromhex(sha256)))
        if row is None:
            raise damaged(f"content {sha256} of run {run_id} is missing")
        return decoded(row[0])

    @reads
    def entry(self, run_id: str, seq: int) -> Entry:
        """One entry of a run. Its `prev` is not read."""
        row = self._row(_READ_ENTRY, (run_id, seq))
        if row is None:
            raise damaged(f"entry {seq} of run {run_id} is missing")
        return entry_from(run_id, EntryColumns._make(row))

    @reads
    def results(self, run_id: str, refs: Collection[Ref]) -> tuple[Sequence[Entry], Mapping[str, Json]]:
        """The entries and what they name, in two statements."""
        rows = self._all(_READ_ENTRIES, (run_id, canonical(list(refs))))
        entries = [entry_from(run_id, EntryColumns._make(row)) for row in rows]
        hashes = canonical([sha256 for entry in entries for sha256 in left_by(entry)])
        return entries, {row[0].hex(): decoded(row[1]) for row in self._all(_READ_CONTENTS, (run_id, hashes))}

    @reads
    def definition(self, definition_id: str) -> str:
        """The text of a stored document."""
        row = self._row("SELECT document FROM definitions WHERE digest = ?", (bytes.fromhex(definition_id),))
        if row is None:
            raise damaged(f"definition {definition_id} is missing")
        return str(row[0])

    @reads
    def compiled(self, source: str) -> str | None:
        """The text of what was compiled from a source."""
        row = self._row(_READ_COMPILED, (bytes.fromhex(source),))
        return None if row is None else str(row[0])

    @reads
    def request(self, request_id: str) -> RequestRow:
        """Where one request stands."""
        row = self._row(_READ_REQUEST, (request_id,))
        if row is None:
            raise NotFound(f"there is no request {request_id}", details={"request": request_id})
        return request_row(row)

    @reads
    def requests(self, run_id: str) -> Sequence[RequestRow]:
        """All requests of a run."""
        return [request_row(row) for row in self._all(READ_REQUESTS_OF_RUN, (run_id,))]

    @reads
    def find(self, prefix: str, limit: int) -> Sequence[str]:
        """Ids that begin with *prefix*."""
        sql = _FIND["requests" if prefix.startswith("req_") else "runs"]
        return [row[0] for row in self._all(sql, (prefix, prefix + "\U0010ffff", limit))]

    @reads
    def key(self, scope: str, key: str) -> Key | None:
        """The key's row."""
        row = self._row(_READ_KEY, (scope, key))
        return None if row is None else key_of(row)

    @reads
    def keys_of_run(self, run_id: str, key: str) -> Sequence[Key]:
        """The rows of a decision's key within a run."""
        return [key_of(row) for row in self._all(_READ_DECISION_KEYS, (run_id, key))]

    @reads
    def history(self, run_id: str, after: int = 0) -> Sequence[Entry]:
        """Entries with the hash before each, as the next one must name it."""
        entries: list[Entry] = []
        prev = NO_HASH
        for row in self._all(_READ_HISTORY, (run_id, max(0, after - 1))):
            entries.append(entry_from(run_id, EntryColumns._make(row), prev))
            prev = entries[-1].hash
        return [entry for entry in entries if entry.seq > after]

    @reads
    def revision_entry(self, run_id: str, name: str, revision: int) -> Entry | None:
        """The entry of one revision."""
        row = self._row(_READ_REVISION, (run_id, name, revision))
        return None if row is None else entry_from(run_id, EntryColumns._make(row))

    @reads
    def run_ids(self) -> Sequence[str]:
        """Every run's id."""
        return [row[0] for row in self._all("SELECT run_id FROM runs ORDER BY id")]

    @reads
    def count_runs(self) -> int:
        """How many rows there are."""
        row = self._row("SELECT COUNT(*) FROM runs")
        return 0 if row is None else int(row[0])

    def _row(self, sql: str, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        with self._database.reading() as connection:
            row: tuple[Any, ...] | None = connection.execute(sql, parameters).fetchone()
        return row

    def _all(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._database.reading() as connection:
            return connection.execute(sql, parameters).fetchall()


def read_run(connection: Connection, run_id: str) -> RunRecord:
    """A run with its open requests. Raises `NotFound`."""
    rows = [_RUN_AND_OPEN.apart(row) for row in connection.execute(_READ_RUN, (run_id,)).fetchall()]
    if not rows:
        if connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None:
            raise damaged(f"run {run_id} names a definition that is not there")
        raise no_run(run_id)
    opened = [open_request_from(run_id, request, entry) for *_, request, entry in rows if request.state is not None]
    run, stand, definition, *_ = rows[0]
    return record_from(run, stand, definition, {request.id: request for request in opened})


def request_row(row: Sequence[Any]) -> RequestRow:
    """Where a request stands, from a row of `REQUESTS`."""
    run, columns = REQUESTS.apart(row)
    return request_row_from(run.run_id, columns)


def key_of(row: Sequence[Any]) -> Key:
    """A key, from a row of `KEYS`."""
    run, columns = KEYS.apart(row)
    return key_from(run.run_id, columns)
