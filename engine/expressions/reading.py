"""Reading properties and items: a property that a schema names and the value lacks is none, any other is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import did_you_mean
from holdpoint.engine.expressions.operators import MISSING, type_name
from holdpoint.engine.expressions.parse import Access, Choice, Filter, Literal, Logic, Name, Node, Slice
from holdpoint.engine.expressions.scope import ExpressionError, Run

Key: TypeAlias = str | int
Place: TypeAlias = tuple[Json, ...]
"""A schema, after the schemas that it stands in, outermost first; `$ref` is looked up in each of these."""

_KEEP_ITEMS = {"list", "reverse", "sort", "unique", "select", "reject", "selectattr", "rejectattr", "default", "d"}
_TAKE_ITEM = {"first", "last", "min", "max"}
_ANY = Literal(0, None)  # a key that stands for every item
_IN_PLACE = ("allOf", "anyOf", "oneOf")
_BRANCHES = ("then", "else")


def follow(run: Run, node: Access, value: Json, keys: Iterable[Key]) -> Json:
    """What stands at the end of the keys, step by step, with an error that says where the way ends."""
    what = described(node.base)
    taken: list[Key] = []
    for key in keys:
        found = _step(value, key)
        if found is MISSING:
            is_property = isinstance(value, Mapping) and isinstance(key, str)
            if not (is_property and is_named([*places(run, node.base)], taken, key)):
                raise _lacking(what, value, key)
            found = None
        value = found
        taken.append(key)
        what = f"{what}.{_short(key)}" if isinstance(key, str) else f"{what}[{key}]"
    return value


def walk(value: Json, keys: Iterable[Key]) -> Json:
    """What stands at the end of the keys, or MISSING."""
    for key in keys:
        value = _step(value, key)
        if value is MISSING:
            return MISSING
    return value


def attribute_reader(run: Run, base: Node, attribute: Json, default: Json = MISSING) -> Callable[[Json], Json]:
    """A function that reads `'a.b'` of an item of the list that *base* gives."""
    keys = attribute_keys(attribute)
    node = Access(base.offset, Access(base.offset, base, (_ANY,)), ())

    def read(item: Json) -> Json:
        run.spend(len(keys))
        found = walk(item, keys)
        if found is not MISSING:
            return found
        return default if default is not MISSING else follow(run, node, item, keys)

    return read


def attribute_keys(attribute: Json) -> list[Key]:
    """The keys of an attribute as filters take it, `'a.b'` or an index; raises `ExpressionError`."""
    if type(attribute) is int:
        return [attribute]
    if not isinstance(attribute, str):
        raise ExpressionError(f"an attribute is a text, not {type_name(attribute)}")
    if len(attribute) > 1000:
        raise ExpressionError("an attribute has at most 1000 characters")
    return [int(part) if part.isascii() and part.isdigit() else part for part in attribute.split(".")]


def unknown_name(run: Run, name: str) -> ExpressionError:
    """The error for a root name that the scope does not have."""
    known = sorted(run.values)
    hint = did_you_mean(name[:100], known)
    message = f"'{_short(name)}' is not known here; known are {_listed(known)}"
    return ExpressionError(f"{message}; {hint}" if hint else message)


def _step(value: Json, key: Key) -> Json:
    if isinstance(value, Mapping):
        return value[key] if type(key) is str and key in value else MISSING
    if type(key) is int and type(value) in (list, str) and -len(value) <= key < len(value):
        return value[key]
    return MISSING


def described(node: Node) -> str:
    """How messages call what a node gives: by the author's own words, where these are a plain chain."""
    if isinstance(node, Name):
        return node.name
    if not isinstance(node, Access):
        return "the value"
    what = described(node.base)
    for key in node.keys:
        if not isinstance(key, Literal) or key is _ANY:
            what += "[…]"
        else:
            what += f".{key.value}" if isinstance(key.value, str) else f"[{key.value}]"
    return what


