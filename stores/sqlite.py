"""The store on SQLite, put together from its parts.

Hot paths are fixed SQL on the driver's connection; listings go through peewee's builder.
"""

from __future__ import annotations

from holdpoint.stores.agenda import Agenda
from holdpoint.stores.audit import Audit
from holdpoint.stores.database import Database
from holdpoint.stores.pages import Pages
from holdpoint.stores.traffic import Counts
from holdpoint.stores.writing import Writing


class SqliteStore(Writing, Audit, Agenda, Pages, Counts):
    """`holdpoint.engine.ports.Store` on SQLite."""

    def __init__(self, url: str) -> None:
        """Open the database, make it where it is missing. Raises `Invalid` for the URL, `StoreError` for the file."""
        super().__init__(Database(url))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()
