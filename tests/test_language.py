"""What `check` says of workflows: the one of spec 2 as it is printed there, and a table of snippets, valid and not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import holdpoint
from holdpoint import api
from tests.building import World, workflow

HERE = "¦"  # stands before what is wrong; the finding is on its line

EXPENSE = """\
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
    exclude: [initiator]
    on:
      approve:
        - {to: director, when: "input.amount > 5000"}
        - {to: pay}
      reject: refused
    timeout: 48h
    default: reject
    escalate:
      - {after: 24h, remind: true}
      - {after: 36h, assign: ["role:director"]}
  director:
    type: approval
    message: "Pay {{ input.amount }}?"
    show: [report]
    assign: ["role:director"]
    exclude: ["deciders:manager"]
    quorum: {approve: 2}
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
STILL_TO_COME = ("exclude:", "quorum:", "escalate:", "- {after:")
AVAILABLE = "".join(line for line in EXPENSE.splitlines(True) if not line.strip().startswith(STILL_TO_COME))


def found(folder: Path, text: str) -> tuple[holdpoint.Finding, ...]:
    """What `Engine.check` finds in a file of this text."""
    path = folder / "flow.yaml"
    path.write_text(text, encoding="utf-8")
    return api.check(path)


def errors(folder: Path, text: str) -> list[holdpoint.Finding]:
    return [finding for finding in found(folder, text) if finding.severity == "error"]


# --- the workflow of spec 2 -------------------------------------------------------------------------------------------


def test_the_expense_workflow_is_refused_for_what_is_still_to_come_and_nothing_else(tmp_path: Path) -> None:
    lines = EXPENSE.splitlines()
    expected = [
        (number, line.index(text) + 1, text)
        for number, line in enumerate(lines, start=1)
        for text in ("escalate", '"deciders:manager"', "quorum")
        if text in line
    ]

    findings = errors(tmp_path, EXPENSE)

    assert [(one.line, one.column) for one in findings] == [(line, column) for line, column, _ in expected]
    assert [key for _, _, key in expected] == ["escalate", '"deciders:manager"', "quorum"]
    for finding, (_, _, key) in zip(findings, expected, strict=True):
        assert "not available in this version" in finding.message
        assert key.strip('"').split(":")[0] in finding.message


def test_what_is_still_to_come_cannot_be_started_either() -> None:
    with pytest.raises(holdpoint.DefinitionError) as caught:
        api.loads(EXPENSE)

    assert len([one for one in caught.value.findings if one.severity == "error"]) == 3


def test_without_what_is_still_to_come_the_expense_workflow_is_clean(tmp_path: Path) -> None:
    assert errors(tmp_path, AVAILABLE) == []
    assert list(api.loads(AVAILABLE).states) == ["draft", "review", "manager", "director", "pay", "paid", "refused"]


@pytest.mark.parametrize(("amount", "path"), [(120, ["manager"]), (9000, ["manager", "director"])])
def test_the_expense_workflow_runs(tmp_path: Path, amount: int, path: list[str]) -> None:
    (tmp_path / "pay.py").write_text("import json, sys\nprint(json.dumps({'paid': json.load(sys.stdin)['amount']}))\n")
    agents = {"expenses.agents:draft_report": lambda amount, feedback: {"text": f"{amount} {feedback}"}}
    with World(tmp_path, agents=agents) as world:
        run = world.engine.start(api.loads(AVAILABLE), {"employee": "ann", "amount": amount}, initiator="bob")
        run = world.decide(run, "revise", comment="which taxi?")
        run = world.decide(run, "accept", artifact={"text": "taxi to the fair"})
        run = world.decide(run, "approve", by="dora")
        if amount > 5000:
            run = world.decide(run, "approve", by="eli")

        assert world.path(run) == ["draft", "review", "draft", "review", *path, "pay", "paid"]
        assert (run.outcome, run.results["pay"]) == ("success", {"paid": amount})
        assert run.output == {"amount": amount, "report": {"text": "taxi to the fair"}}


