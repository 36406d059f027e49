"""The store on SQLite. Hot paths are fixed SQL on the driver's connection; listings go through peewee's builder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from sqlite3 import Connection, IntegrityError
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

import peewee

from holdpoint.engine.canonical import Json, canonical, decoded
from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import NotFound, StoreError
from holdpoint.engine.evolve import request_changed, request_opened
from holdpoint.engine.model import CHANGING, SETTLING, Deadline, Entry, RequestRecord, RunRecord, Step
from holdpoint.engine.ports import Dossier, InboxRow, Key, KeyTaken, Lease, Moved, RequestRow, RunRow
from holdpoint.engine.traffic import Traffic
from holdpoint.stores.cursors import read_cursor
from holdpoint.stores.database import Database
from holdpoint.stores.rows import NEVER, RANKS, record_from, record_text, to_micros, to_time
from holdpoint.stores.traffic import read_traffic

_RUN_COLUMNS = "r.run_id, r.seq, r.head, r.at, r.started_at, r.initiator, r.record, d.digest, d.version, d.workflow"
_ENTRY_COLUMNS = "h.seq, h.at, h.kind, h.actor, h.actor_kind, h.data, h.hash"
_READ_RUN = f"""
    SELECT {_RUN_COLUMNS}, q.state, q.changes, {_ENTRY_COLUMNS}
    FROM runs r
    JOIN definitions d ON d.id = r.definition
    LEFT JOIN requests q ON q.run = r.id AND q.status = 'open'
    LEFT JOIN history h ON h.run = q.run AND h.seq = q.opened
    WHERE r.run_id = ?
"""  # noqa: S608 - constants of this module
_READ_HISTORY = f"""
    SELECT {_ENTRY_COLUMNS} FROM history h
    WHERE h.run = (SELECT id FROM runs WHERE run_id = ?) AND h.seq > ? ORDER BY h.seq
"""  # noqa: S608 - constants of this module
_READ_ENTRY = f"""
    SELECT {_ENTRY_COLUMNS} FROM history h WHERE h.run = (SELECT id FROM runs WHERE run_id = ?) AND h.seq = ?
"""  # noqa: S608 - constants of this module
_READ_ENTRIES = f"""
    SELECT {_ENTRY_COLUMNS} FROM history h
    WHERE h.run = (SELECT id FROM runs WHERE run_id = ?) AND h.seq IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - constants of this module
