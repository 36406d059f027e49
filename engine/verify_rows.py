"""Checks of `verify` on what is stored: the chain, and that every row says what the history says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from itertools import pairwise
from types import MappingProxyType

from holdpoint.engine.canonical import Json, canonical, digest, parse_json
from holdpoint.engine.decide import form_of
from holdpoint.engine.history import seal
from holdpoint.engine.model import CHANGING, NO_HASH, SETTLING, Deadline, Entry, RunRecord
from holdpoint.engine.ports import Key
from holdpoint.engine.verify_replay import Problem, Replay

ACTORS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "run.started": frozenset({"human", "engine"}),
        "state.entered": frozenset({"engine"}),
        "transition": frozenset({"engine"}),
        "agent.started": frozenset({"engine"}),
        "agent.succeeded": frozenset({"agent", "human"}),
        "agent.failed": frozenset({"agent"}),
        "agent.crashed": frozenset({"engine"}),
        "agent.late": frozenset({"agent"}),
        "artifact.revised": frozenset({"agent", "human"}),
        "request.opened": frozenset({"engine"}),
        "request.decided": frozenset({"human"}),
        "request.expired": frozenset({"timer"}),
        "request.voided": frozenset({"operator"}),
        "decision.refused": frozenset({"human"}),
        "run.failed": frozenset({"engine"}),
        "run.ended": frozenset({"engine"}),
        "run.cancelled": frozenset({"operator"}),
        "request.assigned": frozenset({"operator"}),
        "request.claimed": frozenset({"human"}),
        "wait.started": frozenset({"engine"}),
        "wait.ended": frozenset({"engine", "timer"}),
        "signal.received": frozenset({"human", "engine"}),
        "operator.retried": frozenset({"operator"}),
        "operator.extended": frozenset({"operator"}),
        "operator.moved": frozenset({"operator"}),
        "operator.cancelled": frozenset({"operator"}),
    }
)
"""Every kind of entry, and whose it may be."""

_NAMELESS = frozenset({"engine", "timer"})
_NAMING = MappingProxyType(
    {
        "run.started": ("input",),
        "agent.succeeded": ("output",),
        "agent.late": ("output",),
        "artifact.revised": ("sha256",),
        "request.decided": ("answers", "edit"),
        "request.expired": ("answers",),
        "signal.received": ("output",),
        "wait.ended": ("output",),
        "run.ended": ("output",),
    }
)


def named_contents(entry: Entry) -> Iterator[str]:
    """The hashes of the contents that an entry names."""
    data = entry.data
    yield from (data[name] for name in _NAMING.get(entry.kind, ()) if data.get(name) is not None)
    if entry.kind == "request.opened":
        for item in data["show"]:
            yield from (item[name] for name in ("value", "sha256") if item.get(name) is not None)
    elif entry.kind in ("request.decided", "request.expired"):
        yield from (item["sha256"] for item in data.get("artifacts", {}).values())


def check_chain(replay: Replay) -> Iterator[Problem]:
    """I6 and I7: entries are numbered without a gap, linked, sealed and in the order of time."""
    prev = NO_HASH
    for number, entry in enumerate(replay.entries, start=1):
        if entry.seq != number:
            yield "sequence", f"entry {number} has the number {entry.seq}"
        if entry.prev != prev:
            yield "link", f"{_name(entry)} names another entry before it than the one that is there"
        prev = entry.hash
        sealed = seal(
            run=replay.dossier.run_id,
            seq=entry.seq,
            at=entry.at,
            kind=entry.kind,
            actor=entry.actor,
            actor_kind=entry.actor_kind,
            data=entry.data,
            prev=entry.prev,
        )
        if sealed.hash != entry.hash:
            yield "hash", f"{_name(entry)} is not what its hash was taken of"
        elif sealed.text != entry.text:
            yield "hash", f"{_name(entry)} is not stored as canonical JSON"
    for one, two in pairwise(replay.entries):
        if two.at < one.at:
            yield "time", f"{_name(two)} is earlier than the entry before it"


def check_kinds(replay: Replay) -> Iterator[Problem]:
    """Every entry is of a known kind, and of an actor whose it may be."""
    for entry in replay.entries:
        actors = ACTORS.get(entry.kind)
        if actors is None:
            yield "kind", f"entry {entry.seq} is of the unknown kind {entry.kind!r}"
        elif entry.actor_kind not in actors:
            yield "actor", f"{_name(entry)} is of kind {entry.actor_kind!r}, not {' or '.join(sorted(actors))}"
        elif (entry.actor_kind in _NAMELESS and entry.actor is not None) or (
            entry.actor_kind in ("human", "agent") and not entry.actor
        ):
            yield "actor", f"{_name(entry)} is of {entry.actor_kind} {entry.actor!r}"


def check_record(replay: Replay) -> Iterator[Problem]:
    """I3: the stored run is what its history folds to, in both directions."""
    dossier, final = replay.dossier, replay.final
    if final is None:
        yield "replay", replay.stop
        return
    differing = [
        field.name for field in fields(RunRecord) if getattr(final, field.name) != getattr(dossier.record, field.name)
    ]
    if differing:
        yield "record", f"the stored run differs from its history in {', '.join(differing)}"
    if dossier.status != final.status:
        yield "status", f"the run's row says {dossier.status}, its history {final.status}"


def check_definition(replay: Replay) -> Iterator[Problem]:
    """I17: the definition is the one that the run was started with, to the byte."""
    dossier = replay.dossier
    started = replay.entries[0].data
    text_id = digest(dossier.definition_text)
    if not text_id == dossier.record.definition_id == started["definition_id"]:
        yield "definition", "the text of the definition is not the one that the run was started with"
    version = replay.definition.version if replay.definition is not None else None
    if version is None:
        yield "definition", "the text of the definition cannot be read"
    elif not version == dossier.definition_version == started["definition"]:
        yield "definition", "the version of the definition is not the one that the run was started with"
    workflow = replay.definition.workflow if replay.definition is not None else started["workflow"]
    if not workflow == dossier.definition_workflow == started["workflow"]:
        yield "definition", f"the definition is of workflow {workflow!r}, the run of {started['workflow']!r}"


def check_requests(replay: Replay) -> Iterator[Problem]:
    """I3, I15: every row of a request says what the entries say, and there is one for each."""
    dossier = replay.dossier
    if replay.final is None:
        return
    expected: dict[str, dict[str, Json]] = {}
    for moment in replay.moments:
        entry = moment.entry
        if entry.kind == "request.opened":
            request = moment.after.requests[entry.data["request"]]
            expected[request.id] = {
                "run": dossier.run_id,
                "state": request.state,
                "kind": request.kind,
                "status": "open",
                "opened": entry.seq,
                "settled": None,
                "due_at": request.due_at,
                "priority": request.priority,
                "changes": {},
            }
        elif entry.kind in SETTLING and entry.data["request"] in expected:
            expected[entry.data["request"]] |= {"status": SETTLING[entry.kind], "settled": entry.seq}
        elif entry.kind in CHANGING:
            request = moment.after.requests[entry.data["request"]]
            expected[request.id] |= {"due_at": request.due_at, "changes": dict(request.changes)}
    stored = {
        row.id: {
            "run": row.run_id,
            "state": row.state,
            "kind": row.kind,
            "status": row.status,
            "opened": row.opened_seq,
            "settled": row.settled_seq,
            "due_at": dossier.request_dues[row.id][0],
            "priority": dossier.request_dues[row.id][1],
            "changes": dict(row.changes),
        }
        for row in dossier.requests
    }
    yield from _compared("request_row", "request", expected, stored)


def check_revisions(replay: Replay) -> Iterator[Problem]:
    """I19: every revision has its row, and every row its revision."""
    expected = {
        (entry.data["name"], entry.data["revision"]): entry.seq
        for entry in replay.entries
        if entry.kind == "artifact.revised"
    }
    yield from _compared("revision_row", "revision", expected, dict(replay.dossier.revisions))


def check_deadlines(replay: Replay) -> Iterator[Problem]:
    """I15: what will fall due is what the open requests say."""
    if replay.final is None:
        return
    expected = {_subject(deadline): deadline for deadline in replay.final.deadlines}
    stored = {_subject(deadline): deadline for deadline in replay.dossier.deadlines}
    yield from _compared("deadline_row", "deadline of", expected, stored)
    if len(stored) != len(replay.dossier.deadlines):
        yield "deadline_row", "something has several deadlines"


def _subject(deadline: Deadline) -> str:
    """What a deadline is of: a request, or the wait or the retry that the run is in."""
    return f"request {deadline.request}" if deadline.request else f"the {deadline.action}"


def check_lease(replay: Replay) -> Iterator[Problem]:
    """I13: there is a lease if and only if an attempt is under way, and it is that attempt's."""
    lease, final = replay.dossier.lease, replay.final
    if final is None:
        return
    token = final.attempt.token if final.attempt is not None and final.phase == "working" else None
    if lease is None and token is not None:
        yield "lease_row", f"attempt {token} is under way without a lease"
    elif lease is not None and token is None:
        yield "lease_row", f"there is a lease with the token {lease.token}, but no attempt is under way"
    elif lease is not None and (lease.token != token or lease.run_id != final.id):
        yield "lease_row", f"the lease has the token {lease.token}, the attempt under way {token}"


