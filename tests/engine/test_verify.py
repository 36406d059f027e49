"""`verify`: silent on every run that the engine makes, and loud on every fault that is planted in what is stored."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from holdpoint.api import Engine
from holdpoint.engine.agents import Context
from holdpoint.engine.canonical import Json, canonical, digest
from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import Conflict, NotAllowed, StoreError
from holdpoint.engine.evolve import begin, evolve
from holdpoint.engine.history import seal
from holdpoint.engine.ids import request_id
from holdpoint.engine.model import NO_HASH, Entry, Step
from holdpoint.engine.ports import Dossier, Lease
from holdpoint.engine.verify import Flaw, verify
from holdpoint.engine.verify_rows import named_contents
from holdpoint.stores.sqlite import SqliteStore
from holdpoint.testing import Clock

DOCUMENT: dict[str, Any] = {
    "workflow": "case",
    "timezone": "Europe/Rome",
    "input": {
        "type": "object",
        "required": ["mode"],
        "properties": {"mode": {"type": "string"}, "amount": {"type": "number"}},
    },
    "initial": [{"to": "draft"}],
    "states": {
        "draft": {
            "type": "agent",
            "on": {"done": [{"to": "review"}]},
            "python": "case:draft",
            "with": {"mode": "{{ input.mode }}"},
            "output": {"type": "object"},
            "artifact": "report",
        },
        "review": {
            "type": "return",
            "on": {"accept": [{"to": "facts"}], "revise": [{"to": "draft"}]},
            "show": ["report"],
            "max_returns": 2,
            "timeout": "P2D",
            "default": {"decision": "accept"},
        },
        "facts": {
            "type": "agent",
            "on": {"done": [{"to": "manager"}]},
            "value": {"amount": "{{ input.amount }}"},
        },
        "manager": {
            "type": "approval",
            "on": {
                "approve": [{"to": "pay", "when": "input.amount <= 100"}, {"to": "director", "when": "true"}],
                "reject": [{"to": "refused"}],
            },
            "message": "Pay {{ input.amount }}?",
            "show": {"Amount": "{{ facts.amount }}"},
            "assign": ["role:manager", "eli"],
            "form": {"type": "object", "properties": {"note": {"type": "string"}}},
            "comment": ["reject"],
            "priority": "high",
            "timeout": "PT172800S",
            "default": {"decision": "reject", "answers": {"note": "silence"}},
        },
        "director": {
            "type": "approval",
            "on": {
                "approve": [{"to": "pay"}],
                "reject": [{"to": "refused"}],
                "timeout": [{"to": "pay", "when": "input.amount < 1000"}],
            },
            "show": ["report"],
            "timeout": "PT86400S",
        },
        "pay": {
            "type": "agent",
            "on": {"done": [{"to": "paid"}], "error": [{"to": "refused"}]},
            "python": "case:pay",
            "with": {"mode": "{{ input.mode }}"},
            "effect": "irreversible",
        },
        "paid": {"type": "end", "output": {"paid": "{{ input.amount }}"}},
        "refused": {"type": "end", "outcome": "failure"},
    },
}
DEFINITION = Definition.from_document(DOCUMENT)
PEOPLE = {"dora": ["manager"]}


class Desk:
    """An engine with agents that do what the input's `mode` says, and people who decide."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.calls: dict[str, int] = {}
        self.engine = Engine(
            f"sqlite:///{path}",
            clock=self.clock,
            agents={"case:draft": self._draft, "case:pay": self._pay},
            people=PEOPLE,
        )

    def start(self, mode: str, amount: float = 50, **more: Any) -> str:
        """A run; where its agent dies with the process, the run is left as that leaves it."""
        with contextlib.suppress(KeyboardInterrupt):
            return self.engine.start(DEFINITION, {"mode": mode, "amount": amount}, initiator="bob", **more).id
        return self.engine.runs(limit=1).items[0].id

    def decide(self, run_id: str, option: str, by: str, **more: Any) -> None:
        """A decision; the agent that follows may die."""
        with contextlib.suppress(KeyboardInterrupt):
            self.engine.decide(run_id, option, by=by, **more)

    def wait(self, duration: str) -> None:
        """Let time go by; agents may die on the way."""
        with contextlib.suppress(KeyboardInterrupt):
            self.clock.advance(self.engine, duration)

    def to_manager(self, mode: str, amount: float = 50, **more: Any) -> str:
        run_id = self.start(mode, amount, **more)
        self.decide(run_id, "accept", "ann")
        return run_id

    def to_pay(self, mode: str, amount: float = 50) -> str:
        run_id = self.to_manager(mode, amount)
        self.decide(run_id, "approve", "dora")
        return run_id

    def _draft(self, mode: str) -> Json:
        count = self.calls[mode] = self.calls.get(mode, 0) + 1
        if mode == "draft fails" or (mode == "draft fails once" and count == 1):
            raise RuntimeError("no ink")
        if mode == "draft is no object":
            return "a text"
        if mode in ("draft works", "poisoned") or (mode == "draft dies once" and count == 1):
            raise KeyboardInterrupt
        if mode == "draft is late" and count == 1:
            self.clock.set(self.clock() + timedelta(minutes=1))
            self.engine.tick()
        return {"text": f"{mode} {count}"}

    def _pay(self, mode: str) -> Json:
        count = self.calls[f"pay {mode}"] = self.calls.get(f"pay {mode}", 0) + 1
        if mode == "pay fails":
            raise RuntimeError("no money")
        if mode.startswith("pay dies") and count == 1:
            raise KeyboardInterrupt
        return {"ok": True}


