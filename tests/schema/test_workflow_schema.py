"""Tests of the JSON Schema of workflows: valid, complete, and with a description of every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from holdpoint.schema import check_text, schema_text
from holdpoint.schema.reader import read
from holdpoint.sources import files_below

SCHEMA = json.loads(schema_text())


def schemas(part: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside of a schema; conditions, which describe nothing, are left out."""
    if not isinstance(part, dict):
        return
    yield path, part
    for key in ("properties", "$defs"):
        for name, item in part.get(key, {}).items():
            yield from schemas(item, f"{path}/{key}/{name}")
    for key in ("items", "additionalProperties", "then"):
        yield from schemas(part.get(key), f"{path}/{key}")
    for index, item in enumerate(part.get("allOf", ())):
        yield from schemas(item, f"{path}/allOf/{index}")


def test_schema_is_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_schema_says_what_it_is() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"]
    assert SCHEMA["title"]


def test_every_key_has_a_description() -> None:
    keys = [
        (f"{path}/{kind}/{name}", key)
        for path, schema in schemas(SCHEMA)
        for kind in ("properties", "$defs")
        for name, key in schema.get(kind, {}).items()
    ]

    assert len(keys) > 150
    assert [path for path, key in keys if not key.get("description", "").endswith((".", "?"))] == []


def test_every_example_is_valid() -> None:
    resolved = {path: schema for path, schema in schemas(SCHEMA) if "examples" in schema}

    assert resolved
    for path, schema in resolved.items():
        validator = Draft202012Validator({**schema, "$defs": SCHEMA["$defs"]})
        for example in schema["examples"]:
            assert [f"{path}: {error.message}" for error in validator.iter_errors(example)] == []


@pytest.mark.parametrize("name", ["full_expense", "rich", "patient"])
def test_the_whole_language_is_described(request: pytest.FixtureRequest, name: str) -> None:
    document, _ = read(request.getfixturevalue(name), "w.yaml")

    assert document is not None
    assert list(Draft202012Validator(SCHEMA).iter_errors(document.value)) == []


APPROVE = {"assign": ["role:x"], "timeout": "1d", "default": "reject", "escalate": [{"after": "1h", "notify": ["x"]}]}


STATES = {
    "http": {"type": "agent", "http": {"method": "POST", "url": "u", "headers": {"a": "b"}, "body": [1]}},
    "llm": {
        "type": "agent",
        "llm": {
            "model": "a:b",
            "system": "s",
            "prompt": "p",
            "settings": {"temperature": 0},
            "tools": [{"python": "tools:search"}, {"python": "tools:send", "approve": APPROVE}],
        },
        "output": {"type": "object"},
        "retry": {"attempts": 3, "delay": "2s", "factor": 2, "max_delay": "5m", "on": ["timeout"]},
        "unattended": "allowed",
        "after_crash": {"ask": APPROVE},
        "isolate": True,
        "queue": "slow",
        "next": "x",
    },
    "form": {"type": "form", "form": {"type": "object"}, "next": "x", "timeout": "2 business days"},
    "wait for": {"type": "wait", "for": "2d", "next": "x"},
    "wait until": {"type": "wait", "until": "{{ input.when }}", "next": "x"},
    "signal": {"type": "wait", "signal": "paid", "on": {"received": "x", "timeout": "y"}, "timeout": "1d"},
    "signals": {"type": "wait", "signal": ["a", "b"], "on": {"a": "x", "b": "y", "timeout": "z"}},
    "each": {"type": "call", "workflow": "w", "with": {}, "each": "{{ input.x }}", "join": 2, "next": "x"},
    "branches": {
        "type": "call",
        "branches": {"hr": {"workflow": "w", "with": {}}},
        "join": "any",
        "on": {"done": "x", "error": "y"},
    },
    "approval": {
        "type": "approval",
        "on": {"approve": "x"},
        "quorum": {"approve": [{"role:legal": 1, "role:finance": 2}, 3]},
        "forms": {"approve": {"type": "object"}},
        "escalate": [{"after": "1d", "every": "1d", "remind": True}],
        "calendar": "bank",
        "exclude": ["authors"],
    },
}


@pytest.mark.parametrize("name", STATES)
def test_state_of_the_specification_is_described(name: str) -> None:
    value = {"workflow": "w", "calendar": "bank", "on_cancel": [{"to": "s"}], "states": {"s": STATES[name]}}

    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(value)] == []


def keys() -> list[tuple[str, str, dict[str, Any]]]:
    """Each key and definition with its path."""
    return [
        (f"{path}/{kind}/{name}", name, key)
        for path, schema in schemas(SCHEMA)
        for kind in ("properties", "$defs")
        for name, key in schema.get(kind, {}).items()
    ]


