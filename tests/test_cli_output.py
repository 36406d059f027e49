"""What people read: tables that fit, forms as lists, what a failed agent left, hints that lead on."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from rich.cells import cell_len

from holdpoint import Engine, Run, cli
from holdpoint.commands.forms import form_lines
from holdpoint.commands.tables import Cell, Column, table_lines
from holdpoint.engine.clock import system_clock
from holdpoint.testing import Clock

SETTINGS = """
workflows = ["flows"]
[people.olga]
roles = ["operator"]
[people.moe]
roles = ["manager"]
"""

GATE = """
workflow: expense-approval
states:
  manager:
    type: approval
    message: "Pay for the fair in Bologna, where the travelling salesman stayed for three nights and four days?"
    assign: ["role:manager", alice]
    timeout: 2d
    default: reject
    on: {approve: paid, reject: refused}
  paid: {type: end}
  refused: {type: end, outcome: failure}
"""

FREE = """
workflow: free
states:
  ask: {type: approval, message: "Go on?", timeout: never, exclude: [initiator], on: {approve: end}}
  end: {type: end}
"""

FORM = """
workflow: signing
states:
  sign:
    type: approval
    message: Sign it?
    timeout: never
    forms:
      approve:
        type: object
        required: [ink, colour, pages]
        properties:
          ink: {type: string, title: The ink, description: Blue or black.}
          pages: {type: integer, minimum: 1, maximum: 10, default: 1}
          colour: {enum: [red, green]}
      reject: {type: object, required: [why], properties: {why: {type: string, maxLength: 80}}}
    on: {approve: end, reject: end}
  end: {type: end}
"""

NOISY = r"""
workflow: noisy
states:
  work:
    type: agent
    command: [python, -c, "import sys; [print('line', i, chr(27), file=sys.stderr) for i in range(30)]; sys.exit(3)"]
    next: end
  end: {type: end}
"""

RAISING = """
workflow: raising
states:
  work: {type: agent, python: "bad:work", next: end}
  end: {type: end}
"""

DELAYED = RAISING.replace("raising", "delayed").replace('"bad:work"', '"bad:work", retry: {delay: 1h, max_delay: 2h}')

WATCHED = r"""
workflow: watched
states:
  work:
    type: agent
    command: [python, watch.py]
    next: end
  end: {type: end, output: "{{ work }}"}
"""

KILLING = WATCHED.replace("watched", "killing").replace("watch.py", "kill.py")

CRASHING = KILLING.replace("killing", "crashing").replace(
    "    next: end",
    """    after_crash: ask
    output:
      type: object
      required: [ref, amount]
      properties: {ref: {type: string}, amount: {type: number}, note: {type: string}}
    next: end""",
)

FAILING = """
workflow: failing
states:
  ask: {type: approval, timeout: never, on: {approve: work}}
  work: {type: agent, value: "{{ 1 // 0 }}", next: end}
  end: {type: end}
"""

NOTE = """
workflow: note
states:
  write: {type: agent, value: "one\\n", artifact: note, next: review}
  review:
    type: return
    message: Right?
    show: [note]
    timeout: never
    on: {accept: end, revise: write}
  end: {type: end}
"""

OTHER = """
workflow: other
states:
  work: {type: agent, command: [python, -c, "import sys; sys.exit('no luck')"], on: {done: end, error: then}}
  then: {type: agent, value: "{{ 1 // 0 }}", next: end}
  end: {type: end}
"""

FILES = {
    "flow.toml": SETTINGS,
    "bad.py": "def work() -> None:\n    print('the last words')\n    raise ValueError('no such thing')\n",
    "watch.py": dedent(
        """
        import json, os, subprocess, sys

        run = os.environ["FLOW_KEY"].split("/")[0]
        words = [sys.executable, "-P", "-m", "holdpoint.cli"]
        print(json.dumps([subprocess.run([*words, *more], capture_output=True, text=True).stdout
                          for more in (["show", run], ["runs"], ["why", run])]))
        """
    ),
    "kill.py": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n",
    **{
        f"flows/{re.findall('workflow: (.*)', text)[0]}.yaml": text
        for text in (GATE, FREE, FORM, NOISY, RAISING, DELAYED, WATCHED, KILLING, CRASHING, FAILING, NOTE)
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one call of `flow` came to."""

    status: int
    text: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.text)


