"""Why a run stands where it stands, in plain words."""

from __future__ import annotations

from holdpoint.engine.canonical import Json
from holdpoint.engine.times import format_time
from holdpoint.engine.views import Request, Run


def why(run: Run) -> str:
    """What the run waits for, who may act, and what happens by itself, one sentence a line."""
    where = f"run {run.id} of {run.workflow}"
    if run.status in ("done", "cancelled"):
        outcome = f" with outcome {run.outcome}" if run.outcome else ""
        return f"{where} has ended in {run.state!r}: {run.status}{outcome}. Nothing moves it any more."
    if run.error is not None:
        return (
            f"{where} failed in {run.state!r}: {run.error['message']} ({run.error['code']}).\n"
            "It rests there until an operator retries or cancels it."
        )
    if run.requests:
        return "\n".join([f"{where} waits in {run.state!r}.", *(_about(request) for request in run.requests)])
    return f"{where} is ready in {run.state!r}: the next tick, or whoever advances it, takes it on."


def _about(request: Request) -> str:
    lines = [
        f"Request {request.id} asks for {' or '.join(request.options)}; it may be decided by {_who(request.assign)}."
    ]
    if request.due_at is None:
        lines.append("It has no deadline, so it waits until somebody decides.")
    else:
        then = f"{request.default['decision']!r} applies" if request.default else "the run goes on by its timeout"
        lines.append(f"If nobody does, {then} at {format_time(request.due_at)}.")
    return "\n".join(lines)


def _who(assign: Json) -> str:
    if isinstance(assign, dict):
        return "; ".join(f"{option}: {_who(people)}" for option, people in assign.items())
    return ", ".join(assign) if assign else "anyone"
