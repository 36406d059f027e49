"""What is known of a value before there is one: the kinds that it may be of, and of each kind what it may hold.

A type is an upper bound. What it leaves out is impossible, what it allows need not happen; so a claim that holds for
the whole of a type holds for every value, and where nothing is known the type is ANY and no claim can be made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Final, TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.expressions.operators import type_name

Later: TypeAlias = "Callable[[], Type]"
"""A type that is worked out when it is asked for: schemas may contain themselves."""

# The kinds of JSON values, as messages call them.
NONE, BOOLEAN, NUMBER = type_name(None), type_name(True), type_name(0)
TEXT, LIST, OBJECT = type_name(""), type_name([]), type_name({})
KINDS: Final = (NONE, BOOLEAN, NUMBER, TEXT, LIST, OBJECT)

_MAX_OBJECTS: Final = 16
_MAX_VALUES: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fields:
    """The properties of one form of an object. `others` is the type of those that are not named, None if unsaid.

    `is_listed` says that the names are meant to be all. `noun` and `hint` are for messages about other names.
    """

    named: Mapping[str, Later] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    others: Later | None = None
    is_listed: bool = True
    noun: str = "property"
    hint: str = ""

    def read(self, name: str) -> Type | None:
        """What reading a property gives, None where there is no such property. What may be missing may be none."""
        if name in self.named:
            found = self.named[name]()
            return found if name in self.required else union((found, MISSING))
        if self.others is not None:
            found = self.others()
            return union((found, MISSING)) if found.kinds else None
        return None if self.is_listed else ANY


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Type:
    """A union of kinds. `values` are the only ones of a kind, `item` is that of lists, `objects` are the forms of an
    object; what is not there is not known."""

    kinds: frozenset[str]
    values: Mapping[str, tuple[Json, ...]] = field(default_factory=dict)
    item: Later | None = None
    objects: Sequence[Fields] = ()

    def __str__(self) -> str:
        return " or ".join(kind for kind in KINDS if kind in self.kinds)

    @property
    def is_only_none(self) -> bool:
        """Whether none is all that it can be."""
        return self.kinds == {NONE}

    @property
    def items(self) -> Type:
        """What the items of its lists are."""
        return ANY if self.item is None else self.item()

    @property
    def constant(self) -> tuple[Json, ...]:
        """Its one value, as a tuple of one, where there can be no other."""
        [kind, *more] = self.kinds or [""]
        found = (None,) if kind == NONE else self.values.get(kind, ())
        return found if not more and len(found) == 1 else ()

    def may_be(self, *kinds: str) -> bool:
        """Whether it can be of one of the kinds."""
        return not self.kinds.isdisjoint(kinds)

    def read(self, name: str) -> Type | None:
        """What reading a property of its objects gives, None where none of them has it."""
        if not self.objects:
            return ANY
        found = [fields.read(name) for fields in self.objects]
        known = [part for part in found if part is not None]
        if not known:
            return None
        for part, fields in zip(found, self.objects, strict=True):
            if part is None and fields.others is None:  # unsaid: where another form has it, this one may
                return ANY
        return union([*known, MISSING] if len(known) < len(found) else known)


@cache
def of_kinds(*kinds: str) -> Type:
    """Any value of some kinds."""
    return Type(kinds=frozenset(kinds))


def of_values(kind: str, values: Iterable[Json]) -> Type:
    """One of a few values, which are all of one kind."""
    known = tuple(dict.fromkeys(values))
    if len(known) > _MAX_VALUES:
        return of_kinds(kind)
    return Type(kinds=frozenset({kind}), values={kind: known}) if known else NOTHING


def of_value(value: Json) -> Type:
    """The type of one value, which is all that it can be."""
    kind = type_name(value)
    if kind == LIST:
        return list_of(once(lambda: union([of_value(item) for item in value])))
    if kind == OBJECT:
        return object_of({name: once(partial(of_value, item)) for name, item in value.items()})
    return of_kinds(NONE) if value is None else of_values(kind, [value])


def list_of(item: Later) -> Type:
    """A list of any length."""
    return Type(kinds=frozenset({LIST}), item=item)


def object_of(named: Mapping[str, Later], *, noun: str = "property", hint: str = "") -> Type:
    """An object that has these properties, all of them and no others."""
    fields = Fields(named=named, required=frozenset(named), others=lambda: NOTHING, noun=noun, hint=hint)
    return Type(kinds=frozenset({OBJECT}), objects=(fields,))


NOTHING: Final = Type(kinds=frozenset())
MISSING: Final = of_kinds(NONE)
ANY: Final = of_kinds(*KINDS)


def once(make: Later) -> Later:
    """A type that is worked out when it is first asked for."""
    return _Once(make)


class _Once:
    """As `functools.cache`, at a fraction of its cost to make: few of these are ever asked."""

    __slots__ = ("_found", "_make")

    def __init__(self, make: Later) -> None:
        self._make = make
        self._found: Type | None = None

    def __call__(self) -> Type:
        if self._found is None:
            self._found = self._make()
        return self._found


def known(found: Type) -> Type:
    """The type of a value that there is: schemas that contradict themselves say nothing."""
    return found if found.kinds else ANY


# -- union and intersection


def union(types: Iterable[Type]) -> Type:
    """What is of one of the types."""
    parts = [part for part in types if part.kinds]
    if len(parts) == 1:
        return parts[0]
    kinds = frozenset().union(*(part.kinds for part in parts))
    values = {kind: found for kind in kinds if (found := _values_of(kind, parts)) is not None}
    lists = [part.item for part in parts if LIST in part.kinds]
    item = once(lambda: union([make() for make in lists if make])) if lists and all(lists) else None
    return Type(kinds=kinds, values=values, item=item, objects=_objects_of(parts))


def _values_of(kind: str, parts: list[Type]) -> tuple[Json, ...] | None:
    found: dict[Json, None] = {}
    for part in parts:
        if kind in part.kinds:
            if kind not in part.values:
                return None
            found.update(dict.fromkeys(part.values[kind]))
    return tuple(found) if len(found) <= _MAX_VALUES else None


def _objects_of(parts: list[Type]) -> Sequence[Fields]:
    found: list[Fields] = []
    for part in parts:
        if OBJECT in part.kinds:
            if not part.objects:
                return ()
            found += [fields for fields in part.objects if fields not in found]
            if len(found) > _MAX_OBJECTS:
                return ()
    return tuple(found)


def intersection(left: Type, right: Type) -> Type:
    """What is of both types."""
    if left is ANY or right is ANY:
        return left if right is ANY else right
    kinds = set(left.kinds & right.kinds)
    values: dict[str, tuple[Json, ...]] = {}
    for kind in (BOOLEAN, NUMBER, TEXT):
        lists = [side.values[kind] for side in (left, right) if kind in side.values]
        if kind in kinds and lists:
            values[kind] = tuple(value for value in lists[0] if value in lists[-1])
            if not values[kind]:
                kinds.discard(kind)
                del values[kind]
    return Type(
        kinds=frozenset(kinds), values=values, item=_both_items(left, right), objects=_both_objects(left, right)
    )


def _both_items(left: Type, right: Type) -> Later | None:
    if left.item is None or right.item is None:
        return left.item or right.item
    return once(lambda: intersection(left.items, right.items))


def _both_objects(left: Type, right: Type) -> Sequence[Fields]:
    if not left.objects or not right.objects:
        return left.objects or right.objects
    if len(left.objects) * len(right.objects) > _MAX_OBJECTS:
        return ()
    return tuple(_both_fields(one, other) for one in left.objects for other in right.objects)


def _both_fields(left: Fields, right: Fields) -> Fields:
    others: Later | None = left.others or right.others
    if left.others and right.others:
        others = once(lambda: intersection(left.others(), right.others()))  # type: ignore[misc]
    return Fields(
        named={name: once(partial(_both_named, left, right, name)) for name in {**left.named, **right.named}},
        required=left.required | right.required,
        others=others,
        is_listed=left.is_listed or right.is_listed,
    )


def _both_named(left: Fields, right: Fields, name: str) -> Type:
    found = ANY
    for side in (left, right):
        said = side.named.get(name, side.others)
        if said is not None:
            found = intersection(found, said())
    return found


# -- truth


def when_true(found: Type) -> Type:
    """What is left of a type where its value counts as true."""
    return _narrowed(found, lambda value: bool(value), without={NONE})


def when_false(found: Type) -> Type:
    """What is left of a type where its value counts as false."""
    narrowed = _narrowed(found, lambda value: not value)
    empty = {BOOLEAN: (False,), NUMBER: (0,), TEXT: ("",)}
    values = {kind: narrowed.values.get(kind, value) for kind, value in empty.items() if kind in narrowed.kinds}
    return Type(kinds=narrowed.kinds, values=values, item=narrowed.item, objects=narrowed.objects)


def _narrowed(found: Type, keeps: Callable[[Json], bool], without: Iterable[str] = ()) -> Type:
    kinds = set(found.kinds).difference(without)
    values = {kind: tuple(filter(keeps, listed)) for kind, listed in _listed(found) if kind in kinds}
    kinds -= {kind for kind, left in values.items() if not left}
    values = {kind: left for kind, left in values.items() if left}
    return Type(kinds=frozenset(kinds), values=values, item=found.item, objects=found.objects)


def _listed(found: Type) -> Iterator[tuple[str, tuple[Json, ...]]]:
    yield from {BOOLEAN: (False, True), **found.values}.items()