Flow = Callable[..., Result]


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Flow:
    """Run `flow` in this process, as ann, in a project with a workflow of each kind."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    for name in ("FLOW_DB", "FLOW_DEBUG", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FLOW_USER", "ann")

    def call(*words: str) -> Result:
        capfd.readouterr()
        status = cli.run(words)
        printed = capfd.readouterr()
        return Result(status=status, text=printed.out, err=printed.err)

    return call


def _on_a_terminal(columns: int, *words: str, **environment: str) -> list[str]:
    """The lines that a call of `flow` shows on a terminal of so many columns, before the terminal folds any."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    command = [sys.executable, "-P", "-m", "holdpoint.cli", *words]
    environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "1", **environment}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=end, env=environment)
    os.close(end)
    shown = b""
    while part := _read(terminal):
        shown += part
    os.close(terminal)
    assert process.wait() == 0
    return shown.decode().replace("\r\n", "\n").splitlines()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def _start(flow: Flow, name: str, *words: str) -> dict[str, Any]:
    run: dict[str, Any] = flow("start", name, "--json", *words).json
    return run


def _request(run: Mapping[str, Any]) -> str:
    return str(run["requests"][0]["id"])


# --- tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
@pytest.mark.parametrize("command", ["runs", "inbox"])
def test_a_table_fits_its_terminal_with_each_row_in_one_line_and_each_id_whole(
    flow: Flow, command: str, columns: int
) -> None:
    runs = [_start(flow, name) for name in ("expense-approval", "free", "delayed")]

    lines = _on_a_terminal(columns, command)

    ids = [run["id"] for run in runs] if command == "runs" else [_request(run) for run in runs[:2]]
    assert max(map(len, lines)) <= columns
    assert [sum(line.startswith(word) for line in lines) for word in ids] == [1] * len(ids)
    assert len(lines) == 1 + len(ids) + (command == "inbox")


def test_a_wide_terminal_gets_all_columns_and_a_narrow_one_those_that_matter(flow: Flow) -> None:
    _start(flow, "expense-approval")
    _start(flow, "free")

    wide, narrow = _on_a_terminal(200, "inbox"), _on_a_terminal(80, "inbox")

    assert wide[0].split() == ["REQUEST", "PRIORITY", "DUE", "WORKFLOW", "STATE", "FOR", "MESSAGE"]
    assert "in 2d  expense-approval  manager  role:manager, alice  Pay for the fair" in wide[1]
    assert narrow[0].split() == ["REQUEST", "DUE", "WORKFLOW", "STATE", "FOR"]
    assert narrow[1].endswith("in 2d  expense-approval  manager  role:manager, alice")


def test_a_table_in_a_pipe_is_as_wide_as_needed(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    run = _start(flow, "expense-approval")

    line = flow("inbox").text.splitlines()[1]

    assert line.startswith(_request(run))
    assert "stayed for three nights and four days?" in line


COLUMNS = (
    Column(title="ID", is_whole=True),
    Column(title="KIND", is_whole=True, usual="usual"),
    Column(title="AT", is_whole=True),
    Column(title="NAME"),
    Column(title="TEXT", is_text=True),
)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        pytest.param(None, ["ID", "KIND", "AT", "NAME", "TEXT"], id="all"),
        pytest.param(74, ["ID", "KIND", "AT", "NAME", "TEXT"], id="dates go first"),
        pytest.param(67, ["ID", "AT", "NAME", "TEXT"], id="then what is usual"),
        pytest.param(58, ["ID", "AT", "NAME", "TEXT"], id="then the text is cut"),
        pytest.param(50, ["ID", "AT", "NAME"], id="of which nothing is kept where little is left"),
        pytest.param(30, ["ID", "AT", "NAME"], id="then names are cut"),
        pytest.param(22, ["ID", "AT"], id="then columns go from the right"),
        pytest.param(3, ["ID"], id="and what is whole stays"),
    ],
)
def test_a_table_gives_up_what_matters_least_first(width: int | None, expected: Sequence[str]) -> None:
    at = system_clock() + timedelta(days=2, minutes=1)
    row: tuple[Cell, ...] = ("id-7890123", ("usual", "red"), at, "a name, and more", "some words about it, " + "x" * 8)

    lines = [
        "".join(part if isinstance(part, str) else part[0] for part in line)
        for line in table_lines(COLUMNS, [row], width)
    ]

    assert lines[0].split() == expected
    assert lines[1].startswith("id-7890123")
    assert width is None or width < 10 or max(map(len, lines)) <= width