# --- names and keys ---------------------------------------------------------------------------------------------------

GATE = """\
workflow: flow
states:
  ask:
    type: approval
    message: "Go?"
    on: {approve: yes, reject: no}
    timeout: 2d
    default: reject
  yes: {type: end}
  no: {type: end, outcome: failure}
"""
AGENT = """\
workflow: flow
input: {type: object, properties: {n: {type: integer}}}
states:
  work:
    type: agent
    value: {n: 1}
    artifact: report
    next: review
  review:
    type: return
    show: [report]
    on: {accept: yes, revise: work}
    timeout: never
  yes: {type: end}
"""

# In a clean workflow: what is replaced by what.
VALID = [
    pytest.param(GATE, "", "", id="a-gate"),
    pytest.param(AGENT, "", "", id="a-return"),
    pytest.param(GATE, "workflow: flow", f"workflow: f{'x' * 63}", id="workflow-of-64"),
    pytest.param(GATE, "workflow: flow", "workflow: a-1-b", id="workflow-with-hyphens"),
    pytest.param(GATE, "approve: yes", "a_1: yes, b: no, timed: no", id="options-of-any-name"),
    pytest.param(GATE, "approve: yes", f"{'a' * 64}: yes", id="option-of-64"),
    pytest.param(GATE, "states:", "description: text\ntimezone: America/Sao_Paulo\nstates:", id="top-keys"),
    pytest.param(GATE, "    default: reject", "    default: {decision: reject}", id="default-as-mapping"),
    pytest.param(GATE, "    default: reject\n", "    priority: urgent\n    default: reject\n", id="priority"),
    pytest.param(GATE, "    timeout: 2d\n    default: reject", "    timeout: never", id="never"),
    pytest.param(GATE, "reject: no}\n    timeout: 2d\n    default: reject", "timeout: no}\n    timeout: 2d", id="edge"),
    pytest.param(GATE, "reject: no", "reject: [{to: yes, when: 'visits.ask > 1'}, {to: no}]", id="guarded"),
    pytest.param(GATE, "reject: no", "reject: [{to: yes, when: 'visits.ask > 1'}, {to: no, when: 'true'}]", id="last"),
    pytest.param(GATE, "states:", "initial: [{to: ask, when: 'true'}, {to: yes}]\nstates:", id="guarded-initial"),
    pytest.param(GATE, "    default", "    assign: [ann, 'role:legal', initiator]\n    default", id="assign"),
    pytest.param(
        GATE, "    default", "    assign: {approve: ['role:a-b_c'], reject: [initiator]}\n    default", id="by-option"
    ),
    pytest.param(GATE, "    default", "    comment: [approve, reject]\n    default", id="comment"),
    pytest.param(GATE, "    default", "    show: {now: '{{ now }}'}\n    default", id="labels"),
    pytest.param(GATE, "yes: {type: end}", "yes: {type: end, output: ['{{ ask.by }}', 1, null]}", id="end-output"),
    pytest.param(GATE, "outcome: failure", "outcome: cancelled", id="cancelled"),
    pytest.param(AGENT, "{n: 1}", "null", id="a-value-of-nothing"),
    pytest.param(AGENT, "value: {n: 1}", "command: [python, 'a.py', '{{ env.HOME }}', '{{ input.n }}']", id="command"),
    pytest.param(AGENT, "value: {n: 1}", "python: a.b.c:d\n    with: {token: '{{ env.TOKEN }}'}", id="python"),
    pytest.param(AGENT, "next: review", "on: {done: review, error: yes}", id="error-edge"),
    pytest.param(AGENT, "next: review", "next: review\n    on: {error: yes}", id="next-and-error-edge"),
    pytest.param(AGENT, "artifact: report", "artifact: {report: '{{ output.n }}'}", id="artifact-parts"),
    pytest.param(AGENT, "value: {n: 1}", "command: [a]\n    timeout: 90s\n    effect: none", id="effect-none"),
    pytest.param(
        AGENT, "value: {n: 1}", "python: a:b\n    effect: irreversible\n    unattended: allowed", id="unattended"
    ),
    *(
        pytest.param(AGENT, "value: {n: 1}", f"python: a:b\n    after_crash: {word}", id=f"after-crash-{word}")
        for word in ("retry", "fail", "ask")
    ),
    pytest.param(AGENT, "revise: work}", "revise: work, reject: yes}", id="a-return-with-reject"),
    pytest.param(AGENT, "timeout: never", "timeout: never\n    max_returns: 1", id="max-returns"),
    pytest.param(AGENT, "[report]", "[report]\n    message: '{{ artifacts.report }} {{ input.n }}'", id="message"),
    pytest.param(AGENT, "value: {n: 1}", "value: '{{ error.message if error else previous.state }}'", id="names"),
]


