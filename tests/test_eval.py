"""`flow eval`: cases in YAML and CSV, what is measured of them, two versions compared, and the files that it writes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

import holdpoint
from holdpoint import cli, trials
from holdpoint.evaluation.estimates import agreement, bootstrap, kappa, wilson

CLAIM = """
workflow: claim
input:
  type: object
  required: [amount]
  properties: {amount: {type: number}, note: {type: string}}
states:
  draft: {type: agent, python: "claims:draft", with: {amount: "{{ input.amount }}"}, artifact: claim, next: read}
  read: {type: return, show: [claim], timeout: 2d, default: accept, on: {accept: judge, revise: draft}}
  judge:
    type: approval
    message: Pay it?
    assign: ["role:judge"]
    exclude: [initiator]
    on:
      approve: [{to: board, when: "input.amount > 900"}, {to: paid}]
      reject: refused
    timeout: 2d
    default: reject
  board: {type: approval, assign: ["role:board"], on: {approve: paid, reject: refused}, timeout: never}
  paid: {type: end, output: {paid: "{{ input.amount }}"}}
  refused: {type: end, outcome: failure}
"""

CASES = """
people: {jim: [judge], joe: [judge], bo: [board]}
agents: {draft: {text: a, advice: approve, cost: 0.5}}
recommendation: {judge: draft.advice}
cost: [draft.cost]
decisions:
  read:
    - {decide: revise, comment: more, when: "visits.read == 1 and input.amount > 100"}
    - {decide: accept, after: 1h}
  judge:
    - {decide: approve, when: "input.amount < 500", after: 2h}
    - {decide: reject, after: 2h}
cases:
  - {name: small, input: {amount: 20}, expect: {outcome: success, output: {paid: 20}}}
  - {name: middle, input: {amount: 200}, expect: {outcome: success}}
  - {name: large, input: {amount: 700}, expect: {outcome: success, state: paid}}
  - {name: silent, input: {amount: 30}, decisions: {judge: {silence: true}}, expect: {state: refused}}
"""

Flow = Callable[..., tuple[int, str, str]]


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Flow:
    """Runs `flow` in a project with the workflow `claim` and its cases."""
    (tmp_path / "flow.toml").write_text("[people.una]\nroles = ['judge']\n")
    (tmp_path / "claim.yaml").write_text(CLAIM)
    (tmp_path / "cases.yaml").write_text(CASES)
    monkeypatch.chdir(tmp_path)
    for name in ("FLOW_DB", "FLOW_USER", "FLOW_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def call(*args: str) -> tuple[int, str, str]:
        status = cli.run(args)
        return (status, *capfd.readouterr())

    return call


def evaluated(flow: Flow, *words: str) -> Any:
    status, out, err = flow("eval", "claim.yaml", "--json", *words)
    assert (status, err) == (0, ""), out
    return json.loads(out)


def measured(study: Any, version: int = 0) -> dict[str, float]:
    return {name: found["value"] for name, found in study["versions"][version]["measures"].items()}


def test_cases_are_measured(flow: Flow) -> None:
    study = evaluated(flow, "--cases", "cases.yaml")

    assert {result["case"]: result["met"] for result in study["versions"][0]["results"]} == {
        "small": True,
        "middle": True,
        "large": False,
        "silent": True,
    }
    assert measured(study) == pytest.approx(
        {
            "accuracy": 3 / 4,
            "rounds": 6 / 4,
            "seconds": 3600 * (3 + 3 + 3 + 49) / 4,
            "cost": (0.5 + 1 + 1 + 0.5) / 4,
            "agreement.judge": 2 / 3,
        }
    )
    assert study["versions"][0]["confusion"] == {
        "outcome": [
            {"expected": "success", "found": "failure", "count": 1},
            {"expected": "success", "found": "success", "count": 2},
        ],
        "state": [
            {"expected": "paid", "found": "refused", "count": 1},
            {"expected": "refused", "found": "refused", "count": 1},
        ],
    }


def test_people_read_numbers_with_their_intervals_and_what_was_missed(flow: Flow) -> None:
    status, out, err = flow("eval", "claim.yaml", "--cases", "cases.yaml")

    assert status == 0
    assert err == "warning: A: no Cohen's kappa in 'judge' is measured: 'approve' is all that is ever recommended\n"
    assert out.splitlines()[0] == "claim: 4 cases; agents are made-up; intervals of 95 %"
    assert re.search(r"^as expected +75\.0 % \(30\.1 % to 95\.4 %\)$", out, re.MULTILINE)
    assert re.search(r"^time to the end +14h 30m \(3h to ", out, re.MULTILINE)
    assert "A missed large: outcome is 'failure', expected 'success'; state is 'refused', expected 'paid'\n" in out


def test_a_rule_without_a_person_is_by_somebody_who_may(flow: Flow) -> None:
    """The first judge is the initiator, and excluded."""
    Path("cases.yaml").write_text(CASES.replace("cost: [draft.cost]", "initiator: jim"))

    study = evaluated(flow, "--cases", "cases.yaml")

    assert measured(study)["accuracy"] == 3 / 4


def test_a_decision_that_is_refused_is_not_as_expected(flow: Flow) -> None:
    Path("cases.yaml").write_text(CASES.replace("{decide: reject, after: 2h}", "{decide: reject, by: bo}"))

    (result,) = [
        one for one in evaluated(flow, "--cases", "cases.yaml")["versions"][0]["results"] if one["case"] == "large"
    ]

    assert result["met"] is False
    assert result["stop"].startswith("'reject' by 'bo' in 'judge' is refused: 'bo' may not choose 'reject'")


def test_an_agent_that_no_case_describes_is_told(flow: Flow) -> None:
    Path("cases.yaml").write_text("cases: [{name: a, input: {amount: 1}, expect: {outcome: success}}]")

    (result,) = evaluated(flow, "--cases", "cases.yaml")["versions"][0]["results"]

    assert result["differences"][0].startswith("the agent of 'draft' ran, and the case does not say what it gives")


def test_an_input_that_is_refused_is_a_result(flow: Flow) -> None:
    Path("cases.yaml").write_text("cases: [{name: a, expect: {outcome: success}}]")

    (result,) = evaluated(flow, "--cases", "cases.yaml")["versions"][0]["results"]

    assert (result["met"], result["rounds"], result["path"]) == (False, None, [])
    assert result["stop"].startswith("it does not start: ")


REFUSED = """
agents: {draft: a}
cases:
  - {name: meant, input: {amount: a lot}, expect: {refused: input}}
  - {name: other, input: {amount: a lot}, expect: {refused: not_allowed}}
  - {name: started, input: {amount: 1}, expect: {refused: input}}
  - {name: unsaid, input: {amount: a lot}}
