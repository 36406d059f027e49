"""What is to be done: deadlines that have come, runs that are ready, and leases, which say who is at work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from holdpoint.engine.canonical import canonical
from holdpoint.engine.model import Deadline
from holdpoint.engine.ports import Lease
from holdpoint.stores.columns import DeadlineColumns, LeaseColumns, RunName, Shape
from holdpoint.stores.part import Part, reads
from holdpoint.stores.rows import deadline_from, lease_from, to_micros, to_time

_DUE = Shape(("r", RunName), ("d", DeadlineColumns))
_LEASE = Shape(("r", RunName), ("l", LeaseColumns))

# ruff: noqa: S608 - all that is put together here are constants
_READ_DUE = f"""
    SELECT {_DUE.sql} FROM deadlines d JOIN runs r ON r.id = d.run
    WHERE d.due_at <= ? AND d.action IN (SELECT value FROM json_each(?)) ORDER BY d.due_at LIMIT ?
"""
_READ_NEXT_DUE = "SELECT MIN(due_at) FROM deadlines WHERE due_at > ?"
_READ_READY = """
    SELECT r.run_id FROM runs r
    WHERE r.status = 'running' AND r.id > COALESCE((SELECT id FROM runs WHERE run_id = ?), 0)
        AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.run = r.id)
    ORDER BY r.id LIMIT ?
"""
_READ_LEASES = f"SELECT {_LEASE.sql} FROM leases l JOIN runs r ON r.id = l.run ORDER BY l.expires_at"
_RENEW = "UPDATE leases SET expires_at = ? WHERE run = (SELECT id FROM runs WHERE run_id = ?) AND token = ?"


class Agenda(Part):
    """What a pass looks for."""

    def renew(self, run_id: str, token: int, expires_at: datetime) -> bool:
        """Move a lease's end."""
        with self._database.writing() as connection:
            return connection.execute(_RENEW, (to_micros(expires_at), run_id, token)).rowcount == 1

    @reads
    def leases(self) -> Sequence[Lease]:
        """All leases."""
        with self._database.reading() as connection:
            rows = connection.execute(_READ_LEASES).fetchall()
        return [lease_from(run.run_id, lease) for run, lease in map(_LEASE.apart, rows)]

    @reads
    def due(self, now: datetime, actions: Sequence[str], limit: int) -> Sequence[tuple[str, Deadline]]:
        """What is due."""
        with self._database.reading() as connection:
            rows = connection.execute(_READ_DUE, (to_micros(now), canonical(list(actions)), limit)).fetchall()
        return [(run.run_id, deadline_from(deadline)) for run, deadline in map(_DUE.apart, rows)]

    @reads
    def next_due(self, after: datetime | None = None) -> datetime | None:
        """The first deadline's time."""
        with self._database.reading() as connection:
            row = connection.execute(_READ_NEXT_DUE, (-1 if after is None else to_micros(after),)).fetchone()
        return None if row[0] is None else to_time(row[0])

    @reads
    def ready(self, limit: int, after: str | None = None) -> Sequence[str]:
        """Runs without a lease that are `running`."""
        with self._database.reading() as connection:
            return [row[0] for row in connection.execute(_READ_READY, (after, limit)).fetchall()]
