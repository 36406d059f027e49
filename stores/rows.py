"""Values as rows and back: times as integers, hashes as bytes, a record as one line of JSON.

Columns are given by position, in the order of `columns.py`: by name it takes much longer, on the hottest path.
A row that is not what was written makes these raise anything; `holdpoint.stores.part.reads` says so in one word.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from holdpoint.engine.canonical import Json, canonical, decoded
from holdpoint.engine.definition import PRIORITIES
from holdpoint.engine.evolve import request_changed, request_opened
from holdpoint.engine.model import (
    Attempt,
    Deadline,
    Entry,
    Leaving,
    Previous,
    RequestRecord,
    Revision,
    RunRecord,
    Signal,
)
from holdpoint.engine.ports import Key, Lease, RequestRow
from holdpoint.stores.columns import (
    DeadlineColumns,
    DefinitionColumns,
    EntryColumns,
    KeyColumns,
    LeaseColumns,
    RequestColumns,
    RunColumns,
    StandColumns,
)

NEVER = 2**62
"""The due time of what is never due, so that it comes last in every order."""

PRIORITY_OF_RANK = dict(enumerate(PRIORITIES))
RANKS = {priority: rank for rank, priority in enumerate(PRIORITIES)}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(time: datetime) -> int:
    """Microseconds since 1970."""
    return (time - _EPOCH) // _MICROSECOND


def to_time(micros: int) -> datetime:
    """The time of *micros* microseconds since 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def to_due(due_at: datetime | None) -> int:
    """A due time as it is stored."""
    return NEVER if due_at is None else to_micros(due_at)


def due_from(micros: int) -> datetime | None:
    """A stored due time."""
    return None if micros == NEVER else to_time(micros)


def entry_row(run: int, entry: Entry) -> tuple[Any, ...]:
    """An entry as it is stored: the number of its run's row, and its `EntryColumns`."""
    # A bare tuple: of these there are more than of all other rows together.
    return (
        run,
        entry.seq,
        to_micros(entry.at),
        entry.kind,
        entry.actor,
        None if entry.actor_kind == "engine" else entry.actor_kind,
        entry.text,
        bytes.fromhex(entry.hash),
    )


def entry_from(run_id: str, columns: EntryColumns, prev: str = "") -> Entry:
    """A stored entry of a run."""
    return Entry.of(
        run=run_id,
        seq=columns.seq,
        at=to_time(columns.at),
        kind=columns.kind,
        actor=columns.actor,
        actor_kind=columns.actor_kind or "engine",
        data=decoded(columns.data),
        text=columns.data,
        prev=prev,
        hash=columns.hash.hex(),
    )


def open_request_from(run_id: str, columns: RequestColumns, opened: EntryColumns) -> RequestRecord:
    """A request of a run, from its row and the entry that opened it."""
    request = request_opened(entry_from(run_id, opened), columns.state)
    return request if columns.changes is None else request_changed(request, decoded(columns.changes))


def request_row_from(run_id: str, columns: RequestColumns) -> RequestRow:
    """Where a request stands."""
    return RequestRow(
        id=columns.request_id,
        run_id=run_id,
        state=columns.state,
        kind=columns.kind,
        status=columns.status,
        opened_seq=columns.opened,
        settled_seq=columns.settled,
        changes={} if columns.changes is None else decoded(columns.changes),
    )


def deadline_columns(deadline: Deadline) -> DeadlineColumns:
    """A deadline as it is stored."""
    return DeadlineColumns(to_micros(deadline.due_at), deadline.request or "", deadline.action)


def deadline_from(columns: DeadlineColumns) -> Deadline:
    """A stored deadline."""
    action: Any = columns.action
    return Deadline(action=action, due_at=to_time(columns.due_at), request=columns.request_id or None)


def lease_columns(lease: Lease) -> LeaseColumns:
    """A lease as it is stored."""
    return LeaseColumns(lease.token, lease.owner, to_micros(lease.expires_at))


def lease_from(run_id: str, columns: LeaseColumns) -> Lease:
    """A stored lease."""
    return Lease(run_id=run_id, token=columns.token, owner=columns.owner, expires_at=to_time(columns.expires_at))


def key_columns(key: Key) -> KeyColumns:
    """A key as it is stored."""
    return KeyColumns(key.scope, key.key, bytes.fromhex(key.body), key.request_id)


def key_from(run_id: str, columns: KeyColumns) -> Key:
    """A stored key."""
    return Key(
        scope=columns.scope,
        key=columns.key,
        body=columns.body.hex(),
        run_id=run_id,
        request_id=columns.request_id,
    )


def stand_columns(run: RunRecord) -> StandColumns:
    """Where a run stands, as it is stored."""
    return StandColumns(run.status, run.seq, bytes.fromhex(run.head), to_micros(run.at), record_text(run))


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
        "changed_at": to_micros(run.changed_at) if run.changed_at else None,
    }
    return canonical({name: value for name, value in members.items() if value})


def record_from(
    run: RunColumns, stand: StandColumns, definition: DefinitionColumns, requests: Mapping[str, RequestRecord]
) -> RunRecord:
    """The record of a run, from its row, its definition's and its open requests."""
    members = decoded(stand.record)
    attempt, leaving, previous, alarm = (members.get(name) for name in ("attempt", "leaving", "previous", "alarm"))
    return RunRecord(
        id=run.run_id,
        seq=stand.seq,
        head=stand.head.hex(),
        at=to_time(stand.at),
        started_at=to_time(run.started_at),
        initiator=run.initiator,
        definition_id=definition.digest.hex(),
        definition=definition.version.hex(),
        workflow=definition.workflow,
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
        changed_at=to_time(members["changed_at"]) if "changed_at" in members else None,
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
