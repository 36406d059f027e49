"""What a run is made of: entries of its history, the record that they fold to, and the commands that move it.

All are frozen values. A record names large values by their hash and decisions by the number of their entry, so that
nothing is kept twice and a record stays small however much a run has produced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeAlias, get_args

from holdpoint.engine.agents import Outcome, Work
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import DEFAULT_PRIORITY, TIMEOUT
from holdpoint.engine.durations import Duration
from holdpoint.engine.times import format_time

Status: TypeAlias = Literal["running", "waiting", "done", "failed", "cancelled"]
STATUSES: tuple[Status, ...] = get_args(Status)
ENDED: tuple[Status, ...] = ("done", "cancelled")
"""The statuses of runs that have ended: `failed` is a rest, and no end (spec 3.12)."""

ActorKind: TypeAlias = Literal["human", "timer", "operator", "agent", "engine"]
Ref: TypeAlias = int
"""A result of a run: the number of the history entry that left it."""

Phase: TypeAlias = Literal[
    "starting", "entered", "working", "crashed", "delayed", "asking", "waiting", "leaving", "ended"
]
"""What a run does in its state.

starting   no state yet: the initial target is still to be chosen
entered    in the state; an agent is to begin, or a request to be opened
working    an attempt of an agent is under way, under a lease
crashed    an attempt ended without an answer, and what to do about it is still to be looked up
delayed    an attempt has failed, and the next is due at a set time
asking     a request is open
waiting    a time or a signal is awaited
leaving    the state has its result; the target is still to be chosen
ended      nothing moves it any more
"""

AGENT_PHASES = frozenset({"entered", "working", "delayed"})
"""Those in which an attempt of an agent is under way or comes next."""

MAX_TRANSITIONS = 10_000
MAX_CRASHES = 5
MAX_SIGNALS = 1_000
_TIMED_OUT: Mapping[str, Json] = MappingProxyType({"decision": TIMEOUT})
NO_HASH = "0" * 64

# What a request's row says after an entry of these kinds, and the kinds that change an open one.
SETTLING = MappingProxyType({"request.decided": "decided", "request.expired": "decided", "request.voided": "void"})
CHANGING = frozenset({"request.assigned", "request.claimed", "operator.extended"})

# Entries that are only noted: nothing of the run is another than before.
NOTING = frozenset({"decision.refused", "agent.late"})

# Ways out of a state that no workflow names; with the space they cannot be an option of anybody's.
ON_CANCEL = "on cancel"
MOVED = "moved by operator"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a run's history. `text` is the canonical JSON of `data`.

    `hash` covers all the other fields; `prev` is the hash of the entry before, or 64 zeros.
    """

    run: str
    seq: int
    at: datetime
    kind: str
    actor: str | None
    actor_kind: ActorKind
    data: Mapping[str, Json]
    text: str
    prev: str
    hash: str

    @classmethod
    def of(cls, **fields: Any) -> Entry:
        """An entry with all these fields: what `Entry(…)` makes, in half the time."""
        entry = object.__new__(cls)
        entry.__dict__.update(fields)
        return entry

    def to_dict(self) -> dict[str, Json]:
        """The entry as `flow history --json` prints it; without `hash` it is what the hash is taken of."""
        return {
            "run": self.run,
            "seq": self.seq,
            "at": format_time(self.at),
            "kind": self.kind,
            "actor": self.actor,
            "actor_kind": self.actor_kind,
            "data": dict(self.data),
            "prev": self.prev,
            "hash": self.hash,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One revision of an artifact. `state` is the agent state whose output schema it must meet."""

    name: str
    revision: int
    sha256: str
    author: str
    author_kind: ActorKind
    parent: int | None
    state: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """An open request. `data` is what its entry says: the rendered texts, options, form, people and what is shown.

    `changes` are the members that were changed since it opened (`assign`, `claimed_by`, `due_at`).
    """

    id: str
    state: str
    kind: str
    opened_seq: int
    opened_at: datetime
    due_at: datetime | None
    data: Mapping[str, Json]
    changes: Mapping[str, Json] = field(default_factory=dict)

    @property
    def assign(self) -> Json:
        """Whom it asks: a list, or one by option."""
        assign = self.changes.get("assign")
        return self.data.get("assign", []) if assign is None else assign

    @property
    def exclude(self) -> tuple[str, ...]:
        """Who may not decide it."""
        return tuple(self.data.get("exclude", ()))

    @property
    def options(self) -> tuple[str, ...]:
        """What a person may choose."""
        return tuple(self.data["options"])

    @property
    def silence(self) -> Mapping[str, Json]:
        """What its deadline decides: the default, or the edge for it."""
        return self.data.get("default") or _TIMED_OUT

    @property
    def priority(self) -> str:
        """low, normal, high or urgent."""
        return str(self.data.get("priority", DEFAULT_PRIORITY))


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt under way. `token` is the number of its entry: it fences off every earlier one."""

    token: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """The option by which a state is being left, and the result that it leaves with."""

    option: str
    result: Ref | None
    is_revised: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """How the current state was entered."""

    state: str
    option: str
    result: Ref | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A due time and what is to be done then: settle a request, make the next attempt, or go on."""

    action: Literal["decide", "retry", "wake"]
    due_at: datetime
    request: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """An event from outside that no wait has taken yet, by the number of its entry."""

    name: str
    seq: int


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run as its history folds to it. Only `evolve` makes a new one.

    `crash` is the entry of the last crash; `spared` are the attempts that the retry policy no longer counts, because an
    operator has taken the run up again since. `changed_at` is the time of the last change where entries that change
    nothing have followed it.
    """

    id: str
    workflow: str
    definition: str
    definition_id: str
    initiator: str | None
    input: str
    started_at: datetime
    seq: int
    head: str
    at: datetime
    phase: Phase = "starting"
    state: str | None = None
    visits: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[str, Ref] = field(default_factory=dict)
    artifacts: Mapping[str, Revision] = field(default_factory=dict)
    requests: Mapping[str, RequestRecord] = field(default_factory=dict)
    returns: Mapping[str, int] = field(default_factory=dict)
    signals: tuple[Signal, ...] = ()
    alarm: Deadline | None = None
    attempt: Attempt | None = None
    attempts: int = 0
    crashes: int = 0
    crash: int | None = None
    spared: int = 0
    is_cancelling: bool = False
    transitions: int = 0
    leaving: Leaving | None = None
    previous: Previous | None = None
    last_error: int | None = None
    failure: int | None = None
    outcome: str | None = None
    output: str | None = None
    ended_at: datetime | None = None
    changed_at: datetime | None = None

    def changed(self, changes: Mapping[str, object]) -> RunRecord:
        """A copy with these fields changed."""
        # dataclasses.replace does the same in ten times the time, and this happens once for every entry.
        copy = object.__new__(RunRecord)
        copy.__dict__.update(self.__dict__)
        copy.__dict__.update(changes)
        return copy

    @property
    def status(self) -> Status:
        """Where the run stands, for people."""
        if self.phase == "ended":
            return "done" if self.outcome is not None else "cancelled"
        if self.failure is not None:
            return "failed"
        if self.phase == "delayed" and self.alarm is not None:
            # By its own time the next attempt may be due already; then it is ready, whatever the clock says.
            return "waiting" if self.alarm.due_at > self.at else "running"
        return "waiting" if self.phase in ("asking", "waiting") else "running"

    def status_at(self, now: datetime) -> Status:
        """Where the run stands as it is read: one that has something due is `running`, though nobody wrote that yet."""
        return "running" if self.status == "waiting" and self.due(now) is not None else self.status

    @property
    def updated_at(self) -> datetime:
        """When something of the run last changed."""
        return self.changed_at or self.at

    @property
    def visit(self) -> int:
        """The number of the current visit of the current state."""
        return self.visits.get(self.state or "", 0)

    @property
    def key(self) -> str:
        """The idempotency key of the current visit, the same for each of its attempts."""
        return f"{self.id}/{self.state}/{self.visit}"

    @property
    def deadlines(self) -> tuple[Deadline, ...]:
        """What will fall due."""
        if not self.requests:
            return () if self.alarm is None else (self.alarm,)
        due = tuple(
            Deadline(action="decide", due_at=request.due_at, request=request.id)
            for request in self.requests.values()
            if request.due_at is not None
        )
        return due if self.alarm is None else (*due, self.alarm)

    def due(self, now: datetime) -> Deadline | None:
        """What has fallen due first, by the run's own time, which is never before its last entry."""
        moment = max(now, self.at)
        passed = [deadline for deadline in self.deadlines if deadline.due_at <= moment]
        return min(passed, key=lambda deadline: deadline.due_at) if passed else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Begin a run."""

    run_id: str
    input: Json
    initiator: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """A person settles a request."""

    request_id: str
    option: str
    by: str
    comment: str | None = None
    answers: Json = None
    artifact: Json = None
    has_artifact: bool = False
    base: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Note in the history that a decision was refused; it moves nothing."""

    by: str
    option: str
    code: str
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """Apply the default of a request that is due."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """Go on from a wait whose time has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """An event from outside."""

    name: str
    data: Json = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Ask other people than before."""

    request_id: str
    assign: tuple[str, ...]
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Say who works on a request (None: nobody any more). It forbids nobody."""

    request_id: str
    by: str
    person: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend:
    """An operator gives a request more time."""

    request_id: str
    duration: Duration
    by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An operator puts a run into another state."""

    to: str
    by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Continue:
    """Take a run up where it is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """An attempt has come to its outcome."""

    token: int
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The process that made an attempt is gone, or its lease has run out."""

    token: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """An operator takes a failed run up again."""

    by: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """An operator ends a run."""

    by: str | None
    reason: str | None = None


Command: TypeAlias = (
    Decide | Refuse | Expire | Wake | Send | Assign | Claim | Extend | Move | Continue | Finish | Crash | Retry | Cancel
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a command does to a run: to be committed as a whole, or not at all.

    `before` is None for a new run. `contents` maps hashes to canonical JSON texts. `work` is the attempt that the last
    entry began, for whoever commits the step; its arguments may hold secrets and are stored nowhere.
    """

    before: RunRecord | None
    after: RunRecord
    entries: tuple[Entry, ...]
    contents: Mapping[str, str]
    work: Work | None = None


class Values(Protocol):
    """What a run's record refers to."""

    def content(self, sha256: str) -> Json:
        """The value with this hash."""
        ...

    def entry(self, seq: int) -> Entry:
        """The run's entry with this number."""
        ...

    def revision(self, name: str, revision: int) -> Json:
        """The content of one revision of an artifact."""
        ...