@pytest.mark.parametrize(("text", "old", "new"), VALID)
def test_a_workflow_is_clean(tmp_path: Path, text: str, old: str, new: str) -> None:
    assert old in text
    text = text.replace(old, new, 1)

    assert [str(finding) for finding in errors(tmp_path, text)] == []
    assert api.loads(text).workflow


RESERVED = (
    *("input", "output", "run", "artifacts", "visits", "previous", "error", "now"),
    *("env", "item", "index", "true", "false", "none", "and", "or"),
    *("not", "in", "is", "if", "else", "for", "self"),
)
NO_DURATIONS = (
    *("0s", "0d", "-1d", "1.5h", "2m3", "2months", "P1M", "P1Y"),
    *("PT0S", "1y", "soon", "2", "12:30:00", "1d1d", "1h1d", "PT"),
    *("PT1.5S", ".5h", "1e3s", "2D", "null", "''", "1h30"),
)
INVALID = [
    # names
    pytest.param(GATE, "workflow: flow", "workflow: ¦Flow", id="capital-in-workflow"),
    pytest.param(GATE, "workflow: flow", "workflow: ¦a_b", id="underscore-in-workflow"),
    pytest.param(GATE, "workflow: flow", f"workflow: ¦f{'x' * 64}", id="workflow-of-65"),
    pytest.param(GATE, "workflow: flow", "workflow: ¦1", id="workflow-a-number"),
    pytest.param(GATE, "workflow: flow\n", "¦title: x\n", id="no-workflow"),
    pytest.param(GATE, "approve: yes", "¦a-b: yes", id="hyphen-in-option"),
    pytest.param(GATE, "approve: yes", f"¦{'a' * 65}: yes", id="option-of-65"),
    *(
        pytest.param(GATE, "approve: yes", f"¦{word}: yes", id=f"option-{word}")
        for word in ("done", "error", "received")
    ),
    *(
        pytest.param(GATE, "  yes: {type: end}", f"  ¦{word}: {{type: end}}\n  yes: {{type: end}}", id=f"state-{word}")
        for word in RESERVED
    ),
    pytest.param(GATE, "  yes: {type: end}", "  ¦yes-no: {type: end}\n  yes: {type: end}", id="hyphen-in-state"),
    pytest.param(GATE, "  yes: {type: end}", "  ¦1: {type: end}\n  yes: {type: end}", id="state-a-number"),
    # keys
    pytest.param(GATE, "states:", "¦nope: 1\nstates:", id="unknown-top-key"),
    pytest.param(GATE, "    default", "    ¦retires: 1\n    default", id="unknown-key"),
    pytest.param(GATE, "    default", "    ¦max_returns: 1\n    default", id="max-returns-of-an-approval"),
    pytest.param(GATE, "    default", "    ¦with: {}\n    default", id="with-of-an-approval"),
    pytest.param(GATE, "    default", "    ¦next: yes\n    default", id="next-of-an-approval"),
    pytest.param(GATE, "yes: {type: end}", "yes: {type: end, ¦on: {done: no}}", id="on-of-an-end"),
    pytest.param(GATE, "    default", "    ¦timeout: 3d\n    default", id="duplicate-key"),
    pytest.param(GATE, "  yes: {type: end}", "  yes: {type: end}\n  ¦ask: {type: end}", id="duplicate-state"),
    pytest.param(GATE, "type: approval", "type: ¦approvall", id="unknown-type"),
    pytest.param(GATE, "    type: approval\n", "    ¦title: x\n", id="no-type"),
    pytest.param(GATE, "    on: {approve: yes, reject: no}\n", "", id="no-on"),
    pytest.param(GATE, "{approve: yes, reject: no}", "¦{}", id="no-options"),
    # YAML
    pytest.param(GATE, "states:", "¦---\nstates:", id="several-documents"),
    pytest.param(GATE, '"Go?"', "¦!!str Go", id="tag"),
    pytest.param(GATE, '"Go?"', "¦2026-01-05", id="date"),
    pytest.param(GATE, "yes: {type: end}", "yes: {¦<<: {type: end}}", id="merge-key"),
    pytest.param(GATE, '"Go?"', "¦{{ input.n }}", id="an-expression-without-quotes"),
    pytest.param(GATE, '"Go?"', '¦"Go?', id="unclosed-quote"),
    # targets
    pytest.param(GATE, "approve: yes", "approve: ¦yess", id="unknown-target"),
    pytest.param(GATE, "approve: yes", "approve: ¦[]", id="no-targets"),
    pytest.param(GATE, "approve: yes", "approve: [{to: ¦yes}, {to: no}]", id="never-taken"),
    pytest.param(GATE, "approve: yes", "approve: [{¦when: 'true'}]", id="target-without-to"),
    pytest.param(GATE, "approve: yes", "approve: [{to: yes, ¦if: 'true'}]", id="unknown-key-of-a-target"),
    pytest.param(GATE, "states:", "initial: ¦nope\nstates:", id="unknown-initial"),
    # time
    *(pytest.param(GATE, "timeout: 2d", f"timeout: ¦{text}", id=f"timeout-{text}") for text in NO_DURATIONS),
    pytest.param(GATE, "    default: reject\n", "    ¦on_time: reject\n", id="misspelt-default"),
    pytest.param(GATE, "    default: reject\n", "", id="timeout-that-leads-nowhere"),
    pytest.param(GATE, "default: reject", "default: ¦rejekt", id="default-is-no-option"),
    pytest.param(GATE, "default: reject", "default: ¦timeout", id="default-timeout"),
    pytest.param(GATE, "reject: no}", "reject: no, timeout: no}", id="default-and-edge"),
    pytest.param(GATE, "    timeout: 2d\n", "", id="default-without-timeout"),
    pytest.param(GATE, "timeout: 2d", "timeout: never", id="default-with-never"),
    pytest.param(GATE, "default: reject", "default: {decision: reject, ¦answers: {a: 1}}", id="answers-without-form"),
    pytest.param(AGENT, "timeout: never", "timeout: 1d\n    default: ¦revise", id="default-revise"),
    pytest.param(GATE, "states:", "timezone: ¦Europe/Atlantis\nstates:", id="timezone"),
    pytest.param(GATE, "states:", "timezone: ¦../../etc/passwd\nstates:", id="timezone-a-path"),
    # people
    pytest.param(GATE, "    default", "    assign: [¦'role:Legal']\n    default", id="role-with-capital"),
    pytest.param(GATE, "    default", "    assign: [¦'role:']\n    default", id="role-without-name"),
    pytest.param(GATE, "    default", "    assign: [¦'role:{{ input.x }}']\n    default", id="rendered-role"),
    pytest.param(GATE, "    default", "    assign: [¦'group:x']\n    default", id="colon-in-a-person"),
    pytest.param(GATE, "    default", "    assign: ¦ann\n    default", id="assign-a-text"),
    pytest.param(GATE, "    default", "    assign: ¦{approve: [ann]}\n    default", id="not-all-options-named"),
    pytest.param(
        GATE, "    default", "    assign: {approve: [a], reject: [b], ¦more: [c]}\n    default", id="option-too-many"
    ),
    pytest.param(GATE, "    default", "    comment: [¦revise]\n    default", id="comment-of-no-option"),
    pytest.param(GATE, "    default", "    priority: ¦highest\n    default", id="priority"),
    pytest.param(GATE, "    default", "    show: [¦report]\n    default", id="show-of-no-artifact"),
    # agents
    pytest.param(AGENT, "value: {n: 1}", "title: x", id="no-kind-of-agent"),
    pytest.param(AGENT, "value: {n: 1}", "value: 1\n    python: a:b", id="two-kinds-of-agent"),
    pytest.param(AGENT, "value: {n: 1}", "python: ¦a.b", id="python-without-function"),
    pytest.param(AGENT, "value: {n: 1}", "python: ¦../a:b", id="python-a-path"),
    pytest.param(AGENT, "value: {n: 1}", "command: ¦python a.py", id="command-a-text"),
    pytest.param(AGENT, "value: {n: 1}", "command: ¦[]", id="command-empty"),
    pytest.param(AGENT, "value: {n: 1}", "python: a:b\n    with: ¦[1]", id="with-a-list"),
    pytest.param(AGENT, "value: {n: 1}", "python: a:b\n    effect: ¦some", id="effect"),
    pytest.param(AGENT, "value: {n: 1}", "python: a:b\n    after_crash: ¦later", id="after-crash"),
    pytest.param(AGENT, "value: {n: 1}", "python: a:b\n    unattended: ¦yes please", id="unattended"),
    pytest.param(AGENT, "    next: review\n", "", id="agent-without-a-way-on"),
    pytest.param(AGENT, "next: review", "¦next: review\n    on: {done: yes}", id="next-and-done"),
    pytest.param(AGENT, "next: review", "on: {done: review, ¦approve: yes}", id="an-agent-takes-no-options"),
    pytest.param(AGENT, "{accept: yes, revise: work}", "¦{accept: yes}", id="return-without-revise"),
    pytest.param(AGENT, "revise: work}", "revise: work, ¦later: yes}", id="return-with-another-option"),
    pytest.param(AGENT, "[report]", "[¦raport]", id="return-of-no-artifact"),
    pytest.param(AGENT, "timeout: never", "timeout: never\n    max_returns: ¦0", id="max-returns"),
    pytest.param(GATE, "outcome: failure", "outcome: ¦failed", id="outcome"),
    # schemas
    pytest.param(AGENT, "{type: integer}", "{type: ¦int}", id="type-in-a-schema"),
    pytest.param(AGENT, "input: {type: object, ", "input: {type: ¦array, ", id="input-of-no-object"),
    pytest.param(GATE, "    default", "    form: {type: ¦string}\n    default", id="form-of-no-object"),
    pytest.param(AGENT, "value: {n: 1}", "value: 1\n    output: {pattern: ¦'('}", id="pattern-in-a-schema"),
    pytest.param(AGENT, "value: {n: 1}", "value: 1\n    output: {$ref: ¦'http://x/y'}", id="foreign-reference"),
    # values
    pytest.param(GATE, '"Go?"', '¦"{{ input.n }}"', id="an-input-that-is-not-there"),
    pytest.param(AGENT, "value: {n: 1}", 'value: ¦"{{ input.m }}"', id="unknown-property-of-the-input"),
    pytest.param(GATE, '"Go?"', '¦"{{ nope }}"', id="unknown-name"),
    pytest.param(GATE, '"Go?"', '¦"{{ ask.nope }}"', id="unknown-property-of-a-decision"),
    pytest.param(GATE, '"Go?"', '¦"{{ artifacts.nope }}"', id="unknown-artifact"),
    pytest.param(GATE, '"Go?"', '¦"{{ visits.nope }}"', id="unknown-state"),
    pytest.param(GATE, '"Go?"', '¦"{{ run.nope }}"', id="unknown-property-of-the-run"),
    pytest.param(GATE, '"Go?"', '¦"{{ yes }}"', id="result-of-an-end"),
    pytest.param(GATE, '"Go?"', '¦"{{ env.HOME }}"', id="env-outside-of-arguments"),
    pytest.param(AGENT, "value: {n: 1}", 'value: ¦"{{ env.HOME }}"', id="env-in-a-value"),
    pytest.param(GATE, '"Go?"', '¦"{{ output }}"', id="output-outside-of-an-artifact"),
    pytest.param(GATE, '"Go?"', '¦"{{ item }}"', id="item-outside-of-a-call"),
    pytest.param(GATE, '"Go?"', '¦"{{ 1 + }}"', id="syntax"),
    pytest.param(GATE, '"Go?"', '¦"{{ 1 "', id="unclosed-expression"),
    pytest.param(GATE, '"Go?"', '¦"{% for x in [1] %}{% endfor %}"', id="statement"),
    pytest.param(GATE, '"Go?"', '¦"{{ now.upper() }}"', id="method-call"),
    pytest.param(GATE, '"Go?"', '¦"{{ now | nofilter }}"', id="unknown-filter"),
    pytest.param(GATE, "reject: no", "reject: [{to: no, when: ¦'nope'}]", id="unknown-name-in-a-condition"),
    pytest.param(GATE, "reject: no", "reject: [{to: no, when: ¦'a ='}]", id="syntax-of-a-condition"),
    pytest.param(GATE, "reject: no", "reject: [{to: no, when: ¦true}]", id="a-condition-is-a-text"),
    pytest.param(
        AGENT, "[report]", "[report]\n    message: ¦'{{ work.n }}'", id="a-shown-result-is-read-as-the-artifact"
    ),
    pytest.param(AGENT, "yes: {type: end}", "yes: {type: end, output: ¦'{{ work }}'}", id="a-shown-result-at-the-end"),
    # the graph
    pytest.param(GATE, "{approve: yes, reject: no}", "{approve: ask, reject: ask}", id="no-end-can-be-reached"),
]


