"""The store in memory: what the contract means, in a page. Nothing outlives the object."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import NotFound, StoreError
from holdpoint.engine.model import CHANGING, SETTLING, Deadline, Entry, Ref, RunRecord, Step
from holdpoint.engine.names import left_by
from holdpoint.engine.ports import Dossier, InboxRow, Key, KeyTaken, Lease, Moved, RequestRow, RunRow
from holdpoint.engine.traffic import Traffic, gather
from holdpoint.stores.cursors import read_cursor
from holdpoint.stores.rows import RANKS, to_due, to_micros


@dataclass(slots=True, kw_only=True)
class _Run:
    """A run with all that belongs to it."""

    number: int
    record: RunRecord
    definition: Definition
    entries: list[Entry] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    requests: dict[str, RequestRow] = field(default_factory=dict)
    revisions: dict[tuple[str, int], int] = field(default_factory=dict)
    lease: Lease | None = None


class MemoryStore:
    """`holdpoint.engine.ports.Store` in dicts, behind one lock."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._runs: dict[str, _Run] = {}
        self._keys: dict[tuple[str, str], Key] = {}
        self._sources: dict[str, str] = {}

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._runs.clear()
            self._keys.clear()
            self._sources.clear()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Undo what the block did if it raises."""
        with self._lock:
            runs = {run_id: _copy(run) for run_id, run in self._runs.items()}
            keys, sources = dict(self._keys), dict(self._sources)
            try:
                yield
            except BaseException:  # whatever stops it, all is undone, as a database does it
                self._runs, self._keys, self._sources = runs, keys, sources
                raise

    def run(self, run_id: str) -> RunRecord:
        """The run's record."""
        return self._run(run_id).record

    def content(self, run_id: str, sha256: str) -> Json:
        """One content."""
        return json.loads(self._run(run_id).contents[sha256])

    def entry(self, run_id: str, seq: int) -> Entry:
        """One entry."""
        return self._run(run_id).entries[seq - 1]

    def results(self, run_id: str, refs: Collection[Ref]) -> tuple[Sequence[Entry], Mapping[str, Json]]:
        """The entries and what they name."""
        entries = [self.entry(run_id, seq) for seq in refs]
        return entries, {sha256: self.content(run_id, sha256) for entry in entries for sha256 in left_by(entry)}

    def definition(self, definition_id: str) -> str:
        """The text of a document that some run uses."""
        with self._lock:
            for run in self._runs.values():
                if run.definition.id == definition_id:
                    return run.definition.text
        raise StoreError(f"definition {definition_id} is missing", code="corrupt")

    def compiled(self, source: str) -> str | None:
        """The text of what was compiled from a source."""
        return self._sources.get(source)

    def request(self, request_id: str) -> RequestRow:
        """Where one request stands."""
        with self._lock:
            for run in self._runs.values():
                if request_id in run.requests:
                    return run.requests[request_id]
        raise NotFound(f"there is no request {request_id}", details={"request": request_id})

    def requests(self, run_id: str) -> Sequence[RequestRow]:
        """All requests of a run."""
        run = self._runs.get(run_id)
        return [] if run is None else list(run.requests.values())

    def find(self, prefix: str, limit: int) -> Sequence[str]:
        """Ids that begin with *prefix*."""
        with self._lock:
            ids = [*self._runs, *(request for run in self._runs.values() for request in run.requests)]
        return sorted(name for name in ids if name.startswith(prefix))[:limit]

    def key(self, scope: str, key: str) -> Key | None:
        """What a key stands for."""
        return self._keys.get((scope, key))

    def keys_of_run(self, run_id: str, key: str) -> Sequence[Key]:
        """What a decision's key stands for in the run."""
        with self._lock:
            keys = [item for item in self._keys.values() if item.run_id == run_id and item.key == key]
        return [item for item in keys if item.request_id is not None]

    def commit(
        self,
        step: Step,
        *,
        definition: Definition | None = None,
        source: str | None = None,
        lease: Lease | None = None,
        lapsed: Lease | None = None,
        key: Key | None = None,
    ) -> None:
        """Check everything, then change everything."""
        with self._lock:
            run = self._to_change(step, definition)
            if lapsed is not None and run.lease != lapsed:
                raise Moved(step.after.id)
            if key is not None and (key.scope, key.key) in self._keys:
                raise KeyTaken(key.key)
            _write(run, step)
            if step.before is not None and step.before.attempt != step.after.attempt:
                run.lease = None
            run.lease = lease or run.lease
            self._runs[step.after.id] = run
            if definition is not None and source is not None:
                self._sources[source] = definition.text
            if key is not None:
                self._keys[key.scope, key.key] = key

    def renew(self, run_id: str, token: int, expires_at: datetime) -> bool:
        """Move a lease's end."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is None or run.lease is None or run.lease.token != token:
                return False
            run.lease = replace(run.lease, expires_at=expires_at)
            return True

    def leases(self) -> Sequence[Lease]:
        """All leases."""
        with self._lock:
            leases = [run.lease for run in self._runs.values() if run.lease is not None]
        return sorted(leases, key=lambda lease: lease.expires_at)

    def due(self, now: datetime, actions: Sequence[str], limit: int) -> Sequence[tuple[str, Deadline]]:
        """What is due."""
        found = [item for item in self._deadlines() if item[1].due_at <= now and item[1].action in actions]
        return sorted(found, key=lambda item: item[1].due_at)[:limit]

    def next_due(self, after: datetime | None = None) -> datetime | None:
        """The first deadline's time."""
        times = [deadline.due_at for _, deadline in self._deadlines()]
        return min((time for time in times if after is None or time > after), default=None)

    def ready(self, limit: int, after: str | None = None) -> Sequence[str]:
        """Runs without a lease that are `running`."""
        with self._lock:
            first = self._runs[after].number if after in self._runs else 0
            runs = [run for run in self._runs.values() if run.number > first and run.lease is None]
        return [run.record.id for run in runs if run.record.status == "running"][:limit]

    def history(self, run_id: str, after: int = 0) -> Sequence[Entry]:
        """The entries."""
        run = self._runs.get(run_id)
        return [] if run is None else run.entries[max(0, after) :]

    def revision_entry(self, run_id: str, name: str, revision: int) -> Entry | None:
        """The entry of one revision."""
        run = self._runs.get(run_id)
        seq = None if run is None else run.revisions.get((name, revision))
        return None if run is None or seq is None else run.entries[seq - 1]

    def count_runs(self) -> int:
        """How many there are."""
        return len(self._runs)

    def run_ids(self) -> Sequence[str]:
        """Every run's id."""
        return list(self._runs)

    def runs(
        self, *, now: datetime, statuses: Sequence[str], workflow: str | None, limit: int, after: str | None
    ) -> Sequence[RunRow]:
        """A page of runs."""
        last = None if after is None else read_cursor(after, 1)[0]
        with self._lock:
            found = [
                run
                for run in reversed(self._runs.values())
                if (not statuses or run.record.status_at(now) in statuses)
                and workflow in (None, run.record.workflow)
                and (last is None or run.number < last)
            ]
        return [RunRow(run=run.record, cursor=str(run.number)) for run in found[:limit]]

    def inbox(
        self,
        *,
        now: datetime,
        workflow: str | None,
        priority: str | None,
        due: datetime | None,
        limit: int,
        after: str | None,
    ) -> Sequence[InboxRow]:
        """A page of open requests."""
        place = None if after is None else tuple(read_cursor(after, 3))
        rows = []
        with self._lock:
            for run in self._runs.values():
                for request in run.record.requests.values():
                    due_at = to_due(request.due_at)
                    order = (RANKS[request.priority], due_at, request.id)
                    if (
                        due_at > to_micros(max(now, run.record.at))
                        and workflow in (None, run.record.workflow)
                        and priority in (None, request.priority)
                        and (due is None or due_at <= to_micros(due))
                        and (place is None or order > place)
                    ):
                        cursor = ",".join(str(part) for part in order)
                        rows.append((order, InboxRow(request=request, run=run.record, cursor=cursor)))
        return [row for _, row in sorted(rows, key=lambda item: item[0])[:limit]]

    def traffic(self, workflow: str, version: str | None) -> Traffic:
        """The ways of all runs, from their histories."""
        with self._lock:
            known = [run for run in self._runs.values() if run.record.workflow == workflow]
            runs = [run for run in known if version in (None, run.definition.version)]
            ways, stays = gather(run.entries for run in runs)
        here = Counter(run.record.state for run in runs if run.record.state and run.record.phase != "ended")
        return Traffic(
            runs=len(runs),
            others=len(known) - len(runs),
            ways=ways,
            stays=stays,
            here=sorted((state, count) for state, count in here.items() if state),
        )

    def dossier(self, run_id: str) -> Dossier:
        """Everything of a run."""
        with self._lock:
            run = self._run(run_id)
            record = run.record
            return Dossier(
                run_id=run_id,
                status=record.status,
                record=record,
                entries=list(run.entries),
                requests=list(run.requests.values()),
                request_dues=_dues(run),
                revisions=dict(run.revisions),
                contents=dict(run.contents),
                deadlines=record.deadlines,
                lease=run.lease,
                definition_text=run.definition.text,
                definition_version=run.definition.version,
                definition_workflow=run.definition.workflow,
                keys=[key for key in self._keys.values() if key.run_id == run_id],
            )

    def faults(self) -> Sequence[str]:
        """Dicts do not rot."""
        return []

    def _run(self, run_id: str) -> _Run:
        with self._lock:
            run = self._runs.get(run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}", details={"run": run_id})
        return run

    def _to_change(self, step: Step, definition: Definition | None) -> _Run:
        """A copy of the run to write to, if it is still where the step was decided."""
        if step.before is None:
            if definition is None:
                raise ValueError("a first step needs the definition")
            if step.after.id in self._runs:
                raise StoreError(f"there is a run {step.after.id} already")
            return _Run(number=len(self._runs) + 1, record=step.after, definition=definition)
        run = self._run(step.after.id)
        if run.record.seq != step.before.seq:
            raise Moved(step.after.id)
        return _copy(run)

    def _deadlines(self) -> list[tuple[str, Deadline]]:
        with self._lock:
            return [(run_id, item) for run_id, run in self._runs.items() for item in run.record.deadlines]