"""


def test_a_case_may_expect_that_its_start_is_refused(flow: Flow) -> None:
    Path("cases.yaml").write_text(REFUSED)

    study = evaluated(flow, "--cases", "cases.yaml", "--csv", "out.csv", "--html", "out.html")
    meant, other, started, unsaid = study["versions"][0]["results"]

    assert (meant["met"], meant["status"], meant["refused"], meant["differences"]) == (True, "refused", "input", [])
    assert other["differences"][0].startswith("the run does not start: input.amount: 'a lot' is not ")
    assert other["differences"][0].endswith(" (input); expected to be refused as 'not_allowed'")
    assert started["differences"] == ["the run was expected to be refused as 'input', and was started"]
    assert (started["status"], started["refused"], unsaid["met"]) == ("done", None, None)
    rows = list(csv.DictReader(io.StringIO(Path("out.csv").read_text())))
    assert [row["status"] for row in rows] == ["refused", "refused", "done", "refused"]
    assert rows[0]["stop"].startswith("it does not start: ")
    assert "<td>other</td><td>claim.yaml</td><td>nowhere</td>" in Path("out.html").read_text()
    assert "A missed meant" not in flow("eval", "claim.yaml", "--cases", "cases.yaml")[1]


FAILING = """
agents: {draft: {attempts: [{error: down}, {error: down}, {output: {text: a}}]}}
decisions: {judge: approve}
people: {jim: [judge]}
cases: [{name: a, input: {amount: 1}}, {name: b, input: {amount: 2}}]
"""


@pytest.mark.parametrize("edit", ["amount > 900", "amount > 901"], ids=["itself", "another version"])
def test_the_delays_between_attempts_are_the_same_each_time_and_by_both_versions(flow: Flow, edit: str) -> None:
    text = CLAIM.replace("artifact: claim,", "artifact: claim, retry: {attempts: 3, delay: 1m},")
    Path("claim.yaml").write_text(text)
    Path("new.yaml").write_text(text.replace("amount > 900", edit))
    Path("cases.yaml").write_text(FAILING)

    study = evaluated(flow, "--cases", "cases.yaml", "--compare", "new.yaml", "--repeat", "2")
    again = evaluated(flow, "--cases", "cases.yaml", "--compare", "new.yaml", "--repeat", "2", "--workers", "3")

    took = [result["seconds"] for result in study["versions"][0]["results"]]
    assert len(set(took)) == 4  # chance there is: by case and by repeat
    assert all(2 * 86400 + 90 <= seconds <= 2 * 86400 + 180 for seconds in took)
    assert took == [result["seconds"] for result in study["versions"][1]["results"]]
    assert study["differences"]["seconds"] == {"value": 0, "low": 0, "high": 0, "count": 2}
    assert measured(again) == measured(study)


def test_a_case_may_expect_that_a_state_is_never_entered(flow: Flow) -> None:
    Path("cases.yaml").write_text(CASES.replace("expect: {outcome: success}}", "expect: {visits: {board: 0}}}"))

    assert {one["case"]: one["met"] for one in evaluated(flow, "--cases", "cases.yaml")["versions"][0]["results"]} == {
        "small": True,
        "middle": True,
        "large": False,
        "silent": True,
    }


def test_a_case_may_expect_to_wait(flow: Flow) -> None:
    Path("cases.yaml").write_text(
        CASES.replace("input.amount < 500", "true").partition("cases:")[0]
        + "cases: [{name: a, input: {amount: 1000}, expect: {status: waiting, state: board}}]"
    )

    assert measured(evaluated(flow, "--cases", "cases.yaml"))["accuracy"] == 1


def test_signals_come_when_the_case_says(flow: Flow) -> None:
    Path("claim.yaml").write_text(
        "workflow: claim\nstates:\n  w: {type: wait, signal: [a, b], on: {a: x, b: y, timeout: y}, timeout: 3d}\n"
        "  x: {type: end, output: {got: '{{ w }}'}}\n  y: {type: end}\n"
    )
    Path("cases.yaml").write_text(
        "cases:\n  - {name: a, signals: [{signal: b, after: 2d}, {signal: a, after: 1d, data: 7}],"
        " expect: {state: x, output: {got: 7}}}\n"
    )

    assert measured(evaluated(flow, "--cases", "cases.yaml")) == {"accuracy": 1, "rounds": 0, "seconds": 86400}


WAIT = """\
workflow: claim
states:
  w:
    type: wait
    signal: covered
    output: {type: object, required: [policy]}
    on: {received: x, timeout: y}
    timeout: 3d
  x: {type: end}
  y: {type: end}
