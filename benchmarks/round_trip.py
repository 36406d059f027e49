"""Measures a round trip through the API on SQLite beside its floor: the same statements through the raw `sqlite3`.

A round trip is a start, an agent, a request, a decision, an agent and an end: four commits (design, Cost). First the
engine makes all trips once on a database whose connection writes down every statement with its parameters. Then the
engine's trips on a second database and the recorded ones on a third alternate, one by one, so that noise hits both.
The third was made by the same migration and is given the same statements in the same order, reads and commits included:
it ends with the same rows and bytes.
"""

from __future__ import annotations

import argparse
import gc
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from unittest.mock import patch

from holdpoint.api import Engine
from holdpoint.engine.definition import Definition

WORKFLOW = """
workflow: round-trip
input:
  type: object
  required: [topic]
  properties:
    topic: {type: string}
states:
  draft:
    type: agent
    python: agents:draft
    with: {topic: "{{ input.topic }}"}
    artifact: report
    next: review
  review:
    type: approval
    show: [report]
    message: "Publish what was written about {{ input.topic }}?"
    on: {approve: publish, reject: refused}
    timeout: 2d
    default: reject
  publish:
    type: agent
    python: agents:publish
    with: {report: "{{ artifacts.report }}"}
    next: published
  published: {type: end, output: {address: "{{ publish.address }}"}}
  refused: {type: end, outcome: failure}
"""
TARGETS = {"full": 0.5, "normal": 0.25}
"""At least this part of our time is the floor's, by synchronous mode."""
MAX_BYTES = 4096
COMMITS = 4
WARM_UP = 20
_PRAGMAS = ("journal_mode", "synchronous", "foreign_keys", "page_size", "cache_size", "wal_autocheckpoint")

Statement = tuple[bool, str, Any]
"""Whether it is an `executemany`, the SQL, the parameters."""


class Recorder(sqlite3.Connection):
    """A connection that writes down what it is asked to execute."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.statements: list[Statement] = []

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute and note a statement."""
        self.statements.append((False, sql, parameters))
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        """Execute and note a statement with the parameters of many rows."""
        self.statements.append((True, sql, list(parameters)))
        return super().executemany(sql, self.statements[-1][2])

    def taken(self) -> list[Statement]:
        """What was noted since the last time."""
        taken, self.statements = self.statements, []
        return taken


def main() -> int:
    """Measure at both synchronous modes, print the report, and return the exit status."""
    options = _options()
    reports = {}
    for mode in TARGETS:
        with tempfile.TemporaryDirectory(prefix="holdpoint-trip-", dir=options.folder) as folder:
            reports[mode] = measure(Path(folder), mode, options.trips)
    missed = list(misses(reports))
    report = {"trips": options.trips, "sqlite": sqlite3.sqlite_version, "modes": reports, "missed": missed}
    print(json.dumps(report, indent=1) if options.json else _readable(report))
    return 1 if missed and options.check else 0


def measure(folder: Path, mode: str, trips: int) -> dict[str, Any]:
    """Alternate *trips* round trips of ours and of the floor, and compare their times and their databases."""
    files = {name: folder / f"{name}.db" for name in ("recorded", "ours", "floor", "empty")}
    pragmas, recorded = record(_url(files["recorded"], mode), WARM_UP + trips)
    Engine(_url(files["floor"], mode)).close()
    Engine(_url(files["empty"], mode)).close()
    connection = _raw(files["floor"], mode)
    if _pragmas(connection) != pragmas:
        raise AssertionError(f"the floor has the pragmas {_pragmas(connection)}, ours has {pragmas}")
    ours, floor = Stopwatch(), Stopwatch()
    gc.collect()
    gc.freeze()  # what was recorded is no garbage, and looking through it again and again would slow both down
    with _engine(_url(files["ours"], mode)) as engine:
        definition = engine.loads(WORKFLOW)
        for number, statements in enumerate(recorded):
            pair = [
                partial(ours.time, partial(trip, engine, definition, number)),
                partial(floor.time, partial(replay, connection, statements)),
            ]
            for timed in pair if number % 2 else reversed(pair):
                timed()
            if number + 1 == WARM_UP:
                ours.clear()
                floor.clear()
    connection.close()
    gc.unfreeze()
    sizes = {name: _size_at_rest(path) for name, path in files.items()}
    if _rows(files["floor"]) != _rows(files["recorded"]) or _rows(files["ours"]) != _rows(files["floor"]):
        raise AssertionError("the floor has not written the rows that the engine writes")
    last = recorded[-1]
    return {
        "ours": ours.report(),
        "floor": floor.report(),
        "ratio": round(median(floor.seconds) / median(ours.seconds), 3),
        "p10_ratio": round(quantiles(floor.seconds, n=10)[0] / quantiles(ours.seconds, n=10)[0], 3),
        "cpu_ratio": round(floor.cpu / ours.cpu, 3),
        "commits": sorted({sum(sql == "COMMIT" for _, sql, _ in statements) for statements in recorded}),
        "statements": len(last),
        "rows": sum(len(parameters) if is_many else 1 for is_many, sql, parameters in last if "INSERT" in sql),
        "bytes_per_run": round((sizes["ours"] - sizes["empty"]) / len(recorded)),
        "floor_bytes_per_run": round((sizes["floor"] - sizes["empty"]) / len(recorded)),
    }


