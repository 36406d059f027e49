"""Scenario files are read as strictly as workflows: what is wrong is said with its place, several mistakes at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdpoint.engine.errors import DefinitionError, NotFound
from holdpoint.scenarios.expect import EXPECTATIONS
from holdpoint.scenarios.reading import load_suite, scenario_files, scenarios_schema
from tests.scenarios.desk import HEAD, Desk

LINE = HEAD.count("\n") + 1

WRONG = [
    pytest.param("{name: one, inptu: {}}", "HP101 unknown key 'inptu' in 'scenarios[0]'; did you mean 'input'?"),
    pytest.param("{name: one, steps: [{decied: x}]}", "HP101 unknown key 'decied'"),
    pytest.param("{name: one, start: 2026-01-05}", "HP"),
    pytest.param("{name: one, start: yesterday}", "HP404"),
    pytest.param("{name: one, steps: [{advance: 5 days}]}", "HP404 '5 days' is not a duration"),
    pytest.param("{name: one, steps: [{advance: 0d}]}", "HP404"),
    pytest.param("{name: one, steps: [{advance: 5d, by: ann}]}", "HP406 'by' says nothing in a step with 'advance'"),
    pytest.param(
        "{name: one, steps: [{advance: 5d, tick: true}]}", "HP406 a step does one thing; this does advance and tick"
    ),
    pytest.param("{name: one, steps: [{by: ann}]}", "HP406 a step does one thing; this does nothing"),
    pytest.param("{name: one, steps: [{cancel: false}]}", "HP406 'cancel' cannot be false"),
    pytest.param("{name: one, steps: [{decide: accept, artifact: null}]}", "HP406 an edit cannot be none"),
    pytest.param(
        "{name: one, steps: [{decide: acept, at: review}]}",
        "HP405 'acept' is not an option of state 'review'; did you mean 'accept'?",
    ),
    pytest.param(
        "{name: one, steps: [{decide: accept, at: revew}]}",
        "HP405 the workflow has no state 'revew'; did you mean 'review'?",
    ),
    pytest.param("{name: one, steps: [{move: psot}]}", "HP405 the workflow has no state 'psot'; did you mean 'post'?"),
    pytest.param(
        "{name: one, steps: [{signal: stampt}]}",
        "HP405 no wait of the workflow takes the signal 'stampt'; did you mean 'stamped'?",
    ),
    pytest.param("{name: one, agents: {wirte: {}}}", "HP405 the workflow has no state 'wirte'; did you mean 'write'?"),
    pytest.param(
        "{name: one, agents: {review: {}}}", "HP405 the workflow has no agent whose work could be made up 'review'"
    ),
    pytest.param("{name: one, agents: {write: []}}", "HP407 the list of visits is empty"),
    pytest.param("{name: one, agents: {write: {crash: false}}}", "HP407 'crash' can only be true"),
    pytest.param(
        "{name: one, agents: {write: [a, {real: true}]}}", "HP407 the real agent runs on every visit or on none"
    ),
    pytest.param("{name: one, agents: {write: {python: 'a b'}}}", "HP407 'python' names a function of the project"),
    pytest.param("{name: one, agents: {write: {attempts: {output: 1}}}}", "HP407 'attempts' is the list"),
    pytest.param("{name: one, agents: {write: {attempts: [{attempts: [1]}]}}}", "HP407 'attempts' is the list"),
    pytest.param("{name: one, agents: {write: {error: 7}}}", "HP407 'error' is a message"),
    pytest.param(
        "{name: one, agents: {write: {error: {cod: x}}}}", "HP407 an error has no 'cod'; did you mean 'code'?"
    ),
    pytest.param("{name: one, agents: {write: {error: {details: x}}}}", "HP407 'details' is a mapping"),
    pytest.param(
        "{name: one, agents: {write: {error: {code: agent_eror}}}}",
        "HP407 no agent fails with the code 'agent_eror'; did you mean 'agent_error'?",
    ),
    pytest.param(
        "{name: one, expect: {stat: x}}", "HP101 unknown key 'stat' in 'scenarios[0].expect'; did you mean 'state'?"
    ),
    pytest.param("{name: one, expect: {state: snet}}", "HP405 the workflow has no state 'snet'; did you mean 'sent'?"),
    pytest.param(
        "{name: one, expect: {path: [write, snet]}}", "HP405 the workflow has no state 'snet'; did you mean 'sent'?"
    ),
    pytest.param("{name: one, expect: {results: {wirte: 1}}}", "HP405 the workflow has no state 'wirte'"),
    pytest.param(
        "{name: one, expect: {artifacts: {txt: 1}}}", "HP405 there is no artifact 'txt'; did you mean 'text'?"
    ),
    pytest.param(
        "{name: one, expect: {counts: {agent.start: 1}}}",
        "HP405 there is no kind of entry 'agent.start'; did you mean 'agent.started'?",
    ),
    pytest.param("{name: one, expect: {history: [agent.start]}}", "HP405 there is no kind of entry 'agent.start'"),
    pytest.param(
        "{name: one, expect: {requests: [{duue: 1d}]}}",
        "HP405 there is no member of a request 'duue'; did you mean 'due'?",
    ),
    pytest.param(
        "{name: one, steps: [{expect: {refused: input}}]}", "HP406 the run was started before the first step; write it"
    ),
    pytest.param(
        "{name: one, steps: [{tick: true}], expect: {refused: input}}",
        "HP406 a run whose start is refused has no steps, and is in no state",
    ),
    pytest.param("{name: one, expect: {refused: input, state: sent}}", "HP406 a run whose start is refused"),
    pytest.param(
        "{name: one, steps: [{tick: true, ticks: false}]}", "HP406 'ticks' says nothing in a step with 'tick'"
    ),
    pytest.param("{name: one, expect: {requests: [{due: soon}]}}", "HP404 'soon'"),
    pytest.param("{name: one, expect: {notifications: []}}", "HP190 'notifications' is not available in this version"),
    pytest.param("{name: one, expect: {status: finished}}", "HP104"),
    pytest.param("{steps: []}", "HP102 the key 'name' is missing in 'scenarios[0]'"),
    pytest.param("{name: one}\n  - {name: one}", "HP403 two scenarios are named 'one'"),
]


@pytest.mark.parametrize(("scenario", "finding"), WRONG)
def test_what_is_wrong_is_a_finding_with_its_place(desk: Desk, scenario: str, finding: str) -> None:
    path = desk.write(f"  - {scenario}\n")

    with pytest.raises(DefinitionError) as refused:
        load_suite(path)

    (found,) = refused.value.findings
    assert finding in str(found)
    assert found.line == LINE + scenario.count("\n")


def test_a_misspelt_role_is_found(desk: Desk) -> None:
    path = desk.write("  - {name: one}\n", HEAD.replace("[boss]", "[bos]"))

    with pytest.raises(DefinitionError) as refused:
        load_suite(path)

    (found,) = refused.value.findings
    assert "HP405 no request of the workflow asks the role 'bos'; did you mean 'boss'?" in str(found)


def test_a_role_that_is_like_another_is_right_where_somebody_has_that_one_too(desk: Desk) -> None:
    path = desk.write("  - {name: one}\n", HEAD.replace("[boss]", "[boss], ron: [bos]"))

    assert load_suite(path).people["ron"] == ["bos"]


def test_invariants_alone_are_enough_and_a_file_with_neither_is_not(desk: Desk) -> None:
    head = HEAD.removesuffix("scenarios:\n")

    assert load_suite(desk.write("invariants: [always ends within 9d]\n", head)).scenarios == []
    with pytest.raises(DefinitionError, match="HP102 the key 'scenarios' is missing"):
        load_suite(desk.write("", head))


def test_several_mistakes_are_said_at_once(desk: Desk) -> None:
    path = desk.write("  - {name: one, inptu: {}, steps: [{advance: x}], expect: {stat: a, state: b}}\n")

    with pytest.raises(DefinitionError) as refused:
        load_suite(path)

    assert [(found.column, found.code) for found in refused.value.findings] == [
        (17, "HP101"),
        (46, "HP404"),
        (60, "HP101"),
        (76, "HP405"),
    ]


def test_a_workflow_that_is_not_there_is_a_finding(desk: Desk) -> None:
    path = desk.write("  - {name: one}\n", HEAD.replace("letter.yaml", "leter.yaml"))

    with pytest.raises(DefinitionError) as refused:
        load_suite(path)

    assert [(found.line, found.code) for found in refused.value.findings] == [(1, "HP402")]


def test_the_findings_of_all_files_and_of_their_workflow_are_said(desk: Desk) -> None:
    text = (desk.folder / "letter.yaml").read_text()
    (desk.folder / "letter.yaml").write_text(text.replace("revise: write", "revise: wriet"))
    desk.write("  - {name: one}\n")
    desk.write("  - {name: one}\n", name="again")
    desk.write("  - {nam: one}\n", "workflow: gone.yaml\nscenarios:\n", name="other")

    status, _, said = desk.flow("test")

    assert status == 6
    assert said.count("letter.yaml:19:32: error") == 1
    assert "other.scenarios.yaml:3:6: error HP101" in said


def test_dates_and_duplicate_keys_are_refused_as_in_workflows(desk: Desk) -> None:
    path = desk.write("  - {name: one, input: {pages: 1, pages: 2}}\n")

    with pytest.raises(DefinitionError, match="'pages'"):
        load_suite(path)


def test_the_schema_names_what_can_be_expected() -> None:
    expectable = scenarios_schema()["$defs"]["expect"]["properties"]

    assert {*expectable} == {*EXPECTATIONS, "notifications"}


def test_the_files_below_a_folder_and_beside_a_workflow_are_found(desk: Desk) -> None:
    (desk.folder / "more").mkdir()
    paths = [desk.write("", name=name) for name in ("letter", "more/letter", "other")]
    paths[1].write_text("workflow: ../letter.yaml\n")
    paths[2].write_text("workflow: [broken")

    assert scenario_files([desk.folder]) == sorted(paths)
    assert scenario_files([desk.folder / "letter.yaml"]) == [paths[0]]
    with pytest.raises(NotFound, match="there is no 'gone'"):
        scenario_files([desk.folder / "more", desk.folder.relative_to(desk.folder) / "gone"])


def test_a_workflow_without_scenarios_is_said(desk: Desk) -> None:
    status, _, said = desk.flow("test", "letter.yaml")

    assert (status, said) == (3, "error: no scenario file (*.scenarios.yaml) beside 'letter.yaml' tests it\n")


def test_a_scenario_file_is_no_workflow(desk: Desk) -> None:
    path = desk.write("  - {name: one}\n")
    before = path.read_bytes()

    for command in ("check", "fmt", "graph", "start"):
        status, _, said = desk.flow(command, path.name)
        assert status == 2
        assert "is a file of scenarios, and no workflow; flow test checks and plays it" in said

    assert path.read_bytes() == before


def test_the_schema_is_printed_for_editors(desk: Desk) -> None:
    status, _, _ = desk.flow("schema", "--scenarios", "-o", "s.json")

    assert status == 0
    assert json.loads((desk.folder / "s.json").read_text()) == scenarios_schema()


def test_made_up_value_that_the_state_refuses_is_found_before_it_passes_for_a_failure(tmp_path: Path) -> None:
    workflow = (
        "workflow: w\nstates:\n"
        "  make: {type: agent, command: [x], output: {type: integer}, on: {done: good, error: bad}}\n"
        "  good: {type: end, output: '{{ make }}'}\n  bad: {type: end, outcome: failure}\n"
    )
    (tmp_path / "w.yaml").write_text(workflow, encoding="utf-8")
    path = tmp_path / "w.scenarios.yaml"

    path.write_text("workflow: w.yaml\nscenarios: [{name: one, agents: {make: {eror: x}}, expect: {state: bad}}]\n")
    with pytest.raises(DefinitionError, match="2:40: error HP407 what the agent of 'make' gives is not what"):
        load_suite(path)

    path.write_text("workflow: w.yaml\nscenarios: [{name: one, agents: {make: {output: x}}, expect: {state: bad}}]\n")
    assert load_suite(path).scenarios[0].agents == {"make": {"output": "x"}}
