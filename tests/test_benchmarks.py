"""The benchmarks run and say what is true; how fast anything is, no test asks."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PREFIX = 740  # cases; the first of the log's three refused events is in the 735th


def _run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, BENCHMARKS / f"{name}.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _report(name: str, *arguments: str | Path) -> Any:
    done = _run(name, *arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def declarations(shared_data: Path) -> Path:
    """The folder of the log."""
    return shared_data / "declarations"


def _walk(folder: Path, cases: int) -> dict[str, Any]:
    """What the first cases of the log come to when they walk through its machine, without any of our code."""
    with gzip.open(folder / "events.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    machine = {(state, activity): to for state, activity, to in json.loads((folder / "machine.json").read_text())}
    log: dict[str, list[str]] = {}
    for row in rows:
        log.setdefault(row["case"], []).append(row["activity"])
    final, resubmissions, edges = Counter[str](), Counter[str](), Counter[str]()
    refused = []
    for case in list(log)[:cases]:
        path = ["draft"]
        for activity in log[case]:
            to = machine.get((path[-1], activity))
            if to is None:
                refused.append({"case": case, "event": len(path) - 1, "state": path[-1], "activity": activity})
                break
            edges[f"{path[-1]}->{to}"] += 1
            path.append(to)
        else:
            final[path[-1]] += 1
            resubmissions[str(max(0, path.count("submitted") - 1))] += 1
    return {"nonconforming": refused, "final": final, "resubmissions": resubmissions, "edges": edges}


def test_the_first_cases_of_the_log_end_as_its_machine_says(declarations: Path) -> None:
    expected = _walk(declarations, PREFIX)

    report = _report("replay_declarations", "--data", declarations, "--limit", str(PREFIX))

    assert {name: report["result"][name] for name in expected} == expected
    assert len(expected["nonconforming"]) == 1
    assert report["flaws"] == []


def test_the_whole_log_comes_to_the_known_answer(declarations: Path) -> None:
    expected = json.loads((declarations / "expected.json").read_text())

    report = _report("replay_declarations", "--data", declarations)

    assert report["result"] == expected
    assert report["differences"] == report["flaws"] == []


def test_a_difference_from_the_known_answer_is_said_and_is_exit_1(declarations: Path, tmp_path: Path) -> None:
    lines = gzip.decompress((declarations / "events.csv.gz").read_bytes()).splitlines(keepends=True)
    (tmp_path / "events.csv.gz").write_bytes(gzip.compress(b"".join(lines[:20])))
    (tmp_path / "machine.json").write_bytes((declarations / "machine.json").read_bytes())
    (tmp_path / "expected.json").write_bytes((declarations / "expected.json").read_bytes())

    done = _run("replay_declarations", "--data", tmp_path)

    assert done.returncode == 1
    assert "events: expected 55628, found 19" in done.stdout


def test_a_database_that_exists_is_not_touched(declarations: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.db"
    kept.write_text("something else")

    done = _run("replay_declarations", "--data", declarations, "--limit", "1", "--database", kept)

    assert done.returncode == 2
    assert kept.read_text() == "something else"


def test_a_round_trip_is_four_commits_and_the_floor_writes_the_same(tmp_path: Path) -> None:
    report = _report("round_trip", "--trips", "10", "--folder", tmp_path)

    for mode in ("full", "normal"):
        found = report["modes"][mode]
        assert found["commits"] == [4]
        assert found["bytes_per_run"] == pytest.approx(found["floor_bytes_per_run"], rel=0.1)
        assert found["ratio"] > 0


def test_two_servers_and_ticks_settle_everything_once() -> None:
    report = _report("soak", "--seconds", "3", "--deadlines", "30", "--decisions", "30", "--agents", "6")

    assert report["wrong"] == []


@pytest.mark.skipif(not os.access(Path(sys.executable).with_name("flow"), os.X_OK), reason="flow is not installed")
def test_whole_processes_are_timed() -> None:
    report = _report("processes", "--rounds", "1")

    assert list(report["ms"]) == ["empty --help", "flow --help", "flow start", "flow start *", "flow decide"]
    assert all(figures["best"] > 0 for figures in report["ms"].values())


def test_checks_of_growing_workflows_are_timed() -> None:
    report = _report("check", "--rounds", "1")

    assert [figures["states"] for figures in report["sizes"].values()] == [11, 101, 1001]
    assert all(figures["inside_ms"] > 0 for figures in report["sizes"].values())


def test_scenarios_are_timed() -> None:
    report = _report("scenarios", "--count", "6")

    assert report["scenarios"] == 6
    assert 0 < report["engine_ms"] < report["per_scenario_ms"]


def test_a_year_is_predicted_from_the_one_before(declarations: Path) -> None:
    words = ("--part", "declarations", "--data", declarations, "--replications", "1")

    told = {line["prediction"]: line for line in _report("simulate", *words)["declarations"]}

    assert {line["days"] for line in told.values()} == {365, 184}
    assert told["all from 2017"]["real_mean"] == told["times of 2017, arrivals of 2018"]["real_mean"] > 400
    assert abs(told["times of 2017, arrivals of 2018"]["error"]) < 0.15
    assert told["all from 2017"]["error"] < -0.4, "2018 had four times the runs, which 2017 could not know"


def test_thirty_days_of_a_thousand_runs_are_simulated() -> None:
    told = _report("simulate", "--part", "speed")["speed"]

    assert (told["days"], round(told["runs"], -3)) == (30, 30_000)
    assert told["requests"] > 2 * told["runs"]


def test_every_planted_fault_has_the_text_that_it_replaces_once() -> None:
    done = _run("planted_faults", "--list")

    faults = [line.split("\t") for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(faults) >= 12
    assert [name for name, count in faults if count != "1"] == []
