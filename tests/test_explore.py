"""`flow explore`: what it finds in wrong workflows, what it writes down, and what it holds runs to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from holdpoint.cli import main
from holdpoint.engine.jsonschemas import validate
from holdpoint.schema.samples import matching, samples

Flow: TypeAlias = Callable[..., tuple[int, str, str]]

PAY = """
workflow: pay
input:
  type: object
  required: [amount]
  properties: {amount: {type: number, exclusiveMinimum: 0}}
states:
  draft: {type: agent, command: [x], output: {type: string, minLength: 1}, artifact: report, next: review}
  review:
    type: return
    message: Fine?
    show: [report]
    max_returns: 2
    on: {accept: boss, revise: draft}
    timeout: 2d
    default: accept
  boss:
    type: approval
    message: Pay?
    show: [report]
    assign: ["role:boss"]
    exclude: [initiator]
    on:
      approve:
        - {to: heard, when: "input.amount > 5000"}
        - {to: pay}
      reject: refused
    timeout: 2d
    default: reject
  heard: {type: wait, signal: bank, timeout: 1d, on: {received: pay, timeout: refused}}
  pay:
    type: agent
    command: [x]
    with: {report: "{{ artifacts.report }}"}
    effect: irreversible
    retry: {attempts: 2}
    on: {done: paid, error: refused}
  paid: {type: end}
  refused: {type: end, outcome: failure}
"""
SMALL = """
workflow: pay
input:
  type: object
  required: [amount]
  properties: {amount: {type: number, exclusiveMinimum: 0}}
states:
  draft: {type: agent, command: [x], output: {type: string, minLength: 1}, artifact: report, next: boss}
  boss:
    type: return
    message: Pay?
    show: [report]
    assign: ["role:boss"]
    max_returns: 2
    on:
      accept:
        - {to: heard, when: "input.amount > 5000"}
        - {to: paid}
      revise: draft
    timeout: 2d
    default: accept
  heard: {type: wait, for: 1d, next: paid}
  paid: {type: end}
"""
SCENARIOS = """
workflow: pay.yaml
people: {bea: [boss]}
invariants: %s
scenarios:
  - name: silence
    input: {amount: 1}
    agents: {draft: a report}
    steps: [{advance: 5d}]
    expect: {state: paid}