def _tell_stories(desk: Desk) -> dict[str, str]:
    """One run of each kind that the engine can make; the name of each is its `mode`."""
    runs: dict[str, str] = {}

    run = runs["edited"] = desk.start("edited", key="start of edited")
    desk.decide(run, "revise", "ann", comment="more", artifact={"text": "edited by ann"})
    desk.decide(run, "accept", "ann", artifact={"text": "edited again"}, key="accept of edited")
    with pytest.raises(NotAllowed):
        desk.engine.decide(run, "approve", by="zoe")
    desk.decide(run, "approve", "dora", answers={"note": "fine"}, key="approval of edited")
    with pytest.raises(Conflict):
        desk.engine.decide(run, "approve", by="eli", at="manager")

    run = runs["spent"] = desk.start("spent")
    for _ in range(2):
        desk.decide(run, "revise", "ann", comment="again")
    desk.decide(run, "accept", "ann")
    desk.decide(run, "reject", "eli", comment="no", answers={})

    run = runs["silent"] = desk.start("silent")
    desk.wait("5d")
    run = runs["silent director"] = desk.to_pay("silent director", 500)
    desk.wait("25h")
    run = runs["no target"] = desk.to_pay("no target", 5000)
    desk.wait("25h")
    with contextlib.suppress(Conflict):
        desk.engine.retry(run, by="root", reason="try again")

    runs["draft fails"] = desk.start("draft fails")
    run = runs["draft fails once"] = desk.start("draft fails once")
    desk.engine.retry(run, by="root")
    runs["pay fails"] = desk.to_pay("pay fails")
    runs["draft is late"] = desk.start("draft is late")
    runs["draft dies once"] = desk.start("draft dies once")
    desk.wait("1m")
    runs["poisoned"] = desk.start("poisoned")
    for _ in range(5):
        desk.wait("1m")

    for answer in ("done", "fail", "retry"):
        run = runs[f"pay dies, {answer}"] = desk.to_pay(f"pay dies, {answer}")
        desk.wait("1m")
        desk.decide(run, answer, "dora", **({"answers": {"ok": "by hand"}} if answer == "done" else {}))
    runs["pay dies"] = desk.to_pay("pay dies")
    desk.wait("1m")

    run = runs["cancelled"] = desk.start("cancelled")
    desk.engine.cancel(run, by="root", reason="a mistake")
    run = runs["cancelled at work"] = desk.to_pay("pay dies, and the run is cancelled")
    desk.engine.cancel(run, by="root")

    run = runs["waiting"] = desk.start("waiting")
    desk.decide(run, "revise", "ann", comment="more")
    runs["at the manager"] = desk.to_manager("at the manager", key="start of at the manager")
    runs["ready"] = desk.start("ready", advance=False)
    runs["draft works"] = desk.start("draft works")
    return runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A database with one run of each kind."""

    path: Path
    runs: Mapping[str, str]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    path = tmp_path_factory.mktemp("story") / "flow.db"
    desk = Desk(path)
    runs = _tell_stories(desk)
    desk.engine.close()
    return Story(path=path, runs=runs)


@pytest.fixture
def copy(story: Story, tmp_path: Path) -> Path:
    return Path(shutil.copy(story.path, tmp_path / "flow.db"))


def _verify(path: Path) -> tuple[Flaw, ...]:
    with Engine(f"sqlite:///{path}", people=PEOPLE) as engine:
        return engine.verify()


def _execute(path: Path, sql: str, **values: Any) -> None:
    connection = sqlite3.connect(path)
    with contextlib.closing(connection), connection:
        assert connection.execute(sql, values).rowcount > 0, "the fault was not planted"


def _dossier(story: Story, name: str) -> Dossier:
    store = SqliteStore(f"sqlite:///{story.path}")
    with contextlib.closing(store):
        return store.dossier(story.runs[name])


def _codes(flaws: list[Flaw] | tuple[Flaw, ...]) -> set[str]:
    return {flaw.code for flaw in flaws}


def test_no_run_that_the_engine_makes_has_a_flaw(story: Story) -> None:
    assert _verify(story.path) == ()


def test_the_stories_hold_every_kind_of_entry_and_status(story: Story) -> None:
    with Engine(f"sqlite:///{story.path}", people=PEOPLE) as engine:
        kinds = {entry.kind for run in story.runs.values() for entry in engine.history(run)}
        statuses = {engine.get_run(run).status for run in story.runs.values()}

    assert kinds == {
        *("run.started", "state.entered", "transition", "run.failed", "run.ended", "run.cancelled"),
        *("agent.started", "agent.succeeded", "agent.failed", "agent.crashed", "agent.late", "artifact.revised"),
        *("request.opened", "request.decided", "request.expired", "request.voided", "decision.refused"),
        "operator.retried",
    }
    assert statuses == {"running", "waiting", "done", "failed", "cancelled"}


def test_an_output_that_its_schema_refuses_leaves_no_flaw(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "flow.db")

    run = desk.start("draft is no object")

    assert desk.engine.get_run(run).status == "failed"
    assert desk.engine.verify() == ()
    desk.engine.close()


_RUN = "(SELECT id FROM runs WHERE run_id = :run)"


@pytest.mark.parametrize(
    ("name", "sql", "code"),
    [
        pytest.param("edited", "DELETE FROM history WHERE run = {run} AND seq = 3", "sequence", id="entry deleted"),
        pytest.param(
            "edited", "UPDATE history SET seq = 99 WHERE run = {run} AND seq = 3", "sequence", id="entry moved"
        ),
        pytest.param(
            "edited", "UPDATE history SET at = at + 1 WHERE run = {run} AND seq = 9", "hash", id="time edited"
        ),
        pytest.param(
            "edited", "UPDATE history SET actor = 'eve' WHERE run = {run} AND actor = 'ann'", "hash", id="actor"
        ),
        pytest.param("edited", "UPDATE history SET kind = 'run.paid' WHERE run = {run} AND seq = 2", "kind", id="kind"),
        pytest.param(
            "edited",
            "UPDATE history SET actor_kind = 'human' WHERE run = {run} AND kind = 'transition'",
            "actor",
            id="kind of actor",
        ),
        pytest.param(
            "silent",
            "UPDATE history SET data = replace(data, 'draft', 'paid') WHERE run = {run} AND kind = 'transition'",
            "hash",
            id="data edited",
        ),
        pytest.param(
            "edited",
            "UPDATE history SET data = replace(data, ',', ', ') WHERE run = {run}",
            "hash",
            id="spaces in data",
        ),
        pytest.param(
            "edited", "UPDATE history SET hash = zeroblob(32) WHERE run = {run} AND seq = 4", "hash", id="hash"
        ),
        pytest.param(
            "waiting", "DELETE FROM history WHERE run = {run} AND kind = 'run.started'", "replay", id="no start"
        ),
        pytest.param("waiting", "UPDATE runs SET status = 'running' WHERE run_id = :run", "status", id="status"),
        pytest.param("waiting", "UPDATE runs SET seq = seq + 1 WHERE run_id = :run", "record", id="run seq"),
        pytest.param("waiting", "UPDATE runs SET head = zeroblob(32) WHERE run_id = :run", "record", id="run head"),
        pytest.param("waiting", "UPDATE runs SET at = at + 1 WHERE run_id = :run", "record", id="run time"),
        pytest.param("waiting", "UPDATE runs SET started_at = 0 WHERE run_id = :run", "record", id="run start"),
        pytest.param("waiting", "UPDATE runs SET initiator = 'eve' WHERE run_id = :run", "record", id="initiator"),
        pytest.param(
            "waiting",
            """UPDATE runs SET record = json_set(record, '$.visits.draft', 7) WHERE run_id = :run""",
            "record",
            id="run record",
        ),
        pytest.param(
            "waiting", "UPDATE requests SET state = 'manager' WHERE run = {run}", "request_row", id="req. state"
        ),
        pytest.param(
            "waiting", "UPDATE requests SET kind = 'form' WHERE run = {run}", "request_row", id="request kind"
        ),
        pytest.param("waiting", "UPDATE requests SET rank = 0 WHERE run = {run}", "request_row", id="request priority"),
        pytest.param("waiting", "UPDATE requests SET rank = 7 WHERE run = {run}", "request_row", id="unknown priority"),
        pytest.param(
            "waiting", "UPDATE requests SET due_at = due_at + 1 WHERE run = {run}", "request_row", id="req. due"
        ),
        pytest.param(
            "waiting",
            "UPDATE requests SET status = 'void' WHERE run = {run} AND status = 'decided'",
            "request_row",
            id="request status",
        ),
        pytest.param(
            "waiting",
            "UPDATE requests SET settled = settled + 1 WHERE run = {run} AND status = 'decided'",
            "request_row",
            id="request settled elsewhere",
        ),
        pytest.param(
            "waiting",
            "DELETE FROM requests WHERE run = {run} AND status = 'decided'",
            "request_row",
            id="settled request deleted",
        ),
        pytest.param(
            "waiting", "DELETE FROM requests WHERE run = {run} AND status = 'open'", "record", id="open deleted"
        ),
        pytest.param(
            "waiting",
            "UPDATE requests SET status = 'decided', settled = 5 WHERE run = {run} AND status = 'open'",
            "record",
            id="open request settled",
        ),
        pytest.param(
            "ready",
            "INSERT INTO requests VALUES ('req_x', {run}, 'review', 'return', 'void', 2, 1, 2, 0, NULL)",
            "request_row",
            id="request out of nothing",
        ),
        pytest.param(
            "edited", "DELETE FROM revisions WHERE run = {run} AND revision = 2", "revision_row", id="rev. gone"
        ),
        pytest.param("edited", "UPDATE revisions SET seq = 3 WHERE run = {run}", "revision_row", id="revision moved"),
        pytest.param(
            "ready", "INSERT INTO revisions VALUES ({run}, 'report', 1, 2)", "revision_row", id="revision made up"
        ),
        pytest.param("waiting", "DELETE FROM deadlines WHERE run = {run}", "deadline_row", id="deadline deleted"),
        pytest.param(
            "waiting", "UPDATE deadlines SET due_at = due_at - 1 WHERE run = {run}", "deadline_row", id="deadline"
        ),
        pytest.param(
            "waiting", "UPDATE deadlines SET action = 'wake' WHERE run = {run}", "deadline_row", id="dl. action"
        ),
        pytest.param(
            "edited",
            "INSERT INTO deadlines VALUES (0, {run}, 'req_x', 'decide')",
            "deadline_row",
            id="deadline made up",
        ),
        pytest.param("draft works", "DELETE FROM leases WHERE run = {run}", "lease_row", id="lease deleted"),
        pytest.param(
            "draft works", "UPDATE leases SET token = token + 1 WHERE run = {run}", "lease_row", id="lease token"
        ),
        pytest.param("waiting", "INSERT INTO leases VALUES ({run}, 3, 'x/1/1', 0)", "lease_row", id="lease made up"),
        pytest.param(
            "edited",
            "UPDATE contents SET body = '{{}}' WHERE run = {run} AND body LIKE '%text%'",
            "content_hash",
            id="body",
        ),
        pytest.param("edited", "DELETE FROM contents WHERE run = {run}", "content_missing", id="contents deleted"),
        pytest.param(
            "edited",
            "INSERT INTO contents VALUES ({run}, zeroblob(32), '{{}}')",
            "content_unnamed",
            id="content made up",
        ),
        pytest.param("edited", "UPDATE keys SET body = zeroblob(32) WHERE run = {run}", "key_row", id="key body"),
        pytest.param(
            "edited",
            "UPDATE keys SET scope = 'start other' WHERE run = {run} AND request_id IS NULL",
            "key_row",
            id="key scope",
        ),
        pytest.param(
            "edited",
            "UPDATE keys SET request_id = 'req_x' WHERE run = {run} AND request_id IS NOT NULL",
            "key_row",
            id="key request",
        ),
        pytest.param("waiting", "UPDATE keys SET run = {run}", "key_row", id="key of another run"),
        pytest.param(
            "edited", "UPDATE definitions SET document = replace(document, '100', '900')", "definition", id="document"
        ),
        pytest.param("edited", "UPDATE definitions SET document = '{{'", "definition", id="no document"),
        pytest.param("edited", "UPDATE definitions SET version = zeroblob(32)", "definition", id="version"),
        pytest.param("edited", "UPDATE definitions SET digest = zeroblob(32)", "definition", id="digest"),
        pytest.param("edited", "UPDATE definitions SET workflow = 'other'", "definition", id="workflow"),
    ],
)
def test_a_fault_in_a_row_is_found(story: Story, copy: Path, name: str, sql: str, code: str) -> None:
    run = story.runs[name]

    _execute(copy, sql.format(run=_RUN), run=run)

    assert code in _codes([flaw for flaw in _verify(copy) if flaw.run == run])


def test_a_link_to_another_entry_is_found(story: Story) -> None:
    dossier = _dossier(story, "edited")
    entries = list(dossier.entries)
    entries[4] = replace(entries[4], prev=entries[2].hash)

    assert "link" in _codes(verify(replace(dossier, entries=entries)))


@pytest.mark.parametrize("kind", ["request.decided", "request.voided"])
def test_a_second_settlement_is_found(story: Story, kind: str) -> None:
    """The store refuses to write one, and so does the schema."""
    dossier = _dossier(story, "edited")
    settled = next(entry for entry in dossier.entries if entry.kind == "request.decided")
    again = replace(settled, seq=len(dossier.entries) + 1, kind=kind)

    assert "settled" in _codes(verify(replace(dossier, entries=[*dossier.entries, again])))


def test_the_settlement_of_no_request_is_found(story: Story) -> None:
    dossier = _dossier(story, "edited")
    entries = [entry for entry in dossier.entries if entry.kind != "request.opened"]

    assert "settled" in _codes(verify(replace(dossier, entries=entries)))


def test_a_content_that_is_not_canonical_is_found(story: Story) -> None:
    dossier = _dossier(story, "waiting")
    text = '{"mode": "waiting", "amount": 50}'
    contents = {**dossier.contents, digest(text): text}

    assert [flaw.message for flaw in verify(replace(dossier, contents=contents)) if flaw.code == "content_hash"] == [
        f"the content {digest(text)} is not canonical JSON"
    ]


# --- forged histories: every hash and every row agrees with the story, only the story is impossible -------------------

Change = Callable[[list[Entry]], None]
_STORED = {
    *("sequence", "link", "hash", "record", "status", "replay", "request_row", "revision_row", "deadline_row"),
    *("lease_row", "content_missing", "content_hash", "content_unnamed", "key_row", "definition", "unreadable"),
}


def _forge(dossier: Dossier, change: Change, definition: Definition = DEFINITION) -> list[Flaw]:
    """The flaws of a run whose history was changed and sealed again, and stored with all that follows from it."""
    entries = list(dossier.entries)
    change(entries)
    sealed: list[Entry] = []
    for number, entry in enumerate(entries, start=1):
        sealed.append(
            seal(
                run=entry.run,
                seq=number,
                at=entry.at,
                kind=entry.kind,
                actor=entry.actor,
                actor_kind=entry.actor_kind,
                data=entry.data,
                prev=sealed[-1].hash if sealed else NO_HASH,
            )
        )
    run = begin(sealed[0])
    for entry in sealed[1:]:
        run = evolve(run, entry)
    lease = None
    if run.attempt is not None:
        lease = Lease(run_id=run.id, token=run.attempt.token, owner="x/1/1", expires_at=run.at)
    store = SqliteStore("sqlite:///:memory:")
    with contextlib.closing(store):
        named = {sha256 for entry in sealed for sha256 in named_contents(entry)}
        contents = {sha256: text for sha256, text in dossier.contents.items() if sha256 in named}
        step = Step(before=None, after=run, entries=tuple(sealed), contents=contents)
        store.commit(step, definition=definition, lease=lease)
        return verify(store.dossier(run.id))


def _edit(
    kind: str, nth: int = 0, /, *, actor: str | None = None, later: timedelta | None = None, **data: Json
) -> Change:
    """Change the *nth* entry of a kind; a member that becomes None is taken away."""

    def change(entries: list[Entry]) -> None:
        place = [index for index, entry in enumerate(entries) if entry.kind == kind][nth]
        entry = entries[place]
        members = {"from" if name == "source" else name: value for name, value in data.items()}
        changed = {name: value for name, value in {**entry.data, **members}.items() if value is not None}
        entries[place] = replace(entry, data=changed, actor=actor or entry.actor, at=entry.at + (later or timedelta(0)))

    return change


def _cut(kind: str, nth: int = 0, *, behind: int = 1) -> Change:
    """Cut the history off behind an entry."""

    def change(entries: list[Entry]) -> None:
        place = [index for index, entry in enumerate(entries) if entry.kind == kind][nth]
        del entries[place + behind :]

    return change


def _add(kind: str, /, *, actor: str | None = None, actor_kind: Any = "engine", **data: Json) -> Change:
    """Add an entry at the end."""

    def change(entries: list[Entry]) -> None:
        entries.append(replace(entries[-1], kind=kind, actor=actor, actor_kind=actor_kind, data=data))

    return change


def _all(*changes: Change) -> Change:
    def change(entries: list[Entry]) -> None:
        for one in changes:
            one(entries)

    return change


def _settled_early(entries: list[Entry]) -> None:
    """The deadline applied the hour before it came."""
    place = next(index for index, entry in enumerate(entries) if entry.kind == "request.expired")
    for index in range(place, len(entries)):
        entries[index] = replace(entries[index], at=entries[index].at - timedelta(hours=1))
    _cut("request.expired")(entries)


def _reopened(entries: list[Entry]) -> None:
    """A second request beside the one that is open."""
    opened = entries[-1]
    number = len(entries) + 1
    entries.append(replace(opened, data={**opened.data, "request": request_id(opened.run, number)}))


def test_a_history_that_is_sealed_and_stored_again_has_no_flaw(story: Story) -> None:
    for name in story.runs:
        assert _forge(_dossier(story, name), lambda entries: None) == []


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        pytest.param("edited", _edit("state.entered", 1, later=timedelta(hours=-1)), "time", id="earlier than before"),
        pytest.param("edited", _edit("transition", actor="ann"), "actor", id="a person as the engine"),
        pytest.param("waiting", _edit("state.entered", state="nowhere"), "state", id="unknown state"),
        pytest.param("ready", _edit("state.entered", state="pay"), "edge", id="not an initial state"),
        pytest.param("waiting", _add("state.entered", state="pay", visit=1), "edge", id="entered without transition"),
        pytest.param("edited", _edit("state.entered", 2, visit=7), "visit", id="visit skipped"),
        pytest.param("edited", _edit("transition", option="error"), "edge", id="no such option"),
        pytest.param("edited", _edit("transition", to="paid"), "edge", id="no such edge"),
        pytest.param("edited", _edit("transition", source="pay"), "edge", id="from elsewhere"),
        pytest.param(
            "spent",
            _all(_edit("request.decided", -1, decision="approve"), _cut("request.decided", -1, behind=3)),
            "edge",
            id="another option than the decided one",
        ),
        pytest.param("edited", _cut("transition"), "edge", id="nothing entered"),
        pytest.param("edited", _cut("transition"), "stuck", id="cut between two states"),
        pytest.param("waiting", _cut("state.entered", -1), "stuck", id="a gate without a request"),
        pytest.param("edited", _cut("request.decided"), "stuck", id="decided and not gone on"),
        pytest.param("waiting", _reopened, "requests", id="two open requests"),
        pytest.param("spent", _edit("request.opened", -1, assign=["zoe"]), "requests", id="other people"),
        pytest.param("waiting", _edit("request.opened", -1, comment=None), "requests", id="no comment needed"),
        pytest.param(
            "waiting", _edit("request.opened", -1, request="req_0000000000000000"), "requests", id="request id"
        ),
        pytest.param("waiting", _edit("request.opened", -1, kind="approval"), "requests", id="request kind"),
        pytest.param("waiting", _edit("request.opened", -1, options=["accept", "burn"]), "requests", id="options"),
        pytest.param(
            "spent", _edit("request.opened", 2, options=["accept", "revise"]), "requests", id="revise when spent"
        ),
        pytest.param("waiting", _edit("request.opened", -1, priority="urgent"), "requests", id="priority"),
        pytest.param("waiting", _edit("request.opened", -1, default={"decision": "revise"}), "requests", id="default"),
        pytest.param(
            "at the manager",
            _edit("request.opened", -1, due_at="2026-03-01T00:00:00.000000Z"),
            "deadline",
            id="due at another time",
        ),
        pytest.param("at the manager", _edit("request.opened", -1, due_at=None), "deadline", id="no deadline"),
        pytest.param(
            "pay dies",
            _edit("request.opened", -1, due_at="2026-03-01T00:00:00.000000Z", kind="approval"),
            "requests",
            id="a gate where an agent works",
        ),
        pytest.param("pay dies", _edit("request.opened", -1, options=["retry"]), "requests", id="options of a crash"),
        pytest.param(
            "waiting",
            _edit("request.opened", -1, show=[{"name": "report", "revision": 1, "sha256": "0" * 64}]),
            "shown",
            id="another revision shown",
        ),
        pytest.param("silent", _settled_early, "expired", id="default before the deadline"),
        pytest.param(
            "silent", _edit("request.expired", at="2026-01-05T09:00:00.000000Z"), "expired", id="default misdated"
        ),
        pytest.param(
            "silent",
            _all(_edit("request.expired", decision="revise"), _cut("request.expired")),
            "expired",
            id="another default",
        ),
        pytest.param("silent", _edit("request.expired", 1, answers=None), "expired", id="answers of the default"),
        pytest.param(
            "silent director",
            _all(_edit("request.expired", decision="approve"), _cut("request.expired")),
            "expired",
            id="another option than the timeout edge",
        ),
        pytest.param(
            "edited",
            _all(_edit("request.decided", later=timedelta(days=9)), _cut("request.decided")),
            "decided",
            id="decided after the deadline",
        ),
        pytest.param(
            "edited",
            _all(_edit("request.decided", decision="burn"), _cut("request.decided")),
            "decided",
            id="option not offered",
        ),
        pytest.param("spent", _edit("request.opened", -1, assign=["fay", "zoe"]), "decided", id="not assigned"),
        pytest.param("spent", _edit("request.decided", -1, comment=" "), "decided", id="comment missing"),
        pytest.param("edited", _edit("request.decided", 0, answers="0" * 64), "decided", id="answers without form"),
        pytest.param(
            "edited",
            _edit("request.decided", 0, artifacts={"report": {"revision": 1, "sha256": "0" * 64}}),
            "shown",
            id="stands on another revision",
        ),
        pytest.param("edited", _edit("request.decided", 0, artifacts=None), "shown", id="stands on no revision"),
        pytest.param("edited", _edit("artifact.revised", 1, revision=5), "revision", id="revision skipped"),
        pytest.param("edited", _edit("artifact.revised", 1, parent=7), "revision", id="another parent"),
        pytest.param("edited", _edit("artifact.revised", 1, actor="eve"), "revision", id="edit of somebody else"),
        pytest.param("edited", _edit("artifact.revised", 1, name="other"), "revision", id="edit of something else"),
        pytest.param("edited", _edit("artifact.revised", 0, name="other"), "revision", id="artifact of no agent"),
        pytest.param("edited", _edit("artifact.revised", 0, state="pay"), "revision", id="artifact of another state"),
        pytest.param("edited", _edit("artifact.revised", 2, sha256="0" * 64), "revision", id="another output"),
        pytest.param("edited", _edit("request.decided", 0, edit=None), "revision", id="edit without a word"),
        pytest.param("edited", _edit("agent.started", attempt=2), "attempt", id="attempt skipped"),
        pytest.param("edited", _edit("agent.started", state="pay"), "attempt", id="agent of another state"),
        pytest.param("waiting", _add("agent.started", state="review", attempt=1), "attempt", id="agent at a gate"),
        pytest.param(
            "waiting",
            _add("agent.succeeded", actor="draft", actor_kind="agent", state="draft", output="0" * 64),
            "attempt",
            id="success out of nothing",
        ),
        pytest.param(
            "ready",
            _add("agent.succeeded", actor="draft", actor_kind="agent", state="draft", output="0" * 64),
            "attempt",
            id="success without attempt",
        ),
        pytest.param("edited", _edit("agent.succeeded", actor="pay"), "actor", id="success of another agent"),
        pytest.param("pay dies, done", _edit("agent.succeeded", -1, actor="eve"), "actor", id="done by somebody else"),
        pytest.param("draft fails", _edit("agent.failed", attempt=3), "attempt", id="failure of another attempt"),
        pytest.param("draft fails", _edit("agent.failed", edge=True), "edge", id="no error edge"),
        pytest.param("pay fails", _edit("agent.failed", edge=None), "edge", id="error edge not taken"),
        pytest.param("draft fails", _cut("agent.failed"), "failed", id="failed and went on"),
        pytest.param("poisoned", _edit("agent.crashed", token=1), "attempt", id="crash of another attempt"),
        pytest.param("poisoned", _cut("agent.crashed", -1), "limit", id="fifth crash and no failure"),
        pytest.param("pay dies", _cut("agent.crashed", -1), "attempt", id="crash and nobody asked"),
        pytest.param("pay dies, fail", _cut("request.decided", -1), "attempt", id="said to have failed, and did not"),
        pytest.param("draft is late", _edit("agent.late", token=1), "attempt", id="late attempt never begun"),
        pytest.param("draft fails", _edit("run.failed", state="pay"), "state", id="failed elsewhere"),
        pytest.param("draft fails", _add("agent.started", state="draft", attempt=2), "failed", id="moved while failed"),
        pytest.param("waiting", _add("operator.retried", actor="root", actor_kind="operator"), "failed", id="retried"),
        pytest.param("silent", _edit("run.ended", outcome="success"), "ended", id="another outcome"),
        pytest.param("waiting", _add("run.ended", outcome="success"), "ended", id="ended in no end"),
        pytest.param("silent", _add("run.ended", outcome="failure"), "ended", id="ended twice"),
        pytest.param("cancelled", _add("state.entered", state="draft", visit=2), "ended", id="moved after cancel"),
        pytest.param(
            "waiting",
            _add("run.cancelled", actor="root", actor_kind="operator"),
            "requests",
            id="cancelled with an open request",
        ),
        pytest.param("cancelled", _cut("request.voided"), "requests", id="voided and not cancelled"),
    ],
)
def test_a_forged_history_that_could_not_happen_is_found(story: Story, name: str, change: Change, code: str) -> None:
    assert code in _codes(_forge(_dossier(story, name), change))


def test_more_returns_than_allowed_are_found(story: Story) -> None:
    """Only the definition says how many: the same history under one that allows fewer."""
    states = {**DOCUMENT["states"], "review": {**DOCUMENT["states"]["review"], "max_returns": 1}}
    stricter = Definition.from_document({**DOCUMENT, "states": states})
    pin = _edit("run.started", definition=stricter.version, definition_id=stricter.id)

    flaws = _forge(_dossier(story, "spent"), pin, stricter)

    assert {"returns", "requests"} == _codes(flaws)


def test_more_transitions_than_allowed_are_found(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdpoint.engine.verify_rules.MAX_TRANSITIONS", 3)

    assert _codes(verify(_dossier(story, "edited"))) == {"limit"}


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        pytest.param("edited", _edit("transition", 2, to="pay"), "edge", id="edge"),
        pytest.param("silent", _settled_early, "expired", id="expired"),
        pytest.param("spent", _edit("request.decided", -1, comment=" "), "decided", id="decided"),
        pytest.param("edited", _edit("run.ended", outcome="failure"), "ended", id="outcome"),
    ],
)
def test_only_the_story_gives_a_forger_away(story: Story, name: str, change: Change, code: str) -> None:
    """What is stored agrees with itself in every row and hash."""
    codes = _codes(_forge(_dossier(story, name), change))

    assert code in codes
    assert not codes & _STORED


# --- what is asked after a crash --------------------------------------------------------------------------------------

ASKED = """\
workflow: asked
timezone: Europe/Rome
input: {type: object, required: [mode], properties: {mode: {type: string}}}
initial:
  - {to: assumed, when: "input.mode == 'done'"}
  - {to: given_up, when: "input.mode == 'fail'"}
  - {to: again, when: "input.mode == 'retry'"}
  - {to: split}
