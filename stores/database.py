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
        self.peewee = _Connections(
            self.path,
            pragmas={"synchronous": synchronous, "foreign_keys": 1},
            timeout=BUSY_SECONDS,
            thread_safe=not self._is_memory,
            check_same_thread=False,
        )
        try:
            self._refuse_emptied()
            with self.reading() as connection:
                self._prepare(connection)
        except BaseException:  # whatever stops it, nothing stays open that nobody can close
            self.close()
            raise

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection to read from; one statement sees one moment. Driver errors come out as `StoreError`."""
        return _Reading(self)

    def snapshot(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction that only reads: all its statements see one moment, and nobody waits for it."""
        return _Transaction(self, "BEGIN")

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """A transaction that writes; inside another one, a savepoint that undoes itself alone."""
        return _Transaction(self, "BEGIN IMMEDIATE")

    def connection(self) -> sqlite3.Connection:
        """This thread's connection."""
        connection: sqlite3.Connection | None = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.peewee.connection()  # type: ignore[no-untyped-call]
            if not self._is_memory:
                self.local.connection = connection
        return connection

    def refused(self, error: BaseException) -> StoreError:
        """What the driver raised, for people."""
        code = _code(error)
        hint = f"; {_HINTS[code]}" if code in _HINTS else ""
        return StoreError(f"database {self.path}: {error}{hint}", code=code, details={"path": self.path})

    def close(self) -> None:
        """Close the connections of all threads."""
        self.peewee.close_all()

    def _refuse_emptied(self) -> None:
        # SQLite takes an empty file for a new database, and deletes the log beside it with all that it holds.
        if not self._is_memory and _size(self.path) == 0 and _size(f"{self.path}-wal"):
            raise StoreError(
                f"database {self.path} is empty, and {self.path}-wal beside it is not; restore both from a backup",
                code="corrupt",
                details={"path": self.path},
            )

    def _prepare(self, connection: sqlite3.Connection) -> None:
        version, application = _mark(connection)
        if application != APPLICATION_ID and (application or version or _has_tables(connection)):
            raise StoreError(
                f"database {self.path} belongs to another program; name another with --db",
                code="foreign",
                details={"path": self.path},
            )
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"database {self.path} has schema {version}, and this program knows up to {SCHEMA_VERSION}; "
                "upgrade holdpoint",
                code="newer_schema",
                details={"path": self.path, "schema": version, "known": SCHEMA_VERSION},
            )
        _use_wal(connection)
        if version < SCHEMA_VERSION:
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


class _Transaction(_Reading):
    """One transaction, or a savepoint in it."""

    __slots__ = ("_begin", "_connection", "_depth")

    def __init__(self, database: Database, begin: str) -> None:
        super().__init__(database)
        self._begin = begin

    def __enter__(self) -> sqlite3.Connection:
        self._connection = super().__enter__()
        self._depth: int = getattr(self._database.local, "depth", 0)
        try:
            if not self._depth:
                _when_free(self._connection, self._begin)
            elif self._connection.in_transaction:
                self._connection.execute("SAVEPOINT part")
            else:  # a savepoint would begin a transaction of its own, and be kept though the whole is not
                raise StoreError(f"database {self._database.path}: the transaction was rolled back", code="undone")
        except BaseException as error:  # whatever stops it, the lock that was taken before is given back
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
        except _DRIVER_ERRORS as failure:
            error = failure
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


def _when_free(connection: sqlite3.Connection, statement: str) -> None:
    """Execute a statement that takes a lock."""
    for attempt in range(_ATTEMPTS):
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            # SQLite's queue of writers is not fair: after the busy timeout try again, at different moments. That is a
            # pause between processes and nothing of a run's time, so no clock of ours is asked.
            if _number(error) != sqlite3.SQLITE_BUSY or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.0, 0.05))
        else:
            return


def _use_wal(connection: sqlite3.Connection) -> None:
    """Have the file in WAL mode, which it keeps: new ones and some copies are not. A read-only one stays as it is."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] in ("wal", "memory"):
        return
    try:
        _when_free(connection, "PRAGMA journal_mode = wal")
    except sqlite3.OperationalError as error:
        if _number(error) != sqlite3.SQLITE_READONLY:
            raise


class _Connections(peewee.SqliteDatabase):  # type: ignore[misc, unused-ignore]
    """Peewee's database, which closes the connections of threads that have ended, and in the end all of them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._opened: list[tuple[threading.Thread, sqlite3.Connection]] = []
        self._opening = threading.Lock()
        self._is_over = False

    def close_all(self) -> None:
        """Close every connection, and open no more."""
        with self._opening:
            self._is_over = True
            while self._opened:
                self._opened.pop()[1].close()

    def _connect(self) -> Any:
        with self._opening:
            if self._is_over:
                raise sqlite3.ProgrammingError("the engine was closed")
            connection = self._open()
            for item in [item for item in self._opened if not item[0].is_alive()]:
                self._opened.remove(item)
                item[1].close()
            self._opened.append((threading.current_thread(), connection))
        return connection

    def _open(self) -> Any:
        try:
            return super()._connect()  # type: ignore[misc]
        except sqlite3.OperationalError as error:
            # Even to read, SQLite makes files beside the database. Where it cannot, nobody can who would write either.
            cannot = _number(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
            if not cannot or not _size(self.database) or _size(f"{self.database}-wal"):
                raise
            return self._open_sealed()

    def _open_sealed(self) -> Any:
        """A connection that believes that the file does not change."""
        uri = f"{Path(self.database).absolute().as_uri()}?mode=ro&immutable=1"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            self._add_conn_hooks(connection)  # type: ignore[attr-defined, unused-ignore]
        except BaseException:  # as above: nobody else has this connection yet
            connection.close()
            raise
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


def _mark(connection: sqlite3.Connection) -> tuple[int, int]:
    """The schema's version, and whose the file is, as its header says."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    return version, application


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _size(path: str) -> int | None:
    """A file's size; None where there is none."""
    try:
        return Path(path).stat().st_size if Path(path).is_file() else None
    except OSError:
        return None


def _number(error: BaseException | None) -> int:
    """SQLite's primary result code; 0 where the driver found the error itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _code(error: BaseException) -> str:
    cause = error if isinstance(error, sqlite3.Error) else error.__cause__ or error.__context__ or error
    number = _number(cause)
    if isinstance(cause, UnicodeDecodeError | sqlite3.OperationalError) and number in (0, sqlite3.SQLITE_ERROR):
        return "corrupt"  # a text that is none, a table that is gone: every statement of ours is right
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
_HINTS = {
    "busy": "another program holds it: try again",
    "full": "make room and try again: nothing was changed",
    "read_only": "it can be read, not changed",
    "corrupt": "restore it from a backup; flow db check says more",
    "cannot_open": "see that it exists, and that the folder may be written",
}
# In a damaged file even the text of an error may be none.
_DRIVER_ERRORS = (sqlite3.Error, peewee.DatabaseError, peewee.InterfaceError, UnicodeDecodeError)