"""


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Flow:
    """Runs `flow` in a project with the workflow `pay`, which is `SMALL` unless a test writes another."""
    (tmp_path / "flow.toml").write_text("")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "pay.yaml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        status = 0
        try:
            main(list(words))
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        out, err = capfd.readouterr()
        return status, out, err

    return run


def invariants(*texts: str) -> None:
    """Write the scenario file beside the workflow, with these invariants."""
    Path("workflows/pay.scenarios.yaml").write_text(SCENARIOS % json.dumps(texts))


def change(old: str, new: str) -> None:
    path = Path("workflows/pay.yaml")
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))


def explored(flow: Flow, *words: str) -> Any:
    status, out, err = flow("explore", "pay", "--walks", "10", "--json", *words)
    assert err == ""
    found = json.loads(out)
    assert status == (1 if found["problems"] else 0)
    return found


def test_nothing_is_broken_and_all_is_reached_in_a_good_workflow(flow: Flow) -> None:
    Path("workflows/pay.yaml").write_text(PAY)

    found = explored(flow)

    assert found["problems"] == []
    assert (found["percent"], found["missing"], found["complete"]) == (100.0, [], True)


def test_the_shortest_way_that_breaks_an_invariant_is_a_scenario_that_passes(flow: Flow) -> None:
    invariants("never: state == 'heard' and boss.by_kind == 'timer'")

    [problem] = explored(flow)["problems"]

    assert problem["path"] == ["draft", "boss", "heard"]
    assert problem["scenario"].count("- {") == 1
    assert problem["played"] is True
    Path("workflows/pay.scenarios.yaml").write_text(SCENARIOS % "[]" + problem["scenario"])
    status, out, err = flow("test", "workflows")
    assert (status, err) == (0, "")
    assert "2 scenarios" in out


def test_a_moment_inside_of_one_step_counts(flow: Flow) -> None:
    invariants("always: state != 'draft' or visits.draft < 3", "ends: outcome == 'success'")

    [problem] = explored(flow)["problems"]

    assert problem["path"][:5] == ["draft", "boss", "draft", "boss", "draft"]


def test_people_who_answer_at_the_last_moment_make_a_run_as_long_as_it_can_be(flow: Flow) -> None:
    change("    max_returns: 2\n", "    max_returns: 1\n")
    change("next: boss}", "next: boss, after_crash: fail}")
    invariants("always ends within 5d", "always ends within 4d")

    found = explored(flow)

    assert [problem["rule"] for problem in found["problems"]] == ["always ends within 4d"]
    assert "{advance: 1d23h59m59s}" in found["problems"][0]["scenario"]


@pytest.mark.parametrize(
    ("text", "is_broken"),
    [
        pytest.param("always ends within 4d", True, id="nearly-the-longest"),
        pytest.param("always ends within 5d", False, id="the-longest"),
        pytest.param("never: elapsed > 200000 and visits.edit == 4", True, id="elapsed"),
    ],
)
def test_every_answer_can_come_at_the_last_moment(flow: Flow, text: str, is_broken: bool) -> None:
    """Four returns and a last day: a slow run and a quick one are not the same to what asks for the time."""
    Path("workflows/slow.yaml").write_text(
        "workflow: slow\nstates:\n  draft: {type: agent, value: hello, artifact: note, next: edit}\n"
        "  edit:\n    type: return\n    show: [note]\n    max_returns: 4\n    on: {accept: done, revise: draft}\n"
        "    timeout: 1d\n    default: accept\n  done: {type: end}\n"
    )
    head = f"workflow: slow.yaml\ninvariants: [{json.dumps(text)}]\n"
    Path("workflows/slow.scenarios.yaml").write_text(f"{head}scenarios: [{{name: it waits}}]\n")

    status, out, _ = flow("--json", "explore", "slow", "--walks", "0")

    assert [problem["rule"] for problem in json.loads(out)["problems"]] == ([text] if is_broken else [])
    assert status == int(is_broken)


def test_an_agent_whose_failure_leads_nowhere_is_no_problem_and_an_expression_that_fails_is(flow: Flow) -> None:
    assert explored(flow)["problems"] == []
    change("  paid: {type: end}", '  paid: {type: end, output: {last: "{{ artifacts.report[12] }}"}}')

    [problem] = explored(flow)["problems"]

    assert problem["message"].startswith("it is stuck, failed in 'paid'")


def test_a_request_that_nobody_may_decide_is_found(flow: Flow) -> None:
    change('    assign: ["role:boss"]\n', '    assign: ["{{ run.initiator }}"]\n    exclude: [initiator]\n')
    change("    timeout: 2d\n    default: accept\n", "    timeout: never\n")

    [problem] = explored(flow)["problems"]

    assert "nobody may decide it" in problem["message"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("never state == 'pay'", "is no invariant", id="form"),
        pytest.param("never: stat == 'pay'", "the name 'stat' is not known", id="name"),
        pytest.param("always: state + 1 == 2", "text", id="types"),
        pytest.param("never: state == 'payed'", "did you mean 'paid'?", id="no state"),
        pytest.param("never: status == 'ended'", "failed", id="no status"),
        pytest.param("ends: outcome != 'succes'", "did you mean 'success'?", id="no outcome"),
        pytest.param("always: visits.draft", "must give true or false", id="no condition"),
        pytest.param("never: state ==", "", id="syntax"),
        pytest.param("always ends within ever", "", id="duration"),
    ],
)
def test_an_invariant_that_is_none_is_refused_with_its_place(flow: Flow, text: str, message: str) -> None:
    invariants(text)

    status, _, err = flow("explore", "pay")

    assert status == 6
    assert "workflows/pay.scenarios.yaml:4:" in err
    assert "HP408" in err
    assert message in err


def test_what_is_written_covers_all_and_passes(flow: Flow) -> None:
    status, out, err = flow("explore", "pay", "--write", "workflows/found.scenarios.yaml")

    assert (status, err) == (0, "")
    assert "wrote workflows/found.scenarios.yaml: " in out
    assert flow("test", "workflows", "--min-coverage", "100")[0] == 0


def test_detailed_scenarios_expect_what_people_are_asked(flow: Flow) -> None:
    flow("explore", "pay", "--walks", "0", "--write", "workflows/found.scenarios.yaml", "--detailed")
    assert flow("test", "workflows", "--min-coverage", "100")[0] == 0

    change("    message: Pay?\n", "    message: Pay it?\n")

    status, out, _ = flow("test", "workflows")
    assert status == 1
    assert "message is 'Pay it?', expected 'Pay?'" in out


def test_only_what_is_not_covered_is_written_and_no_file_is_overwritten(flow: Flow) -> None:
    flow("explore", "pay", "--write", "workflows/pay.scenarios.yaml")
    before = Path("workflows/pay.scenarios.yaml").read_bytes()

    found = explored(flow, "--write", "workflows/more.scenarios.yaml")
    status, _, err = flow("explore", "pay", "--write", "workflows/pay.scenarios.yaml")

    assert found["written"] == 0
    assert "nothing to write" in flow("explore", "pay", "--write", "workflows/more.scenarios.yaml")[1]
    assert not Path("workflows/more.scenarios.yaml").exists()
    assert (status, Path("workflows/pay.scenarios.yaml").read_bytes()) == (4, before)
    assert "is not overwritten" in err


def test_where_only_broken_ways_go_is_said_and_not_written(flow: Flow) -> None:
    invariants("never: state == 'heard'")

    found = explored(flow, "--write", "workflows/more.scenarios.yaml")

    assert "state 'heard'" in [one["text"] for one in found["unwritten"]]
    assert found["missing"] == []
    assert "heard" not in Path("workflows/more.scenarios.yaml").read_text().partition("expect")[2]
    Path("workflows/more.scenarios.yaml").unlink()
    out = flow("explore", "pay", "--write", "workflows/more.scenarios.yaml")[1]
    assert "what is not in the scenarios, because only ways that break something go there:" in out
    assert "workflows/pay.yaml:22: state 'heard'" in out


def test_scenarios_are_written_where_they_are_found(flow: Flow) -> None:
    status, _, err = flow("explore", "pay", "--write", "workflows/more.yaml")

    assert (status, Path("workflows/more.yaml").exists()) == (2, False)
    assert "NAME.scenarios.yaml" in err


def test_what_ended_the_exploration_is_said(flow: Flow) -> None:
    found = explored(flow, "--time", "0.1", "--depth", "1000")
    out = flow("explore", "pay", "--time", "0.1", "--depth", "1000")[1]

    assert (found["complete"], found["stopped_by"]) == (False, "time")
    assert 1 <= found["walks"] <= 10, "time is kept for them"
    assert "not all ways up to the bound: the time was over (--time); all ways of up to" in out
    assert "ok: nothing is broken in what was tried" in out


def test_the_same_seed_finds_the_same(flow: Flow) -> None:
    invariants("never: state == 'paid' and visits.draft == 2")

    assert explored(flow, "--seed", "7", "--depth", "6") == explored(flow, "--seed", "7", "--depth", "6")


def test_what_is_explored_can_be_bounded(flow: Flow) -> None:
    found = explored(flow, "--depth", "1")

    assert found["percent"] < 100
    assert (found["complete"], found["stopped_by"]) == (True, None)
    assert {"line": 22, "text": "from 'heard' by 'done' to 'paid'"} in found["missing"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 3}, "b": {}}},
        {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"enum": ["x", "y", "z"]}},
        {"type": ["string", "null"], "minLength": 12},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1.5},
        {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)*$"},
        {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 60},
        {"anyOf": [{"type": "boolean"}, {"const": "later"}]},
    ],
    ids=str,
)
def test_samples_meet_their_schema_and_are_different(schema: dict[str, Any]) -> None:
    found = samples(schema)

    assert found
    assert len({json.dumps(value) for value in found}) == len(found)
    for value in found:
        validate(schema, value, "value", "sample")


def test_samples_go_to_both_sides_of_what_is_compared_with() -> None:
    schema = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}

    amounts = [value["amount"] for value in samples(schema, {"amount": [5000]})]

    assert {4999, 5000, 5001} <= set(amounts)


def test_a_pattern_beyond_the_plain_kind_gives_some_text() -> None:
    assert matching("^(?=x)y$") == "some text"