def trip(engine: Engine, definition: Definition, number: int) -> None:
    """One round trip through the public API."""
    run = engine.start(definition, {"topic": f"subject {number}"}, initiator="bob")
    run = engine.decide(run.requests[0].id, "approve", by="dora")
    if run.status != "done":
        raise AssertionError(f"a trip ended {run.status}: {run.error}")


def replay(connection: sqlite3.Connection, statements: list[Statement]) -> None:
    """One recorded trip through the raw driver; every row that is found is fetched."""
    for is_many, sql, parameters in statements:
        if is_many:
            connection.executemany(sql, parameters)
        else:
            connection.execute(sql, parameters).fetchall()


def record(url: str, trips: int) -> tuple[dict[str, Any], list[list[Statement]]]:
    """The pragmas of the engine's connection, and the statements of each of its trips on a fresh database."""
    opened: list[Recorder] = []

    def connect(*args: Any, **options: Any) -> Recorder:
        opened.append(_connect(*args, **options, factory=Recorder))
        return opened[-1]

    with patch("sqlite3.connect", connect), _engine(url) as engine:
        definition = engine.loads(WORKFLOW)
        (connection,) = opened
        pragmas = _pragmas(connection)
        connection.taken()
        recorded = []
        for number in range(trips):
            trip(engine, definition, number)
            recorded.append(connection.taken())
    return pragmas, recorded


class Stopwatch:
    """The times of many calls."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.cpu = 0.0

    def time(self, call: Callable[[], None]) -> None:
        """Call, and keep how long it took."""
        cpu, start = time.process_time(), time.perf_counter()
        call()
        self.seconds.append(time.perf_counter() - start)
        self.cpu += time.process_time() - cpu

    def clear(self) -> None:
        """Forget what was timed."""
        self.seconds, self.cpu = [], 0.0

    def report(self) -> dict[str, float]:
        """The figures, in microseconds a call."""
        return {
            "p10_us": round(quantiles(self.seconds, n=10)[0] * 1e6, 1),
            "median_us": round(median(self.seconds) * 1e6, 1),
            "p95_us": round(quantiles(self.seconds, n=20)[-1] * 1e6, 1),
            "cpu_us": round(self.cpu / len(self.seconds) * 1e6, 1),
        }


def misses(reports: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Each target that was missed, and by how much."""
    for mode, report in reports.items():
        if report["ratio"] < TARGETS[mode]:
            yield f"{mode}: the ratio is {report['ratio']}, and should be at least {TARGETS[mode]}"
        if report["bytes_per_run"] > MAX_BYTES:
            yield f"{mode}: a run takes {report['bytes_per_run']} bytes, and should take at most {MAX_BYTES}"
        if report["commits"] != [COMMITS]:
            yield f"{mode}: trips make {report['commits']} commits, and should make {COMMITS}"


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    agents: dict[str, Callable[..., Any]] = {"agents:draft": _draft, "agents:publish": _publish}
    with Engine(url, agents=agents) as engine:
        yield engine


def _draft(topic: str) -> dict[str, str]:
    return {"text": f"All there is to say about {topic}."}


def _publish(report: dict[str, str]) -> dict[str, str]:
    return {"address": f"https://example.org/{len(report['text'])}"}


def _url(path: Path, mode: str) -> str:
    return f"sqlite:///{path}?synchronous={mode}"


def _raw(path: Path, mode: str) -> sqlite3.Connection:
    connection = _connect(path, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = wal").fetchall()
    connection.execute("PRAGMA synchronous = full" if mode == "full" else "PRAGMA synchronous = normal")
    connection.execute("PRAGMA foreign_keys = 1")
    return connection


def _pragmas(connection: sqlite3.Connection) -> dict[str, Any]:
    return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _PRAGMAS}


def _size_at_rest(path: Path) -> int:
    """The file's bytes with all of its log written back."""
    connection = _connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    return path.stat().st_size


def _rows(path: Path) -> dict[str, int]:
    """The number of rows of each table."""
    connection = _connect(path)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {name: connection.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] for name in tables}  # noqa: S608
    connection.close()
    return found


def _readable(report: dict[str, Any]) -> str:
    lines = [f"{report['trips']} trips, alternating; SQLite {report['sqlite']}; microseconds a trip"]
    lines.append(f"{'':8}{'':8}{'p10':>9}{'median':>9}{'p95':>9}{'CPU':>9}")
    for mode, found in report["modes"].items():
        for who in ("ours", "floor"):
            figures = found[who]
            lines.append(
                f"{mode:8}{who:8}{figures['p10_us']:9.0f}{figures['median_us']:9.0f}"
                f"{figures['p95_us']:9.0f}{figures['cpu_us']:9.0f}"
            )
        lines.append(
            f"{mode:8}floor/ours {found['ratio']} by median time (target {TARGETS[mode]}), "
            f"{found['p10_ratio']} by p10, {found['cpu_ratio']} by CPU; "
            f"{found['commits']} commits, {found['statements']} statements, {found['rows']} rows written; "
            f"{found['bytes_per_run']} bytes a run (the floor's {found['floor_bytes_per_run']}, target {MAX_BYTES})"
        )
    lines += [f"missed: {line}" for line in report["missed"]] or ["all targets met"]
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trips", type=int, default=1_000, metavar="N", help="how many are timed (default 1000)")
    parser.add_argument(
        "--folder", type=Path, help="where the databases are made; default: the system's for such files"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    options = parser.parse_args()
    if options.trips < 2:
        parser.error(f"--trips is at least 2, not {options.trips}")
    return options


_connect = sqlite3.connect


if __name__ == "__main__":
    sys.exit(main())
