"""From the tree of an expression to the type of what it gives, and what is wrong with it for every value it may meet.

A problem is only what is certain: the operation fails (HP242, HP246, and HP244 of an order), or the comparison has the
same answer (HP244, HP245), for all values of the types of its operands. That a name, a result or an item is not there
is no matter of types, and is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.expressions import ExpressionError
from holdpoint.engine.expressions.filters import FILTERS as ENGINE_FILTERS
from holdpoint.engine.expressions.filters import TESTS as ENGINE_TESTS
from holdpoint.engine.expressions.parse import (
    Access,
    Arithmetic,
    Choice,
    Compare,
    Concat,
    Filter,
    ListOf,
    Literal,
    Logic,
    Name,
    Node,
    ObjectOf,
    Slice,
    Test,
    Unary,
)
from holdpoint.engine.expressions.reading import Key, attribute_keys, described
from holdpoint.schema.report import listed, shown, suggestion
from holdpoint.schema.signatures import COMPARISONS, FILTERS, TESTS, Kinds, Signature, part_of
from holdpoint.schema.types import (
    ANY,
    BOOLEAN,
    LIST,
    NONE,
    NUMBER,
    OBJECT,
    TEXT,
    Fields,
    Later,
    Type,
    known,
    list_of,
    object_of,
    of_kinds,
    of_value,
    of_values,
    once,
    union,
    when_false,
    when_true,
)

_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_BOOLEANS: Final = ("true", "false")
_TRUTH: Final = of_kinds(BOOLEAN)
_EQUALITY: Final = ("==", "!=")
_ORDER: Final = ("<", "<=", ">", ">=")
_OWN_PARAMETERS: Final[Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(("default", "d"), ("value", "boolean")),
    "map": ("filter",),
    **dict.fromkeys(("select", "reject"), ("test",)),
    **dict.fromkeys(("selectattr", "rejectattr"), ("attribute", "test")),
    **dict.fromkeys(("defined", "undefined"), ()),
}
"""The parameters of filters and tests that are not in the engine's tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with one operation: `node` is the operation alone, `offset` where to point in the text."""

    node: Node
    offset: int
    code: str
    message: str
    fix: str


def infer(tree: Node, names: Mapping[str, Type]) -> tuple[Type, Sequence[Problem]]:
    """The type of what an expression gives, and the problems in it, in the order of their evaluation.

    *names* are the types of the root names; one that is not there is not looked at.
    """
    inference = _Inference(names)
    found = inference.type_of(tree)
    return found, inference.problems


