"""Runs at random take values that hypothesis draws, and what they find is written so that it is read as the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdpoint import trials
from holdpoint.scenarios.drawn import CHARACTERS, drawn
from holdpoint.scenarios.written import in_flow_style
from holdpoint.schema import read_value
from holdpoint.schema.samples import is_met
from tests.scenarios.desk import Desk

SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 3}, "b": {}}},
    {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"enum": ["x", "y", "z"]}},
    {"type": ["string", "null"], "minLength": 12},
    {"type": "number", "exclusiveMinimum": 0, "maximum": 1.5},
    {"type": "integer", "multipleOf": 7, "minimum": -20, "exclusiveMaximum": 50},
    {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 60},
    {"type": "string", "pattern": "^Ш+$"},
    {"type": "string", "pattern": "^\\p{Lu}", "examples": ["Ab"]},
    {"type": "string", "pattern": "^(?<year>[0-9]{4})$", "examples": ["2026"]},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "email"},
    {"anyOf": [{"type": "boolean"}, {"const": "later"}]},
    {"allOf": [{"type": "string"}], "minLength": 0},
    {},
]
TEXTS = st.text(CHARACTERS)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_what_is_drawn_meets_its_schema_and_is_the_same_for_a_seed(schema: dict[str, Any]) -> None:
    found = drawn(schema, 1)

    assert found
    assert all(is_met(schema, value) for value in found)
    assert found == drawn(dict(schema), 1)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    drawn({"type": "string", "maxLength": 99}, 1)

    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_schema_nothing_is_drawn() -> None:
    assert drawn(None, 1) == []


@given(JSON)
@settings(max_examples=300)
def test_a_value_is_read_as_it_was_written(value: Any) -> None:
    text = f"workflow: {in_flow_style({'found': value})}\n"

    assert read_value(text.encode(), "w.yaml")["workflow"]["found"] == value


def test_runs_at_random_find_what_no_plain_value_breaks(desk: Desk) -> None:
    (desk.folder / "letter.yaml").write_text(
        "workflow: letter\n"
        "input: {type: object, required: [to], properties: {to: {type: string}}}\n"
        'states: {sent: {type: end, output: "{{ input.to }}"}}\n'
    )
    path = desk.folder / "rules.scenarios.yaml"
    path.write_text('workflow: letter.yaml\ninvariants: ["ends: output | length > 0"]\n')

    few, many = (_broken(desk.folder / "letter.yaml", walks) for walks in (0, 30))

    assert few == []
    assert [one.is_played for one in many] == [True]


def _broken(workflow: Path, walks: int) -> list[Any]:
    return list(trials.explore(workflow, depth=5, seconds=30, walks=walks).problems)
