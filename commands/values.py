"""Values from the command line: `KEY=VALUE` pairs, and files of JSON, YAML or text (spec 4)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from holdpoint import sources
from holdpoint.engine.canonical import Json, parse_json
from holdpoint.engine.errors import Invalid, NotFound, UsageError, did_you_mean

STDIN = "-"
_YAML = (".yaml", ".yml")
_KINDS: dict[type, frozenset[str]] = {
    type(None): frozenset({"null"}),
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "number"}),
    float: frozenset({"number"}),
    str: frozenset({"string"}),
    list: frozenset({"array"}),
    dict: frozenset({"object"}),
}


def read_bytes(name: str) -> bytes:
    """What a file holds, or standard input for `-`. Raises `NotFound`."""
    if name == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise NotFound(f"file {name!r} cannot be read: {why}", details={"file": name}) from None


def read_text(name: str) -> str:
    """The text that a file holds, byte for byte. Raises `NotFound`, or `Invalid` where it is not UTF-8."""
    try:
        return read_bytes(name).decode()
    except UnicodeDecodeError as error:
        raise Invalid(
            f"{_called(name)} is not UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}",
            code="not_utf8",
            details={"file": name, "byte": error.start},
        ) from None


def read_value(name: str) -> Json:
    """The value that a file holds: YAML by its ending, else JSON. Raises `NotFound` and `Invalid`."""
    data = read_bytes(name)
    return sources.read_yaml(data, name) if name.endswith(_YAML) else parse_json(data, _called(name))


def read_object(
    name: str | None, pairs: Sequence[str], schema: Json, what: str, *, is_free: bool = False
) -> Json | None:
    """The value of a file, with `KEY=VALUE` pairs laid over it; None where neither is given.

    *schema* says what a pair's text means and which keys there are; *is_free* allows all. *what* names the value.
    """
    if name is None and not pairs:
        return None
    value = {} if name is None else read_value(name)
    if not pairs:
        return value
    if not isinstance(value, dict):
        raise Invalid(
            f"{what} from {_called(name or STDIN)} is not an object, so {pairs[0]!r} cannot be set in it", code=what
        )
    return {**value, **dict(_pairs(pairs, schema, what, is_free))}


def _called(name: str) -> str:
    return "standard input" if name == STDIN else f"file {name!r}"


def _pairs(pairs: Sequence[str], schema: Json, what: str, is_free: bool) -> Iterator[tuple[str, Json]]:
    seen: set[str] = set()
    for pair in pairs:
        key, is_pair, text = pair.partition("=")
        if not is_pair or not key:
            raise UsageError(f"{pair!r} is not KEY=VALUE")
        if key in seen:
            raise UsageError(f"{key!r} is given twice")
        seen.add(key)
        named = _schema_of(key, schema, schema)
        if named is None and not is_free:
            raise _unknown(key, schema, what)
        yield key, _meant(read_text(text[1:]) if text.startswith("@") else text, named, schema)


def _unknown(key: str, schema: Json, what: str) -> Invalid:
    known = list(properties(schema, schema))
    hint = did_you_mean(key, known) or (f"it has {', '.join(known)}" if known else "it has none")
    return Invalid(f"{what} has no key {key!r}; {hint}", code=what, details={"key": key, "keys": known})


def _meant(text: str, schema: Json, root: Json) -> Json:
    """A text where the schema says `string`; else JSON, where it parses as strict JSON; else a text."""
    kinds = _kinds(schema, root, 0)
    if kinds == {"string"}:
        return text
    try:
        value = parse_json(text, "value")
    except Invalid:
        return text
    return text if "string" in kinds and _KINDS[type(value)].isdisjoint(kinds) else value


def _kinds(schema: Json, root: Json, depth: int) -> set[str]:
    """The JSON types that a schema allows, as far as it says; nothing where it does not."""
    schema = resolved(schema, root)
    if not isinstance(schema, dict) or depth > 8:
        return set()
    if "type" in schema:
        kinds = schema["type"]
        return {kinds} if isinstance(kinds, str) else set(kinds)
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    if values:
        return set().union(*(_KINDS[type(value)] for value in values))
    for key in ("anyOf", "oneOf", "allOf"):
        found = [_kinds(part, root, depth + 1) for part in schema.get(key, ())]
        if any(found):
            return set().union(*found)
    return set()


def _schema_of(key: str, schema: Json, root: Json, depth: int = 0) -> Json:
    """The schema of an object's key; None where the schema has no such key."""
    schema = resolved(schema, root)
    if not isinstance(schema, dict) or depth > 8:
        return None
    properties = schema.get("properties", {})
    if key in properties:
        return properties[key]
    for part in schema.get("allOf", ()):
        found = _schema_of(key, part, root, depth + 1)
        if found is not None:
            return found
    extra = schema.get("additionalProperties", False)
    # Whether a pattern fits is for the engine, which bounds the time that it takes.
    return extra if extra is not False else True if schema.get("patternProperties") else None


def properties(schema: Json, root: Json) -> dict[str, Json]:
    """The keys that an object's schema names, each with its own."""
    schema = resolved(schema, root)
    if not isinstance(schema, dict):
        return {}
    found: dict[str, Json] = dict(schema.get("properties", {}))
    for part in schema.get("allOf", ()):
        found |= properties(part, root)
    return found


def required(schema: Json, root: Json) -> tuple[str, ...]:
    """The keys that must be given: those that are required, and have no default to be filled in."""
    schema = resolved(schema, root)
    if not isinstance(schema, dict):
        return ()
    own = properties(schema, root)
    names = [key for key in schema.get("required", ()) if "default" not in (resolved(own.get(key), root) or {})]
    for part in schema.get("allOf", ()):
        names += required(part, root)
    return tuple(dict.fromkeys(names))


def resolved(schema: Json, root: Json) -> Json:
    """A schema with its local references followed."""
    for _ in range(16):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#"):
            return schema
        schema = root
        for step in filter(None, reference[1:].split("/")):
            schema = schema.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(schema, dict) else None
    return None
