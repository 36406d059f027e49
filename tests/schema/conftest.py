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
    '    exclude: ["deciders:manager"]\n',
    "    quorum: {approve: 2}\n",
    '    escalate:\n      - {after: 24h, remind: true}\n      - {after: 36h, assign: ["role:director"]}\n',
)

RICH = """\
workflow: rich
description: most keys of agents and gates
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
    with: {previous: "{{ previous.option if previous else none }}", token: "{{ env.TOKEN }}"}
    output: {type: object, properties: {text: {type: string}, score: {type: number}}}
    artifact: {article: "{{ output.text }}"}
    effect: none
    after_crash: retry
    timeout: 10m
    on:
      done:
        - {to: edit, when: "write.score > 0.5"}
        - {to: grade, when: "visits.write < 3"}
        - {to: failed}
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


PATIENT = """\
workflow: patient
timezone: Europe/Rome
input:
  type: object
  properties:
    when: {type: string}
    operator: {type: string}
on_cancel:
  - {to: undo, when: "visits.deploy > 0"}
  - {to: stopped}
states:
  start: {type: wait, for: 1w, next: window}
  window:
    type: wait
    until: "{{ input.when }}"
    on: {done: until_date}
  until_date: {type: wait, until: "2026-11-25T16:26:00+01:00", next: details}
  details:
    type: form
    message: "What is missing of {{ input.when }}?"
    show: {When: "{{ input.when }}"}
    assign: [initiator, "{{ input.operator }}"]
    exclude: [bob]
    form:
      type: object
      required: [reason]
      properties: {reason: {type: string}, count: {type: integer, default: 1}}
    priority: low
    timeout: 1d
    default: {decision: submit, answers: {reason: none given}}
    next: payment
  payment:
    type: wait
    signal: paid
    output: {type: object, properties: {amount: {type: number}}}
    timeout: 36h
    on: {received: incident, timeout: stopped}
  incident:
    type: wait
    signal: [resolved, worse]
    timeout: never
    on:
      resolved: deploy
      worse: [{to: stopped, when: "payment.amount > 5"}, {to: gate}]
  deploy:
    type: agent
    python: deploys:run
    with: {paid: "{{ payment.amount if payment else 0 }}", late: "{{ incident is none }}"}
    output: {type: object, required: [version], properties: {version: {type: integer}}}
    effect: irreversible
    unattended: allowed
    isolate: false
    retry: {attempts: 5, delay: 1m, factor: 1.5, max_delay: 1h, on: [agent_timeout]}
    after_crash:
      ask:
        assign: {retry: ["role:operator"], done: ["{{ input.operator }}"], fail: [initiator]}
        exclude: [bob, "role:guest"]
        timeout: 2h
        default: {decision: done, answers: {version: 0}}
        priority: urgent
    on: {done: gate, error: stopped}
  gate:
    type: approval
    exclude: [initiator, alice, "role:intern"]
    forms:
      approve: {type: object, required: [note], properties: {note: {type: string, title: "{{ now }}"}}}
      hold: {type: object, properties: {days: {type: integer, default: 2, maximum: 9}}}
    on: {approve: finished, hold: gate, reject: stopped}
    timeout: 1d
    default: {decision: approve, answers: {note: silence}}
  undo: {type: agent, value: "{{ deploy.version if deploy else none }}", next: stopped}
  stopped: {type: end, outcome: cancelled}
  finished: {type: end}
"""


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
    """A clean workflow that uses most keys of agents and gates."""
    return RICH


@pytest.fixture(scope="session")
def patient() -> str:
    """A clean workflow that waits, retries, asks after a crash and cleans up."""
    return PATIENT


@pytest.fixture(scope="session")
def hostile_folder() -> Path:
    """The folder of hostile YAML files."""
    folder = data_folder()
    if folder is None:
        pytest.skip("no shared test data here")
    return folder / "hostile-yaml"