def test_a_table_is_straight_under_wide_characters() -> None:
    columns = (Column(title="A"), Column(title="B"))

    lines = table_lines(columns, [("審査中", "x"), ("ab\tc\x1b", "y"), (None, "z")], None)

    texts = ["".join(part if isinstance(part, str) else part[0] for part in line) for line in lines]
    assert [cell_len(text[: text.index(last)]) for text, last in zip(texts, "Bxyz", strict=True)] == [10] * 4
    assert texts[2].startswith("ab c\\x1b ")


def test_the_history_breaks_long_lines_between_words(flow: Flow) -> None:
    run = _start(flow, "expense-approval")

    lines = _on_a_terminal(80, "history", run["id"])

    opened = next(number for number, line in enumerate(lines) if line.rstrip().endswith("request.opened"))
    assert max(map(len, lines)) <= 80
    assert lines[opened + 1].startswith(f"      {_request(run)} for approve or reject, due ")
    assert len(flow("history", run["id"]).text.splitlines()) == 3, "in a pipe each entry is a line"


def test_prose_is_broken_between_words_on_a_terminal_alone(flow: Flow) -> None:
    run = _start(flow, "expense-approval")

    shown, piped = _on_a_terminal(40, "why", run["id"]), flow("why", run["id"]).text

    assert max(map(len, shown)) <= 40
    assert " ".join(shown) == piped.replace("\n", " ").strip()


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["show", "why"])
def test_a_failed_run_shows_the_last_lines_of_its_agent(flow: Flow, command: str) -> None:
    run = _start(flow, "noisy")

    text = flow(command, run["id"]).text

    assert "standard error" in text
    assert "    … 20 lines before\n    line 20 \\x1b\n" in text
    assert "    line 29 \\x1b\n" in text
    assert "line 19 " not in text
    assert "\x1b" not in text
    assert run["error"]["stderr"].startswith("line 0 ")


@pytest.mark.parametrize("command", ["show", "why"])
@pytest.mark.parametrize("workflow", ["raising", "delayed"])
def test_a_traceback_and_what_was_printed_are_shown(flow: Flow, command: str, workflow: str) -> None:
    run = _start(flow, workflow)

    text = flow(command, run["id"]).text

    assert "traceback" in text
    assert 'File "bad.py", line 3, in work' in text
    assert "    the last words\n" in text


def test_a_failure_that_is_no_agents_shows_none_of_their_words(flow: Flow) -> None:
    Path("flows/other.yaml").write_text(OTHER)

    run = _start(flow, "other")

    assert (run["error"]["state"], run["error"]["stderr"]) == ("then", "")
    assert "no luck" not in flow("show", run["id"]).text


def test_a_run_whose_attempt_failed_says_when_the_next_follows(flow: Flow) -> None:
    started = flow("start", "delayed")
    run_id = started.text.split()[0]
    attempt = flow("show", run_id, "--json").json["attempt"]

    for text in (started.text, flow("show", run_id).text):
        assert "  attempt 1 failed: agent_error: ValueError: no such thing\n" in text
        assert re.search(r"^  attempt 2 of 3 follows at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", text, re.MULTILINE)
    assert "Attempt 2 of 3 follows at " in flow("why", run_id).text
    assert "work, retry in " in flow("runs").text
    assert (attempt["number"], attempt["of"], attempt["stage"], attempt["error"]["code"]) == (
        *(2, 3, "delayed"),
        "agent_error",
    )


