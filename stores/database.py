"""The SQLite database itself: where it is, how it is opened, its transactions, its schema.

WAL, `synchronous=FULL` unless the URL says `?synchronous=normal`, foreign keys on, every writing transaction
BEGIN IMMEDIATE: a deferred one that turns to writing fails at once when others write (faults.md, Traps).
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import peewee

from holdpoint.engine.errors import Invalid, StoreError

SCHEMA_VERSION = 1
APPLICATION_ID = 0x484F4C44
BUSY_SECONDS = 30.0
_ATTEMPTS = 4
_PREFIX = "sqlite:///"


class Database:
    """One SQLite database, used from any number of threads: a connection each, or one for all in memory."""

    def __init__(self, url: str) -> None:
        self.path, synchronous = parse_url(url)
        self._is_memory = self.path == ":memory:"
        self._local = threading.local()
        self._guard = threading.RLock()
        self._connections: list[sqlite3.Connection] = []
        self.peewee = _Connections(
            self.path,
            pragmas={"journal_mode": "wal", "synchronous": synchronous, "foreign_keys": 1},
            timeout=BUSY_SECONDS,
            thread_safe=not self._is_memory,
            check_same_thread=False,
        )
        self.peewee.opened = self._connections
        with self.errors():
            self._prepare()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what the driver raises into `StoreError`."""
        try:
            yield
        except (sqlite3.Error, peewee.DatabaseError, peewee.InterfaceError) as error:
            raise StoreError(
                f"database {self.path}: {error}", code=_code(error), details={"path": self.path}
            ) from error

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read from; one statement sees one moment."""
        if self._is_memory:
            with self._guard, self.errors():
                yield self.peewee.connection()
        else:
            with self.errors():
                yield self.peewee.connection()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes; inside another one, a savepoint that undoes itself alone."""
        with self._guard if self._is_memory else _NOBODY, self.errors():
            connection = self.peewee.connection()
            depth = getattr(self._local, "depth", 0)
            begin, commit, rollback = _SAVEPOINT if depth else _TRANSACTION
            self._begin(connection, begin)
            self._local.depth = depth + 1
            try:
                yield connection
                connection.execute(commit)
            except BaseException:
                # SQLite ends the transaction itself when the disk is full: then there is nothing to roll back.
                if connection.in_transaction:
                    for statement in rollback:
                        connection.execute(statement)
                raise
            finally:
                self._local.depth = depth

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            while self._connections:
                self._connections.pop().close()

    @staticmethod
    def _begin(connection: sqlite3.Connection, statement: str) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                connection.execute(statement)
            except sqlite3.OperationalError as error:
                # SQLite's queue of writers is not fair: after the busy timeout try again, at different moments.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(random.uniform(0.0, 0.05))
            else:
                return

    def _prepare(self) -> None:
        connection = self.peewee.connection()
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA_VERSION and self._application_id(connection) == APPLICATION_ID:
            return
        if self._application_id(connection) not in (0, APPLICATION_ID) or (
            version == 0 and self._is_foreign(connection)
        ):
            raise StoreError(f"database {self.path} belongs to another program; name another with --db", code="foreign")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"database {self.path} has schema {version}, and this program knows up to {SCHEMA_VERSION}; "
                "upgrade holdpoint",
                code="newer_schema",
            )
        self._upgrade(connection)

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        from playhouse.migrations import Runner  # heavy, and needed once in a database's life

        # The runner takes no lock of its own; whoever waits here finds the work done.
        with self.peewee.atomic("IMMEDIATE"):
            if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
                Runner(self.peewee, str(Path(__file__).parent / "migrations")).up()
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")

    @staticmethod
    def _application_id(connection: sqlite3.Connection) -> int:
        number: int = connection.execute("PRAGMA application_id").fetchone()[0]
        return number

    @staticmethod
    def _is_foreign(connection: sqlite3.Connection) -> bool:
        return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


class _Connections(peewee.SqliteDatabase):  # type: ignore[misc, unused-ignore]
    """Peewee's database, which remembers the connections of all threads so that they can be closed together."""

    opened: list[sqlite3.Connection]

    def _connect(self) -> Any:
        connection = super()._connect()
        self.opened.append(connection)
        return connection


def parse_url(url: str) -> tuple[str, str]:
    """The path (or `:memory:`) and the synchronous mode of a `sqlite:///…` URL. Raises `Invalid`, code `database`."""
    if not url.startswith(_PREFIX):
        kind = url.split(":", 1)[0]
        hint = "postgresql is not available in this version" if kind.startswith("postgres") else "write sqlite:///PATH"
        raise Invalid(f"database {url!r} is not one that can be opened; {hint}", code="database")
    path, _, query = url[len(_PREFIX) :].partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "full").lower()
    if not path or options or synchronous not in ("full", "normal"):
        raise Invalid(
            f"database {url!r} is not sqlite:///PATH or sqlite:///PATH?synchronous=normal or =full", code="database"
        )
    return path, synchronous


def _code(error: BaseException) -> str:
    cause = error if isinstance(error, sqlite3.Error) else error.__cause__ or error.__context__
    number = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    return _CODES.get(number, "store")


_CODES = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_CANTOPEN: "cannot_open",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
}
_TRANSACTION = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_SAVEPOINT = ("SAVEPOINT part", "RELEASE part", ("ROLLBACK TO part", "RELEASE part"))


class _Nobody:
    """A lock that need not be taken."""

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None: ...


_NOBODY = _Nobody()
