"""Tests that no text, however broken, brings a check down: there are findings, or there is a document."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdpoint.schema import check_text
from holdpoint.schema.reader import read

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_YAML = [
    *(
        "{",
        "}",
        "[",
        "]",
        ":",
        "&a ",
        "*a",
        "!x",
        "|",
        ">",
        "#",
        "'",
        '"',
        "%",
        "...",
        "~",
        "<<: ",
        "- ",
        "? ",
        "---\n",
    ),
    *("\n", "  ", "\t", "null", "1e400", "2026-01-02", "\\", "@", "`", "[]", "{}", "\u202e", "\x00", "\ud800"),
]
_OURS = [
    *("{{", "}}", "{{ x", "role:", "type: ", "agent", "approval", "when: ", "$ref: '#'", "form: "),
    *("default: ", "to: ", "on: ", "timeout: ", "timeout: never"),
]
PIECES = st.sampled_from([*_YAML, *_OURS])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def check(text: str | bytes) -> None:
    document, findings = check_text(text, "w.yaml")

    assert (document is None) == any(finding.severity == "error" for finding in findings)
    assert all(finding.line >= 1 and finding.column >= 1 and finding.message for finding in findings)


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    check(data)


@FUZZ
@given(st.lists(PIECES | st.text(max_size=5), max_size=20).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    check(text)


@FUZZ
@given(data=st.data())
def test_any_edit_of_a_workflow_is_read_or_refused(request: pytest.FixtureRequest, data: st.DataObject) -> None:
    text = request.getfixturevalue(data.draw(st.sampled_from(["rich", "expense", "full_expense", "patient"])))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(PIECES | st.just("")) + text[end:]

    check(text)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], new)
    return copy


@FUZZ
@given(data=st.data())
def test_any_value_anywhere_in_a_workflow_is_checked(request: pytest.FixtureRequest, data: st.DataObject) -> None:
    document, _ = read(request.getfixturevalue(data.draw(st.sampled_from(["rich", "expense", "patient"]))), "w.yaml")
    assert document is not None
    path = data.draw(st.sampled_from(places(document.value)[1:]))
    new = data.draw(JSON | st.sampled_from(places(document.value)).map(lambda where: document.node(where).value))

    check(json.dumps(replaced(document.value, path, new)))
