"""The command line: what each command prints and refuses, its exit status, and that a refusal changes nothing."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdpoint import Engine, cli
from holdpoint.commands import output
from holdpoint.engine import errors

SETTINGS = """
workflows = ["flows"]
[people.bea]
roles = ["boss"]
"""

LETTER = """
workflow: letter
input:
  type: object
  required: [name]
  properties:
    name: {type: string}
    count: {type: integer}
    either: {type: [string, "null"]}
    any: {}
    list: {type: array}
states:
  draft: {type: agent, value: "Dear {{ input.name }}", artifact: letter, next: edit}
  edit:
    type: return
    message: "Read the letter to {{ input.name }}"
    show: [letter]
    timeout: never
    on: {accept: sign, revise: draft}
  sign:
    type: approval
    message: Sign it?
    show: [letter]
    assign: ["role:boss"]
    form: {type: object, required: [ink], properties: {ink: {type: string}, pages: {type: integer}}}
    comment: [reject]
    priority: high
    timeout: 2d
    default: {decision: reject, answers: {ink: none}}
    on: {approve: signed, reject: refused}
  signed: {type: end, output: {letter: "{{ artifacts.letter }}", ink: "{{ sign.answers.ink }}"}}
  refused: {type: end, outcome: failure}
"""

TABLE = """
workflow: table
states:
  make: {type: agent, value: {rows: [1, 2]}, artifact: table, next: look}
  look: {type: return, show: [table], timeout: never, on: {accept: kept, revise: make}}
  kept: {type: end, output: "{{ artifacts.table }}"}
"""

BROKEN = """
workflow: broken
states:
  work: {type: agent, command: [python, -c, "import sys; sys.exit('no luck')"], next: end}
  end: {type: end}
"""

PLAIN = """
workflow: plain
states:
  ask: {type: approval, message: "Go on?", timeout: 1h, default: reject, on: {approve: yes_end, reject: no_end}}
  yes_end: {type: end}
  no_end: {type: end, outcome: failure}