states:
  assumed:
    type: agent
    python: asked:die
    output: {type: object, properties: {ok: {type: boolean}}}
    after_crash:
      ask:
        assign: ["role:manager", initiator]
        exclude: [zoe]
        priority: high
        timeout: 1h
        default: {decision: done, answers: {ok: true}}
    next: ended
  given_up: {type: agent, python: asked:die, after_crash: {ask: {timeout: 1h, default: fail}}, next: ended}
  again: {type: agent, python: asked:die, after_crash: {ask: {timeout: 1h, default: retry}}, next: ended}
  split:
    type: agent
    python: asked:die
    after_crash: {ask: {assign: {retry: [initiator], done: ["role:manager"], fail: ["role:manager"]}}}
    next: ended
  ended: {type: end}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Story):
    """A run for each thing that a deadline may decide of a crash, and one whose question is open; by `mode`."""

    definition: Definition


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    path = tmp_path_factory.mktemp("asked") / "flow.db"
    clock = Clock()

    def die() -> Json:
        raise KeyboardInterrupt

    with Engine(f"sqlite:///{path}", clock=clock, agents={"asked:die": die}, people=PEOPLE) as engine:
        definition = engine.loads(ASKED)
        runs = {}
        for mode in ("done", "fail", "retry", "open"):
            with contextlib.suppress(KeyboardInterrupt):
                engine.start(definition, {"mode": mode}, initiator="bob")
            runs[mode] = engine.runs(limit=1).items[0].id
        clock.advance(engine, "1m")  # their leases run out
        with contextlib.suppress(KeyboardInterrupt):
            clock.advance(engine, "2h")  # the one that is made again dies once more
    return Asked(path=path, runs=runs, definition=definition)


