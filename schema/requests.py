"""What a state asks of people: who is asked, what is shown, how long it waits, and what silence means."""

from __future__ import annotations

import re
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid
from holdpoint.engine.jsonschemas import errors, fill_defaults
from holdpoint.engine.people import ROLE, check_person
from holdpoint.schema.available import is_business_time
from holdpoint.schema.jsonschemas import has_template, without_templates
from holdpoint.schema.nodes import Path
from holdpoint.schema.report import Report, listed, shown, suggestion
from holdpoint.schema.sheet import HUMAN_TYPES, TIMEOUT, Sheet, State, options_for_people
from holdpoint.schema.times import check_duration

NEVER: Final = "never"
INITIATOR: Final = "initiator"
_ROLE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def check_requests(sheet: Sheet) -> None:
    """Report what is wrong with approval and return states."""
    for name, state in sheet.of_types(*HUMAN_TYPES):
        path: Path = ("states", name)
        _check_timeout(sheet.report, path, state)
        _check_comment(sheet.report, path, state)
        _check_show(sheet, path, state)
        _check_assign(sheet.report, path, state)


def _check_timeout(report: Report, path: Path, state: State) -> None:
    timeout = state.get("timeout")
    has_edge = TIMEOUT in state.get("on", {})
    if timeout is None or timeout == NEVER:
        _check_without_timeout(report, path, state, has_edge)
        return
    if not is_business_time(timeout):
        check_duration(report, (*path, "timeout"), timeout)
    if "default" in state and has_edge:
        message = f"state {path[1]!r} has both a 'default' and an edge 'on.timeout'"
        report.key((*path, "default"), "HP210", message, "remove one of them")
    elif "default" not in state and not has_edge:
        message = f"the timeout of state {path[1]!r} leads nowhere"
        fix = "add 'default: OPTION' or 'on: {timeout: STATE}', or write 'timeout: never'"
        report.key((*path, "timeout"), "HP210", message, fix)
    if "default" in state:
        _check_default(report, (*path, "default"), state)


def _check_without_timeout(report: Report, path: Path, state: State, has_edge: bool) -> None:
    why = "with 'timeout: never' it" if state.get("timeout") == NEVER else "without 'timeout' it"
    fix = "write 'timeout: DURATION'"
    if "default" in state:
        report.key((*path, "default"), "HP211", f"a default applies when a timeout passes; {why} never does", fix)
    if has_edge:
        message = f"the edge 'on.timeout' is taken when a timeout passes; {why} never is"
        report.key((*path, "on", TIMEOUT), "HP211", message, fix)
    if "timeout" not in state and "default" not in state and not has_edge:
        message = f"state {path[1]!r} waits for a person without a timeout"
        fix = "add 'timeout: DURATION' with 'default: OPTION', or write 'timeout: never'"
        report.key(path, "HP215", message, fix, severity="warning")


def _check_default(report: Report, path: Path, state: State) -> None:
    default = state["default"]
    option = default if isinstance(default, str) else default["decision"]
    where = path if isinstance(default, str) else (*path, "decision")
    options = options_for_people(state)
    if option not in options:
        message = f"the default {option!r} is not an option of state {path[1]!r}"
        report.value(where, "HP212", message, suggestion(option, options))
    elif option == "revise":
        others = [other for other in options if other != "revise"]
        message = "the default cannot be 'revise': work sent back needs a person's comment"
        report.value(where, "HP213", message, f"allowed: {listed(others)}")
    _check_answers(report, path, state, default)


def _check_answers(report: Report, path: Path, state: State, default: Json) -> None:
    is_given = isinstance(default, dict) and "answers" in default
    where = (*path, "answers") if is_given else path
    if "form" not in state:
        if is_given:
            message = f"the default has answers, and state {path[1]!r} has no form"
            report.key(where, "HP214", message, "remove them, or add a 'form'")
        return
    if report.has_errors_below((*path[:-1], "form")):
        return
    form = without_templates(state["form"])
    fix = "" if is_given else "write 'default: {decision: OPTION, answers: {…}}'"
    try:
        answers = fill_defaults(form, default["answers"] if is_given else {})
        problems = errors(form, answers, "answers")
    except Invalid as error:
        problems = (str(error),)
    for problem in problems:
        report.value(where, "HP214", f"the default's answers do not meet the form: {problem}", fix)


def _check_comment(report: Report, path: Path, state: State) -> None:
    options = options_for_people(state)
    for index, option in enumerate(state.get("comment", ())):
        if option not in options:
            message = f"{option!r} is not an option of state {path[1]!r}"
            report.value((*path, "comment", index), "HP234", message, suggestion(option, options))


def _check_show(sheet: Sheet, path: Path, state: State) -> None:
    show = state.get("show", ())
    if isinstance(show, dict):
        if state["type"] == "return":
            message = f"state {path[1]!r} shows nothing that can be edited: the first is not an artifact"
            fix = "write the names of artifacts, the one under review first"
            sheet.report.key((*path, "show"), "HP233", message, fix, severity="warning")
        return
    artifacts = sheet.artifacts
    for index, name in enumerate(show):
        if name not in artifacts:
            code = "HP233" if state["type"] == "return" and index == 0 else "HP232"
            message = f"no state makes the artifact {name!r}"
            sheet.report.value((*path, "show", index), code, message, suggestion(name, list(artifacts)))


def _check_assign(report: Report, path: Path, state: State) -> None:
    assign = state.get("assign", ())
    path = (*path, "assign")
    if isinstance(assign, dict):
        _check_assigned_options(report, path, assign, options_for_people(state))
    by_key = assign.items() if isinstance(assign, dict) else [(None, assign)]
    for option, people in by_key:
        for index, entry in enumerate(people):
            below: Path = (index,) if option is None else (option, index)
            _check_assignee(report, (*path, *below), entry)


def _check_assigned_options(report: Report, path: Path, assign: dict[str, Json], options: tuple[str, ...]) -> None:
    for option in assign:
        if option not in options:
            message = f"{option!r} is not an option of state {path[1]!r}"
            report.key((*path, option), "HP231", message, suggestion(option, options))
    missing = [option for option in options if option not in assign]
    if missing:
        message = f"the assignment of state {path[1]!r} leaves out {listed(map(repr, missing))}"
        report.key(path, "HP231", message, "name every option")


def _check_assignee(report: Report, path: Path, entry: str) -> None:
    if entry.startswith(ROLE):
        role = entry[len(ROLE) :]
        if _ROLE_NAME.fullmatch(role) is None:
            why = "a role is written out, never rendered" if has_template(role) else "a role is like 'role:legal'"
            fix = "a lower-case letter, then lower-case letters, digits, '_' and '-', at most 64 characters"
            report.value(path, "HP230", f"{shown(entry)} is not a role: {why}", fix)
    elif not has_template(entry):
        try:
            check_person(entry)
        except Invalid as error:
            report.value(path, "HP230", str(error), f"write a person, 'role:NAME' or '{INITIATOR}'")