def _copy(run: _Run) -> _Run:
    """A run that can be changed without the other noticing."""
    other = copy(run)
    other.entries, other.contents = list(run.entries), dict(run.contents)
    other.requests, other.revisions = dict(run.requests), dict(run.revisions)
    return other


def _write(run: _Run, step: Step) -> None:
    state = step.before.state if step.before else None
    run.record = step.after
    run.entries += step.entries
    run.contents |= step.contents
    for entry in step.entries:
        request_id = entry.data.get("request", "")
        if entry.kind == "state.entered":
            state = entry.data["state"]
        elif entry.kind == "artifact.revised":
            run.revisions[entry.data["name"], entry.data["revision"]] = entry.seq
        elif entry.kind == "request.opened":
            run.requests[request_id] = RequestRow(
                id=request_id,
                run_id=step.after.id,
                state=state or "",
                kind=entry.data["kind"],
                status="open",
                opened_seq=entry.seq,
                settled_seq=None,
            )
        elif entry.kind in SETTLING:
            row = run.requests[request_id]
            if row.settled_seq is not None:
                raise Moved(step.after.id)
            run.requests[request_id] = replace(row, status=SETTLING[entry.kind], settled_seq=entry.seq)
        elif entry.kind in CHANGING and request_id in step.after.requests:
            changes = step.after.requests[request_id].changes
            run.requests[request_id] = replace(run.requests[request_id], changes=changes)


def _dues(run: _Run) -> Mapping[str, tuple[datetime | None, str]]:
    from holdpoint.engine.evolve import request_changed, request_opened

    opened = {
        row.id: request_changed(request_opened(run.entries[row.opened_seq - 1], row.state), row.changes)
        for row in run.requests.values()
    }
    return {name: (request.due_at, request.priority) for name, request in opened.items()}