def _crash_flaws(asked: Asked, mode: str, change: Change) -> set[tuple[str, str]]:
    """The code of each flaw, and the kind of the entry that has it."""
    flaws = _forge(_dossier(asked, mode), change, asked.definition)
    return {(flaw.code, flaw.message.partition(")")[0].partition("(")[2]) for flaw in flaws}


def test_what_is_asked_after_a_crash_has_no_flaw(asked: Asked) -> None:
    assert _verify(asked.path) == ()
    for mode in asked.runs:
        assert _forge(_dossier(asked, mode), lambda entries: None, asked.definition) == []
    with Engine(f"sqlite:///{asked.path}") as engine:
        kinds = {mode: [entry.kind for entry in engine.history(run)] for mode, run in asked.runs.items()}
    expired = {mode: kinds[mode][kinds[mode].index("request.expired") + 1] for mode in ("done", "fail", "retry")}
    assert expired == {"done": "agent.succeeded", "fail": "agent.failed", "retry": "agent.started"}
    assert kinds["open"][-1] == "request.opened"


def _instead(kind: str, by: str, **data: Json) -> Change:
    """Another kind of entry in place of the first of its kind, with other data, and nothing behind it."""

    def change(entries: list[Entry]) -> None:
        place = next(index for index, entry in enumerate(entries) if entry.kind == kind)
        del entries[place + 1 :]
        changed = {**entries[place].data, **data}
        entries[place] = replace(entries[place], kind=by, data={k: v for k, v in changed.items() if v is not None})

    return change


