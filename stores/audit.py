"""All that is stored of a run, as it stands in the rows, and what SQLite says of its file: what `verify` looks at."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection

from holdpoint.engine.ports import Dossier, Lease
from holdpoint.stores.columns import DeadlineColumns, LeaseColumns, Shape
from holdpoint.stores.part import reads
from holdpoint.stores.reading import READ_KEYS_OF_RUN, READ_REQUESTS_OF_RUN, REQUESTS, Reading, key_of, read_run
from holdpoint.stores.rows import PRIORITY_OF_RANK, deadline_from, due_from, lease_from, request_row_from

_DEADLINE = Shape(("d", DeadlineColumns))
_LEASE = Shape(("l", LeaseColumns))

# ruff: noqa: S608 - all that is put together here are constants
_READ_PINNED = """
    SELECT r.id, r.status, d.document, d.version, d.workflow
    FROM runs r JOIN definitions d ON d.id = r.definition WHERE r.run_id = ?
"""
_READ_DEADLINES = f"SELECT {_DEADLINE.sql} FROM deadlines d WHERE d.run = ?"
_READ_LEASE = f"SELECT {_LEASE.sql} FROM leases l WHERE l.run = ?"


class Audit(Reading):
    """What is there, believed or not."""

    @reads
    def dossier(self, run_id: str) -> Dossier:
        """Everything of a run, within one reading transaction."""
        with self._database.snapshot() as connection:
            record = read_run(connection, run_id)
            number, status, document, version, workflow = connection.execute(_READ_PINNED, (run_id,)).fetchone()
            requests = [REQUESTS.apart(row) for row in connection.execute(READ_REQUESTS_OF_RUN, (run_id,))]
            return Dossier(
                run_id=run_id,
                status=status,
                record=record,
                entries=self.history(run_id),
                requests=[request_row_from(run.run_id, columns) for run, columns in requests],
                request_dues={
                    columns.request_id: (due_from(columns.due_at), PRIORITY_OF_RANK.get(columns.rank, ""))
                    for _, columns in requests
                },
                revisions={
                    (row[0], row[1]): row[2]
                    for row in connection.execute("SELECT name, revision, seq FROM revisions WHERE run = ?", (number,))
                },
                contents={
                    row[0].hex(): row[1]
                    for row in connection.execute("SELECT sha256, body FROM contents WHERE run = ?", (number,))
                },
                deadlines=[
                    deadline_from(DeadlineColumns._make(row)) for row in connection.execute(_READ_DEADLINES, (number,))
                ],
                lease=_lease(connection, run_id, number),
                definition_text=document,
                definition_version=version.hex(),
                definition_workflow=workflow,
                keys=[key_of(row) for row in connection.execute(READ_KEYS_OF_RUN, (run_id,))],
            )

    def faults(self) -> Sequence[str]:
        """SQLite's own checks."""
        with self._database.reading() as connection:
            pages = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        found = [f"integrity check: {line}" for line in pages if line != "ok"]
        return found + [f"table {row[0]}: row {row[1]} names a row of {row[2]} that is not there" for row in orphans]


def _lease(connection: Connection, run_id: str, number: int) -> Lease | None:
    row = connection.execute(_READ_LEASE, (number,)).fetchone()
    return None if row is None else lease_from(run_id, LeaseColumns._make(row))