@pytest.mark.parametrize(("text", "old", "new"), INVALID)
def test_a_fault_is_found_on_its_line(tmp_path: Path, text: str, old: str, new: str) -> None:
    assert old in text
    marked = text.replace(old, new, 1)
    line = marked.partition(HERE)[0].count("\n") + 1 if HERE in marked else None

    findings = errors(tmp_path, marked.replace(HERE, ""))

    assert findings
    assert line is None or line in {finding.line for finding in findings}
    with pytest.raises(holdpoint.DefinitionError):
        api.loads(marked.replace(HERE, ""))


# --- warnings ---------------------------------------------------------------------------------------------------------


def test_a_request_that_says_nothing_about_time_is_warned_of(tmp_path: Path) -> None:
    text = GATE.replace("    timeout: 2d\n    default: reject\n", "")

    (finding,) = found(tmp_path, text)

    assert (finding.severity, finding.line) == ("warning", 3)
    assert "timeout" in str(finding)
    assert api.loads(text).workflow == "flow"


def test_a_state_that_cannot_be_reached_is_warned_of(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, GATE.replace("approve: yes", "approve: no"))

    assert (finding.severity, finding.line) == ("warning", 9)
    assert "'yes'" in finding.message


# --- what is still to come --------------------------------------------------------------------------------------------

