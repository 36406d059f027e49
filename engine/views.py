"""What callers see of a run and of a request: frozen values with the fields of spec 4's JSON.

A view is of one moment: a request that is overdue then reads as settled by its default, though nothing was written
yet (spec 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition, HumanState
from holdpoint.engine.due import is_due
from holdpoint.engine.errors import RunFailed
from holdpoint.engine.evolve import request_changed, request_opened
from holdpoint.engine.model import AGENT_PHASES, Entry, RequestRecord, Revision, RunRecord, Status, Values
from holdpoint.engine.names import decision_result, resolve
from holdpoint.engine.times import format_time

if TYPE_CHECKING:
    from holdpoint.engine.ports import RequestRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as people see it.

    `show` holds `{name, revision, sha256}` for artifacts, with `content` where one request is read alone, and
    `{name, value}` for values. `due_at` is None where it waits for ever; `decision` is None while it is open.
    """

    id: str
    run: str
    workflow: str
    state: str
    kind: str
    message: str
    options: tuple[str, ...]
    form: Json
    forms: Mapping[str, Json] | None
    show: tuple[Mapping[str, Json], ...]
    assign: Json
    exclude: tuple[str, ...]
    claimed_by: str | None
    priority: str
    status: str
    votes: tuple[Mapping[str, Json], ...]
    opened_at: datetime
    due_at: datetime | None
    default: Mapping[str, Json] | None
    decision: Mapping[str, Json] | None
    needs_comment: tuple[str, ...] = ()
    attempt: Mapping[str, Json] | None = None

    def to_dict(self) -> dict[str, Json]:
        """The request as `--json` prints it."""
        members = {name: _plain(getattr(self, name)) for name in self.__slots__}
        for name in ("attempt", "forms"):
            if members[name] is None:
                del members[name]
        return members


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as people see it. `requests` holds the open ones; `error` is None unless the run is `failed`.

    `attempt` is the attempt of its agent that is under way or comes next, as `attempt_view` gives it; None where the
    run waits for no agent. `updated_at` is when something of the run last changed: a refused decision changes nothing.
    """

    id: str
    workflow: str
    definition: str
    status: Status
    state: str | None
    outcome: str | None
    input: Json
    results: Mapping[str, Json]
    output: Json
    artifacts: Mapping[str, Mapping[str, Json]]
    requests: tuple[Request, ...]
    initiator: str | None
    visits: Mapping[str, int]
    parent: str | None
    error: Mapping[str, Json] | None
    attempt: Mapping[str, Json] | None
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    replayed: bool | None = None

    def raise_for_failure(self) -> None:
        """Raise `RunFailed` if the run is `failed`."""
        if self.error is not None:
            raise RunFailed(f"run {self.id} failed: {self.error['message']}", details=self.error)

    def to_dict(self) -> dict[str, Json]:
        """The run as `--json` prints it."""
        members = {name: _plain(getattr(self, name)) for name in self.__slots__}
        members["requests"] = [request.to_dict() for request in self.requests]
        if self.replayed is None:
            del members["replayed"]
        return members


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One revision of an artifact. `parent` is the revision that it was made from."""

    name: str
    revision: int
    author: str
    author_kind: str
    sha256: str
    parent: int | None
    at: datetime
    content: Json

    def to_dict(self) -> dict[str, Json]:
        """The revision as `flow artifact --json` prints it."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run in a listing: without its input, results, artifacts and requests."""

    id: str
    workflow: str
    definition: str
    status: Status
    state: str | None
    outcome: str | None
    output: Json
    initiator: str | None
    visits: Mapping[str, int]
    parent: str | None
    error: Mapping[str, Json] | None
    attempt: Mapping[str, Json] | None
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None

    def to_dict(self) -> dict[str, Json]:
        """The run as `flow runs --json` prints it."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


def run_view(
    run: RunRecord,
    values: Values,
    now: datetime,
    *,
    attempt: Mapping[str, Json] | None = None,
    is_replayed: bool | None = None,
) -> Run:
    """A run with all it has."""
    return Run(
        id=run.id,
        workflow=run.workflow,
        definition=run.definition,
        status=run.status_at(now),
        state=run.state,
        outcome=run.outcome,
        input=values.content(run.input),
        results={state: resolve(ref, values) for state, ref in run.results.items()},
        output=None if run.output is None else values.content(run.output),
        artifacts={
            name: {
                "revision": revision.revision,
                "author": revision.author,
                "author_kind": revision.author_kind,
                "sha256": revision.sha256,
                "content": values.content(revision.sha256),
            }
            for name, revision in run.artifacts.items()
        },
        requests=tuple(
            open_request_view(request, run, values)
            for request in run.requests.values()
            if not is_due(request, run, now)
        ),
        initiator=run.initiator,
        visits=dict(run.visits),
        parent=None,
        error=_full_error(run, values),
        attempt=attempt,
        started_at=run.started_at,
        updated_at=run.updated_at,
        ended_at=run.ended_at,
        replayed=is_replayed,
    )


def summary_view(
    run: RunRecord, values: Values, now: datetime, *, attempt: Mapping[str, Json] | None = None
) -> RunSummary:
    """A run in a listing."""
    return RunSummary(
        id=run.id,
        workflow=run.workflow,
        definition=run.definition,
        status=run.status_at(now),
        state=run.state,
        outcome=run.outcome,
        output=None if run.output is None else values.content(run.output),
        initiator=run.initiator,
        visits=dict(run.visits),
        parent=None,
        error=_error(run, values),
        attempt=attempt,
        started_at=run.started_at,
        updated_at=run.updated_at,
        ended_at=run.ended_at,
    )


def attempt_view(
    run: RunRecord, values: Values, definition: Definition, now: datetime, *, is_lost: bool = False
) -> Mapping[str, Json] | None:
    """The attempt of the run's agent that is under way or comes next: `{number, of, stage, due_at, error}`.

    `stage` is `working` (under a lease), `ready` (for a worker to take it up), `delayed` (until `due_at`; `error` is
    that of the attempt before), or `lost` (*is_lost*: its process is gone, and nobody has found out yet). None where
    the run is not in an agent's state, or rests as failed.
    """
    state = definition.states.get(run.state or "")
    if run.phase not in AGENT_PHASES or run.failure is not None or not isinstance(state, AgentState):
        return None
    is_under_way = run.phase == "working"
    failed = values.entry(run.last_error) if run.phase == "delayed" and run.last_error is not None else None
    stage = ("lost" if is_lost else "working") if is_under_way else "ready"
    if run.alarm is not None and run.due(now) is None:
        stage = "delayed"
    return {
        "number": run.attempts + (not is_under_way),
        "of": run.spared + (state.retry.attempts if state.retry else 1),
        "stage": stage,
        "due_at": None if run.alarm is None else format_time(run.alarm.due_at),
        "error": failed and {**_failure(failed), "stderr": _stderr(failed)},
    }


def artifact_view(revision: Revision, values: Values) -> Artifact:
    """One revision with its content."""
    return Artifact(
        name=revision.name,
        revision=revision.revision,
        author=revision.author,
        author_kind=revision.author_kind,
        sha256=revision.sha256,
        parent=revision.parent,
        at=revision.at,
        content=values.content(revision.sha256),
    )


def open_request_view(request: RequestRecord, run: RunRecord, values: Values) -> Request:
    """A request that is open."""
    return _request_view(request, run, values, status="open", decision=None)


def request_view(row: RequestRow, run: RunRecord, values: Values, now: datetime, late: Sequence[Entry] = ()) -> Request:
    """Any request, with the contents that it shows. *late* are the run's `agent.late` entries."""
    request = request_changed(request_opened(values.entry(row.opened_seq), row.state), row.changes)
    decision: Mapping[str, Json] | None = None
    status = row.status
    if row.settled_seq is not None and status == "decided":
        decision = decision_dict(values.entry(row.settled_seq), values)
    elif status == "open" and is_due(request, run, now):
        status, decision = "decided", _default_decision(request)
    view = _request_view(request, run, values, status=status, decision=decision, with_contents=True)
    if view.attempt is None:
        return view
    return replace(view, attempt={**view.attempt, "late_output": _late_output(late, row.opened_seq, values)})