@pytest.mark.parametrize(
    ("mode", "change", "code", "kind"),
    [
        pytest.param("done", _cut("request.expired"), "attempt", "request.expired", id="done and no output"),
        pytest.param("fail", _cut("request.expired"), "attempt", "request.expired", id="fail and no failure"),
        pytest.param(
            "done",
            _instead("agent.succeeded", "agent.started", output=None, attempt=1),
            "attempt",
            "request.expired",
            id="done and made again",
        ),
        pytest.param(
            "fail",
            _instead("agent.failed", "agent.succeeded", output=digest(canonical({"mode": "fail"}))),
            "attempt",
            "request.expired",
            id="fail and an output",
        ),
        pytest.param(
            "done",
            _edit("agent.succeeded", output=digest(canonical({"mode": "done"}))),
            "attempt",
            "request.expired",
            id="done and another output than the answers",
        ),
        pytest.param(
            "retry",
            _all(
                _cut("request.expired"),
                _add(
                    "agent.succeeded",
                    actor="again",
                    actor_kind="agent",
                    state="again",
                    output=digest(canonical({"mode": "retry"})),
                ),
            ),
            "attempt",
            "agent.succeeded",
            id="retry and an output out of nothing",
        ),
        pytest.param("done", _edit("agent.succeeded", actor="eve"), "actor", "agent.succeeded", id="done by a person"),
        pytest.param(
            "done",
            _all(_edit("request.expired", decision="fail"), _cut("request.expired")),
            "expired",
            "request.expired",
            id="another option than the default",
        ),
        pytest.param("done", _edit("request.expired", answers=None), "expired", "request.expired", id="no answers"),
        pytest.param(
            "fail",
            _edit("request.expired", at="2026-01-05T09:00:00.000000Z"),
            "expired",
            "request.expired",
            id="dated too early",
        ),
        pytest.param("done", _settled_early, "expired", "request.expired", id="before the deadline"),
    ],
)
def test_what_does_not_follow_from_the_deadline_of_a_question_is_found(
    asked: Asked, mode: str, change: Change, code: str, kind: str
) -> None:
    assert (code, kind) in _crash_flaws(asked, mode, change)


