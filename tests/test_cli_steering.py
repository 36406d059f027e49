"""The commands that steer: who works on a request, more time, signals, moves; redlines; the database; completion."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from holdpoint import Engine, cli
from holdpoint.commands import output

SETTINGS = """
workflows = ["flows"]
[people.olga]
roles = ["operator"]
[people.bea]
roles = ["boss"]
"""

LETTER = r"""
workflow: letter
title: A letter
on_cancel: tidy
states:
  draft: {type: agent, value: "Dear {{ run.initiator }},\nyou owe 5 EUR.\nbye\n", artifact: letter, next: count}
  count: {type: agent, value: {rows: [1, 2], "odd key": x, text: "one two"}, artifact: table, next: edit}
  edit:
    type: return
    message: "Read it"
    show: [letter]
    timeout: 2d
    default: accept
    on: {accept: pay, revise: draft}
  pay: {type: wait, signal: [paid, waived], output: {type: object}, on: {paid: ask, waived: done}}
  ask: {type: approval, message: "Close it?", timeout: never, on: {approve: done, reject: done}}
  tidy: {type: agent, value: 1, next: ended}
  done: {type: end, output: "{{ pay }}"}
  ended: {type: end, outcome: cancelled}
"""

TABLE = """
workflow: table
states:
  make: {type: agent, value: {rows: [1, 2], "odd key": x, text: "one two"}, artifact: table, next: look}
  look: {type: return, show: [table], timeout: never, on: {accept: kept, revise: make}}
  kept: {type: end}
"""

BROKEN = """
workflow: broken
states:
  work: {type: agent, command: [python, -c, "import sys; sys.exit('no luck')"], next: end}
  end: {type: end}
"""

FORMS = """
workflow: forms
states:
  ask:
    type: approval
    message: "Pay?"
    timeout: never
    forms:
      approve: {type: object, required: [amount], properties: {amount: {type: integer}}}
    on: {approve: end, reject: end}
  end: {type: end, output: "{{ ask.answers }}"}
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
_ID = re.compile(r"\{\w+\}")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, str]]:
    """A project with a run in every kind of rest, and the ids of these and of their requests."""
    folder = tmp_path_factory.mktemp("steering")
    (folder / "flows").mkdir()
    (folder / "flow.toml").write_text(SETTINGS)
    for name, text in {"letter": LETTER, "table": TABLE, "broken": BROKEN, "forms": FORMS}.items():
        (folder / "flows" / f"{name}.yaml").write_text(text)
    (folder / "ref.json").write_text('{"ref": 7}')
    (folder / "edit.txt").write_text("Dear Bob,\nyou owe 7 EUR.\nbye\n")
    return folder, _start_all(folder)


def _start_all(folder: Path) -> dict[str, str]:
    ids = {}
    with Engine(project=folder) as engine:
        letter = engine.load(folder / "flows/letter.yaml")
        for name in ("edit", "pay", "ask", "done"):
            run = engine.start(letter, initiator="bob")
            ids[name], ids[f"{name}_request"] = run.id, run.requests[0].id
            if name != "edit":
                engine.decide(run.id, "accept", by="ann", artifact="Dear Bob,\nyou owe 7 EUR.\nbye\n")
            if name == "ask":
                ids["ask_gate"] = engine.signal(run.id, "paid", {}).requests[0].id
            if name == "done":
                engine.signal(run.id, "waived", {"by": "ann"})
        ids["failed"] = engine.start(engine.load(folder / "flows/broken.yaml")).id
        ids["forms"] = engine.start(engine.load(folder / "flows/forms.yaml")).id
        ids["table"] = engine.start(engine.load(folder / "flows/table.yaml")).id
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
    monkeypatch.setenv("FLOW_USER", "olga")
    return template[1]


@pytest.fixture
def flow(project: Mapping[str, str], capfdbinary: pytest.CaptureFixture[bytes]) -> Flow:
    """Run `flow` in this process; `{name}` in an argument stands for an id of the project."""

    def call(*words: str) -> Result:
        capfdbinary.readouterr()
        status = cli.run([project[word[1:-1]] if _ID.fullmatch(word) else word for word in words])
        printed = capfdbinary.readouterr()
        return Result(status=status, out=printed.out, err=printed.err.decode())

    return call


def _dump() -> list[str]:
    connection = sqlite3.connect("flow.db")
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def _last(run_id: str) -> Any:
    with Engine() as engine:
        return engine.history(run_id)[-1]


# --- refusals ---------------------------------------------------------------------------------------------------------

