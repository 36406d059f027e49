"""The agents of the migration workflow: one proposes a window, one looks whether the migration is there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

NIGHT = time(2, tzinfo=UTC)
DATABASE = "shop.sqlite"
COLUMNS = {"add_email": "email", "add_phone": "phone"}


def propose(now: str, minutes: int, last: str | None, feedback: str | None) -> dict[str, str]:
    """The next night's window; once a person sent one back, that of the night that the feedback names, or the next.

    It understands a day, `2026-01-09`. Any other feedback means: not that night.
    """
    earliest = datetime.fromisoformat(now)
    start = datetime.combine(earliest + timedelta(days=1), NIGHT)
    if last and feedback:
        start = _named(feedback) or datetime.fromisoformat(last) + timedelta(days=1)
    while start <= earliest:
        start += timedelta(days=1)
    return {"start": _text(start), "end": _text(start + timedelta(minutes=minutes))}


def _named(feedback: str) -> datetime | None:
    try:
        return datetime.combine(datetime.strptime(feedback.strip(), "%Y-%m-%d").replace(tzinfo=UTC), NIGHT)
    except ValueError:
        return None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def verify(migration: str) -> dict[str, object]:
    """Whether the database has the column that the migration adds, and every customer of before."""
    if not Path(DATABASE).exists():
        return {"ok": False, "columns": [], "customers": 0}
    with closing(sqlite3.connect(DATABASE)) as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(customers)")]
        (customers,) = database.execute("SELECT count(*) FROM customers").fetchone()
    return {"ok": COLUMNS[migration] in columns and customers > 0, "columns": columns, "customers": customers}