@pytest.mark.parametrize(
    ("mode", "edit", "code"),
    [
        pytest.param("done", {"options": ["retry", "done"]}, "requests", id="option missing"),
        pytest.param("done", {"options": ["done", "fail", "retry"]}, "requests", id="options in another order"),
        pytest.param("done", {"assign": ["role:manager", "eve"]}, "requests", id="other people"),
        pytest.param("done", {"assign": ["role:manager"]}, "requests", id="fewer people"),
        pytest.param("done", {"assign": None}, "requests", id="anyone"),
        pytest.param("fail", {"assign": ["bob"]}, "requests", id="people where anyone may"),
        pytest.param(
            "open",
            {"assign": {"retry": ["eve"], "done": ["role:manager"], "fail": ["role:manager"]}},
            "requests",
            id="other people for an option",
        ),
        pytest.param("open", {"assign": {"retry": ["bob"], "done": ["role:manager"]}}, "requests", id="option for all"),
        pytest.param("done", {"exclude": None}, "requests", id="nobody excluded"),
        pytest.param("fail", {"exclude": ["bob"]}, "requests", id="somebody excluded"),
        pytest.param("done", {"priority": None}, "requests", id="priority gone"),
        pytest.param("fail", {"priority": "urgent"}, "requests", id="priority added"),
        pytest.param("done", {"default": None}, "requests", id="default gone"),
        pytest.param("open", {"default": {"decision": "retry"}}, "requests", id="default added"),
        pytest.param("fail", {"default": {"decision": "retry"}}, "requests", id="another default"),
        pytest.param(
            "done", {"default": {"decision": "done", "answers": {"ok": False}}}, "requests", id="answers of the default"
        ),
        pytest.param("done", {"due_at": None}, "deadline", id="deadline gone"),
        pytest.param("open", {"due_at": "2026-01-05T10:00:00.000000Z"}, "deadline", id="deadline added"),
        pytest.param("fail", {"due_at": "2026-01-05T10:01:01.000000Z"}, "deadline", id="a second later"),
    ],
)
def test_a_question_about_a_crash_that_is_not_as_defined_is_found(
    asked: Asked, mode: str, edit: dict[str, Json], code: str
) -> None:
    change = _all(_cut("request.opened"), _edit("request.opened", **edit))

    assert _crash_flaws(asked, mode, _cut("request.opened")) == set()
    assert _crash_flaws(asked, mode, change) == {(code, "request.opened")}