def in_authors_order(request: Request, definition: Definition) -> Request:
    """The request with the keys of its forms in the order in which the workflow's author wrote them.

    What is stored is canonical, with its keys sorted; the definition has the order.
    """
    state = definition.states.get(request.state)
    form: Json = None
    written: Mapping[str, Json] = {}
    if isinstance(state, HumanState):
        form, written = state.form, state.forms
    elif isinstance(state, AgentState):
        written = {"done": state.output}
    forms = request.forms and {name: _ordered(one, written.get(name)) for name, one in request.forms.items()}
    return replace(request, form=_ordered(request.form, form), forms=forms)


def _ordered(value: Json, pattern: Json) -> Json:
    if isinstance(value, dict) and isinstance(pattern, dict):
        keys = [*(key for key in pattern if key in value), *(key for key in value if key not in pattern)]
        return {key: _ordered(value[key], pattern.get(key)) for key in keys}
    if isinstance(value, list) and isinstance(pattern, list):
        return [_ordered(*pair) for pair in zip_longest(value, pattern[: len(value)])]
    return value


def decision_dict(entry: Entry, values: Values) -> dict[str, Json]:
    """The decision that an entry (`request.decided`, `request.expired`) holds."""
    return {**decision_result(entry, values), "artifacts": dict(entry.data.get("artifacts", {})), "votes": []}