"""
SENT = "cases: [{name: a, signals: [{signal: covered, after: 2d, data: {}}], expect: {state: y}}]\n"


def test_a_signal_that_its_wait_refuses_is_told_before_anything_is_played(flow: Flow) -> None:
    Path("claim.yaml").write_text(WAIT)
    Path("cases.yaml").write_text(SENT)

    status, out, err = flow("eval", "claim.yaml", "--cases", "cases.yaml")

    assert (status, out) == (cli.EXIT_STATUSES["DefinitionError"], "")
    assert "cases.yaml:1:64: error HP421 the signal 'covered' is refused: data: 'policy' is required; write what" in err


def test_a_signal_that_another_version_refuses_is_not_as_expected(flow: Flow) -> None:
    Path("claim.yaml").write_text(WAIT.replace("required: [policy]", "required: []"))
    Path("new.yaml").write_text(WAIT)
    Path("cases.yaml").write_text(SENT.replace("state: y", "visits: {y: 0}"))

    first, second = evaluated(flow, "--cases", "cases.yaml", "--compare", "new.yaml")["versions"]

    assert (first["results"][0]["met"], second["results"][0]["met"]) == (True, False)
    assert second["results"][0]["stop"].startswith(
        "the signal 'covered' is refused: data of signal 'covered': 'policy' is"
    )
    assert second["results"][0]["differences"] == [second["results"][0]["stop"]]


def test_another_workflow_that_is_compared_is_a_warning(flow: Flow) -> None:
    Path("new.yaml").write_text(CLAIM.replace("workflow: claim", "workflow: other"))

    err = flow("eval", "claim.yaml", "--cases", "cases.yaml", "--compare", "new.yaml")[2]

    assert "warning: B: the cases are of the workflow 'claim', and this is 'other'\n" in err
    assert "warning: A: the cases" not in err


def test_no_kappa_is_given_where_all_agreement_is_what_chance_gives(flow: Flow) -> None:
    """A constant recommendation has the kappa 0, or none, in every resample: an interval of it would look exact."""
    study = evaluated(flow, "--cases", "cases.yaml", "--compare", "claim.yaml")

    assert "kappa.judge" not in study["versions"][0]["measures"]
    assert "kappa.judge" not in study["differences"]
    assert "agreement.judge" in study["differences"]


def test_a_kappa_that_is_often_undefined_says_so(flow: Flow) -> None:
    """Of two cases half of the resamples have one of them twice, and then chance gives all agreement."""
    Path("flow.toml").write_text("[people.jim]\nroles = ['judge']\n")
    Path("cases.csv").write_text(CSV.replace("silent,40,,approve", "silent,40,,"))
    words = ("--recommend", "judge=draft.advice")
    found = evaluated(flow, "--cases", "cases.csv", *words)["versions"][0]

    assert found["measures"]["kappa.judge"]["value"] == 1
    assert [re.sub(r"\d+ %", "N %", text) for text in found["warnings"]] == [
        "Cohen's kappa in 'judge' is undefined in N % of the resamples: its interval leaves them out"
    ]


def test_two_versions_are_compared_case_by_case(flow: Flow) -> None:
    Path("new.yaml").write_text(CLAIM.replace("reject: refused\n    timeout: 2d", "reject: paid\n    timeout: 2d"))

    study = evaluated(flow, "--cases", "cases.yaml", "--compare", "new.yaml")
    status, out, _ = flow("eval", "claim.yaml", "--cases", "cases.yaml", "--compare", "new.yaml")

    assert [version["file"] for version in study["versions"]] == ["claim.yaml", "new.yaml"]
    assert (measured(study)["accuracy"], measured(study, 1)["accuracy"]) == (3 / 4, 3 / 4)
    assert study["differences"]["accuracy"]["value"] == 0
    assert study["differences"]["rounds"] == {"value": 0, "low": 0, "high": 0, "count": 4}
    assert study["parted"] == ["large", "silent"]
    assert status == 0
    assert "2 of 4 cases end otherwise by B: large, silent\n" in out
    assert re.search(r"^MEASURE +A +B +B - A$", out, re.MULTILINE)


def test_a_clear_difference_is_told_apart_from_chance(flow: Flow) -> None:
    cases = "".join(
        f"  - {{name: c{number}, input: {{amount: {number}}}, expect: {{outcome: success}}}}\n" for number in range(40)
    )
    Path("cases.yaml").write_text(CASES.partition("cases:")[0] + "cases:\n" + cases)
    Path("new.yaml").write_text(CLAIM.replace("amount > 900", "amount > 19"))

    found = evaluated(flow, "--cases", "cases.yaml", "--compare", "new.yaml")["differences"]["accuracy"]

    assert found["value"] == -0.5
    assert found["low"] < -0.5 < found["high"] < 0


def test_what_agents_gave_is_recorded_and_played_again(flow: Flow) -> None:
    Path("claims.py").write_text(
        "from itertools import count\nnumbers = count(1)\n"
        "def draft(amount):\n    number = next(numbers)\n"
        "    if number == 2:\n        raise OSError('down')\n    return {'cost': number}\n"
    )
    Path("cases.yaml").write_text(
        "cost: [draft.cost]\ndecisions: {judge: approve}\n"
        "cases: [{name: a, input: {amount: 1}}, {name: b, input: {amount: 2}}]"
    )
    Path("claim.yaml").write_text(
        CLAIM.replace("artifact: claim,", "artifact: claim, isolate: false, retry: {attempts: 2},")
    )

    first = evaluated(flow, "--cases", "cases.yaml", "--agents", "real", "--repeat", "2", "--record", "r.json")
    Path("claims.py").unlink()
    again = evaluated(flow, "--cases", "cases.yaml", "--recording", "r.json", "--repeat", "2")

    assert [result["cost"] for result in first["versions"][0]["results"]] == [1, 3, 4, 5]
    assert [result["cost"] for result in again["versions"][0]["results"]] == [1, 3, 4, 5]
    assert "elapsed" in measured(first)
    assert "elapsed" not in measured(again)
    attempts = json.loads(Path("r.json").read_text())["cases"]["a"][1]["draft"][0]
    assert [next(iter(attempt)) for attempt in attempts] == ["error", "output"]


def test_a_recording_gives_nothing_that_is_not_in_it(flow: Flow) -> None:
    evaluated(flow, "--cases", "cases.yaml", "--record", "r.json")
    Path("cases.yaml").write_text(CASES.replace("input.amount > 100", "true"))

    results = evaluated(flow, "--cases", "cases.yaml", "--recording", "r.json")["versions"][0]["results"]

    (small,) = [result for result in results if result["case"] == "small"]
    assert small["path"][:3] == ["draft", "read", "draft"]
    assert small["stop"].startswith("the agent of 'draft' is to run, and visit 2 was not recorded")


def test_a_case_that_is_played_often_counts_once(flow: Flow) -> None:
    once = evaluated(flow, "--cases", "cases.yaml")
    often = evaluated(flow, "--cases", "cases.yaml", "--repeat", "5", "--workers", "3")

    assert len(often["versions"][0]["results"]) == 20
    assert often["versions"][0]["measures"] == once["versions"][0]["measures"]


CSV = """\
name,input.amount,input.note,agents.draft.advice,decide.judge,by.judge,after.judge,expect.outcome,expect.output.paid
small,20,0123,approve,approve,,2h,success,20
"two
lines",30,,reject,reject,jim,,failure,
silent,40,,approve,,,,failure,
"""


def test_cases_may_be_rows_of_csv(flow: Flow) -> None:
    Path("cases.csv").write_text(CSV)
    Path("flow.toml").write_text("[people.jim]\nroles = ['judge']\n")

    study = evaluated(flow, "--cases", "cases.csv", "--recommend", "judge=draft.advice")

    assert [result["met"] for result in study["versions"][0]["results"]] == [True, True, True]
    assert measured(study)["agreement.judge"] == 1
    assert measured(study)["kappa.judge"] == 1


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        pytest.param(
            ("decide.judge", "decide.juge"),
            "cases.csv:1:1: error HP405 the column 'decide.juge': the workflow has no state 'juge' in which people "
            "decide; did you mean 'judge'?",
            id="state",
        ),
        pytest.param(
            ("agents.draft", "agents.darft"),
            "cases.csv:1:1: error HP405 the column 'agents.darft.advice': the workflow has no agent 'darft' whose work",
            id="agent",
        ),
        pytest.param(
            ("decide.judge,", "decide.read,"),
            "cases.csv:1:1: error HP421 the column 'by.judge' says nothing without the column 'decide.judge'",
            id="no decision",
        ),
        pytest.param(
            ("input.note", "expect.output"),
            "cases.csv:1:1: error HP421 the column 'expect.output.paid' is a part of the column 'expect.output'",
            id="part",
        ),
        pytest.param(
            ("expect.outcome", "expect.outcom"),
            "cases.csv:1:1: error HP101 expect.outcom: unknown key 'outcom' in 'expect'; did you mean 'outcome'?",
            id="expected",
        ),
        pytest.param(
            ("expect.outcome", "expect.path"),
            "cases.csv:2:1: error HP103 'expect.path' must be a list, not the text 'success'; write JSON in the cell, "
            """such as ["a", "b"]; as the file has it: "[""a"", ""b""]"\n""",
            id="list",
        ),
        pytest.param(
            ("expect.output.paid", "expect.visits"),
            "cases.csv:2:1: error HP103 'expect.visits' must be a mapping, not 20; write JSON in the cell, such as ",
            id="mapping",
        ),
        pytest.param(
            ("silent,", ","),
            "cases.csv:5:1: error HP102 the key 'name' is missing in the row; fill the cell",
            id="no name",
        ),
        pytest.param(
            (",reject,reject,", ",reject,rejct,"),
            "cases.csv:3:1: error HP405 decide.judge: 'rejct' is not an option of state 'judge'; did you mean",
            id="option",
        ),
        pytest.param(
            ("agents.draft.advice", "agent.draft"), "cases.csv:1:1: error HP421 the column 'agent.draft'", id="column"
        ),
        pytest.param((",jim,,", ",jim,soon,"), "cases.csv:3:1: error HP404", id="duration"),
        pytest.param(("small,", "silent,"), "cases.csv:5:1: error HP403", id="name"),
        pytest.param((",success,20", ",success"), "cases.csv:2:1: error HP421 the row has 8 cells", id="cells"),
        pytest.param(
            (",success,", ",sucess,"),
            "cases.csv:2:1: error HP104 'expect.outcome' cannot be 'sucess';"
            " did you mean 'success'? allowed: success, failure, cancelled, null\n",
            id="outcome",
        ),
    ],
)
def test_what_is_wrong_in_csv_is_told_by_its_line(flow: Flow, edit: tuple[str, str], text: str) -> None:
    assert edit[0] in CSV
    Path("cases.csv").write_text(CSV.replace(*edit))

    status, out, err = flow("eval", "claim.yaml", "--cases", "cases.csv")

    assert (status, out) == (cli.EXIT_STATUSES["DefinitionError"], "")
    assert err.startswith("error: these cases cannot be used\n")
    assert text in err


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        pytest.param(
            "judge: draft.advice",
            "juge: draft.advice",
            "yaml:4:24: error HP405 the workflow has no state 'juge'",
            id="recommendation",
        ),
        pytest.param(
            "[draft.cost]", "[drat.cost]", "yaml:5:8: error HP405 the workflow has no state 'drat'", id="cost"
        ),
        pytest.param("decide: reject", "decide: rejct", "HP405 'rejct' is not an option of state 'judge'", id="option"),
        pytest.param("input.amount < 500", "inpt.amount < 500", "called 'inpt'; did you mean 'input'?", id="name"),
        pytest.param("input.amount < 500", "input.amount <", "HP421 the condition", id="condition"),
        pytest.param("{silence: true}", "{}", "HP421 it does not say what is decided", id="no decision"),
        pytest.param(
            "{silence: true}",
            "{silent: true, when: 'true'}",
            "17:61: error HP101 unknown key 'silent' in 'cases[3].decisions.judge'; did you mean 'silence'? allowed: "
            "decide, silence, when, by, after, comment, answers, artifact\n",
            id="key of a rule",
        ),
        pytest.param(
            "{silence: true}", "{by: jim}", "as it needs when, by, after, comment, answers, artifact\n", id="no option"
        ),
        pytest.param(
            "expect: {outcome: success}",
            "expect: {outcome: sucess}",
            "did you mean 'success'? allowed: success, failure, cancelled, null\n",
            id="null",
        ),
        pytest.param(
            "recommendation: {judge",
            "recommendation: {draft: draft.advice, judge",
            "HP405 the workflow has no state 'draft' in which people decide; allowed: read, judge, board\n",
            id="nobody decides",
        ),
        pytest.param(
            "judge: {silence",
            "draft: {silence",
            "no state 'draft' in which people decide; allowed: read,",
            id="no people",
        ),
        pytest.param("after: 1h", "after: 1x", "HP404", id="duration"),
        pytest.param(
            "agents: {draft",
            "agents: {read",
            "HP405 the workflow has no agent whose work could be made up 'read'",
            id="agent",
        ),
        pytest.param(
            "state: refused", "state: refuse", "HP405 the workflow has no state 'refuse'", id="expected state"
        ),
        pytest.param(
            "expect: {state: refused}", "expect: {state: refused, refused: input}", "HP406 a run whose", id="refused"
        ),
        pytest.param("name: silent", "name: small", "HP403 two cases are named 'small'", id="twice"),
        pytest.param("expect: {outcome: success}", "expects: {outcome: success}", "HP101", id="key"),
    ],
)
def test_what_is_wrong_in_cases_is_told_with_its_place(flow: Flow, old: str, new: str, text: str) -> None:
    assert old in CASES
    Path("cases.yaml").write_text(CASES.replace(old, new))

    status, out, err = flow("eval", "claim.yaml", "--cases", "cases.yaml")

    assert (status, out) == (cli.EXIT_STATUSES["DefinitionError"], "")
    assert re.search(r"cases\.yaml:\d+:\d+: error ", err)
    assert text in err


def test_a_misspelt_column_is_told_once(flow: Flow) -> None:
    """Not in each row, and not what follows from it."""
    Path("cases.csv").write_text(CSV.replace("decide.judge", "decide.juge").replace("expect.outcome", "expect.outcom"))
    first = flow("eval", "claim.yaml", "--cases", "cases.csv")[2]
    Path("cases.csv").write_text(CSV.replace("expect.outcome", "expect.outcom"))
    second = flow("eval", "claim.yaml", "--cases", "cases.csv")[2]

    assert first.count("error HP") == 1
    assert second.count("error HP") == 1


@pytest.mark.parametrize("sign", [";", "\t"])
def test_a_table_that_something_else_separates_says_so(flow: Flow, sign: str) -> None:
    Path("cases.csv").write_text(CSV.replace(",", sign))

    err = flow("eval", "claim.yaml", "--cases", "cases.csv")[2]

    assert err.splitlines()[1:] == [
        f"cases.csv:1:1: error HP421 the columns are separated by {sign!r}, and not by ','; "
        "save the table as CSV with commas"
    ]


def test_states_that_ask_after_a_crash_are_those_in_which_people_decide(flow: Flow) -> None:
    Path("claim.yaml").write_text(CLAIM.replace("artifact: claim,", "artifact: claim, after_crash: ask,"))
    cases = CASES.replace("recommendation: {", "recommendation: {draft: input.note, ")
    Path("cases.yaml").write_text(cases.replace("judge: {silence: true}", "draft: retry"))
    status, _, err = flow("eval", "claim.yaml", "--cases", "cases.yaml")
    Path("cases.yaml").write_text(cases.replace("judge: {silence: true}", "draft: rety"))
    refused = flow("eval", "claim.yaml", "--cases", "cases.yaml")[2]

    assert (status, "no agreement in 'draft' is measured: no person decided there" in err) == (0, True)
    assert "HP405 'rety' is not an option of state 'draft'; did you mean 'retry'? allowed: retry, done, fail" in refused


def test_columns_name_the_keys_of_an_output_that_are_compared(flow: Flow) -> None:
    Path("claim.yaml").write_text(CLAIM.replace("output: {paid:", "output: {by: a, paid:"))
    Path("flow.toml").write_text("[people.jim]\nroles = ['judge']\n")
    Path("cases.csv").write_text(CSV)
    met = [result["met"] for result in evaluated(flow, "--cases", "cases.csv")["versions"][0]["results"]]
    Path("cases.csv").write_text(CSV.replace(",success,20", ",success,21"))
    result, *_ = evaluated(flow, "--cases", "cases.csv")["versions"][0]["results"]

    assert met == [True, True, True]
    assert result["differences"] == ["output.paid is 20, expected 21"]


OUTPUT = "{type: object, properties: {text: {type: string}, advice: {enum: [approve, hold]}, cost: {type: number}}}"


@pytest.fixture
def known(flow: Flow) -> Flow:
    """The same, where the workflow says what its agent gives."""
    Path("claim.yaml").write_text(CLAIM.replace("artifact: claim,", f"artifact: claim, output: {OUTPUT},"))
    return flow


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        pytest.param(
            "judge: draft.advice",
            "judge: draft.advise",
            "4:25: error HP421 the property 'advise' of 'draft'",
            id="path",
        ),
        pytest.param("judge: draft.advice", "judge: draft.cost", "HP421 'draft.cost' is none or a number", id="number"),
        pytest.param("judge: draft.advice", "read: draft.advice", "none is an option of state 'read'", id="options"),
        pytest.param("judge: draft.advice", "paid: draft.advice", "no state 'paid' in which people", id="no people"),
        pytest.param("judge: draft.advice", "judge: paid.advice", "no state 'paid' that leaves", id="no result"),
        pytest.param("[draft.cost]", "[draft.cots]", "5:8: error HP421 the property 'cots' of 'draft'", id="cost"),
        pytest.param("[draft.cost]", "[draft.text]", "HP421 'draft.text' is none or a text", id="no number"),
        pytest.param("[draft.cost]", "[judge.cost]", "HP405 the workflow has no state 'judge' with an", id="no agent"),
        pytest.param(
            "input.amount < 500", "draft.rsk == 1", "11:31: error HP421 the property 'rsk' of 'draft'", id="condition"
        ),
        pytest.param("input.amount < 500", "draft.advice == 'no'", "HP421 'draft.advice' is never 'no'", id="never"),
        pytest.param("input.amount < 500", "draft.cost", "HP421 the condition gives none or a number", id="no truth"),
    ],
)
def test_what_cases_read_is_checked_before_anything_is_played(known: Flow, old: str, new: str, text: str) -> None:
    assert old in CASES
    Path("cases.yaml").write_text(CASES.replace(old, new))

    status, out, err = known("eval", "claim.yaml", "--cases", "cases.yaml")

    assert (status, out) == (cli.EXIT_STATUSES["DefinitionError"], "")
    assert text in err
    assert err.count("error HP") == 1


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        pytest.param(
            "advice: approve",
            "advice: maybe",
            "3:17: error HP407 what the agent of 'draft' gives is not what its state takes: output.advice: 'maybe' is",
            id="output",
        ),
        pytest.param(
            "{text: a, advice: approve, cost: 0.5}",
            "[{text: a}, {text: 1}]",
            "3:29: error HP407 what the agent of 'draft' gives is not",
            id="visit",
        ),
        pytest.param(
            "advice: approve, cost: 0.5",
            "advice: approve, costs: 0.5",
            "3:44: error HP421 what the agent of 'draft' gives has no property 'costs'; did you mean 'cost'?",
            id="key",
        ),
        pytest.param(
            "{text: a, advice", "{error: {cod: a}}, other: {advice", "HP407 an error has no 'cod'", id="failure"
        ),
        pytest.param(
            "input: {amount: 30}",
            "input: {amont: 30}",
            "17:28: error HP421 the input has no property 'amont'; did you mean 'amount'?",
            id="input",
        ),
        pytest.param(
            "input: {amount: 30}",
            "input: {x: 30}",
            "17:28: error HP421 the input has no property 'x'; allowed: amount, note",
            id="in place of what is required",
        ),
    ],
)
def test_what_cases_give_is_checked_before_anything_is_played(known: Flow, old: str, new: str, text: str) -> None:
    assert old in CASES
    Path("cases.yaml").write_text(CASES.replace(old, new))

    status, out, err = known("eval", "claim.yaml", "--cases", "cases.yaml")

    assert (status, out) == (cli.EXIT_STATUSES["DefinitionError"], "")
    assert text in err


@pytest.mark.parametrize(
    ("column", "text"),
    [
        pytest.param(
            "agents.draft.advise", "agents.draft.advise: what the agent of 'draft' gives has no pro", id="agent"
        ),
        pytest.param(
            "input.amunt", "input.amunt: the input has no property 'amunt'; did you mean 'amount'?", id="input"
        ),
    ],
)
def test_a_misspelt_property_in_a_column_is_told_once_in_the_header(known: Flow, column: str, text: str) -> None:
    columns = {"agents.draft.advise": "agents.draft.advice", "input.amunt": "input.amount"}
    Path("cases.csv").write_text(CSV.replace(columns[column], column).replace(",reject,reject", ",hold,reject"))

    status, out, err = known("eval", "claim.yaml", "--cases", "cases.csv")

    assert (status, out) == (cli.EXIT_STATUSES["DefinitionError"], "")
    assert err.count("error HP") == 1
    assert f"cases.csv:1:1: error HP421 {text}" in err


def test_a_property_that_no_schema_names_may_be_given_where_nothing_is_missing(known: Flow) -> None:
    Path("cases.yaml").write_text(CASES.replace("input: {amount: 30}", "input: {amount: 30, exported: x}"))

    assert measured(evaluated(known, "--cases", "cases.yaml"))["accuracy"] == 3 / 4


def test_a_property_that_the_schema_forbids_is_told_unless_the_refusal_is_expected(flow: Flow) -> None:
    text = CLAIM.replace("required: [amount]", "required: [amount]\n  additionalProperties: false")
    Path("claim.yaml").write_text(text)
    Path("cases.yaml").write_text("cases: [{name: a, input: {amount: 1, x: 2}, expect: {refused: input}}]")
    study = evaluated(flow, "--cases", "cases.yaml")
    Path("cases.yaml").write_text("cases: [{name: a, input: {amount: 1, x: 2}}]")
    err = flow("eval", "claim.yaml", "--cases", "cases.yaml")[2]

    assert measured(study)["accuracy"] == 1
    assert "cases.yaml:1:38: error HP421 the input has no property 'x'; allowed: amount, note" in err


def test_what_an_agent_gave_that_was_refused_is_a_warning(known: Flow) -> None:
    """A case that expects a failure would count as met, and nothing would say why."""
    Path("cases.yaml").write_text(CASES.replace("draft: {text", "draft: {output: {text").replace("0.5}}", "oh}}}"))

    _, _, err = known("eval", "claim.yaml", "--cases", "cases.yaml")
    study = evaluated(known, "--cases", "cases.yaml")

    evaluated(known, "--cases", "cases.yaml", "--csv", "out.csv")
    row = next(csv.DictReader(io.StringIO(Path("out.csv").read_text())))
    text = (
        "what the agent of 'draft' gave was refused 4 times (agent_output): output.cost: 'oh' is not of type 'number'"
    )
    assert f"warning: A: {text}\n" in err
    assert text in study["versions"][0]["warnings"]
    assert row["failures"] == "draft: agent_output: output.cost: 'oh' is not of type 'number'"
    assert [one["code"] for one in study["versions"][0]["results"][0]["failures"]] == ["agent_output"]


def test_cases_that_read_what_is_there_are_played(known: Flow) -> None:
    Path("cases.yaml").write_text(CASES.replace("input.amount < 500", "draft.advice == 'approve' and visits.draft < 9"))

    assert {"cost", "agreement.judge"} <= set(measured(evaluated(known, "--cases", "cases.yaml")))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        pytest.param(
            ["--recommend", "juge=draft.advice"], "--recommend juge=draft.advice: the workflow has", id="state"
        ),
        pytest.param(["--recommend", "judge=draft.advise"], "advise' of 'draft' does not exist; did you", id="path"),
        pytest.param(["--cost", "draft.text"], "--cost draft.text: 'draft.text' is none or a text", id="cost"),
    ],
)
def test_what_is_wrong_in_an_option_is_said_of_the_option(known: Flow, words: list[str], text: str) -> None:
    status, out, err = known("eval", "claim.yaml", "--cases", "cases.yaml", *words)

    assert (status, out) == (cli.USAGE, "")
    assert text in err
    assert "cases.yaml" not in err


def test_a_cost_that_is_named_twice_counts_once(flow: Flow) -> None:
    study = evaluated(flow, "--cases", "cases.yaml", "--cost", "draft.cost")

    assert measured(study)["cost"] == (0.5 + 1 + 1 + 0.5) / 4


def test_what_was_to_be_measured_and_never_was_there_is_a_warning(flow: Flow) -> None:
    """No schema says what the agent gives, so that nothing is known before."""
    words = ("--recommend", "judge=draft.advise", "--recommend", "board=draft.advice", "--cost", "draft.text")

    status, _, err = flow("eval", "claim.yaml", "--cases", "cases.yaml", "--html", "out.html", *words)
    study = evaluated(flow, "--cases", "cases.yaml", *words)

    warnings = [
        "no agreement in 'judge' is measured: nothing was ever found at 'draft.advise'",
        "no agreement in 'board' is measured: no person decided there",
        "no cost is measured at 'draft.text': no number was ever found there",
    ]
    assert (status, err.splitlines()) == (0, [f"warning: A: {text}" for text in warnings])
    assert study["versions"][0]["warnings"] == warnings
    assert all(text in _Page(Path("out.html").read_text()).text for text in warnings)


def test_a_fault_in_very_many_cases_is_told_of_the_first(flow: Flow) -> None:
    cases = "".join(f"  - {{name: c{number}, expect: {{state: nowhere}}}}\n" for number in range(200))
    Path("cases.yaml").write_text(f"cases:\n{cases}")

    status, _, err = flow("eval", "claim.yaml", "--cases", "cases.yaml")

    assert status == cli.EXIT_STATUSES["DefinitionError"]
    assert err.count("HP405") == 100


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param(["--agents", "recorded"], cli.USAGE, id="no recording"),
        pytest.param(["--recording", "none.json"], 3, id="no such recording"),
        pytest.param(["--recording", "cases.yaml"], 6, id="no recording at all"),
        pytest.param(["--recommend", "judge"], cli.USAGE, id="no path"),
        pytest.param(["--min-accuracy", "75"], 0, id="enough"),
        pytest.param(["--min-accuracy", "76"], cli.FINDINGS, id="too little"),
    ],
)
def test_exit_statuses(flow: Flow, words: list[str], status: int) -> None:
    assert flow("eval", "claim.yaml", "--cases", "cases.yaml", *words)[0] == status


def test_the_csv_has_a_play_a_row_and_no_formulas(flow: Flow) -> None:
    Path("cases.yaml").write_text(CASES.replace("name: small", "name: '=1+1'"))

    flow("eval", "claim.yaml", "--cases", "cases.yaml", "--csv", "out.csv", "--repeat", "2")

    rows = list(csv.DictReader(io.StringIO(Path("out.csv").read_text())))
    assert [row["case"] for row in rows[:3]] == ["'=1+1", "'=1+1", "middle"]
    assert rows[0]["path"] == "draft read judge paid"
    assert {row["met"] for row in rows} == {"yes", "no"}


class _Page(HTMLParser):
    """Finds the tags of a page, and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href", "xlink:href", "srcset")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_needs_nothing_else_and_escapes_all_text(flow: Flow) -> None:
    evil = "<script>alert('x')</script>"
    Path("cases.yaml").write_text(CASES.replace("name: small", f'name: "{evil}"'))
    Path("new.yaml").write_text(CLAIM.replace("amount > 900", "amount > 19"))

    flow("eval", "claim.yaml", "--cases", "cases.yaml", "--compare", "new.yaml", "--html", "out.html")

    text = Path("out.html").read_text()
    page = _Page(text)
    assert "script" not in page.tags
    assert page.references == []
    assert "url(" not in text
    assert evil in page.text
    assert page.tags.count("svg") >= 3
    assert "prefers-color-scheme:dark" in text


