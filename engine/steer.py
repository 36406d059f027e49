"""What people do to a request or a run besides deciding: ask others, claim, give more time, move, retry, cancel."""

from __future__ import annotations

from holdpoint.engine.draft import Draft
from holdpoint.engine.due import check_caught_up
from holdpoint.engine.errors import Conflict, Invalid, did_you_mean
from holdpoint.engine.model import MOVED, Assign, Cancel, Claim, Extend, Move, RequestRecord, Retry
from holdpoint.engine.people import check_person, is_role
from holdpoint.engine.proceed import enter, proceed
from holdpoint.engine.times import format_time, say_time


def assign(draft: Draft, command: Assign) -> bool:
    request = _open_one(draft, command.request_id)
    for entry in command.assign:
        if not is_role(entry):
            check_person(entry, "an assignee")
    draft.emit(
        "request.assigned",
        actor=command.by,
        actor_kind="operator",
        request=request.id,
        assign=list(command.assign),
    )
    return True


def claim(draft: Draft, command: Claim) -> bool:
    request = _open_one(draft, command.request_id)
    if command.person is not None:
        check_person(command.person, "who claims")
    draft.emit(
        "request.claimed",
        {"claimed_by": command.person or ""},
        actor=command.by,
        actor_kind="human",
        request=request.id,
    )
    return True


def extend(draft: Draft, command: Extend) -> bool:
    request = _open_one(draft, command.request_id)
    if request.due_at is None:
        raise Invalid(f"request {request.id} has no deadline to extend", code="no_deadline")
    due_at = command.duration.after(request.due_at, draft.definition.zone)
    draft.emit(
        "operator.extended",
        actor=command.by,
        actor_kind="operator",
        request=request.id,
        due_at=format_time(due_at),
        reason=command.reason,
    )
    return True


def _open_one(draft: Draft, request_id: str) -> RequestRecord:
    check_caught_up(draft)
    request = draft.run.requests.get(request_id)
    if request is None:
        raise Conflict(f"request {request_id} is no longer open", code="settled")
    return request


def move(draft: Draft, command: Move) -> bool:
    run, states = draft.run, draft.definition.states
    if run.phase == "ended":
        raise Conflict(f"run {run.id} has ended and cannot be moved", code="ended")
    if command.to not in states:
        hint = did_you_mean(command.to, states) or f"it has {', '.join(states)}"
        raise Invalid(f"workflow {run.workflow!r} has no state {command.to!r}; {hint}", code="state")
    _void(draft, command.by)
    draft.emit("operator.moved", actor=command.by, actor_kind="operator", to=command.to, reason=command.reason)
    enter(draft, MOVED, command.to)
    proceed(draft)
    return True


def _void(draft: Draft, by: str | None) -> None:
    for request_id in draft.run.requests:
        draft.emit("request.voided", actor=by, actor_kind="operator", request=request_id)


def retry(draft: Draft, command: Retry) -> bool:
    run = draft.run
    if run.status != "failed":
        raise Conflict(f"run {run.id} is {run.status}; only a failed run is retried", code="not_failed")
    draft.emit("operator.retried", actor=command.by, actor_kind="operator", reason=command.reason)
    proceed(draft)
    return True


def cancel(draft: Draft, command: Cancel) -> bool:
    run = draft.run
    if run.phase == "ended":
        when = say_time(run.ended_at) if run.ended_at else "before"
        raise Conflict(f"run {run.id} has ended: {run.status} at {when}", code="ended")
    _void(draft, command.by)
    if draft.definition.on_cancel and not run.is_cancelling and run.state is not None:
        draft.emit("operator.cancelled", actor=command.by, actor_kind="operator", reason=command.reason)
        proceed(draft)
    else:
        draft.emit("run.cancelled", actor=command.by, actor_kind="operator", reason=command.reason)
    return True
