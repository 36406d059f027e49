"""What a run does if nobody ever answers: whether it ends, by which way, and how long that takes at most.

Only agents, deadlines and waits move a run then. A crash or a failure of an agent without an `error` edge, after
which an operator is needed, is left aside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, floor
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import DEFAULT_TIMEOUT, TIMEOUT
from holdpoint.engine.durations import DAY, Duration, parse_duration
from holdpoint.engine.errors import Invalid
from holdpoint.engine.expressions import ExpressionSyntaxError, parse_expression
from holdpoint.engine.expressions.evaluate import paths_of
from holdpoint.engine.expressions.parse import Access, Arithmetic, Compare, Literal, Logic, Name, Unary
from holdpoint.engine.expressions.parse import Node as Tree
from holdpoint.schema.agents import RETRY_DEFAULTS
from holdpoint.schema.flow import Arc, Flow, Node, Step, shortest_way
from holdpoint.schema.sheet import Sheet, State

_ALONE: Final = ("agent", "deadline", "time")
_FIXED: Final = ("input", "run")
# The upper bounds that a comparison can say, with the counter on its left; as written, and with the sides turned.
_AS_WRITTEN: Final = {"<": "<", "<=": "<=", "==": "=="}
_TURNED: Final = {">": "<", ">=": "<=", "==": "=="}
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "!=": "=="}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A step that is taken so many times at most (None: so often as the input says), counted by visits of a state."""

    step: Step
    state: str
    times: int | None


