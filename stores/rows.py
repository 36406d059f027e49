"""Values as rows and back: times as integers, hashes as bytes, a record as one line of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from holdpoint.engine.canonical import Json, canonical, decoded
from holdpoint.engine.definition import PRIORITIES
from holdpoint.engine.model import Attempt, Deadline, Leaving, Previous, RequestRecord, Revision, RunRecord, Signal

NEVER = 2**62
"""The due time of what is never due, so that it comes last in every order."""

RANKS = {priority: rank for rank, priority in enumerate(PRIORITIES)}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def to_time(micros: int) -> datetime:
    """The time of *micros* microseconds since 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def record_text(run: RunRecord) -> str:
    """What of a run stands in no column of its own; members that say nothing are left out."""
    members: dict[str, Json] = {
        "phase": run.phase,
        "state": run.state,
        "input": run.input,
        "visits": dict(run.visits),
        "results": dict(run.results),
        "artifacts": {name: _revision_list(revision) for name, revision in run.artifacts.items()},
        "returns": dict(run.returns),
        "signals": [[signal.name, signal.seq] for signal in run.signals],
        "alarm": [run.alarm.action, to_micros(run.alarm.due_at)] if run.alarm else None,
        "is_cancelling": run.is_cancelling,
        "attempt": [run.attempt.token, run.attempt.number] if run.attempt else None,
        "attempts": run.attempts,
        "crashes": run.crashes,
        "crash": run.crash,
        "spared": run.spared,
        "transitions": run.transitions,
        "leaving": [run.leaving.option, run.leaving.result, run.leaving.is_revised] if run.leaving else None,
        "previous": [run.previous.state, run.previous.option, run.previous.result] if run.previous else None,
        "last_error": run.last_error,
        "failure": run.failure,
        "outcome": run.outcome,
        "output": run.output,
        "ended_at": to_micros(run.ended_at) if run.ended_at else None,
    }
    return canonical({name: value for name, value in members.items() if value})


def record_from(columns: Mapping[str, Any], text: str, requests: Mapping[str, RequestRecord]) -> RunRecord:
    """The record of a row: *columns* are the arguments of `RunRecord` that have a column."""
    members = decoded(text)
    attempt, leaving, previous, alarm = (members.get(name) for name in ("attempt", "leaving", "previous", "alarm"))
    return RunRecord(
        **columns,
        requests=requests,
        phase=members["phase"],
        state=members.get("state"),
        input=members["input"],
        visits=members.get("visits", {}),
        results=members.get("results", {}),
        artifacts={name: _revision(name, items) for name, items in members.get("artifacts", {}).items()},
        returns=members.get("returns", {}),
        signals=tuple(Signal(name=name, seq=seq) for name, seq in members.get("signals", ())),
        alarm=Deadline(action=alarm[0], due_at=to_time(alarm[1])) if alarm else None,
        is_cancelling=members.get("is_cancelling", False),
        attempt=Attempt(token=attempt[0], number=attempt[1]) if attempt else None,
        attempts=members.get("attempts", 0),
        crashes=members.get("crashes", 0),
        crash=members.get("crash"),
        spared=members.get("spared", 0),
        transitions=members.get("transitions", 0),
        leaving=Leaving(option=leaving[0], result=leaving[1], is_revised=leaving[2]) if leaving else None,
        previous=Previous(state=previous[0], option=previous[1], result=previous[2]) if previous else None,
        last_error=members.get("last_error"),
        failure=members.get("failure"),
        outcome=members.get("outcome"),
        output=members.get("output"),
        ended_at=to_time(members["ended_at"]) if "ended_at" in members else None,
    )


def _revision_list(revision: Revision) -> list[Json]:
    return [
        revision.revision,
        revision.sha256,
        revision.author,
        revision.author_kind,
        revision.parent,
        revision.state,
        to_micros(revision.at),
    ]


def _revision(name: str, items: list[Any]) -> Revision:
    number, sha256, author, author_kind, parent, state, at = items
    return Revision(
        name=name,
        revision=number,
        sha256=sha256,
        author=author,
        author_kind=author_kind,
        parent=parent,
        state=state,
        at=to_time(at),
    )
