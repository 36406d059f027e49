"""`flow fmt` writes canonical layout, and nothing where it should not."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from holdpoint import cli, sources
from holdpoint.engine.errors import Conflict

MESSY = """\
# The gate.

states:
    ask: # who decides
        on: {approve: done,   reject: 'done'}
        type: approval
        default: reject    # silence is a no
        timeout: 2d

        # nothing shown

    done: {type: end}
# the end
workflow: gate
"""
TIDY = """\
# The gate.

# the end
workflow: gate
states:
  ask:  # who decides
    type: approval
    on: {approve: done, reject: "done"}
    timeout: 2d
    default: reject        # silence is a no

    # nothing shown

  done: {type: end}
"""
BROKEN = "workflow: broken\nstates:\n    ask: {type: approval, on: {approve: nowhere}}\n"
Flow = Callable[..., tuple[int, str, str]]


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Flow:
    """Run `flow` in this process, in a folder with one untidy workflow: its status and what it said."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.toml").touch()
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "gate.yaml").write_text(MESSY)

    def call(*words: str) -> tuple[int, str, str]:
        capfdbinary.readouterr()
        status = cli.run(words)
        printed = capfdbinary.readouterr()
        return status, printed.out.decode(), printed.err.decode()

    return call


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "workflows" / "gate.yaml"


def test_all_files_of_the_project_are_laid_out_and_the_second_time_nothing_changes(flow: Flow, gate: Path) -> None:
    assert flow("fmt") == (0, "formatted workflows/gate.yaml\n1 formatted, 0 as they should be\n", "")
    assert gate.read_text() == TIDY
    assert flow("fmt") == (0, "0 formatted, 1 as they should be\n", "")


def test_check_lists_what_would_change_and_writes_nothing(flow: Flow, gate: Path) -> None:
    assert flow("fmt", "--check") == (1, "would change workflows/gate.yaml\n1 would change, 0 as they should be\n", "")
    assert gate.read_text() == MESSY

    gate.write_text(TIDY)

    assert flow("fmt", "--check") == (0, "0 would change, 1 as they should be\n", "")


def test_diff_prints_what_would_change_and_writes_nothing(flow: Flow, gate: Path) -> None:
    status, out, err = flow("fmt", "--diff", "gate")

    assert (status, err) == (0, "")
    assert out.startswith("--- workflows/gate.yaml\n+++ workflows/gate.yaml\n@@ ")
    assert "-    ask: # who decides\n" in out
    assert "+  ask:  # who decides\n" in out
    assert gate.read_text() == MESSY
    assert flow("fmt", "--diff", "--check", "gate")[0] == 1


def test_a_file_with_errors_is_reported_and_left_while_others_are_laid_out(flow: Flow, gate: Path) -> None:
    broken = gate.with_name("broken.yaml")
    broken.write_text(BROKEN)

    status, out, err = flow("fmt")

    assert status == 1
    assert out == "formatted workflows/gate.yaml\n1 formatted, 0 as they should be, 1 with errors, left as they are\n"
    assert err.startswith("workflows/broken.yaml:3:41: error HP201 state 'nowhere' does not exist")
    assert (broken.read_text(), gate.read_text()) == (BROKEN, TIDY)


def test_standard_input_goes_to_standard_output(flow: Flow, gate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MESSY.encode())))

    assert flow("fmt", "-") == (0, TIDY, "")
    assert gate.read_text() == MESSY


def test_standard_input_with_errors_prints_nothing_but_these(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BROKEN.encode())))

    status, out, err = flow("fmt", "-")

    assert (status, out) == (1, "")
    assert err.startswith("-:3:41: error HP201 ")


def test_standard_input_stands_alone(flow: Flow, gate: Path) -> None:
    assert flow("fmt", "-", str(gate))[0] == 2
    assert gate.read_text() == MESSY


def test_json_says_what_became_of_each_file(flow: Flow, gate: Path) -> None:
    gate.with_name("broken.yaml").write_text(BROKEN)

    files = json.loads(flow("fmt", "--check", "--json")[1])["files"]

    assert [(file["file"], file["status"]) for file in files] == [
        ("workflows/broken.yaml", "invalid"),
        ("workflows/gate.yaml", "would change"),
    ]
    assert [finding["code"] for finding in files[0]["findings"]] == ["HP201"]
    assert json.loads(flow("fmt", "--json", "gate")[1])["files"][0]["status"] == "formatted"


def test_the_mode_of_a_file_and_a_link_to_it_stay(flow: Flow, gate: Path, tmp_path: Path) -> None:
    real = tmp_path / "real.yaml"
    gate.rename(real)
    real.chmod(0o640)
    gate.symlink_to(real)

    assert flow("fmt", str(gate))[0] == 0

    assert gate.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == (TIDY, 0o640)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_file_that_was_changed_meanwhile_is_left(gate: Path, flow: Flow) -> None:
    with pytest.raises(Conflict, match="changed meanwhile"):
        sources.write(gate, b"what it was", b"new")

    assert gate.read_text() == MESSY
    assert os.listdir(gate.parent) == [gate.name]


def test_carriage_returns_become_line_feeds(flow: Flow, gate: Path) -> None:
    gate.write_bytes(MESSY.replace("\n", "\r\n").encode())

    assert flow("fmt")[0] == 0
    assert gate.read_bytes() == TIDY.encode()


def test_a_new_project_is_laid_out_as_it_should_be(flow: Flow, tmp_path: Path) -> None:
    flow("init", "new")

    assert flow("--project", "new", "fmt", "--check") == (0, "0 would change, 1 as they should be\n", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "# yaml-language-server: $schema=x\nstates: {a: {type: end}}\nworkflow: w # the name\n",
            "# yaml-language-server: $schema=x\nworkflow: w  # the name\nstates: {a: {type: end}}\n",
            id="the modeline stays the first line",
        ),
        pytest.param(
            "workflow: w\nstates:\n  a:\n    type: end\n    output: |+   # x\n        1\n         2\n\n    title: x\n",
            "workflow: w\nstates:\n  a:\n    type: end\n    title: x\n    output: |+   # x\n      1\n       2\n\n",
            id="a block text keeps its breaks",
        ),
        pytest.param(
            'workflow: w\nstates: {a: {type: end, output: {b: "' + "x" * 60 + '", c: "' + "y" * 60 + '"}}}\n',
            "workflow: w\nstates:\n  a:\n    type: end\n    output:\n"
            '      b: "' + "x" * 60 + '"\n      c: "' + "y" * 60 + '"\n',
            id="what does not fit into a line is written below",
        ),
        pytest.param(
            "workflow: w\nstates: {a: {type: end, output: [1, # one\n 2]}}\n",
            "workflow: w\nstates:\n  a:\n    type: end\n    output:\n      - 1  # one\n      - 2\n",
            id="a comment inside needs a block",
        ),
        pytest.param(
            "workflow: w\nstates:\n  a: {output: *x, type: end, title: &x t}\n",
            None,
            id="an alias before its anchor is no workflow",
        ),
        pytest.param(
            "workflow: w\nstates:\n  a: {output: &x t, type: end, title: *x}\n",
            "workflow: w\nstates:\n  a: {output: &x t, type: end, title: *x}\n",
            id="an alias is not put before its anchor",
        ),
    ],
)
def test_layout(flow: Flow, gate: Path, text: str, expected: str | None) -> None:
    gate.write_text(text)

    status, _, _ = flow("fmt")

    assert (status, gate.read_text()) == ((0, expected) if expected is not None else (1, text))
