"""The expense workflow of the specification, typed into a fresh project and run from the shell.

Every command is a process of its own. Deadlines that have passed are made by an engine whose clock is behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdpoint import Engine, Run
from holdpoint.testing import Clock

WORKFLOW = """\
workflow: expense-approval            # ^[a-z][a-z0-9-]{0,63}$
title: Expense approval               # title and description are for people
timezone: Europe/Rome                 # for durations in days; default UTC
input:                                # JSON Schema (an object) of what `flow start` takes; without it, nothing
  type: object
  required: [employee, amount]
  properties:
    employee: {type: string}
    amount: {type: number, exclusiveMinimum: 0}
initial: draft                        # a target; default: the first state
states:
  draft:
    type: agent
    python: expenses.agents:draft_report      # exactly one of python, command, http, llm, value
    with: {amount: "{{ input.amount }}", feedback: "{{ review.comment if review else '' }}"}
    artifact: report                          # the output becomes the next revision of this artifact
    next: review
  review:
    type: return
    show: [report]
    message: "Check the report of {{ input.employee }}"
    max_returns: 3
    on: {accept: manager, revise: draft}
    timeout: 2d
    default: accept
  manager:
    type: approval
    message: "Pay {{ input.amount }} to {{ input.employee }}?"
    show: [report]
    assign: ["role:manager"]
    on:
      approve:
        - {to: director, when: "input.amount > 5000"}
        - {to: pay}
      reject: refused
    timeout: 48h
    default: reject
  director:
    type: approval
    message: "Pay {{ input.amount }}?"
    show: [report]
    assign: ["role:director"]
    on: {approve: pay, reject: refused}
    timeout: 48h
    default: reject
  pay:
    type: agent
    command: [python, pay.py]
    with: {employee: "{{ input.employee }}", amount: "{{ input.amount }}", report: "{{ artifacts.report }}"}
    effect: irreversible
    next: paid
  paid: {type: end, output: {amount: "{{ input.amount }}", report: "{{ artifacts.report }}"}}
  refused: {type: end, outcome: failure}
"""

AGENTS = """\
def draft_report(amount, feedback):
    return {"text": f"{amount} EUR" + (f", {feedback}" if feedback else "")}
"""

PAY = """\
import json, os, pathlib, signal, sys

if pathlib.Path("bank-is-closed").exists():
    sys.exit("the bank is closed")
payment = json.load(sys.stdin) | {"key": os.environ["FLOW_KEY"]}
with open("payments.jsonl", "a") as file:
    print(json.dumps(payment), file=file)
if pathlib.Path("power-cut").exists():
    os.kill(os.getppid(), signal.SIGKILL)