def check_contents(replay: Replay) -> Iterator[Problem]:
    """Every content is what its hash says, is named by an entry, and every named one is there."""
    contents = replay.dossier.contents
    named = {sha256: entry for entry in replay.entries for sha256 in named_contents(entry)}
    for sha256, entry in named.items():
        if sha256 not in contents:
            yield "content_missing", f"{_name(entry)} names the content {sha256}, which is not there"
    for sha256, text in contents.items():
        if digest(text) != sha256:
            yield "content_hash", f"the content {sha256} is not what its hash was taken of"
        elif canonical(parse_json(text, f"content {sha256}")) != text:
            yield "content_hash", f"the content {sha256} is not canonical JSON"
        if sha256 not in named:
            yield "content_unnamed", f"no entry names the content {sha256}"


def check_keys(replay: Replay) -> Iterator[Problem]:
    """I12: every key is of this run's start, of a signal or of a decision that was taken, and stands for its body."""
    decided = {entry.data["request"]: entry for entry in replay.entries if entry.kind == "request.decided"}
    started = replay.entries[0]
    for key in replay.dossier.keys:
        if key.scope.startswith("signal "):
            yield from _key_of_signal(replay, key)
            continue
        if key.request_id is None:
            scope, entry, bodies = f"start {started.data['workflow']}", started, _bodies_of_start(replay)
        else:
            scope, entry = f"decide {key.request_id}", decided.get(key.request_id, started)
            if entry is started:
                yield "key_row", f"key {key.key!r} is of request {key.request_id}, which nobody decided in this run"
                continue
            bodies = _bodies_of_decision(replay, entry)
        yield from _key(replay, key, scope, entry, bodies)


