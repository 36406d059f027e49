"""Properties of the types of expressions, on random schemas, the values that meet them, and random expressions.

A problem that is found is one for every value. What is not found may still fail, but for a small language of closed
objects whose properties are all required, it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from holdpoint.engine.canonical import Json
from holdpoint.engine.expressions import ExpressionError, ExpressionSyntaxError, Scope, parse_expression
from holdpoint.engine.expressions import filters as engine
from holdpoint.engine.expressions.evaluate import _SPECIAL_FILTERS, _SPECIAL_TESTS, compiled
from holdpoint.engine.expressions.operators import type_name
from holdpoint.engine.expressions.parse import Compare, Node
from holdpoint.engine.expressions.scope import Run
from holdpoint.engine.jsonschemas import errors
from holdpoint.schema import signatures
from holdpoint.schema.infer import Problem, infer
from holdpoint.schema.schema_types import type_of_schema
from holdpoint.schema.types import ANY, LIST, OBJECT, Fields, Type

MANY = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = ("a", "b", "c")
SCALARS: Any = st.sampled_from([None, True, False, 0, 1, 2.5, -3, "", "a", "b", "10", "2026-01-02T03:04:05Z"])
KINDS = ("null", "boolean", "number", "integer", "string")


def objects(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.builds(
        lambda properties, required, others: {
            "type": "object",
            "properties": properties,
            "required": [name for name in required if name in properties],
            **others,
        },
        st.dictionaries(st.sampled_from(NAMES), inner, min_size=1),
        st.lists(st.sampled_from(NAMES), unique=True),
        st.sampled_from([{}, {}, {"additionalProperties": False}, {"additionalProperties": {"type": "string"}}]),
    )


SCHEMAS: Any = st.recursive(
    st.sampled_from([{"type": kind} for kind in KINDS])
    | st.lists(st.sampled_from(KINDS), min_size=1, max_size=2, unique=True).map(lambda kinds: {"type": kinds})
    | st.lists(SCALARS, min_size=1, max_size=3).map(lambda values: {"enum": values})
    | SCALARS.map(lambda value: {"const": value})
    | st.just({}),
    lambda inner: st.one_of(
        objects(inner),
        inner.map(lambda item: {"type": "array", "items": item}),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"anyOf": parts}),
        st.lists(objects(inner), min_size=2, max_size=2).map(lambda parts: {"allOf": parts}),
    ),
    max_leaves=6,
)
INPUTS = st.fixed_dictionaries(dict.fromkeys(NAMES, SCHEMAS)).map(
    lambda properties: {"type": "object", "required": [*NAMES], "properties": properties}
)


@st.composite
def values(draw: Any, schema: Json) -> Json:
    """A value that is meant to meet a schema."""
    if "enum" in schema or "const" in schema:
        return draw(st.sampled_from(schema.get("enum", [schema.get("const")])))
    if "anyOf" in schema:
        return draw(values(draw(st.sampled_from(schema["anyOf"]))))
    if "allOf" in schema:
        return {key: item for part in schema["allOf"] for key, item in draw(values(part)).items()}
    kinds = schema.get("type", [*KINDS, "array"])
    kind = draw(st.sampled_from(kinds)) if isinstance(kinds, list) else kinds
    if kind == "array":
        return draw(st.lists(values(schema.get("items", {"type": "string"})), max_size=2))
    if kind == "object":
        names = schema["properties"]
        kept = [name for name in names if name in schema["required"] or draw(st.booleans())]
        more = {"z": draw(SCALARS)} if "additionalProperties" not in schema and draw(st.booleans()) else {}
        return {name: draw(values(names[name])) for name in kept} | more
    return draw(SCALARS.filter(lambda value: not errors({"type": kind}, value, "value")))


LITERALS = st.sampled_from(["1", "-2", "2.5", "'a'", "'b'", "'10'", "''", "true", "false", "none", "[]", "['a', 1]"])
STEPS = st.sampled_from([".a", ".b", ".c", "[0]", "['a']", ".z"])
PATHS = st.builds(
    lambda name, steps: f"input.{name}{''.join(steps)}", st.sampled_from(NAMES), st.lists(STEPS, max_size=2)
)
BINARY = ("+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or")
FILTERS = (
    *("abs", "round", "int", "int(0)", "float('x')", "lower", "title", "trim", "replace('a', 'b')", "split", "string"),
    *("tojson", "length", "first", "last", "max", "min", "sum", "join", "join(', ')", "list", "items", "dictsort"),
    *("sort", "reverse", "unique", "add('2d')", "local", "default(1)", "default('x', true)", "map('upper')"),
    *("map(attribute='a')", "map(attribute='a', default=1)", "select", "reject('none')", "selectattr('a')", "join(1)"),
    *("map('length')", "sort(attribute='a')", "selectattr('a', 'eq', 'b')", "round('x')", "sum('a')"),
)
TESTS = (
    *("none", "not none", "string", "odd", "divisibleby 2", "lower", "startingwith 'a'", "in ['a', 1]", "defined"),
    *("eq 1", "not eq 'a'", "gt 'a'", "iterable", "mapping", "divisibleby 'a'"),
)


def combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from(BINARY), inner),
        st.builds("{} {} {}".format, PATHS, st.sampled_from(["==", "!=", "in", "not in"]), LITERALS),
        st.builds("({}) {} ({}) {} ({})".format, inner, st.sampled_from("+-<>"), inner, st.sampled_from("+-<>"), inner),
        st.builds("({}) | {}".format, inner, st.sampled_from(FILTERS)),
        st.builds("({}) is {}".format, inner, st.sampled_from(TESTS)),
        st.builds("{}({})".format, st.sampled_from(["not ", "-", "+"]), inner),
        st.builds("({}) if ({}) else ({})".format, inner, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{'a': {}, 'b': {}}}".format, inner, inner),
        st.builds("({}){}".format, inner, STEPS),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("({})[{}:]".format, inner, inner),
    )


EXPRESSIONS = st.recursive(PATHS | LITERALS, combined, max_leaves=6)


def scope_of(schema: Json, value: Json) -> Scope:
    return Scope({"input": value}, {"input": schema})


def evaluated(node: Node, scope: Scope) -> Json:
    return compiled(node)(Run(scope, 0))


def belongs(value: Json, found: Type) -> bool:
    """Whether a value is one of those that a type allows."""
    kind = type_name(value)
    if kind not in found.kinds:
        return False
    if kind == LIST:
        return all(belongs(item, found.items) for item in value)
    if kind == OBJECT:
        return not found.objects or any(has_form(value, form) for form in found.objects)
    return value in found.values.get(kind, (value,))


def has_form(value: Json, form: Fields) -> bool:
    return form.required <= value.keys() and all(
        name in value and belongs(value[name], make()) for name, make in form.named.items() if name in value
    )


def holds(problem: Problem, scope: Scope) -> bool:
    """Whether what a problem says is so: the operation fails, or the comparison has its one answer."""
    try:
        found = evaluated(problem.node, scope)
    except ExpressionError:
        return True
    is_equality = isinstance(problem.node, Compare) and problem.node.rest[0][0] in ("==", "!=", "in", "not in")
    return is_equality and found is (problem.node.rest[0][0] in ("!=", "not in"))  # type: ignore[union-attr]


@MANY
@given(schema=INPUTS, text=EXPRESSIONS, data=st.data())
def test_problem_is_one_for_every_value_and_every_value_is_of_the_type(
    schema: Json, text: str, data: st.DataObject
) -> None:
    value = data.draw(values(schema))
    assume(not errors(schema, value, "value"))
    try:
        tree = parse_expression(text).root
    except ExpressionSyntaxError:
        assume(False)
    scope = scope_of(schema, value)

    found, problems = infer(tree, {"input": type_of_schema(schema)})

    for problem in problems:
        if problem.code != "HP242":  # a name that no schema has is refused by rule
            assert holds(problem, scope), problem
    try:
        given = evaluated(tree, scope)
    except ExpressionError:
        return
    if not any(problem.code == "HP242" for problem in problems):
        assert belongs(given, found)


CLOSED: Any = st.recursive(
    st.sampled_from([{"type": kind} for kind in KINDS if kind != "null"]) | st.just({"enum": ["a", "b"]}),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, min_size=1).map(
        lambda properties: {"type": "object", "required": [*properties], "properties": properties}
    ),
    max_leaves=4,
)
PLAIN_PATHS = st.builds(
    lambda name, steps: f"input.{name}{''.join(steps)}",
    st.sampled_from(NAMES),
    st.lists(st.sampled_from([".a", ".b", ".c"]), max_size=2),
)
PLAIN = st.recursive(
    PLAIN_PATHS | st.sampled_from(["1", "2.5", "'a'", "'b'", "true"]),
    lambda inner: st.one_of(
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["+", "-", "*", "~", "==", "<", "in", "and"]), inner),
        st.builds("({}) | {}".format, inner, st.sampled_from(["abs", "upper", "trim", "length", "string", "tojson"])),
        st.builds("({}) is {}".format, inner, st.sampled_from(["none", "string", "lower", "gt 1", "eq 'a'"])),
        st.builds("not ({})".format, inner),
        st.builds("({}) if ({}) else ({})".format, inner, inner, inner),
        st.builds("{{'a': {}}}".format, inner),
    ),
    max_leaves=5,
)


def nodes_of(node: object) -> Iterator[Node]:
    if isinstance(node, tuple):
        for part in node:
            yield from nodes_of(part)
    elif is_dataclass(node):
        yield node  # type: ignore[misc]
        for field in fields(node):
            yield from nodes_of(getattr(node, field.name))


@MANY
@given(
    schema=st.fixed_dictionaries(dict.fromkeys(NAMES, CLOSED)).map(
        lambda properties: {"type": "object", "required": [*NAMES], "properties": properties}
    ),
    text=PLAIN,
    data=st.data(),
)
def test_expression_whose_parts_are_each_of_one_kind_never_fails_once_it_is_clean(
    schema: Json, text: str, data: st.DataObject
) -> None:
    names = {"input": type_of_schema(schema)}
    tree = parse_expression(text).root
    found, problems = infer(tree, names)
    assume(not problems)
    assume(all(len(infer(node, names)[0].kinds) == 1 for node in nodes_of(tree)))
    value = data.draw(values(schema))

    assert belongs(evaluated(tree, scope_of(schema, value)), found)


def test_schema_that_is_nothing_but_itself_says_nothing() -> None:
    schema = {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "string"}]}}}

    assert type_of_schema(schema).kinds == ANY.kinds


@pytest.mark.parametrize(
    ("ours", "theirs", "special"),
    [
        pytest.param(signatures.FILTERS, engine.FILTERS, set(_SPECIAL_FILTERS), id="filters"),
        pytest.param({**signatures.TESTS, **signatures.COMPARISONS}, engine.TESTS, _SPECIAL_TESTS, id="tests"),
    ],
)
def test_every_filter_and_test_has_a_signature_and_its_arguments_are_the_engine_s(
    ours: dict[str, Any], theirs: dict[str, engine.Builtin], special: set[str]
) -> None:
    assert set(ours) == {*theirs, *special}
    for name, builtin in theirs.items():
        if isinstance(ours[name], signatures.Signature):
            assert set(ours[name].arguments) <= set(builtin.parameters)