class _Inference:
    def __init__(self, names: Mapping[str, Type]) -> None:
        self._names = names
        self.problems: list[Problem] = []

    def type_of(self, node: Node) -> Type:
        return known(_INFERRED[type(node)](self, node))

    def _add(self, node: Node, offset: int, code: str, message: str, fix: str) -> None:
        self.problems.append(Problem(node=node, offset=offset, code=code, message=message, fix=fix))

    # -- values

    def _literal(self, node: Literal) -> Type:
        return of_value(node.value)

    def _name(self, node: Name) -> Type:
        return self._names.get(node.name, ANY)

    def _list(self, node: ListOf) -> Type:
        items = [self.type_of(item) for item in node.items]
        return list_of(once(lambda: union(items)))

    def _object(self, node: ObjectOf) -> Type:
        named: dict[str, Later] = {}
        is_fixed = True
        for key, value in node.entries:
            self._expect(node, key, self.type_of(key), (TEXT,), "a key of an object is a text")
            found = self.type_of(value)
            if isinstance(key, Literal):
                named[key.value] = once(partial(known, found))
            else:
                is_fixed = False
        return object_of(named) if is_fixed else of_kinds(OBJECT)

    def _expect(self, node: Node, part: Node, found: Type, kinds: Kinds, rule: str) -> None:
        """Add a problem where a part of an operation is of no kind that it may be."""
        if not found.may_be(*kinds):
            self._add(node, part.offset, "HP246", f"{rule}, not {found}", f"give it {of_kinds(*kinds)}")

    # -- reading

    def _access(self, node: Access) -> Type:
        found = self.type_of(node.base)
        for index, key in enumerate(node.keys):
            what = partial(_described, node, index)
            if isinstance(key, Literal):
                found = known(self._read(node, key.offset, what, found, key.value))
            else:
                found = self._read_computed(node, key, what, found)
        return found

    def _read(self, node: Node, offset: int, what: _What, base: Type, key: Key) -> Type:
        """The type of one property or item; a problem where no value of the base has it."""
        if isinstance(key, int):
            if base.may_be(LIST, TEXT):
                return _item(base)
            return self._has_no(node, offset, what, base, f"no item [{key}]")
        if not base.may_be(OBJECT):
            return self._has_no(node, offset, what, base, f"no property {key!r}")
        found = base.read(key)
        if found is not None:
            return found
        fields = _all_fields(base)
        code = "HP242" if fields.noun == "property" else "HP241"
        message = f"the {fields.noun} {key!r} of {what()} does not exist"
        self._add(node, offset, code, message, fields.hint or suggestion(key, list(fields.named)))
        return ANY

    def _has_no(self, node: Node, offset: int, what: _What, base: Type, part: str) -> Type:
        if not base.is_only_none:  # whether something is there at all is not a matter of types
            fix = "a list is read by a number, an object by a text, other values have no parts"
            self._add(node, offset, "HP242", f"{what()} is {base}, which has {part}", fix)
        return ANY

    def _read_computed(self, node: Access, key: Node, what: _What, base: Type) -> Type:
        by = self.type_of(key)
        if by.may_be(TEXT) and base.may_be(OBJECT):
            return ANY
        if by.may_be(NUMBER) and base.may_be(LIST, TEXT):
            return _item(base)
        return self._has_no(node, key.offset, what, base, f"nothing that is read by {by}")

    def _slice(self, node: Slice) -> Type:
        base = self.type_of(node.base)
        self._expect(node, node.base, base, (LIST, TEXT), "a slice takes a list or a text")
        for bound in (node.start, node.stop):
            if bound is not None:
                found = self.type_of(bound)
                self._expect(node, bound, found, (NUMBER, NONE), "a slice goes from integer to integer")
        return part_of(base)

    # -- operators

    def _unary(self, node: Unary) -> Type:
        found = self.type_of(node.operand)
        if node.operator != "not":
            self._expect(node, node.operand, found, (NUMBER,), f"the sign '{node.operator}' takes a number")
            return of_kinds(NUMBER)
        return of_values(BOOLEAN, [not truth for truth in _truths(found)])

    def _arithmetic(self, node: Arithmetic) -> Type:
        left = self.type_of(node.first)
        for index, (operator, operand) in enumerate(node.rest):
            right = self.type_of(operand)
            kinds = [NUMBER, TEXT, LIST] if operator == "+" else [NUMBER]
            possible = [kind for kind in kinds if left.may_be(kind) and right.may_be(kind)]
            if not possible:
                takes = "two numbers, two texts or two lists" if operator == "+" else "two numbers"
                fix = (
                    "'~' joins as text"
                    if operator == "+" and (left.may_be(TEXT) or right.may_be(TEXT))
                    else "give it numbers"
                )
                here = replace(node, rest=node.rest[: index + 1])
                self._add(here, node.offset, "HP246", f"'{operator}' takes {takes}, not {left} and {right}", fix)
            left = _sum_of(possible, left, right) if possible else ANY
        return left

    def _concat(self, node: Concat) -> Type:
        for part in node.parts:
            self.type_of(part)
        return of_kinds(TEXT)

    def _compare(self, node: Compare) -> Type:
        left, found = node.first, self.type_of(node.first)
        gives = _TRUTH
        for operator, right in node.rest:
            other = self.type_of(right)
            pair = Compare(left.offset, left, ((operator, right),))
            gives = self._compared(pair, operator, (left, found), (right, other))
            left, found = right, other
        return gives if len(node.rest) == 1 else _TRUTH

    def _compared(self, pair: Node, operator: str, left: _Side, right: _Side) -> Type:
        """The truth of one comparison; a problem where it fails, or has the same answer for all values."""
        if operator in _ORDER:
            self._order(pair, left, right)
        elif operator in _EQUALITY:
            if self._equal(pair, operator, left, right):
                return _equality(operator, left[1], right[1])
        else:
            self._contain(pair, operator, left, right)
        return _TRUTH

    def _order(self, pair: Node, left: _Side, right: _Side) -> None:
        if any(left[1].may_be(kind) and right[1].may_be(kind) for kind in (NUMBER, TEXT)):
            return
        message = f"{_said(left)} and {_said(right)} cannot be ordered; only two numbers or two texts can"
        self._add(pair, left[0].offset, "HP244", message, _rewritten(left, right))

    def _equal(self, pair: Node, operator: str, left: _Side, right: _Side) -> bool:
        """Whether two values can be equal; a problem where not."""
        if left[1].is_only_none or right[1].is_only_none:
            return True
        common = left[1].kinds & right[1].kinds
        answer = "always" if operator in ("!=", "not in") else "never"
        if not common:
            message = f"{_said(left)} {answer} {'differs from' if answer == 'always' else 'equals'} {_said(right)}"
            self._add(pair, left[0].offset, "HP244", message, _rewritten(left, right))
        elif all(_is_disjoint(kind, left[1], right[1]) for kind in common):
            self._never(pair, left, right, answer)
        else:
            return True
        return False

    def _never(self, pair: Node, left: _Side, right: _Side, answer: str) -> None:
        """The problem of two values of one kind that have no value in common; two literals are known to differ."""
        if isinstance(left[0], Literal) and isinstance(right[0], Literal):
            return
        for (node, found), (other, values) in ((left, right), (right, left)):
            if isinstance(other, Literal) and not isinstance(node, Literal):
                allowed = _listed_values(found)
                fix = suggestion(other.value, allowed) if TEXT in values.kinds else f"allowed: {listed(allowed)}"
                what = "is never" if answer == "never" else "always differs from"
                self._add(
                    pair, other.offset, "HP245", f"{_quoted(described(node))} {what} {_spelled(other.value)}", fix
                )
                return
        what = f"{_said(left)} {answer} {'differs from' if answer == 'always' else 'equals'} {_said(right)}"
        fix = f"the one is {listed(_listed_values(left[1]))}, the other {listed(_listed_values(right[1]))}"
        self._add(pair, left[0].offset, "HP245", what, fix)

    def _contain(self, pair: Node, operator: str, item: _Side, whole: _Side) -> None:
        node, found = whole
        if isinstance(node, ListOf):
            for part in node.items:
                one = Compare(item[0].offset, item[0], ((operator, ListOf(node.offset, (part,))),))
                self._equal(
                    one, operator, item, (part, _Inference(self._names).type_of(part))
                )  # its problems are known
        elif found.may_be(LIST):
            return
        elif not found.may_be(TEXT, OBJECT):
            message = f"'{operator}' asks a list, a text or an object, not {found}"
            self._add(pair, node.offset, "HP246", message, "write '==' to compare")
        elif not item[1].may_be(TEXT):
            message = f"'{operator}' asks {found} for a text, not {item[1]}"
            self._add(pair, item[0].offset, "HP246", message, "the filter string makes a text of it")

    def _logic(self, node: Logic) -> Type:
        stops, goes_on = (when_true, when_false) if node.operator == "or" else (when_false, when_true)
        found = [self.type_of(part) for part in node.parts]
        parts: list[Type] = []
        for part in found[:-1]:
            parts.append(stops(part))
            if not goes_on(part).kinds:
                return union(parts)
        return union([*parts, found[-1]])

    def _choice(self, node: Choice) -> Type:
        test, then, otherwise = (self.type_of(part) for part in (node.test, node.then, node.otherwise))
        parts = [found for found, way in ((then, when_true(test)), (otherwise, when_false(test))) if way.kinds]
        return union(parts)

    # -- filters and tests

    def _filter(self, node: Filter) -> Type:
        base = self.type_of(node.base)
        arguments = self._arguments(node)
        signature = FILTERS[node.name]
        if node.name in ("int", "float") and "default" in arguments:  # which stands for what is no number
            return union([signature.gives(base), arguments["default"][1]])
        self._check(node, base, signature, arguments)
        special = _SPECIAL.get(node.name)
        if special is not None:
            return special(self, node, base, arguments)
        if "attribute" in arguments:
            self._attribute(node, arguments["attribute"][0], base)
        return signature.gives(base)

    def _test(self, node: Test) -> Type:
        base = self.type_of(node.base)
        arguments = self._arguments(node)
        operator = COMPARISONS.get(node.name)
        if operator is None:
            self._check(node, base, TESTS[node.name], arguments)
            return _TRUTH
        [other] = arguments.values()
        pair = Compare(node.base.offset, node.base, ((operator, other[0]),))
        self._compared(pair, operator, (node.base, base), other)
        return _TRUTH

    def _arguments(self, node: Filter | Test) -> dict[str, _Side]:
        """The arguments that are given, by the names of their parameters."""
        given = [(argument, self.type_of(argument)) for argument in node.arguments]
        named = {name: (argument, self.type_of(argument)) for name, argument in node.named}
        return {**dict(zip(_parameters(node), given, strict=False)), **named}

    def _check(self, node: Filter | Test, base: Type, signature: Signature, arguments: Mapping[str, _Side]) -> None:
        if not base.may_be(*signature.takes):
            takes = of_kinds(*signature.takes)
            self._add(node, node.base.offset, "HP246", f"'{node.name}' takes {takes}, not {base}", f"give it {takes}")
            return
        for name, (argument, found) in arguments.items():
            if name in signature.arguments:
                kinds = signature.arguments[name]
                self._expect(node, argument, found, kinds, f"'{node.name}' takes {of_kinds(*kinds)} as {name!r}")

    def _attribute(self, node: Filter, attribute: Node, base: Type) -> Type:
        """The type of an attribute of the items of a list; a problem where no item has it."""
        if not isinstance(attribute, Literal) or not base.may_be(LIST):
            return ANY
        try:
            keys = attribute_keys(attribute.value)
        except ExpressionError:
            return ANY
        found = known(base.items)
        for index, key in enumerate(keys):
            way = "".join(f".{before}" for before in keys[:index])
            what = partial(_quoted, f"{described(node.base)}[…]{way}")
            found = known(self._read(node, attribute.offset, what, found, key))
        return found

    def _default(self, node: Filter, base: Type, arguments: Mapping[str, _Side]) -> Type:
        value = arguments["value"][1] if "value" in arguments else of_value("")
        is_for_false = "boolean" in arguments and True in arguments["boolean"][1].constant
        return union([when_true(base) if is_for_false else base, value])

    def _map(self, node: Filter, base: Type, arguments: Mapping[str, _Side]) -> Type:
        if "attribute" in arguments:
            defaults = [arguments["default"][1]] if "default" in arguments else []
            parts = [self._attribute(node, arguments["attribute"][0], base), *defaults]
            return list_of(lambda: union(parts))
        [name] = arguments["filter"][1].constant
        gives, defaults = FILTERS[name].gives, [ANY] if len(node.arguments) + len(node.named) > 1 else []
        return list_of(once(lambda: union([known(gives(known(base.items))), *defaults])))

    def _select(self, node: Filter, base: Type, arguments: Mapping[str, _Side]) -> Type:
        if "attribute" in arguments:
            self._attribute(node, arguments["attribute"][0], base)
        return FILTERS[node.name].gives(base)