REFUSALS = [
    pytest.param(["claim"], 2, "usage", "missing argument", id="claim: nothing"),
    pytest.param(["claim", "req_zzz"], 3, "not_found", "req_zzz", id="claim: no such request"),
    pytest.param(["claim", "{edit}"], 3, "not_found", "begins with req_", id="claim: a run"),
    pytest.param(["claim", "{edit_request}", "a:b"], 6, "person", "'a:b'", id="claim: a name that is none"),
    pytest.param(["claim", "{pay_request}"], 4, None, "no longer open", id="claim: settled"),
    pytest.param(["release", "{pay_request}"], 4, None, "no longer open", id="release: settled"),
    pytest.param(["release", "{edit_request}", "ann"], 2, "usage", "ann", id="release: an argument too many"),
    pytest.param(["assign", "req_zzz", "ann"], 3, "not_found", "req_zzz", id="assign: no such request"),
    pytest.param(["assign", "{edit_request}", "ann", "a:b"], 6, "person", "'a:b'", id="assign: a name that is none"),
    pytest.param(["assign", "{pay_request}", "ann"], 4, None, "no longer open", id="assign: settled"),
    pytest.param(["extend", "{edit_request}"], 2, "usage", "missing argument", id="extend: no duration"),
    pytest.param(["extend", "{edit_request}", "soon"], 6, "duration", "soon", id="extend: a duration that is none"),
    pytest.param(["extend", "{ask_gate}", "1d"], 6, "no_deadline", "no deadline", id="extend: no deadline"),
    pytest.param(["extend", "{pay_request}", "1d"], 4, None, "no longer open", id="extend: settled"),
    pytest.param(["extend", "{edit_request}", "1d", "--as", "ann"], 5, "not_allowed", "operator", id="extend: anybody"),
    pytest.param(["signal", "{pay}"], 2, "usage", "missing argument", id="signal: no name"),
    pytest.param(["signal", "run_zzz", "paid"], 3, "not_found", "run_zzz", id="signal: no such run"),
    pytest.param(["signal", "{pay}", "piad"], 6, "signal", "did you mean 'paid'?", id="signal: no such name"),
    pytest.param(["signal", "{done}", "paid", "--data", "{}"], 4, "ended", "has ended", id="signal: ended"),
    pytest.param(["signal", "{pay}", "paid", "--data", "[1"], 6, "not_json", "data is not JSON", id="signal: no JSON"),
    pytest.param(["signal", "{pay}", "paid", "--data", "@no"], 3, "not_found", "'no'", id="signal: no such file"),
    pytest.param(["signal", "{pay}", "paid", "--data", "7"], 6, "signal", "object", id="signal: data of a wrong type"),
    pytest.param(["signal", "{pay}", "paid", "--as", "a:b", "--data", "7"], 6, None, "", id="signal: by nobody"),
    pytest.param(["move", "{edit}"], 2, "usage", "missing argument", id="move: no state"),
    pytest.param(["move", "run_zzz", "pay"], 3, "not_found", "run_zzz", id="move: no such run"),
    pytest.param(["move", "{edit}", "pya"], 6, "state", "did you mean 'pay'?", id="move: no such state"),
    pytest.param(["move", "{done}", "pay"], 4, "ended", "has ended", id="move: ended"),
    pytest.param(["move", "{edit}", "pay", "--as", "ann"], 5, "not_allowed", "operator", id="move: anybody"),
    pytest.param(["cancel", "{edit}", "--as", "ann"], 5, "not_allowed", "operator", id="cancel: anybody"),
    pytest.param(["retry", "{failed}", "--as", "ann"], 5, "not_allowed", "operator", id="retry: anybody"),
    pytest.param(["diff", "{pay}"], 2, "usage", "missing argument", id="diff: no artifact"),
    pytest.param(["diff", "run_zzz", "letter"], 3, "not_found", "run_zzz", id="diff: no such run"),
    pytest.param(["diff", "{pay}", "lettr"], 3, "not_found", "did you mean 'letter'?", id="diff: no such artifact"),
    pytest.param(["diff", "{pay}", "letter", "9"], 3, "not_found", "not 9", id="diff: no such revision"),
    pytest.param(["diff", "{pay}", "letter", "1", "0"], 3, "not_found", "not 0", id="diff: no revision 0"),
    pytest.param(["diff", "{pay}", "letter", "x"], 2, "usage", "'x'", id="diff: no number"),
    pytest.param(["diff", "{pay}", "letter", "1", "2", "3"], 2, "usage", "3", id="diff: a number too many"),
    pytest.param(["diff", "{edit}", "letter"], 3, "not_found", "only revision 1", id="diff: one revision"),
    pytest.param(["history", "run_zzz", "--follow"], 3, "not_found", "run_zzz", id="history: no such run to follow"),
    pytest.param(["--db", "sqlite:///no.db", "db", "check"], 3, "not_found", "no.db", id="db check: no database"),
    pytest.param(["db", "upgrade", "--db", "sqlite:///no.db"], 3, "not_found", "no.db", id="db upgrade: no database"),
    pytest.param(["db", "chekc"], 2, "usage", "chekc", id="db: no such command"),
    pytest.param(["db", "check", "now"], 2, "usage", "now", id="db check: an argument too many"),
    pytest.param(["serve"], 2, "usage", "web inbox is not available in this version; add --no-web", id="serve: web"),
    pytest.param(["serve", "--no-web", "--workers", "0"], 2, "usage", "at least 1, not 0", id="serve: no workers"),
    pytest.param(["serve", "--no-web", "--workers", "x"], 2, "usage", "'x'", id="serve: workers are no number"),
    pytest.param(["serve", "--no-web", "--sweep", "0s"], 6, "duration", "zero", id="serve: no sweep"),
    pytest.param(["serve", "--no-web", "--health", "no/x"], 2, "usage", "'no/x' cannot be", id="serve: no such folder"),
    pytest.param(["serve", "--no-web", "--health", "flows"], 2, "usage", "'flows' cannot", id="serve: health is a dir"),
    pytest.param(
        ["decide", "{forms}", "approve", "-a", "amuont=1"], 6, "answers", "'amount'", id="decide: no such key"
    ),
]


