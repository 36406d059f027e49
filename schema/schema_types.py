"""From a JSON Schema to the type of the values that meet it. What is not understood says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.schema.jsonschemas import resolved
from holdpoint.schema.types import (
    ANY,
    BOOLEAN,
    KINDS,
    LIST,
    NONE,
    NOTHING,
    NUMBER,
    OBJECT,
    TEXT,
    Fields,
    Later,
    Type,
    intersection,
    list_of,
    of_kinds,
    of_value,
    once,
    union,
)

_KIND_OF: Final = {
    "null": NONE,
    "boolean": BOOLEAN,
    "number": NUMBER,
    "integer": NUMBER,
    "string": TEXT,
    "array": LIST,
    "object": OBJECT,
}
_ABOUT_OBJECTS: Final = frozenset({"properties", "required", "additionalProperties", "patternProperties"})

# Where a schema has one of these, properties that it does not name may be described elsewhere.
_MAY_NAME_MORE: Final = frozenset(
    {"if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies", "unevaluatedProperties"}
)


def _anything() -> Type:
    return ANY


def type_of_schema(schema: Json) -> Type:
    """The type of what meets a schema.

    A schema with `properties` that is silent about others is taken at its word: it has no others (as a run takes it,
    which cannot read a property that no schema names).
    """
    return _Reader(schema).read(schema)


class _Reader:
    """Reads the parts of one schema, each once."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._types: dict[int, Type] = {}
        self._open: set[int] = set()

    def read(self, schema: Json) -> Type:
        if not isinstance(schema, dict):
            return NOTHING if schema is False else ANY
        key = id(schema)
        if key in self._open:  # a reference to itself
            return ANY
        if key not in self._types:
            self._open.add(key)
            self._types[key] = self._made(schema)
            self._open.discard(key)
        return self._types[key]

    def _later(self, schema: Json) -> Later:
        return once(lambda: self.read(schema))

    def _made(self, schema: Mapping[str, Json]) -> Type:
        if "$dynamicRef" in schema or ("$id" in schema and schema is not self._root):
            return ANY
        found = ANY
        for part in self._parts(schema):
            found = intersection(found, part)
        return found

    def _parts(self, schema: Mapping[str, Json]) -> Iterator[Type]:
        yield of_kinds(*_kinds(schema))
        if "const" in schema:
            yield of_value(schema["const"])
        if isinstance(schema.get("enum"), list):
            yield union([of_value(value) for value in schema["enum"]])
        if not _ABOUT_OBJECTS.isdisjoint(schema):
            yield Type(kinds=frozenset(KINDS), objects=(self._fields(schema),))
        if "items" in schema or "prefixItems" in schema:
            yield union([of_kinds(*(kind for kind in KINDS if kind != LIST)), list_of(self._item(schema))])
        if "$ref" in schema:
            yield self.read(resolved(schema["$ref"], self._root))
        for part in schema.get("allOf", ()):
            yield self.read(part)
        for word in ("anyOf", "oneOf"):
            if schema.get(word):
                yield union([self.read(part) for part in schema[word]])

    def _fields(self, schema: Mapping[str, Json]) -> Fields:
        properties, required = schema.get("properties", {}), schema.get("required", ())
        others = self._others(schema)
        unnamed = {name: others or _anything for name in required if name not in properties}
        return Fields(
            named={**{name: self._later(part) for name, part in properties.items()}, **unnamed},
            required=frozenset(required),
            others=others,
            is_listed="properties" in schema,
        )

    def _others(self, schema: Mapping[str, Json]) -> Later | None:
        if "patternProperties" in schema:
            return _anything
        if "additionalProperties" in schema:
            return self._later(schema["additionalProperties"])
        if schema.get("unevaluatedProperties") is False:
            schema = {word: part for word, part in schema.items() if word != "unevaluatedProperties"}
        return None if _MAY_NAME_MORE.isdisjoint(schema) else _anything

    def _item(self, schema: Mapping[str, Json]) -> Later:
        parts = [*schema.get("prefixItems", ()), schema.get("items", True)]
        return once(lambda: union([self.read(part) for part in parts]))


def _kinds(schema: Mapping[str, Json]) -> Iterator[str]:
    said = schema.get("type", [*_KIND_OF])
    for name in said if isinstance(said, list) else [said]:
        yield _KIND_OF[name]