_Side = tuple[Node, Type]
"""An operand, and its type."""

_What = Callable[[], str]
"""How a message calls what is read; only a message asks."""

_INFERRED: Final[Mapping[type, Callable[..., Type]]] = {
    Literal: _Inference._literal,
    Name: _Inference._name,
    Access: _Inference._access,
    Slice: _Inference._slice,
    ListOf: _Inference._list,
    ObjectOf: _Inference._object,
    Unary: _Inference._unary,
    Arithmetic: _Inference._arithmetic,
    Concat: _Inference._concat,
    Compare: _Inference._compare,
    Logic: _Inference._logic,
    Choice: _Inference._choice,
    Filter: _Inference._filter,
    Test: _Inference._test,
}
_SPECIAL: Final[Mapping[str, Callable[..., Type]]] = {
    **dict.fromkeys(("default", "d"), _Inference._default),
    "map": _Inference._map,
    **dict.fromkeys(("select", "reject", "selectattr", "rejectattr"), _Inference._select),
}


def _parameters(node: Filter | Test) -> Sequence[str]:
    if node.name in _OWN_PARAMETERS:
        return _OWN_PARAMETERS[node.name]
    return (ENGINE_FILTERS if isinstance(node, Filter) else ENGINE_TESTS)[node.name].parameters


