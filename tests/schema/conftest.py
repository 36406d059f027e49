"""Workflows that are clean, and the folder of hostile files where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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

_LATER = (
    "    exclude: [initiator]\n",
    '    exclude: ["deciders:manager"]\n',
    "    quorum: {approve: 2}\n",
    '    escalate:\n      - {after: 24h, remind: true}\n      - {after: 36h, assign: ["role:director"]}\n',
)

RICH = """\
workflow: rich
description: every key that is there by now
timezone: UTC
input:
  type: object
  properties:
    kind: {type: string, default: small}
    tags: {type: array, items: {$ref: "#/$defs/tag"}}
    address: {type: object, properties: {city: {type: string}}, additionalProperties: false}
  $defs: {tag: {type: string, pattern: "^[a-z]+$"}}
initial:
  - {to: write, when: "input.kind == 'big'"}
  - {to: note}
states:
  note:
    type: agent
    value: {kind: "{{ input.kind }}", city: "{{ input.address.city }}"}
    next: write
  write:
    type: agent
    title: Write
    command: [python, write.py, "{{ input.kind }}", "{{ env.HOME }}"]
    with: {previous: "{{ previous.option }}", token: "{{ env.TOKEN }}"}
    output: {type: object, properties: {text: {type: string}, score: {type: number}}}
    artifact: {article: "{{ output.text }}"}
    effect: none
    after_crash: retry
    timeout: 10m
    on:
      done:
        - {to: edit, when: "write.score > 0.5"}
        - {to: grade, when: "visits.write < 3"}
      error: failed
  edit:
    type: return
    show: [article]
    assign: [initiator, alice, "{{ input.kind }}"]
    on: {accept: grade, revise: write, reject: failed, timeout: failed}
    timeout: 1d12h
  grade:
    type: approval
    message: |
      Grade the article of {{ run.initiator }}.

      It is {{ artifacts.article }}.
    show: {Article: "{{ artifacts.article }}", Score: "{{ write.score }}"}
    assign: {approve: ["role:editor-in-chief"], reject: [initiator]}
    form:
      type: object
      required: [grade]
      properties:
        grade: {type: integer, minimum: "{{ visits.write }}", maximum: 10, title: "Grade for {{ input.kind }}"}
    comment: [reject]
    priority: high
    on: {approve: published, reject: failed}
    timeout: P2D
    default: {decision: approve, answers: {grade: 5}}
  ask:
    type: approval
    on: {approve: published}
    timeout: never
  published: {type: end, output: {grade: "{{ grade.answers.grade }}", error: "{{ error.message if error else none }}"}}
  failed: {type: end, outcome: failure}
""".replace("reject: failed}\n    timeout: P2D", "reject: ask}\n    timeout: P2D")


def data_folder() -> Path | None:
    """The folder of shared test data, None where it is missing."""
    given = os.environ.get("HOLDPOINT_DATA")
    folder = Path(given) if given else Path(__file__).parents[3] / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def expense() -> str:
    """The workflow of the specification, without the keys that are still to come."""
    text = EXPENSE
    for part in _LATER:
        assert part in text
        text = text.replace(part, "")
    return text


@pytest.fixture(scope="session")
def full_expense() -> str:
    """The workflow of the specification, whole."""
    return EXPENSE


@pytest.fixture(scope="session")
def rich() -> str:
    """A clean workflow that uses every key."""
    return RICH


@pytest.fixture(scope="session")
def hostile_folder() -> Path:
    """The folder of hostile YAML files."""
    folder = data_folder()
    if folder is None:
        pytest.skip("no shared test data here")
    return folder / "hostile-yaml"