@pytest.mark.parametrize(("words", "status", "code", "said"), REFUSALS)
def test_bad_input_is_refused_and_changes_nothing(
    flow: Flow, words: Sequence[str], status: int, code: str | None, said: str
) -> None:
    before = _dump()

    for_people = flow(*words)
    for_programs = flow("--json", *words)

    assert (for_people.status, for_people.out) == (status, b"")
    assert for_people.err.startswith("error: ")
    assert said in for_people.err
    error = for_programs.json["error"]
    assert (for_programs.status, for_programs.err) == (status, "")
    assert code in (None, error["code"])
    assert _dump() == before


# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_claim_is_shown_to_the_others_and_forbids_nobody(flow: Flow) -> None:
    claimed = flow("claim", "{edit_request}", "--as", "ann")

    assert (claimed.status, claimed.text.endswith("in edit of letter is claimed by ann\n")) == (0, True)
    assert "anyone, claimed by ann" in flow("inbox").text
    assert "claimed by" in flow("show", "{edit_request}").text
    assert flow("decide", "{edit_request}", "accept", "--as", "bea", "--json").json["state"] == "pay"


def test_somebody_else_may_be_said_to_work_on_it(flow: Flow, project: Mapping[str, str]) -> None:
    claimed = flow("claim", "{edit_request}", "zoe", "--json").json

    assert claimed["claimed_by"] == "zoe"
    assert (_last(project["edit"]).kind, _last(project["edit"]).actor) == ("request.claimed", "olga")


def test_a_released_request_is_claimed_by_nobody(flow: Flow) -> None:
    flow("claim", "{edit_request}")

    assert "is claimed by nobody" in flow("release", "{edit_request}").text
    assert flow("show", "{edit_request}", "--json").json["claimed_by"] is None


def test_those_who_are_assigned_may_decide_and_nobody_else(flow: Flow) -> None:
    said = flow("assign", "{edit_request}", "role:boss", "ann")

    assert said.text.endswith("is for role:boss, ann\n")
    assert flow("decide", "{edit_request}", "accept", "--as", "zoe").status == 5
    assert flow("decide", "{edit_request}", "accept", "--as", "bea").status == 0


def test_without_a_name_anyone_is_assigned(flow: Flow) -> None:
    flow("assign", "{edit_request}", "ann")

    assert flow("assign", "{edit_request}", "--json").json["assign"] == []


def test_an_extended_request_is_due_later(flow: Flow, project: Mapping[str, str]) -> None:
    before = flow("show", "{edit_request}", "--json").json["due_at"]
    said = flow("extend", "{edit_request}", "1d", "--reason", "holidays")
    after = flow("show", "{edit_request}", "--json").json["due_at"]

    assert "is due at" in said.text
    assert datetime.fromisoformat(after) - datetime.fromisoformat(before) == timedelta(days=1)
    assert _last(project["edit"]).data["reason"] == "holidays"


