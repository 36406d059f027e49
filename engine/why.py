"""Why a run stands where it stands, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from holdpoint.engine.agents import FAILURES
from holdpoint.engine.agents.texts import last_lines
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import Definition, WaitState
from holdpoint.engine.model import ENDED, Deadline, RunRecord, Status
from holdpoint.engine.times import parse_time, say_time
from holdpoint.engine.views import Request, Run

LAST_LINES = 10
"""So many of the last lines of a traceback and of standard error are shown; all that is kept is in the history."""


def standing(status: Status, attempt: Mapping[str, Json] | None) -> str:
    """The word that people read for a status: of a `running` run, whether its agent is `at work` or it is `ready`."""
    if status != "running":
        return status
    return "at work" if attempt is not None and attempt["stage"] == "working" else "ready"


KEEPS_ITS_DEFINITION = "It keeps the definition that it started with: an edited file changes nothing for it"


def is_by_definition(error: Mapping[str, Json]) -> bool:
    """Whether a run failed by what its workflow says, such as an expression, and not by what an agent did."""
    return error["code"] not in (*FAILURES, "poisoned")


def why(run: Run, record: RunRecord, definition: Definition, *, has_operators: bool) -> str:
    """What the run waits for, who may act, and what happens by itself, one sentence a line."""
    where = f"run {run.id} of {run.workflow}"
    if run.status in ENDED:
        outcome = f" with outcome {run.outcome}" if run.outcome else ""
        return f"{where} has ended in {run.state!r}: {run.status}{outcome}. Nothing moves it any more."
    if run.error is not None:
        who = "an operator" if has_operators else "somebody"
        return "\n".join(
            [
                f"{where} failed in {run.state!r}: {run.error['message']} ({run.error['code']}).",
                *_quoted(run.error),
                f"It rests there until {who} retries, moves or cancels it.",
                *([f"{KEEPS_ITS_DEFINITION}."] if is_by_definition(run.error) else []),
            ]
        )
    if run.requests:
        return "\n".join([f"{where} waits in {run.state!r}.", *(_about(request) for request in run.requests)])
    if run.attempt is not None:
        return "\n".join(_about_attempt(where, run, run.attempt))
    if run.status == "waiting":
        return f"{where} waits in {run.state!r}.\n{_awaited(record, definition)}"
    if record.deadlines:
        return f"{where} is ready in {run.state!r}.\n{_overdue(record, definition)}"
    return f"{where} is ready in {run.state!r}: the next tick, or whoever advances it, takes it on."


def say_attempt(attempt: Mapping[str, Json], show: Callable[[datetime], str] = say_time) -> str:
    """Where the attempt stands that a run's agent is at or is to make: `attempt 2 of 3 follows at …`."""
    name = f"attempt {attempt['number']}" + (f" of {attempt['of']}" if attempt["of"] > 1 else "")
    if attempt["stage"] == "working":
        return f"{name} is under way"
    if attempt["stage"] == "lost":
        return f"{name} ended without an answer, its process is gone or its lease ran out; the next tick takes it up"
    if attempt["stage"] == "delayed":
        return f"{name} follows at {show(parse_time(attempt['due_at']))}, by a tick or a process that serves"
    return f"{name} is ready for the next tick, or a process that serves"


def last_words(error: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """The ends of what an agent left that failed: its traceback, its standard error, each with its title."""
    traceback, stderr = error.get("details", {}).get("traceback"), error.get("stderr")
    if isinstance(traceback, str) and traceback.strip():
        yield "traceback", last_lines(traceback, LAST_LINES)
    if stderr and stderr.strip():
        yield "standard error", last_lines(stderr, LAST_LINES)


def _quoted(error: Mapping[str, Json]) -> Iterator[str]:
    for title, text in last_words(error):
        yield f"Its agent left this {title}:"
        yield from (f"    {line}" for line in text.split("\n"))


def _about_attempt(where: str, run: Run, attempt: Mapping[str, Json]) -> Iterator[str]:
    verbs = {"working": "is at work", "delayed": "waits", "ready": "is ready", "lost": "is ready"}
    yield f"{where} {verbs[attempt['stage']]} in {run.state!r}."
    error = attempt["error"]
    if error is not None:
        yield f"Attempt {error['attempt']} of its agent failed: {error['message']} ({error['code']})."
        yield from _quoted(error)
    said = say_attempt(attempt)
    yield f"{said[0].upper()}{said[1:]}."


def _awaited(record: RunRecord, definition: Definition) -> str:
    state = definition.states[record.state or ""]
    if not isinstance(state, WaitState) or not state.takes:
        return f"It goes on {_at(record.alarm)}."
    signals = f"It goes on when signal {' or '.join(state.takes)} comes"
    return f"{signals}, or {_at(record.alarm)} by its timeout." if record.alarm else f"{signals}; it waits for ever."


def _overdue(record: RunRecord, definition: Definition) -> str:
    """What a deadline has decided, though nobody has come by to write it."""
    deadline = min(record.deadlines, key=lambda deadline: deadline.due_at)
    at = say_time(deadline.due_at)
    request = record.requests.get(deadline.request or "")
    if request is not None and request.data.get("default"):
        said = f"Request {request.id} is settled: {request.silence['decision']!r} applied at {at} by its deadline"
    elif request is not None:
        said = f"Request {request.id} is settled: its timeout passed at {at}"
    else:
        state = definition.states[record.state or ""]
        said = (
            f"Its timeout passed at {at}" if isinstance(state, WaitState) and state.takes else f"It waited until {at}"
        )
    return f"{said}; the next tick writes it, or whoever touches the run."


def _at(alarm: Deadline | None) -> str:
    return "at once" if alarm is None else f"at {say_time(alarm.due_at)}"


def _about(request: Request) -> str:
    options = " or ".join(request.options)
    but = f", but not by {' or '.join(request.exclude)}" if request.exclude else ""
    lines = [f"Request {request.id} asks for {options}; it may be decided by {_who(request.assign)}{but}."]
    if request.claimed_by:
        lines.append(f"{request.claimed_by} works on it.")
    if request.due_at is None:
        lines.append("It has no deadline, so it waits until somebody decides.")
    else:
        then = f"{request.default['decision']!r} applies" if request.default else "the run goes on by its timeout"
        lines.append(f"If nobody does, {then} at {say_time(request.due_at)}.")
    return "\n".join(lines)


def _who(assign: Json) -> str:
    if isinstance(assign, dict):
        return "; ".join(f"{option}: {_who(people)}" for option, people in assign.items())
    return ", ".join(assign) if assign else "anyone"