def _item(base: Type) -> Type:
    """An item of a list, or a character of a text."""
    return known(FILTERS["first"].gives(base))


def _all_fields(base: Type) -> Fields:
    """The fields of all forms of an object, for a message."""
    named = {name: made for fields in base.objects for name, made in fields.named.items()}
    return replace(base.objects[0], named=named)


def _sum_of(kinds: Sequence[str], left: Type, right: Type) -> Type:
    items = once(lambda: union([known(left.items), known(right.items)]))
    return union(list_of(items) if kind == LIST else of_kinds(kind) for kind in kinds)


# -- truth and equality


def _truths(found: Type) -> Iterator[bool]:
    """The answers that `bool` can give."""
    if when_true(found).kinds:
        yield True
    if when_false(found).kinds:
        yield False


def _equality(operator: str, left: Type, right: Type) -> Type:
    """The truth of `==` or `!=`, the one answer where both sides have one value."""
    if not left.constant or not right.constant:
        return _TRUTH
    is_equal = left.kinds == right.kinds and left.constant == right.constant
    return of_values(BOOLEAN, [is_equal is (operator == "==")])


def _is_disjoint(kind: str, left: Type, right: Type) -> bool:
    """Whether all values of a kind are listed on both sides, and none is on both."""
    if kind not in left.values or kind not in right.values:
        return False
    return not any(value in right.values[kind] for value in left.values[kind])


