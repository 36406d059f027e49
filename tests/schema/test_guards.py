"""Lists of targets with conditions: that one of them holds is proved by trying out what the conditions compare."""

from __future__ import annotations

import pytest

from holdpoint.schema import check_text

TEXT = """\
workflow: w
input:
  type: object
  required: [amount, kind, is_new]
  properties:
    amount: {{type: number}}
    kind: {{enum: [small, large]}}
    is_new: {{type: boolean}}
    note: {{type: string}}
    limit: {{type: number}}
states:
  ask:
    type: approval
    timeout: never
    on:
      approve: {targets}
      reject: bad
  good: {{type: end}}
  bad: {{type: end, outcome: failure}}
"""


def codes(*conditions: str) -> list[str]:
    """The codes of what is found where these are the conditions of an option's targets, one after the other."""
    written = ", ".join(f'{{to: good, when: "{condition}"}}' for condition in conditions)
    return [finding.code for finding in check_text(TEXT.format(targets=f"[{written}]"), "w.yaml")[1]]


@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param(("input.amount > 5000", "input.amount <= 5000"), id="halves"),
        pytest.param(("input.amount < 1", "1 <= input.amount < 10", "input.amount >= 10"), id="thirds"),
        pytest.param(("input.kind == 'small'", "input.kind == 'large'"), id="enumeration"),
        pytest.param(("input.is_new", "not input.is_new"), id="boolean"),
        pytest.param(("input.note == 'a'", "input.note != 'a'"), id="equal-or-not"),
        pytest.param(("input.is_new and input.amount > 5", "not input.is_new", "input.amount <= 5"), id="two-values"),
        pytest.param(("visits.ask < 3", "visits.ask >= 3"), id="visits"),
    ],
)
def test_conditions_of_which_one_always_holds_are_proved(conditions: tuple[str, ...]) -> None:
    assert codes(*conditions) == []


@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param(("input.amount > 5000",), id="alone"),
        pytest.param(("input.amount > 5000", "input.amount < 5000"), id="the-point-between"),
        pytest.param(("input.kind == 'small'",), id="half-of-an-enumeration"),
        pytest.param(("input.note == 'a'", "input.note == 'b'"), id="texts"),
        pytest.param(("input.limit > 5", "input.limit <= 5"), id="what-may-be-none"),
        pytest.param(("input.amount > input.limit", "input.amount <= input.limit"), id="two-unknowns"),
        pytest.param(("input.is_new and input.amount > 5", "not input.is_new and input.amount <= 5"), id="corners"),
    ],
)
def test_conditions_of_which_none_may_hold_are_a_warning(conditions: tuple[str, ...]) -> None:
    assert codes(*conditions) == ["HP252"]


def test_condition_that_the_decision_contradicts_can_never_hold() -> None:
    assert "HP257" in codes("ask.decision == 'reject'")
