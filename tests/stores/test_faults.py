"""What breaks a database: a clear error, the documented status, nothing half-written, and on again afterwards."""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from holdpoint import Engine, HoldpointError, Run, StoreError, cli
from holdpoint.stores import database
from holdpoint.stores.sqlite import SqliteStore
from holdpoint.testing import Clock
from tests.building import drafted, gate, review, worker, workflow

INTERNAL = 70
_Found = TypeVar("_Found")
ASK = workflow({**drafted("text " * 40), "review": review(timeout="2d", default="accept")})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is, or will be."""
    return tmp_path / "flow.db"


def _engine(file: Path, **terms: Any) -> Engine:
    return Engine(f"sqlite:///{file}?synchronous=normal", project=file.parent, **terms)


def _filled(file: Path, runs: int = 3) -> list[str]:
    """Make a database with a few runs: one is done, the others wait. Their ids."""
    with _engine(file) as engine:
        definition = engine.loads(ASK)
        ids = [engine.start(definition, {"n": number}).id for number in range(runs)]
        engine.decide(ids[0], "revise", by="ann", comment="more")
        engine.decide(ids[0], "accept", by="ann", key="k")
    return ids


def _is_whole(file: Path) -> bool:
    with _engine(file) as engine:
        return engine.verify() == ()


class Flow:
    """The command line on one database."""

    def __init__(self, file: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self._file, self._capfd = file, capfd

    def __call__(self, *words: str) -> tuple[int, Any]:
        """The status, and what was printed as JSON."""
        self._capfd.readouterr()
        status = cli.run([*words, "--json", "--db", f"sqlite:///{self._file}", "--as", "ann"])
        return status, json.loads(self._capfd.readouterr().out)

    def refused(self, *words: str) -> str:
        """The code of the error, said as documented."""
        status, said = self(*words)
        assert status == INTERNAL
        assert said["error"]["message"].startswith(f"database {self._file}")
        return str(said["error"]["code"])


@pytest.fixture
def flow(file: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Flow:
    monkeypatch.chdir(file.parent)
    return Flow(file, capfd)


# --- every statement fails once ---------------------------------------------------------------------------------------


class Trouble:
    """Lets the n-th statement that writes fail, before it is done."""

    def __init__(self) -> None:
        self.count = 0
        self.at: int | None = None

    def meet(self, sql: str) -> None:
        if sql.split(None, 1)[0].upper() in ("SELECT", "PRAGMA", "ROLLBACK"):
            return
        self.count += 1
        if self.count == self.at:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> Trouble:
    trouble = Trouble()

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *parameters: Any) -> Any:
            trouble.meet(sql)
            return super().execute(sql, *parameters)

        def executemany(self, sql: str, *parameters: Any) -> Any:
            trouble.meet(sql)
            return super().executemany(sql, *parameters)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def execute(self, *given: Any) -> Any:
            return self.cursor().execute(*given)

        def executemany(self, *given: Any) -> Any:
            return self.cursor().executemany(*given)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **options: connect(*args, factory=Connection, **options))
    return trouble


SCENARIO = workflow(
    {
        "draft": {**drafted()["draft"]},
        "review": {**review(timeout="2d", default="accept"), "on": {"accept": "work", "revise": "draft"}},
        "work": worker("nap", retry={"attempts": 2, "delay": "1m"}),
        "nap": {"type": "wait", "signal": "up", "timeout": "1h", "on": {"received": "ask", "timeout": "ask"}},
        "ask": gate(timeout="1h", default="reject"),
    }
)


class Play:
    """A scenario with every kind of write, each call made again where it was refused."""

    def __init__(self, url: str, folder: Path) -> None:
        self.clock = Clock()
        self.errors: list[StoreError] = []
        self.calls = 0
        self.url = url
        agents = {"agents:work": self._work}
        self.engine = self._insist(lambda: Engine(url, clock=self.clock, project=folder, agents=agents))

    def play(self) -> Run:
        engine, definition = self.engine, self.engine.loads(SCENARIO)
        run = self._insist(lambda: engine.start(definition, {"n": 1}, key="start"))
        other = self._insist(lambda: engine.start(definition, {"n": 2}, key="other"))
        self._insist(lambda: engine.decide(run.id, "revise", by="ann", comment="c", artifact="edit", key="1"))
        self._insist(lambda: engine.claim(engine.get_run(run.id).requests[0].id, by="ann"))
        self._insist(lambda: engine.signal(run.id, "up", {"early": True}, key="2"))
        (request,) = engine.get_run(run.id).requests
        self._insist(lambda: engine.decide(request.id, "accept", by="ann", key="3"))
        for _ in range(4):  # the retry, the end of a lease that could not be given back, the approval's default
            self.clock.set(self.clock() + timedelta(hours=1))
            self._insist(engine.tick)
        self._insist(lambda: engine.cancel(other.id, reason="no longer needed"))
        return engine.get_run(run.id)

    def _work(self) -> int:
        self.calls += 1
        if self.calls == 1:
            raise ValueError("the first time it fails")
        return self.calls

    def _insist(self, call: Callable[[], _Found]) -> _Found:
        try:
            return call()
        except StoreError as error:
            self.errors.append(error)
            if hasattr(self, "engine"):
                assert self.engine.verify() == ()
            return call()


def test_whichever_statement_fails_nothing_is_half_written(
    trouble: Trouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A command that the database refuses raises; what was committed before stands, and the log tells what did not."""
    with (play := Play("sqlite:///:memory:", tmp_path)).engine:
        assert (play.play().status, play.errors) == ("done", [])
    total, wrong = trouble.count, []
    assert total > 100

    for at in range(1, total + 1):
        trouble.count, trouble.at = 0, at
        caplog.clear()
        with (play := Play("sqlite:///:memory:", tmp_path)).engine as engine:
            run = play.play()
            is_told = [error.code for error in play.errors] == ["store"] or bool(caplog.records)
            if run.status != "done" or engine.verify() or not (is_told or trouble.count < at):
                wrong.append((at, run.status, play.errors))

    assert wrong == []