FORM = {"type": "object"}
NOT_AVAILABLE = [
    *(
        pytest.param({"ask": {"type": "approval", "on": {"approve": "accepted"}, "timeout": "never", key: use}}, id=key)
        for key, use in {
            "exclude": ["authors"],
            "quorum": {"approve": {"role:legal": 1}},
            "escalate": [{"after": "1h", "every": "1d", "remind": True}],
            "calendar": "office",
        }.items()
    ),
    *(
        pytest.param({"work": {"type": "agent", "python": "a:b", "next": "accepted", key: use}}, id=key)
        for key, use in {
            "queue": "slow",
            "after_crash": {"ask": {"escalate": [{"after": "1h", "remind": True}]}},
        }.items()
    ),
    pytest.param({"work": {"type": "agent", "http": {"url": "https://x"}, "next": "accepted"}}, id="http"),
    pytest.param({"work": {"type": "agent", "llm": {"model": "a:b", "prompt": "x"}, "next": "accepted"}}, id="llm"),
    pytest.param({"sub": {"type": "call", "workflow": "other", "next": "accepted"}}, id="call"),
    *(
        pytest.param(
            {"ask": {"type": "approval", "on": {"approve": "accepted"}, "timeout": text, "default": "approve"}}, id=text
        )
        for text in ("2 business days", "8 business hours")
    ),
]