def test_a_run_says_that_an_agent_is_at_work(flow: Flow) -> None:
    shown, listed, why = _start(flow, "watched")["output"]

    assert shown.splitlines()[0].endswith(" of watched is at work in work")
    assert "  attempt 1 is under way\n" in shown
    assert re.search("at work +watched +work ", listed)
    assert why.endswith("is at work in 'work'.\nAttempt 1 is under way.\n")


def test_a_run_says_that_it_waits_for_a_worker(flow: Flow) -> None:
    started = flow("start", "watched", "--no-advance")
    run_id = started.text.split()[0]

    for text in (started.text, flow("show", run_id).text):
        assert " of watched is ready in work\n" in text
        assert "  attempt 1 is ready for the next tick, or a process that serves\n" in text
    assert re.search("ready +watched +work ", flow("runs").text)
    assert flow("why", run_id).text.endswith("Attempt 1 is ready for the next tick, or a process that serves.\n")


def test_a_run_says_that_its_process_is_gone(flow: Flow) -> None:
    words = [sys.executable, "-P", "-m", "holdpoint.cli", "start", "killing"]
    subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    run_id = flow("runs", "--json").json["runs"][0]["id"]

    assert "work, process gone" in flow("runs").text
    assert " of killing is ready in work\n  " in flow("show", run_id).text
    assert "the next tick takes it up" in flow("show", run_id).text
    assert flow("show", run_id, "--json").json["attempt"]["stage"] == "lost"


def test_the_way_on_is_shown_to_those_who_may_take_it(flow: Flow) -> None:
    run_id = _start(flow, "raising")["id"]

    others, operators = flow("--as", "ann", "show", run_id).text, flow("--as", "olga", "show", run_id).text
    Path("flow.toml").write_text('workflows = ["flows"]')
    anyones = flow("--as", "ann", "start", "raising").text

    assert others.endswith("  role:operator may retry, move or cancel it\n")
    assert f"retry {run_id}" not in others
    assert operators.endswith(f"  flow --as olga retry {run_id}\n")
    assert re.search(r"  flow --as ann retry run_\w+\n", anyones)
    assert "rests there until somebody retries" in flow("why", run_id).text


def test_a_run_that_failed_by_its_definition_says_that_it_keeps_it(flow: Flow) -> None:
    run_id = _start(flow, "failing")["id"]
    kept = "t keeps the definition that it started with: an edited file changes nothing for it"

    decided = flow("--as", "olga", "decide", run_id, "approve").text

    for text in (decided, flow("--as", "olga", "show", run_id).text):
        assert text.endswith(f"  flow --as olga retry {run_id}\n  i{kept}\n")
    assert flow("why", run_id).text.endswith(f"\nI{kept}.\n")
    assert kept not in flow("why", _start(flow, "raising")["id"]).text


# --- between a deadline and the next tick -----------------------------------------------------------------------------


def _start_long_ago(name: str) -> Run:
    """A run whose deadlines have passed since, with nobody coming by."""
    with Engine("sqlite:///flow.db", project=".", clock=Clock()) as engine:
        return engine.start(engine.load(f"flows/{name}.yaml"))


def test_what_a_deadline_has_decided_is_said_before_it_is_written(flow: Flow) -> None:
    run = _start_long_ago("expense-approval")
    request = run.requests[0].id

    why, shown, listed = flow("why", run.id).text, flow("show", run.id).text, flow("runs").text

    assert why == (
        f"run {run.id} of expense-approval is ready in 'manager'.\n"
        f"Request {request} is settled: 'reject' applied at 2026-01-07 09:00:00 UTC by its deadline; the next tick "
        "writes it, or whoever touches the run.\n"
    )
    assert shown.splitlines()[0] == f"{run.id} of expense-approval is ready in manager"
    assert f"{request} (approval) is settled; the next tick writes it\n" in shown
    decision = flow("show", request).text.partition("  decision\n")[2]
    assert decision.startswith("    reject by its deadline at ")
    assert shown.endswith(f"  decision\n{decision}")
    assert re.search(rf"^{run.id}  ready +expense-approval +manager ", listed, re.MULTILINE)
    assert flow("runs", "--json").json["runs"][0]["status"] == "running"


