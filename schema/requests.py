"""What a state asks of people: who is asked, what is shown, how long it waits, and what silence means."""

from __future__ import annotations

from collections.abc import Mapping

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import TIMEOUT
from holdpoint.engine.errors import Invalid
from holdpoint.engine.jsonschemas import errors, fill_defaults
from holdpoint.schema.jsonschemas import without_templates
from holdpoint.schema.nodes import Path
from holdpoint.schema.people import check_people
from holdpoint.schema.report import Report, listed, suggestion
from holdpoint.schema.sheet import HUMAN_TYPES, NEVER, Sheet, State, decision_of, options_for_people
from holdpoint.schema.times import check_duration


def check_requests(sheet: Sheet) -> None:
    """Report what is wrong with states that ask people."""
    artifacts = sheet.artifacts
    for name, state in sheet.of_types(*HUMAN_TYPES):
        path: Path = ("states", name)
        _check_forms(sheet.report, path, state)
        _check_timeout(sheet.report, path, state)
        _check_comment(sheet.report, path, state)
        _check_show(sheet.report, path, state, artifacts)
        check_people(sheet.report, path, state, options_for_people(state))


def _check_forms(report: Report, path: Path, state: State) -> None:
    if "forms" not in state:
        return
    if "form" in state:
        message = f"state {path[1]!r} has both a 'form' and 'forms'"
        report.key((*path, "forms"), "HP224", message, "write the form of each option into 'forms'")
    options = options_for_people(state)
    for option in state["forms"]:
        if option not in options:
            message = f"{option!r} is not an option of state {path[1]!r}"
            report.key((*path, "forms", option), "HP235", message, suggestion(option, options))


def _check_timeout(report: Report, path: Path, state: State) -> None:
    timeout = state.get("timeout")
    has_edge = TIMEOUT in state.get("on", {})
    if timeout is None or timeout == NEVER:
        _check_without_timeout(report, path, state, has_edge)
        return
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
        report.key(path, "HP215", message, fix)


def _check_default(report: Report, path: Path, state: State) -> None:
    default = state["default"]
    option, _ = decision_of(default)
    where = path if isinstance(default, str) else (*path, "decision")
    allowed = [other for other in options_for_people(state) if other != "revise"]
    if option == "revise" and option in state["on"]:
        message = "the default cannot be 'revise': work sent back needs a person's comment"
        report.value(where, "HP213", message, f"allowed: {listed(allowed)}")
    elif option not in allowed:
        message = f"the default {option!r} is not an option of state {path[1]!r}"
        report.value(where, "HP212", message, suggestion(option, allowed))
    _check_answers(report, path, state, default)


def _check_answers(report: Report, path: Path, state: State, default: Json) -> None:
    option, answers = decision_of(default)
    where = path if answers is None else (*path, "answers")
    below: Path = ("form",) if "form" in state else ("forms", option)
    form = state["form"] if "form" in state else state.get("forms", {}).get(option)
    if form is None:
        if answers is not None:
            whose = f"option {option!r} of state" if "forms" in state else "state"
            message = f"the default has answers, and {whose} {path[1]!r} has no form"
            report.key(where, "HP214", message, "remove them, or add a form")
        return
    if report.has_errors_below((*path[:-1], *below)):
        return
    given = "write answers that the form allows"
    fix = given if answers is not None else "write 'default: {decision: OPTION, answers: {…}}'"
    for problem in _problems(without_templates(form), answers or {}):
        report.value(where, "HP214", f"the default's answers do not meet the form: {problem}", fix)


def _problems(form: Json, answers: Json) -> tuple[str, ...]:
    try:
        return errors(form, fill_defaults(form, answers), "answers")
    except Invalid as error:
        return (str(error),)


def _check_comment(report: Report, path: Path, state: State) -> None:
    options = options_for_people(state)
    for index, option in enumerate(state.get("comment", ())):
        if option not in options:
            message = f"{option!r} is not an option of state {path[1]!r}"
            report.value((*path, "comment", index), "HP234", message, suggestion(option, options))


def _check_show(report: Report, path: Path, state: State, artifacts: Mapping[str, object]) -> None:
    show = state.get("show", ())
    if isinstance(show, dict):
        if state["type"] == "return":
            message = f"state {path[1]!r} shows nothing that can be edited: the first is not an artifact"
            fix = "write the names of artifacts, the one under review first"
            report.key((*path, "show"), "HP208", message, fix)
        return
    for index, name in enumerate(show):
        if name not in artifacts:
            code = "HP233" if state["type"] == "return" and index == 0 else "HP232"
            message = f"no state makes the artifact {name!r}"
            report.value((*path, "show", index), code, message, suggestion(name, list(artifacts)))
