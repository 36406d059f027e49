"""What is found of the schema of the language is what `jsonschema` finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from holdpoint.schema.keywords import DEFINITIONS, KEYWORDS, violations
from holdpoint.schema.reader import read
from holdpoint.schema.shape import workflow_schema
from tests.schema.test_workflow_schema import schemas

EXAMPLES = sorted((Path(__file__).parents[2] / "workflows").rglob("*.yaml"))
FOR_PEOPLE = {"$schema", "$id", "$defs", "title", "description", "examples", "default"}
SCALARS = st.sampled_from([None, True, False, 0, 1, 3, 1.0, 0.5, -1, "", "x", "X", "agent", "end", "never", "1d"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["on", "to", "x", "X"]), inner),
    max_leaves=5,
)


def by_us(value: Any) -> set[tuple[Any, ...]]:
    """Where, which keyword, of what, and whether it is a key; of what is missing the keyword says all at once."""
    return {
        (found.absolute_path, found.validator, repr(found.validator_value), repr(found.instance), found.is_about_key)
        for found in violations(value, workflow_schema())
    }


def by_jsonschema(value: Any) -> set[tuple[Any, ...]]:
    return {
        (
            tuple(error.absolute_path),
            error.validator,
            repr(error.validator_value),
            repr(error.instance),
            "propertyNames" in error.absolute_schema_path,
        )
        for error in Draft202012Validator(workflow_schema()).iter_errors(value)
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], key: str | None, new: Any) -> Any:
    """A copy with another value at a path, or with a key more there."""
    if path:
        copy = dict(value) if isinstance(value, dict) else list(value)
        copy[path[0]] = replaced(copy[path[0]], path[1:], key, new)
        return copy
    return {**value, key: new} if key is not None and isinstance(value, dict) else new


def test_the_schema_has_no_keyword_that_is_not_checked() -> None:
    used = {(path, keyword) for path, schema in schemas(workflow_schema()) for keyword in schema}

    assert {keyword for _, keyword in used} <= KEYWORDS | FOR_PEOPLE


def test_references_lead_to_definitions() -> None:
    references = [schema["$ref"] for _, schema in schemas(workflow_schema()) if "$ref" in schema]

    assert len(references) > 50
    assert {name.removeprefix(DEFINITIONS) for name in references} <= set(workflow_schema()["$defs"])


def test_a_line_break_at_its_end_is_in_no_name() -> None:
    found = list(violations({"workflow": "x\n", "states": {"a": {"type": "end"}}}, workflow_schema()))

    assert [(violation.absolute_path, violation.validator) for violation in found] == [(("workflow",), "pattern")]


@pytest.mark.parametrize("value", [None, [], {}, {"workflow": "x"}, {"workflow": "x", "states": {"A": {}}}], ids=repr)
def test_a_value_that_is_far_from_a_workflow_violates_the_same(value: Any) -> None:
    assert by_us(value) == by_jsonschema(value) != set()


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_change_of_an_example_violates_the_same(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(EXAMPLES))
    document, _ = read(path.read_bytes(), path.name)
    assert document is not None
    value = json.loads(json.dumps(document.value))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(value)))
        key = data.draw(st.none() | st.sampled_from(["type", "on", "next", "http", "for", "X", "assign", "retry"]))
        value = replaced(value, place, key, data.draw(JSON))

    assert by_us(value) == by_jsonschema(value)
