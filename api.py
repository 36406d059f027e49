"""The public engine (spec 7): the one place that wires store, schema, scheduler and clock together."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, overload

from holdpoint import settings
from holdpoint.engine.canonical import Json, canonical, check_json, check_note, digest, digest_bytes
from holdpoint.engine.clock import Clock, in_utc, system_clock
from holdpoint.engine.definition import PRIORITIES, Definition
from holdpoint.engine.desk import take
from holdpoint.engine.errors import (
    Conflict,
    DefinitionError,
    Finding,
    NotAllowed,
    NotFound,
    StoreError,
    UsageError,
    did_you_mean,
    with_article,
)
from holdpoint.engine.evolve import revision_made
from holdpoint.engine.ids import new_run_id
from holdpoint.engine.loop import Loop, Standing, Terms
from holdpoint.engine.model import (
    AGENT_PHASES,
    STATUSES,
    Assign,
    Cancel,
    Claim,
    Command,
    Decide,
    Entry,
    Extend,
    Move,
    Retry,
    RunRecord,
    Send,
    Start,
)
from holdpoint.engine.moments import Moment, moments_of
from holdpoint.engine.people import may_decide
from holdpoint.engine.ports import InboxRow, Key, KeyTaken, Store
from holdpoint.engine.views import (
    Artifact,
    Request,
    Run,
    RunSummary,
    artifact_view,
    attempt_view,
    in_authors_order,
    open_request_view,
    request_view,
    run_view,
    summary_view,
)
from holdpoint.sources import check, check_files, locate, read_bytes, read_yaml, sarif, schema_text, workflow_files

if TYPE_CHECKING:
    from holdpoint.engine.verify import Flaw
    from holdpoint.evaluation.recording import Recording
    from holdpoint.evaluation.replay import Replay
    from holdpoint.scenarios.coverage import Coverage
    from holdpoint.scheduler.serve import Server
    from holdpoint.schema import Checked as Checked
    from holdpoint.schema import Proof as Proof
    from holdpoint.simulation.world import Waiting

MEMORY = "memory://"
_AT_REST = ("running", "waiting")
_log = logging.getLogger("holdpoint")
_RUN_ID = re.compile(r"run_[0-9a-z]{16}")
_REQUEST_ID = re.compile(r"req_[0-9a-z]{16}")
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[_Item]):
    """A part of a listing. `next` is the cursor for the part behind it, None at the end."""

    items: tuple[_Item, ...]
    next: str | None


class Engine:
    """Starts runs, settles requests, and applies what falls due, on one store.

    Thread-safe. Nothing runs in the background but the heartbeat of an agent that is at work. An exception means that
    the caller's command changed nothing; a default that was due may have been applied.

    *url*: `sqlite:///PATH` (relative to the project), `sqlite:///:memory:`, either with `?synchronous=normal`;
    `memory://`, which keeps nothing; by default what `flow.toml` says. *clock*: a callable that gives an aware
    datetime. *project*: the folder of `flow.toml` and of the agents' modules. *agents*: callables by `module:function`
    or `workflow/state`, in place of those that the workflow names. *people*: roles by name, or a callable that gives a
    person's roles.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        clock: Clock | None = None,
        project: str | Path = ".",
        agents: Mapping[str, Callable[..., Any]] | None = None,
        people: Mapping[str, Iterable[str]] | Callable[[str], Iterable[str]] | None = None,
    ) -> None:
        self.settings = settings.load(Path(project).resolve())
        self._loop = Loop(
            _open_store(url or self.settings.database, self.settings.project),
            Terms(
                clock=in_utc(clock or system_clock),
                roles=_roles(people if people is not None else self.settings.roles),
                project=self.settings.project,
                registry=dict(agents or {}),
                lease=self.settings.lease,
                max_bytes=self.settings.value_bytes,
            ),
        )
        self._store: Store = self._loop.store
        self._sources: dict[str, str] = {}  # definition → the hash of the file that it was compiled from
        named = people if isinstance(people, Mapping) else self.settings.roles if people is None else {}
        self._has_operators = settings.has_operators(named)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database. Using the engine afterwards is an error."""
        self._loop.close()

    def load(self, path: str | Path) -> Definition:
        """The definition in a file. Raises `NotFound`, or `DefinitionError` with its findings.

        A file that a run was started from before, byte for byte, is not checked again: what came of it is stored.
        """
        data = read_bytes(Path(path))
        source = digest_bytes(_checker() + data)
        text = self._store.compiled(source)
        definition = _definition(data, str(path)) if text is None else Definition.from_document(json.loads(text))
        self._sources[definition.id] = source
        return definition

    def loads(self, text: str) -> Definition:
        """The definition in a text. Raises `DefinitionError` with its findings."""
        return loads(text)

    def check(self, path: str | Path) -> tuple[Finding, ...]:
        """Everything that is found in a file, errors and warnings, in its order."""
        return check_files([Path(path)], self.settings)[0].findings

    def locate(self, name: str) -> Path:
        """The file that a FILE or NAME of the command line means (spec 4)."""
        return locate(name, self.settings)

    def start(
        self,
        definition: Definition,
        input: Json = None,
        *,
        initiator: str | None = None,
        key: str | None = None,
        advance: bool = True,
    ) -> Run:
        """Start a run and, unless told not to, advance it until it waits, rests or ends.

        With a *key*, a second start of the workflow with the same input returns the first run, and one with another
        input raises `Conflict`, code `key_reused`. Raises `Invalid` where the input does not meet its schema.
        """
        if not isinstance(definition, Definition):
            raise UsageError(
                f"start takes a Definition, as load gives it, not {with_article(type(definition).__name__)}"
            )
        _check_key(key)
        input = {} if input is None else input
        text = check_json(input, "input", max_bytes=self._loop.terms.max_bytes)
        command = Start(run_id=new_run_id(), input=input, initiator=initiator)
        stored = None
        if key is not None:
            stored = Key(scope=f"start {definition.workflow}", key=key, body=digest(text), run_id=command.run_id)
            known = self._started_before(stored)
            if known is not None:
                return known
        try:
            source = self._sources.get(definition.id)
            started = self._loop.start(definition, command, key=stored, source=source, is_worker=advance)
        except KeyTaken:
            known = self._started_before(stored) if stored else None
            if known is None:
                raise StoreError("a key was taken and is gone again; try again", code="busy") from None
            return known
        return self._view(self._advanced(started))

    def decide(
        self,
        target: str,
        option: str,
        *,
        by: str,
        comment: str | None = None,
        answers: Json = None,
        artifact: Json = None,
        base: int | None = None,
        at: str | None = None,
        key: str | None = None,
        advance: bool = True,
    ) -> Run:
        """Settle a request, named by its id or (if it is the one open) by its run's, and advance the run.

        *artifact* is an edit of what is under review, *base* the revision that was looked at. *at* refuses if the run
        is in another state. The same decision by the same person again returns the run with `replayed` true. Raises
        `NotFound`, `UsageError`, `Conflict`, `NotAllowed`, `Invalid`, in this order.
        """
        _check_key(key)
        run_id, request_id = self._target(target)
        wish = Decide(
            request_id=request_id or "",
            option=option,
            by=by,
            comment=comment,
            answers=answers,
            artifact=artifact,
            has_artifact=artifact is not None,
            base=base,
        )
        settled = take(self._loop, run_id, request_id, wish, at=at, key=key, is_worker=advance)
        standing = self._loop.read(run_id) if settled.standing is None else self._advanced(settled.standing)
        return self._view(standing, is_replayed=settled.is_replayed)

    def signal(
        self,
        run_id: str,
        name: str,
        data: Json = None,
        *,
        by: str | None = None,
        key: str | None = None,
        advance: bool = True,
    ) -> Run:
        """Send a run an event from outside. One that comes before its wait is kept, at most 1,000 of them.

        With a *key*, the same signal again returns the run as it is, and another one raises `Conflict`, code
        `key_reused`. Raises `Conflict` where the run has ended, `Invalid` where no wait takes the name or the data.
        """
        _check_key(key)
        run_id = self._run_id(run_id)
        text = check_json(data, "data", max_bytes=self._loop.terms.max_bytes)
        stored = None
        if key is not None:
            stored = Key(scope=f"signal {run_id}", key=key, body=digest(f"{name} {text}"), run_id=run_id)
            if self._is_known(stored):
                return self.get_run(run_id)
        try:
            sent = self._loop.command(run_id, Send(name=name, data=data, by=by), key=stored, is_worker=advance)
        except (KeyTaken, Conflict):
            if stored is not None and self._is_known(stored):
                return self.get_run(run_id)
            raise
        return self._after(run_id, sent)

    def advance(self, run_id: str) -> Run:
        """Apply what is due on a run, take it up where it is ready, and go on until it waits, rests or ends."""
        standing = self._loop.catch_up(self._run_id(run_id))
        return self._after(standing.run.id, self._loop.take_up(standing))

    def tick(self, limit: int | None = None) -> dict[str, int]:
        """One pass over what is due, crashed or ready: at most *limit* things. The counts, by kind."""
        from holdpoint.scheduler.tick import tick

        if limit is not None and limit < 1:
            raise UsageError(f"limit is at least 1, not {limit}")
        return tick(self._loop, limit)

    def server(self, *, sweep: str = "5s", workers: int = 4, health: str | Path | None = None) -> Server:
        """What applies deadlines as they fall due and advances runs: call its `run`, and `stop` from elsewhere.

        *sweep* (a duration) is how long a run that another process made ready may go unnoticed, *workers* how many
        agents run at once, *health* a file that is written after each pass.
        """
        from holdpoint.engine.durations import parse_duration
        from holdpoint.scheduler.serve import Server

        interval = parse_duration(sweep)
        return Server(
            self._loop,
            sweep=timedelta(days=interval.days, seconds=interval.seconds),
            workers=workers,
            health=None if health is None else Path(health),
        )

    def now(self) -> datetime:
        """The time by the engine's clock, in UTC."""
        return self._loop.now()

    def database_faults(self) -> tuple[str, ...]:
        """What the database itself finds wrong with its file; nothing, if it is whole. Runs are `verify`'s."""
        return tuple(self._store.faults())

    def next_due(self) -> datetime | None:
        """When the next deadline falls due; None where none is set."""
        return self._store.next_due()

    def get_run(self, run_id: str) -> Run:
        """A run, by its id or a unique beginning of it. Raises `NotFound`."""
        return self._view(self._loop.read(self._run_id(run_id)))

    def get_request(self, request_id: str) -> Request:
        """A request with the contents that it shows, by its id or a unique beginning of it. Raises `NotFound`."""
        row = self._store.request(self._request_id(request_id))
        run = self._store.run(row.run_id)
        late = (
            [entry for entry in self._store.history(run.id, row.opened_seq) if entry.kind == "agent.late"]
            if row.kind == "crash"
            else []
        )
        view = request_view(row, run, self._loop.values(run.id), self._loop.now(), late)
        return in_authors_order(view, self._loop.definition(run))

    def runs(
        self,
        *,
        status: str | Sequence[str] | None = None,
        workflow: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[RunSummary]:
        """Runs, newest first. *after* is the `next` of the page before."""
        statuses = (status,) if isinstance(status, str) else tuple(status or ())
        for word in statuses:
            _one_of("status", word, STATUSES)
        _check_limit(limit)
        _check_workflow(workflow)
        now = self._loop.now()
        rows = self._store.runs(now=now, statuses=statuses, workflow=workflow, limit=limit + 1, after=after)
        items = tuple(self._summary(row.run, now) for row in rows[:limit])
        return Page(items=items, next=rows[limit - 1].cursor if len(rows) > limit else None)

    def backlog(self, workflow: str) -> tuple[Waiting, ...]:
        """The runs of a workflow that wait now, the oldest first: what a simulation goes on from while this is open."""
        from holdpoint.simulation.world import Waiting

        now, found, after = self._loop.now(), [], None
        while rows := self._store.runs(now=now, statuses=_AT_REST, workflow=workflow, limit=1_000, after=after):
            after = rows[-1].cursor
            found += [self._loop.read(row.run.id) for row in rows if row.run.phase in ("asking", "waiting", "delayed")]
        return tuple(
            Waiting(definition=self._loop.definition(one.run), run=one.run, values=one.values)
            for one in sorted(found, key=lambda one: one.run.at)
        )

    def inbox(
        self,
        *,
        mine: str | None = None,
        workflow: str | None = None,
        due: str | None = None,
        priority: str | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[Request]:
        """Open requests, most urgent first: by priority, then by due time.

        *mine* leaves those that this person may decide, *due* (a duration) those that fall due within it.
        """
        if priority is not None:
            _one_of("priority", priority, PRIORITIES)
        _check_limit(limit)
        _check_workflow(workflow)
        now = self._loop.now()
        found: list[InboxRow] = []
        # Who may act is not in an index: read on until the page is full.
        while len(found) <= limit:
            rows = self._store.inbox(
                now=now,
                workflow=workflow,
                priority=priority,
                due=None if due is None else _within(now, due),
                limit=limit + 1,
                after=after,
            )
            found += [row for row in rows if mine is None or self._may_decide(row, mine)]
            if len(rows) <= limit:
                break
            after = rows[-1].cursor
        return Page(
            items=tuple(
                open_request_view(row.request, row.run, self._loop.values(row.run.id)) for row in found[:limit]
            ),
            next=found[limit - 1].cursor if len(found) > limit else None,
        )

    def definition(self, run_id: str) -> Definition:
        """The definition that a run started with and keeps, whatever its file says now. Raises `NotFound`."""
        return self._loop.definition(self._store.run(self._run_id(run_id)))

    def count_runs(self) -> int:
        """How many runs there are."""
        return self._store.count_runs()

    def history(self, run_id: str, *, after: int = 0) -> tuple[Entry, ...]:
        """What happened to a run behind entry number *after*, in order."""
        run_id = self._run_id(run_id)
        self._store.run(run_id)
        return tuple(self._store.history(run_id, after))

    def moments(self, run_id: str) -> Iterator[Moment]:
        """The run as it was after each entry of its history, in order. Raises `NotFound`."""
        run = self._store.run(self._run_id(run_id))
        history = self._store.history(run.id)
        return moments_of(self._loop.definition(run), history, self._loop.values(run.id))

    def artifact(self, run_id: str, name: str, revision: int | None = None) -> Artifact:
        """A revision of an artifact, by default the latest. Raises `NotFound`."""
        run = self._store.run(self._run_id(run_id))
        latest = run.artifacts.get(name)
        if latest is None:
            hint = did_you_mean(name, run.artifacts) or f"it has {', '.join(run.artifacts) or 'none'}"
            raise NotFound(f"run {run.id} has no artifact {name!r}; {hint}")
        entry = self._store.revision_entry(run.id, name, revision) if revision is not None else None
        if revision is not None and entry is None:
            raise NotFound(f"artifact {name!r} of run {run.id} has revisions 1 to {latest.revision}, not {revision}")
        return artifact_view(revision_made(entry) if entry else latest, self._loop.values(run.id))

    def what_if(
        self,
        run_id: str,
        definition: Definition | None = None,
        *,
        at: str | None = None,
        visit: int | None = None,
        decide: str | None = None,
        by: str | None = None,
        comment: str | None = None,
        answers: Json = None,
        artifact: Json = None,
    ) -> Replay:
        """What would have become of a run by another definition, or with another decision; nothing is stored.

        The recorded agents, decisions, silences and signals are played again, under a clock of their own. With *at* and
        *decide* somebody decides otherwise in that state, by default in its last *visit* and *by* who did. Raises
        `NotFound`, `Invalid` where the run was not asked there, and what refuses the decision.
        """
        from holdpoint.evaluation.recording import Answer, fork
        from holdpoint.evaluation.replay import replay, roles_of_then

        recording = self.recording(run_id)
        roles = roles_of_then(recording, self._loop.terms.roles)
        if at is not None and decide is not None:
            answer = Answer(option=decide, by=by or "", comment=comment, answers=answers, artifact=artifact)
            recording = fork(recording, at, answer, visit)
        elif at is not None or decide is not None:
            raise UsageError("at and decide go together: in which state, and what is decided there")
        played = replay(recording, definition or recording.definition, roles, self.settings.project)
        stop = played.stop
        if at is not None and stop is not None and stop.error is not None and played.replayed.state == at:
            raise type(stop.error)(stop.text, code=stop.error.code)
        return played

    def recording(self, run_id: str) -> Recording:
        """What agents gave, people decided and signals said in a run, with their times, for `what_if` and `flow eval`.

        It goes up to now, or to where something is due that nobody has applied yet. Raises `NotFound`.
        """
        from holdpoint.evaluation.course import course_of
        from holdpoint.evaluation.recording import record

        run = self._store.run(self._run_id(run_id))
        history, values = self._store.history(run.id), self._loop.values(run.id)
        until = None
        if run.status in ("waiting", "running"):
            due = min((deadline.due_at for deadline in run.deadlines), default=None)
            until = self.now() if due is None else min(self.now(), due - timedelta(microseconds=1))
        view = run_view(run, values, run.at)
        return record(self._loop.definition(run), course_of(view, history), history, values, until)

    def why(self, run_id: str) -> str:
        """Why a run stands where it stands, in plain words."""
        from holdpoint.engine.why import why

        standing = self._loop.read(self._run_id(run_id))
        definition = self._loop.definition(standing.run)
        return why(self._view(standing), standing.run, definition, has_operators=self._has_operators)

    def verify(self, *run_ids: str) -> tuple[Flaw, ...]:
        """What is wrong with these runs, or with the whole database: nothing, if all invariants hold."""
        from holdpoint.engine.verify import Flaw, verify

        chosen = [self._run_id(run_id) for run_id in run_ids]
        found = [] if chosen else [Flaw(run=None, code="database", message=text) for text in self._store.faults()]
        for run_id in chosen or self._store.run_ids():
            try:
                found += verify(self._store.dossier(run_id))
            except (StoreError, NotFound) as error:
                is_listed = isinstance(error, NotFound) and not chosen  # by an index that is damaged
                if error.code != "corrupt" and not is_listed:
                    raise
                # One run that cannot be read must not hide what is wrong with the others.
                found.append(Flaw(run=run_id, code="unreadable", message=error.message))
        return tuple(found)

    def retry(self, run_id: str, *, by: str | None = None, reason: str | None = None, advance: bool = True) -> Run:
        """Take a failed run up again where it stands. Raises `Conflict` where it is not failed."""
        self._check_operator(by)
        run_id = self._run_id(run_id)
        return self._after(run_id, self._loop.apply(run_id, Retry(by=by, reason=reason), is_worker=advance))

    def cancel(self, run_id: str, *, reason: str | None = None, by: str | None = None, advance: bool = True) -> Run:
        """End a run: its requests are void, its agent's lease is revoked, and it goes on to `on_cancel`, once.

        Without `on_cancel`, and the second time, it is cancelled at once. Raises `Conflict` where it has ended.
        """
        self._check_operator(by)
        run_id = self._run_id(run_id)
        return self._after(run_id, self._loop.command(run_id, Cancel(by=by, reason=reason), is_worker=advance))

    def move(
        self, run_id: str, state: str, *, reason: str | None = None, by: str | None = None, advance: bool = True
    ) -> Run:
        """Put a run into another state of its definition, whatever it waits for. Raises `Conflict`, `Invalid`."""
        self._check_operator(by)
        run_id = self._run_id(run_id)
        return self._after(run_id, self._loop.command(run_id, Move(to=state, by=by, reason=reason), is_worker=advance))

    def assign(self, request_id: str, people: Sequence[str], *, by: str | None = None) -> Request:
        """Ask other people than before: names and `role:…`; nobody means anyone.

        An operator may, and who may decide the request now. Raises `Conflict`, `NotAllowed`, `Invalid`.
        """
        self._check_may_assign(request_id, by)
        return self._on_request(request_id, lambda id: Assign(request_id=id, assign=tuple(people), by=by))

    def claim(self, request_id: str, *, by: str, person: str | None = None) -> Request:
        """Say that somebody (by default *by*) works on a request. A notice: it forbids nobody. Raises `Conflict`."""
        return self._on_request(request_id, lambda id: Claim(request_id=id, by=by, person=person or by))

    def release(self, request_id: str, *, by: str) -> Request:
        """Say that nobody works on a request any more. Raises `Conflict`."""
        return self._on_request(request_id, lambda id: Claim(request_id=id, by=by, person=None))

    def extend(self, request_id: str, duration: str, *, by: str | None = None, reason: str | None = None) -> Request:
        """Move a request's deadline on by *duration*. Raises `Conflict` where it is settled, `Invalid`."""
        from holdpoint.engine.durations import parse_duration

        self._check_operator(by)
        more = parse_duration(duration)
        return self._on_request(request_id, lambda id: Extend(request_id=id, duration=more, by=by, reason=reason))

    @overload
    def graph(
        self,
        source: Definition | str,
        format: Literal["text", "mermaid", "dot", "svg"] = "text",
        *,
        theme: str = "auto",
        heat: bool = False,
        all_versions: bool = False,
        coverage: Coverage | None = None,
    ) -> str: ...

    @overload
    def graph(
        self,
        source: Definition | str,
        format: str,
        *,
        theme: str = "auto",
        heat: bool = False,
        all_versions: bool = False,
        coverage: Coverage | None = None,
    ) -> str | bytes: ...

    def graph(
        self,
        source: Definition | str,
        format: str = "text",
        *,
        theme: str = "auto",
        heat: bool = False,
        all_versions: bool = False,
        coverage: Coverage | None = None,
    ) -> str | bytes:
        """The state graph of a definition or, for a run's id, of the run: where it is and how it came there.

        *format* is `text`, `mermaid`, `dot` or, with the extra `graph`, `svg`, `png` or `pdf`: the last two give bytes.
        *theme* of these three: `light`, `dark` or `auto`, by which an SVG follows its reader's and the others are
        light. With *heat* it shows how many runs of a definition's version, or of *all_versions* of its workflow, went
        each way and how long they stayed. With *coverage*, as `testing.coverage_of` gives it, it shows what
        scenarios cover of a definition. Raises `UsageError`, code `missing_extra` where the extra is not installed.
        """
        from holdpoint.graphs import draw, picture_of, picture_of_coverage, picture_of_run, picture_of_traffic

        if coverage is not None and (heat or not isinstance(source, Definition)):
            raise UsageError("coverage is for a workflow, without heat")
        if all_versions and not heat:
            raise UsageError("all_versions is for heat alone: without it no runs are counted")
        if isinstance(source, Definition):
            if coverage is not None:
                return draw(picture_of_coverage(source, coverage.seen, coverage.percent), format, theme)
            if not heat:
                return draw(picture_of(source), format, theme)
            traffic = self._store.traffic(source.workflow, None if all_versions else source.version)
            return draw(picture_of_traffic(source, traffic, is_all=all_versions), format, theme)
        if heat:
            raise UsageError(f"heat is for a workflow, not for one run, such as {source!r}")
        run = self._store.run(self._run_id(source))
        drawn = picture_of_run(self._loop.definition(run), run, self._store.history(run.id))
        return draw(drawn, format, theme)

    def _view(self, standing: Standing, *, is_replayed: bool | None = None) -> Run:
        standing.values.look_ahead(standing.run.results.values())
        run, now = standing.run, self._loop.now()
        return run_view(run, standing.values, now, attempt=self._attempt(standing, now), is_replayed=is_replayed)

    def _attempt(self, standing: Standing, now: datetime) -> Mapping[str, Json] | None:
        run = standing.run
        if run.phase not in AGENT_PHASES:
            return None
        is_lost = run.phase == "working" and self._loop.is_lost(run)
        return attempt_view(run, standing.values, self._loop.definition(run), now, is_lost=is_lost)

    def _advanced(self, standing: Standing) -> Standing:
        """Advance a run; where the database refuses on the way, the command stands, and a tick goes on from there."""
        try:
            return self._loop.advance(standing)
        except StoreError as error:
            _log.warning("run %s was moved, and could not be advanced: %s", standing.run.id, error)
            return standing

    def _after(self, run_id: str, moved: Standing | None) -> Run:
        """The run after a command, if it did anything, and all that follows from it."""
        return self.get_run(run_id) if moved is None else self._view(self._advanced(moved))

    def _on_request(self, request_id: str, command: Callable[[str], Command]) -> Request:
        request_id = self._request_id(request_id)
        self._loop.command(self._store.request(request_id).run_id, command(request_id))
        return self.get_request(request_id)

    def _check_may_assign(self, request_id: str, by: str | None) -> None:
        """Passing a request on is for those whom it asks: nobody else may take it past them."""
        row = self._store.request(self._request_id(request_id))
        request = self._store.run(row.run_id).requests.get(row.id)
        roles = self._loop.terms.roles
        if by is None or request is None or settings.OPERATOR in roles(by) or may_decide(request, by, roles):
            return
        raise NotAllowed(
            f"{by!r} may not assign request {row.id}: operators may, and who may decide it",
            details={"by": by, "assign": request.assign},
        )

    def _check_operator(self, by: str | None) -> None:
        """Operators alone may steer, once there is one. A program that gives no name steers for itself."""
        if by is not None and self._has_operators and settings.OPERATOR not in self._loop.terms.roles(by):
            raise NotAllowed(
                f"{by!r} does not have the role {settings.OPERATOR!r}", details={"by": by, "role": settings.OPERATOR}
            )

    def _is_known(self, key: Key) -> bool:
        """Whether the key was used before, with the same body; raises `Conflict` where it was another one."""
        known = self._store.key(key.scope, key.key)
        if known is None:
            return False
        if known.body != key.body:
            raise Conflict(
                f"key {key.key!r} was used for something else in run {known.run_id}",
                code="key_reused",
                details={"key": key.key, "run": known.run_id},
            )
        return True

    def _summary(self, run: RunRecord, now: datetime) -> RunSummary:
        if run.status == "waiting":
            run = self._store.run(run.id)  # with its requests: an overdue one shows
        standing = Standing(run=run, values=self._loop.values(run.id))
        return summary_view(run, standing.values, now, attempt=self._attempt(standing, now))

    def _started_before(self, key: Key) -> Run | None:
        known = self._store.key(key.scope, key.key) if self._is_known(key) else None
        return None if known is None else self.get_run(known.run_id)

    def _may_decide(self, row: InboxRow, person: str) -> bool:
        return may_decide(row.request, person, self._loop.terms.roles)

    def _target(self, target: str) -> tuple[str, str | None]:
        if target.startswith("req_"):
            request_id = self._request_id(target)
            return self._store.request(request_id).run_id, request_id
        return self._run_id(target), None

    def _run_id(self, text: str) -> str:
        return text if _RUN_ID.fullmatch(text) else self._only(text, "run", "run_")

    def _request_id(self, text: str) -> str:
        return text if _REQUEST_ID.fullmatch(text) else self._only(text, "request", "req_")

    def _only(self, text: str, what: str, prefix: str) -> str:
        """The one id that begins with *text*."""
        other = {"run_": "req_", "req_": "run_"}[prefix]
        if text.startswith(other) and self._store.find(text, 1):
            raise NotFound(f"{text!r} is no {what}: its id begins with {prefix}", details={what: text})
        found = self._store.find(text, 5) if text.startswith(prefix) else []
        if not found:
            hint = "" if text.startswith(prefix) else f"; its id begins with {prefix}"
            raise NotFound(f"there is no {what} {text!r}{hint}", details={what: text})
        if len(found) > 1:
            raise UsageError(
                f"{text!r} begins the ids of several: {', '.join(found)}",
                code="ambiguous",
                details={"ids": list(found)},
            )
        return found[0]


def load(path: str | Path) -> Definition:
    """The definition in a file. Raises `NotFound`, or `DefinitionError` with its findings."""
    return _definition(read_bytes(Path(path)), str(path))


def loads(text: str) -> Definition:
    """The definition in a text. Raises `DefinitionError` with its findings."""
    return _definition(text, "(text)")


def _definition(data: str | bytes, file: str) -> Definition:
    from holdpoint.schema import check_text

    document, findings = check_text(data, file)
    if document is None:
        raise DefinitionError(findings)
    return Definition.from_document(document)


@cache
def _checker() -> bytes:
    """A mark of the code that checks and compiles: another one must look at every file again."""
    root = Path(__file__).parent
    return _mark(root / "engine", root / "schema")


def _mark(*folders: Path) -> bytes:
    """Which sources are in these folders. What Python compiles of them comes and goes, and says nothing more."""
    files = sorted(path for folder in folders for kind in ("*.py", "*.json") for path in folder.rglob(kind))
    return repr([(path.name, stat.st_size, stat.st_mtime_ns) for path in files for stat in [path.stat()]]).encode()


def _open_store(url: str, project: Path) -> Store:
    if url == MEMORY:
        from holdpoint.stores.memory import MemoryStore

        return MemoryStore()
    from holdpoint.stores.sqlite import SqliteStore

    prefix = "sqlite:///"
    path = url.removeprefix(prefix)
    if url.startswith(prefix) and path and not path.startswith((":memory:", "/")):
        url = f"{prefix}{project / path}"
    return SqliteStore(url)


def _roles(people: Mapping[str, Iterable[str]] | Callable[[str], Iterable[str]]) -> Callable[[str], frozenset[str]]:
    if callable(people):
        return lambda person: frozenset(people(person))
    known = {name: frozenset(roles) for name, roles in people.items()}
    return lambda person: known.get(person, frozenset())


def _within(now: datetime, text: str) -> datetime:
    from zoneinfo import ZoneInfo

    from holdpoint.engine.durations import parse_duration

    return parse_duration(text).after(now, ZoneInfo("UTC"))


def _one_of(what: str, word: str, known: Sequence[str]) -> None:
    if word not in known:
        hint = did_you_mean(word, known)
        raise UsageError(f"{what} is one of {', '.join(known)}, not {word!r}" + (f"; {hint}" if hint else ""))


def _check_key(key: str | None) -> None:
    if key is not None:
        check_note(key, "key", max_bytes=1_024)


def _check_workflow(name: str | None) -> None:
    if name is not None:
        check_note(name, "workflow", max_bytes=1_024)


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= 1_000:
        raise UsageError(f"limit is 1 to 1000, not {limit}")


__all__ = [
    "Engine",
    "Page",
    "canonical",
    "check",
    "check_files",
    "load",
    "loads",
    "locate",
    "read_yaml",
    "sarif",
    "schema_text",
    "workflow_files",
]