@pytest.mark.parametrize("states", NOT_AVAILABLE)
def test_a_feature_that_is_still_to_come_is_refused_by_name(tmp_path: Path, states: Any) -> None:
    messages = [finding.message for finding in errors(tmp_path, workflow(states))]

    assert messages
    assert all("not available in this version" in message for message in messages)


@pytest.mark.parametrize("top", [{"calendar": "office"}], ids=repr)
def test_a_top_key_that_is_still_to_come_is_refused_by_name(tmp_path: Path, top: Any) -> None:
    states = {"ask": {"type": "approval", "on": {"approve": "accepted"}, "timeout": "never"}}

    (finding,) = errors(tmp_path, workflow(states, **top))

    assert "not available in this version" in finding.message
    assert next(iter(top)) in finding.message


# --- findings ---------------------------------------------------------------------------------------------------------


def test_a_finding_is_written_as_file_line_column_severity_code_message_and_fix(tmp_path: Path) -> None:
    (finding, *_) = errors(tmp_path, GATE.replace("approve: yes", "approve: yess"))

    pattern = rf"{re.escape(str(tmp_path))}/flow\.yaml:6:19: error HP\d+ .*'yess'.*did you mean 'yes'.*"
    assert re.fullmatch(pattern, str(finding))


def test_findings_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GATE.replace("approve: yes", "approve: yess").replace("2d", "soon").replace("default: reject", "default: x")

    places = [(finding.line, finding.column) for finding in errors(tmp_path, text)]

    assert len(places) == 3
    assert places == sorted(places)


def test_no_workflow_is_hidden_by_a_windows_line_end(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_bytes(GATE.replace("\n", "\r\n").encode())

    assert [str(finding) for finding in api.check(path)] == []


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "[]", "1", "text", "null", "- a\n"], ids=repr)
def test_what_is_no_mapping_is_no_workflow(tmp_path: Path, text: str) -> None:
    assert errors(tmp_path, text)


def test_a_file_of_more_than_a_mebibyte_is_refused(tmp_path: Path) -> None:
    assert errors(tmp_path, GATE + "#" * 1024 * 1024)
    assert errors(tmp_path, GATE + "#" * 1000) == []


def test_bytes_that_are_no_utf_8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "flow.yaml"
    path.write_bytes(GATE.encode().replace(b"Go?", b"Go\xff?"))

    assert [finding.line for finding in api.check(path)] == [5]


def test_aliases_are_written_out(tmp_path: Path) -> None:
    text = GATE.replace("yes: {type: end}", "yes: &end {type: end}\n  more: *end").replace("reject: no", "reject: more")

    assert errors(tmp_path, text) == []
    assert api.loads(text).states["more"].type == "end"
