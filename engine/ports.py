"""What the engine asks of a store. Each method is one transition or one question; every write is atomic."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import Definition
from holdpoint.engine.model import Deadline, Entry, Ref, RequestRecord, RunRecord, Step
from holdpoint.engine.traffic import Traffic


class Moved(Exception):
    """The run is no longer where the step was decided: read it again and decide again."""


class KeyTaken(Exception):
    """Another command was first with this key: read it and compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who works on a run's attempt, and until when nobody else may."""

    run_id: str
    token: int
    owner: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A caller's own key for a command: within *scope* it stands for one body, for ever."""

    scope: str
    key: str
    body: str
    run_id: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """Where a request stands. `settled_seq` is the entry that settled or voided it."""

    id: str
    run_id: str
    state: str
    kind: str
    status: str
    opened_seq: int
    settled_seq: int | None
    changes: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """An open request with what is needed to show it."""

    request: RequestRecord
    run: RunRecord
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run in a listing."""

    run: RunRecord
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """Everything that is stored of a run, as it stands in the rows; nothing of it is believed."""

    run_id: str
    status: str
    record: RunRecord
    entries: Sequence[Entry]
    requests: Sequence[RequestRow]
    request_dues: Mapping[str, tuple[datetime | None, str]]
    revisions: Mapping[tuple[str, int], int]
    contents: Mapping[str, str]
    deadlines: Sequence[Deadline]
    lease: Lease | None
    definition_text: str
    definition_version: str
    definition_workflow: str
    keys: Sequence[Key]


class Store(Protocol):
    """A place that keeps runs. Implementations raise `StoreError` for what the database itself refuses."""

    def run(self, run_id: str) -> RunRecord:
        """Read a run as of one moment, or raise `NotFound`."""
        ...

    def content(self, run_id: str, sha256: str) -> Json:
        """The value with this hash that is stored with a run."""
        ...

    def entry(self, run_id: str, seq: int) -> Entry:
        """The entry of a run with this number. Its `prev` may be empty."""
        ...

    def results(self, run_id: str, refs: Collection[Ref]) -> tuple[Sequence[Entry], Mapping[str, Json]]:
        """The entries that left these results, and the contents of what they left; no `prev` either."""
        ...

    def definition(self, definition_id: str) -> str:
        """The text of a stored definition's document."""
        ...

    def compiled(self, source: str) -> str | None:
        """The text of the document that was compiled from the source with this hash, if it is known."""
        ...

    def request(self, request_id: str) -> RequestRow:
        """Where a request stands, or `NotFound`."""
        ...

    def requests(self, run_id: str) -> Sequence[RequestRow]:
        """All requests of a run, in the order in which they were opened."""
        ...

    def find(self, prefix: str, limit: int) -> Sequence[str]:
        """At most *limit* ids of runs or requests that begin with *prefix*."""
        ...

    def key(self, scope: str, key: str) -> Key | None:
        """What a key stands for."""
        ...

    def keys_of_run(self, run_id: str, key: str) -> Sequence[Key]:
        """What a key of a decision stands for in the requests of the run, the oldest first."""
        ...

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
        """Write a step as a whole, or raise `Moved` if the run is no longer at `step.before`.

        *definition* is stored with a first step, and remembered for *source*. *lease* is taken for the attempt that
        the step begins. With *lapsed* the step is written only if that lease is still as it was read. *key* is stored
        too, or `KeyTaken` is raised.
        """
        ...

    def batch(self) -> AbstractContextManager[None]:
        """Make the commits inside one transaction; one that raises undoes itself alone."""
        ...

    def renew(self, run_id: str, token: int, expires_at: datetime) -> bool:
        """Move the end of a lease; False where it is no longer ours."""
        ...

    def leases(self) -> Sequence[Lease]:
        """All leases, the first to end first."""
        ...

    def due(self, now: datetime, actions: Sequence[str], limit: int) -> Sequence[tuple[str, Deadline]]:
        """The deadlines at or before *now* of these actions, each with its run, the earliest first.

        *now* is the clock's time, and that is enough though a run's own time may be ahead of it (spec 3.9): before
        anything is written to a run, what is due on it is applied, so that no deadline lies between the two. A retry
        that is overdue by its run's time makes the run ready.
        """
        ...

    def next_due(self, after: datetime | None = None) -> datetime | None:
        """When the next deadline falls due, of all or of those that are due later than *after*."""
        ...

    def ready(self, limit: int, after: str | None = None) -> Sequence[str]:
        """Runs that are to be taken up and have no lease, the oldest first, from behind run *after*."""
        ...

    def history(self, run_id: str, after: int = 0) -> Sequence[Entry]:
        """The entries of a run behind number *after*."""
        ...

    def revision_entry(self, run_id: str, name: str, revision: int) -> Entry | None:
        """The entry that made a revision."""
        ...

    def runs(
        self, *, now: datetime, statuses: Sequence[str], workflow: str | None, limit: int, after: str | None
    ) -> Sequence[RunRow]:
        """Runs, newest first, from behind the cursor *after*. One that has something due counts as `running`."""
        ...

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
        """Open requests that are not overdue, most urgent first, from behind the cursor *after*."""
        ...

    def traffic(self, workflow: str, version: str | None) -> Traffic:
        """Which ways the runs of a workflow went, of one version's or of all, and how long they stayed where."""
        ...

    def dossier(self, run_id: str) -> Dossier:
        """Everything that is stored of a run, read as of one moment, for `verify`."""
        ...

    def faults(self) -> Sequence[str]:
        """What the database says is wrong with itself: damaged pages, rows without their run."""
        ...

    def count_runs(self) -> int:
        """How many runs there are."""
        ...

    def run_ids(self) -> Sequence[str]:
        """Every run, the oldest first."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
