"""Whether a person's approval stands before each irreversible agent, and nothing is made anew between the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property, partial
from operator import is_
from typing import Final

from holdpoint.engine.expressions import ExpressionSyntaxError, parse_template
from holdpoint.schema.facts import Key
from holdpoint.schema.flow import Flow, Node, Step, shortest_way
from holdpoint.schema.sheet import Sheet, State, decision_of

REFUSALS: Final = (
    *(
        "reject",
        "revise",
        "refuse",
        "deny",
        "decline",
        "disapprove",
        "cancel",
        "abort",
        "stop",
        "hold",
        "withdraw",
        "no",
    ),
)
"""Options that approve nothing, whatever they lead to. Any other option of an approval, and `accept`, approves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unapproved:
    """A way to an effect that no approval covers, empty where there is none; then `gates` are those that do.

    `stale` names an approval on the way, what was made anew after it, and by which state; `silent` a gate on the way
    whose default would have been an approval, had a person given it.
    """

    way: Sequence[Step] = ()
    gates: Sequence[str] = ()
    stale: tuple[str, str, str] | None = None
    silent: str | None = None


class Approvals:
    """The steps that approve, and what stood before the person who took them."""

    def __init__(self, sheet: Sheet, flow: Flow) -> None:
        self.sheet = sheet
        self.flow = flow

    @cached_property
    def shown(self) -> Mapping[str, frozenset[Key]]:
        """For each gate that can approve, the artifacts and results that it shows."""
        return {name: frozenset(_shown(self.sheet, state)) for name, state in self.sheet.of_types("approval", "return")}

    def approves(self, step: Step) -> bool:
        """Whether a person approves by this step."""
        return step.arc.by == "person" and step.arc.source in self.shown and step.arc.option not in REFUSALS

    def made(self, step: Step) -> Set[Key]:
        """What is new after a step."""
        results: set[Key] = {(step.arc.source,)} if step.arc.source and step.arc.option != "error" else set()
        return results | {("artifacts", name) for name in step.arc.makes}


def _shown(sheet: Sheet, state: State) -> set[Key]:
    show = state.get("show", ())
    if not isinstance(show, dict):
        return {("artifacts", name) for name in show}
    found: set[Key] = set()
    for text in show.values():
        try:
            uses = parse_template(text).paths
        except ExpressionSyntaxError:
            continue
        for use in uses:
            if use.root == "artifacts":
                names = [str(use.keys[0])] if use.keys else list(sheet.artifacts)
                found.update(("artifacts", name) for name in names)
            elif use.root in sheet.states:
                found.add((use.root,))
    return found


def find_unapproved(approvals: Approvals, effect: str) -> Unapproved:
    """A way to an irreversible agent that no approval covers.

    An approval covers a way if nothing that it showed is made anew on the rest of the way. The last of those approvals
    that stand on a way decides, so: begin with all, look at the part of the graph from which the effect is reached
    without passing one, strike out those behind which something is made anew there, and look again.
    """
    flow = approvals.flow
    effects = flow.nodes[effect]
    struck: dict[Step, tuple[str, Step]] = {}
    while True:
        region, border = _region(approvals, effects, struck.keys())
        stale = {step: _made_anew(approvals, step, region, border) for step in flow.steps if step in border}
        found = {step: maker for step, maker in stale.items() if maker is not None}
        if not found:
            break
        struck |= found
    starts = [step for step in flow.after[None] if step.target in region]
    if not starts:
        gates = {step.arc.source for step in border}
        return Unapproved(gates=tuple(name for name in approvals.shown if name in gates))
    return _found(approvals, region, border, struck, starts, effect)


def _region(approvals: Approvals, effects: Sequence[Node], struck: Set[Step]) -> tuple[Set[Node], Set[Step]]:
    """The nodes from which an effect is reached without an approval that still counts, and the approvals into them."""
    region = set(effects)
    border: set[Step] = set()
    waiting = list(effects)
    while waiting:
        for step in approvals.flow.before[waiting.pop()]:
            if approvals.approves(step) and step not in struck:
                border.add(step)
            elif step.source is not None and step.source not in region:
                region.add(step.source)
                waiting.append(step.source)
    return region, border


def _inside(flow: Flow, node: Node, region: Set[Node], border: Set[Step]) -> Sequence[Step]:
    return [step for step in flow.after[node] if step.target in region and step not in border]


def _made_anew(approvals: Approvals, approval: Step, region: Set[Node], border: Set[Step]) -> tuple[str, Step] | None:
    """What an approval showed and a step behind it, with no other approval in between, makes anew; and that step."""
    shown = approvals.shown[approval.arc.source or ""]
    if not shown:
        return None
    seen = {approval.target}
    waiting = [approval.target]
    while waiting:
        for step in _inside(approvals.flow, waiting.pop(), region, border):
            both = shown & approvals.made(step)
            if both:
                return _named(min(both)), step
            if step.target not in seen:
                seen.add(step.target)
                waiting.append(step.target)
    return None


def _named(key: Key) -> str:
    return f"the artifact {key[1]!r}" if key[0] == "artifacts" else f"the result of {key[0]!r}"


def _found(
    approvals: Approvals,
    region: Set[Node],
    border: Set[Step],
    struck: Mapping[Step, tuple[str, Step]],
    starts: Sequence[Step],
    effect: str,
) -> Unapproved:
    flow = approvals.flow

    def way(is_without: bool) -> Sequence[Step]:
        return shortest_way(
            starts,
            lambda step: [
                after for after in _inside(flow, step.target, region, border) if not (is_without and after in struck)
            ],
            lambda step: step.target.state == effect,
        )

    plain = way(is_without=True)
    if plain:
        return Unapproved(way=plain, silent=next(filter(None, (_silent(approvals, step) for step in plain)), None))
    stale_way = _through(approvals, region, border, struck, starts, effect) or way(is_without=False)
    approval = next((step for step in reversed(stale_way) if step in struck), None)
    if approval is None:
        return Unapproved(way=stale_way)
    made, maker = struck[approval]
    return Unapproved(way=stale_way, stale=(str(approval.arc.source), made, str(maker.arc.source)))


def _through(
    approvals: Approvals,
    region: Set[Node],
    border: Set[Step],
    struck: Mapping[Step, tuple[str, Step]],
    starts: Sequence[Step],
    effect: str,
) -> Sequence[Step]:
    """A way to the effect by way of an approval and of the step that makes anew what it showed."""
    flow = approvals.flow

    def onwards(step: Step) -> Sequence[Step]:
        return _inside(flow, step.target, region, border)

    for approval, (_, maker) in struck.items():
        first = shortest_way(starts, onwards, partial(is_, approval))
        second = shortest_way(onwards(approval), onwards, partial(is_, maker))
        third = shortest_way(onwards(maker), onwards, lambda step: step.target.state == effect)
        if maker.target.state == effect:
            third = ()
        elif not third:
            continue
        if first and second:
            return (*first, *second, *third)
    return ()


def _silent(approvals: Approvals, step: Step) -> str | None:
    """The gate that a step leaves by its deadline with what a person would have approved by."""
    state = approvals.sheet.states.get(step.arc.source or "", {})
    is_default = (
        step.arc.by == "deadline" and "default" in state and decision_of(state["default"])[0] == step.arc.option
    )
    is_approval = step.arc.source in approvals.shown and step.arc.option not in REFUSALS
    return step.arc.source if is_default and is_approval else None