def _request_view(
    request: RequestRecord,
    run: RunRecord,
    values: Values,
    *,
    status: str,
    decision: Mapping[str, Json] | None,
    with_contents: bool = False,
) -> Request:
    data = request.data
    return Request(
        id=request.id,
        run=run.id,
        workflow=run.workflow,
        state=request.state,
        kind=request.kind,
        message=data["message"],
        options=request.options,
        form=data.get("form"),
        forms=data.get("forms"),
        show=tuple(_shown(item, values, with_contents) for item in data["show"]),
        assign=request.assign,
        exclude=request.exclude,
        claimed_by=request.changes.get("claimed_by") or None,
        priority=request.priority,
        status=status,
        votes=(),
        opened_at=request.opened_at,
        due_at=request.due_at,
        default=data.get("default"),
        decision=decision,
        needs_comment=tuple(data.get("comment", ())),
        attempt=data.get("attempt"),
    )


def _shown(item: Mapping[str, Json], values: Values, with_contents: bool) -> Mapping[str, Json]:
    if "value" in item:
        return {"name": item["name"], "value": values.content(item["value"])}
    if not with_contents:
        return item
    return {**item, "content": None if item["sha256"] is None else values.content(item["sha256"])}


def _default_decision(request: RequestRecord) -> dict[str, Json]:
    default = request.silence
    return {
        "decision": default["decision"],
        "by": None,
        "by_kind": "timer",
        "comment": None,
        "answers": default.get("answers"),
        "at": None if request.due_at is None else format_time(request.due_at),
        "artifacts": {
            item["name"]: {"revision": item["revision"], "sha256": item["sha256"]}
            for item in request.data["show"]
            if item.get("revision") is not None
        },
        "votes": [],
    }


def _late_output(late: Sequence[Entry], opened_seq: int, values: Values) -> Json:
    """What the crashed attempt still reported; its request opened right after the entry of the crash."""
    token = values.entry(opened_seq - 1).data.get("token")
    outputs = [entry.data.get("output") for entry in late if entry.data.get("token") == token]
    return values.content(outputs[-1]) if outputs and outputs[-1] else None


def _error(run: RunRecord, values: Values) -> dict[str, Json] | None:
    if run.failure is None or run.status != "failed":
        return None
    return _failure(values.entry(run.failure))


def _full_error(run: RunRecord, values: Values) -> Mapping[str, Json] | None:
    """The error with what its agent wrote on its standard error; an agent's failure was noted right before."""
    error = _error(run, values)
    if error is None or run.failure is None or run.last_error != run.failure - 1:
        return error and {**error, "stderr": ""}
    return {**error, "stderr": _stderr(values.entry(run.last_error))}


def _stderr(entry: Entry) -> str:
    return str(entry.data.get("stderr", ""))


def _failure(entry: Entry) -> dict[str, Json]:
    """What a failure's entry (`run.failed`, `agent.failed`) says of it."""
    data = entry.data
    return {
        "code": data["code"],
        "message": data["message"],
        "state": data.get("state"),
        "attempt": data.get("attempt"),
        "details": data.get("details", {}),
    }


def _plain(value: object) -> Json:
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return dict(value) if isinstance(value, Mapping) else value
