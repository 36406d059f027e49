"""What changed in a JSON Schema of values that people, programs or agents give: field by field."""

from __future__ import annotations

from collections.abc import Iterator

from holdpoint.engine.canonical import Json
from holdpoint.schema.changes.change import Change, Place, differing, is_same, now_and_was, only, quoted, told


def compare_fields(what: str, place: Place, before: Json, after: Json, *, is_input: bool = False) -> Iterator[Change]:
    """The changes of *what* (`the form of 'x'`), schemas without titles; None is none.

    What callers must give now and need not give before is risky where *is_input*: their starts are refused.
    """
    if not isinstance(before, dict) or not isinstance(after, dict):
        if not is_same(before, after):
            yield _whole(what, place, before, after, is_input)
        return
    found = [*_fields(what, place, before, after, is_input), *_rules(what, place, before, after)]
    yield from found
    if not found and not is_same(before, after):
        yield place.change(f"{what} is written in another way", before, after)


def _whole(what: str, place: Place, before: Json, after: Json, is_input: bool) -> Change:
    """A schema that is new or gone."""
    if before is None:
        required = _needed(after) if is_input else []
        refused = f"; starts without {quoted(required)} are refused" if required else ""
        return place.change(f"{what} is new: {_names(after)}{refused}", before, after, is_risky=bool(required))
    if after is None:
        return place.change(f"{what} was removed: {_names(before)}", before, after)
    return place.change(now_and_was(what, before, after), before, after)


def _fields(what: str, place: Place, before: Json, after: Json, is_input: bool) -> Iterator[Change]:
    old, new = _properties(before), _properties(after)
    needed = set(only(_needed(after), _needed(before))) if is_input else set()
    for name, kind, was, is_ in differing(old, new):
        here = place.below(name)
        if kind == "added":
            word = "required" if name in _required(after) else "optional"
            yield here.change(
                f"{what} has a new field {name!r}, {word}{_refused(name, needed)}",
                was,
                is_,
                kind=kind,
                is_risky=name in needed,
            )
        elif kind == "removed":
            yield here.change(f"{what} no longer has the field {name!r}", was, is_, kind=kind)
        else:
            yield from compare_fields(f"field {name!r} of {what}", here, was, is_)
    for name in only(_required(after), _required(before)):
        if (name in old) == (name in new):
            text = f"field {name!r} of {what} is now required{_refused(name, needed)}"
            yield place.below(name).change(text, False, True, is_risky=name in needed)
    for name in only(_required(before), _required(after)):
        if (name in old) == (name in new):
            yield place.below(name).change(f"field {name!r} of {what} is no longer required", True, False)


def _rules(what: str, place: Place, before: Json, after: Json) -> Iterator[Change]:
    """What a schema says besides its fields, such as a type or a maximum."""
    for key, kind, old, new in differing(_without_fields(before), _without_fields(after)):
        texts: dict[str, str] = {
            "added": f"{key!r} of {what} is now {told(new)}",
            "removed": f"{key!r} of {what} was removed (it was {told(old)})",
            "changed": now_and_was(f"{key!r} of {what}", old, new),
        }
        yield place.below(key).change(texts[kind], old, new, kind=kind)


def _without_fields(schema: Json) -> dict[str, Json]:
    is_plain = {"properties": isinstance(schema.get("properties"), dict), "required": _required(schema) != []}
    return {key: value for key, value in schema.items() if not is_plain.get(key)}


def _properties(schema: Json) -> dict[str, Json]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _required(schema: Json) -> list[str]:
    required = schema.get("required")
    return required if isinstance(required, list) else []


def _needed(schema: Json) -> list[str]:
    """What must be given: a field with a default is filled in."""
    filled = {name for name, field in _properties(schema).items() if isinstance(field, dict) and "default" in field}
    return only(_required(schema), filled)


def _refused(name: str, needed: set[str]) -> str:
    return "; starts without it are refused" if name in needed else ""


def _names(schema: Json) -> str:
    return f"fields {quoted(_properties(schema))}" if isinstance(schema, dict) else told(schema)