# --- requests ---------------------------------------------------------------------------------------------------------


def test_a_form_is_shown_as_a_list_in_the_authors_order(flow: Flow) -> None:
    request = _request(_start(flow, "signing"))

    text = flow("show", request).text

    assert (
        "  form of approve\n"
        "    ink     string, required\n"
        "            The ink: Blue or black.\n"
        "    pages   integer, 1 to 10, default 1\n"
        "    colour  one of red, green, required\n"
        "  form of reject\n"
        "    why  string, at most 80 characters, required\n"
    ) in text
    assert f"  flow decide {request} approve -a ink=… -a colour=…\n" in text
    assert f"  flow decide {request} reject -a why=…\n" in text
    assert "properties" not in text
    assert list(flow("show", request, "--json").json["forms"]["approve"]["properties"]) == ["ink", "pages", "colour"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param({"type": "boolean"}, "true or false", id="boolean"),
        pytest.param({"const": True}, "only true", id="const"),
        pytest.param({"enum": ["a", 1, None, ""]}, 'one of a, 1, null, ""', id="enum"),
        pytest.param({"type": ["string", "null"], "minLength": 1}, "string or null, at least 1 character", id="kinds"),
        pytest.param({"type": "string", "format": "date"}, "string (date)", id="format"),
        pytest.param({"type": "string", "pattern": "^a$"}, "string, like ^a$", id="pattern"),
        pytest.param({"type": "number", "exclusiveMinimum": 0}, "number, more than 0", id="above"),
        pytest.param(
            {"type": "number", "maximum": 5, "multipleOf": 0.5}, "number, at most 5, a multiple of 0.5", id="m"
        ),
        pytest.param(
            {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2, "uniqueItems": True},
            "list of string, as JSON, 2 items, nothing twice",
            id="list",
        ),
        pytest.param(
            {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 1}]},
            "string or integer, at least 1",
            id="any",
        ),
        pytest.param({"$ref": "#/$defs/colour"}, "one of red, blue", id="reference"),
        pytest.param({}, "anything", id="nothing said"),
        pytest.param(True, "anything", id="true"),
    ],
)
def test_what_an_answer_may_be_is_said_in_words(schema: Any, expected: str) -> None:
    form = {"type": "object", "properties": {"key": schema}, "$defs": {"colour": {"enum": ["red", "blue"]}}}

    assert list(form_lines(form)) == [f"key  {expected}"]


def test_keys_inside_of_an_answer_are_listed_below_it() -> None:
    inner = {"type": "object", "required": ["street"], "properties": {"street": {"type": "string"}}}
    form = {"type": "object", "properties": {"address": inner}, "additionalProperties": True}

    assert list(form_lines(form)) == [
        *("address  object, as JSON", "  street  string, required", "(other keys are allowed)")
    ]


def test_a_form_that_refers_to_itself_has_an_end() -> None:
    form = {"type": "object", "properties": {"more": {"$ref": "#"}}}

    assert len(list(form_lines(form))) < 10


def test_a_request_for_anyone_says_so(flow: Flow) -> None:
    request = _request(_start(flow, "free"))

    assert "  for anyone, but not ann\n" in flow("show", request).text
    assert f"  flow decide {request} approve\n" in flow("--as", "ann", "show", request).text, "it is not for ann"
    assert f"  flow --as bea decide {request} approve\n" in flow("--as", "bea", "show", request).text
    assert "it may be decided by anyone, but not by ann." in flow("why", _start(flow, "free")["id"]).text


def test_a_claim_says_who_had_it_before(flow: Flow) -> None:
    request = _request(_start(flow, "free"))

    first, again = flow("claim", request), flow("claim", request)
    other = flow("--as", "bea", "claim", request)

    assert first.text == again.text == f"{request} in ask of free is claimed by ann\n"
    assert other.text == f"{request} in ask of free is claimed by bea; ann had it before\n"