class Silence:
    """The graph of a workflow without people and signals."""

    def __init__(self, sheet: Sheet, flow: Flow) -> None:
        self._sheet = sheet
        self._flow = flow
        self._bounded: list[Bound] = []
        alone = [step for step in flow.steps if step.source is not None and step.arc.by in _ALONE]
        self._steps = [step for step in alone if step.arc.by != "deadline"]
        self.runaway: Sequence[Step] | None = self._unbound()
        """A cycle in which no person is asked and which nothing bounds."""
        self._steps += [step for step in alone if step.arc.by == "deadline"]
        self.endless: Sequence[Step] | None = self.runaway or self._unbound()
        """The same, or a cycle through people who do not answer."""

    @property
    def bounds(self) -> list[str]:
        """What goes round without a person and is bounded, in words."""
        found = dict.fromkeys((bound.state, bound.times) for bound in self._bounded)
        return [
            f"'visits.{state}' at most " + ("what the input says" if times is None else str(times))
            for state, times in found
        ]

    @cached_property
    def stays(self) -> Sequence[Step] | None:
        """The shortest way to a state that waits for ever if nobody answers; None where there is none."""
        states = self._sheet.states

        def is_stuck(step: Step) -> bool:
            kind = states[step.target.state]["type"]
            return kind != "end" and not any(after.arc.by in _ALONE for after in self._flow.after[step.target])

        return shortest_way(self._begin, self._onwards, is_stuck) or None

    @cached_property
    def longest(self) -> Sequence[Step]:
        """The way that waits longest without going round, once it is known that all ways end."""
        return self._longest(self._waits, self._begin)[1]

    @cached_property
    def figure(self) -> str:
        """How long a run waits at most, and what is not in that figure."""
        seconds, agents = self._most(self._waits), self._most(self._works)
        rounds = ", and again in each round that the input allows" if self._is_open else ""
        until = [repr(state["until"]) for name, state in self._sheet.of_types("wait") if self._is_moment(name, state)]
        waits = f"at most {_spelt(seconds)}" if seconds else "no waiting"
        return (
            f"unattended: {waits}{rounds}"
            + (f", and until {' and '.join(until)}" if until else "")
            + (f", besides {_spelt(agents)} of agents' attempts" if agents else "")
        )

    @property
    def _is_open(self) -> bool:
        return any(bound.times is None for bound in self._bounded)

    def _is_moment(self, name: str, state: State) -> bool:
        return "until" in state and name in self._silent_states

    @property
    def _begin(self) -> Sequence[Step]:
        return [step for step in self._flow.after[None] if step.arc.by == "beginning"]

    def _onwards(self, step: Step) -> Iterator[Step]:
        return (after for after in self._flow.after[step.target] if after.arc.by in _ALONE)

    def _most(self, weight: Callable[[Step], int]) -> int:
        """The most that a run can spend: on its way as far as the first round, and on each round that is bounded."""
        first, _ = self._longest(weight, self._begin)
        return first + sum(
            (bound.times or 1) * (weight(bound.step) + self._longest(weight, [bound.step])[0])
            for bound in self._bounded
            if _source(bound.step).state in self._silent_states
        )

    @cached_property
    def _silent_states(self) -> Set[str]:
        seen: set[Node] = set()
        waiting = [step.target for step in self._begin]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting.extend(step.target for step in self._flow.after[node] if step.arc.by in _ALONE)
        return {node.state for node in seen}

    def _waits(self, step: Step) -> int:
        state = self._sheet.states.get(step.arc.source or "", {})
        if step.arc.by == "deadline":
            return _seconds(state[TIMEOUT])
        return _seconds(state["for"]) if step.arc.by == "time" and "for" in state else 0

    def _works(self, step: Step) -> int:
        state = self._sheet.states.get(step.arc.source or "", {})
        return _attempts(state) if step.arc.by == "agent" else 0

    def _longest(self, weight: Callable[[Step], int], begin: Sequence[Step]) -> tuple[int, Sequence[Step]]:
        """The heaviest way on after some steps, once what is bounded is left out of the graph: it has no cycle then."""
        best: dict[Node, tuple[int, int, Step]] = {step.target: (0, 0, step) for step in begin}
        for node in self._in_order:
            if node in best:
                seconds, length, _ = best[node]
                for step in self._following.get(node, ()):
                    found = (seconds + weight(step), length + 1, step)
                    if step.target not in best or found[:2] > best[step.target][:2]:
                        best[step.target] = found
        if not best:
            return 0, ()
        last = max(best, key=lambda node: best[node][:2])
        way = [best[last][2]]
        while way[-1] not in begin:
            way.append(best[_source(way[-1])][2])
        return best[last][0], way[::-1]

    @cached_property
    def _following(self) -> Mapping[Node, Sequence[Step]]:
        return _outgoing(self._steps)

    @cached_property
    def _in_order(self) -> Sequence[Node]:
        """The nodes, each after all from which a step leads to it."""
        into: dict[Node, int] = defaultdict(int)
        for step in self._steps:
            into[step.target] += 1
        order = [node for nodes in self._flow.nodes.values() for node in nodes if not into[node]]
        for node in order:
            for step in self._following.get(node, ()):
                into[step.target] -= 1
                if not into[step.target]:
                    order.append(step.target)
        return order

    def _unbound(self) -> Sequence[Step] | None:
        """Take every step out that is bounded; a cycle that is left, or None."""
        while True:
            parts = _strongly_connected(self._flow, self._steps)
            inner = [step for step in self._steps if step.source and parts[step.source] == parts[step.target]]
            if not inner:
                return None
            found = [bound for step in inner if (bound := self._bound(step, inner)) is not None]
            if not found:
                return self._cycle(inner)
            self._bounded += found
            taken = {bound.step for bound in found}
            self._steps = [step for step in self._steps if step not in taken]

    def _bound(self, step: Step, inner: Sequence[Step]) -> Bound | None:
        for state, times in _counters(step.arc):
            around = [other for other in inner if state not in (_source(other).state, other.target.state)]
            if state in (_source(step).state, step.target.state) or not _leads(step.target, _source(step), around):
                return Bound(step=step, state=state, times=times)
        return None

    def _cycle(self, inner: Sequence[Step]) -> Sequence[Step]:
        """The shortest way round by one of the steps, begun at the state that stands first in the file."""
        order = {name: index for index, name in enumerate(self._sheet.states)}
        step = min(inner, key=lambda step: order[_source(step).state])
        after = _outgoing(inner)
        goal = _source(step)
        starts = [step] if step.target is goal else after[goal]
        return shortest_way(starts, lambda step: after[step.target], lambda step: step.target is goal)


def _source(step: Step) -> Node:
    assert step.source is not None, "steps that begin are in no cycle"
    return step.source


def _outgoing(steps: Iterable[Step]) -> Mapping[Node, Sequence[Step]]:
    found: dict[Node, list[Step]] = defaultdict(list)
    for step in steps:
        found[_source(step)].append(step)
    return found


def _leads(start: Node, goal: Node, steps: Iterable[Step]) -> bool:
    after = _outgoing(steps)
    seen = {start}
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if node is goal:
            return True
        for step in after.get(node, ()):
            if step.target not in seen:
                seen.add(step.target)
                waiting.append(step.target)
    return False


