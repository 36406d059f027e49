"""From the tree of an expression to a function that evaluates it, and the paths that it reads.

Each node becomes a closure of the run. The nodes of a tree are paid for at once, when its evaluation begins; only what
depends on the data (items, characters) is counted on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid, did_you_mean, with_article
from holdpoint.engine.expressions.filters import FILTERS, TESTS, Builtin, Call
from holdpoint.engine.expressions.operators import (
    ARITHMETIC,
    COMPARISONS,
    MISSING,
    is_number,
    joined,
    minus,
    to_text,
    type_name,
)
from holdpoint.engine.expressions.parse import (
    MAX_DEPTH,
    Access,
    Arithmetic,
    Choice,
    Compare,
    Concat,
    ExpressionSyntaxError,
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
from holdpoint.engine.expressions.reading import Key, attribute_reader, follow, unknown_name, walk
from holdpoint.engine.expressions.scope import ExpressionError, Run

Code: TypeAlias = Callable[[Run], Json]


def compiled(node: Node, depth: int = 0) -> Code:
    """The function that evaluates a tree; raises `ExpressionSyntaxError` for unknown filters and wrong arguments."""
    return _COMPILERS[type(node)](node, _deeper(node, depth))


def _deeper(node: Node, depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise ExpressionSyntaxError(f"nested deeper than {MAX_DEPTH}", node.offset)
    return depth + 1


def _compiled_or_missing(node: Node, depth: int) -> Code:
    """As `compiled`, but a property that is not there gives MISSING, whatever a schema says."""
    if isinstance(node, Access):
        return _access(node, _deeper(node, depth), is_soft=True)
    if isinstance(node, Filter) and node.name in _MAY_BE_MISSING:
        return _plain_filter(node, _deeper(node, depth), is_soft=True)
    return compiled(node, depth)


# -- values


def _literal(node: Literal, depth: int) -> Code:
    value = node.value
    return lambda run: value


def _name(node: Name, depth: int) -> Code:
    name = node.name

    def code(run: Run) -> Json:
        try:
            return run.values[name]
        except KeyError:
            raise unknown_name(run, name) from None

    return code


def _access(node: Access, depth: int, is_soft: bool = False) -> Code:
    if all(isinstance(key, Literal) for key in node.keys) and isinstance(node.base, Name):
        return _static_path(node, node.base.name, is_soft)
    base = _compiled_or_missing(node.base, depth) if is_soft else compiled(node.base, depth)
    codes = [compiled(key, depth) for key in node.keys]

    def code(run: Run) -> Json:
        value = base(run)
        keys = [code(run) for code in codes]
        if is_soft:
            return walk(value, keys)
        return follow(run, node, value, keys)

    return code


def _static_path(node: Access, root: str, is_soft: bool) -> Code:
    """The hot path: `input.amount`."""
    keys = _static_keys(node)

    def code(run: Run) -> Json:
        try:
            value = run.values[root]
        except KeyError:
            raise unknown_name(run, root) from None
        found = value
        try:
            for key in keys:
                found = found[key]
            return found
        except (KeyError, IndexError, TypeError):
            return MISSING if is_soft else follow(run, node, value, keys)

    return code


def _static_keys(node: Access) -> tuple[Key, ...]:
    """The keys before the first that is only known when it runs."""
    keys: list[Key] = []
    for key in node.keys:
        if not isinstance(key, Literal):
            break
        keys.append(key.value)
    return tuple(keys)


def _slice(node: Slice, depth: int) -> Code:
    base = compiled(node.base, depth)
    start = compiled(node.start, depth) if node.start else _nothing
    stop = compiled(node.stop, depth) if node.stop else _nothing

    def code(run: Run) -> Json:
        value = base(run)
        if type(value) not in (str, list):
            raise ExpressionError(f"a slice takes a list or a text, not {type_name(value)}")
        part = value[_bound(start(run)) : _bound(stop(run))]
        run.spend(len(part) if type(part) is list else len(part) // 1000)
        return part

    return code


def _nothing(run: Run) -> Json:
    return None


def _bound(value: Json) -> int | None:
    if value is None or type(value) is int:
        return value
    raise ExpressionError(f"a slice goes from integer to integer, not {type_name(value)}")


def _list(node: ListOf, depth: int) -> Code:
    items = [compiled(item, depth) for item in node.items]
    return lambda run: [item(run) for item in items]


def _object(node: ObjectOf, depth: int) -> Code:
    entries = [(compiled(key, depth), compiled(value, depth)) for key, value in node.entries]

    def code(run: Run) -> Json:
        found: dict[str, Json] = {}
        for key_code, value_code in entries:
            key = key_code(run)
            if type(key) is not str:
                raise ExpressionError(f"a key of an object is a text, not {type_name(key)}")
            found[key] = value_code(run)
        return found

    return code


# -- operators


def _unary(node: Unary, depth: int) -> Code:
    operand = compiled(node.operand, depth)
    if node.operator == "not":
        return lambda run: not operand(run)
    sign = node.operator

    def code(run: Run) -> Json:
        value = operand(run)
        if not is_number(value):
            raise ExpressionError(f"the sign '{sign}' takes a number, not {type_name(value)}")
        return minus(run, 0, value) if sign == "-" else value

    return code


def _arithmetic(node: Arithmetic, depth: int) -> Code:
    first = compiled(node.first, depth)
    rest = [(ARITHMETIC[operator], compiled(operand, depth)) for operator, operand in node.rest]

    def code(run: Run) -> Json:
        value = first(run)
        for operation, operand in rest:
            value = operation(run, value, operand(run))
        return value

    return code


def _concat(node: Concat, depth: int) -> Code:
    parts = [compiled(part, depth) for part in node.parts]
    return lambda run: joined(run, (to_text(run, part(run)) for part in parts))


def _compare(node: Compare, depth: int) -> Code:
    first = compiled(node.first, depth)
    rest = [(COMPARISONS[operator], compiled(operand, depth)) for operator, operand in node.rest]
    if len(rest) == 1:
        [(compare, second)] = rest
        return lambda run: compare(run, first(run), second(run))

    def code(run: Run) -> Json:
        left = first(run)
        for compare, operand in rest:
            right = operand(run)
            if not compare(run, left, right):
                return False
            left = right
        return True

    return code


def _logic(node: Logic, depth: int) -> Code:
    *parts, last = (compiled(part, depth) for part in node.parts)
    stops_at = node.operator == "or"

    def code(run: Run) -> Json:
        for part in parts:
            value = part(run)
            if bool(value) is stops_at:
                return value
        return last(run)

    return code


def _choice(node: Choice, depth: int) -> Code:
    test, then = compiled(node.test, depth), compiled(node.then, depth)
    otherwise = compiled(node.otherwise, depth)
    return lambda run: then(run) if test(run) else otherwise(run)


# -- filters and tests


def _filter(node: Filter, depth: int) -> Code:
    special = _SPECIAL_FILTERS.get(node.name)
    return special(node, depth) if special else _plain_filter(node, depth)


def _plain_filter(node: Filter, depth: int, is_soft: bool = False) -> Code:
    builtin = _builtin(node)
    may_be_missing = node.name in _MAY_BE_MISSING
    base = _compiled_or_missing(node.base, depth) if is_soft else compiled(node.base, depth)
    arguments = _arguments(node, builtin, depth)
    function = builtin.function

    def code(run: Run) -> Json:
        value = base(run)
        if value is MISSING:
            return MISSING
        found = function(Call(run, node), value, *[argument(run) for argument in arguments])
        if found is MISSING and may_be_missing and not is_soft:
            raise ExpressionError(f"'{node.name}' finds nothing: it is empty; use the filter default after it")
        return found

    return code


def _default(node: Filter, depth: int) -> Code:
    """`default(value, boolean)`: for what is missing, and with `true` for what counts as false."""
    value, boolean = _arguments(node, _DEFAULT, depth)
    base = _compiled_or_missing(node.base, depth)

    def code(run: Run) -> Json:
        found = base(run)
        if found is MISSING or (boolean(run) is True and not found):
            return value(run)
        return found

    return code


def _map(node: Filter, depth: int) -> Code:
    """`map(attribute='a.b', default=…)`, or `map('name', …)`, a filter for each item."""
    base = compiled(node.base, depth)
    if any(name == "attribute" for name, _ in node.named):
        opened = _attribute_of_each(node, depth)
    else:
        opened = _applied_filter(node, depth)

    def code(run: Run) -> Json:
        items = Call(run, node).items(base(run))
        apply = opened(run)
        return [apply(item) for item in items]

    return code


def _select(node: Filter, depth: int) -> Code:
    """`select('odd')`; without a test, what counts as true."""
    keeps = not node.name.startswith("reject")
    base = compiled(node.base, depth)
    attribute: Code | None = None
    arguments = node.arguments
    if node.name.endswith("attr"):
        if not arguments:
            _fail(node, "takes the name of an attribute first")
        attribute, arguments = compiled(arguments[0], depth), arguments[1:]
    opened = _applied_test(node, arguments, depth)

    def code(run: Run) -> Json:
        items = Call(run, node).items(base(run))
        read = attribute_reader(run, node.base, attribute(run)) if attribute else _itself
        passes = opened(run)
        return [item for item in items if bool(passes(read(item))) is keeps]

    return code


_PerItem: TypeAlias = Callable[[Json], Json]


def _itself(value: Json) -> Json:
    return value


def _attribute_of_each(node: Filter, depth: int) -> Callable[[Run], _PerItem]:
    attribute, default = _arguments(node, _MAP, depth)
    return lambda run: attribute_reader(run, node.base, attribute(run), default(run))


def _applied_filter(node: Filter, depth: int) -> Callable[[Run], _PerItem]:
    """The filter that the first argument names, with the others, as what opens a function of an item."""
    name = _written_name(node, node.arguments, "filter")
    if name in _SPECIAL_FILTERS or name in _MAY_BE_MISSING:
        _fail(node, f"cannot apply '{name}' to each item")
    return _applied(Filter(node.offset, node.base, name, node.arguments[1:], node.named), depth)


def _applied_test(node: Filter, arguments: tuple[Node, ...], depth: int) -> Callable[[Run], _PerItem]:
    if not arguments and not node.named:
        return lambda run: _itself
    name = _written_name(node, arguments, "test")
    if name in _SPECIAL_TESTS:
        _fail(node, f"cannot apply '{name}' to each item; use map with a default")
    return _applied(Test(node.offset, node.base, name, arguments[1:], node.named, False), depth)


def _applied(node: Filter | Test, depth: int) -> Callable[[Run], _PerItem]:
    builtin = _builtin(node)
    function = builtin.function
    codes = _arguments(node, builtin, depth)

    def opened(run: Run) -> _PerItem:
        call = Call(run, node)
        arguments = [code(run) for code in codes]  # once, however many items

        def apply(item: Json) -> Json:
            run.spend(1)
            return function(call, item, *arguments)

        return apply

    return opened


def _written_name(node: Filter, arguments: tuple[Node, ...], kind: str) -> str:
    first = arguments[0] if arguments else None
    if not isinstance(first, Literal) or not isinstance(first.value, str):
        hint = ", or attribute='…'" if node.name == "map" else ""
        _fail(node, f"takes the name of {with_article(kind)}, written as a text{hint}")
    return first.value


def _test(node: Test, depth: int) -> Code:
    if node.name in _SPECIAL_TESTS:
        return _defined(node, depth)
    builtin = _builtin(node)
    base = compiled(node.base, depth)
    arguments = _arguments(node, builtin, depth)
    function, is_negated = builtin.function, node.is_negated

    def code(run: Run) -> Json:
        found = function(Call(run, node), base(run), *[argument(run) for argument in arguments])
        return found is not is_negated

    return code


def _defined(node: Test, depth: int) -> Code:
    _arguments(node, _NO_ARGUMENTS, depth)
    base = _compiled_or_missing(node.base, depth)
    wants_missing = (node.name == "undefined") is not node.is_negated
    return lambda run: (base(run) is MISSING) is wants_missing


def _builtin(node: Filter | Test) -> Builtin:
    table, special, kind = (
        (FILTERS, _SPECIAL_FILTERS.keys(), "filter") if isinstance(node, Filter) else (TESTS, _SPECIAL_TESTS, "test")
    )
    found = table.get(node.name)
    if found is None:
        hint = did_you_mean(node.name[:100], [*table, *special])
        shown = node.name if len(node.name) <= 40 else node.name[:39] + "…"
        raise ExpressionSyntaxError(f"there is no {kind} '{shown}'" + (f"; {hint}" if hint else ""), node.offset)
    return found


def _arguments(node: Filter | Test, builtin: Builtin, depth: int) -> list[Code]:
    """One function for each parameter, in order."""
    parameters = builtin.parameters
    given = dict(zip(parameters, node.arguments, strict=False))
    if len(node.arguments) > len(parameters):
        most = f"at most {len(parameters)}" if parameters else "no"
        _fail(node, f"takes {most} argument{'' if len(parameters) == 1 else 's'}, not {len(node.arguments)}")
    for name, argument in node.named:
        if name not in parameters:
            takes = f"; it takes {', '.join(parameters)}" if parameters else ""
            _fail(node, f"has no argument '{name[:40]}'{takes}")
        if name in given:
            _fail(node, f"takes the argument '{name}' once")
        given[name] = argument
    optional = dict(zip(reversed(parameters), reversed(builtin.defaults), strict=False))
    codes = []
    for name in parameters:
        if name not in given and name not in optional:
            _fail(node, f"takes an argument '{name}'")
        codes.append(compiled(given[name], depth) if name in given else _constant(optional[name]))
    if parameters and parameters[0] in given:
        _check_literal(given[parameters[0]], builtin)
    return codes


def _constant(value: Json) -> Code:
    return lambda run: value


def _check_literal(argument: Node, builtin: Builtin) -> None:
    if builtin.check and isinstance(argument, Literal):
        try:
            builtin.check(argument.value)
        except Invalid as error:
            raise ExpressionSyntaxError(error.message, argument.offset) from None


def _fail(node: Filter | Test, why: str) -> NoReturn:
    raise ExpressionSyntaxError(f"'{node.name}' {why}", node.offset)


_MAY_BE_MISSING = {"first", "last", "min", "max"}
_SPECIAL_TESTS = {"defined", "undefined"}
_DEFAULTS = {"default", "d"}
_SPECIAL_FILTERS: dict[str, Callable[[Filter, int], Code]] = {
    "default": _default,
    "d": _default,
    "map": _map,
    "select": _select,
    "reject": _select,
    "selectattr": _select,
    "rejectattr": _select,
}
_DEFAULT = Builtin(function=_itself, parameters=("value", "boolean"), defaults=("", False))
_MAP = Builtin(function=_itself, parameters=("attribute", "default"), defaults=(MISSING,))
_NO_ARGUMENTS = Builtin(function=_itself, parameters=(), defaults=())

_COMPILERS: dict[type, Callable[..., Code]] = {
    Literal: _literal,
    Name: _name,
    Access: _access,
    Slice: _slice,
    ListOf: _list,
    ObjectOf: _object,
    Unary: _unary,
    Arithmetic: _arithmetic,
    Concat: _concat,
    Compare: _compare,
    Logic: _logic,
    Choice: _choice,
    Filter: _filter,
    Test: _test,
}


# -- what is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A chain that is read from a root name, as far as its keys are written out.

    `offset` is that of the root name. A guarded path may be missing: it stands before `default` or `is defined`.
    """

    root: str
    keys: tuple[Key, ...]
    offset: int
    guarded: bool = False


