"""The keywords of JSON Schema that the schema of the language uses, and no others: what a value violates of them.

`jsonschema` says the same (a test compares), after 50 ms to load it and five times the time for each state: it knows
nothing of this schema. Here references are names of definitions, and of the `allOf` of a state only the branch of its
type is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.schema.nodes import Path

Schema: TypeAlias = Mapping[str, Json]
DEFINITIONS: Final = "#/$defs/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A keyword that a value does not meet; the names are those of an error of `jsonschema`.

    *is_about_key* says that the instance is the key of a mapping at the path, and not the mapping.
    """

    absolute_path: Path
    validator: str
    validator_value: Json
    instance: Json
    schema: Schema
    is_about_key: bool


def _violated(keyword: str, argument: Json, value: Json, schema: Schema, path: Path, is_key: bool) -> Violation:
    return Violation(
        absolute_path=path,
        validator=keyword,
        validator_value=argument,
        instance=value,
        schema=schema,
        is_about_key=is_key,
    )


def violations(value: Json, schema: Schema) -> Iterator[Violation]:
    """What a value violates of a schema, in the order of the schema's keywords."""
    return _Checker(schema).check(value, schema, ())


class _Checker:
    """Holds a schema whose definitions are referred to."""

    def __init__(self, root: Schema) -> None:
        self._definitions = root.get("$defs", {})

    def check(self, value: Json, schema: Schema, path: Path, is_key: bool = False) -> Iterator[Violation]:
        for keyword, argument in schema.items():
            if keyword in _HOLDS:
                if not _HOLDS[keyword](value, argument):
                    yield _violated(keyword, argument, value, schema, path, is_key)
            elif keyword in _BELOW:
                yield from _BELOW[keyword](self, value, argument, schema, path, is_key)

    def _is_valid(self, value: Json, schema: Schema) -> bool:
        return next(self.check(value, schema, ()), None) is None

    def _refer(self, value: Json, reference: str, schema: Schema, path: Path, is_key: bool) -> Iterator[Violation]:
        return self.check(value, self._definitions[reference.removeprefix(DEFINITIONS)], path, is_key)

    def _properties(
        self, value: Json, properties: Mapping[str, Schema], schema: Schema, path: Path, is_key: bool
    ) -> Iterator[Violation]:
        if isinstance(value, dict):
            for name, part in properties.items():
                if name in value:
                    yield from self.check(value[name], part, (*path, name))

    def _additional(self, value: Json, others: Json, schema: Schema, path: Path, is_key: bool) -> Iterator[Violation]:
        if not isinstance(value, dict):
            return
        known = schema.get("properties", {})
        extra = [key for key in value if key not in known]
        if isinstance(others, dict):
            for key in extra:
                yield from self.check(value[key], others, (*path, key))
        elif extra and not others:
            yield _violated("additionalProperties", others, value, schema, path, is_key)

    def _property_names(
        self, value: Json, names: Schema, schema: Schema, path: Path, is_key: bool
    ) -> Iterator[Violation]:
        if isinstance(value, dict):
            for key in value:
                yield from self.check(key, names, path, is_key=True)

    def _items(self, value: Json, items: Schema, schema: Schema, path: Path, is_key: bool) -> Iterator[Violation]:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.check(item, items, (*path, index))

    def _if(self, value: Json, condition: Schema, schema: Schema, path: Path, is_key: bool) -> Iterator[Violation]:
        if self._is_valid(value, condition):
            yield from self.check(value, schema.get("then", {}), path, is_key)

    def _all_of(
        self, value: Json, branches: list[Schema], schema: Schema, path: Path, is_key: bool
    ) -> Iterator[Violation]:
        for branch in branches:
            kind = branch.get("if", {}).get("properties", {}).get("type", {}).get("const")
            if kind is None or (isinstance(value, dict) and value.get("type") == kind):
                yield from self.check(value, branch, path, is_key)

    def _not(self, value: Json, part: Schema, schema: Schema, path: Path, is_key: bool) -> Iterator[Violation]:
        if self._is_valid(value, part):
            yield _violated("not", part, value, schema, path, is_key)

    def _one_of(
        self, value: Json, parts: list[Schema], schema: Schema, path: Path, is_key: bool
    ) -> Iterator[Violation]:
        if sum(self._is_valid(value, part) for part in parts) != 1:
            yield _violated("oneOf", parts, value, schema, path, is_key)


_BELOW: Final[Mapping[str, Callable[..., Iterator[Violation]]]] = {
    "$ref": _Checker._refer,
    "properties": _Checker._properties,
    "additionalProperties": _Checker._additional,
    "propertyNames": _Checker._property_names,
    "items": _Checker._items,
    "if": _Checker._if,
    "allOf": _Checker._all_of,
    "not": _Checker._not,
    "oneOf": _Checker._one_of,
}


def _is_of_type(value: Json, wanted: str | list[str]) -> bool:
    return _is_one(value, wanted) if isinstance(wanted, str) else any(_is_one(value, kind) for kind in wanted)


def _is_one(value: Json, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, _TYPES[kind])


_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "null": type(None),
    "boolean": bool,
}


def _is_among(value: Json, words: list[Json]) -> bool:
    return any(value == word and isinstance(value, bool) == isinstance(word, bool) for word in words)


@lru_cache(maxsize=4096)  # a workflow says the same few names again and again
def _matches(text: str, pattern: str) -> bool:
    """Unlike in Python, `$` is not before a last line break."""
    return not text.endswith("\n") and re.search(pattern, text) is not None


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_HOLDS: Final[Mapping[str, Callable[[Json, Json], bool]]] = {
    "type": _is_of_type,
    "enum": _is_among,
    "const": lambda value, word: _is_among(value, [word]),
    "pattern": lambda value, pattern: not isinstance(value, str) or _matches(value, pattern),
    "required": lambda value, keys: not isinstance(value, dict) or all(key in value for key in keys),
    "minLength": lambda value, least: not isinstance(value, str) or len(value) >= least,
    "minItems": lambda value, least: not isinstance(value, list) or len(value) >= least,
    "minProperties": lambda value, least: not isinstance(value, dict) or len(value) >= least,
    "minimum": lambda value, least: not _is_number(value) or value >= least,
    "maximum": lambda value, most: not _is_number(value) or value <= most,
    "uniqueItems": lambda value, is_asked: not is_asked or not isinstance(value, list) or _are_unique(value),
}


def _are_unique(items: list[Json]) -> bool:
    return all(not _is_among(item, items[:index]) for index, item in enumerate(items))


KEYWORDS: Final = frozenset({*_HOLDS, *_BELOW, "then"})
"""What is checked here. Other keywords of the schema must be words for people."""