_READ_TEXTS = """
    SELECT sha256, body FROM contents
    WHERE run = (SELECT id FROM runs WHERE run_id = ?) AND hex(sha256) IN (SELECT value FROM json_each(?))
"""
_READ_CONTENT = "SELECT body FROM contents WHERE run = (SELECT id FROM runs WHERE run_id = ?) AND sha256 = ?"
_READ_COMPILED = "SELECT d.document FROM sources s JOIN definitions d ON d.id = s.definition WHERE s.digest = ?"
_ADD_SOURCE = """
    INSERT OR IGNORE INTO sources (digest, definition) SELECT ?, definition FROM runs WHERE id = ?
"""
_READ_NEXT_DUE = "SELECT MIN(due_at) FROM deadlines WHERE due_at > ?"
_READ_DUE = """
    SELECT r.run_id, d.due_at, d.request_id, d.action FROM deadlines d JOIN runs r ON r.id = d.run
    WHERE d.due_at <= ? AND d.action IN (SELECT value FROM json_each(?)) ORDER BY d.due_at LIMIT ?
"""
_CHANGE_REQUEST = "UPDATE requests SET changes = ?, due_at = ? WHERE request_id = ? AND status = 'open'"
_REQUESTS_SQL = """
    SELECT q.request_id, r.run_id, q.state, q.kind, q.status, q.opened, q.settled, q.changes, q.due_at, q.rank
    FROM requests q JOIN runs r ON r.id = q.run
"""
_READ_REQUEST = f"{_REQUESTS_SQL} WHERE q.request_id = ?"
_READ_REQUESTS_OF_RUN = f"{_REQUESTS_SQL} WHERE r.run_id = ? ORDER BY q.opened"
_READ_REVISION = f"""
    SELECT {_ENTRY_COLUMNS} FROM revisions v JOIN history h ON h.run = v.run AND h.seq = v.seq
    WHERE v.run = (SELECT id FROM runs WHERE run_id = ?) AND v.name = ? AND v.revision = ?
"""  # noqa: S608 - constants of this module
_KEYS_SQL = "SELECT k.scope, k.key, k.body, r.run_id, k.request_id FROM keys k JOIN runs r ON r.id = k.run"
_READ_KEY = f"{_KEYS_SQL} WHERE k.scope = ? AND k.key = ?"
_READ_KEY_OF_RUN = f"""
    {_KEYS_SQL} JOIN requests q ON q.request_id = k.request_id WHERE r.run_id = ? AND k.key = ? ORDER BY q.opened
"""
_READ_KEYS_OF_RUN = f"{_KEYS_SQL} WHERE r.run_id = ?"
_ADD_RUN = """
    INSERT INTO runs (run_id, definition, status, seq, head, at, started_at, initiator, record)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_MOVE_RUN = "UPDATE runs SET status = ?, seq = ?, head = ?, at = ?, record = ? WHERE id = ? AND seq = ?"
_ADD_ENTRY = "INSERT INTO history (run, seq, at, kind, actor, actor_kind, data, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_CONTENT = "INSERT OR IGNORE INTO contents (run, sha256, body) VALUES (?, ?, ?)"
_OPEN_REQUEST = """
    INSERT INTO requests (request_id, run, state, kind, status, rank, opened, due_at)
    VALUES (?, ?, ?, ?, 'open', ?, ?, ?)
