"""Why a run stands where it stands, in plain words."""

from __future__ import annotations

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import Definition, WaitState
from holdpoint.engine.model import Deadline, RunRecord
from holdpoint.engine.times import say_time
from holdpoint.engine.views import Request, Run


def why(run: Run, record: RunRecord, definition: Definition) -> str:
    """What the run waits for, who may act, and what happens by itself, one sentence a line."""
    where = f"run {run.id} of {run.workflow}"
    if run.status in ("done", "cancelled"):
        outcome = f" with outcome {run.outcome}" if run.outcome else ""
        return f"{where} has ended in {run.state!r}: {run.status}{outcome}. Nothing moves it any more."
    if run.error is not None:
        return (
            f"{where} failed in {run.state!r}: {run.error['message']} ({run.error['code']}).\n"
            "It rests there until an operator retries, moves or cancels it."
        )
    if run.requests:
        return "\n".join([f"{where} waits in {run.state!r}.", *(_about(request) for request in run.requests)])
    if run.status == "waiting":
        return f"{where} waits in {run.state!r}.\n{_awaited(record, definition)}"
    if record.phase == "working":
        return f"{where} works in {run.state!r}: attempt {record.attempts} of its agent is under way."
    if record.deadlines:
        return f"{where} has something due in {run.state!r}: the next tick, or whoever touches it, applies it."
    return f"{where} is ready in {run.state!r}: the next tick, or whoever advances it, takes it on."


def _awaited(record: RunRecord, definition: Definition) -> str:
    state = definition.states[record.state or ""]
    if record.phase == "delayed":
        return f"Attempt {record.attempts} of its agent failed; the next is made {_at(record.alarm)}."
    if not isinstance(state, WaitState) or not state.takes:
        return f"It goes on {_at(record.alarm)}."
    signals = f"It goes on when signal {' or '.join(state.takes)} comes"
    return f"{signals}, or {_at(record.alarm)} by its timeout." if record.alarm else f"{signals}; it waits for ever."


def _at(alarm: Deadline | None) -> str:
    return "at once" if alarm is None else f"at {say_time(alarm.due_at)}"


def _about(request: Request) -> str:
    options = " or ".join(request.options)
    lines = [f"Request {request.id} asks for {options}; it may be decided by {_who(request.assign)}."]
    if request.exclude:
        lines.append(f"Excluded are {', '.join(request.exclude)}.")
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
