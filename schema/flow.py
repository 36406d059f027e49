"""Where runs of a workflow can go, and what is known of them there: the graph that the checks walk.

A node is a state together with what is known when a run enters it, so that a way which no run can take (into a
branch for a decision that was not made) is not in the graph. Whatever runs do is in it; not all that is in it can
happen. What nobody knows before, such as the value of an input, is left open.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, TypeAlias

from holdpoint.engine.definition import TIMEOUT
from holdpoint.engine.expressions import ExpressionSyntaxError, parse_expression
from holdpoint.schema.facts import ERROR, PREVIOUS, PREVIOUS_RESULT, Facts, Knowledge
from holdpoint.schema.nodes import Path
from holdpoint.schema.sheet import (
    HUMAN_TYPES,
    NEVER,
    Edge,
    Sheet,
    State,
    artifacts_of,
    decision_of,
    forms_of_option,
)

Taker: TypeAlias = Literal["agent", "person", "deadline", "time", "signal", "beginning", "cancel"]
"""Who or what sends a run on its way. A deadline stands in for a person or a signal; time is what a wait waits for."""

# So many different things may be known of runs in one state; beyond, only what all of them have in common.
MAX_FACTS_OF_A_STATE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arc:
    """One way on: from a state (None at the beginning) by an option to one of its targets, and who takes it.

    `path` is that of the target in the file; `refused` are the conditions of the targets before it, which did not
    hold. `makes` are the artifacts that get a new revision on the way.
    """

    source: str | None
    option: str
    target: str
    by: Taker
    path: Path
    when: str | None = None
    refused: Sequence[str] = ()
    makes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """A state as runs enter it with some things known."""

    state: str
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """An arc between two nodes; `source` is None at the beginning."""

    source: Node | None
    arc: Arc
    target: Node


@dataclass(frozen=True, kw_only=True, eq=False)
class Flow:
    """All nodes that runs can come to, and the steps between them."""

    knowledge: Knowledge
    steps: Sequence[Step]
    nodes: Mapping[str, Sequence[Node]]

    @cached_property
    def after(self) -> Mapping[Node | None, Sequence[Step]]:
        """The steps out of each node; those of None begin."""
        return _grouped(self.steps, lambda step: step.source)

    def way_to(self, node: Node) -> Sequence[Step]:
        """The shortest way from a beginning to a node."""
        return shortest_way(self.after[None], lambda step: self.after[step.target], lambda step: step.target is node)

    @cached_property
    def before(self) -> Mapping[Node | None, Sequence[Step]]:
        """The steps into each node."""
        return _grouped(self.steps, lambda step: step.target)


def _grouped(steps: Iterable[Step], end: Callable[[Step], Node | None]) -> Mapping[Node | None, Sequence[Step]]:
    found: dict[Node | None, list[Step]] = defaultdict(list)
    for step in steps:
        found[end(step)].append(step)
    return found


def shortest_way(
    starts: Iterable[Step], after: Callable[[Step], Iterable[Step]], is_there: Callable[[Step], bool]
) -> Sequence[Step]:
    """The shortest row of steps from one of *starts* to one that is there; empty where there is none."""
    came: dict[Step, Step | None] = dict.fromkeys(starts)
    seen = {step.target for step in came}
    waiting = deque(came)
    while waiting:
        step = waiting.popleft()
        if is_there(step):
            return _traced(step, came)
        for following in after(step):
            if following.target not in seen or is_there(following):
                if following not in came:
                    came[following] = step
                    waiting.append(following)
                seen.add(following.target)
    return ()


def _traced(step: Step | None, came: Mapping[Step, Step | None]) -> Sequence[Step]:
    way: list[Step] = []
    while step is not None:
        way.append(step)
        step = came[step]
    return way[::-1]


def written(way: Sequence[Step]) -> str:
    """A way in words: `draft → review (accept, when nobody answers) → pay`."""
    if not way:
        return ""
    parts = [way[0].source.state] if way[0].source else []
    for step in way:
        if parts:
            parts[-1] += _NOTES[step.arc.by].format(step.arc.option)
        parts.append(step.arc.target)
    if len(parts) > _MAX_WRITTEN:
        parts[_MAX_WRITTEN // 2 : -_MAX_WRITTEN // 2] = ["…"]
    return " → ".join(parts)


_MAX_WRITTEN: Final = 12
_NOTES: Final[Mapping[str, str]] = defaultdict(
    str, person=" ({})", signal=" ({})", deadline=" ({}, when nobody answers)"
)


def flow_of(sheet: Sheet, knowledge: Knowledge) -> Flow:
    """The graph of a workflow whose targets all exist."""
    return _Walk(sheet, knowledge).flow()


def arcs_of(sheet: Sheet, name: str) -> Iterator[Arc]:
    """Every way out of a state."""
    state = sheet.states[name]
    for edge in sheet.edges(name):
        for taker in _takers(state, edge.option):
            makes = _made(state, edge.option) if taker in ("agent", "person") else frozenset()
            yield from _arcs(name, edge, taker, makes)


def beginnings(sheet: Sheet) -> Iterator[Arc]:
    """Every way into a workflow: its beginning, and the cleaning up after a run was cancelled."""
    yield from _arcs(None, sheet.initial(), "beginning")
    if (cancel := sheet.on_cancel()) is not None:
        yield from _arcs(None, cancel, "cancel")


def _arcs(source: str | None, edge: Edge, by: Taker, makes: frozenset[str] = frozenset()) -> Iterator[Arc]:
    refused: list[str] = []
    for path, to, when in edge.targets:
        yield Arc(
            source=source,
            option=edge.option,
            target=to,
            by=by,
            path=path,
            when=when,
            refused=tuple(refused),
            makes=makes,
        )
        if when is None:
            return  # nothing after it is ever taken
        refused.append(when)


def _takers(state: State, option: str) -> Iterator[Taker]:
    if state["type"] == "agent":
        yield "agent"
    elif option == TIMEOUT:
        yield "deadline"
    elif state["type"] == "wait":
        yield "signal" if "signal" in state else "time"
    else:
        yield "person"
        if "default" in state and has_deadline(state) and decision_of(state["default"])[0] == option:
            yield "deadline"


def has_deadline(state: State) -> bool:
    """Whether a state that waits for a person or a signal does so for a limited time."""
    return bool(state.get(TIMEOUT, NEVER) != NEVER)


def _made(state: State, option: str) -> frozenset[str]:
    """The artifacts that get a new revision when a state is left by an option, or may get one."""
    if state["type"] == "agent":
        return frozenset(artifacts_of(state) if option == "done" else ())
    show = state.get("show")
    is_edited = state["type"] == "return" and option != "reject" and isinstance(show, list) and bool(show)
    return frozenset(show[:1] if is_edited and isinstance(show, list) else ())


@dataclass(slots=True)
class _Walk:
    """Follows every way from the beginnings until nothing new is known anywhere."""

    sheet: Sheet
    knowledge: Knowledge
    _known: dict[str, list[Facts]] = field(default_factory=lambda: defaultdict(list))
    _waiting: deque[tuple[str, Facts]] = field(default_factory=deque)
    _arcs: dict[str, list[Arc]] = field(default_factory=dict)
    _ways: dict[tuple[str, Facts], list[tuple[Arc, Facts]]] = field(default_factory=dict)

    def flow(self) -> Flow:
        begun = [(arc, self._begun(arc)) for arc in beginnings(self.sheet)]
        for arc, facts in begun:
            if facts is not None:
                self._reach(arc.target, facts)
        while self._waiting:
            name, facts = self._waiting.popleft()
            if facts in self._known[name]:  # else it is covered by what is known now
                for arc, then in self._onwards(name, facts):
                    self._reach(arc.target, then)
        return self._built(begun)

    def _onwards(self, name: str, facts: Facts) -> Sequence[tuple[Arc, Facts]]:
        """The ways out of a state that can be taken with some things known, each with what is known then."""
        if (name, facts) not in self._ways:
            taken = ((arc, self._taken(arc, facts)) for arc in self._arcs_of(name))
            self._ways[name, facts] = [(arc, then) for arc, then in taken if then is not None]
        return self._ways[name, facts]

    def _built(self, begun: Sequence[tuple[Arc, Facts | None]]) -> Flow:
        nodes = {
            name: [Node(state=name, facts=facts) for facts in self._known[name]]
            for name in self.sheet.states
            if name in self._known
        }
        steps = [
            Step(source=None, arc=arc, target=_covering(nodes[arc.target], facts))
            for arc, facts in begun
            if facts is not None
        ]
        for name, entered in nodes.items():
            for node in entered:
                for arc, then in self._onwards(name, node.facts):
                    steps.append(Step(source=node, arc=arc, target=_covering(nodes[arc.target], then)))
        return Flow(knowledge=self.knowledge, steps=steps, nodes=nodes)

    def _arcs_of(self, name: str) -> list[Arc]:
        if name not in self._arcs:
            self._arcs[name] = list(arcs_of(self.sheet, name))
        return self._arcs[name]

    def _reach(self, name: str, facts: Facts) -> None:
        known = self._known[name]
        if any(other.covers(facts) for other in known):
            return
        known[:] = [other for other in known if not facts.covers(other)]
        known.append(facts)
        if len(known) > MAX_FACTS_OF_A_STATE:
            for other in known:
                facts = facts.shared_with(other)
            known[:] = [facts]
        self._waiting.append((name, facts))

    def _begun(self, arc: Arc) -> Facts | None:
        # A run can be cancelled anywhere.
        facts = self.knowledge.nothing_yet if arc.by == "beginning" else Facts()
        return self._entered(arc, self.sheet, facts)

    def _taken(self, arc: Arc, facts: Facts) -> Facts | None:
        return self._entered(arc, self.sheet, left(self.sheet, self.knowledge, arc, facts))

    def _entered(self, arc: Arc, sheet: Sheet, facts: Facts) -> Facts | None:
        then = chosen(self.knowledge, arc, facts)
        if then is None:
            return None
        then = self.knowledge.learn(then, PREVIOUS, arc.source is not None or arc.by == "cancel")
        return self.knowledge.learn(then, PREVIOUS_RESULT, _leaves_result(sheet, arc))


def left(sheet: Sheet, knowledge: Knowledge, arc: Arc, facts: Facts) -> Facts:
    """What is known once a state has its result, before the target is chosen."""
    name = arc.source or ""
    state = sheet.states[name]
    result = _leaves_result(sheet, arc)
    if state["type"] == "agent":
        # An attempt that failed before the one that succeeded may have left an error.
        has_failed = arc.option == "error" or knowledge.known(facts, ERROR)
        facts = knowledge.learn(facts, ERROR, has_failed or None)
    if state["type"] != "agent" or result:
        facts = knowledge.learn(facts, (name,), result)
    for artifact in arc.makes if arc.by == "agent" else ():
        facts = knowledge.learn(facts, ("artifacts", artifact), True)
    if state["type"] in HUMAN_TYPES:
        facts = knowledge.decide(facts, name, arc.option, is_person=arc.by == "person")
        facts = knowledge.learn(facts, (name, "answers"), bool(forms_of_option(state, arc.option)))
    return facts


def chosen(knowledge: Knowledge, arc: Arc, facts: Facts, *, is_taken: bool = True) -> Facts | None:
    """What is known once the conditions before an arc's did not hold and, if it is taken, its own did.

    None where that cannot be.
    """
    for text, holds in (*((refused, False) for refused in arc.refused), (arc.when if is_taken else None, True)):
        if text is None:
            continue
        try:
            root = parse_expression(text).root
        except ExpressionSyntaxError:
            continue  # reported where it stands
        then = knowledge.assume(root, holds, facts)
        if then is None:
            return None
        facts = then
    return facts


def _leaves_result(sheet: Sheet, arc: Arc) -> bool:
    """Whether the state that is left has a result now."""
    if arc.source is None:
        return False
    kind = sheet.states[arc.source]["type"]
    if kind == "agent":
        return arc.option != "error"
    return kind in HUMAN_TYPES or arc.by == "signal"


def _covering(nodes: Sequence[Node], facts: Facts) -> Node:
    return next(node for node in nodes if node.facts.covers(facts))
