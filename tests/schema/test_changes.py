"""What changed between two definitions: each edit has its sentence, and nothing that changes a version goes unsaid."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from holdpoint.engine.definition import Definition
from holdpoint.schema import examine
from holdpoint.schema.changes import Change, compare_documents
from tests.examples import FILES, WORKFLOWS

MIRRORED = {"added": "removed", "removed": "added", "changed": "changed", "renamed": "renamed"}
SHIPPED = [WORKFLOWS / name / file for name, files in FILES.items() for file in files]

each_shipped = pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)


@cache
def document(text: str) -> Any:
    """The document of a workflow, also of one whose runs can go wrong."""
    found = examine(text, "w.yaml")
    assert found.document is not None, [str(finding) for finding in found.findings]
    return found.document


def changes(before: str, after: str) -> tuple[Change, ...]:
    return compare_documents(document(before), document(after))


def sentences(before: str, after: str) -> list[str]:
    """The changes as lines; a risk begins with `! `, what only people see with `= `."""
    return [
        f"{'! ' if change.is_risky else '= ' if change.is_cosmetic else ''}{change.text}"
        for change in changes(before, after)
    ]


def edited(text: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def kinds(found: tuple[Change, ...]) -> Counter[tuple[str, str | None, str, str | None]]:
    return Counter((change.kind, change.state, change.key, change.option) for change in found)


def mirrored(found: tuple[Change, ...]) -> Counter[tuple[str, str | None, str, str | None]]:
    """The kinds that the way back has, by the names of the earlier definition."""
    names = {change.after: change.before for change in found if change.kind == "renamed"}
    return Counter(
        (MIRRORED[change.kind], names.get(change.state, change.state), change.key, change.option) for change in found
    )


def edit(id: str, old: str, new: str, *said: str) -> Any:
    return pytest.param(old, new, said, id=id)


EFFECT = "    effect: irreversible\n"
ARTIFACT = "    artifact: report "
RETURNS = "    max_returns: 3\n"
REQUIRED = "  required: [employee, amount]\n  properties:\n"
EXPENSE = [
    edit("name", "expense-approval", "costs", "the workflow is called 'costs', was 'expense-approval'"),
    edit("timezone", "timezone: Europe/Rome", "timezone: UTC", "the timezone is UTC, was Europe/Rome"),
    edit("initial", "initial: draft", "initial: manager", "a run now begins in 'manager', was: 'draft'"),
    edit(
        "on-cancel",
        "initial: draft",
        "initial: draft\non_cancel: refused",
        "a cancelled run now goes to 'refused', was: no state",
    ),
    # ways
    edit(
        "guard",
        '        - {to: director, when: "input.amount > 5000"}\n',
        "",
        "'manager' option 'approve' now leads to 'pay' (was: 'director' if input.amount > 5000, else 'pay')",
    ),
    edit(
        "no-else",
        "        - {to: pay}\n",
        "",
        "'manager' option 'approve' now leads to 'director' if input.amount > 5000, else the run fails "
        "(was: 'director' if input.amount > 5000, else 'pay')",
    ),
    edit(
        "option",
        "{approve: pay, reject: refused}",
        "{approve: pay, reject: refused, hold: refused}",
        "'director' has a new option 'hold', which leads to 'refused'",
    ),
    edit(
        "error",
        "    next: paid",
        "    on: {done: paid, error: refused}",
        "'pay' has a new option 'error', which leads to 'refused'",
    ),
    # silence
    edit("timeout", "timeout: 2d", "timeout: 36h", "the timeout of 'review' is 36h, was 2d"),
    edit(
        "timeout-never",
        "    timeout: 2d\n    default: accept\n",
        "    timeout: never\n",
        "! the timeout of 'review' is never, was 2d",
        "on silence 'review' now decides nothing, was: accepts",
    ),
    edit(
        "no-timeout",
        "    timeout: 2d\n    default: accept\n",
        "",
        "! 'review' no longer has a timeout (it was 2d)",
        "on silence 'review' now decides nothing, was: accepts",
    ),
    edit(
        "default",
        "timeout: 48h\n    default: reject",
        "timeout: 48h\n    default: approve",
        "! on silence 'manager' now approves, was: rejects",
    ),
    # people
    edit(
        "assign-more",
        '["role:manager"]',
        '["role:manager", "role:director"]',
        "'manager' may now be decided by role:director too",
    ),
    edit(
        "assign-other",
        '["role:manager"]',
        "[ann]",
        "'manager' may now be decided by ann too",
        "'manager' may no longer be decided by role:manager",
    ),
    edit(
        "assign-nobody",
        '    assign: ["role:manager"]\n',
        "",
        "! 'manager' may now be decided by anyone, was: role:manager",
    ),
    edit(
        "assign-by-option",
        '["role:manager"]',
        '{approve: ["role:manager"], reject: [ann, "role:manager"]}',
        "option 'reject' of 'manager' may now be decided by ann too",
    ),
    edit("exclude-less", "    exclude: [initiator]\n", "", "! 'manager' no longer excludes initiator"),
    edit("exclude-more", "[initiator]", "[initiator, bob]", "'manager' now excludes bob"),
    edit(
        "comment",
        RETURNS,
        f"    comment: [accept]\n{RETURNS}",
        "'review' option 'accept' now needs a comment",
    ),
    edit("max-returns", RETURNS, "", "'review' may send the work back 5 times, was 3 times"),
    edit("priority", RETURNS, f"    priority: high\n{RETURNS}", "the priority of 'review' is high, was normal"),
    edit(
        "message",
        "Pay {{ input.amount }} to",
        "Give {{ input.amount }} to",
        "the message of 'manager' is 'Give {{ input.amount }} to {{ input.employee }}?', "
        "was 'Pay {{ input.amount }} to {{ input.employee }}?'",
    ),
    edit("show", "    show: [report]\n    assign", "    assign", "'manager' no longer shows 'report'"),
    edit(
        "form",
        RETURNS,
        f"    form: {{type: object, properties: {{why: {{type: string}}}}}}\n{RETURNS}",
        "the form of 'review' is new: fields 'why'",
    ),
    # agents
    edit(
        "python",
        ":draft_report",
        ":draft",
        "'draft' now calls 'expenses.agents:draft', was: calls 'expenses.agents:draft_report'",
    ),
    edit(
        "command",
        "command: [python, pay.py]",
        "python: pay:pay",
        """'pay' now calls 'pay:pay', was: runs ["python", "pay.py"]""",
    ),
    edit(
        "argument",
        'with: {amount: "{{ input.amount }}", ',
        "with: {",
        "argument 'amount' of 'draft' was removed (it was '{{ input.amount }}')",
    ),
    edit(
        "argument-value",
        'with: {employee: "{{ input.employee }}"',
        "with: {employee: null, other: 1",
        "argument 'employee' of 'pay' is null, was '{{ input.employee }}'",
        "argument 'other' of 'pay' is new: 1",
    ),
    edit(
        "effect",
        EFFECT,
        "",
        "'pay' is no longer irreversible",
        "after a crash 'pay' now is tried again, was: asks a person",
    ),
    edit(
        "effect-more",
        ARTIFACT,
        f"    unattended: allowed\n{EFFECT}{ARTIFACT}",
        "! 'draft' is now irreversible",
        "! 'draft' may now run unattended: no person need approve before it",
        "after a crash 'draft' now asks a person, was: is tried again",
    ),
    edit(
        "after-crash",
        EFFECT,
        f"{EFFECT}    after_crash: retry\n",
        "! after a crash 'pay' now is tried again, was: asks a person",
    ),
    edit(
        "after-crash-ask",
        EFFECT,
        f"{EFFECT}    after_crash: {{ask: {{assign: [ann], timeout: 1h, default: retry}}}}\n",
        "the crash request of 'pay' may now be decided by ann only, was: anyone",
        "the crash request of 'pay' has a timeout of 1h, and had none",
        "! on silence the crash request of 'pay' now decides 'retry', was: decides nothing",
    ),
    edit(
        "retry",
        EFFECT,
        f"{EFFECT}    retry: {{attempts: 4}}\n",
        "'pay' is tried up to 4 times (delay 2s, factor 2, at most 5m), was once",
    ),
    edit("agent-timeout", EFFECT, f"{EFFECT}    timeout: 1h\n", "the timeout of 'pay' is 1h, was 10m"),
    edit("isolate", ARTIFACT, f"    isolate: false\n{ARTIFACT}", "'draft' now runs in the engine's process"),
    edit("artifact", EFFECT, f"{EFFECT}    artifact: receipt\n", "'pay' now makes the artifact 'receipt'"),
    edit(
        "output",
        ARTIFACT,
        f"    output: {{type: object, properties: {{text: {{type: string}}}}}}\n{ARTIFACT}",
        "the output of 'draft' is new: fields 'text'",
    ),
    # input
    edit(
        "input-optional",
        REQUIRED,
        f"{REQUIRED}    why: {{type: string}}\n",
        "the input has a new field 'why', optional",
    ),
    edit(
        "input-required",
        REQUIRED,
        REQUIRED.replace("amount]", "amount, why]") + "    why: {type: string}\n",
        "! the input has a new field 'why', required; starts without it are refused",
    ),
    edit(
        "input-filled",
        REQUIRED,
        REQUIRED.replace("amount]", "amount, why]") + "    why: {type: string, default: none}\n",
        "the input has a new field 'why', required",
    ),
    edit("input-less", "[employee, amount]", "[employee]", "field 'amount' of the input is no longer required"),
    edit(
        "input-rule",
        "exclusiveMinimum: 0",
        "exclusiveMinimum: 5",
        "'exclusiveMinimum' of field 'amount' of the input is 5, was 0",
    ),
    edit(
        "input-rule-more",
        "employee: {type: string}",
        "employee: {type: string, minLength: 1}",
        "'minLength' of field 'employee' of the input is now 1",
    ),
    # states and ends
    edit(
        "new-state", "  paid: {", "  parked: {type: end, outcome: cancelled}\n  paid: {", "state 'parked' is new (end)"
    ),
    edit("outcome", "outcome: failure", "outcome: cancelled", "'refused' ends with cancelled, was failure"),
    edit("end-output", "outcome: failure", "outcome: failure, output: 1", "'refused' has an output, and had none: 1"),
    edit(
        "end-member",
        'output: {amount: "{{ input.amount }}", ',
        "output: {",
        "output 'amount' of 'paid' was removed (it was '{{ input.amount }}')",
    ),
    # what only people see
    edit(
        "title",
        "title: Expense approval",
        "title: Expenses",
        "= the title of the workflow is 'Expenses', was 'Expense approval'",
    ),
    edit(
        "state-title",
        "    type: return\n",
        "    type: return\n    title: Look\n",
        "= 'review' has the title 'Look', and had none",
    ),
    edit(
        "field-title",
        "employee: {type: string}",
        "employee: {type: string, title: Who}",
        "= titles or descriptions of the input are other ones",
    ),
    edit(
        "order-of-options",
        "{approve: pay, reject: refused}",
        "{reject: refused, approve: pay}",
        "= the options of 'director' are in another order: 'reject', 'approve'",
    ),
    edit(
        "order-of-fields",
        "    employee: {type: string}\n    amount: {type: number, exclusiveMinimum: 0}\n",
        "    amount: {type: number, exclusiveMinimum: 0}\n    employee: {type: string}\n",
        "= the input is in another order",
    ),
]
PATIENT = [
    edit("for", "for: 1w", "for: 2d", "'start' now waits for 2d, was: for 7d"),
    edit(
        "until",
        'until: "{{ input.when }}"',
        "for: 1h",
        "'window' now waits for 1h, was: until {{ input.when }}",
    ),
    edit("wait-timeout", "timeout: 36h", "timeout: 2d", "the timeout of 'payment' is 2d, was 36h"),
    edit(
        "signal-data",
        "properties: {amount: {type: number}}",
        "required: [amount], properties: {amount: {type: number}}",
        "field 'amount' of the data of the signal of 'payment' is now required",
    ),
    edit(
        "retry-figures",
        "{attempts: 5, delay: 1m, factor: 1.5, max_delay: 1h, on: [agent_timeout]}",
        "{attempts: 2, delay: 2m, factor: 3, max_delay: 1h}",
        "'deploy' is tried up to 2 times, was up to 5 times",
        "'delay' of the retries of 'deploy' is 2m, was 1m",
        "'factor' of the retries of 'deploy' is 3, was 1.5",
        """'on' of the retries of 'deploy' is any code, was ["agent_timeout"]""",
    ),
    edit(
        "no-retry",
        "    retry: {attempts: 5, delay: 1m, factor: 1.5, max_delay: 1h, on: [agent_timeout]}\n",
        "",
        "'deploy' is tried once, was up to 5 times (delay 1m, factor 1.5, at most 1h, on agent_timeout)",
    ),
    edit(
        "crash-request",
        'fail: [initiator]}\n        exclude: [bob, "role:guest"]',
        "fail: [ann]}\n        exclude: [bob]",
        "option 'fail' of the crash request of 'deploy' may now be decided by ann too",
        "option 'fail' of the crash request of 'deploy' may no longer be decided by initiator",
        "! the crash request of 'deploy' no longer excludes role:guest",
    ),
    edit(
        "crash-priority",
        "priority: urgent",
        "priority: high",
        "the priority of the crash request of 'deploy' is high, was urgent",
    ),
    edit(
        "attended",
        "    unattended: allowed\n",
        "",
        "'deploy' may no longer run unattended",
    ),
    edit(
        "form-of-option",
        "maximum: 9",
        "maximum: 8",
        "'maximum' of field 'days' of the form of option 'hold' of 'gate' is 8, was 9",
    ),
    edit(
        "answers",
        "answers: {note: silence}",
        "answers: {note: ok}",
        """on silence 'gate' now approves with {"note": "ok"}, was: approves with {"note": "silence"}""",
    ),
    edit(
        "shown",
        'When: "{{',
        'Until: "{{',
        "what is shown as 'Until' of 'details' is new: '{{ input.when }}'",
        "what is shown as 'When' of 'details' was removed (it was '{{ input.when }}')",
    ),
    edit(
        "form",
        "required: [reason]",
        "required: [reason, count]",
        "field 'count' of the form of 'details' is now required",
    ),
]


@pytest.mark.parametrize(
    ("base", "old", "new", "said"),
    [
        pytest.param(base, *case.values, id=f"{base}-{case.id}")
        for base, cases in (("expense", EXPENSE), ("patient", PATIENT))
        for case in cases
    ],
)
def test_an_edit_is_said_in_words(
    request: pytest.FixtureRequest, base: str, old: str, new: str, said: tuple[str, ...]
) -> None:
    before = request.getfixturevalue(base)
    after = edited(before, (old, new))

    assert sentences(before, after) == list(said)
    assert kinds(changes(after, before)) == mirrored(changes(before, after))
    assert (_version(before) == _version(after)) == all(change.is_cosmetic for change in changes(before, after))


def _version(text: str) -> str:
    return Definition.from_document(document(text)).version


# --- renames ----------------------------------------------------------------------------------------------------------


def test_a_renamed_state_is_recognised_and_followed(expense: str) -> None:
    after = expense.replace("review", "check").replace("manager:", "boss:").replace("accept: manager", "accept: boss")

    assert sentences(expense, after) == [
        "state 'review' seems to be called 'check' now: the two are nearly the same",
        "state 'manager' seems to be called 'boss' now: the two are nearly the same",
    ]
    assert kinds(changes(after, expense)) == mirrored(changes(expense, after))


def test_what_changed_in_a_renamed_state_is_said_under_its_later_name(expense: str) -> None:
    after = edited(
        expense, ("  manager:", "  boss:"), ("accept: manager", "accept: boss"), ("timeout: 48h", "timeout: 1d")
    )

    assert sentences(expense, after) == [
        "state 'manager' seems to be called 'boss' now: the two are nearly the same",
        "the timeout of 'boss' is 1d, was 48h",
    ]


def test_a_name_in_another_sense_is_not_taken_for_a_renamed_state() -> None:
    before = """