def test_each_option_has_its_own_form(flow: Flow) -> None:
    shown = flow("show", "{forms}").text
    refused = flow("decide", "{forms}", "approve", "-a", "amount=x", "--json")
    done = flow("decide", "{forms}", "approve", "-a", "amount=7", "--json")

    assert " approve -a amount=…\n" in shown
    assert " reject\n" in shown
    assert (refused.status, refused.json["error"]["code"]) == (6, "answers")
    assert done.json["output"] == {"amount": 7}


# --- runs -------------------------------------------------------------------------------------------------------------


def test_a_signal_takes_the_run_on(flow: Flow) -> None:
    run = flow("signal", "{pay}", "waived", "--data", "@ref.json", "--json")

    assert (run.status, run.json["status"], run.json["output"]) == (0, "done", {"ref": 7})


def test_a_signal_that_is_early_is_kept(flow: Flow) -> None:
    early = flow("signal", "{edit}", "waived", "--data", '{"early": true}')
    run = flow("decide", "{edit}", "accept", "--json").json

    assert "waits in edit" in early.text
    assert run["output"] == {"early": True}


def test_a_key_stands_for_one_signal(flow: Flow) -> None:
    words = ("signal", "{edit}", "paid", "--key", "k", "--json", "--data")

    first, again, other = flow(*words, "{}"), flow(*words, "{}"), flow(*words, '{"a": 1}')

    assert (first.status, first.json) == (0, again.json)
    assert (other.status, other.json["error"]["code"]) == (4, "key_reused")


def test_a_signal_says_who_sent_it(flow: Flow, project: Mapping[str, str]) -> None:
    flow("signal", "{edit}", "paid", "--data", "{}", "--as", "ann")

    assert (_last(project["edit"]).kind, _last(project["edit"]).actor) == ("signal.received", "ann")


@pytest.mark.parametrize("rest", ["edit", "pay", "failed"])
def test_a_run_is_moved_from_wherever_it_rests(flow: Flow, rest: str) -> None:
    state = "end" if rest == "failed" else "ask"

    run = flow("move", f"{{{rest}}}", state, "--reason", "by hand", "--json")

    assert (run.status, run.json["state"], run.json["error"]) == (0, state, None)


def test_a_move_voids_what_was_open_and_can_be_left_to_a_tick(flow: Flow) -> None:
    run = flow("move", "{edit}", "draft", "--no-advance", "--json")

    assert (run.status, run.json["requests"] == []) == (0, False), "values are made within the step"
    assert flow("show", "{edit_request}", "--json").json["status"] == "void"


def test_a_cancelled_run_cleans_up(flow: Flow, project: Mapping[str, str]) -> None:
    run = flow("cancel", "{edit}", "--reason", "no need", "--json")

    assert (run.status, run.json["state"], run.json["outcome"]) == (0, "ended", "cancelled")
    with Engine() as engine:
        assert [entry.actor for entry in engine.history(project["edit"]) if entry.kind == "operator.cancelled"] == [
            "olga"
        ]


# --- artifacts --------------------------------------------------------------------------------------------------------


def test_a_redline_marks_words_in_the_lines_that_changed(flow: Flow) -> None:
    lines = flow("diff", "{pay}", "letter").text.splitlines()

    assert lines[0].startswith("--- letter, revision 1 by draft (agent), ")
    assert lines[1].startswith("+++ letter, revision 2 by ann (human), ")
    assert lines[2:] == ["Dear [-bob-]{+Bob+},", "you owe [-5-]{+7+} EUR.", "bye"]


def test_a_redline_is_from_any_revision_to_any(flow: Flow) -> None:
    flow("decide", "{edit}", "revise", "--comment", "c", "--artifact", "edit.txt")

    def numbers(*words: str) -> tuple[int, int]:
        document = flow("diff", "{edit}", "letter", *words, "--json").json
        return document["old"]["revision"], document["new"]["revision"]

    assert (numbers(), numbers("1"), numbers("3", "1")) == ((2, 3), (1, 3), (3, 1))
    assert flow("diff", "{edit}", "letter", "1", "3").text.splitlines()[2:] == ["they are the same"]


