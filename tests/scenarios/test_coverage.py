"""What scenarios cover of a workflow: states, transitions, options, guards, timeouts and errors, each with its line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from holdpoint import api, trials
from holdpoint.engine.definition import Definition
from holdpoint.scenarios.coverage import items_of, lines_of, said
from tests.scenarios.desk import LETTER, Desk

START = "input: {pages: 2}"
FULL = """\
  - {name: sent, input: {pages: 2}, steps: [{decide: accept, by: ann}, {decide: approve, by: dora}]}
  - name: stamped
    input: {pages: 11}
    steps:
      - {decide: revise, by: ann, comment: shorter}
      - {decide: accept, by: ann}
      - {decide: approve, by: dora}
      - {signal: stamped}
  - {name: not stamped, input: {pages: 11}, steps: [{advance: 3d}, {decide: approve, by: dora}, {advance: 1d}]}
  - {name: refused, input: {pages: 2}, steps: [{decide: accept, by: ann}, {decide: reject, by: dora}]}
  - {name: silence, input: {pages: 2}, steps: [{advance: 5d}]}
  - {name: no ink, input: {pages: 2}, agents: {write: {error: no ink}}, steps: [{advance: 2m}]}
"""


def test_scenarios_that_go_everywhere_cover_all(desk: Desk) -> None:
    coverage = desk.play(FULL).coverage

    assert coverage.missing == []
    assert coverage.percent == 100
    assert coverage.said == {
        "states": (7, 7),
        "transitions": (10, 10),
        "options": (4, 4),
        "timeouts": (3, 3),
        "errors": (1, 1),
        "guards": (2, 2),
    }


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ("refused", ["a person's 'reject' in 'sign'"]),
        ("silence", ["nobody answers in 'sign'"]),
        ("no ink", ["the agent of 'write' fails", "from 'write' by 'error' to 'lost'"]),
        ("not stamped", ["nobody answers in 'stamp'", "from 'stamp' by 'timeout' to 'lost'"]),
    ],
)
def test_what_only_one_scenario_goes_through_is_missing_without_it(
    desk: Desk, without: str, missing: list[str]
) -> None:
    rest = "".join(line for line in FULL.splitlines(keepends=True) if f"name: {without}," not in line)

    found = [text for _, text in desk.play(rest).missing]

    assert set(missing) <= set(found)
    assert len(found) <= len(missing) + 1


def test_a_guard_has_two_branches(desk: Desk) -> None:
    one = f"  - {{name: sent, {START}, steps: [{{decide: accept, by: ann}}, {{decide: approve, by: dora}}]}}\n"

    found = [(line, text) for line, text in desk.play(one).missing if "condition" in text]

    assert found == [(28, "the condition of target 1 of 'approve' in 'sign' is true")]


def test_each_item_has_the_line_that_says_it(desk: Desk) -> None:
    workflow = desk.folder / "letter.yaml"
    text = workflow.read_text().splitlines()
    lines = lines_of(workflow)

    for item in items_of(api.load(workflow)):
        kind, state, *rest = item
        line = text[lines[item] - 1]
        word = {"state": state, "timeout": "timeout", "error": "error"}.get(kind) or rest[0]
        if item == ("transition", "post", "done", "sent"):
            word = "next"
        assert re.search(rf"\b{word}\b", line), (said(item), line)


STEERED = """\
workflow: steered
input: {type: object, required: [fast], properties: {fast: {type: boolean}}}
initial: [{to: ask, when: input.fast}, {to: nap}]
on_cancel: gone
states:
  nap: {type: wait, for: 1h, next: ask}
  ask: {type: approval, message: Well?, on: {yes_please: done}, timeout: never}
  done: {type: end}
  gone: {type: end, outcome: cancelled}