# --- edits at random --------------------------------------------------------------------------------------------------

ROUNDS = {"few": 400, "steered": 600}
"""How many edits of the database of each story: a thousand in all."""

PARTS = 5
STEERED = """\
workflow: steered
on_cancel: clean_up
input: {type: object, required: [number], properties: {number: {type: integer}, at: {type: string}}}
initial:
  - {to: nap, when: "input.number <= 2"}
  - {to: signal, when: "input.number <= 5"}
  - {to: flaky, when: "input.number <= 8"}
  - {to: form, when: "input.number <= 12"}
  - {to: pay}
states:
  nap: {type: wait, for: 1d, next: until}
  until: {type: wait, until: "{{ run.started_at | add('3d') }}", next: signal}
  signal: {type: wait, signal: [paid, lost], on: {paid: paid, lost: flaky, timeout: late}, timeout: 2d}
  flaky:
    type: agent
    python: steered:flaky
    with: {number: "{{ input.number }}"}
    retry: {attempts: 3, delay: 1h, factor: 2, max_delay: 5h}
    artifact: note
    on: {done: paid, error: late}
  form:
    type: form
    message: "Number {{ input.number }}"
    assign: ["role:manager"]
    exclude: [initiator]
    form: {type: object, required: [name], properties: {name: {type: string}}}
    next: choice
    timeout: 1d
    default: {decision: submit, answers: {name: nobody}}
  choice:
    type: approval
    exclude: [zoe]
    forms: {reject: {type: object, required: [why], properties: {why: {type: string}}}}
    on: {approve: paid, reject: late}
    timeout: 2d
    default: {decision: reject, answers: {why: silence}}
  pay:
    type: agent
    python: steered:pay
    with: {number: "{{ input.number }}"}
    effect: irreversible
    unattended: allowed
    after_crash: {ask: {assign: ["role:manager"], exclude: [initiator], timeout: 1h, default: retry}}
    on: {done: paid, error: late}
  clean_up: {type: agent, value: {cleaned: "{{ input.number }}"}, next: cleaned}
  cleaned: {type: end, outcome: cancelled, output: "{{ clean_up }}"}
  paid: {type: end, output: {number: "{{ input.number }}", signal: "{{ signal }}"}}
  late: {type: end, outcome: failure}
"""
TABLES: Mapping[str, tuple[str, ...]] = {
    "definitions": ("digest", "version", "workflow", "document"),
    "runs": ("run_id", "definition", "status", "seq", "head", "at", "started_at", "initiator", "record"),
    "history": ("run", "seq", "at", "kind", "actor", "actor_kind", "data", "hash"),
    "contents": ("run", "sha256", "body"),
    "requests": ("request_id", "run", "state", "kind", "status", "rank", "opened", "settled", "due_at"),
    "revisions": ("run", "name", "revision", "seq"),
    "deadlines": ("due_at", "run", "request_id", "action"),
    # Who holds a lease and until when, and what word a caller chose as a key, is in no history to compare with.
    "leases": ("run", "token"),
    "keys": ("scope", "body", "run", "request_id"),
}
_JSON = {"runs.record", "history.data", "contents.body", "definitions.document"}