def test_json_is_compared_path_by_path(flow: Flow) -> None:
    Path("new.json").write_text('{"rows": [1, 3, {"a": null}], "text": "one three", "added": true}')
    flow("decide", "{table}", "revise", "--comment", "c", "--artifact", "new.json")

    lines = flow("diff", "{table}", "table", "1", "2").text.splitlines()
    document = flow("diff", "{table}", "table", "1", "2", "--json").json

    assert lines[2:] == [
        '- ["odd key"]: "x"',
        "~ rows[1]: 2 → 3",
        '+ rows[2]: {"a": null}',
        "~ text",
        "    one [-two-]{+three+}",
        "+ added: true",
    ]
    assert document.keys() == {"artifact", "old", "new", "changes"}
    assert document["changes"][1] == {"path": ["rows", 1], "kind": "changed", "old": 2, "new": 3}
    assert "content" not in document["old"]


def test_a_redline_obeys_no_control_character(flow: Flow) -> None:
    Path("edit.txt").write_text("Dear \x1b[2J,\nyou owe 5 EUR.\nbye")
    flow("decide", "{edit}", "accept", "--artifact", "edit.txt")

    lines = flow("diff", "{edit}", "letter").text.splitlines()

    assert lines[2:] == [r"Dear [-bob-]{+\x1b[2J+},", "you owe 5 EUR.", "bye[-⏎-]"]


# --- history and times ------------------------------------------------------------------------------------------------


def test_following_a_run_that_has_ended_prints_it_and_ends(flow: Flow) -> None:
    followed = flow("history", "{done}", "--follow", "--json")

    entries = [json.loads(line) for line in followed.out.splitlines()]
    assert followed.status == 0
    assert entries == flow("history", "{done}", "--json").json["events"]
    assert flow("history", "{done}", "--follow").text == flow("history", "{done}").text


def test_following_goes_on_until_the_run_ends(flow: Flow, monkeypatch: pytest.MonkeyPatch, project: Any) -> None:
    def wait(event: Event, seconds: float) -> bool:
        with Engine() as engine:
            engine.signal(project["pay"], "waived", {})
        return False

    monkeypatch.setattr(Event, "wait", wait)

    followed = flow("history", "{pay}", "--follow")

    assert (followed.status, followed.text) == (0, flow("history", "{pay}").text)


