"""What an entry of the history does to a run: `evolve` is the only place where a run changes.

It is pure, it needs no definition, and it refuses nothing: whether an entry may be written was decided before. The
engine applies it as entries are made, and `verify` applies it again to what was stored, so the two agree by
construction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from holdpoint.engine.canonical import Json
from holdpoint.engine.model import (
    MOVED,
    NOTING,
    ON_CANCEL,
    Attempt,
    Deadline,
    Entry,
    Leaving,
    Previous,
    Ref,
    RequestRecord,
    Revision,
    RunRecord,
    Signal,
)
from holdpoint.engine.times import parse_time

_Item = TypeVar("_Item")


def begin(entry: Entry) -> RunRecord:
    """The run that a `run.started` entry begins."""
    data = entry.data
    return RunRecord(
        id=entry.run,
        workflow=data["workflow"],
        definition=data["definition"],
        definition_id=data["definition_id"],
        initiator=entry.actor,
        input=data["input"],
        started_at=entry.at,
        seq=entry.seq,
        head=entry.hash,
        at=entry.at,
    )


def evolve(run: RunRecord, entry: Entry) -> RunRecord:
    """The run after *entry*, which must be the next of its history."""
    change = _CHANGES.get(entry.kind)
    changes = change(run, entry) if change is not None else {}
    changes["seq"], changes["head"], changes["at"] = entry.seq, entry.hash, entry.at
    if entry.kind in NOTING:
        changes["changed_at"] = run.updated_at
    elif run.changed_at is not None:
        changes["changed_at"] = None
    return run.changed(changes)


def _entered(run: RunRecord, entry: Entry) -> dict[str, Any]:
    state = entry.data["state"]
    return {
        "state": state,
        "phase": "entered",
        "visits": {**run.visits, state: entry.data["visit"]},
        "attempts": 0,
        "crashes": 0,
        "crash": None,
        "spared": 0,
        "leaving": None,
        "alarm": None,
    }


def _transition(run: RunRecord, entry: Entry) -> dict[str, Any]:
    leaving = run.leaving
    return {
        "previous": Previous(
            state=entry.data["from"], option=entry.data["option"], result=leaving.result if leaving else None
        ),
        "leaving": None,
        "transitions": run.transitions + 1,
    }


def _agent_started(run: RunRecord, entry: Entry) -> dict[str, Any]:
    number = entry.data["attempt"]
    attempt = Attempt(token=entry.seq, number=number)
    return {"phase": "working", "attempts": number, "attempt": attempt, "alarm": None}


def _agent_succeeded(run: RunRecord, entry: Entry) -> dict[str, Any]:
    return {
        "results": _with_result(run, run.state, entry.seq),
        "attempt": None,
        "phase": "leaving",
        "leaving": Leaving(option="done", result=entry.seq),
    }


def _agent_failed(run: RunRecord, entry: Entry) -> dict[str, Any]:
    changes: dict[str, Any] = {"attempt": None, "phase": "entered", "last_error": entry.seq}
    if entry.data.get("uncounted"):
        changes["attempts"] = run.attempts - 1
    if entry.data.get("retry_at"):
        alarm = Deadline(action="retry", due_at=parse_time(entry.data["retry_at"]))
        changes |= {"phase": "delayed", "alarm": alarm}
    if entry.data.get("edge"):
        changes |= {"phase": "leaving", "leaving": Leaving(option="error", result=None)}
    return changes


def _agent_crashed(run: RunRecord, entry: Entry) -> dict[str, Any]:
    return {
        "attempt": None,
        "phase": "crashed",
        "attempts": run.attempts - 1,
        "crashes": run.crashes + 1,
        "crash": entry.seq,
    }


def _request_opened(run: RunRecord, entry: Entry) -> dict[str, Any]:
    request = request_opened(entry, run.state or "")
    return {"phase": "asking", "requests": {**run.requests, request.id: request}}


def _request_settled(run: RunRecord, entry: Entry) -> dict[str, Any]:
    request = run.requests[entry.data["request"]]
    option = entry.data["decision"]
    changes: dict[str, Any] = {"requests": _without(run.requests, request.id)}
    if request.kind == "crash":
        return {**changes, "phase": "entered"}
    if option == "revise":
        changes["returns"] = {**run.returns, request.state: run.returns.get(request.state, 0) + 1}
    return {
        **changes,
        "results": _with_result(run, request.state, entry.seq),
        "phase": "leaving",
        "leaving": Leaving(option=option, result=entry.seq),
    }


def _request_voided(run: RunRecord, entry: Entry) -> dict[str, Any]:
    return {"requests": _without(run.requests, entry.data["request"])}


def _request_changed(run: RunRecord, entry: Entry) -> dict[str, Any]:
    """`request.assigned`, `request.claimed` and `operator.extended`: members of an open request that are now others."""
    request = run.requests[entry.data["request"]]
    changes = {**request.changes, **{name: entry.data[name] for name in _CHANGEABLE if name in entry.data}}
    return {"requests": {**run.requests, request.id: request_changed(request, changes)}}


def _waiting(run: RunRecord, entry: Entry) -> dict[str, Any]:
    due_at = entry.data.get("due_at")
    alarm = Deadline(action="wake", due_at=parse_time(due_at)) if due_at else None
    return {"phase": "waiting", "alarm": alarm}


def _signal_received(run: RunRecord, entry: Entry) -> dict[str, Any]:
    return {"signals": (*run.signals, Signal(name=entry.data["name"], seq=entry.seq))}


def _wait_ended(run: RunRecord, entry: Entry) -> dict[str, Any]:
    taken = entry.data.get("signal")
    has_result = "output" in entry.data
    results = _with_result(run, run.state, entry.seq) if has_result else _without(run.results, run.state or "")
    return {
        "results": results,
        "signals": tuple(signal for signal in run.signals if signal.seq != taken),
        "phase": "leaving",
        "alarm": None,
        "leaving": Leaving(option=entry.data["option"], result=entry.seq if has_result else None),
    }


def _cancelling(run: RunRecord, entry: Entry) -> dict[str, Any]:
    return {**_stopped(), "is_cancelling": True, "phase": "leaving", "leaving": Leaving(option=ON_CANCEL, result=None)}


def _moved(run: RunRecord, entry: Entry) -> dict[str, Any]:
    return {**_stopped(), "phase": "leaving", "leaving": Leaving(option=MOVED, result=None)}


def _stopped() -> dict[str, Any]:
    """What is no more when an operator takes a run out of its state; its open requests are voided one by one."""
    # The limit of transitions is for machines that run wild: what an operator begins is counted anew.
    return {"attempt": None, "leaving": None, "alarm": None, "failure": None, "transitions": 0}


def _artifact_revised(run: RunRecord, entry: Entry) -> dict[str, Any]:
    revision = revision_made(entry)
    changes: dict[str, Any] = {"artifacts": {**run.artifacts, revision.name: revision}}
    leaving = run.leaving
    if leaving is not None:
        changes["leaving"] = Leaving(option=leaving.option, result=leaving.result, is_revised=True)
    return changes


def _run_failed(run: RunRecord, entry: Entry) -> dict[str, Any]:
    # It rests: nothing falls due until an operator takes it up, and then the attempt is made at once.
    return {"failure": entry.seq, "alarm": None, "phase": "entered" if run.phase == "delayed" else run.phase}


def _run_ended(run: RunRecord, entry: Entry) -> dict[str, Any]:
    return {
        "phase": "ended",
        "outcome": entry.data["outcome"],
        "output": entry.data.get("output"),
        "ended_at": entry.at,
    }


def _run_cancelled(run: RunRecord, entry: Entry) -> dict[str, Any]:
    return {**_stopped(), "phase": "ended", "ended_at": entry.at}


def _retried(run: RunRecord, entry: Entry) -> dict[str, Any]:
    return {"failure": None, "crashes": 0, "spared": run.attempts}


def request_opened(entry: Entry, state: str) -> RequestRecord:
    """The request that a `request.opened` entry of a run in *state* opens."""
    due_at = entry.data.get("due_at")
    return RequestRecord(
        id=entry.data["request"],
        state=state,
        kind=entry.data["kind"],
        opened_seq=entry.seq,
        opened_at=entry.at,
        due_at=parse_time(due_at) if due_at else None,
        data=entry.data,
    )


def request_changed(request: RequestRecord, changes: Mapping[str, Json]) -> RequestRecord:
    """The request with other members than it opened with."""
    due_at = parse_time(changes["due_at"]) if "due_at" in changes else request.due_at
    return replace(request, changes=changes, due_at=due_at)


def revision_made(entry: Entry) -> Revision:
    """The revision that an `artifact.revised` entry makes."""
    data = entry.data
    return Revision(
        name=data["name"],
        revision=data["revision"],
        sha256=data["sha256"],
        author=entry.actor or "",
        author_kind=entry.actor_kind,
        parent=data.get("parent"),
        state=data["state"],
        at=entry.at,
    )


def _with_result(run: RunRecord, state: str | None, result: Ref) -> dict[str, Ref]:
    return {**run.results, state or "": result}


def _without(items: Mapping[str, _Item], key: str) -> dict[str, _Item]:
    return {name: item for name, item in items.items() if name != key}


_CHANGEABLE = ("assign", "claimed_by", "due_at")
_CHANGES: Mapping[str, Callable[[RunRecord, Entry], dict[str, Any]]] = MappingProxyType(
    {
        "state.entered": _entered,
        "transition": _transition,
        "agent.started": _agent_started,
        "agent.succeeded": _agent_succeeded,
        "agent.failed": _agent_failed,
        "agent.crashed": _agent_crashed,
        "request.opened": _request_opened,
        "request.decided": _request_settled,
        "request.expired": _request_settled,
        "request.voided": _request_voided,
        "request.assigned": _request_changed,
        "request.claimed": _request_changed,
        "operator.extended": _request_changed,
        "wait.started": _waiting,
        "wait.ended": _wait_ended,
        "signal.received": _signal_received,
        "artifact.revised": _artifact_revised,
        "run.failed": _run_failed,
        "run.ended": _run_ended,
        "run.cancelled": _run_cancelled,
        "operator.retried": _retried,
        "operator.cancelled": _cancelling,
        "operator.moved": _moved,
    }
)