@pytest.fixture(scope="module")
def small_stories(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Few runs, each with another input, so that no row of one passes for another's."""
    folder = tmp_path_factory.mktemp("small")
    numbers = count(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("holdpoint.api.new_run_id", lambda: f"run_{next(numbers):016}")  # so that a seed says it all
        _tell_few_stories(Desk(folder / "few.db"))
        _tell_steered_stories(folder / "steered.db")
    return {name: folder / f"{name}.db" for name in ROUNDS}


def _tell_few_stories(desk: Desk) -> None:
    run = desk.start("edited", 1, key="start")
    desk.decide(run, "revise", "ann", comment="more", artifact={"text": "edited by ann"})
    desk.decide(run, "accept", "ann", artifact={"text": "edited again"}, key="accept")
    desk.decide(run, "approve", "dora", answers={"note": "fine"})
    desk.start("silent", 2)
    desk.wait("5d")
    desk.to_pay("pay dies", 3)
    desk.wait("1m")
    desk.start("waiting", 4)
    desk.start("draft fails", 5)
    desk.start("draft works", 6)
    desk.engine.close()


def _tell_steered_stories(path: Path) -> None:
    """Waits, signals, retries, requests that are not what they opened as, a clean-up, a move, a question of a crash."""
    clock = Clock()

    def flaky(number: int, context: Context) -> Json:
        if context.attempt < number - 5:
            raise RuntimeError(f"attempt {context.attempt} of {number}")
        return {"attempts": context.attempt}

    def pay(number: int) -> Json:
        raise KeyboardInterrupt

    agents: Mapping[str, Callable[..., Json]] = {"steered:flaky": flaky, "steered:pay": pay}
    with Engine(f"sqlite:///{path}", clock=clock, agents=agents, people=PEOPLE) as engine:
        definition = engine.loads(STEERED)

        def start(number: int) -> str:
            clock.set(clock() + timedelta(seconds=number))
            with contextlib.suppress(KeyboardInterrupt):
                return engine.start(definition, {"number": number}, initiator=f"bob {number}").id
            return engine.runs(limit=1).items[0].id

        start(5)  # its wait times out
        start(8)  # fails twice and succeeds
        moved = start(2)
        engine.signal(moved, "paid", {"early": 2}, by="eve", key="early")
        engine.signal(moved, "paid", {"early": 3})
        clock.advance(engine, "4d")  # the first is taken, the second is left
        run = start(3)
        engine.signal(run, "lost", {"ref": 3}, key="lost")
        run = start(9)
        request = engine.get_run(run).requests[0].id
        engine.claim(request, by="dora")
        engine.assign(request, ["dora", "role:manager"], by="dora")
        engine.extend(request, "5d", by="zoe", reason="holidays")
        engine.decide(request, "submit", by="dora", answers={"name": "nine"}, key="nine")
        clock.advance(engine, "50h")  # the choice is left to silence
        run = start(10)
        engine.cancel(run, by="root", reason="a mistake")
        run = start(11)
        engine.move(run, "choice", by="root", reason="in a hurry")
        start(13)
        clock.advance(engine, "90m")  # it crashed, and somebody is asked about it
        run = start(12)
        request = engine.get_run(run).requests[0].id
        engine.claim(request, by="fay")
        engine.release(request, by="fay")
        engine.claim(request, by="gus")
        engine.assign(request, ["gus"], by="dora")
        engine.extend(request, "2h", by="dora")
        start(14)  # its process is gone, and nobody has seen it
        run = start(1)
        engine.signal(run, "lost", {"kept": 1})
        start(4)
        start(7)  # waits for its second attempt


def test_the_steered_stories_hold_what_they_are_to_hold(small_stories: Mapping[str, Path]) -> None:
    with Engine(f"sqlite:///{small_stories['steered']}", people=PEOPLE) as engine:
        entries = [entry for run in engine.runs().items for entry in engine.history(run.id)]
    with contextlib.closing(sqlite3.connect(small_stories["steered"])) as connection:
        actions = {action for (action,) in connection.execute("SELECT DISTINCT action FROM deadlines")}

    assert {entry.kind for entry in entries} >= {
        *("wait.started", "wait.ended", "signal.received", "agent.failed", "agent.crashed"),
        *("request.claimed", "request.assigned", "request.expired", "request.decided", "request.voided"),
        *("operator.extended", "operator.moved", "operator.cancelled"),
    }
    assert len(actions) == 3


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", ROUNDS)
def test_every_random_edit_of_a_cell_is_found(
    small_stories: Mapping[str, Path], tmp_path: Path, name: str, part: int
) -> None:
    assert _verify(small_stories[name]) == ()
    missed = []

    for seed in range(part * ROUNDS[name] // PARTS, (part + 1) * ROUNDS[name] // PARTS):
        path = Path(shutil.copy(small_stories[name], tmp_path / "flow.db"))
        edit = _edit_a_cell(path, random.Random(seed))
        try:
            found = len(_verify(path)) > 0
        except StoreError:
            found = True
        except Exception as error:
            found = False
            edit += f" raised {error!r}"
        if not found:
            missed.append(f"seed {seed}: {edit}")

    assert missed == []


def _edit_a_cell(path: Path, rng: random.Random) -> str:
    """Change one cell and say which; tries again where the schema refuses the value."""
    connection = sqlite3.connect(path)
    with contextlib.closing(connection):
        while True:
            table = rng.choice(sorted(TABLES))
            column = rng.choice(TABLES[table])
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            row = rng.choice(connection.execute(f"SELECT * FROM {table}").fetchall())  # noqa: S608
            old = row[names.index(column)]
            others = [value for (value,) in connection.execute(f"SELECT DISTINCT {column} FROM {table}")]  # noqa: S608
            new = _another(old, f"{table}.{column}", others, rng)
            if new == old or (column == "actor_kind" and {old, new} == {None, "engine"}):
                continue
            where = " AND ".join(f"{name} IS ?" for name in names)
            try:
                with connection:
                    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (new, *row))  # noqa: S608
            except sqlite3.IntegrityError:
                continue
            return f"{table}.{column} from {old!r} to {new!r}"


def _another(old: Any, cell: str, others: list[Any], rng: random.Random) -> Any:
    if rng.random() < 0.2:
        return rng.choice(others)
    if cell in _JSON:
        return "{" if rng.random() < 0.1 else canonical(_mutated(json.loads(old), rng))
    match old:
        case bytes():
            place = rng.randrange(len(old))
            return old[:place] + bytes([old[place] ^ (1 << rng.randrange(8))]) + old[place + 1 :]
        case int():
            return old + rng.choice([-(10**6), -1, 1, 60_000_000])
        case str():
            place = rng.randrange(len(old) + 1)
            return rng.choice([None, "", old[:place] + rng.choice("ax_\x00é") + old[place:]])
    return rng.choice([1, "x", "human", "bob"])


def _mutated(value: Json, rng: random.Random) -> Json:
    """The value with one leaf changed, taken away or added."""
    if isinstance(value, dict) and value:
        name = rng.choice(sorted(value))
        if rng.random() < 0.1:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: _mutated(value[name], rng)}
    if isinstance(value, list) and value:
        place = rng.randrange(len(value))
        return [*value[:place], _mutated(value[place], rng), *value[place + 1 :]]
    leaves: list[Json] = [None, True, 0, 7, "x", "0" * 64, {}, [], {"x": 1}]
    return rng.choice([leaf for leaf in leaves if leaf != value])