"""

WRONG = """
workflow: wrong
states:
  ask: {type: approval, timeout: never, on: {approve: nowhere}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one call of `flow` came to."""

    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode()

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


Flow = Callable[..., Result]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    """A project with a run in every kind of rest, and the ids of these and of their requests."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "flows").mkdir()
    (folder / "flow.toml").write_text(SETTINGS)
    for name, text in {"letter": LETTER, "table": TABLE, "broken": BROKEN, "plain": PLAIN, "wrong": WRONG}.items():
        (folder / "flows" / f"{name}.yaml").write_text(text)
    for name, content in _FILES.items():
        (folder / name).write_bytes(content)
    return folder, _start_all(folder)


_FILES = {
    "edit.txt": b"Dear Zo\xc3\xab,\r\nbye",
    "latin.txt": b"Zo\xeb",
    "rows.json": b'{"rows": [3]}',
    "rows.yaml": b"rows: [4]\n",
    "twice.json": b'{"name": "a", "name": "b"}',
    "null.json": b"null",
    "list.json": b"[1]",
    "input.json": b'{"name": "ann", "count": 1}',
}


def _start_all(folder: Path) -> dict[str, str]:
    ids = {}
    with Engine(project=folder) as engine:
        letter, table = engine.load(folder / "flows/letter.yaml"), engine.load(folder / "flows/table.yaml")
        for name in ("edit", "sign", "done"):
            run = engine.start(letter, {"name": "ann"}, initiator="ann")
            ids[name], ids[f"{name}_request"] = run.id, run.requests[0].id
            if name != "edit":
                run = engine.decide(run.id, "accept", by="ann")
                ids[f"{name}_gate"] = run.requests[0].id
            if name == "done":
                engine.decide(run.id, "approve", by="bea", answers={"ink": "blue"})
        ids["table"] = engine.start(table, initiator="ann").id
        ids["failed"] = engine.start(engine.load(folder / "flows/broken.yaml"), initiator="ann").id
        ids["ready"] = engine.start(engine.load(folder / "flows/broken.yaml"), initiator="ann", advance=False).id
    return ids


@pytest.fixture
def project(
    template: tuple[Path, Mapping[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, str]:
    """A copy of the template as the current folder; the ids in it."""
    shutil.copytree(template[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("FLOW_DB", "FLOW_DEBUG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLOW_USER", "ann")
    return template[1]


@pytest.fixture
def flow(project: Mapping[str, str], capfdbinary: pytest.CaptureFixture[bytes]) -> Flow:
    """Run `flow` in this process; `{name}` in an argument stands for an id of the project."""

    def call(*words: str) -> Result:
        capfdbinary.readouterr()
        status = cli.run([word.format(**project) if word.startswith("{") else word for word in words])
        printed = capfdbinary.readouterr()
        return Result(status=status, out=printed.out, err=printed.err.decode())

    return call


def _dump(without: str = "") -> list[str]:
    """All rows of the database, those with the text *without* left out."""
    connection = sqlite3.connect("flow.db")
    try:
        return [line for line in connection.iterdump() if not without or without not in line]
    finally:
        connection.close()


def _kinds(run_id: str) -> list[str]:
    with Engine() as engine:
        return [entry.kind for entry in engine.history(run_id)]


# --- refusals ---------------------------------------------------------------------------------------------------------

REFUSALS = [
    pytest.param([], 2, "usage", "missing command", id="no command"),
    pytest.param(["rnus"], 2, "usage", "did you mean 'runs'?", id="a command that is not there"),
    pytest.param(["runs", "--sttus", "done"], 2, "usage", "--status", id="an option that is not there"),
    pytest.param(["--project", "nowhere", "runs"], 2, "usage", "nowhere", id="a project that is not there"),
    # check
    pytest.param(["check", "flows/none.yaml"], 3, "not_found", "flows/none.yaml", id="check: no such file"),
    pytest.param(["check", "lettre"], 3, "not_found", "did you mean 'letter'?", id="check: no such workflow"),
    # schema
    pytest.param(["schema", "more"], 2, "usage", "more", id="schema: an argument too many"),
    # graph
    pytest.param(["graph"], 2, "usage", "missing argument", id="graph: of nothing"),
    pytest.param(["graph", "lettre"], 3, "not_found", "letter", id="graph: no such workflow"),
    pytest.param(["graph", "run_zzz"], 3, "not_found", "run_zzz", id="graph: no such run"),
    pytest.param(["graph", "wrong"], 6, "definition", "nowhere", id="graph: a wrong workflow"),
    pytest.param(["graph", "letter", "--theme", "drak"], 2, "usage", "did you mean 'dark'?", id="graph: no theme"),
    pytest.param(["graph", "letter", "--all-versions"], 2, "usage", "--heat alone", id="graph: versions without heat"),
    pytest.param(["graph", "{edit}", "--heat"], 2, "usage", "not for one run", id="graph: heat of a run"),
    pytest.param(["graph", "letter", "--format", "dott"], 2, "usage", "did you mean 'dot'?", id="graph: no format"),
    pytest.param(["graph", "letter", "-o", "no/where"], 2, "usage", "cannot be written", id="graph: no such folder"),
    # start
    pytest.param(["start"], 2, "usage", "missing argument", id="start: nothing"),
    pytest.param(["start", "lettre"], 3, "not_found", "did you mean 'letter'?", id="start: no such workflow"),
    pytest.param(["start", "./none.yaml"], 3, "not_found", "none.yaml", id="start: no such file"),
    pytest.param(["start", "wrong"], 6, "definition", "nowhere", id="start: a wrong workflow"),
    pytest.param(["start", "letter"], 6, "input", "name", id="start: input is missing"),
    pytest.param(["start", "letter", "-i", "name"], 2, "usage", "KEY=VALUE", id="start: no pair"),
    pytest.param(["start", "letter", "-i", "=x"], 2, "usage", "KEY=VALUE", id="start: no key"),
    pytest.param(["start", "letter", "-i", "name=a", "-i", "name=b"], 2, "usage", "twice", id="start: a key twice"),
    pytest.param(["start", "letter", "-i", "nmae=a"], 6, "input", "did you mean 'name'?", id="start: unknown key"),
    pytest.param(["start", "letter", "-i", "name=a", "-i", "count=x"], 6, "input", "count", id="start: a wrong type"),
    pytest.param(["start", "letter", "-i", "name=@none.txt"], 3, "not_found", "none.txt", id="start: no file of key"),
    pytest.param(["start", "letter", "-i", "name=@latin.txt"], 6, "not_utf8", "0xeb", id="start: a key not UTF-8"),
    pytest.param(["start", "letter", "--input", "none.json"], 3, "not_found", "none.json", id="start: no input file"),
    pytest.param(["start", "letter", "--input", "latin.txt"], 6, "not_json", "latin.txt", id="start: input no JSON"),
    pytest.param(["start", "letter", "--input", "twice.json"], 6, "not_json", "duplicate", id="start: duplicate key"),
    pytest.param(["start", "letter", "--input", "list.json"], 6, "input", "object", id="start: input is a list"),
    pytest.param(
        ["start", "letter", "--input", "list.json", "-i", "name=a"], 6, "input", "object", id="start: key in a list"
    ),
    pytest.param(["start", "plain", "-i", "x=1"], 6, "input", "'x'", id="start: input where there is none"),
    pytest.param(["--as", "a:b", "start", "plain"], 6, "person", "a:b", id="start: a name that is none"),
    # runs
    pytest.param(["runs", "--status", "wating"], 2, "usage", "did you mean 'waiting'?", id="runs: no such status"),
    pytest.param(["runs", "--limit", "0"], 2, "usage", "limit", id="runs: limit of nothing"),
    pytest.param(["runs", "--limit", "x"], 2, "usage", "--limit", id="runs: limit is no number"),
    pytest.param(["runs", "--after", "garbage"], 2, None, "garbage", id="runs: no cursor"),
    # show, why, history
    pytest.param(["show"], 2, "usage", "missing argument", id="show: nothing"),
    pytest.param(["show", "x"], 3, "not_found", "'x'", id="show: no id"),
    pytest.param(["show", "run_zzz"], 3, "not_found", "run_zzz", id="show: no such run"),
    pytest.param(["show", "req_zzz"], 3, "not_found", "req_zzz", id="show: no such request"),
    pytest.param(["show", "run_"], 2, "ambiguous", "several", id="show: beginning of several"),
    pytest.param(["why", "run_zzz"], 3, "not_found", "run_zzz", id="why: no such run"),
    pytest.param(["history", "run_zzz"], 3, "not_found", "run_zzz", id="history: no such run"),
    # inbox
    pytest.param(["inbox", "--priority", "hihg"], 2, "usage", "did you mean 'high'?", id="inbox: no such priority"),
    pytest.param(["inbox", "--due", "soon"], 6, "duration", "soon", id="inbox: no duration"),
    pytest.param(["inbox", "--after", "garbage"], 2, None, "garbage", id="inbox: no cursor"),
    # artifact
    pytest.param(["artifact", "{edit}"], 2, "usage", "missing argument", id="artifact: no name"),
    pytest.param(["artifact", "{edit}", "lettr"], 3, "not_found", "did you mean 'letter'?", id="artifact: none such"),
    pytest.param(["artifact", "{edit}", "letter", "2"], 3, "not_found", "not 2", id="artifact: no such revision"),
    pytest.param(["artifact", "{edit}", "letter", "-o", "no/x"], 2, "usage", "cannot be", id="artifact: no folder"),
    # decide
    pytest.param(["decide", "{edit}"], 2, "usage", "missing argument", id="decide: no option"),
    pytest.param(["decide", "req_zzz", "accept"], 3, "not_found", "req_zzz", id="decide: no such request"),
    pytest.param(["decide", "{edit}", "acept"], 6, "option", "did you mean 'accept'?", id="decide: no such option"),
    pytest.param(["decide", "{edit}", "revise"], 6, "comment", "needs a comment", id="decide: comment is missing"),
    pytest.param(["decide", "{edit}", "accept", "-a", "x=1"], 6, "answers", "no form", id="decide: answers, no form"),
    pytest.param(
        ["decide", "{edit}", "accept", "--artifact", "none.txt"], 3, "not_found", "none.txt", id="decide: no edit"
    ),
    pytest.param(
        ["decide", "{edit}", "accept", "--artifact", "latin.txt"], 6, "not_utf8", "0xeb", id="decide: edit not UTF-8"
    ),
    pytest.param(
        ["decide", "{table}", "accept", "--artifact", "edit.txt"], 6, "not_json", "edit.txt", id="decide: edit no JSON"
    ),
    pytest.param(
        ["decide", "{table}", "accept", "--artifact", "null.json"], 6, "artifact", "null", id="decide: edit is null"
    ),
    pytest.param(["decide", "{edit}", "accept", "--base", "9"], 6, "base", "revision 9", id="decide: no such base"),
    pytest.param(["decide", "{edit}", "accept", "--base", "x"], 2, "usage", "--base", id="decide: base is no number"),
    pytest.param(
        ["--as", "bea", "decide", "{sign}", "approve", "-a", "inc=blue"],
        6,
        "answers",
        "'ink'",
        id="decide: no such answer",
    ),
    pytest.param(
        ["--as", "bea", "decide", "{sign}", "approve", "-a", "ink=blue", "-a", "pages=x"],
        *(6, "answers", "pages"),
        id="decide: answer of a wrong type",
    ),
    pytest.param(["--as", "bea", "decide", "{sign}", "approve"], 6, "answers", "ink", id="decide: answers are missing"),
    pytest.param(["--as", "bea", "decide", "{sign}", "reject"], 6, "comment", "comment", id="decide: reject needs one"),
    # tick, verify, retry, cancel
    pytest.param(["tick", "--limit", "0"], 2, "usage", "limit", id="tick: limit of nothing"),
    pytest.param(["verify", "run_zzz"], 3, "not_found", "run_zzz", id="verify: no such run"),
    pytest.param(["retry", "run_zzz"], 3, "not_found", "run_zzz", id="retry: no such run"),
    pytest.param(["retry", "{edit}"], 4, None, "failed", id="retry: not failed"),
    pytest.param(["cancel", "{done}"], 4, None, "ended", id="cancel: has ended"),
    pytest.param(["demo", "--no"], 2, "usage", "--no", id="demo: no such option"),
]


@pytest.mark.parametrize(("words", "status", "code", "said"), REFUSALS)
def test_bad_input_is_refused_and_changes_nothing(
    flow: Flow, words: Sequence[str], status: int, code: str | None, said: str
) -> None:
    before = _dump()

    for_people = flow(*words) if words else flow("--as", "ann")
    for_programs = flow("--json", *words)

    assert (for_people.status, for_people.out) == (status, b"")
    assert for_people.err.startswith("error: ")
    assert said in for_people.err
    error = for_programs.json["error"]
    assert (for_programs.status, for_programs.err) == (status, "")
    assert set(error) == {"code", "message", "details"}
    assert code in (None, error["code"])
    assert _dump() == before


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        pytest.param(["decide", "{sign}", "approve"], 5, "not_allowed", id="not assigned"),
        pytest.param(["decide", "{sign_request}", "revise"], 4, "already_decided", id="already decided"),
        pytest.param(["decide", "{done}", "approve"], 4, "no_open_request", id="no open request"),
        pytest.param(["decide", "{edit}", "accept", "--at", "sign"], 4, "elsewhere", id="elsewhere"),
    ],
)
def test_refusals_for_being_late_or_another_are_noted_and_move_nothing(
    flow: Flow, project: Mapping[str, str], words: Sequence[str], status: int, code: str
) -> None:
    run_id = project[words[1].strip("{}").removesuffix("_request")]
    before = _kinds(run_id)

    result = flow("--json", *words)

    assert (result.status, result.json["error"]["code"]) == (status, code)
    assert _kinds(run_id) == [*before, "decision.refused"]


def test_an_old_revision_is_refused_with_the_latest(flow: Flow) -> None:
    flow("decide", "{edit}", "revise", "--comment", "again", "--artifact", "edit.txt")

    result = flow("decide", "{edit}", "accept", "--base", "1", "--json")

    assert (result.status, result.json["error"]["code"]) == (4, "stale_revision")


def test_a_key_stands_for_one_body(flow: Flow) -> None:
    first = flow("start", "letter", "-i", "name=a", "--key", "k", "--json")
    again = flow("start", "letter", "-i", "name=a", "--key", "k", "--json")
    other = flow("start", "letter", "-i", "name=b", "--key", "k", "--json")

    assert first.json["id"] == again.json["id"]
    assert (other.status, other.json["error"]["code"]) == (4, "key_reused")


def test_settings_that_are_wrong_are_named(flow: Flow) -> None:
    Path("flow.toml").write_text("databse = 'x'")

    result = flow("runs", "--json")

    assert (result.status, result.json["error"]["code"]) == (6, "settings")
    assert "did you mean 'database'?" in result.json["error"]["message"]


def test_every_error_has_an_exit_status() -> None:
    classes = {kind.__name__ for kind in errors.HoldpointError.__subclasses__()}

    assert set(cli.EXIT_STATUSES) == classes - {"RunFailed"}, "RunFailed is raised for callers of the API alone"


def test_a_database_that_is_none_is_reported(flow: Flow) -> None:
    Path("notes.db").write_text("not a database, however long the text that is in it may be" * 20)

    result = flow("--db", "sqlite:///notes.db", "runs", "--json")

    assert result.status == 70
    assert result.json["error"]["message"].startswith("database ")


def test_a_bug_of_ours_is_reported_without_its_traceback(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(Engine, "runs", broken)

    result = flow("runs")
    saved = flow("--json", "runs").json["error"]["details"]["traceback"]

    assert result.status == 70
    assert result.err.startswith("error: internal error: ZeroDivisionError: a bug; the traceback is in ")
    assert result.err.count("\n") == 1
    assert "ZeroDivisionError" in Path(saved).read_text()


def test_a_bug_of_ours_shows_its_traceback_when_asked(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOW_DEBUG", "1")
    monkeypatch.setattr(Engine, "runs", None)

    assert "Traceback" in flow("runs").err


# --- what is there is shown -------------------------------------------------------------------------------------------

RUN_KEYS = {
    *("id", "workflow", "definition", "status", "state", "outcome", "input", "results", "output", "artifacts"),
    *("requests", "initiator", "visits", "parent", "error", "started_at", "updated_at", "ended_at"),
}
REQUEST_KEYS = {
    *("id", "run", "workflow", "state", "kind", "message", "options", "form", "show", "assign", "exclude"),
    *("claimed_by", "priority", "status", "votes", "opened_at", "due_at", "default", "decision"),
}
DECISION_KEYS = {"decision", "by", "by_kind", "comment", "answers", "at", "artifacts", "votes"}
ENTRY_KEYS = {"seq", "at", "kind", "actor", "actor_kind", "data", "prev", "hash"}


def test_start_prints_the_run(flow: Flow) -> None:
    run = flow("start", "letter", "-i", "name=ann", "--json")

    assert run.status == 0
    assert run.json.keys() >= RUN_KEYS
    assert (run.json["status"], run.json["state"], run.json["initiator"]) == ("waiting", "edit", "ann")
    assert run.json["artifacts"]["letter"].keys() == {"revision", "author", "author_kind", "sha256", "content"}
    assert run.json["requests"][0].keys() >= REQUEST_KEYS


def test_start_says_how_to_answer(flow: Flow) -> None:
    result = flow("start", "letter", "-i", "name=ann")

    assert result.status == 0
    assert "waits in edit" in result.text
    assert "flow decide req_" in result.text
    assert " revise --comment TEXT\n" in result.text


def test_start_can_leave_the_work_to_a_tick(flow: Flow) -> None:
    run = flow("start", "broken", "--no-advance", "--json")

    assert (run.status, run.json["status"], run.json["state"]) == (0, "running", "work")


def test_settings_can_leave_the_work_to_a_tick(flow: Flow) -> None:
    Path("flow.toml").write_text(f"advance = false\n{SETTINGS}")

    assert flow("start", "broken", "--json").json["status"] == "running"
    assert flow("start", "broken", "--advance", "--json").json["status"] == "failed"


def test_the_ways_to_answer_lead_to_the_same_place(flow: Flow) -> None:
    given = flow("--db", "sqlite:///a b.db", "start", "letter", "-i", "name=ann", "--as", "ann").text
    other = flow("--as", "ann", "decide", "{edit}", "accept").text
    mine = flow("--as", "bea", "show", "{sign_gate}").text

    assert "flow --db 'sqlite:///a b.db' --as ann decide req_" in given
    assert "    flow decide req_" in other, "ann is no boss, so it is not for her"
    assert "flow --as bea decide req_" in mine


def test_a_run_that_fails_is_printed_with_status_7(flow: Flow) -> None:
    run = flow("start", "broken", "--json")
    for_people = flow("start", "broken")

    assert (run.status, run.json["status"]) == (7, "failed")
    assert run.json["error"].keys() == {"code", "message", "state", "attempt", "details", "stderr"}
    assert for_people.status == 7
    assert f"flow retry {for_people.text.split()[0]}" in for_people.text


def test_retry_takes_a_failed_run_up_again(flow: Flow) -> None:
    Path("flows/broken.yaml").unlink()

    run = flow("retry", "{failed}", "--reason", "try", "--json")

    assert (run.status, run.json["status"]) == (7, "failed")


def test_cancel_ends_a_run(flow: Flow, project: Mapping[str, str]) -> None:
    run = flow("cancel", "{edit}", "--reason", "no need", "--json")

    assert (run.status, run.json["status"], run.json["requests"]) == (0, "cancelled", [])
    assert flow("decide", "{edit_request}", "accept", "--json").json["error"]["code"] == "void"


def test_decide_prints_the_run(flow: Flow) -> None:
    run = flow("decide", "{edit_request}", "accept", "--json")

    assert run.status == 0
    assert run.json.keys() >= RUN_KEYS | {"replayed"}
    assert (run.json["state"], run.json["replayed"]) == ("sign", False)


@pytest.mark.parametrize("target", [("{edit_request}",), ("{edit}", "--at", "edit")])
def test_the_same_decision_again_is_a_replay(flow: Flow, target: Sequence[str]) -> None:
    words = ("decide", *target, "accept", "--artifact", "edit.txt", "--json")

    first, again = flow(*words), flow(*words)

    assert (again.status, again.json["replayed"]) == (0, True)
    assert again.json | {"replayed": False} == first.json


def test_answers_are_typed_by_the_form(flow: Flow) -> None:
    run = flow("--as", "bea", "decide", "{sign}", "approve", "-a", "ink=7", "-a", "pages=7", "--json")
    again = flow("--as", "bea", "decide", "{sign}", "approve", "-a", "ink=7", "-a", "pages=7", "--json")

    assert run.json["results"]["sign"]["answers"] == {"ink": "7", "pages": 7}
    assert (run.json["status"], run.json["outcome"], again.json["replayed"]) == ("done", "success", True)


def test_a_decision_may_be_left_to_a_tick(flow: Flow) -> None:
    run = flow("--as", "bea", "decide", "{sign}", "reject", "--comment", "no", "-a", "ink=-", "--no-advance", "--json")

    assert (run.status, run.json["status"], run.json["outcome"]) == (0, "done", "failure")


def test_runs_are_listed_newest_first(flow: Flow, project: Mapping[str, str]) -> None:
    listed = flow("runs", "--json")

    assert listed.json.keys() == {"runs", "next"}
    assert listed.json["runs"][0]["id"] == project["ready"]
    assert listed.json["runs"][0].keys() >= RUN_KEYS - {"input", "results", "artifacts", "requests"}
    assert not listed.json["runs"][0].keys() & {"input", "results", "artifacts", "requests"}


def test_runs_are_chosen_and_paged(flow: Flow, project: Mapping[str, str]) -> None:
    chosen = flow("runs", "--status", "done,failed", "--status", "running", "--json").json["runs"]
    named = flow("runs", "--workflow", "table", "--json").json["runs"]
    first = flow("runs", "--limit", "4", "--json").json
    rest = flow("runs", "--limit", "4", "--after", first["next"], "--json").json

    assert {run["id"] for run in chosen} == {project["done"], project["failed"], project["ready"]}
    assert [run["id"] for run in named] == [project["table"]]
    assert (len(first["runs"]), len(rest["runs"]), rest["next"]) == (4, 2, None)


def test_ids_are_never_cut(flow: Flow, project: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")

    assert project["edit"] in flow("runs").text
    assert project["edit_request"] in flow("inbox").text


def test_the_inbox_is_most_urgent_first(flow: Flow, project: Mapping[str, str]) -> None:
    listed = flow("inbox", "--json").json

    assert listed.keys() == {"requests", "next"}
    assert listed["requests"][0]["id"] == project["sign_gate"]
    assert listed["requests"][0].keys() >= REQUEST_KEYS
    assert listed["requests"][0]["show"][0].keys() == {"name", "revision", "sha256"}


def test_the_inbox_can_be_narrowed(flow: Flow, project: Mapping[str, str]) -> None:
    def ids(*words: str) -> list[str]:
        return [request["id"] for request in flow("inbox", "--json", *words).json["requests"]]

    assert project["sign_gate"] not in ids("--mine")
    assert project["sign_gate"] in ids("--mine", "--as", "bea")
    assert ids("--due", "3d") == ids("--priority", "high") == [project["sign_gate"]]
    assert ids("--due", "1d") == []
    assert len(ids("--workflow", "letter")) == 2


def test_show_shows_a_run(flow: Flow, project: Mapping[str, str]) -> None:
    shown, short = flow("show", "{edit}", "--json"), flow("show", project["edit"][:12], "--json")

    assert shown.json == short.json
    assert shown.json.keys() >= RUN_KEYS
    assert "Dear ann" in flow("show", "{edit}").text


def test_show_shows_a_request_with_its_contents(flow: Flow) -> None:
    shown = flow("show", "{sign_gate}", "--json").json
    text = flow("show", "{sign_gate}").text

    assert shown["show"][0]["content"] == "Dear ann"
    assert shown["default"] == {"decision": "reject", "answers": {"ink": "none"}}
    assert "Dear ann" in text
    assert "role:boss" in text
    assert "approve -a ink=…" in text


def test_show_shows_a_decision(flow: Flow) -> None:
    shown = flow("show", "{done_gate}", "--json").json

    assert (shown["status"], shown["decision"]["by"]) == ("decided", "bea")
    assert shown["decision"].keys() >= DECISION_KEYS
    assert "approve by bea" in flow("show", "{done_gate}").text


def test_history_lists_every_entry(flow: Flow) -> None:
    entries = flow("history", "{done}", "--json").json["events"]
    lines = flow("history", "{done}").text.splitlines()

    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[0].keys() >= ENTRY_KEYS
    assert len(lines) == len(entries)
    assert all(entry["kind"] in line for entry, line in zip(entries, lines, strict=True))


def test_why_says_who_may_act(flow: Flow) -> None:
    assert "role:boss" in flow("why", "{sign}").text
    assert "role:boss" in flow("why", "{sign}", "--json").json["why"]


def test_tick_prints_counts(flow: Flow) -> None:
    counts = flow("tick", "--json")

    assert counts.status == 0
    assert list(counts.json) == [
        *("defaults", "reminders", "escalations", "retries", "woken"),
        *("recovered", "advanced", "notified", "failed", "errors"),
    ]
    assert (counts.json["advanced"], counts.json["failed"], counts.json["errors"]) == (1, 1, 0)
    assert flow("tick").text == "nothing to do\n"


def test_tick_exits_with_70_when_the_pass_could_not_handle_something(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tick(engine: Engine, limit: int | None) -> dict[str, int]:
        try:
            raise ZeroDivisionError("a bug")
        except ZeroDivisionError:
            logging.getLogger("holdpoint.tick").exception("run %s could not be handled in this pass", "run_x")
        return {"advanced": 1, "errors": 1}

    monkeypatch.setattr(Engine, "tick", tick)

    result = flow("tick", "--json")

    assert (result.status, result.json) == (70, {"advanced": 1, "errors": 1})
    assert result.err == "warning: run run_x could not be handled in this pass: ZeroDivisionError: a bug\n"


def test_verify_finds_nothing_in_what_is_whole(flow: Flow) -> None:
    assert (flow("verify", "--json").status, flow("verify", "--json").json) == (0, {"findings": []})
    assert flow("verify").text == "ok: 6 runs\n"
    assert flow("verify", "{edit}").text == "ok: 1 run\n"


def test_verify_exits_with_1_for_what_was_tampered_with(flow: Flow) -> None:
    connection = sqlite3.connect("flow.db")
    with connection:
        connection.execute("UPDATE history SET actor = 'mallory' WHERE kind = 'request.decided'")
    connection.close()

    result = flow("verify", "--json")

    assert result.status == 1
    assert result.json["findings"][0].keys() >= {"run", "code", "message"}
    assert flow("verify", "{done}").status == 1


def test_check_prints_findings_with_their_places(flow: Flow) -> None:
    wrong = flow("check", "flows/wrong.yaml", "--json")
    findings = wrong.json["findings"]

    assert wrong.status == 1
    assert findings[0].keys() >= {"file", "line", "column", "severity", "code", "message", "fix"}
    assert (findings[0]["file"], findings[0]["line"]) == ("flows/wrong.yaml", 4)
    assert flow("check", "wrong").text.startswith("flows/wrong.yaml:4:")


def test_a_wrong_workflow_is_named_as_one_would_type_it(flow: Flow) -> None:
    result = flow("start", "wrong")

    assert result.err.startswith("error: the workflow cannot be used\nflows/wrong.yaml:4:")


def test_check_without_a_name_checks_the_project(flow: Flow) -> None:
    assert flow("check").status == 1
    Path("flows/wrong.yaml").unlink()
    assert flow("check").status == 0


def test_check_is_strict_about_warnings_when_asked(flow: Flow) -> None:
    Path("warned.yaml").write_text(PLAIN.replace("timeout: 1h, default: reject, ", ""))

    assert flow("check", "warned.yaml").status == 0
    assert flow("check", "--strict", "warned.yaml").status == 1


def test_a_warning_that_is_ignored_does_not_count(flow: Flow) -> None:
    warned = PLAIN.replace("timeout: 1h, default: reject, ", "")
    path = Path("warned.yaml")
    path.write_text(re.sub(r"(ask: .*)", r"\1  # flow: ignore HP215", warned))

    assert flow("check", "--strict", "warned.yaml") == Result(status=0, out=b"ok: 1 file, 1 warning ignored\n", err="")
    assert flow("check", "warned.yaml", "--json").json == {"findings": [], "ignored": 1}

    path.write_text(re.sub(r"(ask: .*)", r"\1  # flow: ignore HP215 HP250", warned))

    assert flow("check", "--strict", "warned.yaml").status == 1
    assert flow("check", "warned.yaml").text.endswith("\n1 file: 1 warning, 1 warning ignored\n")


def test_check_writes_a_file_for_programs_alone(flow: Flow) -> None:
    result = flow("check", "letter", "-o", "found.txt")

    assert (result.status, result.out) == (2, b"")
    assert "add --format json or --format sarif" in result.err
    assert not Path("found.txt").exists()


def test_check_prints_json_by_either_name(flow: Flow) -> None:
    assert flow("check", "--format", "json").json == flow("check", "--json").json
    assert flow("check", "--format", "json", "-o", "found.json", "--json").json == flow("check", "--json").json
    assert json.loads(Path("found.json").read_text()) == flow("check", "--json").json


def test_check_refuses_another_format(flow: Flow) -> None:
    result = flow("check", "--format", "srif")

    assert (result.status, result.out) == (2, b"")
    assert "sarif" in result.err


def test_schema_prints_json(flow: Flow) -> None:
    assert flow("schema").json == flow("schema", "--json").json
    assert flow("schema").json["type"] == "object"


@pytest.mark.parametrize("source", ["letter", "flows/letter.yaml", "{edit}"])
@pytest.mark.parametrize("form", ["text", "mermaid", "dot"])
def test_graph_draws_files_names_and_runs(flow: Flow, source: str, form: str) -> None:
    drawn = flow("graph", source, "--format", form, "--json")

    assert (drawn.status, drawn.json["format"]) == (0, form)
    assert "sign" in drawn.json["graph"]
    assert flow("graph", source, "--format", form).text.strip() == drawn.json["graph"].strip()


def test_graph_is_written_into_a_file(flow: Flow) -> None:
    flow("graph", "letter", "--format", "dot", "-o", "letter.dot")

    assert Path("letter.dot").read_text() == flow("graph", "letter", "--format", "dot").text


@pytest.mark.parametrize(("file", "begins"), [("letter.mmd", "---"), ("letter.gv", "digraph"), ("letter", "letter")])
def test_the_format_is_that_of_the_files_ending(flow: Flow, file: str, begins: str) -> None:
    flow("graph", "letter", "-o", file)

    assert Path(file).read_text().startswith(begins)


def test_the_heat_counts_the_runs_of_the_database(flow: Flow) -> None:
    text = flow("graph", "letter", "--heat").text
    Path("flows/letter.yaml").write_text(LETTER.replace("Sign it?", "Will you sign it?"))

    assert "letter\n3 runs of this version\n" in text
    assert "      accept → sign   2 runs\n" in text
    assert "0 runs of this version; 3 of other versions left out\n" in flow("graph", "letter", "--heat").text
    assert "3 runs of all versions\n" in flow("graph", "letter", "--heat", "--all-versions").text


@pytest.mark.parametrize("form", ["png", "pdf"])
def test_a_terminal_gets_no_bytes_of_a_picture(project: Mapping[str, str], form: str) -> None:
    shown = _on_a_terminal("graph", "letter", "--format", form, status=2)

    assert f"a terminal cannot show {form}; write it into a file with -o OUT.{form}" in shown


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        pytest.param("name=120", {"name": "120"}, id="string as written"),
        pytest.param('name="a"', {"name": '"a"'}, id="string with quotes as written"),
        pytest.param("name=a=b", {"name": "a=b"}, id="only the first = counts"),
        pytest.param("name=", {"name": ""}, id="an empty string"),
        pytest.param("count=120", {"count": 120}, id="integer"),
        pytest.param("either=120", {"either": "120"}, id="string or null: a number is a string"),
        pytest.param("either=null", {"either": None}, id="string or null: null"),
        pytest.param("any=120", {"any": 120}, id="no type: JSON"),
        pytest.param("any=NaN", {"any": "NaN"}, id="no type: NaN is no JSON"),
        pytest.param('any={"a": 1, "a": 2}', {"any": '{"a": 1, "a": 2}'}, id="no type: duplicate keys are no JSON"),
        pytest.param("any=so so", {"any": "so so"}, id="no type: else a string"),
        pytest.param('list=[1, "x"]', {"list": [1, "x"]}, id="array"),
        pytest.param("name=@edit.txt", {"name": "Dear Zoë,\r\nbye"}, id="a file, byte for byte"),
        pytest.param("any=@rows.json", {"any": {"rows": [3]}}, id="a file of JSON"),
    ],
)
def test_a_value_is_read_as_the_schema_says(flow: Flow, pair: str, expected: dict[str, Any]) -> None:
    run = flow("start", "letter", "--json", "-i", "name=x" if not pair.startswith("name") else "count=1", "-i", pair)

    assert run.status == 0
    assert run.json["input"].items() >= expected.items()


def test_pairs_override_the_input_file(flow: Flow) -> None:
    Path("input.yaml").write_text("name: yam\ncount: 2\n")

    from_json = flow("start", "letter", "--input", "input.json", "-i", "count=5", "--json")
    from_yaml = flow("start", "letter", "--input", "input.yaml", "--json")

    assert from_json.json["input"] == {"name": "ann", "count": 5}
    assert from_yaml.json["input"] == {"name": "yam", "count": 2}


def test_yaml_is_read_strictly(flow: Flow) -> None:
    Path("input.yaml").write_text("name: a\nname: b\n")

    result = flow("start", "letter", "--input", "input.yaml", "--json")

    assert result.status == 6
    assert "duplicate" in result.json["error"]["message"]


def test_a_text_artifact_goes_round_byte_for_byte(flow: Flow) -> None:
    flow("decide", "{edit}", "accept", "--artifact", "edit.txt")
    flow("artifact", "{edit}", "letter", "-o", "copy.txt")

    assert Path("copy.txt").read_bytes() == _FILES["edit.txt"]
    assert flow("artifact", "{edit}", "letter").out == _FILES["edit.txt"]
    assert flow("artifact", "{edit}", "letter", "1").out == b"Dear ann"
    assert flow("artifact", "{edit}", "letter", "--json").json.items() >= {"revision": 2, "author": "ann"}.items()


@pytest.mark.parametrize(("file", "rows"), [("rows.json", [3]), ("rows.yaml", [4])])
def test_any_other_artifact_is_json_or_yaml(flow: Flow, file: str, rows: list[int]) -> None:
    run = flow("decide", "{table}", "accept", "--artifact", file, "--json")

    assert run.json["output"] == {"rows": rows}
    assert json.loads(flow("artifact", "{table}", "table").out) == {"rows": rows}


# --- global options ---------------------------------------------------------------------------------------------------


def test_global_options_may_stand_before_or_after_the_command(flow: Flow) -> None:
    assert flow("--json", "runs").json == flow("runs", "--json").json
    assert flow("start", "plain", "--as", "bea", "--json").json["initiator"] == "bea"


def test_the_environment_names_database_and_person(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOW_DB", "sqlite:///other.db")
    monkeypatch.setenv("FLOW_USER", "eve")

    assert flow("start", "plain", "--json").json["initiator"] == "eve"
    assert Path("other.db").exists()


def test_the_project_is_the_nearest_one_upwards(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    below = flow("--project", str(Path.cwd()), "runs", "--json")
    monkeypatch.chdir("flows")

    assert flow("runs", "--json").json == below.json
    assert flow("check", "letter").status == 0


def test_looking_into_a_database_that_is_not_there_makes_none(flow: Flow) -> None:
    listed = flow("--db", "sqlite:///none.db", "runs", "--json")

    assert (listed.status, listed.json) == (0, {"runs": [], "next": None})
    assert "there is no database" in listed.err
    assert not Path("none.db").exists()


def test_the_system_user_is_the_default(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOW_USER")
    monkeypatch.setattr("getpass.getuser", lambda: "sys")

    assert flow("start", "plain", "--json").json["initiator"] == "sys"


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_explains_itself(flow: Flow, name: str) -> None:
    shown = flow(name, "--help")

    assert shown.status == 0
    assert shown.text.startswith(f"Usage: flow {name} ")


def test_flow_alone_shows_its_help(flow: Flow) -> None:
    assert (flow().status, flow("--help").status) == (2, 0)
    assert all(f"  {name} " in flow("--help").text for name in cli.COMMANDS)
    assert re.findall(r"^(\w[\w ]*):$", flow("--help").text, re.MULTILINE) == ["Options", *cli.SECTIONS]
    assert flow("--version").text == "flow 0.1.0\n"


# --- terminals and processes ------------------------------------------------------------------------------------------

EVIL = "\x1b]0;owned\x07\x1b[2J\u202egnp"


def test_control_characters_reach_nobody(flow: Flow) -> None:
    run = flow("start", "letter", "-i", f"name={EVIL}", "--json").json

    shown = flow("show", run["id"]).text + flow("show", run["requests"][0]["id"]).text + flow("inbox").text

    assert "\\x1b]0;owned\\x07\\x1b[2J\\u202egnp" in shown
    assert not any(character in shown for character in "\x1b\x07\u202e")
    assert flow("show", run["id"], "--json").json["input"] == {"name": EVIL}


def test_markup_is_not_read_in_data(flow: Flow) -> None:
    flow("start", "letter", "-i", "name=[bold]x[/bold] :smile:")

    assert "[bold]x[/bold] :smile:" in flow("inbox").text


def test_escape_leaves_plain_text_alone() -> None:
    assert output.escape("Zoë 👩‍👩‍👧 \t x") == "Zoë 👩‍👩‍👧 \t x"
    assert output.escape("\ud800") == "\\ud800"


def _process(*words: str, **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "holdpoint.cli", *words]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)


def _on_a_terminal(*words: str, status: int = 0, **environment: str) -> str:
    terminal, end = pty.openpty()
    try:
        process = _process(*words, stdout=end, stderr=end, env={**os.environ, "TERM": "xterm-256color", **environment})
        os.close(end)
        shown = b""
        while part := _read(terminal):
            shown += part
        assert process.wait() == status
        return shown.decode()
    finally:
        os.close(terminal)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_a_terminal_gets_colour_unless_it_is_refused(project: Mapping[str, str]) -> None:
    assert "\x1b[" in _on_a_terminal("runs")
    assert "\x1b[" not in _on_a_terminal("runs", NO_COLOR="1")
    assert project["edit"] in _on_a_terminal("runs", COLUMNS="20", NO_COLOR="1")


def test_a_reader_that_goes_away_is_no_error(project: Mapping[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = _process("schema", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)

    assert process.communicate()[1] == b""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("words", [["runs"], ["runs", "--json"]])
def test_output_that_cannot_be_written_is_an_error(project: Mapping[str, str], words: Sequence[str]) -> None:
    with open("/dev/full", "wb") as full:
        process = _process(*words, stdout=full, stderr=subprocess.PIPE)
        err = process.communicate()[1]

    assert process.returncode == 70
    assert err.startswith(b"error: standard output cannot be written")
    assert err.count(b"\n") == 1


def test_closed_streams_are_no_error(project: Mapping[str, str]) -> None:
    script = f"exec {sys.executable} -P -m holdpoint.cli start plain <&- >&- 2>&-"

    assert subprocess.run(["sh", "-c", script], check=False).returncode == 0
    with Engine() as engine:
        assert engine.runs(workflow="plain").items != ()


INTERRUPTING = """
workflow: interrupting
states:
  work:
    type: agent
    command: [python, -c, "import os, pathlib, signal; m = pathlib.Path('mark'); m.exists() or (m.touch(), \
os.kill(os.getppid(), signal.SIGINT), signal.pause()); print(1)"]
    next: end
  end: {type: end}
"""


def test_an_interrupted_command_says_so_in_a_line_and_a_tick_goes_on(project: Mapping[str, str], flow: Flow) -> None:
    Path("flows/interrupting.yaml").write_text(INTERRUPTING)

    process = _process("start", "interrupting", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()

    assert (process.returncode, out) == (130, b"")
    assert err.strip().startswith(b"error: interrupted")
    assert err.strip().count(b"\n") == 0
    assert flow("tick", "--json").json["recovered"] == 1
    assert flow("runs", "--workflow", "interrupting", "--json").json["runs"][0]["status"] == "done"


def test_the_installed_command_is_this_one(project: Mapping[str, str]) -> None:
    command = Path(sys.executable).with_name("flow")

    done = subprocess.run([command, "show", project["edit"], "--json"], capture_output=True, check=True)

    assert json.loads(done.stdout)["id"] == project["edit"]


def test_the_demo_runs_and_leaves_nothing_behind(flow: Flow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOW_DB", f"sqlite:///{tmp_path}/flow.db")
    before = _dump()

    done = flow("demo", "--json")

    assert done.status == 0
    assert done.json.keys() == {"run", "project", "steps"}
    assert [step["status"] for step in done.json["steps"]].count(5) == 1
    assert list(tmp_path.glob("flow-demo-*")) == []
    assert _dump() == before


def test_interrupts_have_the_status_that_shells_expect() -> None:
    assert cli.INTERRUPTED == 128 + signal.SIGINT
    assert cli.BROKEN_PIPE == 128 + signal.SIGPIPE


def test_what_an_agent_prints_is_not_part_of_our_answer(flow: Flow) -> None:
    Path("chatty.py").write_text("def talk() -> int:\n    print('hello')\n    return 1\n")
    Path("chatty.yaml").write_text(
        "workflow: chatty\nstates:\n"
        "  talk: {type: agent, python: 'chatty:talk', isolate: false, next: end}\n  end: {type: end}\n"
    )

    result = flow("start", "chatty.yaml", "--json")

    assert result.json["results"] == {"talk": 1}
    assert "hello" in result.err


def test_a_stale_edit_shows_both_sides(flow: Flow, project: Mapping[str, str]) -> None:
    flow("decide", "{edit}", "revise", "--comment", "again")
    Path("mine.txt").write_text("Dear ann, I was here")

    result = flow("decide", "{edit}", "accept", "--artifact", "mine.txt", "--base", "1")

    assert result.status == 4
    assert "from the latest, revision 2 by draft, to yours:" in result.err
    assert "{+, I was here+}" in result.err
