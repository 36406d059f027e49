"""The SQLite database itself: where it is, how it is opened, its transactions, its schema.

WAL, `synchronous=FULL` unless the URL says `?synchronous=normal`, foreign keys on, every writing transaction
BEGIN IMMEDIATE: a deferred one that turns to writing fails at once when others write (faults.md, Traps).
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import peewee

from holdpoint.engine.errors import Invalid, StoreError

SCHEMA_VERSION = 1
APPLICATION_ID = 0x484F4C44
BUSY_SECONDS = 30.0
_SET_SCHEMA_VERSION = f"PRAGMA user_version = {SCHEMA_VERSION:d}"
_SET_APPLICATION_ID = f"PRAGMA application_id = {APPLICATION_ID:d}"
_ATTEMPTS = 4
_PREFIX = "sqlite:///"


class Database:
    """One SQLite database, used from any number of threads: a connection each, or one for all in memory."""

    def __init__(self, url: str) -> None:
        self.path, synchronous = parse_url(url)
        self._is_memory = self.path == ":memory:"
        self.guard: AbstractContextManager[Any] = threading.RLock() if self._is_memory else nullcontext()
        self.local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self.peewee = _Connections(
            self.path,
            pragmas={"journal_mode": "wal", "synchronous": synchronous, "foreign_keys": 1},
            timeout=BUSY_SECONDS,
            thread_safe=not self._is_memory,
            check_same_thread=False,
        )
        self.peewee.opened = self._connections
        with self.reading() as connection:
            self._prepare(connection)

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection to read from; one statement sees one moment. Driver errors come out as `StoreError`."""
        return _Reading(self)

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction that writes; inside another one, a savepoint that undoes itself alone."""
        return _Writing(self)

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection = self.peewee.connection()  # type: ignore[no-untyped-call]
        return connection

    def refused(self, error: BaseException) -> StoreError:
        """What the driver raised, for people."""
        return StoreError(f"database {self.path}: {error}", code=_code(error), details={"path": self.path})

    def close(self) -> None:
        """Close the connections of all threads."""
        while self._connections:
            self._connections.pop().close()

    def _prepare(self, connection: sqlite3.Connection) -> None:
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
                runner: Any = Runner  # peewee's stubs leave it untyped
                runner(self.peewee, str(Path(__file__).parent / "migrations")).up()
                connection.execute(_SET_SCHEMA_VERSION)
                connection.execute(_SET_APPLICATION_ID)

    @staticmethod
    def _application_id(connection: sqlite3.Connection) -> int:
        number: int = connection.execute("PRAGMA application_id").fetchone()[0]
        return number

    @staticmethod
    def _is_foreign(connection: sqlite3.Connection) -> bool:
        return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


class _Reading:
    """One use of a connection. A class and not a generator: it stands on the hottest path."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        self._database.guard.__enter__()
        try:
            return self._database.connection()
        except _DRIVER_ERRORS as error:
            self._database.guard.__exit__(None, None, None)
            raise self._database.refused(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._database.guard.__exit__(None, None, None)
        if isinstance(error, _DRIVER_ERRORS):
            raise self._database.refused(error) from error


class _Writing(_Reading):
    """One transaction, or a savepoint in it."""

    __slots__ = ("_connection", "_depth")

    def __enter__(self) -> sqlite3.Connection:
        self._connection = super().__enter__()
        self._depth: int = getattr(self._database.local, "depth", 0)
        try:
            _begin(self._connection, "SAVEPOINT part" if self._depth else "BEGIN IMMEDIATE")
        except BaseException as error:
            super().__exit__(type(error), error, None)
            raise
        self._database.local.depth = self._depth + 1
        return self._connection

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._database.local.depth = self._depth
        try:
            if error is None:
                error = self._commit()
            else:
                self._roll_back()
        finally:
            super().__exit__(None, None, None)
        if isinstance(error, _DRIVER_ERRORS):
            raise self._database.refused(error) from error

    def _commit(self) -> BaseException | None:
        try:
            self._connection.execute("RELEASE part" if self._depth else "COMMIT")
        except _DRIVER_ERRORS as error:
            self._roll_back()
            return error
        return None

    def _roll_back(self) -> None:
        # SQLite ends the transaction itself when the disk is full: then there is nothing to roll back.
        if not self._connection.in_transaction:
            return
        if self._depth:
            self._connection.execute("ROLLBACK TO part")
            self._connection.execute("RELEASE part")
        else:
            self._connection.execute("ROLLBACK")


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


class _Connections(peewee.SqliteDatabase):  # type: ignore[misc, unused-ignore]
    """Peewee's database, which remembers the connections of all threads so that they can be closed together."""

    opened: list[sqlite3.Connection]

    def _connect(self) -> Any:
        connection = super()._connect()  # type: ignore[misc]
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
    if not path or path.endswith("/") or options or synchronous not in ("full", "normal"):
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
_DRIVER_ERRORS = (sqlite3.Error, peewee.DatabaseError, peewee.InterfaceError)