def test_an_interrupt_ends_the_following_without_a_word(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(event: Event, seconds: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Event, "wait", interrupt)

    followed = flow("history", "{pay}", "--follow")

    assert (followed.status, followed.err) == (130, "")
    assert followed.text == flow("history", "{pay}").text


def test_every_kind_of_entry_is_told_in_a_line(flow: Flow) -> None:
    for words in (["claim"], ["release"], ["assign"], ["extend", "1d"]):
        assert flow(words[0], "{edit_request}", *words[1:]).status == 0
    flow("move", "{edit}", "pay", "--reason", "by hand")

    told = flow("history", "{edit}").text

    for text in ("by olga", "by nobody", "for anyone", "to pay: by hand", "wait.started"):
        assert text in told


@pytest.mark.parametrize(
    ("distance", "shown"),
    [
        pytest.param(timedelta(seconds=1), "in 1s", id="a second"),
        pytest.param(timedelta(seconds=89), "in 89s", id="seconds"),
        pytest.param(timedelta(seconds=90), "in 2m", id="minutes"),
        pytest.param(timedelta(minutes=90), "in 2h", id="hours"),
        pytest.param(timedelta(hours=24), "in 24h", id="a day"),
        pytest.param(timedelta(days=2) - timedelta(seconds=2), "in 2d", id="a moment after it was set"),
        pytest.param(timedelta(0), "just now", id="now"),
        pytest.param(timedelta(seconds=-59), "just now", id="a moment ago"),
        pytest.param(timedelta(seconds=-61), "61s ago", id="seconds ago"),
        pytest.param(timedelta(hours=-3), "3h ago", id="hours ago"),
        pytest.param(timedelta(days=-400), "400d ago", id="days ago"),
    ],
)
def test_a_time_is_also_shown_as_a_distance(monkeypatch: pytest.MonkeyPatch, distance: timedelta, shown: str) -> None:
    now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    monkeypatch.setattr(output, "system_clock", lambda: now)

    assert output.show_distance(now + distance) == shown


def test_tables_and_views_show_distances(flow: Flow) -> None:
    assert "in 2d" in flow("inbox").text
    assert " just now" in flow("runs").text
    assert "(in 2d)" in flow("show", "{edit_request}").text
    assert "(just now)" in flow("show", "{edit}").text


# --- the database -----------------------------------------------------------------------------------------------------


def test_a_whole_database_is_ok(flow: Flow) -> None:
    assert flow("db", "check").text == "ok: sqlite:///flow.db\n"
    assert flow("db", "--json", "check").json == {"database": "sqlite:///flow.db", "findings": []}


def test_a_row_that_names_none_is_found(flow: Flow) -> None:
    connection = sqlite3.connect("flow.db")
    with connection:
        connection.execute("INSERT INTO revisions VALUES (999, 'letter', 1, 1)")
    connection.close()

    result = flow("db", "check", "--json")

    assert (result.status, result.json["findings"][0]["code"]) == (1, "database")
    assert flow("db", "check").text.startswith("database: table revisions")


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(flow: Flow) -> None:
    before = _dump()

    assert flow("db", "upgrade").text == "sqlite:///flow.db is up to date\n"
    assert flow("db", "upgrade", "--json").json == {"database": "sqlite:///flow.db"}
    assert _dump() == before


def test_a_newer_database_is_refused(flow: Flow) -> None:
    connection = sqlite3.connect("flow.db")
    connection.execute("PRAGMA user_version = 999")
    connection.close()

    assert flow("db", "upgrade", "--json").json["error"]["code"] == "newer_schema"


# --- completion -------------------------------------------------------------------------------------------------------


@pytest.fixture
def complete(flow: Flow, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """What bash is offered for the last of these words."""

    def offered(*words: str, shell: str = "bash") -> list[str]:
        monkeypatch.setenv("_FLOW_COMPLETE", f"{shell}_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(("flow", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        with pytest.raises(SystemExit):
            cli.run([])
        monkeypatch.delenv("_FLOW_COMPLETE")
        printed = capfdbinary.readouterr()
        assert printed.err == b""
        return [line.removeprefix("plain,") for line in printed.out.decode().splitlines() if line]

    return offered


def test_commands_are_completed(complete: Any) -> None:
    assert complete("di") == ["diff-workflow", "diff"]
    assert complete("") == list(cli.COMMANDS)
    assert complete("db", "") == ["check", "upgrade"]


def test_ids_are_completed_where_they_mean_something(complete: Any, project: Mapping[str, str]) -> None:
    names = ("edit", "pay", "ask", "done", "failed", "forms", "table")
    runs = {project[name] for name in names}

    assert set(complete("why", "run_")) == runs
    assert complete("why", project["pay"][:14]) == [project["pay"]]
    assert set(complete("signal", "")) == runs - {project["done"]}
    assert complete("retry", "") == [project["failed"]]
    assert set(complete("graph", "run_")) == runs
    assert set(complete("diff-workflow", "letter", "run_")) == runs
    assert complete("graph", "letter", "--format", "p") == ["png", "pdf"]
    assert complete("graph", "letter", "--theme", "d") == ["dark"]
    assert project["edit_request"] in complete("claim", "")
    assert project["pay_request"] not in complete("claim", "")
    assert set(complete("show", "")) > runs
    assert complete("extend", "req_zzz") == []


def test_options_and_workflows_are_completed(complete: Any, project: Mapping[str, str]) -> None:
    assert complete("decide", project["edit_request"], "") == ["accept", "revise"]
    assert complete("decide", project["edit"], "r") == ["revise"]
    assert set(complete("start", "")) == {"letter", "table", "broken", "forms"}
    assert set(complete("diff-workflow", "letter", "")) == set(complete("start", ""))
    assert complete("start", "fl") == ["file,fl"]


def test_zsh_sees_what_an_id_is_about(complete: Any, project: Mapping[str, str]) -> None:
    offered = complete("why", project["pay"], shell="zsh")

    assert offered == ["plain", project["pay"], "letter, waiting in pay"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--db", "sqlite:///none.db", "why", "run_"), id="no database"),
        pytest.param(("--db", "sqlite:///edit.txt", "why", "run_"), id="a database that is none"),
        pytest.param(("--project", "nowhere", "claim", "req_"), id="a project that is not there"),
        pytest.param(("decide", "run_zzz", ""), id="a run that is not there"),
    ],
)
def test_completion_is_silent_about_errors(complete: Any, words: Sequence[str]) -> None:
    assert [word for word in complete(*words) if not word.startswith("req_")] == []
    assert not Path("none.db").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(
    flow: Flow, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], shell: str
) -> None:
    monkeypatch.setenv("_FLOW_COMPLETE", f"{shell}_source")

    with pytest.raises(SystemExit):
        cli.run([])

    assert f"_FLOW_COMPLETE={shell}_complete" in capfdbinary.readouterr().out.decode()
