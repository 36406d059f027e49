"""Tests of the normalised document: one spelling for each meaning, defaults left out, the author's order kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdpoint.engine.definition import Definition
from holdpoint.schema import check_text


def compiled(text: str) -> Any:
    document, findings = check_text(text, "w.yaml")
    assert document is not None, [str(finding) for finding in findings]
    return document


def test_expense_workflow_is_normalised(expense: str) -> None:
    document = compiled(expense)

    assert list(document) == ["workflow", "title", "timezone", "input", "initial", "states"]
    assert document["initial"] == [{"to": "draft"}]
    assert document["states"]["draft"]["on"] == {"done": [{"to": "review"}]}
    assert document["states"]["review"] == {
        "type": "return",
        "on": {"accept": [{"to": "manager"}], "revise": [{"to": "draft"}]},
        "message": "Check the report of {{ input.employee }}",
        "show": ["report"],
        "max_returns": 3,
        "timeout": "P2D",
        "default": {"decision": "accept"},
    }
    assert document["states"]["manager"]["on"]["approve"] == [
        {"to": "director", "when": "input.amount > 5000"},
        {"to": "pay"},
    ]
    assert document["states"]["refused"] == {"type": "end", "outcome": "failure"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("next: paid", "on: {done: paid}", id="next"),
        pytest.param("next: paid", "on: {done: [{to: paid}]}", id="list"),
        pytest.param("initial: draft", "initial: [{to: draft}]", id="initial"),
        pytest.param("initial: draft", "# first", id="no-initial"),
        pytest.param("effect: irreversible", "effect: irreversible\n    after_crash: ask", id="after-crash"),
        pytest.param("effect: irreversible", "effect: irreversible\n    timeout: 600s", id="agent-timeout"),
        pytest.param("artifact: report", "artifact: report\n    effect: none\n    after_crash: retry", id="effect"),
        pytest.param("timeout: 48h", "timeout: PT48H", id="duration"),
        pytest.param("default: accept", "default: {decision: accept}", id="default"),
        pytest.param("max_returns: 3", "max_returns: 3\n    priority: normal", id="priority"),
        pytest.param("effect: irreversible", "effect: irreversible\n    after_crash: {ask: {}}", id="ask"),
        pytest.param(
            "effect: irreversible",
            "effect: irreversible\n    after_crash: {ask: {timeout: never, priority: normal}}",
            id="ask-with-defaults",
        ),
        pytest.param("artifact: report", "artifact: report\n    isolate: true", id="isolate"),
        pytest.param("paid: {type: end,", "paid: {type: end, outcome: success,", id="outcome"),
    ],
)
def test_two_spellings_of_one_meaning_are_one_document(expense: str, old: str, new: str) -> None:
    assert old in expense

    assert compiled(expense.replace(old, new)) == compiled(expense)


def test_default_of_the_timezone_is_left_out(rich: str) -> None:
    assert "timezone" not in compiled(rich)


def test_max_returns_of_five_is_left_out(expense: str) -> None:
    document = compiled(expense.replace("max_returns: 3", "max_returns: 5"))

    assert "max_returns" not in document["states"]["review"]


def test_author_s_order_is_kept(expense: str) -> None:
    document = compiled(expense.replace("{accept: manager, revise: draft}", "{revise: draft, accept: manager}"))

    assert list(document["states"]) == ["draft", "review", "manager", "director", "pay", "paid", "refused"]
    assert list(document["states"]["review"]["on"]) == ["revise", "accept"]


def test_patient_workflow_is_normalised(patient: str) -> None:
    document = compiled(patient)

    states = document["states"]
    assert list(document) == ["workflow", "timezone", "input", "initial", "on_cancel", "states"]
    assert document["on_cancel"] == [{"to": "undo", "when": "visits.deploy > 0"}, {"to": "stopped"}]
    assert states["start"] == {"type": "wait", "on": {"done": [{"to": "window"}]}, "for": "P7D"}
    assert states["window"]["until"] == "{{ input.when }}"
    assert states["until_date"]["until"] == "2026-11-25T15:26:00.000000Z"
    assert states["details"]["on"] == {"submit": [{"to": "payment"}]}
    assert states["details"]["default"] == {"decision": "submit", "answers": {"reason": "none given"}}
    assert states["payment"] == {
        "type": "wait",
        "on": {"received": [{"to": "incident"}], "timeout": [{"to": "stopped"}]},
        "signal": "paid",
        "output": {"type": "object", "properties": {"amount": {"type": "number"}}},
        "timeout": "PT129600S",
    }
    assert states["incident"]["signal"] == ["resolved", "worse"]
    assert "timeout" not in states["incident"]
    assert states["gate"]["exclude"] == ["initiator", "alice", "role:intern"]
    assert list(states["gate"]["forms"]) == ["approve", "hold"]


def test_attempts_of_an_agent_are_normalised(patient: str) -> None:
    agent = compiled(patient)["states"]["deploy"]

    assert agent["isolate"] is False
    assert agent["retry"] == {
        "attempts": 5,
        "delay": "PT60S",
        "factor": 1.5,
        "max_delay": "PT3600S",
        "on": ["agent_timeout"],
    }
    assert agent["after_crash"] == {
        "ask": {
            "assign": {"retry": ["role:operator"], "done": ["{{ input.operator }}"], "fail": ["initiator"]},
            "exclude": ["bob", "role:guest"],
            "priority": "urgent",
            "timeout": "PT7200S",
            "default": {"decision": "done", "answers": {"version": 0}},
        }
    }


@pytest.mark.parametrize("retry", ["{}", "{attempts: 3.0, factor: 2.0}", "{delay: 2s, max_delay: PT5M}"])
def test_figures_of_retry_are_written_in_full(expense: str, retry: str) -> None:
    document = compiled(expense.replace("effect: irreversible", f"retry: {retry}"))

    expected = {"attempts": 3, "delay": "PT2S", "factor": 2, "max_delay": "PT300S"}
    assert json.dumps(document["states"]["pay"]["retry"]) == json.dumps(expected)


@pytest.mark.parametrize(
    ("effect", "after_crash"),
    [
        pytest.param("none", "ask", id="not-the-default"),
        pytest.param("irreversible", None, id="the-default"),
    ],
)
def test_asking_with_nothing_more_is_the_word(expense: str, effect: str, after_crash: str | None) -> None:
    keys = f"effect: {effect}\n    after_crash: {{ask: {{}}}}"

    agent = compiled(expense.replace("effect: irreversible", keys))["states"]["pay"]

    assert agent.get("after_crash") == after_crash


@pytest.mark.parametrize("name", ["expense", "rich", "patient"])
def test_document_compiles_to_a_definition(request: pytest.FixtureRequest, name: str) -> None:
    document = compiled(request.getfixturevalue(name))

    definition = Definition.from_document(json.loads(json.dumps(document)))

    assert list(definition.states) == list(document["states"])


def test_errors_leave_no_document_and_warnings_do(expense: str) -> None:
    broken, _ = check_text(expense.replace("next: paid", "next: piad"), "w.yaml")
    doubtful, findings = check_text(expense.replace("    timeout: 2d\n    default: accept\n", ""), "w.yaml")

    assert broken is None
    assert doubtful is not None
    assert [finding.severity for finding in findings] == ["warning"]