def _crashed(flow: Flow) -> str:
    """The request of a run whose agent took its process along."""
    words = [sys.executable, "-P", "-m", "holdpoint.cli", "start", "crashing"]
    subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert flow("tick", "--json").json["recovered"] == 1
    request: str = flow("inbox", "--json").json["requests"][0]["id"]
    return request


def test_done_after_a_crash_says_what_the_output_must_have(flow: Flow) -> None:
    request = _crashed(flow)

    shown, refused = flow("show", request).text, flow("decide", request, "done")

    assert f"  flow decide {request} done -a ref=… -a amount=…\n" in shown
    assert "  form of done\n    ref     string, required\n    amount  number, required\n    note    string\n" in shown
    assert "  without a deadline: it waits until somebody decides\n" in shown
    assert refused.status == 6
    assert refused.err == (
        f"error: option 'done' of request {request} needs the agent's output, which has ref, amount: -a KEY=… or "
        "--answers FILE\n"
    )
    assert flow("show", request, "--json").json["status"] == "open"
    done = flow("decide", request, "done", "-a", "ref=7", "-a", "amount=7", "-a", "more=1", "--json").json
    assert done["output"] == {"ref": "7", "amount": 7, "more": 1}
    assert flow("verify").status == 0


# --- edits ------------------------------------------------------------------------------------------------------------


def test_an_edit_is_told_its_base_and_which_revision_it_became(flow: Flow) -> None:
    run_id = _start(flow, "note")["id"]

    written = flow("artifact", run_id, "note", "-o", "my note.txt")
    Path("my note.txt").write_text("two\n")
    decided = flow("decide", run_id, "accept", "--artifact", "my note.txt")

    assert written.text == "note, revision 1, is in my note.txt\n"
    assert written.err == (
        f"decide with an edit of it by: flow decide {run_id} OPTION --artifact 'my note.txt' --base 1\n"
    )
    assert decided.text.endswith(
        f"your edit is revision 2 of 'note'; what it changed:\n  flow diff {run_id} note 1 2\n"
    )
    assert "{+two+}" in flow("diff", run_id, "note", "1", "2").text
    assert flow("artifact", run_id, "note", "-o", "my note.txt").err == ""


def test_an_edit_that_changes_nothing_says_so(flow: Flow) -> None:
    run_id = _start(flow, "note")["id"]
    flow("artifact", run_id, "note", "-o", "note.txt")

    decided = flow("decide", run_id, "accept", "--artifact", "note.txt").text

    assert decided.endswith("your edit changes nothing: 'note' is at revision 1 as before\n")


# --- listings ---------------------------------------------------------------------------------------------------------


def test_the_way_to_the_next_page_keeps_the_options(flow: Flow) -> None:
    for _ in range(3):
        _start(flow, "expense-approval")

    runs = flow("runs", "--limit", "2", "--status", "waiting,done", "--workflow", "expense-approval").err
    inbox = flow("inbox", "--limit", "1", "--due", "3d", "--priority", "normal", "--mine", "--as", "alice").err

    (runs_on,) = re.findall("^more: flow (.*)$", runs, re.MULTILINE)
    (inbox_on,) = re.findall("^more: flow (.*)$", inbox, re.MULTILINE)
    assert runs_on.startswith("runs --status waiting --status done --workflow expense-approval --limit 2 --after ")
    assert inbox_on.startswith("--as alice inbox --mine --due 3d --priority normal --limit 1 --after ")
    assert len(flow(*runs_on.split(), "--json").json["runs"]) == 1
    assert len(flow(*inbox_on.split(), "--json").json["requests"]) == 1
    assert flow("runs", "--limit", "3").err == flow("inbox", "--limit", "3").err == ""
    assert len(flow("runs", "--limit", "2").text.splitlines()) == 3


