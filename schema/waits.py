"""What a state waits for without asking anybody: a time, or a signal from outside."""

from __future__ import annotations

from holdpoint.engine.definition import TIMEOUT
from holdpoint.engine.errors import Invalid
from holdpoint.engine.expressions import ExpressionSyntaxError, parse_template
from holdpoint.engine.times import parse_time
from holdpoint.schema.nodes import Path
from holdpoint.schema.report import Report
from holdpoint.schema.sheet import NEVER, Sheet, State
from holdpoint.schema.times import check_duration


def check_waits(sheet: Sheet) -> None:
    """Report what is wrong with the times, signals and timeouts of wait states."""
    for name, state in sheet.of_types("wait"):
        path: Path = ("states", name)
        if "signal" in state:
            _check_signal(sheet.report, path, state)
        else:
            _check_time(sheet.report, path, state)


def is_moment(until: str) -> bool:
    """Whether a text is a time as it stands, and not a template; raises `Invalid` where it is neither."""
    try:
        if not parse_template(until).is_constant:
            return False
    except ExpressionSyntaxError:
        return False  # reported with the expressions
    parse_time(until)
    return True


def _check_time(report: Report, path: Path, state: State) -> None:
    key = "for" if "for" in state else "until"
    for other in (TIMEOUT, "output"):
        if other in state:
            message = f"{other!r} is for a signal; state {path[1]!r} has '{key}' and waits for a time"
            report.key((*path, other), "HP206", message, "remove it")
    if key == "for":
        check_duration(report, (*path, key), state[key])
        return
    try:
        is_moment(state[key])
    except Invalid as error:
        report.value((*path, key), "HP218", str(error), "or write a template, such as '{{ input.when }}'")


def _check_signal(report: Report, path: Path, state: State) -> None:
    timeout = state.get("timeout", NEVER)
    has_edge = TIMEOUT in state.get("on", {})
    if timeout != NEVER:
        check_duration(report, (*path, TIMEOUT), timeout)
    if timeout != NEVER and not has_edge:
        message = f"the timeout of state {path[1]!r} leads nowhere"
        report.key((*path, TIMEOUT), "HP210", message, "add 'on: {timeout: STATE}', or write 'timeout: never'")
    elif timeout == NEVER and has_edge:
        why = "with 'timeout: never'" if TIMEOUT in state else "without 'timeout'"
        message = f"the edge 'on.timeout' is taken when a timeout passes; {why} it never is"
        report.key((*path, "on", TIMEOUT), "HP211", message, "write 'timeout: DURATION'")
    elif TIMEOUT not in state:
        message = f"state {path[1]!r} waits for a signal without a timeout"
        fix = "add 'timeout: DURATION' with 'on: {timeout: STATE}', or write 'timeout: never'"
        report.key(path, "HP215", message, fix)
