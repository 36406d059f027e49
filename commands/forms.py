"""A form as people read it: its keys, what each may be, and what it is about; the JSON Schema is in `--json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from holdpoint.commands.output import say, say_all
from holdpoint.commands.values import properties, required, resolved
from holdpoint.engine.canonical import Json

_MAX_DEPTH: Final = 4
_MAX_LISTED: Final = 20
_CHARACTERS: Final = ("minLength", "maxLength", "character")
_ITEMS: Final = ("minItems", "maxItems", "item")

# What a list of keys cannot say; a form that has one of these says where to look.
_CONDITIONS: Final = frozenset(
    {
        *("if", "not", "anyOf", "oneOf", "dependentRequired", "dependentSchemas", "patternProperties", "propertyNames"),
        *("minProperties", "maxProperties", "unevaluatedProperties"),
    }
)


def print_form(title: str, schema: Json, request: str) -> None:
    """Print a form with the keys that `flow decide -a KEY=VALUE` takes; *request* is where its JSON Schema is."""
    say((f"  {title}", "dim"))
    lines = list(form_lines(schema))
    for line in lines or ["no keys"]:
        say_all(line, "    ")
    if _has_conditions(schema):
        say(f"    and conditions on these: flow show {request} --json")


def form_lines(schema: Json) -> Iterator[str]:
    """A line for each key of a form, and for what is said about it."""
    yield from _lines(schema, schema, "", 0)
    top = resolved(schema, schema)
    if isinstance(top, dict) and top.get("additionalProperties", False) is not False:
        yield "(other keys are allowed)"


def _lines(schema: Json, root: Json, indent: str, depth: int) -> Iterator[str]:
    keys = properties(schema, root)
    needed = required(schema, root)
    width = max((len(key) for key in keys), default=0)
    for key, own in keys.items():
        own = resolved(own, root)
        words = [what(own, root), "required" if key in needed else "", _default(own)]
        yield f"{indent}{key:<{width}}  {', '.join(word for word in words if word)}"
        yield from (f"{indent}{'':<{width}}  {line}" for line in _about(own))
        if depth < _MAX_DEPTH:
            inner = own.get("items") if isinstance(own, dict) and "items" in own else own
            yield from _lines(inner, root, f"{indent}  ", depth + 1)


def _about(schema: Json) -> Iterator[str]:
    """The title and the description."""
    if isinstance(schema, dict):
        texts = [str(schema[key]).strip() for key in ("title", "description") if schema.get(key)]
        yield from ": ".join(texts).splitlines()


def _default(schema: Json) -> str:
    return f"default {_written(schema['default'])}" if isinstance(schema, dict) and "default" in schema else ""


def what(schema: Json, root: Json, depth: int = 0) -> str:
    """What a value may be, in words: `integer, 1 to 10`, `one of red, green`, `list of string, as JSON`."""
    schema = resolved(schema, root)
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return "anything"
    if "const" in schema:
        return f"only {_written(schema['const'])}"
    if "enum" in schema:
        return _choice(schema["enum"])
    kinds = schema.get("type", ())
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    if not kinds:
        return _alternatives(schema, root, depth)
    words = " or ".join(_kind(kind, schema, root, depth) for kind in kinds)
    return ", ".join([words, *_bounds(schema, kinds)])


def _choice(values: list[Json]) -> str:
    shown = [_written(value) for value in values[:_MAX_LISTED]]
    more = f", … ({len(values)} in all)" if len(values) > _MAX_LISTED else ""
    return f"one of {', '.join(shown)}{more}" if len(values) != 1 else f"only {shown[0]}"


def _alternatives(schema: Mapping[str, Json], root: Json, depth: int) -> str:
    branches = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or ()
    words = list(dict.fromkeys(what(branch, root, depth + 1) for branch in branches))
    return (" and " if "allOf" in schema else " or ").join(words) or "anything"


def _kind(kind: str, schema: Mapping[str, Json], root: Json, depth: int) -> str:
    if kind == "boolean":
        return "true or false"
    if kind == "string" and "format" in schema:
        return f"string ({schema['format']})"
    if kind == "object":
        return "object, as JSON"
    if kind == "array":
        items = schema.get("items")
        return (
            f"list of {what(items, root, depth + 1).removesuffix(', as JSON')}, as JSON" if items else "list, as JSON"
        )
    return kind


def _bounds(schema: Mapping[str, Json], kinds: list[str]) -> Iterator[str]:
    yield from _range(schema)
    for kind, (least, most, unit) in (("string", _CHARACTERS), ("array", _ITEMS)):
        if kind in kinds:
            yield from _count(schema.get(least), schema.get(most), unit)
    if "multipleOf" in schema:
        yield f"a multiple of {schema['multipleOf']}"
    if "pattern" in schema:
        yield f"like {schema['pattern']}"
    if schema.get("uniqueItems"):
        yield "nothing twice"


def _range(schema: Mapping[str, Json]) -> Iterator[str]:
    if "minimum" in schema and "maximum" in schema:
        yield f"{schema['minimum']} to {schema['maximum']}"
    elif "minimum" in schema:
        yield f"at least {schema['minimum']}"
    elif "maximum" in schema:
        yield f"at most {schema['maximum']}"
    if "exclusiveMinimum" in schema:
        yield f"more than {schema['exclusiveMinimum']}"
    if "exclusiveMaximum" in schema:
        yield f"less than {schema['exclusiveMaximum']}"


def _count(least: Json, most: Json, unit: str) -> Iterator[str]:
    if least is None and most is None:
        return
    if least and most is not None:
        number = str(least) if least == most else f"{least} to {most}"
    else:
        number = f"at least {least}" if most is None else f"at most {most}"
    yield f"{number} {unit}" + ("" if number.split()[-1] == "1" else "s")


def _written(value: Json) -> str:
    """A value as `-a KEY=VALUE` takes it."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _has_conditions(schema: Json) -> bool:
    top = resolved(schema, schema)
    if not isinstance(top, dict):
        return False
    return not _CONDITIONS.isdisjoint(top) or any(_has_conditions(part) for part in top.get("allOf", ()))
