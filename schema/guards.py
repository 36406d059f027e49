"""Lists of targets with conditions: one of them holds whatever happens, or the run fails where none does.

What a condition compares is tried out: for each value that it names, one of it and one on either side of it, in all
combinations. Where all conditions are made of such comparisons, that is a proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import Final, TypeAlias

from holdpoint.engine.canonical import Json
from holdpoint.engine.expressions import Expression, ExpressionError, ExpressionSyntaxError, Scope, parse_expression
from holdpoint.engine.expressions.parse import Access, Compare, Literal, Logic, Name, Node, Unary
from holdpoint.schema.flow import Flow, arcs_of, written
from holdpoint.schema.names import Names
from holdpoint.schema.sheet import Edge, Sheet
from holdpoint.schema.types import ANY, BOOLEAN, NONE, Type

_MAX_TRIED: Final = 4_096
_Words: TypeAlias = tuple[str, ...]


def check_guards(sheet: Sheet, flow: Flow) -> None:
    """Report lists of targets of which none may hold, and those of which none can."""
    names = Names(sheet)
    for edge in sheet.all_edges():
        if any(when is None for _, _, when in edge.targets):
            continue
        source = str(edge.path[1]) if edge.path[0] == "states" else None
        if source is not None and source not in flow.nodes:
            continue
        name = f"option {edge.option!r} of state {source!r}" if source else repr(edge.option)
        if source is not None and (gone := _never_leaves(sheet, flow, edge, source)):
            message = f"no target of {name} can hold {gone}: the run fails there"
            sheet.report.value(edge.path, "HP257", message, "add a last target without 'when'")
        elif not covers_all(names, edge):
            message = f"it is not certain that a target of {name} holds: where none does, the run fails"
            sheet.report.value(edge.path, "HP252", message, "add a last target without 'when'")


def _never_leaves(sheet: Sheet, flow: Flow, edge: Edge, source: str) -> str:
    """When no target of an option can ever hold, in words; empty where that is not known."""
    takers = dict.fromkeys(arc.by for arc in arcs_of(sheet, source) if arc.option == edge.option)
    for node in flow.nodes[source]:
        taken = {step.arc.by for step in flow.after[node] if step.arc.option == edge.option}
        if any(by not in taken for by in takers):
            way = written(flow.way_to(node))
            return f"after {way}" if way else "where a run begins"
    return ""


def covers_all(names: Names, edge: Edge) -> bool:
    """Whether it is certain that a condition of some target holds."""
    try:
        conditions = [parse_expression(when) for _, _, when in edge.targets if when is not None]
    except ExpressionSyntaxError:
        return True  # reported where it stands
    tried: dict[_Words, list[Json]] = {}
    for condition in conditions:
        if not _collect(condition.root, tried):
            return False
    domains = [_domain(names, words, literals) for words, literals in tried.items()]
    size = 1
    for domain in domains:
        size *= len(domain)
    return size <= _MAX_TRIED and all(
        _some_holds(conditions, dict(zip(tried, values, strict=True))) for values in product(*domains)
    )


def _some_holds(conditions: Sequence[Expression], values: Mapping[_Words, Json]) -> bool:
    names: dict[str, Json] = {}
    for words, value in values.items():
        holder = names
        for word in words[:-1]:
            holder = holder.setdefault(word, {})
            if not isinstance(holder, dict):
                return False  # a value is asked for itself and for its properties
        holder[words[-1]] = value
    try:
        return any(condition.holds(Scope(values=names)) for condition in conditions)
    except ExpressionError:
        return False


def _collect(node: Node, tried: dict[_Words, list[Json]]) -> bool:
    """Note what a condition compares with what; False where it is made of anything else."""
    if isinstance(node, Unary) and node.operator == "not":
        return _collect(node.operand, tried)
    if isinstance(node, Logic):
        return all(_collect(part, tried) for part in node.parts)
    if isinstance(node, Literal):
        return isinstance(node.value, bool)
    if isinstance(node, Name | Access):
        words = _words(node)
        tried.setdefault(words, []).extend((True, False))
        return bool(words)
    return isinstance(node, Compare) and all(_collect_pair(*pair, tried) for pair in _pairs(node))


def _pairs(node: Compare) -> Iterator[tuple[Node, Node]]:
    yield from pairwise((node.first, *(operand for _, operand in node.rest)))


def _collect_pair(first: Node, second: Node, tried: dict[_Words, list[Json]]) -> bool:
    path, literal = (first, second) if isinstance(second, Literal) else (second, first)
    words = _words(path)
    if not words or not isinstance(literal, Literal) or isinstance(literal.value, list | dict):
        return False
    tried.setdefault(words, []).append(literal.value)
    return True


def _words(node: Node) -> _Words:
    if isinstance(node, Name):
        return (node.name,)
    if isinstance(node, Access) and isinstance(node.base, Name):
        keys = [key.value for key in node.keys if isinstance(key, Literal) and isinstance(key.value, str)]
        if len(keys) == len(node.keys):
            return (node.base.name, *keys)
    return ()


def _domain(names: Names, words: _Words, literals: Sequence[Json]) -> list[Json]:
    """Values to try: those that are all there are, or each literal with its neighbours."""
    allowed, is_all = _allowed(names, words)
    if is_all:
        return allowed
    literals = [*literals, *allowed]
    # By type too: 1 and true are equal, and not the same.
    found: list[Json] = [value for _, value in dict.fromkeys((type(value), value) for value in literals)]
    numbers = sorted({value for value in found if isinstance(value, int | float) and not isinstance(value, bool)})
    texts = sorted({value for value in found if isinstance(value, str)})
    if numbers:
        found += [numbers[0] - 1, numbers[-1] + 1, *((low + high) / 2 for low, high in pairwise(numbers))]
    if texts:
        found += ["", *(f"{text}\x00" for text in texts)]
    if any(isinstance(value, bool) for value in found):
        found += [True, False]
    return found


def _allowed(names: Names, words: _Words) -> tuple[list[Json], bool]:
    """Values that something can have, as far as they are known, and whether there are no others."""
    found: Type | None = names.get(words[0], ANY)
    for word in words[1:]:
        found = found.read(word) if found is not None else None
    if found is None or found.kinds == ANY.kinds:
        return [], False  # nothing is claimed of what nothing is known of
    values: list[Json] = []
    is_all = True
    for kind in found.kinds:
        known = (None,) if kind == NONE else (True, False) if kind == BOOLEAN else found.values.get(kind, ())
        values += known
        is_all = is_all and bool(known)
    return values, is_all