def _lacking(what: str, value: Json, key: Json) -> ExpressionError:
    if value is None:
        missing = f"no '{_short(key)}'" if isinstance(key, str) else "no items"
        return ExpressionError(f"{what} is none, which has {missing}; ask 'if {what}' first, or use the filter default")
    if isinstance(value, Mapping):
        if type(key) is not str:
            return ExpressionError(f"{what} is an object, whose keys are texts, not {type_name(key)}")
        # What loads lazily is not listed: that would load it.
        known = [str(name) for name in value] if type(value) is dict else []
        hint = did_you_mean(key, known[:1000]) if len(key) <= 100 else ""
        has = (f"; it has {_listed(known)}" if known else "; it is empty") if type(value) is dict else ""
        return ExpressionError(f"{what} has no '{_short(key)}'{has}" + (f"; {hint}" if hint else ""))
    if type(value) not in (list, str):
        return ExpressionError(f"{what} is {type_name(value)}, which has no properties")
    if type(key) is int:
        items = "items" if type(value) is list else "characters"
        return ExpressionError(f"{what} has {len(value)} {items}, and no [{key}]")
    if type(key) is str:
        return ExpressionError(f"{what} is {type_name(value)}, which has no '{_short(key)}'; use an index or a filter")
    return ExpressionError(f"an index is an integer, not {type_name(key)}")


def _listed(names: list[str], most: int = 12) -> str:
    if not names:
        return "nothing"
    shown = ", ".join(_short(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _short(name: str) -> str:
    return name if len(name) <= 40 else name[:39] + "…"


# -- schemas


def places(run: Run, node: Node) -> Iterator[Place]:
    """The schemas that can describe what a node gives, as far as they are known."""
    if isinstance(node, Name):
        if node.name in run.scope.schemas:
            yield (run.scope.schemas[node.name],)
    elif isinstance(node, Access):
        found = [*places(run, node.base)]
        for key in node.keys:
            found = [*_below(found, key.value if isinstance(key, Literal) else None)]
        yield from found
    elif isinstance(node, Slice):
        yield from places(run, node.base)
    elif isinstance(node, Choice):
        yield from places(run, node.then)
        yield from places(run, node.otherwise)
    elif isinstance(node, Logic):
        for part in node.parts:
            yield from places(run, part)
    elif isinstance(node, Filter) and node.name in _KEEP_ITEMS:
        yield from places(run, node.base)
    elif isinstance(node, Filter) and node.name in _TAKE_ITEM:
        yield from _below(places(run, node.base), 0)


def is_named(found: list[Place], keys: list[Key], name: Key) -> bool:
    """Whether a schema at the end of the keys has a property of this name."""
    for key in keys:
        found = [*_below(found, key)]
    return any(name in _part(place, "properties") for place in _expanded(found))


def _below(found: Iterable[Place], key: Key | None) -> Iterator[Place]:
    """The schemas of one property or item; of all where the key is only known when it runs."""
    for place in _expanded(found):
        properties = _part(place, "properties")
        if isinstance(key, str):
            inner = [properties[key] if key in properties else place[-1].get("additionalProperties")]
        else:
            prefix = place[-1].get("prefixItems")
            first = prefix if isinstance(prefix, list) else []
            inner = [first[key]] if key is not None and 0 <= key < len(first) else [place[-1].get("items")]
            if key is None:
                inner += [*first, *properties.values(), place[-1].get("additionalProperties")]
        for schema in inner:
            if isinstance(schema, Mapping):
                yield (*place, schema)


def _expanded(found: Iterable[Place]) -> Iterator[Place]:
    """Each schema with those of the same place: behind `$ref`, in `allOf`, `anyOf`, `oneOf`, `then` and `else`."""
    queue = [*found]
    seen: set[int] = set()
    while queue:
        place = queue.pop()
        schema = place[-1]
        if not isinstance(schema, Mapping) or id(schema) in seen:
            continue
        seen.add(id(schema))
        yield place
        for word in _IN_PLACE:
            members = schema.get(word)
            queue += [(*place, member) for member in members] if isinstance(members, list) else []
        queue += [(*place, schema[word]) for word in _BRANCHES if word in schema]
        if isinstance(schema.get("$ref"), str):
            queue += _referred(place, schema["$ref"])


def _referred(place: Place, reference: str) -> list[Place]:
    """Where a local reference leads, from the innermost schema that has it."""
    if not reference.startswith("#"):
        return []
    parts = [part.replace("~1", "/").replace("~0", "~") for part in reference[1:].split("/")[1:]]
    for depth in range(len(place) if parts else 1, 0, -1):
        target = place[depth - 1]
        for part in parts:
            target = _step(target, int(part) if type(target) is list and re.fullmatch("[0-9]{1,9}", part) else part)
        if isinstance(target, Mapping):
            return [(*place[:depth], target)]
    return []


def _part(place: Place, word: str) -> Mapping[str, Json]:
    part = place[-1].get(word)
    return part if isinstance(part, Mapping) else {}
