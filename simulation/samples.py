"""Values made from a JSON Schema, for what nobody gave: plain ones, the bounds and each word of an enumeration."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from holdpoint.engine import jsonschemas
from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.errors import Invalid

_PLAIN: dict[str, Json] = {
    "string": "text",
    "boolean": True,
    "null": None,
    "integer": 1,
    "number": 1,
    "array": [],
    "object": {},
}
_MAX = 8


def sample(schema: Json, what: str) -> Json:
    """One value that meets a schema. Raises `Invalid` where none is found."""
    return samples(schema, what, 1)[0]


def samples(schema: Json, what: str, count: int = _MAX) -> list[Json]:
    """At most *count* different values that meet a schema, at least one. Raises `Invalid` where none is found."""
    found: dict[str, Json] = {}
    for value in islice(_values(schema), 200):
        if len(found) < count and _meets(schema, value):
            found.setdefault(canonical(value), value)
    if not found:
        raise Invalid(f"no value could be made for the {what}; give one in the configuration", code="simulation")
    return list(found.values())


def _meets(schema: Json, value: Json) -> bool:
    try:
        jsonschemas.validate(schema, value, "value", "value")
    except Invalid:
        return False
    return True


def _values(schema: Json) -> Iterator[Json]:
    """Values that probably meet a schema, the plainest first."""
    if not isinstance(schema, dict):
        yield {}
        return
    if "const" in schema:
        yield schema["const"]
        return
    if "enum" in schema:
        yield from schema["enum"]
        return
    for key in ("default", "examples"):
        if key in schema:
            yield from schema[key] if key == "examples" else [schema[key]]
    for way in ("anyOf", "oneOf"):
        for part in schema.get(way, ()):
            yield from _values({**{key: item for key, item in schema.items() if key != way}, **part})
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        yield from _of_kind(kind, schema)


def _of_kind(kind: str, schema: dict[str, Any]) -> Iterator[Json]:
    if kind == "object":
        yield from _objects(schema)
    elif kind == "array":
        item = next(_values(schema.get("items", {})), None)
        yield [item] * int(schema.get("minItems", 1))
        yield []
    elif kind == "string":
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        yield ("text" * (least // 4 + 1))[: max(least, 4) if most is None else max(least, min(4, int(most)))]
        yield from _FORMATS.get(schema.get("format", ""), ())
        yield from _TEXTS if "pattern" in schema else ()
    elif kind in ("integer", "number"):
        yield from _numbers(schema)
    else:
        yield _PLAIN.get(kind)
        if kind == "boolean":
            yield False


def _numbers(schema: dict[str, Any]) -> Iterator[Json]:
    step = schema.get("multipleOf", 1)
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None and high is None:
        yield step
    for bound, sign in ((low, 1), (high, -1)):
        if bound is not None:
            yield bound
            yield bound + sign * step
    if low is not None and high is not None:
        yield (low + high) / 2


def _objects(schema: dict[str, Any]) -> Iterator[Json]:
    properties = schema.get("properties", {})
    names = {*schema.get("required", ()), *properties}
    ways = {name: list(islice(_values(properties.get(name, {})), 12)) or [None] for name in sorted(names)}
    plain = {
        name: next((value for value in found if _meets(properties.get(name, {}), value)), found[0])
        for name, found in ways.items()
    }
    yield plain
    for name, found in ways.items():
        for value in found:
            yield {**plain, name: value}
    yield {name: value for name, value in plain.items() if name in schema.get("required", ())}


_TEXTS = ("1", "a", "A", "1.0", "1.0.0", "abc", "ABC", "A1", "a1", "AB-1", "ab-1", "123", "1234", "12345", "2026-01-05")
_FORMATS = {
    "date": ("2026-01-05",),
    "date-time": ("2026-01-05T09:00:00Z",),
    "time": ("09:00:00Z",),
    "email": ("ann@example.org",),
    "uri": ("https://example.org",),
    "uuid": ("00000000-0000-4000-8000-000000000000",),
}