def test_the_python_api_gives_the_study(flow: Flow) -> None:
    told: list[int] = []

    study = trials.evaluate(Path("claim.yaml"), Path("cases.yaml"), on_played=told.append)

    assert told == [4, 4, 4, 4]
    assert study.versions[0].measures["accuracy"].value == 3 / 4
    with pytest.raises(holdpoint.UsageError):
        trials.evaluate(Path("claim.yaml"), Path("cases.yaml"), agents="recorded")


# Published values: Wilson by Newcombe (1998), table I; kappa by its definition.


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_as_published(hits: int, count: int, low: float, high: float) -> None:
    found = wilson(hits / count, count)

    assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)


def test_kappa_takes_off_what_chance_gives() -> None:
    pairs = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15

    assert agreement(pairs) == 0.7
    assert kappa(pairs) == pytest.approx(0.4)
    assert kappa([("yes", "yes")] * 3) is None
    assert kappa([]) is None


def test_the_bootstrap_comes_near_to_what_theory_gives_and_is_the_same_again() -> None:
    values = [float(number % 10) for number in range(200)]

    found = bootstrap(values, fmean)

    assert found is not None
    half = 1.96 * (8.25 / 200) ** 0.5
    assert (found.value, found.count) == (4.5, 200)
    assert [found.low, found.high] == pytest.approx([4.5 - half, 4.5 + half], abs=0.06)
    assert bootstrap(values, fmean) == found
