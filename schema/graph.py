"""Where a run can go: targets that exist, options that the types need."""

from __future__ import annotations

from typing import Final

from holdpoint.engine.definition import TIMEOUT
from holdpoint.schema.report import listed, suggestion
from holdpoint.schema.sheet import Edge, Sheet, State, next_option, options_for_people, options_of_wait

_NOT_FOR_PEOPLE: Final = ("done", "error", "received")


def check_graph(sheet: Sheet) -> None:
    """Report targets and options that no run can use."""
    for edge in sheet.all_edges():
        _check_edge(sheet, edge)
    for name, state in sheet.states.items():
        _check_options(sheet, name, state)


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
    if kind == "form" and "next" not in state and "submit" not in state.get("on", {}):
        message = f"the form state {name!r} goes nowhere when it is submitted"
        sheet.report.value(path, "HP203", message, "add 'next: STATE' or 'on: {submit: STATE}'")
    if kind == "approval":
        _check_approval(sheet, name, state)
    if kind == "wait":
        _check_wait(sheet, name, state)


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


def _check_wait(sheet: Sheet, name: str, state: State) -> None:
    path = ("states", name)
    options = options_of_wait(state)
    allowed = (*options, TIMEOUT) if "signal" in state else options
    unknown = [option for option in state.get("on", {}) if option not in allowed]
    for option in unknown:
        message = f"the wait state {name!r} has no option {option!r}"
        sheet.report.key((*path, "on", option), "HP204", message, suggestion(option, allowed))
    if unknown:
        return  # a misspelt option is not missing too
    if isinstance(state.get("signal"), list):
        _check_signals(sheet, name, state)
    elif "next" not in state and options[0] not in state.get("on", {}):
        message = f"the wait state {name!r} goes nowhere when it is {options[0]}"
        sheet.report.value(path, "HP203", message, f"add 'next: STATE' or 'on: {{{options[0]}: STATE}}'")


def _check_signals(sheet: Sheet, name: str, state: State) -> None:
    """Report what is wrong with the options of a wait for one of several signals, which are the signals' names."""
    path, signals = ("states", name), state["signal"]
    written = ", ".join(f"{signal}: STATE" for signal in signals)
    if TIMEOUT in signals:
        where = (*path, "signal", signals.index(TIMEOUT))
        message = f"{TIMEOUT!r} cannot be one of several signals: it is the option of the state's timeout"
        sheet.report.value(where, "HP204", message, "rename it")
    if "next" in state:
        message = f"'next' says nothing in the wait state {name!r}, where each signal is an option"
        sheet.report.key((*path, "next"), "HP204", message, f"write 'on: {{{written}}}'")
        return
    missing = [signal for signal in signals if signal not in state.get("on", {})]
    if missing:
        message = f"the wait state {name!r} goes nowhere on {listed(map(repr, missing))}"
        sheet.report.value(path, "HP203", message, f"write 'on: {{{written}}}'")