workflow: w
input: {type: object, properties: {note: {type: string}}}
states:
  note: {type: agent, value: "a", next: b}
  b: {type: agent, value: ["{{ input.note }}", "{{ note }}", "{{ visits.note }}", "note"], next: e}
  e: {type: end}
"""
    after = edited(
        before, ("  note: {type", "  memo: {type"), ("{{ note }}", "{{ memo }}"), ("visits.note", "visits.memo")
    )
    wrong = edited(after, ("input.note", "input.memo"), ("{note: {type: string}", "{memo: {type: string}"))

    assert sentences(before, after) == ["state 'note' seems to be called 'memo' now: the two are nearly the same"]
    assert any(text.startswith("'b' now gives") for text in sentences(before, wrong))


def test_another_state_is_no_rename(expense: str) -> None:
    after = edited(
        expense,
        ("  director:\n    type: approval\n", "  board:\n    type: approval\n    priority: high\n"),
        ("to: director", "to: board"),
        ('["role:director"]', '["role:board"]'),
        ('message: "Pay {{ input.amount }}?"', 'message: "Pay?"'),
    )

    assert sentences(expense, after) == [
        "'manager' option 'approve' now leads to 'board' if input.amount > 5000, else 'pay' "
        "(was: 'director' if input.amount > 5000, else 'pay')",
        "state 'board' is new (approval)",
        "! state 'director' was removed (approval)",
    ]


def test_an_end_like_any_other_is_a_rename_only_where_the_same_way_leads_to_it() -> None:
    before = "workflow: w\nstates: {a: {type: agent, value: 1, next: b}, b: {type: end}}"

    renamed = before.replace("next: b", "next: c").replace(", b:", ", c:")
    another = (
        "workflow: w\nstates: {a: {type: agent, value: 1, next: x}, x: {type: wait, for: 1h, next: c}, c: {type: end}}"
    )

    assert [change.kind for change in changes(before, renamed)] == ["renamed"]
    assert "renamed" not in [change.kind for change in changes(before, another)]


# --- states -----------------------------------------------------------------------------------------------------------

GATE = "{type: approval, on: {approve: e, reject: e}, timeout: 1d, default: reject}"


@pytest.mark.parametrize(
    ("state", "said"),
    [
        pytest.param(GATE, "state 'x' is new (approval)", id="gate"),
        pytest.param(GATE.replace("t: reject", "t: approve"), "! state 'x' is new (approval)", id="silent-yes"),
        pytest.param(
            "{type: agent, python: m:f, effect: irreversible, next: e}",
            "! state 'x' is new (agent, irreversible)",
            id="effect",
        ),
    ],
)
def test_a_new_state_that_needs_no_person_is_a_risk(state: str, said: str) -> None:
    before = f"workflow: w\nstates: {{a: {GATE}, e: {{type: end}}}}"
    after = f"workflow: w\nstates: {{a: {GATE}, x: {state}, e: {{type: end}}}}"

    assert sentences(before, after) == [said]


def test_of_a_state_of_another_type_the_ways_out_are_compared() -> None:
    before = f"workflow: w\nstates: {{a: {GATE}, e: {{type: end}}}}"
    after = "workflow: w\nstates: {a: {type: wait, for: 1d, next: e}, e: {type: end}}"

    assert sentences(before, after) == [
        "! state 'a' is of type wait, was approval",
        "'a' has a new option 'done', which leads to 'e'",
        "'a' no longer has the option 'approve' (it led to 'e')",
        "'a' no longer has the option 'reject' (it led to 'e')",
    ]


def test_a_gate_of_another_type_is_compared_as_a_whole() -> None:
    before = (
        "workflow: w\nstates: {b: {type: agent, value: 1, artifact: r, next: a}, a: {type: return, show: [r], "
        "message: x, on: {accept: e, revise: b}, timeout: 1d, default: accept}, e: {type: end}}"
    )

    assert sentences(before, edited(before, ("type: return", "type: approval"), ("message: x", "message: y"))) == [
        "state 'a' is of type approval, was return",
        "the message of 'a' is 'y', was 'x'",
    ]


def test_who_decides_by_option_says_nothing_of_the_edge_of_the_timeout() -> None:
    before = (
        "workflow: w\nstates: {a: {type: approval, assign: [ann], on: {approve: e, timeout: e}, timeout: 1d}, "
        "e: {type: end}}"
    )

    assert sentences(before, before.replace("[ann]", "{approve: [ann, bob]}")) == [
        "option 'approve' of 'a' may now be decided by bob too"
    ]


def test_one_is_not_true() -> None:
    before = "workflow: w\nstates: {a: {type: agent, value: 1, next: e}, e: {type: end}}"

    assert sentences(before, before.replace("value: 1", "value: true")) == ["'a' now gives true, was: gives 1"]


def test_states_in_another_order_are_no_change_of_the_version() -> None:
    states = ["a: {type: agent, value: 1, next: b}", "b: {type: agent, value: 2, next: e}", "e: {type: end}"]
    before, after = (f"workflow: w\ninitial: a\nstates: {{{', '.join(order)}}}" for order in (states, states[::-1]))

    assert sentences(before, after) == ["= the states are in another order: 'e', 'b', 'a'"]


def test_long_texts_are_shown_where_they_part() -> None:
    start = "word " * 30
    states = "{{a: {{type: agent, value: '{}', next: e}}, e: {{type: end}}}}"
    before, after = (f"workflow: w\nstates: {states.format(start + end)}" for end in ("old", "new"))

    assert sentences(before, after) == ["'a' now gives …d word word new', was: gives …d word word old'"]


# --- nothing goes unsaid ----------------------------------------------------------------------------------------------


@each_shipped
def test_a_definition_has_no_changes_from_itself(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert compare_documents(document(text), deepcopy(document(text))) == ()


def test_any_two_workflows_can_be_compared() -> None:
    texts = [path.read_text(encoding="utf-8") for path in SHIPPED]

    for before, after in itertools.permutations(texts, 2):
        found = changes(before, after)
        assert any(not change.is_cosmetic for change in found)
        assert kinds(changes(after, before)) == mirrored(found)
        assert all(change.text and change.to_dict() for change in found)


@each_shipped
def test_every_edit_that_changes_the_version_is_said(path: Path) -> None:
    before = document(path.read_text(encoding="utf-8"))
    version, said = Definition.from_document(before).version, 0

    for where, after in _mutants(before):
        found = compare_documents(before, after)
        is_other = Definition.from_document(after).version != version
        assert any(not change.is_cosmetic for change in found) == is_other, where
        assert kinds(compare_documents(after, before)) == mirrored(found), where
        said += 1

    assert said >= 10


def _mutants(document: Any) -> Iterator[tuple[str, Any]]:
    """The document with one part of a state, or of the input, taken away or put otherwise."""
    for path, value in _parts(document):
        for replacement in _others(path, value):
            mutant = deepcopy(document)
            parent = mutant
            for step in path[:-1]:
                parent = parent[step]
            if replacement is _GONE:
                del parent[path[-1]]
            else:
                parent[path[-1]] = replacement
            yield f"{path} → {replacement!r}", mutant


_GONE = object()
_WORDS = {"type", "timeout", "for", "until", "delay", "max_delay", "decision", "signal", "outcome", "effect", "to"}
"""What has words of its own, which a mutant would have to know."""


def _parts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        if path or key in ("input", "states"):
            if path and path != ("states",):
                yield (*path, key), member
            yield from _parts(member, (*path, key))


def _others(path: tuple[str | int, ...], value: Any) -> Iterator[Any]:
    is_of_state = len(path) == 3 and path[0] == "states"
    if path[-1] == "timeout" or (
        is_of_state and path[-1] in ("exclude", "assign", "comment", "message", "priority", "with")
    ):
        yield _GONE
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
    elif isinstance(value, str) and not _WORDS & {path[-1], path[-2]} and "when" not in path:
        yield f"{value}x"
    elif isinstance(value, str) and path[-1] in ("timeout", "for", "delay", "max_delay"):
        yield "PT77S"
    elif isinstance(value, list) and len(value) > 1 and path[-2] != "on":
        yield value[::-1]
        yield value[1:]
    elif isinstance(value, dict) and len(value) > 1 and path[-1] in ("on", "properties", "with", "forms"):
        yield dict(reversed(value.items()))
        yield dict(list(value.items())[1:])


def test_keys_in_another_order_are_said_to_be_no_change_of_the_version() -> None:
    before = document("workflow: w\nstates: {e: {type: end}}")
    after = dict(reversed(before.items()))

    assert [(change.text, change.is_cosmetic) for change in compare_documents(before, after)] == [
        ("the same is written in another way", True)
    ]


def test_what_is_spelt_out_that_another_version_left_out_is_a_change() -> None:
    before = document("workflow: w\nstates: {a: {type: agent, value: 1, next: e}, e: {type: end}}")
    after = deepcopy(before)
    after["states"]["a"]["after_crash"] = "retry"

    assert [(change.text, change.is_cosmetic) for change in compare_documents(before, after)] == [
        ("'a' is written in another way", False)
    ]