def _key(replay: Replay, key: Key, scope: str, entry: Entry, bodies: set[str] | None) -> Iterator[Problem]:
    if key.run_id != replay.dossier.run_id or key.scope != scope:
        yield "key_row", f"key {key.key!r} is of {key.scope!r} in run {key.run_id}, not of {scope!r}"
    if bodies is not None and key.body not in bodies:
        yield "key_row", f"key {key.key!r} stands for another body than {_name(entry)}"


def _key_of_signal(replay: Replay, key: Key) -> Iterator[Problem]:
    run_id, contents = replay.dossier.run_id, replay.dossier.contents
    received = [entry.data for entry in replay.entries if entry.kind == "signal.received"]
    bodies = {digest(f"{data['name']} {contents[data['output']]}") for data in received}
    if (key.scope, key.run_id, key.request_id) != (f"signal {run_id}", run_id, None) or key.body not in bodies:
        yield "key_row", f"key {key.key!r} of {key.scope!r} stands for no signal that the run received"


def _bodies_of_start(replay: Replay) -> set[str] | None:
    """What the body of the start's key may be; None where defaults were filled in and it is not known."""
    schema = replay.definition.input if replay.definition is not None else None
    return None if _has_defaults(schema) else {replay.entries[0].data["input"], digest("null")}


def _bodies_of_decision(replay: Replay, entry: Entry) -> set[str] | None:
    opened = next(one.data for one in replay.entries if one.data.get("request") == entry.data["request"])
    contents, data = replay.dossier.contents, entry.data
    form = form_of(opened, data["decision"])
    if _has_defaults(form):
        return None
    answers: list[Json] = [None, {}] if form is not None else [None]
    if "answers" in data:
        answers.append(parse_json(contents[data["answers"]], "answers"))
    members: dict[str, Json] = {
        "by": entry.actor,
        "option": data["decision"],
        "comment": data.get("comment"),
        "artifact": [parse_json(contents[data["edit"]], "edit")] if "edit" in data else [],
    }
    return {digest(canonical({**members, "answers": given})) for given in answers}


def _has_defaults(schema: Json) -> bool:
    if isinstance(schema, dict):
        return "default" in schema or any(_has_defaults(value) for value in schema.values())
    return isinstance(schema, list) and any(_has_defaults(value) for value in schema)


def _compared(code: str, what: str, expected: Mapping[Json, Json], stored: Mapping[Json, Json]) -> Iterator[Problem]:
    for name in _in_order([*expected, *stored]):
        label = f"{what} {name if isinstance(name, str) else ' '.join(str(part) for part in name)}"
        if name not in stored:
            yield code, f"{label} has no row"
        elif name not in expected:
            yield code, f"{label} has a row, but is not in the history"
        elif stored[name] != expected[name]:
            yield code, f"the row of {label} differs from the history{_where(expected[name], stored[name])}"


def _in_order(names: Iterable[Json]) -> Iterable[Json]:
    return dict.fromkeys(names)


def _where(expected: Json, stored: Json) -> str:
    if not isinstance(expected, dict):
        return ""
    return f" in {', '.join(name for name, value in expected.items() if stored[name] != value)}"


def _name(entry: Entry) -> str:
    return f"entry {entry.seq} ({entry.kind})"