"""
_SETTLE_REQUEST = "UPDATE requests SET status = ?, settled = ? WHERE request_id = ? AND status = 'open'"
_ADD_REVISION = "INSERT INTO revisions (run, name, revision, seq) VALUES (?, ?, ?, ?)"
_ADD_DEADLINE = "INSERT INTO deadlines (due_at, run, request_id, action) VALUES (?, ?, ?, ?)"
_DROP_DEADLINES = "DELETE FROM deadlines WHERE run = ?"
_TAKE_LEASE = "INSERT INTO leases (run, token, owner, expires_at) VALUES (?, ?, ?, ?)"
_DROP_LEASE = "DELETE FROM leases WHERE run = ? AND token = ?"
_DROP_LAPSED_LEASE = "DELETE FROM leases WHERE run = ? AND token = ? AND owner = ? AND expires_at = ?"
_ADD_KEY = "INSERT INTO keys (scope, key, body, run, request_id) VALUES (?, ?, ?, ?, ?)"

_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


def _reads(method: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
    """A method that makes values of rows: where they are not what was written, `StoreError`, code `corrupt`."""

    @wraps(method)
    def read(*given: _Given.args, **options: _Given.kwargs) -> _Found:
        try:
            return method(*given, **options)
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
            raise _damaged(f"what is stored cannot be read ({type(error).__name__}: {error})") from error

    return read


class SqliteStore:
    """`holdpoint.engine.ports.Store` on SQLite."""

    def __init__(self, url: str) -> None:
        """Open the database, make it where it is missing. Raises `Invalid` for the URL, `StoreError` for the file."""
        self._database = Database(url)
        # Row numbers of runs and definitions never change, so they are worth remembering.
        self._run_rows: dict[str, int] = {}
        self._definition_rows: dict[str, int] = {}
        self._sources: set[str] = set()

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One transaction around several commits."""
        with self._database.writing():
            yield

    @_reads
    def run(self, run_id: str) -> RunRecord:
        """Read a run with its open requests, in one statement."""
        with self._database.reading() as connection:
            return _run(_rows_of_run(connection, run_id))

    def values(self, run_id: str) -> SqliteValues:
        """What the run's record refers to, read when it is asked for."""
        return SqliteValues(self, run_id)

    @_reads
    def content(self, run_id: str, sha256: str) -> Json:
        """One content of a run."""
        with self._database.reading() as connection:
            row = connection.execute(_READ_CONTENT, (run_id, bytes.fromhex(sha256))).fetchone()
        if row is None:
            raise _damaged(f"content {sha256} of run {run_id} is missing")
        return decoded(row[0])

    @_reads
    def entry(self, run_id: str, seq: int) -> Entry:
        """One entry of a run. Its `prev` is not read."""
        with self._database.reading() as connection:
            row = connection.execute(_READ_ENTRY, (run_id, seq)).fetchone()
        if row is None:
            raise _damaged(f"entry {seq} of run {run_id} is missing")
        return _entry(run_id, row, "")

    @_reads
    def entries(self, run_id: str, seqs: Collection[int]) -> Sequence[Entry]:
        """Some entries of a run. Their `prev` is not read."""
        with self._database.reading() as connection:
            rows = connection.execute(_READ_ENTRIES, (run_id, canonical(list(seqs)))).fetchall()
        return [_entry(run_id, row, "") for row in rows]

    @_reads
    def texts(self, run_id: str, hashes: Collection[str]) -> Mapping[str, str]:
        """Some contents of a run, as they are stored."""
        with self._database.reading() as connection:
            rows = connection.execute(
                _READ_TEXTS, (run_id, canonical([sha256.upper() for sha256 in hashes]))
            ).fetchall()
        return {row[0].hex(): row[1] for row in rows}

    @_reads
    def definition(self, definition_id: str) -> str:
        """The text of a stored document."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT document FROM definitions WHERE digest = ?", (bytes.fromhex(definition_id),)
            ).fetchone()
        if row is None:
            raise _damaged(f"definition {definition_id} is missing")
        text: str = row[0]
        return text

    @_reads
    def compiled(self, source: str) -> str | None:
        """The text of what was compiled from a source."""
        with self._database.reading() as connection:
            row = connection.execute(_READ_COMPILED, (bytes.fromhex(source),)).fetchone()
        return None if row is None else str(row[0])

    @_reads
    def request(self, request_id: str) -> RequestRow:
        """Where one request stands."""
        with self._database.reading() as connection:
            row = connection.execute(_READ_REQUEST, (request_id,)).fetchone()
        if row is None:
            raise NotFound(f"there is no request {request_id}", details={"request": request_id})
        return _request_row(row)

    @_reads
    def requests(self, run_id: str) -> Sequence[RequestRow]:
        """All requests of a run."""
        with self._database.reading() as connection:
            rows = connection.execute(_READ_REQUESTS_OF_RUN, (run_id,)).fetchall()
        return [_request_row(row) for row in rows]

    @_reads
    def find(self, prefix: str, limit: int) -> Sequence[str]:
        """Ids that begin with *prefix*."""
        table = "requests" if prefix.startswith("req_") else "runs"
        sql = _FIND[table]
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute(sql, (prefix, prefix + "\U0010ffff", limit))]

    @_reads
    def key(self, scope: str, key: str) -> Key | None:
        """The key's row."""
        return self._key(_READ_KEY, (scope, key))

    @_reads
    def keys_of_run(self, run_id: str, key: str) -> Sequence[Key]:
        """The rows of a decision's key within a run."""
        with self._database.reading() as connection:
            return [_key_from(row) for row in connection.execute(_READ_KEY_OF_RUN, (run_id, key)).fetchall()]

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
            _change_lease(connection, run, step, lease, lapsed)
            if key is not None:
                _add_key(connection, run, key)
            if source is not None and source not in self._sources:
                connection.execute(_ADD_SOURCE, (bytes.fromhex(source), run))
        if definition is not None:
            self._remember(definition, source, step.after.id, run)

    def renew(self, run_id: str, token: int, expires_at: datetime) -> bool:
        """Move a lease's end."""
        with self._database.writing() as connection:
            cursor = connection.execute(
                "UPDATE leases SET expires_at = ? WHERE run = (SELECT id FROM runs WHERE run_id = ?) AND token = ?",
                (to_micros(expires_at), run_id, token),
            )
            return cursor.rowcount == 1

    @_reads
    def leases(self) -> Sequence[Lease]:
        """All leases."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT r.run_id, l.token, l.owner, l.expires_at FROM leases l JOIN runs r ON r.id = l.run "
                "ORDER BY l.expires_at"
            ).fetchall()
        return [_lease(row) for row in rows]

    @_reads
    def due(self, now: datetime, actions: Sequence[str], limit: int) -> Sequence[tuple[str, Deadline]]:
        """What is due."""
        with self._database.reading() as connection:
            rows = connection.execute(_READ_DUE, (to_micros(now), canonical(list(actions)), limit)).fetchall()
        return [(row[0], _deadline(row[1:])) for row in rows]

    @_reads
    def next_due(self, after: datetime | None = None) -> datetime | None:
        """The first deadline's time."""
        with self._database.reading() as connection:
            row = connection.execute(_READ_NEXT_DUE, (-1 if after is None else to_micros(after),)).fetchone()
        return None if row[0] is None else to_time(row[0])

    @_reads
    def ready(self, limit: int, after: str | None = None) -> Sequence[str]:
        """Runs without a lease that are `running`."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT r.run_id FROM runs r WHERE r.status = 'running' "
                "AND r.id > COALESCE((SELECT id FROM runs WHERE run_id = ?), 0) "
                "AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.run = r.id) ORDER BY r.id LIMIT ?",
                (after, limit),
            ).fetchall()
        return [row[0] for row in rows]

    @_reads
    def history(self, run_id: str, after: int = 0) -> Sequence[Entry]:
        """Entries with the hash before each, as the next one must name it."""
        with self._database.reading() as connection:
            rows = connection.execute(_READ_HISTORY, (run_id, max(0, after - 1))).fetchall()
        entries: list[Entry] = []
        prev = "0" * 64
        for row in rows:
            entries.append(_entry(run_id, row, prev))
            prev = entries[-1].hash
        return [entry for entry in entries if entry.seq > after]

    @_reads
    def revision_entry(self, run_id: str, name: str, revision: int) -> Entry | None:
        """The entry of one revision."""
        with self._database.reading() as connection:
            row = connection.execute(_READ_REVISION, (run_id, name, revision)).fetchone()
        return None if row is None else _entry(run_id, row, "")

    @_reads
    def run_ids(self) -> Sequence[str]:
        """Every run's id."""
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute("SELECT run_id FROM runs ORDER BY id")]

    @_reads
    def runs(
        self, *, now: datetime, statuses: Sequence[str], workflow: str | None, limit: int, after: str | None
    ) -> Sequence[RunRow]:
        """A page of runs. Their requests are not read."""
        runs, definitions = _RUNS.alias("r"), _DEFINITIONS.alias("d")
        query = (
            runs.join(definitions, on=(definitions.c.id == runs.c.definition))
            .select(
                runs.c.id,
                runs.c.run_id,
                runs.c.seq,
                runs.c.head,
                runs.c.at,
                runs.c.started_at,
                runs.c.initiator,
                runs.c.record,
                definitions.c.digest,
                definitions.c.version,
                definitions.c.workflow,
            )
            .order_by(runs.c.id.desc())
            .limit(limit)
        )
        if statuses:
            # The first condition is for the index, the second for what is due and not yet written.
            stored = {*statuses, *(("waiting",) if "running" in statuses else ())}
            query = query.where(runs.c.status.in_(sorted(stored)) & _status_as_read(runs, now).in_(list(statuses)))
        if workflow is not None:
            query = query.where(definitions.c.workflow == workflow)
        if after is not None:
            query = query.where(runs.c.id < read_cursor(after, 1)[0])
        return [RunRow(run=_record(row[1:], {}), cursor=str(row[0])) for row in self._rows(query)]

    @_reads
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
        requests, runs, definitions = _REQUESTS.alias("q"), _RUNS.alias("r"), _DEFINITIONS.alias("d")
        history = _HISTORY.alias("h")
        moment = peewee.fn.MAX(to_micros(now), runs.c.at)
        query = (
            requests.join(runs, on=(runs.c.id == requests.c.run))
            .join(definitions, on=(definitions.c.id == runs.c.definition))
            .join(history, on=((history.c.run == requests.c.run) & (history.c.seq == requests.c.opened)))
            .select(
                requests.c.rank,
                requests.c.due_at,
                requests.c.request_id,
                requests.c.state,
                requests.c.changes,
                runs.c.run_id,
                runs.c.seq,
                runs.c.head,
                runs.c.at,
                runs.c.started_at,
                runs.c.initiator,
                runs.c.record,
                definitions.c.digest,
                definitions.c.version,
                definitions.c.workflow,
                history.c.seq,
                history.c.at,
                history.c.kind,
                history.c.actor,
                history.c.actor_kind,
                history.c.data,
                history.c.hash,
            )
            .where((requests.c.status == "open") & (requests.c.due_at > moment))
            .order_by(requests.c.rank, requests.c.due_at, requests.c.request_id)
            .limit(limit)
        )
        if workflow is not None:
            query = query.where(definitions.c.workflow == workflow)
        if priority is not None:
            query = query.where(requests.c.rank == RANKS[priority])
        if due is not None:
            query = query.where(requests.c.due_at <= to_micros(due))
        if after is not None:
            place = peewee.Tuple(requests.c.rank, requests.c.due_at, requests.c.request_id)
            query = query.where(place > peewee.Tuple(*read_cursor(after, 3)))
        return [_inbox_row(row) for row in self._rows(query)]

    @_reads
    def traffic(self, workflow: str, version: str | None) -> Traffic:
        """The ways of all runs, counted by the database as of one moment."""
        with self._database.snapshot() as connection:
            return read_traffic(connection, workflow, version)

    @_reads
    def dossier(self, run_id: str) -> Dossier:
        """Everything of a run, within one reading transaction."""
        with self._database.snapshot() as connection:
            rows = _rows_of_run(connection, run_id)
            number, status, definition = connection.execute(
                "SELECT id, status, definition FROM runs WHERE run_id = ?", (run_id,)
            ).fetchone()
            requests = connection.execute(_READ_REQUESTS_OF_RUN, (run_id,)).fetchall()
            document, version, workflow = connection.execute(
                "SELECT document, version, workflow FROM definitions WHERE id = ?", (definition,)
            ).fetchone()
            leases = connection.execute(
                "SELECT r.run_id, l.token, l.owner, l.expires_at FROM leases l JOIN runs r ON r.id = l.run "
                "WHERE l.run = ?",
                (number,),
            ).fetchall()
            return Dossier(
                run_id=run_id,
                status=status,
                record=_run(rows),
                entries=self.history(run_id),
                requests=[_request_row(row) for row in requests],
                request_dues={row[0]: (_due(row[8]), _PRIORITIES.get(row[9], "")) for row in requests},
                revisions={
                    (row[0], row[1]): row[2]
                    for row in connection.execute("SELECT name, revision, seq FROM revisions WHERE run = ?", (number,))
                },
                contents={
                    row[0].hex(): row[1]
                    for row in connection.execute("SELECT sha256, body FROM contents WHERE run = ?", (number,))
                },
                deadlines=[
                    _deadline(row)
                    for row in connection.execute(
                        "SELECT due_at, request_id, action FROM deadlines WHERE run = ?", (number,)
                    )
                ],
                lease=_lease(leases[0]) if leases else None,
                definition_text=document,
                definition_version=version.hex(),
                definition_workflow=workflow,
                keys=[_key_from(row) for row in connection.execute(_READ_KEYS_OF_RUN, (run_id,))],
            )

    def faults(self) -> Sequence[str]:
        """SQLite's own checks."""
        with self._database.reading() as connection:
            pages = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        found = [f"integrity check: {line}" for line in pages if line != "ok"]
        return found + [f"table {row[0]}: row {row[1]} names a row of {row[2]} that is not there" for row in orphans]

    def _move(self, connection: Connection, step: Step, definition: Definition | None) -> int:
        after = step.after
        if step.before is None:
            if definition is None:
                raise ValueError("a first step needs the definition")
            cursor = connection.execute(
                _ADD_RUN,
                (
                    after.id,
                    self._add_definition(connection, definition),
                    after.status,
                    after.seq,
                    bytes.fromhex(after.head),
                    to_micros(after.at),
                    to_micros(after.started_at),
                    after.initiator,
                    record_text(after),
                ),
            )
            return int(cursor.lastrowid or 0)
        run = self._row_of_run(connection, after.id)
        moved = connection.execute(
            _MOVE_RUN,
            (
                after.status,
                after.seq,
                bytes.fromhex(after.head),
                to_micros(after.at),
                record_text(after),
                run,
                step.before.seq,
            ),
        )
        if moved.rowcount != 1:
            raise Moved(after.id)
        return run

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
                self._definition_rows[definition.id] = self._row_of_definition(connection, definition)

    def _row_of_run(self, connection: Connection, run_id: str) -> int:
        known = self._run_rows.get(run_id)
        if known is not None:
            return known
        row = connection.execute("SELECT id FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise _no_run(run_id)
        return int(row[0])

    def _add_definition(self, connection: Connection, definition: Definition) -> int:
        known = self._definition_rows.get(definition.id)
        if known is not None:
            return known
        digest = bytes.fromhex(definition.id)
        connection.execute(
            "INSERT OR IGNORE INTO definitions (digest, version, workflow, document) VALUES (?, ?, ?, ?)",
            (digest, bytes.fromhex(definition.version), definition.workflow, definition.text),
        )
        return self._row_of_definition(connection, definition)

    @staticmethod
    def _row_of_definition(connection: Connection, definition: Definition) -> int:
        row = connection.execute(
            "SELECT id FROM definitions WHERE digest = ?", (bytes.fromhex(definition.id),)
        ).fetchone()
        return int(row[0])

    def _key(self, sql: str, parameters: tuple[str, ...]) -> Key | None:
        with self._database.reading() as connection:
            row = connection.execute(sql, parameters).fetchone()
        return None if row is None else _key_from(row)

    def _rows(self, query: Any) -> list[tuple[Any, ...]]:
        with self._database.reading():
            return list(query.tuples().execute(self._database.peewee))


class SqliteValues:
    """`holdpoint.engine.model.Values` of one run. What was read or made once is kept: it never changes."""

    def __init__(self, store: SqliteStore, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self._contents: dict[str, Json] = {}
        self._texts: dict[str, str] = {}
        self._entries: dict[int, Entry] = {}

    @_reads
    def content(self, sha256: str) -> Json:
        """One content."""
        if sha256 not in self._contents:
            text = self._texts.get(sha256)
            self._contents[sha256] = self._store.content(self._run_id, sha256) if text is None else decoded(text)
        return self._contents[sha256]

    @_reads
    def entry(self, seq: int) -> Entry:
        """One entry."""
        if seq not in self._entries:
            self._entries[seq] = self._store.entry(self._run_id, seq)
        return self._entries[seq]

    def revision(self, name: str, revision: int) -> Json:
        """The content of one revision; raises `NotFound`."""
        entry = self._store.revision_entry(self._run_id, name, revision)
        if entry is None:
            raise NotFound(f"run {self._run_id}: artifact {name!r} has no revision {revision}")
        return self.content(entry.data["sha256"])

    @_reads
    def look_ahead(self, refs: Collection[int]) -> None:
        """Read the entries that are not known yet, and what they name, in two statements."""
        missing = [seq for seq in refs if seq not in self._entries]
        if len(missing) > 1:
            self._entries.update((entry.seq, entry) for entry in self._store.entries(self._run_id, missing))
            named = [self._entries[seq].data.get(name) for seq in missing for name in ("output", "answers")]
            hashes = [sha256 for sha256 in named if sha256 is not None and sha256 not in self._texts]
            self._texts.update(self._store.texts(self._run_id, hashes))

    def learn(self, step: Step) -> None:
        """Keep what the step made, and forget the rest when it has become much."""
        if len(self._entries) + len(self._contents) > _KEPT_OF_A_RUN:
            for kept in (self._contents, self._texts, self._entries):
                kept.clear()
        self._texts.update(step.contents)
        self._entries.update((entry.seq, entry) for entry in step.entries)


def _status_as_read(runs: Any, now: datetime) -> Any:
    """The status that a run is shown with: `running` where something that it waits for is due (spec 3.3)."""
    deadlines = _DEADLINES.alias("l")
    moment = peewee.fn.MAX(to_micros(now), runs.c.at)
    due = deadlines.select(deadlines.c.run).where((deadlines.c.run == runs.c.id) & (deadlines.c.due_at <= moment))
    is_overdue = (runs.c.status == "waiting") & peewee.fn.EXISTS(due)
    return peewee.Case(None, ((is_overdue, "running"),), runs.c.status)


def _add_entries(connection: Connection, run: int, step: Step) -> None:
    connection.executemany(
        _ADD_ENTRY,
        [
            (
                run,
                entry.seq,
                to_micros(entry.at),
                entry.kind,
                entry.actor,
                None if entry.actor_kind == "engine" else entry.actor_kind,
                entry.text,
                bytes.fromhex(entry.hash),
            )
            for entry in step.entries
        ],
    )
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
            request = request_opened(entry, state or "")
            due_at = NEVER if request.due_at is None else to_micros(request.due_at)
            connection.execute(
                _OPEN_REQUEST,
                (request.id, run, request.state, request.kind, RANKS[request.priority], entry.seq, due_at),
            )
        elif entry.kind in CHANGING:
            changed = step.after.requests.get(entry.data["request"])
            if changed is not None:
                due_at = NEVER if changed.due_at is None else to_micros(changed.due_at)
                connection.execute(_CHANGE_REQUEST, (canonical(changed.changes), due_at, changed.id))
        elif entry.kind == "artifact.revised":
            connection.execute(_ADD_REVISION, (run, entry.data["name"], entry.data["revision"], entry.seq))
        elif entry.kind in SETTLING:
            settled = connection.execute(_SETTLE_REQUEST, (SETTLING[entry.kind], entry.seq, entry.data["request"]))
            if settled.rowcount != 1:
                raise Moved(step.after.id)
    deadlines = step.after.deadlines
    before = step.before.deadlines if step.before else ()
    if deadlines != before:
        if before:
            connection.execute(_DROP_DEADLINES, (run,))
        if deadlines:
            connection.executemany(
                _ADD_DEADLINE, [(to_micros(item.due_at), run, item.request or "", item.action) for item in deadlines]
            )


def _change_lease(connection: Connection, run: int, step: Step, lease: Lease | None, lapsed: Lease | None) -> None:
    attempt = step.before.attempt if step.before else None
    if lapsed is not None:
        end = to_micros(lapsed.expires_at)
        dropped = connection.execute(_DROP_LAPSED_LEASE, (run, lapsed.token, lapsed.owner, end))
        if dropped.rowcount != 1:
            raise Moved(step.after.id)
    elif attempt is not None and attempt != step.after.attempt:
        connection.execute(_DROP_LEASE, (run, attempt.token))
    if lease is not None:
        connection.execute(_TAKE_LEASE, (run, lease.token, lease.owner, to_micros(lease.expires_at)))


def _add_key(connection: Connection, run: int, key: Key) -> None:
    try:
        connection.execute(_ADD_KEY, (key.scope, key.key, bytes.fromhex(key.body), run, key.request_id))
    except IntegrityError:
        raise KeyTaken(key.key) from None


def _run(rows: Sequence[tuple[Any, ...]]) -> RunRecord:
    columns = _RUN_WIDTH
    run_id = rows[0][0]
    requests = {}
    for row in rows:
        if row[columns] is not None:
            request = _request(run_id, row[columns:])
            requests[request.id] = request
    return _record(rows[0], requests)


def _record(row: tuple[Any, ...], requests: Mapping[str, RequestRecord]) -> RunRecord:
    run_id, seq, head, at, started_at, initiator, record, digest, version, workflow = row[:_RUN_WIDTH]
    return record_from(
        {
            "id": run_id,
            "seq": seq,
            "head": head.hex(),
            "at": to_time(at),
            "started_at": to_time(started_at),
            "initiator": initiator,
            "definition_id": digest.hex(),
            "definition": version.hex(),
            "workflow": workflow,
        },
        record,
        requests,
    )


def _entry(run_id: str, row: Sequence[Any], prev: str) -> Entry:
    seq, at, kind, actor, actor_kind, data, digest = row
    return Entry.of(
        run=run_id,
        seq=seq,
        at=to_time(at),
        kind=kind,
        actor=actor,
        actor_kind=actor_kind or "engine",
        data=decoded(data),
        text=data,
        prev=prev,
        hash=digest.hex(),
    )


def _request(run_id: str, row: Sequence[Any]) -> RequestRecord:
    """The request of a row that has its state, its changes, and its entry."""
    request = request_opened(_entry(run_id, row[2:], ""), row[0])
    return request if row[1] is None else request_changed(request, decoded(row[1]))


def _inbox_row(row: tuple[Any, ...]) -> InboxRow:
    rank, due_at, request_id, state, changes = row[:5]
    run = _record(row[5:], {})
    request = _request(run.id, (state, changes, *row[5 + _RUN_WIDTH :]))
    return InboxRow(request=request, run=run, cursor=f"{rank},{due_at},{request_id}")


def _request_row(row: Sequence[Any]) -> RequestRow:
    return RequestRow(
        id=row[0],
        run_id=row[1],
        state=row[2],
        kind=row[3],
        status=row[4],
        opened_seq=row[5],
        settled_seq=row[6],
        changes={} if row[7] is None else decoded(row[7]),
    )


def _deadline(row: Sequence[Any]) -> Deadline:
    return Deadline(action=row[2], due_at=to_time(row[0]), request=row[1] or None)


def _lease(row: Sequence[Any]) -> Lease:
    return Lease(run_id=row[0], token=row[1], owner=row[2], expires_at=to_time(row[3]))


def _key_from(row: Sequence[Any]) -> Key:
    return Key(scope=row[0], key=row[1], body=row[2].hex(), run_id=row[3], request_id=row[4])


def _due(micros: int) -> datetime | None:
    return None if micros == NEVER else to_time(micros)


def _damaged(what: str) -> StoreError:
    return StoreError(f"{what}; see flow verify", code="corrupt")


def _rows_of_run(connection: Connection, run_id: str) -> list[tuple[Any, ...]]:
    rows = connection.execute(_READ_RUN, (run_id,)).fetchall()
    if rows:
        return rows
    if connection.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None:
        raise _damaged(f"run {run_id} names a definition that is not there")
    raise _no_run(run_id)


def _no_run(run_id: str) -> NotFound:
    return NotFound(f"there is no run {run_id}", details={"run": run_id})


_RUN_WIDTH = 10
_REMEMBERED = 10_000
_KEPT_OF_A_RUN = 200
_PRIORITIES = {rank: priority for priority, rank in RANKS.items()}
_FIND = MappingProxyType(
    {
        "runs": "SELECT run_id FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY run_id LIMIT ?",
        "requests": "SELECT request_id FROM requests WHERE request_id >= ? AND request_id < ? ORDER BY 1 LIMIT ?",
    }
)
_RUNS = peewee.Table("runs")
_DEFINITIONS = peewee.Table("definitions")
_REQUESTS = peewee.Table("requests")
_HISTORY = peewee.Table("history")
_DEADLINES = peewee.Table("deadlines")