def test_making_a_database_can_fail_at_any_statement_and_be_done_again(trouble: Trouble, file: Path) -> None:
    _engine(file).close()
    total = trouble.count
    assert total > 15

    for at in range(1, total + 1):
        for name in file.parent.glob("flow.db*"):
            name.unlink()
        trouble.count, trouble.at = 0, at
        with pytest.raises(StoreError):
            _engine(file)

        assert _is_whole(file)


def test_a_part_that_loses_the_whole_transaction_does_not_go_on_alone(file: Path) -> None:
    """SQLite ends a transaction itself when the disk is full: what follows must not be kept as if it were the whole."""
    _filled(file)
    store = SqliteStore(f"sqlite:///{file}")
    connection = store._database.connection()

    found: list[StoreError] = []
    try:
        with store.batch():
            connection.execute("ROLLBACK")
            with suppress(StoreError), store.batch():
                pytest.fail("it must not begin")
    except StoreError as error:
        found.append(error)

    assert len(found) == 1
    assert not connection.in_transaction
    store.close()


# --- full -------------------------------------------------------------------------------------------------------------


@contextmanager
def _at_most(pages: int) -> Iterator[None]:
    """While this lasts, no database grows beyond so many pages."""
    connect = sqlite3.connect

    def limited(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", limited)
        yield


def _fill_up(engine: Engine) -> StoreError:
    """Start runs until one is refused."""
    definition = engine.loads(ASK)
    for number in range(500):
        try:
            engine.start(definition, {"n": number, "more": "x" * 500})
        except StoreError as error:
            return error
    raise AssertionError("the database never was full")


def test_a_full_database_refuses_and_goes_on_when_there_is_room(file: Path, flow: Flow) -> None:
    ids = _filled(file)

    with _at_most(40):
        with _engine(file) as engine:
            error = _fill_up(engine)
            assert (error.code, error.details) == ("full", {"path": str(file)})
            assert "make room" in error.message
            count = len(engine.runs(limit=1000).items)
            assert engine.verify() == ()
        Path("ask.yaml").write_text(ASK)
        statuses = [flow("start", "ask.yaml", "-i", f"more={'y' * 900}") for _ in range(8)]
        assert statuses[-1][0] == INTERNAL
        assert statuses[-1][1]["error"]["code"] == "full"
        assert flow("inbox")[0] == 0

    assert _is_whole(file)
    with _engine(file) as engine:
        assert len(engine.runs(limit=1000).items) == count + sum(status == 0 for status, _ in statuses)
        assert engine.decide(ids[1], "accept", by="ann").status == "done"


def test_a_pass_on_a_full_database_applies_all_or_nothing_of_a_batch(file: Path) -> None:
    clock = Clock()
    definition = workflow({"ask": gate(timeout="1h", default="reject", message="m" * 300)})
    with _engine(file, clock=clock) as engine:
        runs = [engine.start(engine.loads(definition)) for _ in range(60)]
    clock.set(clock() + timedelta(hours=1))
    with closing(sqlite3.connect(file)) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]

    with _at_most(pages + 3), _engine(file, clock=clock) as engine:
        with pytest.raises(StoreError) as caught:
            engine.tick()
        assert caught.value.code == "full"
        assert engine.verify() == ()
        assert {len(engine.history(run.id)) for run in runs} == {len(engine.history(runs[0].id))}

    with _engine(file, clock=clock) as engine:
        assert engine.tick()["defaults"] == 60
        assert engine.verify() == ()


