"""`flow diff-workflow`: what it prints of two definitions, its exit status, and that a RUN stands for what it keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from holdpoint import Engine, api, cli, trials
from holdpoint.sources import files_below
from tests.examples import WORKFLOWS

PAY = """
workflow: pay
states:
  ask:
    type: approval
    message: Pay?
    assign: ["role:boss"]
    on: {approve: pay, reject: refused}
    timeout: 2d
    default: reject
  pay: {type: agent, command: [pay], effect: irreversible, next: paid}
  paid: {type: end}
  refused: {type: end, outcome: failure}
"""

Flow = Callable[..., tuple[int, str, str]]


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Flow:
    """Runs `flow` in a project with the workflow `pay` and a changed copy of it, `b.yaml`."""
    (tmp_path / "flow.toml").write_text("[people.bea]\nroles = ['boss']\n")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "pay.yaml").write_text(PAY)
    monkeypatch.chdir(tmp_path)
    for name in ("FLOW_DB", "FLOW_USER", "FLOW_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def call(*args: str) -> tuple[int, str, str]:
        status = cli.run(args)
        return (status, *capfd.readouterr())

    return call


def write(*edits: tuple[str, str]) -> None:
    """Write `b.yaml`: the workflow with these edits."""
    text = PAY
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    Path("b.yaml").write_text(text)


def test_nothing_changed(flow: Flow) -> None:
    status, out, err = flow("diff-workflow", "pay", "workflows/pay.yaml", "--exit-code")

    assert (status, err) == (0, "")
    assert "  nothing changed\nproofs\n  holds in both  every state can be reached\n" in out


def test_changes_are_said_a_line_each(flow: Flow) -> None:
    write(
        ("timeout: 2d", "timeout: 3d"),
        ("workflow: pay", "workflow: pay\ntitle: Pay"),
        ("reject: refused", "no: refused"),
        ("default: reject", "default: no"),
    )

    status, out, err = flow("diff-workflow", "pay", "b.yaml")

    assert (status, err) == (0, "")
    first, *lines = out.splitlines()
    assert re.fullmatch(r"pay \([0-9a-f]{12}\) → b.yaml \([0-9a-f]{12}\)", first)
    assert lines[:7] == [
        "  + 'ask' has a new option 'no', which leads to 'refused'",
        "  - 'ask' no longer has the option 'reject' (it led to 'refused')",
        "  ~ the timeout of 'ask' is 3d, was 2d",
        "  ~ on silence 'ask' now decides 'no', was: rejects",
        "for people only, the version does not change with it:",
        "  + the workflow has the title 'Pay', and had none",
        "proofs",
    ]


def test_a_proof_that_no_longer_holds_is_shown_with_its_path_and_is_a_finding(flow: Flow) -> None:
    write(("default: reject", "default: approve"))

    status, out, err = flow("diff-workflow", "pay", "b.yaml")

    assert status == 1
    assert "! ~ on silence 'ask' now approves, was: rejects\n" in out
    lost = out.index("NO LONGER HOLDS  nothing irreversible is done without a person")
    assert "ask (approve, when nobody answers) → pay\n" in out[lost:]
    assert "was: 'pay' after 'ask'" in out[lost:]
    assert err == "warning: no run can be started from b.yaml, which has errors: HP301; flow check says more\n"


def test_a_proof_that_was_lost_before_is_no_finding(flow: Flow) -> None:
    write(("default: reject", "default: approve"))

    back, out, _ = flow("diff-workflow", "b.yaml", "pay")
    same, again, _ = flow("diff-workflow", "b.yaml", "b.yaml")

    assert (back, same) == (0, 0)
    assert "  now holds      nothing irreversible is done without a person\n" in out
    assert "  holds in neither  nothing irreversible is done without a person\n" in again


@pytest.mark.parametrize(
    ("edit", "status"),
    [
        pytest.param(("timeout: 2d", "timeout: 3d"), 1, id="the version"),
        pytest.param(("workflow: pay", "workflow: pay\ntitle: Pay"), 1, id="a title"),
        pytest.param(("workflow: pay", "workflow: pay  # as before"), 0, id="a note in the file"),
    ],
)
def test_with_exit_code_the_status_says_whether_anything_changed(
    flow: Flow, edit: tuple[str, str], status: int
) -> None:
    write(edit)

    assert flow("diff-workflow", "pay", "b.yaml", "--exit-code")[0] == status
    assert flow("diff-workflow", "pay", "b.yaml")[0] == 0


def test_the_json_has_changes_proofs_and_versions(flow: Flow) -> None:
    write(("default: reject", "default: approve"))

    status, out, err = flow("diff-workflow", "pay", "b.yaml", "--json")
    found = json.loads(out)

    assert (status, err) == (1, "")
    assert found["equal"] is False
    assert found["versions"]["a"] == api.load("workflows/pay.yaml").version != found["versions"]["b"]
    assert found["changes"] == [
        {
            "kind": "changed",
            "text": "on silence 'ask' now approves, was: rejects",
            "state": "ask",
            "key": "default",
            "option": None,
            "before": {"decision": "reject"},
            "after": {"decision": "approve"},
            "risk": True,
            "cosmetic": False,
        }
    ]
    proofs = {proof["claim"]: proof for proof in found["proofs"]}
    assert {name for name, proof in proofs.items() if proof["verdict"] != "holds in both"} == {"person"}
    assert proofs["person"]["before"]["holds"] is True
    assert proofs["person"]["after"]["path"] == ["ask", "pay"]
    assert [error["code"] for error in found["errors"]["b"]] == ["HP301"]


def test_a_run_stands_for_the_definition_that_it_started_with(flow: Flow) -> None:
    with Engine(project=".") as engine:
        run = engine.start(engine.load("workflows/pay.yaml"), initiator="ann").id
    Path("workflows/pay.yaml").write_text(PAY.replace("timeout: 2d", "timeout: 3d"))

    status, out, err = flow("diff-workflow", run[:12], "pay")

    assert (status, err) == (0, "")
    assert "  ~ the timeout of 'ask' is 3d, was 2d\n" in out
    assert flow("diff-workflow", run, run, "--exit-code")[0] == 0


@pytest.mark.parametrize("name", sorted(path.relative_to(WORKFLOWS).as_posix() for path in files_below(WORKFLOWS)))
def test_as_much_is_proved_of_a_stored_definition_as_of_its_file(name: str) -> None:
    path = WORKFLOWS / name

    found = trials.compare(path, api.load(path))

    assert found.is_equal
    assert all(verdict.before == verdict.after is not None for verdict in found.verdicts)


@pytest.mark.parametrize(
    ("args", "status", "code"),
    [
        pytest.param(("pay",), 2, "usage", id="one definition"),
        pytest.param(("pay", "pya"), 3, "not_found", id="no such workflow"),
        pytest.param(("none.yaml", "pay"), 3, "not_found", id="no such file"),
        pytest.param(("run_zzz", "pay"), 3, "not_found", id="no such run"),
        pytest.param(("pay", "b.yaml"), 6, "definition", id="a file with errors"),
    ],
)
def test_what_is_no_definition_is_refused(flow: Flow, args: tuple[str, ...], status: int, code: str) -> None:
    write(("approve: pay", "approve: nowhere"))

    found, out, _ = flow("diff-workflow", *args, "--json")

    assert (found, json.loads(out)["error"]["code"]) == (status, code)
