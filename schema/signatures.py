"""What filters and tests take and give, by kinds; the functions themselves are the engine's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from holdpoint.schema.types import ANY, BOOLEAN, LIST, NONE, NUMBER, OBJECT, TEXT, Type, list_of, of_kinds, union

Kinds = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a filter or test takes, else it fails; what it gives; and the kinds of its arguments.

    An argument that is not named here may be anything.
    """

    takes: Kinds
    gives: Callable[[Type], Type]
    arguments: Mapping[str, Kinds] = field(default_factory=dict)


def _same(base: Type) -> Type:
    return base


def _items(base: Type) -> Type:
    """One item of a list, or one character of a text."""
    parts = [base.items] if base.may_be(LIST) else []
    return union([*parts, of_kinds(TEXT)] if base.may_be(TEXT) else parts)


def _only(kind: str) -> Callable[[Type], Type]:
    return lambda base: Type(
        kinds=base.kinds & {kind},
        values={kind: base.values[kind]} if kind in base.values else {},
        item=base.item,
        objects=base.objects if kind == OBJECT else (),
    )


def _as_list(base: Type) -> Type:
    parts = [_only(LIST)(base)] if base.may_be(LIST) else []
    return union([*parts, _TEXTS] if base.may_be(TEXT, OBJECT) else parts)


def part_of(base: Type) -> Type:
    """What is a part of a list or of a text."""
    parts = [_only(LIST)(base)] if base.may_be(LIST) else []
    return union([*parts, of_kinds(TEXT)] if base.may_be(TEXT) else parts)


def _always(gives: Type) -> Callable[[Type], Type]:
    return lambda base: gives


_TEXTS: Final = list_of(lambda: of_kinds(TEXT))
_LISTS: Final = list_of(lambda: list_of(lambda: ANY))
_ATTRIBUTE: Final[Mapping[str, Kinds]] = {"attribute": (TEXT, NUMBER, NONE)}
_IS_TEXT: Final = _always(of_kinds(TEXT))
_IS_NUMBER: Final = _always(of_kinds(NUMBER))


def _of_text(**arguments: Kinds) -> Signature:
    return Signature(takes=(TEXT,), gives=_IS_TEXT, arguments=arguments)


_FROM_LIST: Final = Signature(takes=(LIST,), gives=_only(LIST))
_EXTREME: Final = Signature(takes=(LIST,), gives=_items, arguments=_ATTRIBUTE)
_TO_NUMBER: Final = Signature(takes=(TEXT, NUMBER), gives=_IS_NUMBER)
_LENGTH: Final = Signature(takes=(TEXT, LIST, OBJECT), gives=_IS_NUMBER)
_END: Final = Signature(takes=(LIST, TEXT), gives=_items)
_ANYTHING: Final = (NONE, BOOLEAN, NUMBER, TEXT, LIST, OBJECT)

FILTERS: Final[Mapping[str, Signature]] = {
    "abs": Signature(takes=(NUMBER,), gives=_IS_NUMBER),
    "round": Signature(takes=(NUMBER,), gives=_IS_NUMBER, arguments={"precision": (NUMBER,), "method": (TEXT,)}),
    "int": _TO_NUMBER,
    "float": _TO_NUMBER,
    **dict.fromkeys(("lower", "upper", "capitalize", "title"), _of_text()),
    "trim": _of_text(chars=(TEXT, NONE)),
    "replace": _of_text(old=(TEXT,), new=(TEXT,), count=(NUMBER, NONE)),
    "split": Signature(takes=(TEXT,), gives=_always(_TEXTS), arguments={"separator": (TEXT, NONE)}),
    "string": Signature(takes=_ANYTHING, gives=_IS_TEXT),
    "tojson": Signature(takes=_ANYTHING, gives=_IS_TEXT, arguments={"indent": (NUMBER, NONE)}),
    **dict.fromkeys(("length", "count"), _LENGTH),
    **dict.fromkeys(("first", "last"), _END),
    **dict.fromkeys(("max", "min"), _EXTREME),
    "sum": Signature(takes=(LIST,), gives=_IS_NUMBER, arguments={**_ATTRIBUTE, "start": (NUMBER,)}),
    "join": Signature(takes=(LIST,), gives=_IS_TEXT, arguments={**_ATTRIBUTE, "separator": (TEXT,)}),
    "list": Signature(takes=(LIST, TEXT, OBJECT), gives=_as_list),
    "items": Signature(takes=(OBJECT,), gives=_always(_LISTS)),
    "dictsort": Signature(takes=(OBJECT,), gives=_always(_LISTS), arguments={"by": (TEXT,), "reverse": (BOOLEAN,)}),
    "sort": Signature(
        takes=(LIST,),
        gives=_only(LIST),
        arguments={**_ATTRIBUTE, "reverse": (BOOLEAN,), "case_sensitive": (BOOLEAN,)},
    ),
    "reverse": Signature(takes=(LIST, TEXT), gives=part_of),
    "unique": Signature(takes=(LIST,), gives=_only(LIST), arguments=_ATTRIBUTE),
    "add": _of_text(duration=(TEXT,)),
    "local": _of_text(format=(TEXT,)),
    # how these evaluate what they stand after is `evaluate.py`'s; what they take is here
    "map": Signature(takes=(LIST,), gives=_only(LIST), arguments={"attribute": (TEXT, NUMBER)}),
    **dict.fromkeys(("select", "reject", "selectattr", "rejectattr"), _FROM_LIST),
    **dict.fromkeys(("default", "d"), Signature(takes=_ANYTHING, gives=_same)),
}

_IS_BOOLEAN: Final = _always(of_kinds(BOOLEAN))
_ASKS_ANYTHING: Final = Signature(takes=_ANYTHING, gives=_IS_BOOLEAN)
_ASKS_NUMBER: Final = Signature(takes=(NUMBER,), gives=_IS_BOOLEAN)
_ASKS_TEXT: Final = Signature(takes=(TEXT,), gives=_IS_BOOLEAN)

TESTS: Final[Mapping[str, Signature]] = {
    **dict.fromkeys(("odd", "even"), _ASKS_NUMBER),
    "divisibleby": Signature(takes=(NUMBER,), gives=_IS_BOOLEAN, arguments={"divisor": (NUMBER,)}),
    **dict.fromkeys(("lower", "upper"), _ASKS_TEXT),
    **dict.fromkeys(
        ("startingwith", "endingwith"), Signature(takes=(TEXT,), gives=_IS_BOOLEAN, arguments={"text": (TEXT,)})
    ),
    **dict.fromkeys(
        ("none", "boolean", "integer", "float", "number", "string", "sequence", "true", "false", "mapping"),
        _ASKS_ANYTHING,
    ),
    **dict.fromkeys(("iterable", "defined", "undefined"), _ASKS_ANYTHING),
}

COMPARISONS: Final[Mapping[str, str]] = {
    "in": "in",
    **dict.fromkeys(("eq", "equalto", "=="), "=="),
    **dict.fromkeys(("ne", "!="), "!="),
    **dict.fromkeys(("lt", "lessthan", "<"), "<"),
    **dict.fromkeys(("le", "<="), "<="),
    **dict.fromkeys(("gt", "greaterthan", ">"), ">"),
    **dict.fromkeys(("ge", ">="), ">="),
}
"""The tests that are comparisons, each with its operator."""
