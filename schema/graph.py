"""Where a run can go: targets that exist, options that the types need, ends that can be reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from holdpoint.schema.report import listed, suggestion
from holdpoint.schema.sheet import TIMEOUT, Edge, Sheet, State, next_option, options_for_people

_NOT_FOR_PEOPLE: Final = ("done", "error", "received")


def check_graph(sheet: Sheet) -> None:
    """Report targets, options and states that no run can use, and states from which no run can end."""
    for edge in sheet.all_edges():
        _check_edge(sheet, edge)
    for name, state in sheet.states.items():
        _check_options(sheet, name, state)
    if not sheet.report.has_errors:
        # A graph with a hole in it would be reported a second time as states that cannot be reached.
        _check_reach(sheet)


def _check_edge(sheet: Sheet, edge: Edge) -> None:
    known = list(sheet.states)
    for path, to, _ in edge.targets:
        if to not in sheet.states:
            sheet.report.value(path, "HP201", f"state {to!r} does not exist", suggestion(to, known))
    for path, to, when in edge.targets[:-1]:
        if when is None:
            message = f"the target {to!r} has no 'when', so the targets after it are never taken"
            sheet.report.value(path, "HP202", message, "add a 'when', or make it the last")


def _check_options(sheet: Sheet, name: str, state: State) -> None:
    kind = state["type"]
    path = ("states", name)
    if "next" in state and (option := next_option(state)) in state.get("on", {}):
        message = f"state {name!r} has both 'next' and 'on.{option}', which mean the same"
        sheet.report.key((*path, "next"), "HP205", message, "remove one of them")
    if kind == "agent" and "next" not in state and "done" not in state.get("on", {}):
        message = f"the agent state {name!r} goes nowhere when it is done"
        sheet.report.value(path, "HP203", message, "add 'next: STATE' or 'on: {done: STATE}'")
    if kind == "approval":
        _check_approval(sheet, name, state)


def _check_approval(sheet: Sheet, name: str, state: State) -> None:
    path = ("states", name, "on")
    if not options_for_people(state):
        message = f"the approval state {name!r} has no option for a person"
        sheet.report.key(path, "HP203", message, "add options, such as 'approve: STATE' and 'reject: STATE'")
    for option in options_for_people(state):
        if option in _NOT_FOR_PEOPLE:
            reserved = listed((*_NOT_FOR_PEOPLE, TIMEOUT))
            message = f"{option!r} cannot be an option that a person chooses"
            sheet.report.key((*path, option), "HP204", message, f"rename it; {reserved} are not for people")


def _check_reach(sheet: Sheet) -> None:
    after = {name: [to for edge in sheet.edges(name) for _, to, _ in edge.targets] for name in sheet.states}
    starts = [to for edge in (sheet.initial(), sheet.on_cancel()) if edge is not None for _, to, _ in edge.targets]
    reached = _reachable(starts, after)
    for name in sheet.states:
        if name not in reached:
            message = f"state {name!r} cannot be reached"
            sheet.report.key(("states", name), "HP250", message, "lead to it or remove it", severity="warning")
    _check_ends(sheet, after, [name for name in sheet.states if name in reached])


def _check_ends(sheet: Sheet, after: Mapping[str, list[str]], reached: list[str]) -> None:
    before: dict[str, list[str]] = {name: [] for name in sheet.states}
    for name, targets in after.items():
        for to in targets:
            before[to].append(name)
    can_end = _reachable([name for name, _ in sheet.of_types("end")], before)
    trapped = [name for name in reached if name not in can_end]
    if trapped:
        message = f"no state of type 'end' can be reached from {listed(repr(name) for name in trapped)}"
        sheet.report.key(("states", trapped[0]), "HP251", message, "lead to an end state")


def _reachable(starts: Iterable[str], after: Mapping[str, list[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(after[name])
    return reached