# -- messages


def _said(side: _Side) -> str:
    node, found = side
    if isinstance(node, Literal) and found.constant and node.value is not None:
        return f"the {str(found).removeprefix('a ')} {_spelled(node.value)}"
    return f"{described(node)!r} ({found})" if isinstance(node, Name | Access) else str(found)


def _described(node: Access, length: int) -> str:
    """What stands before one of the keys of a chain."""
    return _quoted(described(Access(node.offset, node.base, node.keys[:length])))


def _quoted(what: str) -> str:
    """What a node gives, as `described` calls it; what has a name is quoted."""
    return what if what.startswith("the value") else repr(what)


def _spelled(value: Json) -> str:
    """A value as an expression writes it."""
    return str(value).lower() if isinstance(value, bool) else shown(value)


def _listed_values(found: Type) -> list[str]:
    return [
        value if isinstance(value, str) else _spelled(value) for values in found.values.values() for value in values
    ]


def _rewritten(left: _Side, right: _Side) -> str:
    """How a literal would have to be written to be of the other side's kind, where it could be."""
    for (node, _), (_, other) in ((left, right), (right, left)):
        if not isinstance(node, Literal):
            continue
        value = node.value
        if isinstance(value, str) and (
            (NUMBER in other.kinds and _NUMBER.fullmatch(value)) or (BOOLEAN in other.kinds and value in _BOOLEANS)
        ):
            return f"write {value} without quotes"
        if isinstance(value, bool | int | float) and TEXT in other.kinds:
            return f"write '{_spelled(value)}' in quotes"
    return "compare values of one kind; the filters int and string make one of the other"