def _strongly_connected(flow: Flow, steps: Sequence[Step]) -> Mapping[Node, int]:
    """For each node the number of its strongly connected component, by Tarjan's algorithm without recursion.

    A node without a step to itself gets a number that it shares with none, so that only cycles have inner steps.
    """
    after = _outgoing(steps)
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    part: dict[Node, int] = {}
    stack: list[Node] = []
    for root in (node for nodes in flow.nodes.values() for node in nodes):
        if root in index:
            continue
        work = [(root, iter(after.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while work:
            node, following = work[-1]
            step = next(following, None)
            if step is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    while True:
                        member = stack.pop()
                        part[member] = index[node]
                        if member is node:
                            break
            elif step.target not in index:
                index[step.target] = low[step.target] = len(index)
                stack.append(step.target)
                work.append((step.target, iter(after.get(step.target, ()))))
            elif step.target not in part:
                low[node] = min(low[node], index[step.target])
    return part


def _counters(arc: Arc) -> Iterator[tuple[str, int | None]]:
    """The states whose visits an arc's conditions bound, each with how often it can be taken (None: the input says)."""
    for text, holds in (*((text, False) for text in arc.refused), (arc.when, True)):
        try:
            if text is not None:
                for state, shift, operator, bound in _counted(parse_expression(text).root, holds):
                    # A state that is being left has been visited at least once.
                    yield state, _times(operator, bound, shift + (state != arc.source))
        except ExpressionSyntaxError:
            continue  # reported where it stands


def _times(operator: str, bound: Tree, spare: int) -> int | None:
    if operator == "==":
        return 1
    if not isinstance(bound, Literal) or not isinstance(bound.value, int | float):
        return None
    return max(0, ceil(bound.value) - 1 if operator == "<" else floor(bound.value)) + spare


def _counted(node: Tree, holds: bool) -> Iterator[tuple[str, int, str, Tree]]:
    """Each count of visits with its upper bound, as in `visits.draft - shift < bound`."""
    if isinstance(node, Unary) and node.operator == "not":
        yield from _counted(node.operand, not holds)
    elif isinstance(node, Logic) and (node.operator == "and") == holds:
        for part in node.parts:
            yield from _counted(part, holds)
    elif isinstance(node, Compare) and (holds or len(node.rest) == 1):
        operands = (node.first, *(operand for _, operand in node.rest))
        for (left, right), (operator, _) in zip(pairwise(operands), node.rest, strict=True):
            for counter, bound, sides in ((left, right, _AS_WRITTEN), (right, left, _TURNED)):
                found = _counts(counter)
                meant = sides.get(operator if holds else _OPPOSITE.get(operator, ""))
                if found is not None and meant is not None and _is_fixed(bound):
                    yield *found, meant, bound


def _counts(node: Tree) -> tuple[str, int] | None:
    """The state whose visits an expression counts, and how much less than them it is: `visits.draft - 1`."""
    shift = 0
    if isinstance(node, Arithmetic):
        for operator, part in node.rest:
            if operator not in ("+", "-") or not isinstance(part, Literal) or not isinstance(part.value, int):
                return None
            shift += part.value if operator == "-" else -part.value
        node = node.first
    if isinstance(node, Access) and isinstance(node.base, Name) and node.base.name == "visits" and len(node.keys) == 1:
        key = node.keys[0]
        return (key.value, shift) if isinstance(key, Literal) and isinstance(key.value, str) else None
    return None


def _is_fixed(node: Tree) -> bool:
    """Whether an expression has the same value as long as a run lasts."""
    return all(path.root in _FIXED for path in paths_of(node))


def _attempts(state: State) -> int:
    """The seconds that all attempts of an agent and the delays between them take at most."""
    if "value" in state:
        return 0
    retry: Mapping[str, Json] = {**RETRY_DEFAULTS, **state["retry"]} if "retry" in state else {"attempts": 1}
    attempts = int(retry["attempts"])
    one = _seconds(state[TIMEOUT]) if TIMEOUT in state else DEFAULT_TIMEOUT.days * DAY + DEFAULT_TIMEOUT.seconds
    if attempts == 1:
        return one
    longest, delay = _seconds(retry["max_delay"]), _seconds(retry["delay"])
    delays = sum(min(longest, int(delay * float(retry["factor"]) ** min(count, 64))) for count in range(attempts - 1))
    return one * attempts + delays


def _seconds(text: str) -> int:
    try:
        duration = parse_duration(text)
    except Invalid:
        return 0  # reported where it stands
    return duration.days * DAY + duration.seconds


def _spelt(seconds: int) -> str:
    """A length of time in days of 24 hours, hours, minutes and seconds."""
    return str(Duration(days=seconds // DAY, seconds=seconds % DAY))