def test_what_is_due_later_is_not_nothing(flow: Flow) -> None:
    assert flow("inbox", "--due", "1d").text == "nothing waits\n"
    for _ in range(2):
        _start(flow, "expense-approval")
    later = flow("inbox", "--due", "1d").text
    none = flow("inbox", "--due", "1d", "--workflow", "free").text

    assert later == "nothing is due within 1d; 2 wait\n"
    assert none == "nothing waits\n"
    assert flow("inbox", "--due", "1d", "--mine", "--as", "bob").text == "nothing waits for bob\n"
    assert flow("inbox", "--due", "1d", "--mine", "--as", "moe").text == "nothing is due within 1d; 2 wait for moe\n"


@pytest.mark.parametrize("command", ["runs", "inbox"])
def test_a_workflow_that_nobody_knows_is_warned_of(flow: Flow, command: str) -> None:
    _start(flow, "noisy")
    Path("flows/noisy.yaml").unlink()

    unknown = flow(command, "--workflow", "expens-approval", "--json")

    assert unknown.status == 0
    assert unknown.err == (
        "warning: no run and no file has the workflow 'expens-approval'; did you mean 'expense-approval'?\n"
    )
    assert flow(command, "--workflow", "nosy").err.endswith("did you mean 'noisy'?\n"), "runs have names too"
    assert flow(command, "--workflow", "signing").err == "", "a file has it"
    assert flow(command, "--workflow", "noisy").err == "", "a run has it"


# --- check ------------------------------------------------------------------------------------------------------------


def test_two_files_of_one_name_are_an_error_that_names_both(flow: Flow, tmp_path: Path) -> None:
    Path("flows/sub").mkdir()
    Path("flows/sub/twin.yaml").write_text(f"# a copy\n{FREE.lstrip()}")
    Path("copy.yaml").write_text(FREE)

    found = flow("check")

    assert found.status == 1
    assert found.text.startswith(
        "flows/sub/twin.yaml:2:11: error HP270 workflow 'free' is in 'flows/free.yaml' too; give one of the two another"
    )
    assert found.text.count("HP270") == 1
    assert flow("check", "flows/sub/twin.yaml").status == 1
    assert flow("check", "copy.yaml").status == 0, "it is no file of the project"
    with Engine(project=tmp_path) as engine:
        assert [finding.code for finding in engine.check("flows/sub/twin.yaml")] == ["HP270"]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        pytest.param("workflow: x\nstates:\n  a: {type: ent}\n", "what the workflow means", id="shape"),
        pytest.param("workflow: x\nstates:\n\ta: {type: end}\n", "what the workflow means", id="no YAML"),
        pytest.param("workflow: x\nstates:\n  a: {type: end, titel: a}\n", "", id="an unknown key keeps nothing back"),
        pytest.param(
            "workflow: x\nstates:\n  a: {type: agent, value: 1, next: b}\n  c: {type: end}\n", "", id="meaning"
        ),
        pytest.param(
            "workflow: x\nstates:\n" + "".join(f"  s{n}: {{type: ent}}\n" for n in range(120)),
            "the check stopped after 100 errors",
            id="too many",
        ),
    ],
)
def test_check_says_what_it_did_not_come_to(flow: Flow, text: str, note: str) -> None:
    Path("x.yaml").write_text(text)

    found = flow("check", "x.yaml")
    notes = [line for line in found.text.splitlines() if line.startswith("x.yaml: note: ")]

    assert found.status == 1
    assert len(notes) == bool(note)
    assert note in found.text
    assert {finding["severity"] for finding in flow("check", "x.yaml", "--json").json["findings"]} == {"error"}


def test_check_of_a_folder_checks_every_file_below_it(flow: Flow) -> None:
    Path("flows/sub").mkdir()
    Path("flows/sub/x.yml").write_text(FREE.replace("free", "deep"))
    Path("flows/sub/x.scenarios.yaml").write_text("no: workflow")
    Path("flows/sub/x.cases.yaml").write_text("no: workflow")
    Path("empty").mkdir()

    assert flow("check", "flows").text == "ok: 12 files\n"
    assert flow("check", "flows/sub/").text == "ok: 1 file\n"
    assert flow("check", "flows", "flows/free.yaml", "free").text == "ok: 12 files\n", "each once"
    assert (flow("check", "empty").status, flow("check", "empty", "--json").json["error"]["code"]) == (3, "not_found")
