"""JSON Schema: what is found, in which words, and that nothing hangs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdpoint.engine import jsonschemas
from holdpoint.engine.errors import Invalid
from holdpoint.engine.jsonschemas import errors, fill_defaults, validate, validator

SLOW = "^(a|aa)+$"
SLOW_TEXT = "a" * 60 + "!"


def _properties(**schemas: Any) -> dict[str, Any]:
    return {"type": "object", "properties": schemas}


@pytest.fixture
def soon() -> Iterator[None]:
    """The test is about something that would take minutes if it were wrong."""
    begun = time.process_time()
    yield
    assert time.process_time() - begun < 10


def _refused(schema: Any) -> str:
    with pytest.raises(Invalid) as caught:
        validator(schema)
    assert caught.value.code == "schema"
    return caught.value.message


# --- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        pytest.param({"type": "integer"}, True, "true is not of type 'integer'", id="boolean-is-no-integer"),
        pytest.param({"type": "number"}, False, "false is not of type 'number'", id="boolean-is-no-number"),
        pytest.param({"type": ["string", "null"]}, 1.5, "1.5 is not of type 'string', 'null'", id="types"),
        pytest.param({"exclusiveMinimum": 0}, 0, "0 is less than or equal to the minimum of 0", id="exclusive-minimum"),
        pytest.param({"minimum": 1}, 0, "0 is less than the minimum of 1", id="minimum"),
        pytest.param({"maximum": 1}, 2, "2 is greater than the maximum of 1", id="maximum"),
        pytest.param(
            {"exclusiveMaximum": 1}, 1, "1 is greater than or equal to the maximum of 1", id="exclusive-maximum"
        ),
        pytest.param({"multipleOf": 0.01}, 19.995, "19.995 is not a multiple of 0.01", id="multiple"),
        pytest.param({"enum": ["x", 1, None]}, "y", "'y' is not one of 'x', 1, null", id="enum"),
        pytest.param({"enum": [1]}, True, "true is not one of 1", id="enum-boolean"),
        pytest.param({"const": {"a": 1}}, {"a": 2}, '{"a": 2} is not {"a": 1}', id="const"),
        pytest.param({"minLength": 2}, "a", "'a' has 1 character; at least 2 are needed", id="min-length"),
        pytest.param({"maxLength": 2}, "abc", "'abc' has 3 characters; at most 2 are allowed", id="max-length"),
        pytest.param({"pattern": "^[a-z]+$"}, "A", "'A' does not match '^[a-z]+$'", id="pattern"),
        pytest.param({"format": "date"}, "31.12.2025", "'31.12.2025' is not a date such as 2025-12-31", id="format"),
        pytest.param({"minItems": 1}, [], "[] has 0 items; at least 1 are needed", id="min-items"),
        pytest.param({"maxItems": 1}, [1, 2], "[1, 2] has 2 items; at most 1 are allowed", id="max-items"),
        pytest.param({"minProperties": 1}, {}, "{} has 0 keys; at least 1 are needed", id="min-properties"),
        pytest.param({"uniqueItems": True}, [1, 2, 1.0], "items 0 and 2 are equal", id="unique"),
        pytest.param({"prefixItems": [{}], "items": False}, [1, 2], "has more items than are allowed", id="items"),
        pytest.param({"required": ["a", "b"]}, {"a": 1}, "'b' is required", id="required"),
        pytest.param(
            {"properties": {"amount": {}}, "additionalProperties": False},
            {"amuont": 1},
            "'amuont' is not allowed; did you mean 'amount'?",
            id="additional",
        ),
        pytest.param(
            {"properties": {"amount": {}}, "patternProperties": {"^x-": {}}, "additionalProperties": False},
            {"zzz": 1},
            "'zzz' is not allowed; allowed are 'amount', 'what matches '^x-''",
            id="additional-patterns",
        ),
        pytest.param(
            {"allOf": [_properties(a={})], "unevaluatedProperties": False},
            {"a": 1, "zz": 1},
            "'zz' is not allowed; allowed are 'a'",
            id="unevaluated",
        ),
        pytest.param(
            {"anyOf": [{"type": "string"}, {"type": "number", "minimum": 3}]},
            1,
            "1 is less than the minimum of 3",
            id="any",
        ),
        pytest.param({"oneOf": [{}, {"minimum": 3}]}, 4, "4 meets the alternatives 1, 2 at once", id="one-of"),
        pytest.param({"not": {"type": "string"}}, "x", "'x' is what is not allowed here", id="not"),
        pytest.param({"contains": {"type": "string"}}, [1], "no item of [1] is of the kind", id="contains"),
        pytest.param({"propertyNames": {"pattern": "^a"}}, {"b": 1}, "'b' does not match '^a'", id="names"),
        pytest.param({"if": {"type": "string"}, "then": {"minLength": 2}}, "a", "has 1 character", id="if"),
        pytest.param(False, 1, "nothing is allowed here", id="false"),
    ],
)
def test_a_message_says_what_was_found_and_what_is_allowed(schema: Any, value: Any, message: str) -> None:
    (found,) = errors(schema, value, "input")

    assert found.startswith("input: ")
    assert message in found


def test_a_message_begins_with_the_place() -> None:
    item = _properties(**{"name": {"type": "string"}, "a b": {"type": "string"}})
    schema = _properties(items={"type": "array", "items": item})

    found = errors(schema, {"items": [{}, {"name": 1, "a b": 2}]}, "answers")

    assert found == (
        "answers.items[1].name: 1 is not of type 'string'",
        "answers.items[1]['a b']: 2 is not of type 'string'",
    )


def test_messages_come_in_the_authors_order() -> None:
    schema = _properties(zeta={"type": "string"}, alpha={"type": "string"})

    assert [text[:7] for text in errors(schema, {"alpha": 1, "zeta": 1}, "i")] == ["i.zeta:", "i.alpha"]


@pytest.mark.parametrize(
    "value",
    ["x" * 1_000_000, ["x"] * 300_000, {f"key {n}": n for n in range(50_000)}, [["x" * 100_000]], "\x1b[31m\n"],
    ids=["text", "list", "object", "nested", "control"],
)
def test_a_message_is_short_and_printable_whatever_the_value(value: Any, soon: None) -> None:
    schema = {"type": "number", "additionalProperties": False, "maxItems": 0, "maxLength": 0, "const": value}

    found = errors(schema | {"enum": [value, 1]}, value, "input") + errors(schema, [value], "input")

    assert found
    assert all(len(text) < 300 and text.isprintable() for text in found)


def test_a_value_with_many_errors_gives_the_first_ones(soon: None) -> None:
    assert len(errors({"items": {"type": "string"}}, [1] * 300_000, "input")) == jsonschemas.MAX_ERRORS

    (error,) = validator({"anyOf": [{"items": {"type": "string"}}, {"type": "object"}]}).iter_errors([1] * 300_000)

    assert len(error.context) < 10, "an alternative's errors are not kept by the hundred thousand"


def test_validate_refuses_with_the_code_and_all_errors() -> None:
    schema = _properties(**{key: {"type": "string"} for key in "abcde"})

    with pytest.raises(Invalid) as caught:
        validate(schema, dict.fromkeys("abcde", 1), "input", "input")

    assert caught.value.code == "input"
    assert len(caught.value.details["errors"]) == 5
    assert caught.value.message.endswith("input.c: 1 is not of type 'string'; and 2 more")


def test_validate_lets_pass_what_meets_its_schema() -> None:
    validate(_properties(a={"type": "string"}), {"a": "x"}, "input", "input")


# --- numbers, formats, patterns ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 1.0),
        ({"type": "integer"}, 2**63 - 1),
        ({"multipleOf": 0.01}, 19.99),
        ({"multipleOf": 0.01}, 1e308),
        ({"multipleOf": 0.1}, 0.3),
        ({"multipleOf": 0.01}, True),
        ({"uniqueItems": True}, [1, True, "1", [1], {"a": 1}, {"a": True}, None, 0, False]),
        ({"const": 1}, 1.0),
    ],
)
def test_numbers_are_taken_as_they_are_written(schema: Any, value: Any) -> None:
    assert errors(schema, value, "input") == ()


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", "2024-02-29", "2023-02-29 20240229 2024-2-9 \uff12024-02-09"),
        ("time", "12:30:00Z 23:59:60.5+02:00 12:30:00z", "25:00:00Z 12:30:00 12:30Z 12:30:00+25:00 12:30:00+01:60"),
        (
            "date-time",
            "2024-12-31T23:59:59Z 2024-12-31t12:00:00.123456789+02:00",
            "2024-12-31 2024-12-31T12:00:00 2024-13-01T00:00:00Z 2024-12-31_12:00:00Z",
        ),
        ("duration", "P2D PT4H P1DT12H P3W", "P PT 2D P1D2H P1.5D P\u09e8Y"),
        ("email", "a@example.org", "a @b a@ a@b@c"),
        ("hostname", "example.org a-b", "-a a_b a..b"),
        ("ipv4", "127.0.0.1", "127.0.0.01 1.2.3 256.1.1.1"),
        ("ipv6", "::1 fe80::1", "::1%eth0 1.2.3.4 :::"),
        ("uri", "https://example.org/a?b=c%20d#e mailto:a@b", "/a example.org https://<x> https://x/%6G"),
        ("uuid", "12345678-1234-1234-1234-123456789abc", "12345678123412341234123456789abc"),
    ],
)
def test_formats_are_checked_without_further_packages(name: str, good: str, bad: str) -> None:
    schema = {"format": name}

    assert [text for text in good.split() if errors(schema, text, "x")] == []
    assert [text for text in bad.split() if not errors(schema, text, "x")] == []
    assert errors(schema, 12, "x") == ()


def test_a_format_that_nobody_knows_is_a_note() -> None:
    assert errors({"format": "colour"}, "x", "x") == ()


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        pytest.param("^a$", "a", "a\n", id="dollar-is-the-end"),
        pytest.param(r"^[$]\$$", "$$", "$$\n", id="dollar-in-a-class-and-escaped"),
        pytest.param(r"^[]$]$", "$", "a", id="bracket-in-a-class"),
        pytest.param(r"^\p{L}+$", "ü", "1", id="unicode"),
        pytest.param(r"^\d\w$", "1a", "\u0661a", id="ascii-digits"),
        pytest.param(r"^[\d.]+[^\w]$", "1.5ü", "\u0661.5ü", id="ascii-in-a-class"),
        pytest.param(r"^[\\d]$", "d", "1", id="backslash-in-a-class"),
        pytest.param("b", "abc", "ac", id="anywhere"),
        pytest.param("^[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{4}){1,7}$", "IT60X0542811", "IT6", id="repetitions"),
    ],
)
def test_patterns_mean_what_the_standard_says(pattern: str, good: str, bad: str) -> None:
    assert errors({"pattern": pattern}, good, "x") == ()
    assert errors({"pattern": pattern}, bad, "x") != ()


@pytest.mark.parametrize("pattern", ["^(a+)+$", SLOW, "(a*)*b", r"^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_a_pattern_never_hangs(pattern: str) -> None:
    begun = time.process_time()

    assert errors({"pattern": pattern}, "a" * 40 + "!", "x") != ()
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param({"pattern": SLOW}, SLOW_TEXT, id="pattern"),
        pytest.param({"patternProperties": {SLOW: {}}}, {SLOW_TEXT: 1}, id="pattern-properties"),
        pytest.param({"patternProperties": {SLOW: {}}, "additionalProperties": False}, {SLOW_TEXT: 1}, id="additional"),
        pytest.param(
            {"patternProperties": {SLOW: {}}, "unevaluatedProperties": False}, {SLOW_TEXT: 1}, id="unevaluated"
        ),
        pytest.param({"propertyNames": {"pattern": SLOW}}, {SLOW_TEXT: 1}, id="names"),
        pytest.param(
            {"$schema": jsonschemas.DIALECT, "pattern": SLOW, "items": {"$ref": "#"}}, [SLOW_TEXT], id="named-dialect"
        ),
    ],
)
def test_a_pattern_that_takes_too_long_is_an_error_wherever_it_is(schema: Any, value: Any) -> None:
    found = errors(schema, value, "x")

    assert found
    assert all(text.endswith(f"the pattern took too long: '{SLOW}'") for text in found)


def test_many_slow_texts_together_are_bounded(soon: None) -> None:
    found = errors({"items": {"pattern": SLOW}}, [SLOW_TEXT] * 10_000, "x")

    assert len(found) == jsonschemas.MAX_ERRORS


# --- bounds -----------------------------------------------------------------------------------------------------------

MANY = 60_000  # as objects of one key, near to the 1 MiB that a value may have


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param({"uniqueItems": True}, [{"a": n} for n in range(MANY)], id="unique-objects"),
        pytest.param({"uniqueItems": True}, [n if n % 2 else str(n) for n in range(MANY)], id="unique-mixed"),
        pytest.param(
            {"patternProperties": {"^k": {}}, "unevaluatedProperties": False},
            {f"k{n}": n for n in range(MANY)},
            id="unevaluated-properties",
        ),
        pytest.param(
            {"contains": {"type": "integer"}, "unevaluatedItems": False}, list(range(MANY)), id="unevaluated-items"
        ),
    ],
)
def test_no_keyword_is_quadratic(schema: Any, value: Any, soon: None) -> None:
    assert errors(schema, value, "x") == ()


@given(st.lists(st.recursive(st.sampled_from([0, 1, 1.0, True, False, None, "1"]), lambda inner: st.lists(inner))))
def test_unique_items_are_those_that_differ_as_json(items: list[Any]) -> None:
    def same(one: Any, other: Any) -> bool:
        if isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(map(same, one, other))
        return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)

    has_pair = any(same(one, other) for at, one in enumerate(items) for other in items[:at])

    assert bool(errors({"uniqueItems": True}, items, "x")) == has_pair


# --- schemas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        pytest.param(
            _properties(a={"minimum": "x"}), "schema.properties.a.minimum: 'x' is not of type 'number'", id="keyword"
        ),
        pytest.param({"type": "strng"}, "'strng' is not one of 'array', 'boolean'", id="type"),
        pytest.param({"pattern": "("}, "schema.pattern: the pattern '(' cannot be used: missing )", id="pattern"),
        pytest.param({"patternProperties": {"(": {}}}, "the pattern '(' cannot be used", id="pattern-property"),
        pytest.param({"pattern": "((a{999}){999}){999}"}, "parts; at most 20000 are allowed", id="pattern-bomb"),
        pytest.param({"pattern": "a" * 1_001}, "is 1001 characters long; at most 1000", id="long-pattern"),
        pytest.param({"pattern": "(" * 400 + ")" * 400}, "cannot be used: is nested too deep", id="deep-pattern"),
        pytest.param({"$ref": "#/$defs/x"}, "$ref '#/$defs/x' leads nowhere", id="reference"),
        pytest.param(_properties(a={"items": {"$ref": "#x"}}), "$ref '#x' leads nowhere", id="anchor"),
        pytest.param({"$ref": "https://example.org/s.json"}, "leads nowhere; a schema refers to its own", id="remote"),
        pytest.param({"$ref": "file:///etc/passwd"}, "leads nowhere", id="file"),
        pytest.param({"$schema": "http://json-schema.org/draft-07/schema#"}, "is understood", id="dialect"),
        pytest.param(_properties(a={"$schema": "urn:x"}), "$schema is 'urn:x'", id="inner-dialect"),
        pytest.param(7, "7 is not of type 'object', 'boolean'", id="number"),
    ],
)
def test_a_schema_that_is_none_is_refused(schema: Any, message: str) -> None:
    assert message in _refused(schema)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}])
def test_a_schema_that_refers_to_itself_without_end_is_refused_at_the_value(schema: Any) -> None:
    with pytest.raises(Invalid, match="refers to itself without end") as caught:
        errors(schema, 1, "x")

    assert caught.value.code == "schema"


def test_a_recursive_schema_follows_the_value() -> None:
    node = _properties(value={"type": "integer"}, next={"$ref": "#/$defs/node"})
    value: dict[str, Any] = {"value": "x"}
    for _ in range(60):
        value = {"value": 1, "next": value}

    (found,) = errors({"$defs": {"node": node}, "$ref": "#/$defs/node"}, value, "x")

    assert found == "x" + ".next" * 60 + ".value: 'x' is not of type 'integer'"


def test_references_are_followed_to_a_bound_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonschemas, "MAX_REFERENCES", 5)
    schema = _properties(next={"$ref": "#"})
    value: dict[str, Any] = {"next": {"next": {"next": {"next": {"next": {}}}}}}

    assert errors(schema, value, "x") == ()
    with pytest.raises(Invalid, match="nested too deep"):
        errors(schema, {"next": value}, "x")
    assert errors(schema, value, "x") == ()


def test_references_inside_the_schema_are_followed() -> None:
    schema = {
        "$defs": {"a": {"$anchor": "name", "type": "string"}, "b": {"$id": "urn:b", "$defs": {"c": {"minimum": 3}}}},
        "prefixItems": [{"$ref": "#name"}, {"$ref": "urn:b#/$defs/c"}],
    }

    assert errors(schema, [1, 2], "x") == ("x[0]: 1 is not of type 'string'", "x[1]: 2 is less than the minimum of 3")


def test_a_validator_is_made_once_for_a_schema_and_keeps_no_hold_on_it() -> None:
    schema = _properties(kept={"type": "string"})
    first = validator(schema)
    schema["properties"]["kept"]["type"] = "integer"

    assert validator(_properties(kept={"type": "string"})) is first
    assert first.is_valid({"kept": "x"})
    assert not validator(schema).is_valid({"kept": "x"})


# --- defaults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "value", "filled"),
    [
        pytest.param(_properties(a={"default": 1}), {}, {"a": 1}, id="missing"),
        pytest.param(_properties(a={"default": 1}), {"a": None}, {"a": None}, id="there"),
        pytest.param(_properties(a={}), {}, {}, id="without"),
        pytest.param(_properties(a={"default": None}), {}, {"a": None}, id="null"),
        pytest.param(_properties(a=_properties(b={"default": 1})), {"a": {}}, {"a": {"b": 1}}, id="nested"),
        pytest.param(_properties(a=_properties(b={"default": 1})), {}, {}, id="nested-missing"),
        pytest.param(
            _properties(a=_properties(b={"default": 1}) | {"default": {}}), {}, {"a": {"b": 1}}, id="default-of-default"
        ),
        pytest.param({"items": _properties(a={"default": 1})}, [{}, {"a": 2}, 3], [{"a": 1}, {"a": 2}, 3], id="items"),
        pytest.param(
            {"prefixItems": [{}], "items": _properties(a={"default": 1})}, [{}, {}], [{}, {"a": 1}], id="prefix-items"
        ),
        pytest.param(
            {"$defs": {"a/b": _properties(a={"default": 1})}, "$ref": "#/$defs/a~1b"}, {}, {"a": 1}, id="reference"
        ),
        pytest.param(
            {"$defs": {"d": {"default": 1}}, "properties": {"a": {"$ref": "#/$defs/d"}}}, {}, {"a": 1}, id="through"
        ),
        pytest.param({"allOf": [_properties(a={"default": 1})]}, {}, {"a": 1}, id="all-of"),
        pytest.param({"$ref": "#"}, {}, {}, id="loop"),
        pytest.param({"$ref": "#/nowhere"}, {}, {}, id="nowhere"),
        pytest.param(_properties(a={"default": 1}), [], [], id="other-type"),
        pytest.param(True, {"a": 1}, {"a": 1}, id="true"),
    ],
)
def test_defaults_are_filled_in(schema: Any, value: Any, filled: Any) -> None:
    assert fill_defaults(schema, value) == filled


def test_filling_changes_neither_the_value_nor_the_schema() -> None:
    schema = _properties(a={"default": {"b": []}}, c={"default": 1})
    value: dict[str, Any] = {"d": []}

    filled = fill_defaults(schema, value)
    filled["a"]["b"].append(1)
    filled["d"].append(1)

    assert value == {"d": []}
    assert schema == _properties(a={"default": {"b": []}}, c={"default": 1})


def test_defaults_without_end_are_refused() -> None:
    with pytest.raises(Invalid, match="do they never end") as caught:
        fill_defaults(_properties(a={"$ref": "#", "default": {}}), {})

    assert caught.value.code == "schema"


def test_defaults_are_bounded() -> None:
    with pytest.raises(Invalid) as caught:
        fill_defaults({"items": _properties(a={"default": "x" * 10_000})}, [{} for _ in range(1000)])

    assert caught.value.code == "too_large"


# --- loading ----------------------------------------------------------------------------------------------------------


def test_importing_the_module_loads_no_library() -> None:
    program = (
        "import sys, holdpoint.engine.jsonschemas\nprint({'jsonschema', 'regex', 'referencing'} & set(sys.modules))"
    )

    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


def test_no_network_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*args: Any, **kwargs: Any) -> None:
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)

    assert re.search("leads nowhere", _refused({"$ref": "http://127.0.0.1:9/schema"}))