"""


def test_the_ways_to_the_first_state_and_of_a_cancelled_run_are_covered_too(desk: Desk) -> None:
    (desk.folder / "steered.yaml").write_text(STEERED)
    head = "workflow: steered.yaml\nscenarios:\n"
    slow = "  - {name: slow, input: {fast: false}, steps: [{advance: 1h}, {decide: yes_please, by: ann}]}\n"
    fast = "  - {name: fast, input: {fast: true}, steps: [{cancel: true}], expect: {state: gone}}\n"

    assert desk.play(slow, head).missing == [
        (3, "from the start to 'ask'"),
        (3, "the condition of target 1 of the start is true"),
        (4, "from a cancelled run to 'gone'"),
        (9, "state 'gone'"),
    ]
    assert desk.play(slow + fast, head).missing == []


def test_coverage_is_that_of_all_files_of_a_workflow(desk: Desk) -> None:
    lines = FULL.splitlines(keepends=True)
    desk.write("".join(lines[:8]))
    desk.write("".join(lines[8:]), name="more")

    status, printed, _ = desk.flow("test", "--json", "--min-coverage", "100")

    document = json.loads(printed)
    assert status == 0
    assert [len(suite["scenarios"]) for suite in document["suites"]] == [2, 4]
    assert [(one["file"], one["percent"], one["missing"]) for one in document["coverage"]] == [
        ("letter.yaml", 100.0, [])
    ]


def test_too_little_coverage_is_exit_1_and_said(desk: Desk) -> None:
    desk.write(FULL.splitlines(keepends=True)[0])

    status, printed, _ = desk.flow("test", "--min-coverage", "90")

    assert status == 1
    assert "letter.yaml: 44.4 % are covered, and 90 % are asked for" in printed
    assert "not covered letter.yaml:20: nobody answers in 'review'" in printed
    assert desk.flow("test", "--min-coverage", "44")[0] == 0


def test_a_failure_is_printed_with_its_line_and_the_way_and_is_exit_1(desk: Desk) -> None:
    desk.write(FULL + f"  - name: wrong\n    {START}\n    expect: {{state: sign}}\n")

    status, printed, _ = desk.flow("test", "-q")

    assert status == 1
    assert "  FAIL wrong\n" in printed
    assert "letter.scenarios.yaml:19: state is 'review', expected 'sign'\n       the run went write → review" in printed
    assert "pass" not in printed
    assert printed.endswith("1 failed: 7 scenarios\n")


def test_scenarios_are_chosen_by_name(desk: Desk) -> None:
    desk.write(FULL)

    assert desk.flow("test", "-k", "stamped")[1].endswith("ok: 2 scenarios\n")
    assert desk.flow("test", "-k", "nothing")[0] == 2


def test_a_workflow_is_tested_by_its_name(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.write(FULL)
    monkeypatch.chdir(desk.folder)

    assert desk.flow("test", "letter")[1].endswith("ok: 6 scenarios\n")
    status, _, err = desk.flow("test", "leter")
    assert (status, "did you mean 'letter'?" in err) == (3, True)


def test_build_servers_get_junit_xml(desk: Desk) -> None:
    desk.write(FULL + f"  - {{name: 'a < b', {START}, expect: {{state: sign}}}}\n")

    desk.flow("test", "--junit", "out.xml")

    suite = ElementTree.parse(desk.folder / "out.xml").getroot()[0]
    cases = list(suite)
    assert (suite.get("tests"), suite.get("failures")) == ("7", "1")
    assert (cases[-1].get("name"), cases[-1].get("line")) == ("a < b", "17")
    assert "expected 'sign'" in str(cases[-1][0].get("message"))
    assert "the run went write → review" in str(cases[-1][0].text)


def test_a_graph_shows_what_is_not_covered(desk: Desk) -> None:
    desk.write("".join(FULL.splitlines(keepends=True)[:8]))

    status, printed, _ = desk.flow("graph", "letter.yaml", "--coverage")

    assert status == 0
    assert printed.splitlines()[1] == "scenarios cover 67 %"
    assert "✓ write · agent, python, makes text" in printed
    assert "✗ lost · end, failure, not covered" in printed
    assert re.search(r"✓ accept +→ sign$", printed, re.MULTILINE)
    assert re.search(r"✗ after 2d: accept +→ sign +not covered$", printed, re.MULTILINE)


def test_a_graph_tells_what_the_clock_chose_from_what_people_did(desk: Desk) -> None:
    desk.write(f"  - {{name: silence, {START}, steps: [{{advance: 2d}}, {{decide: reject, by: dora}}]}}\n")

    printed = desk.flow("graph", "letter.yaml", "--coverage")[1]

    assert re.search(r"✗ accept +→ sign +not covered$", printed, re.MULTILINE)
    assert re.search(r"✓ after 2d: accept +→ sign$", printed, re.MULTILINE)
    assert re.search(r"✓ reject +→ lost$", printed, re.MULTILINE)
    assert re.search(r"✗ after 48h: reject +→ lost +not covered$", printed, re.MULTILINE)


def test_a_failure_that_silence_settled_is_covered_in_the_graph_too(desk: Desk) -> None:
    ask = "    after_crash: {ask: {timeout: 1h, default: fail}}\n    on: {done: sent, error: lost}\n"
    path = desk.folder / "letter.yaml"
    path.write_text(LETTER.replace("    next: sent\n", ask))
    crash = "{name: one, input: {pages: 2}, agents: {post: {crash: true}}"
    desk.write(f"  - {crash}, steps: [{{decide: accept}}, {{decide: approve, by: dora}}, {{advance: 1h}}]}}\n")

    status, out, _ = desk.flow("graph", str(path), "--coverage")

    assert status == 0
    assert re.search(r"✓ error +→ lost", out)


def test_a_graph_shows_a_condition_that_always_held(desk: Desk) -> None:
    desk.write("".join(FULL.splitlines(keepends=True)[1:7]))

    printed = desk.flow("graph", "letter.yaml", "--coverage")[1]

    assert re.search(r"✗ approve +→ stamp +when input.pages > 10, its condition always held$", printed, re.MULTILINE)


@pytest.mark.parametrize(
    ("form", "covered", "uncovered"),
    [
        ("mermaid", "class s_write covered", "class s_lost uncovered"),
        ("dot", 'id="state-write", class="agent covered"', 'id="state-lost", class="failure uncovered"'),
        ("svg", 'id="letter-state-write" class="state agent covered"', 'class="state failure uncovered"'),
    ],
)
def test_coverage_is_painted_in_every_format(desk: Desk, form: str, covered: str, uncovered: str) -> None:
    desk.write(FULL.splitlines(keepends=True)[0])

    printed = desk.flow("graph", "letter.yaml", "--coverage", "--format", form)[1]

    assert covered in printed
    assert uncovered in printed


@pytest.mark.parametrize("more", [["--heat"], []])
def test_coverage_is_of_a_workflow_alone(desk: Desk, more: list[str]) -> None:
    source = "letter.yaml" if more else "run_0000000000000000"

    assert desk.flow("graph", source, "--coverage", *more)[0] == 2


def test_the_graph_of_a_workflow_without_scenarios_is_refused(desk: Desk) -> None:
    assert desk.flow("graph", "letter.yaml", "--coverage")[0] == 3


def test_a_workflow_without_ways_out_has_its_one_state_to_cover() -> None:
    definition: Definition = api.loads("workflow: short\nstates:\n  over: {type: end}\n")

    assert items_of(definition) == [("state", "over")]


def test_every_shipped_workflow_with_scenarios_passes_them(desk: Desk) -> None:
    folder = Path(__file__).parents[2] / "workflows"

    played = [one for tested in trials.play_scenarios([folder]) for one in tested.played]

    assert [one.told("") for one in played if not one.passed] == []
