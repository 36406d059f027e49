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
    region = _Region(approvals, effect)
    while region.strike_stale():
        pass
    if not region.starts:
        gates = {step.arc.source for step in region.border}
        return Unapproved(gates=tuple(name for name in approvals.shown if name in gates))
    plain = region.way(is_without_approvals=True)
    if plain:
        return Unapproved(way=plain, silent=next(filter(None, (_silent(approvals, step) for step in plain)), None))
    way = region.stale_way() or region.way(is_without_approvals=False)
    approval = next((step for step in reversed(way) if step in region.struck), None)
    if approval is None:
        return Unapproved(way=way)
    made, maker = region.struck[approval]
    return Unapproved(way=way, stale=(str(approval.arc.source), made, str(maker.arc.source)))


class _Region:
    """The part of a graph from which an effect is reached without an approval that still counts.

    `border` are the approvals that lead into it; `struck` those that count no more, each with what was made anew
    behind it, in words, and the step that does so.
    """

    def __init__(self, approvals: Approvals, effect: str) -> None:
        self._approvals = approvals
        self._flow = approvals.flow
        self._effect = effect
        self.struck: dict[Step, tuple[str, Step]] = {}
        self._look()

    @property
    def starts(self) -> Sequence[Step]:
        """The steps by which runs begin inside of it."""
        return [step for step in self._flow.after[None] if step.target in self._nodes]

    def strike_stale(self) -> bool:
        """Strike the approvals at the border out that something is made anew behind; whether there were any."""
        border = [step for step in self._flow.steps if step in self.border]  # in order, so that it is always the same
        found = {step: maker for step in border if (maker := self._made_anew(step)) is not None}
        self.struck |= found
        if found:
            self._look()
        return bool(found)

    def way(self, *, is_without_approvals: bool) -> Sequence[Step]:
        """The shortest way from a beginning to the effect, if asked without those that were struck out."""

        def onwards(step: Step) -> Sequence[Step]:
            return [after for after in self._onwards(step) if not (is_without_approvals and after in self.struck)]

        return shortest_way(self.starts, onwards, self._is_effect)

    def stale_way(self) -> Sequence[Step]:
        """A way to the effect by an approval that was struck out and the step that makes anew what it showed."""
        for approval, (_, maker) in self.struck.items():
            first = shortest_way(self.starts, self._onwards, partial(is_, approval))
            second = shortest_way(self._onwards(approval), self._onwards, partial(is_, maker))
            third = () if self._is_effect(maker) else shortest_way(self._onwards(maker), self._onwards, self._is_effect)
            if first and second and (third or self._is_effect(maker)):
                return (*first, *second, *third)
        return ()

    def _look(self) -> None:
        effects = self._flow.nodes[self._effect]
        self._nodes: set[Node] = set(effects)
        self.border: set[Step] = set()
        waiting = list(effects)
        while waiting:
            for step in self._flow.before[waiting.pop()]:
                if self._approvals.approves(step) and step not in self.struck:
                    self.border.add(step)
                elif step.source is not None and step.source not in self._nodes:
                    self._nodes.add(step.source)
                    waiting.append(step.source)

    def _is_effect(self, step: Step) -> bool:
        return step.target.state == self._effect

    def _onwards(self, step: Step) -> Sequence[Step]:
        following = self._flow.after[step.target]
        return [after for after in following if after.target in self._nodes and after not in self.border]

    def _made_anew(self, approval: Step) -> tuple[str, Step] | None:
        """What an approval showed and a step behind it, without another approval in between, makes anew; that step."""
        shown = self._approvals.shown[approval.arc.source or ""]
        seen = {approval.target}
        waiting = [approval] if shown else []
        while waiting:
            for step in self._onwards(waiting.pop()):
                both = shown & self._approvals.made(step)
                if both:
                    return _named(min(both)), step
                if step.target not in seen:
                    seen.add(step.target)
                    waiting.append(step)
        return None


def _named(key: Key) -> str:
    return f"the artifact {key[1]!r}" if key[0] == "artifacts" else f"the result of {key[0]!r}"


def _silent(approvals: Approvals, step: Step) -> str | None:
    """The gate that a step leaves by its deadline with what a person would have approved by."""
    state = approvals.sheet.states.get(step.arc.source or "", {})
    is_default = (
        step.arc.by == "deadline" and "default" in state and decision_of(state["default"])[0] == step.arc.option
    )
    is_approval = step.arc.source in approvals.shown and step.arc.option not in REFUSALS
    return step.arc.source if is_default and is_approval else None