print(json.dumps({"ok": True}))
"""

SETTINGS = """\
[people.dora]
roles = ["manager"]
[people.eli]
roles = ["director"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A project, and `flow` in it."""

    folder: Path

    def flow(self, *words: str, status: int = 0) -> str:
        """What a `flow` process prints on standard output; its exit status must be *status*."""
        command = Path(sys.executable).with_name("flow")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLOW_")}
        done = subprocess.run(
            [command, *words], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def json(self, *words: str, status: int = 0) -> Any:
        """The JSON document that a `flow` process prints."""
        return json.loads(self.flow("--json", *words, status=status))

    def start(self, amount: int) -> str:
        """Start a run for ann; its id."""
        run = self.json("--as", "bob", "start", "expense-approval", "-i", "employee=ann", "-i", f"amount={amount}")
        assert (run["status"], run["state"], run["initiator"]) == ("waiting", "review", "bob")
        return str(run["id"])

    def decide(self, run_id: str, who: str, option: str, *words: str, status: int = 0) -> Any:
        """Decide the open request of a run; the run or the error."""
        return self.json("--as", who, "decide", run_id, option, *words, status=status)

    def path(self, run_id: str) -> list[str]:
        """The states that a run has entered."""
        return [
            entry["data"]["state"]
            for entry in self.json("history", run_id)["events"]
            if entry["kind"] == "state.entered"
        ]

    def payments(self) -> list[dict[str, Any]]:
        """What has been paid."""
        file = self.folder / "payments.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @contextmanager
    def engine_behind(self, days: int) -> Iterator[Engine]:
        """An engine on the same database whose clock is behind."""
        with Engine(project=self.folder, clock=Clock(datetime.now(UTC) - timedelta(days=days))) as engine:
            yield engine


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A fresh project; when the test is over, its database must be proved whole."""
    for name, text in {
        "flow.toml": SETTINGS,
        "workflows/expense.yaml": WORKFLOW,
        "expenses/agents.py": AGENTS,
        "pay.py": PAY,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    shell = Shell(folder=tmp_path)
    yield shell
    assert shell.json("verify") == {"findings": []}


def _start_behind(engine: Engine, shell: Shell, amount: int = 120) -> Run:
    definition = engine.load(shell.folder / "workflows/expense.yaml")
    return engine.start(definition, {"employee": "ann", "amount": amount}, initiator="bob")


def test_a_small_expense_is_paid_once_the_manager_approves(shell: Shell) -> None:
    shell.flow("check", "--strict")
    run_id = shell.start(120)

    assert shell.decide(run_id, "ann", "accept")["state"] == "manager"
    run = shell.decide(run_id, "dora", "approve")

    assert (run["status"], run["state"], run["outcome"]) == ("done", "paid", "success")
    assert run["output"] == {"amount": 120, "report": {"text": "120 EUR"}}
    assert shell.path(run_id) == ["draft", "review", "manager", "pay", "paid"]
    assert shell.payments() == [
        {"employee": "ann", "amount": 120, "report": {"text": "120 EUR"}, "key": f"{run_id}/pay/1"}
    ]


def test_a_large_expense_needs_a_director_too(shell: Shell) -> None:
    run_id = shell.start(5001)
    shell.decide(run_id, "ann", "accept")

    assert shell.decide(run_id, "dora", "approve")["state"] == "director"
    assert shell.decide(run_id, "dora", "approve", status=5)["error"]["code"] == "not_allowed"
    assert shell.decide(run_id, "eli", "approve")["state"] == "paid"
    assert shell.path(run_id) == ["draft", "review", "manager", "director", "pay", "paid"]


def test_a_director_may_refuse(shell: Shell) -> None:
    run_id = shell.start(9000)
    shell.decide(run_id, "ann", "accept")
    shell.decide(run_id, "dora", "approve")

    run = shell.decide(run_id, "eli", "reject")

    assert (run["status"], run["state"], run["outcome"], shell.payments()) == ("done", "refused", "failure", [])


def test_a_manager_may_refuse_and_nobody_else(shell: Shell) -> None:
    run_id = shell.start(120)
    shell.decide(run_id, "ann", "accept")

    refused = shell.decide(run_id, "ann", "reject", status=5)
    run = shell.decide(run_id, "dora", "reject", "--comment", "no receipt")

    assert refused["error"]["details"]["assign"] == ["role:manager"]
    assert (run["outcome"], run["results"]["manager"]["comment"], shell.payments()) == ("failure", "no receipt", [])


def test_a_report_goes_back_with_a_comment_three_times_and_no_more(shell: Shell) -> None:
    run_id = shell.start(120)

    for number in range(1, 4):
        run = shell.decide(run_id, "ann", "revise", "--comment", f"try {number}")
        assert run["artifacts"]["report"]["content"] == {"text": f"120 EUR, try {number}"}
    (request,) = run["requests"]
    error = shell.decide(run_id, "ann", "revise", "--comment", "once more", status=6)["error"]

    assert request["options"] == ["accept"]
    assert (error["code"], run["visits"]["draft"]) == ("option", 4)
    assert shell.decide(run_id, "ann", "accept")["state"] == "manager"


def test_the_run_goes_on_with_the_report_as_its_reader_edited_it(shell: Shell) -> None:
    run_id = shell.start(120)
    (shell.folder / "mine.json").write_text('{"text": "taxi to the fair"}')

    shell.decide(run_id, "ann", "accept", "--artifact", "mine.json")
    run = shell.decide(run_id, "dora", "approve")

    assert run["artifacts"]["report"].items() >= {"revision": 2, "author": "ann", "author_kind": "human"}.items()
    assert [payment["report"] for payment in shell.payments()] == [{"text": "taxi to the fair"}]
    assert json.loads(shell.flow("artifact", run_id, "report", "1")) == {"text": "120 EUR"}


def test_silence_lets_the_report_through_and_the_manager_then_has_all_the_time(shell: Shell) -> None:
    with shell.engine_behind(3) as engine:
        run_id = _start_behind(engine, shell).id

    overdue = shell.json("show", run_id)
    counts = shell.json("tick")
    run = shell.json("show", run_id)

    assert (overdue["status"], overdue["state"], overdue["requests"]) == ("running", "review", [])
    assert (counts["defaults"], shell.json("tick")["defaults"]) == (1, 0)
    assert (run["status"], run["state"]) == ("waiting", "manager")
    assert run["results"]["review"].items() >= {"decision": "accept", "by": None, "by_kind": "timer"}.items()
    assert datetime.fromisoformat(run["requests"][0]["due_at"]) > datetime.now(UTC) + timedelta(hours=47)


@pytest.mark.parametrize(
    ("amount", "decisions", "path"),
    [
        pytest.param(120, ["accept"], ["draft", "review", "manager", "refused"], id="manager"),
        pytest.param(9000, ["accept", "approve"], ["draft", "review", "manager", "director", "refused"], id="director"),
    ],
)
def test_silence_of_who_pays_means_no(shell: Shell, amount: int, decisions: Sequence[str], path: Sequence[str]) -> None:
    with shell.engine_behind(3) as engine:
        run = _start_behind(engine, shell, amount)
        for decision in decisions:
            run = engine.decide(run.id, decision, by="dora")
    request_id = run.requests[0].id

    assert shell.json("inbox") == {"requests": [], "next": None}
    assert shell.json("show", request_id)["decision"]["decision"] == "reject"
    assert shell.json("tick").items() >= {"defaults": 1, "failed": 0, "errors": 0}.items()
    assert shell.json("show", run.id).items() >= {"status": "done", "outcome": "failure"}.items()
    assert shell.path(run.id) == path
    assert shell.payments() == []


def test_who_is_later_than_the_deadline_is_told_what_it_decided(shell: Shell) -> None:
    with shell.engine_behind(3) as engine:
        run = _start_behind(engine, shell)
        run = engine.decide(run.id, "accept", by="ann")
    request_id = run.requests[0].id

    error = shell.decide(request_id, "dora", "approve", status=4)["error"]

    assert error["code"] == "already_decided"
    assert error["details"]["decision"].items() >= {"decision": "reject", "by_kind": "timer"}.items()
    assert shell.json("history", run.id)["events"][-1]["kind"] == "decision.refused"
    assert shell.payments() == []


def test_a_payment_that_fails_rests_until_somebody_retries_it(shell: Shell) -> None:
    run_id = shell.start(120)
    shell.decide(run_id, "ann", "accept")
    (shell.folder / "bank-is-closed").touch()

    failed = shell.decide(run_id, "dora", "approve", status=7)
    (shell.folder / "bank-is-closed").unlink()
    run = shell.json("retry", run_id, "--reason", "it is open")

    assert (failed["status"], failed["state"], failed["results"]["manager"]["by"]) == ("failed", "pay", "dora")
    assert "the bank is closed" in json.dumps(shell.json("history", run_id))
    assert (run["state"], [payment["key"] for payment in shell.payments()]) == ("paid", [f"{run_id}/pay/1"])


def test_a_payment_of_which_nobody_knows_is_asked_about_and_not_repeated(shell: Shell) -> None:
    run_id = shell.start(120)
    shell.decide(run_id, "ann", "accept")
    (shell.folder / "power-cut").touch()
    shell.flow("--as", "dora", "decide", run_id, "approve", status=-signal.SIGKILL)

    counts = shell.json("tick")
    (request,) = shell.json("show", run_id)["requests"]
    run = shell.decide(run_id, "dora", "done", "--comment", "the bank has it", "-a", "ok=true")

    assert (counts["recovered"], request["kind"], request["options"]) == (1, "crash", ["retry", "done", "fail"])
    assert request["attempt"].items() >= {"number": 1, "key": f"{run_id}/pay/1"}.items()
    assert (run["state"], run["results"]["pay"], len(shell.payments())) == ("paid", {"ok": True}, 1)


def test_a_run_keeps_its_definition_when_the_file_goes(shell: Shell) -> None:
    run_id = shell.start(120)
    (shell.folder / "workflows/expense.yaml").unlink()

    shell.decide(run_id, "ann", "accept")

    assert shell.decide(run_id, "dora", "approve")["state"] == "paid"
    shell.flow("start", "expense-approval", status=3)


def test_input_that_does_not_meet_its_schema_starts_nothing(shell: Shell) -> None:
    too_small = shell.json("start", "expense-approval", "-i", "employee=ann", "-i", "amount=0", status=6)
    no_number = shell.json("start", "expense-approval", "-i", "employee=ann", "-i", "amount=much", status=6)

    assert {error["error"]["code"] for error in (too_small, no_number)} == {"input"}
    assert shell.json("runs") == {"runs": [], "next": None}


def test_a_person_reads_the_same_from_the_shell(shell: Shell) -> None:
    started = shell.flow("--as", "bob", "start", "workflows/expense.yaml", "-i", "employee=120", "-i", "amount=120")
    run_id = started.split()[0]
    request_id = shell.json("show", run_id)["requests"][0]["id"]

    assert f"flow decide {request_id} accept\n" in started.replace(" --as bob", "")
    assert request_id in shell.flow("inbox")
    assert "Check the report of 120" in shell.flow("show", request_id)
    assert "▶ review" in shell.flow("graph", run_id)
    assert "request.opened" in shell.flow("history", run_id)