def test_a_full_database_cannot_be_made(file: Path) -> None:
    with _at_most(3), pytest.raises(StoreError) as caught:
        _engine(file)

    assert caught.value.code == "full"
    assert _is_whole(file)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 700 kB. Skips where none can be made."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no mount: {error}")
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(
    small_disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, ballast = small_disk / "flow.db", small_disk / "ballast"
    ids = _filled(file)
    ballast.write_bytes(b"x" * 300_000)

    with _engine(file) as engine:
        assert _fill_up(engine).code == "full"
        assert engine.verify() == ()
        count = len(engine.runs(limit=1000).items)
    assert Flow(file, capfd).refused("decide", ids[1], "accept", "--comment", "c" * 60_000) == "full"
    assert _is_whole(file)

    ballast.unlink()
    with _engine(file) as engine:
        assert len(engine.runs(limit=1000).items) == count
        assert engine.decide(ids[1], "accept", by="ann").status == "done"
    assert _is_whole(file)


# --- locked -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "can_read"),
    [
        pytest.param(["BEGIN IMMEDIATE"], True, id="by-a-writer"),
        pytest.param(["PRAGMA locking_mode = exclusive", "BEGIN IMMEDIATE"], False, id="for-all"),
    ],
)
def test_a_locked_database_refuses_and_goes_on_when_it_is_free(
    file: Path, flow: Flow, monkeypatch: pytest.MonkeyPatch, how: list[str], can_read: bool
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    ids = _filled(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        for statement in how:
            other.execute(statement)

        assert flow.refused("decide", ids[1], "accept") == "busy"
        if can_read:
            assert [request["run"] for request in flow("inbox")[1]["requests"]] == ids[1:]
            assert flow("verify")[0] == 0
        else:
            assert flow.refused("inbox") == "busy"

    assert flow("decide", ids[1], "accept")[0] == 0
    assert _is_whole(file)


# --- read-only --------------------------------------------------------------------------------------------------------

_MAY_OVERRIDE = 0b1110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
_CAPABILITY_VERSION = 0x20080522


@contextmanager
def _bound_by_modes() -> Iterator[None]:
    """While this lasts, the modes of files bind root too, in this thread."""
    if os.geteuid() != 0:
        yield
        return
    libc, header, held = ctypes.CDLL(None), (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if not hasattr(libc, "capget") or libc.capget(header, held):
        pytest.skip("root cannot be bound by the modes of files here")
    less = (ctypes.c_uint32 * 6)(held[0] & ~_MAY_OVERRIDE, *held[1:])
    assert libc.capset(header, less) == 0
    try:
        yield
    finally:
        libc.capset(header, held)


READING = [
    ("runs",), ("inbox",), ("show", "{done}"), ("show", "{open}"), ("why", "{open}"), ("history", "{done}"),
    ("artifact", "{done}", "report"), ("diff", "{done}", "report"), ("graph", "{open}"), ("verify",), ("db", "check"),
    ("tick",),
]  # fmt: skip


@pytest.mark.parametrize("with_log", [False, True], ids=["closed", "in-use"])
@pytest.mark.parametrize(
    ("file_mode", "folder_mode"),
    [
        pytest.param(0o444, 0o755, id="file"),
        pytest.param(0o644, 0o555, id="folder"),
        pytest.param(0o444, 0o555, id="both"),
    ],
)
def test_a_read_only_database_is_read_and_not_written(
    file: Path, flow: Flow, file_mode: int, folder_mode: int, with_log: bool
) -> None:
    ids = _filled(file)
    with ExitStack() as stack:
        if with_log:
            stack.enter_context(_engine(file)).inbox()
        stack.enter_context(_bound_by_modes())
        modes = {path: path.stat().st_mode for path in (file, *file.parent.glob("flow.db-*"), file.parent)}
        for path in modes:
            path.chmod(folder_mode if path == file.parent else file_mode)
        try:
            for words in READING:
                said = flow(*(word.format(done=ids[0], open=ids[1]) for word in words))
                assert (words, said[0]) == (words, 0)
            if file_mode == 0o444 or not with_log:
                assert flow.refused("decide", ids[1], "accept") == "read_only"
                assert flow("show", ids[1])[1]["status"] == "waiting"
        finally:
            for path, mode in modes.items():
                path.chmod(mode)

    if file_mode == 0o444 or not with_log:
        assert flow("decide", ids[1], "accept")[0] == 0
    assert _is_whole(file)


def test_a_read_only_disk_is_read(small_disk: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ids = _filled(small_disk / "flow.db")
    flow = Flow(small_disk / "flow.db", capfd)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    for words in READING:
        assert flow(*(word.format(done=ids[0], open=ids[1]) for word in words))[0] == 0
    assert flow.refused("decide", ids[1], "accept") == "read_only"

    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert flow("decide", ids[1], "accept")[0] == 0


def test_a_folder_that_cannot_be_written_gets_no_database(file: Path) -> None:
    with _bound_by_modes():
        file.parent.chmod(0o555)
        try:
            with pytest.raises(StoreError) as caught:
                _engine(file)
        finally:
            file.parent.chmod(0o755)

    assert caught.value.code == "cannot_open"
    assert _is_whole(file)


@pytest.mark.parametrize("path", ["absent/flow.db", "."])
def test_a_path_where_no_database_can_be_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(StoreError) as caught:
        _engine(tmp_path / path)

    assert caught.value.code == "cannot_open"


# --- what is not ours, or not whole -----------------------------------------------------------------------------------


def _another_programs(file: Path, version: int, application: int) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE runs (id)")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute(f"PRAGMA application_id = {application}")


def _newer(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {database.SCHEMA_VERSION + 1}")


def _overwrite(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as stream:
        stream.seek(at)
        stream.write(data)


def _emptied(file: Path) -> None:
    with _engine(file) as engine:
        engine.start(engine.loads(ASK))
        log = file.with_name("flow.db-wal").read_bytes()
    file.write_bytes(b"")
    file.with_name("flow.db-wal").write_bytes(log)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(lambda file: _another_programs(file, 0, 0), "foreign", id="anothers"),
        pytest.param(lambda file: _another_programs(file, 1, 0), "foreign", id="anothers-of-our-version"),
        pytest.param(lambda file: _another_programs(file, 9, 0), "foreign", id="anothers-of-a-newer-version"),
        pytest.param(lambda file: _another_programs(file, 1, 77), "foreign", id="anothers-with-a-mark"),
        pytest.param(_newer, "newer_schema", id="newer"),
        pytest.param(lambda file: file.write_text("workflow: w\n" * 999), "corrupt", id="a-text"),
        pytest.param(lambda file: file.write_text("x\n"), "corrupt", id="two-bytes"),
        pytest.param(lambda file: file.write_bytes(bytes(8192)), "corrupt", id="zeros"),
        pytest.param(lambda file: _overwrite(file, 0, bytes(4096)), "corrupt", id="page-1-zeroed"),
        pytest.param(lambda file: _overwrite(file, 0, b"x"), "corrupt", id="first-byte"),
        pytest.param(lambda file: os.truncate(file, 4095), "corrupt", id="cut-in-page-1"),
        pytest.param(lambda file: os.truncate(file, 8192), "corrupt", id="cut-behind-page-2"),
        pytest.param(_emptied, "corrupt", id="emptied-beside-its-log"),
    ],
)
def test_what_is_no_database_of_ours_is_refused_and_left_as_it_is(
    file: Path, flow: Flow, spoil: Callable[[Path], object], code: str
) -> None:
    _filled(file)
    whole = file.read_bytes()
    spoil(file)
    spoilt = {path: path.read_bytes() for path in file.parent.glob("flow.db*")}

    for words in (("runs",), ("inbox",), ("tick",), ("db", "upgrade")):
        assert flow.refused(*words) == code

    assert {path: path.read_bytes() for path in spoilt} == spoilt
    file.with_name("flow.db-wal").unlink(missing_ok=True)
    file.write_bytes(whole)
    assert _is_whole(file)


def test_an_empty_file_becomes_a_database(file: Path) -> None:
    file.touch()

    assert len(_filled(file)) == 3
    assert _is_whole(file)


def _told(file: Path, ids: list[str]) -> str:
    """All that the engine says of these runs."""
    with _engine(file) as engine:
        runs = [(engine.get_run(run_id).to_dict(), engine.history(run_id)) for run_id in ids]
        return repr((runs, [request.id for request in engine.inbox().items], len(engine.runs().items)))


def _flaws(file: Path) -> bool:
    with _engine(file) as engine:
        return engine.verify() != ()


def _spoilt(whole: bytes, seed: int) -> bytes:
    """Bits of one page flipped, few or many; a page zeroed; or the file cut."""
    choice, data = random.Random(seed), bytearray(whole)
    start = seed % (len(whole) // 4096) * 4096
    match choice.choice(("bit", "bits", "zero", "cut")):
        case "bit":
            data[start + choice.randrange(4096)] ^= 1 << choice.randrange(8)
        case "bits":
            for _ in range(20):
                data[start + choice.randrange(4096)] ^= 1 << choice.randrange(8)
        case "zero":
            data[start : start + 4096] = bytes(4096)
        case "cut":
            del data[start + choice.randrange(1, 4096) :]
    return bytes(data)


def test_damage_is_found_or_does_no_harm(file: Path) -> None:
    ids = _filled(file)
    whole, said = file.read_bytes(), _told(file, ids)
    unnoticed, found = [], 0

    for seed in range(200):
        for path in file.parent.glob("flow.db-*"):
            path.unlink()
        file.write_bytes(_spoilt(whole, seed))
        try:
            is_same = _told(file, ids) == said
            is_found = _flaws(file)
        except HoldpointError as error:
            is_same, is_found = False, error.code in ("corrupt", "foreign", "newer_schema", "not_found")
        found += is_found
        if not (is_same or is_found):
            unnoticed.append(seed)

    assert unnoticed == []
    assert found > 50


def _spoil_run(file: Path, run_id: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE runs SET record = 'no JSON' WHERE run_id = ?", (run_id,))


def test_a_damaged_run_is_told_as_such(file: Path, flow: Flow) -> None:
    ids = _filled(file)
    _spoil_run(file, ids[1])

    status, said = flow("show", ids[1])

    assert (status, said["error"]["code"]) == (INTERNAL, "corrupt")
    assert flow("show", ids[2])[0] == 0
    status, said = flow("verify")
    assert (status, {finding["run"] for finding in said["findings"]}) == (1, {ids[1]})


def test_a_damaged_run_does_not_keep_the_pass_from_the_others(file: Path) -> None:
    ids = _filled(file)
    _spoil_run(file, ids[1])

    with _engine(file, clock=lambda: Clock()() + timedelta(days=9_000)) as engine:
        counts = engine.tick()

        assert (counts["defaults"], counts["errors"]) == (1, 1)
        assert engine.get_run(ids[2]).status == "done"


# --- copies -----------------------------------------------------------------------------------------------------------


def test_a_backup_while_others_write_is_whole(file: Path, tmp_path: Path) -> None:
    """What `sqlite3 flow.db ".backup 'backup.db'"` does, in small bites so that writers come between them."""
    ids = _filled(file)
    is_over, written = threading.Event(), threading.Event()
    failed: list[Exception] = []

    def write() -> None:
        try:
            with _engine(file) as engine:
                definition = engine.loads(ASK)
                while not is_over.is_set():
                    run = engine.start(definition)
                    engine.decide(run.id, "revise", by="ann", comment="more")
                    engine.decide(run.id, "accept", by="ann")
                    written.set()
        except Exception as error:
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    counts = []
    for number in range(5):
        copy = tmp_path / f"copy{number}.db"
        assert written.wait(30)
        written.clear()
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            # The last bite takes the rest: small ones would begin anew with every commit.
            bites = iter([3, 3, 3])
            with suppress(StopIteration):
                source.backup(target, pages=3, progress=lambda *_, bites=bites: next(bites), sleep=0.001)
            source.backup(target)
        assert _is_whole(copy)
        with _engine(copy) as engine:
            assert {run.id for run in engine.runs(limit=1000).items} >= set(ids)
            counts.append(len(engine.runs(limit=1000).items))
            engine.decide(ids[1], "accept", by="ann")
    is_over.set()
    writer.join()

    assert failed == []
    assert counts == sorted(counts)
    assert _is_whole(file)


def test_a_copy_without_its_log_may_lack_the_newest_but_is_whole(file: Path, tmp_path: Path) -> None:
    ids, copy = _filled(file), tmp_path / "copy.db"
    with _engine(file) as engine:
        engine.decide(ids[1], "accept", by="ann")
        shutil.copy(file, copy)
        assert engine.get_run(ids[1]).status == "done"

    assert _is_whole(copy)
    with _engine(copy) as engine:
        assert engine.get_run(ids[1]).status == "waiting"
        assert engine.decide(ids[1], "accept", by="ann").status == "done"


def test_a_copy_in_another_journal_mode_is_used_in_wal_mode(file: Path, tmp_path: Path) -> None:
    ids, copy = _filled(file), tmp_path / "copy.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))

    with _engine(copy) as engine:
        engine.decide(ids[1], "accept", by="ann")

    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert _is_whole(copy)


# --- connections ------------------------------------------------------------------------------------------------------


def test_threads_that_have_ended_leave_no_connection_open(file: Path) -> None:
    ids = _filled(file)
    with _engine(file) as engine:
        before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
        for _ in range(30):
            thread = threading.Thread(target=engine.get_run, args=(ids[0],))
            thread.start()
            thread.join()

        if sys.platform == "linux":
            assert len(os.listdir("/proc/self/fd")) <= before + 6


def test_a_new_database_can_be_opened_by_many_at_once(file: Path) -> None:
    gate_, failed = threading.Barrier(8), []

    def begin() -> None:
        gate_.wait()
        try:
            _engine(file).close()
        except HoldpointError as error:
            failed.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert _is_whole(file)