def test_every_key_and_definition_has_a_title() -> None:
    assert [path for path, _, key in keys() if not key.get("title")] == []


def test_every_key_shows_what_may_be_written() -> None:
    shows = {"examples", "enum", "default", "$ref"}

    assert [path for path, name, key in keys() if not shows & key.keys() and name != "type"] == []
    references = {key["$ref"].removeprefix("#/$defs/") for _, _, key in keys() if "$ref" in key}
    assert [name for name in references if not {"examples", "enum"} & SCHEMA["$defs"][name].keys()] == []


@pytest.mark.parametrize("path", files_below(Path(__file__).parents[2] / "workflows"), ids=lambda p: p.name)
def test_every_shipped_workflow_is_described(path: Path) -> None:
    document, _ = read(path.read_bytes(), path.name)

    assert document is not None
    assert list(Draft202012Validator(SCHEMA).iter_errors(document.value)) == []


HUMAN = {"timeout": "2d", "default": "approve", "on": {"approve": "z"}}
# Where each default stands: the state that has the key, and the way to it.
DEFAULTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "agent/timeout": ({"type": "agent", "python": "a:b", "next": "z"}, ()),
    "agent/effect": ({"type": "agent", "python": "a:b", "next": "z"}, ()),
    "agent/isolate": ({"type": "agent", "python": "a:b", "next": "z"}, ()),
    "agent/retry/attempts": ({"type": "agent", "python": "a:b", "next": "z", "retry": {}}, ("retry",)),
    "agent/retry/delay": ({"type": "agent", "python": "a:b", "next": "z", "retry": {}}, ("retry",)),
    "agent/retry/factor": ({"type": "agent", "python": "a:b", "next": "z", "retry": {}}, ("retry",)),
    "agent/retry/max_delay": ({"type": "agent", "python": "a:b", "next": "z", "retry": {}}, ("retry",)),
    "agent/after_crash/ask/timeout": (
        {"type": "agent", "python": "a:b", "next": "z", "after_crash": {"ask": {"assign": ["ann"]}}},
        ("after_crash", "ask"),
    ),
    "agent/after_crash/ask/priority": (
        {"type": "agent", "python": "a:b", "next": "z", "after_crash": {"ask": {"assign": ["ann"]}}},
        ("after_crash", "ask"),
    ),
    "approval/priority": ({"type": "approval", **HUMAN}, ()),
    "return/priority": (
        {"type": "return", "show": ["report"], "on": {"accept": "z", "revise": "x"}, "timeout": "never"},
        (),
    ),
    "return/max_returns": (
        {"type": "return", "show": ["report"], "on": {"accept": "z", "revise": "x"}, "timeout": "never"},
        (),
    ),
    "form/priority": ({"type": "form", "form": {"type": "object"}, "next": "z", "timeout": "never"}, ()),
    "wait/timeout": ({"type": "wait", "signal": "paid", "next": "z"}, ()),
    "end/outcome": ({"type": "end"}, ()),
}
NOT_IN_THIS_VERSION = {"agent/http/method", "call/join", "approve_tool/priority"}


def with_default(state: dict[str, Any], path: tuple[str, ...], key: str, value: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(state))
    place = copy
    for step in path:
        place = place[step]
    place[key] = value
    return copy


def compiled(state: dict[str, Any]) -> Any:
    other = {"type": "agent", "value": "x", "artifact": "report", "next": "x"}
    value = {"workflow": "w", "initial": "made", "states": {"made": other, "x": state, "z": {"type": "end"}}}
    document, findings = check_text(json.dumps(value), "w.yaml")
    assert document is not None, findings
    return document


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_of_the_schema_is_what_the_engine_does_without_the_key(name: str) -> None:
    state, path = DEFAULTS[name]
    key = name.rpartition("/")[2]
    schema: Any = SCHEMA["$defs"][name.partition("/")[0]]
    for step in (*path, key):
        schema = schema["properties"][step]

    assert compiled(with_default(state, path, key, schema["default"])) == compiled(state)


def test_every_default_is_compared_with_the_engine() -> None:
    named = {path.replace("#/$defs/", "").replace("/properties", "") for path, _, key in keys() if "default" in key}

    assert named - {"#/timezone", "priority"} == DEFAULTS.keys() | NOT_IN_THIS_VERSION


def test_the_default_time_zone_is_what_the_engine_takes() -> None:
    text = "workflow: w\nstates: {a: {type: end}}\n"

    assert (
        check_text(f"timezone: {SCHEMA['properties']['timezone']['default']}\n{text}", "")[0] == check_text(text, "")[0]
    )
