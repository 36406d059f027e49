"""Made-up values that meet JSON Schemas: the typical and the extreme ones in order.

It costs nothing to import, its first value is the plainest, and the values that a workflow's conditions compare with
can be put in. What hypothesis draws, for exploring at random, is another thing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Final

from holdpoint.engine import jsonschemas
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid

TEXT: Final = "some text"
MOMENTS: Final = ("2026-01-07T09:00:00Z", "2026-01-09T09:00:00Z", "2026-01-01T09:00:00Z")
"""Times for `date-time`: two after the start of scenarios, and one before it."""

_FORMATS: Final[Mapping[str, Sequence[str]]] = {
    "date-time": MOMENTS,
    "date": ("2026-01-07",),
    "time": ("09:00:00Z",),
    "email": ("ann@example.org",),
    "uri": ("https://example.org",),
    "uuid": ("00000000-0000-4000-8000-000000000000",),
}
MAX_SAMPLES: Final = 8
_MOMENT_LIKE: Final = "2026-01-07T09:00:00Z"
_ANY: Final[Mapping[str, Json]] = {}

Hints = Mapping[str, Sequence[Json]]
"""By the name of a property, values that somebody compares it with."""


def samples(schema: Json, hints: Hints = _ANY, name: str = "", limit: int = MAX_SAMPLES) -> list[Json]:
    """Different values that meet a schema, the plainest first: at most *limit*; none where none was found."""
    found: dict[str, Json] = {}
    for value in _candidates(schema, hints, name):
        text = json.dumps(value, sort_keys=True)
        if text not in found and is_met(schema, value):
            found[text] = value
            if len(found) == limit:
                break
    return list(found.values())


def is_met(schema: Json, value: Json) -> bool:
    """Whether a value meets a schema."""
    try:
        jsonschemas.validate(schema, value, "value", "sample")
    except Invalid:
        return False
    return True


def properties_of(schema: Mapping[str, Json]) -> dict[str, Json]:
    """The schemas of an object's members; of one that is only required, one that takes anything."""
    return {**{name: {} for name in schema.get("required", [])}, **schema.get("properties", {})}


def _candidates(schema: Json, hints: Hints, name: str) -> Iterator[Json]:
    """Values that may meet a schema; `samples` looks whether they do."""
    if not isinstance(schema, dict):
        yield TEXT
        return
    if "const" in schema:
        yield schema["const"]
        return
    if "enum" in schema:
        yield from schema["enum"]
        return
    if "default" in schema:
        yield schema["default"]
    yield from schema.get("examples", ())
    for word in ("anyOf", "oneOf"):
        for part in schema.get(word, ()):
            yield from _candidates({**schema, **part, word: ()}, hints, name)
    kinds = schema.get("type", "object" if "properties" in schema or "required" in schema else "any")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        yield from _KINDS[kind](schema, hints, name)


def _objects(schema: Mapping[str, Json], hints: Hints, name: str) -> Iterator[Json]:
    """The required members alone, then one member after the other with another value or for the first time."""
    choices = {key: samples(part, hints, key) for key, part in properties_of(schema).items()}
    required = schema.get("required", [])
    plain = {key: choices[key][0] for key in choices if key in required and choices[key]}
    yield plain
    for key, values in choices.items():
        yield from ({**plain, key: value} for value in (values[1:] if key in plain else values))
    yield {key: values[0] for key, values in choices.items() if values}
    yield {key: values[-1] for key, values in choices.items() if values}


def _arrays(schema: Mapping[str, Json], hints: Hints, name: str) -> Iterator[Json]:
    items = samples(schema.get("items", {}), hints, name)
    yield items[:1]
    yield from hints.get(name, ())
    yield []
    yield items[:2]
    least = schema.get("minItems", 0)
    yield (items * least)[:least]


def _numbers(schema: Mapping[str, Json], hints: Hints, name: str) -> Iterator[Json]:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    yield from (value for value in (low, None if above is None else above + 1, 1, 0) if value is not None)
    for value in hints.get(name, ()):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield from (value + 1, value, value - 1)
    yield from (value for value in (high, None if below is None else below - 1) if value is not None)
    if schema.get("type") != "integer" and above is not None:
        yield above + 0.01
    if "multipleOf" in schema:
        yield from (schema["multipleOf"] * count for count in (1, 2, (low or above or 0) // schema["multipleOf"] + 1))
    if low is not None and high is not None:
        yield (low + high) / 2


def _strings(schema: Mapping[str, Json], hints: Hints, name: str) -> Iterator[Json]:
    texts = [value for value in hints.get(name, ()) if isinstance(value, str)]
    yield from _FORMATS.get(schema.get("format", ""), ())
    yield from texts
    yield from _texts(schema)


def _texts(schema: Mapping[str, Json]) -> Iterator[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 10_000)
    if "pattern" in schema:
        text = matching(schema["pattern"])
        yield from (_MOMENT_LIKE, text) if is_met(schema, _MOMENT_LIKE) else (text,)
    yield TEXT[:most].ljust(least, "x")
    yield "other text"[:most].ljust(least, "x")


def _booleans(schema: Mapping[str, Json], hints: Hints, name: str) -> Iterator[Json]:
    yield from (True, False)


def _nulls(schema: Mapping[str, Json], hints: Hints, name: str) -> Iterator[Json]:
    yield None


def _anything(schema: Mapping[str, Json], hints: Hints, name: str) -> Iterator[Json]:
    yield from hints.get(name, ())
    yield TEXT
    yield "other text"


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Json], Hints, str], Iterator[Json]]]] = {
    "object": _objects,
    "array": _arrays,
    "number": _numbers,
    "integer": _numbers,
    "string": _strings,
    "boolean": _booleans,
    "null": _nulls,
    "any": _anything,
}


def matching(pattern: str) -> str:
    """A short text that a regular expression matches, as far as it is of the plain kind; else some other text."""
    parser: Any = import_module("re._parser")  # the standard library's; it has no types
    try:
        return "".join(map(_piece, parser.parse(pattern)))
    except (_Unknown, re.error, ValueError):
        return TEXT


class _Unknown(Exception):
    """A part of a regular expression for which no text is made up."""


def _piece(part: tuple[Any, Any]) -> str:
    name, value = str(part[0]), part[1]
    if name == "LITERAL":
        return chr(value)
    if name == "ANY":
        return "x"
    if name == "AT":
        return ""
    if name == "IN":
        return _one_of(value)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, inner = value
        times: int = min(max(least, 1), most)
        return "".join(map(_piece, inner)) * times
    if name == "SUBPATTERN":
        return "".join(map(_piece, value[-1]))
    if name == "BRANCH":
        return "".join(map(_piece, value[1][0]))
    raise _Unknown(name)


def _one_of(members: Sequence[tuple[Any, Any]]) -> str:
    name, value = str(members[0][0]), members[0][1]
    if name == "LITERAL":
        return str(chr(value))
    if name == "RANGE":
        return chr(min(value[0] + 1, value[1]))
    if name == "CATEGORY":
        return {"CATEGORY_DIGIT": "1", "CATEGORY_WORD": "a", "CATEGORY_SPACE": " "}.get(str(value), "x")
    if name == "NEGATE":
        taken = {chr(other[1]) for other in members[1:] if str(other[0]) == "LITERAL"}
        return next(letter for letter in "xyz0" if letter not in taken)
    raise _Unknown(name)
