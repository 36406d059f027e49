"""pytest collects scenario files: each scenario is an item, and a failure says file, line, way and difference."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import need
from tests.scenarios.desk import HEAD, Desk

ROOT = Path(__file__).parents[2]
PASSES = "  - {name: it waits for a reader, input: {pages: 2}, expect: {state: review}}\n"
FAILS = "  - name: it is signed at once\n    input: {pages: 2}\n    expect:\n      state: sign\n"


def run_pytest(folder: Path, *words: str) -> tuple[int, str]:
    """Run pytest in a folder, in a Python of its own: its status and what it printed."""
    command = [sys.executable, "-m", "pytest", "-p", "holdpoint.pytest_plugin", "-p", "no:cacheprovider", *words]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_each_scenario_is_an_item_and_coverage_is_said(desk: Desk) -> None:
    desk.write(PASSES)

    status, said = run_pytest(desk.folder, "-v", "-W", "error")

    assert status == 0, said
    assert "letter.scenarios.yaml::it waits for a reader PASSED" in said
    assert "letter.yaml: 11 %: states 2/7, transitions 1/10, options 0/4, timeouts 0/3, errors 0/1, guards 0/2" in said
    assert "not covered letter.yaml:20: nobody answers in 'review'" in said


def test_a_failure_says_line_difference_and_way_and_no_traceback(desk: Desk) -> None:
    desk.write(PASSES + FAILS)

    status, said = run_pytest(desk.folder)

    assert status == 1
    line = HEAD.count("\n") + 5
    assert f"letter.scenarios.yaml:{line}: state is 'review', expected 'sign'\nthe run went write → review\n" in said
    assert "FAILED letter.scenarios.yaml::it is signed at once - state is 'review', expected 'sign'" in said
    assert "Traceback" not in said
    assert "pytest_plugin.py" not in said


def test_scenarios_are_listed_and_chosen_as_tests_are(desk: Desk) -> None:
    desk.write(PASSES + FAILS)

    _, listed = run_pytest(desk.folder, "--collect-only", "-q")
    status, said = run_pytest(desk.folder, "-k", "waits and reader")

    assert "letter.scenarios.yaml::it is signed at once" in listed
    assert "covered" not in listed
    assert status == 0
    assert "1 passed, 1 deselected" in said


def test_too_little_coverage_fails_the_session(desk: Desk) -> None:
    desk.write(PASSES)

    status, said = run_pytest(desk.folder, "--flow-min-coverage", "50")

    assert status == 1
    assert "letter.yaml: 11.1 % are covered, and 50 % are asked for" in said
    assert run_pytest(desk.folder, "--flow-min-coverage", "11")[0] == 0


def test_a_file_that_is_wrong_is_an_error_with_its_findings(desk: Desk) -> None:
    text = (desk.folder / "letter.yaml").read_text()
    (desk.folder / "letter.yaml").write_text(text.replace("revise: write", "revise: wriet"))
    desk.write(PASSES)
    desk.write("  - {nam: x}\n", "workflow: gone.yaml\nscenarios:\n", name="other")

    status, said = run_pytest(desk.folder)

    assert status == 2
    assert "letter.yaml:19:32: error HP201 state 'wriet' does not exist; did you mean 'write'?" in said
    assert "other.scenarios.yaml:3:6: error HP101 unknown key 'nam' in 'scenarios[0]'; did you mean 'name'?" in said
    assert "Traceback" not in said


def test_settings_that_are_wrong_are_said_without_a_traceback(desk: Desk) -> None:
    (desk.folder / "flow.toml").write_text("leese = 3\n")
    desk.write(PASSES)

    status, said = run_pytest(desk.folder)

    assert status == 1
    assert "flow.toml: leese: it is not known; did you mean 'lease'? (settings)" in said
    assert "pytest_plugin.py" not in said


def test_tests_beside_scenarios_run_as_ever(desk: Desk) -> None:
    desk.write(PASSES)
    (desk.folder / "test_other.py").write_text("def test_other() -> None:\n    pass\n")

    assert "2 passed" in run_pytest(desk.folder, "-q")[1]


def test_several_processes_report_to_one(desk: Desk) -> None:
    need("xdist")
    desk.write(PASSES + PASSES.replace("name: it", "name: again it") + FAILS)

    status, said = run_pytest(desk.folder, "-n", "2", "--flow-min-coverage", "12")

    assert status == 1
    assert said.count("letter.yaml: 11 %") == 1
    assert "11.1 % are covered, and 12 % are asked for" in said
    assert "state is 'review', expected 'sign'\nthe run went write → review" in said


def test_a_session_without_scenarios_loads_next_to_nothing_of_ours(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n\n\ndef test_it():\n    print(*[name for name in sys.modules if name.startswith('holdpoint')])\n"
    )

    _, said = run_pytest(tmp_path, "-q", "-s")

    ours = set(next(line for line in said.splitlines() if line.startswith("holdpoint")).rstrip(".").split())
    assert ours == {
        "holdpoint",
        "holdpoint.engine",
        "holdpoint.engine.errors",
        "holdpoint.pytest_plugin",
        "holdpoint.sources",
    }


def test_this_repository_runs_the_scenarios_that_it_ships() -> None:
    status, said = run_pytest(ROOT, "--collect-only", "-q", "workflows")

    assert status == 0
    assert "workflows/expense/expense.scenarios.yaml::silence means no" in said
