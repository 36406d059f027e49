"""What an agent's state says about its attempts: when one is made again, where it runs, what a crash leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from holdpoint.engine.agents import FAILURES
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import CRASH_OPTIONS
from holdpoint.engine.durations import Duration, parse_duration
from holdpoint.engine.errors import Invalid
from holdpoint.engine.jsonschemas import errors
from holdpoint.schema.jsonschemas import has_template
from holdpoint.schema.nodes import Path
from holdpoint.schema.people import check_people
from holdpoint.schema.report import Report, asker, suggestion
from holdpoint.schema.sheet import NEVER, Sheet, State, crash_request, decision_of
from holdpoint.schema.times import check_duration

RETRY_DEFAULTS: Final[Mapping[str, Json]] = {"attempts": 3, "delay": "2s", "factor": 2, "max_delay": "5m"}
"""The figures of `retry: {}`."""

# With `value` no process runs, so these would be ignored.
_NOTHING_WITH_VALUE: Final = ("with", "timeout", "after_crash")
_DELAYS: Final = ("delay", "max_delay")


def check_agents(sheet: Sheet) -> None:
    """Report what is wrong with the attempts of agents."""
    for name, state in sheet.of_types("agent"):
        path: Path = ("states", name)
        _check_runs(sheet.report, path, state)
        if "retry" in state:
            _check_retry(sheet.report, (*path, "retry"), state["retry"])
        ask = crash_request(state)
        if ask is not None:
            _check_ask(sheet.report, path, state, ask)


def _check_runs(report: Report, path: Path, state: State) -> None:
    """Report keys about a process that is not there."""
    for key in _NOTHING_WITH_VALUE:
        if "value" in state and key in state:
            message = f"{key!r} says nothing beside 'value', which runs nothing"
            report.key((*path, key), "HP207", message, "remove it")
    command = state.get("command", ())
    if len(command) == 1 and " " in command[0].strip() and not has_template(command[0]):
        words = ", ".join(command[0].split())
        message = f"the program {command[0]!r} has a space in its name, and no arguments"
        report.value((*path, "command", 0), "HP209", message, f"write the words one by one: [{words}]")
    if "value" in state and "retry" in state:
        message = "'retry' cannot stand beside 'value', which runs nothing and has no attempts"
        report.key((*path, "retry"), "HP206", message, "remove it")
    if state.get("isolate") is False and "timeout" in state:
        message = "'timeout' cannot be kept with 'isolate: false': nothing can stop a function in the engine's process"
        report.key((*path, "timeout"), "HP206", message, "remove one of them")
    if "isolate" in state and "python" not in state:
        message = "'isolate' is for 'python' alone; nothing else could run in the engine's own process"
        report.key((*path, "isolate"), "HP206", message, "remove it")


def _check_retry(report: Report, path: Path, retry: Mapping[str, Json]) -> None:
    for key in _DELAYS:
        if key in retry:
            _check_delay(report, (*path, key), retry[key])
    for index, code in enumerate(retry.get("on", ())):
        if code not in FAILURES:
            message = f"no agent fails with the code {code!r}, so that nothing is tried again for it"
            report.value((*path, "on", index), "HP262", message, suggestion(code, tuple(FAILURES)))
    if report.has_errors_below(path):
        return
    delay, longest = (str(retry.get(key, RETRY_DEFAULTS[key])) for key in _DELAYS)
    if parse_duration(delay).seconds > parse_duration(longest).seconds:
        where = (*path, "delay" if "delay" in retry else "max_delay")
        message = f"the first delay, {delay}, is longer than the longest, {longest}, which it is cut to"
        report.value(where, "HP261", message, "raise 'max_delay'")


def _check_delay(report: Report, path: Path, text: str) -> None:
    duration = check_duration(report, path, text)
    if duration is not None and duration.days:
        message = "a delay is elapsed time, and days and weeks are calendar time"
        in_hours = Duration(days=0, seconds=duration.days * 86_400 + duration.seconds)
        report.value(path, "HP260", message, f"write it in hours: '{in_hours}'")


def _check_ask(report: Report, path: Path, state: State, ask: Mapping[str, Json]) -> None:
    below: Path = (*path, "after_crash", "ask")
    check_people(report, below, ask, CRASH_OPTIONS)
    timeout = ask.get("timeout", NEVER)
    if timeout != NEVER:
        check_duration(report, (*below, "timeout"), timeout)
        if "default" not in ask:
            message = f"the timeout of {asker(below)} leads nowhere"
            fix = "add 'default: retry' or 'default: fail', or write 'timeout: never'"
            report.key((*below, "timeout"), "HP210", message, fix)
    if "default" not in ask:
        return
    if timeout == NEVER:
        message = f"a default applies when a timeout passes; that of {asker(below)} never does"
        report.key((*below, "default"), "HP211", message, "write 'timeout: DURATION'")
    _check_ask_default(report, (*below, "default"), state, ask["default"])


def _check_ask_default(report: Report, path: Path, state: State, default: Json) -> None:
    option, answers = decision_of(default)
    is_given = isinstance(default, dict)
    if option not in CRASH_OPTIONS:
        message = f"the default {option!r} is not an option of {asker(path[:-1])}"
        report.value((*path, "decision") if is_given else path, "HP212", message, suggestion(option, CRASH_OPTIONS))
    elif option != "done":
        if answers is not None:
            message = f"the default {option!r} has answers; only those of 'done' are an output"
            report.key((*path, "answers"), "HP214", message, "remove them")
    elif answers is None:
        fix = "write 'default: {decision: done, answers: {…}}'"
        report.value(path, "HP214", "the default 'done' has no answers, which would be the output", fix)
    elif "output" in state and not report.has_errors_below((*path[:2], "output")):
        for problem in _problems(state["output"], answers):
            message = f"the default's answers do not meet the output's schema: {problem}"
            report.value((*path, "answers"), "HP214", message, "write answers that 'output' allows")


def _problems(schema: Json, answers: Json) -> tuple[str, ...]:
    try:
        return errors(schema, answers, "answers")
    except Invalid as error:
        return (str(error),)