def paths_of(node: Node, guarded: bool = False) -> Iterator[Path]:
    """Every path that a tree reads, in the order of its text as far as that is the tree's."""
    if isinstance(node, Name):
        yield Path(root=node.name, keys=(), offset=node.offset, guarded=guarded)
    elif isinstance(node, Access):
        if isinstance(node.base, Name):
            yield Path(root=node.base.name, keys=_static_keys(node), offset=node.offset, guarded=guarded)
        else:
            yield from paths_of(node.base, guarded)
        for key in node.keys:
            yield from paths_of(key)
    elif isinstance(node, Filter | Test):
        passes_on = guarded and isinstance(node, Filter) and node.name in _MAY_BE_MISSING
        yield from paths_of(node.base, is_soft(node) or passes_on)
        for argument in (*node.arguments, *(value for _, value in node.named)):
            yield from paths_of(argument)
    else:
        for child in children_of(node):
            yield from paths_of(child)


def is_soft(node: Node) -> bool:
    """Whether what an expression is about may be missing: `default`, `is defined`."""
    names = _DEFAULTS if isinstance(node, Filter) else _SPECIAL_TESTS
    return isinstance(node, Filter | Test) and node.name in names


def children_of(node: Node) -> Iterator[Node]:
    """The expressions directly inside of another."""
    if isinstance(node, Access):
        yield from (node.base, *node.keys)
    elif isinstance(node, Filter | Test):
        yield from (node.base, *node.arguments, *(value for _, value in node.named))
    elif isinstance(node, Slice):
        yield from (part for part in (node.base, node.start, node.stop) if part)
    elif isinstance(node, ListOf):
        yield from node.items
    elif isinstance(node, ObjectOf):
        for key, value in node.entries:
            yield from (key, value)
    elif isinstance(node, Unary):
        yield node.operand
    elif isinstance(node, Arithmetic | Compare):
        yield node.first
        yield from (operand for _, operand in node.rest)
    elif isinstance(node, Concat | Logic):
        yield from node.parts
    elif isinstance(node, Choice):
        yield from (node.then, node.test, node.otherwise)
