"""The contract of a store (`holdpoint.engine.ports`), sentence by sentence, for each of its implementations."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdpoint import Conflict, Engine, HoldpointError, NotFound, StoreError, UsageError
from holdpoint.api import loads
from holdpoint.engine.agents import Failure
from holdpoint.engine.definition import Definition
from holdpoint.engine.draft import Draft, Facts
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.model import (
    Assign,
    Cancel,
    Claim,
    Command,
    Continue,
    Crash,
    Expire,
    Extend,
    Finish,
    Move,
    Refuse,
    Retry,
    RunRecord,
    Send,
    Wake,
)
from holdpoint.engine.ports import KeyTaken, Lease, Moved, Store
from holdpoint.engine.recall import Recall
from holdpoint.stores.memory import MemoryStore
from holdpoint.stores.sqlite import SqliteStore
from holdpoint.testing import Clock
from tests.building import gate, value, worker, workflow
from tests.stores.bench import DEFINITION, Bench, decision, finish, gate_only, plain

THREADS = 8
ACTIONS = ("decide", "retry", "wake")
KINDS = ["file", "sqlite-memory", "memory"]

_Found = TypeVar("_Found")


def _url(kind: str, folder: Path) -> str:
    file = f"sqlite:///{folder / 'flow.db'}?synchronous=normal"
    return {"file": file, "sqlite-memory": "sqlite:///:memory:", "memory": "memory://"}[kind]


def _open(url: str) -> Store:
    return MemoryStore() if url == "memory://" else SqliteStore(url)


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind."""
    return _url(request.param, tmp_path)


@pytest.fixture
def bench(url: str) -> Iterator[Bench]:
    """A store of each kind; whatever a test commits, `verify` is silent at its end."""
    bench = Bench(_open(url))
    yield bench
    assert bench.flaws() == []
    bench.store.close()


def at_once(calls: Sequence[Callable[[], _Found]]) -> list[_Found | Exception]:
    """Make these calls in a thread each, all at one moment: what they return or raise."""
    gate_ = threading.Barrier(len(calls))
    found: list[_Found | Exception] = [AssertionError("not called")] * len(calls)

    def call(index: int) -> None:
        gate_.wait()
        try:
            found[index] = calls[index]()
        except Exception as error:
            found[index] = error

    threads = [threading.Thread(target=call, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


# --- commit -----------------------------------------------------------------------------------------------------------


def test_a_run_reads_as_its_last_step_left_it(bench: Bench) -> None:
    run = bench.start()
    assert bench.store.run(run.id) == run

    for command in (decision("revise", comment="more"), decision("accept")):
        run = bench.apply(run, command)
        assert bench.store.run(run.id) == run
    for move in (finish, lambda run: Send(name="up", data={"n": 1}), lambda run: decision("approve", "bob")):
        run = bench.apply(run, move(run))
        assert bench.store.run(run.id) == run

    assert (run.status, run.outcome) == ("done", "success")


def test_what_a_run_refers_to_is_found(bench: Bench) -> None:
    step = bench.first()
    bench.store.commit(step, definition=DEFINITION)

    values = Recall(bench.store, step.after.id)

    assert [values.entry(entry.seq).text for entry in step.entries] == [entry.text for entry in step.entries]
    assert values.content(step.after.input) == {"text": "a text"}
    assert values.revision("report", 1) == "a text"
    with pytest.raises(NotFound):
        values.revision("report", 2)


def test_a_first_step_needs_its_definition(bench: Bench) -> None:
    step = bench.first()

    with pytest.raises(ValueError, match="definition"):
        bench.store.commit(step)

    assert list(bench.store.run_ids()) == []


def test_no_run_takes_the_place_of_another(bench: Bench) -> None:
    run = bench.start()
    before = bench.store.dossier(run.id)
    bench.clock.set(bench.clock() + timedelta(hours=1))
    another = Bench(bench.store, bench.clock).first()
    assert another.after.id == run.id

    with pytest.raises(StoreError):
        bench.store.commit(another, definition=DEFINITION)

    assert plain(bench.store.dossier(run.id)) == plain(before)


def test_a_step_from_where_the_run_no_longer_is_changes_nothing(bench: Bench) -> None:
    run = bench.start()
    late = bench.step(run, decision("accept"))
    bench.apply(run, decision("revise", comment="more"))
    before = bench.store.dossier(run.id)

    with pytest.raises(Moved):
        bench.store.commit(late, lease=bench.lease(late), key=bench.key(run))

    assert plain(bench.store.dossier(run.id)) == plain(before)
    assert bench.store.key(f"start {run.workflow}", "k") is None


def test_a_key_is_taken_once(bench: Bench) -> None:
    first, second = bench.first(), bench.first()
    key = bench.key(first.after)
    bench.store.commit(first, definition=DEFINITION, key=key)

    with pytest.raises(KeyTaken):
        bench.store.commit(second, definition=DEFINITION, key=bench.key(second.after))

    assert bench.store.key(key.scope, "k") == key
    assert bench.store.key("start another", "k") is None
    assert list(bench.store.run_ids()) == [first.after.id]
    bench.store.close()
    bench.store = _open("memory://")  # the key's body is made up


def test_only_a_decisions_key_is_found_by_the_run(bench: Bench) -> None:
    run = bench.start()
    request_id = next(iter(run.requests))
    key = bench.key(run, "decided", request_id)
    bench.apply(run, decision("accept"), key=key)
    other = bench.first()
    bench.store.commit(other, definition=DEFINITION, key=bench.key(other.after, "started"))

    assert list(bench.store.keys_of_run(run.id, "decided")) == [key]
    assert not bench.store.keys_of_run(other.after.id, "decided")
    assert not bench.store.keys_of_run(other.after.id, "started")
    assert bench.store.dossier(run.id).keys == [key]
    bench.store.close()
    bench.store = _open("memory://")  # the keys' bodies are made up


@pytest.mark.parametrize("ask", ["run", "dossier", "request"])
def test_what_is_not_there_is_not_found(bench: Bench, ask: str) -> None:
    bench.start()

    with pytest.raises(NotFound):
        getattr(bench.store, ask)("run_absent")


def test_a_step_of_a_run_that_is_not_there_is_refused(bench: Bench, tmp_path: Path) -> None:
    elsewhere = Bench(MemoryStore())
    step = elsewhere.step(elsewhere.start(), decision("accept"))

    with pytest.raises(NotFound):
        bench.store.commit(step)


def test_nothing_is_known_of_a_run_that_is_not_there(bench: Bench) -> None:
    assert list(bench.store.history("run_absent")) == []
    assert list(bench.store.requests("run_absent")) == []
    assert bench.store.revision_entry("run_absent", "report", 1) is None
    assert not bench.store.renew("run_absent", 1, bench.clock())
    assert not bench.store.keys_of_run("run_absent", "k")


# --- leases -----------------------------------------------------------------------------------------------------------


def test_a_lease_is_taken_with_the_attempt_and_goes_with_it(bench: Bench) -> None:
    run = bench.at_work()
    (lease,) = bench.store.leases()
    assert run.attempt is not None
    assert (lease.run_id, lease.token, lease.owner) == (run.id, run.attempt.token, "somebody")
    assert lease.expires_at == bench.clock() + timedelta(seconds=30)

    bench.apply(run, finish(run))

    assert list(bench.store.leases()) == []


def test_a_lease_is_renewed_by_its_token_alone(bench: Bench) -> None:
    run = bench.at_work()
    assert run.attempt is not None
    later = bench.clock() + timedelta(minutes=5)

    assert not bench.store.renew(run.id, run.attempt.token + 1, later)
    assert bench.store.leases()[0].expires_at == bench.clock() + timedelta(seconds=30)
    assert bench.store.renew(run.id, run.attempt.token, later)
    assert bench.store.leases()[0].expires_at == later

    bench.apply(run, finish(run))
    assert not bench.store.renew(run.id, run.attempt.token, later)


def test_leases_come_in_the_order_in_which_they_end(bench: Bench) -> None:
    first = bench.at_work()
    bench.pass_time(seconds=1)
    second = bench.at_work()
    bench.pass_time(seconds=1)
    third = bench.at_work()
    assert first.attempt is not None
    bench.store.renew(first.id, first.attempt.token, bench.clock() + timedelta(hours=1))

    assert [lease.run_id for lease in bench.store.leases()] == [second.id, third.id, first.id]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"token": 99}, id="token"),
        pytest.param({"owner": "another"}, id="owner"),
        pytest.param({"expires_at": timedelta(microseconds=1)}, id="renewed-by-a-microsecond"),
    ],
)
def test_a_crash_is_written_only_if_the_lapsed_lease_is_as_it_was_read(bench: Bench, change: dict[str, Any]) -> None:
    run = bench.at_work()
    (lease,) = bench.store.leases()
    assert run.attempt is not None
    fields = {name: getattr(lease, name) for name in Lease.__slots__}
    other = Lease(**{**fields, **change, "expires_at": lease.expires_at + change.get("expires_at", timedelta())})
    crash = Crash(token=run.attempt.token, reason="gone")
    before = bench.store.dossier(run.id)

    with pytest.raises(Moved):
        bench.apply(run, crash, lapsed=other)
    assert plain(bench.store.dossier(run.id)) == plain(before)

    again = bench.apply(run, crash, lapsed=lease)
    assert again.attempt is not None
    assert [item.token for item in bench.store.leases()] == [again.attempt.token]


# --- batch ------------------------------------------------------------------------------------------------------------


def test_a_batch_keeps_what_its_parts_wrote(bench: Bench) -> None:
    with bench.store.batch():
        runs = [bench.start() for _ in range(3)]
        assert [bench.store.run(run.id).seq for run in runs] == [run.seq for run in runs]

    assert list(bench.store.run_ids()) == [run.id for run in runs]
    assert bench.store.count_runs() == len(runs)


def test_in_a_batch_one_part_that_raises_undoes_itself_alone(bench: Bench) -> None:
    run = bench.start()
    late = bench.step(run, decision("accept"))

    with bench.store.batch():
        before = bench.start()
        run = bench.apply(run, decision("revise", comment="more"))
        with pytest.raises(Moved):
            bench.store.commit(late, lease=bench.lease(late))
        after = bench.start()

    assert set(bench.store.run_ids()) == {run.id, before.id, after.id}
    assert bench.store.run(run.id) == run
    assert list(bench.store.leases()) == []


def test_an_error_of_the_batch_undoes_all_of_it(bench: Bench) -> None:
    run = bench.start()
    before = bench.store.dossier(run.id)
    undone = bench.first(gate_only("undone"))

    with suppress(ZeroDivisionError), bench.store.batch():
        bench.apply(run, decision("accept"))
        bench.store.commit(undone, definition=gate_only("undone"), source="cd" * 32, key=bench.key(undone.after))
        raise ZeroDivisionError

    assert plain(bench.store.dossier(run.id)) == plain(before)
    assert list(bench.store.run_ids()) == [run.id]
    assert list(bench.store.leases()) == []
    assert bench.store.compiled("cd" * 32) is None
    assert bench.store.key(f"start {undone.after.workflow}", "k") is None


def test_what_a_batch_undid_can_be_done_again(bench: Bench) -> None:
    definition = gate_only("again")
    step = bench.first(definition)
    with suppress(ZeroDivisionError), bench.store.batch():
        bench.store.commit(step, definition=definition, source="cd" * 32)
        raise ZeroDivisionError

    bench.store.commit(step, definition=definition, source="cd" * 32)

    assert bench.store.run(step.after.id) == step.after
    assert bench.store.compiled("cd" * 32) == definition.text


# --- what is due, what is ready ---------------------------------------------------------------------------------------


def test_what_is_due_comes_earliest_first_and_from_its_moment_on(bench: Bench) -> None:
    late, early, middle = (bench.start(gate_only("g", timeout=text, default="reject")) for text in ("3h", "1h", "2h"))
    bench.start(gate_only("g"))
    start = bench.clock()

    def due(**after: float) -> list[str]:
        return [run_id for run_id, _ in bench.store.due(start + timedelta(**after), ACTIONS, 10)]

    assert due(hours=1, microseconds=-1) == []
    assert due(hours=1) == [early.id]
    assert due(days=1) == [early.id, middle.id, late.id]
    assert [run_id for run_id, _ in bench.store.due(start + timedelta(days=1), ACTIONS, 2)] == [early.id, middle.id]
    assert bench.store.next_due() == start + timedelta(hours=1)


def test_a_deadline_says_what_is_to_be_done_and_is_asked_for_by_that(bench: Bench) -> None:
    asking = bench.start()
    failing = bench.at_work()
    delayed = bench.apply(failing, _failure(failing))
    napping = bench.at_work()
    napping = bench.apply(napping, finish(napping))
    end = bench.clock() + timedelta(days=9)

    found = {action: bench.store.due(end, (action,), 10) for action in ACTIONS}

    assert [(run_id, item.action, item.request) for run_id, item in found["decide"]] == [
        (asking.id, "decide", next(iter(asking.requests)))
    ]
    assert found["retry"] == [(delayed.id, delayed.deadlines[0])]
    assert found["wake"] == [(napping.id, napping.deadlines[0])]
    assert list(bench.store.due(end, (), 10)) == []
    assert len(bench.store.due(end, ACTIONS, 10)) == 3


def _failure(run: RunRecord) -> Finish:
    assert run.attempt is not None
    return Finish(token=run.attempt.token, outcome=Failure(code="agent_error", message="no"))


def test_what_is_settled_is_no_longer_due(bench: Bench) -> None:
    definition = gate_only("g", timeout="1h", default="reject")
    run = bench.start(definition)
    bench.apply(run, decision("approve"), definition)

    assert list(bench.store.due(bench.clock() + timedelta(days=1), ACTIONS, 10)) == []
    assert bench.store.next_due() is None


def test_an_extension_moves_the_deadline(bench: Bench) -> None:
    definition = gate_only("g", timeout="1h", default="reject")
    run = bench.start(definition)
    request_id = next(iter(run.requests))

    bench.apply(run, Extend(request_id=request_id, duration=parse_duration("1d")), definition)

    later = bench.clock() + timedelta(days=1, hours=1)
    assert bench.store.next_due() == later
    assert bench.store.run(run.id).requests[request_id].due_at == later
    assert bench.store.request(request_id).changes["due_at"] == "2026-01-06T10:00:00.000000Z"


def test_ready_runs_come_oldest_first_in_pages_and_without_those_at_work(bench: Bench) -> None:
    definition = loads(workflow({"work": worker()}))
    idle = [_not_taken_up(bench, definition) for _ in range(5)]
    bench.start(definition)
    bench.start()

    first = bench.store.ready(2)
    second = bench.store.ready(2, first[-1])
    third = bench.store.ready(2, second[-1])

    assert [list(first), list(second), list(third)] == [idle[:2], idle[2:4], idle[4:]]
    assert list(bench.store.ready(2, third[-1])) == []
    taken = bench.apply(bench.store.run(idle[0]), Continue(), definition)
    assert list(bench.store.ready(9)) == idle[1:]
    bench.apply(taken, finish(taken), definition)


def _not_taken_up(bench: Bench, definition: Definition) -> str:
    step = bench.first(definition, is_worker=False)
    bench.store.commit(step, definition=definition)
    return step.after.id


# --- listings ---------------------------------------------------------------------------------------------------------


def _inbox(bench: Bench, **more: Any) -> list[str]:
    terms = {"now": bench.clock(), "workflow": None, "priority": None, "due": None, "limit": 100, "after": None}
    return [row.run.id for row in bench.store.inbox(**{**terms, **more})]


def _fill_inbox(bench: Bench) -> list[str]:
    """Open requests of all priorities, with and without a deadline: the runs in the order of the inbox."""
    wanted = [
        ("urgent", "3d"), ("urgent", "never"), ("high", "1d"), ("high", "2d"),
        ("normal", "1h"), ("normal", "1d"), ("normal", "never"), ("low", "1m"),
    ]  # fmt: skip
    runs = {}
    for index in (3, 0, 7, 5, 1, 6, 2, 4):
        priority, timeout = wanted[index]
        default = {} if timeout == "never" else {"default": "reject"}
        runs[index] = bench.start(gate_only(f"w{index % 2}", priority=priority, timeout=timeout, **default)).id
    return [runs[index] for index in range(len(wanted))]


def test_the_inbox_is_by_priority_and_then_by_due_time(bench: Bench) -> None:
    expected = _fill_inbox(bench)

    assert _inbox(bench) == expected


def test_the_inbox_comes_in_pages_that_leave_nothing_out(bench: Bench) -> None:
    expected = _fill_inbox(bench)
    found, after = [], None

    while rows := bench.store.inbox(now=bench.clock(), workflow=None, priority=None, due=None, limit=3, after=after):
        found += [row.run.id for row in rows]
        after = rows[-1].cursor

    assert found == expected


def test_equal_places_in_the_inbox_are_told_apart(bench: Bench) -> None:
    definition = gate_only("g", timeout="1d", default="reject")
    runs = {bench.start(definition).id for _ in range(7)}
    found, after = [], None

    while rows := bench.store.inbox(now=bench.clock(), workflow=None, priority=None, due=None, limit=2, after=after):
        found += [row.run.id for row in rows]
        after = rows[-1].cursor

    assert len(found) == 7
    assert set(found) == runs


def test_the_inbox_is_filtered(bench: Bench) -> None:
    runs = _fill_inbox(bench)

    assert _inbox(bench, workflow="w1") == runs[1::2]
    assert _inbox(bench, workflow="w9") == []
    assert _inbox(bench, priority="high") == runs[2:4]
    assert _inbox(bench, due=bench.clock() + timedelta(days=1)) == [runs[2], runs[4], runs[5], runs[7]]
    assert _inbox(bench, due=bench.clock() + timedelta(days=1, microseconds=-1)) == [runs[4], runs[7]]


def test_an_overdue_request_is_in_no_inbox(bench: Bench) -> None:
    runs = _fill_inbox(bench)

    assert _inbox(bench, now=bench.clock() + timedelta(minutes=1, microseconds=-1)) == runs
    assert _inbox(bench, now=bench.clock() + timedelta(minutes=1)) == runs[:-1]


def test_a_request_is_overdue_by_the_runs_own_time_too(bench: Bench) -> None:
    definition = gate_only("g", timeout="1h", default="reject")
    run = bench.start(definition)
    start = bench.clock()
    bench.pass_time(hours=2)

    # No command of ours writes to a run before what is due on it is applied; the store does not rely on that.
    draft = Draft(definition, run, Facts(now=bench.clock(), values=Recall(bench.store, run.id)))
    draft.emit("decision.refused", actor="ann", actor_kind="human", decision="approve", code="already_decided")
    bench.store.commit(draft.step())

    assert _inbox(bench, now=start) == []


def test_a_settled_request_leaves_the_inbox_and_a_changed_one_stays(bench: Bench) -> None:
    definition = gate_only("g")
    first, second = bench.start(definition), bench.start(definition)
    bench.apply(first, decision("approve"), definition)
    request_id = next(iter(second.requests))
    bench.apply(second, Claim(request_id=request_id, by="ann", person="ann"), definition)

    (row,) = bench.store.inbox(now=bench.clock(), workflow=None, priority=None, due=None, limit=9, after=None)

    assert (row.request.id, row.run.id) == (request_id, second.id)
    assert row.request.changes["claimed_by"] == "ann"


@pytest.mark.parametrize("cursor", ["", "x", "1", "1,2", "1,2,3,4", "one,2,req_x"])
def test_a_cursor_that_no_page_gave_is_refused(bench: Bench, cursor: str) -> None:
    with pytest.raises(UsageError):
        _inbox(bench, after=cursor)
    if cursor != "1":
        with pytest.raises(UsageError):
            bench.store.runs(now=bench.clock(), statuses=(), workflow=None, limit=1, after=cursor)


def test_runs_come_newest_first_in_pages(bench: Bench) -> None:
    runs = [bench.start().id for _ in range(5)]
    pages, after = [], None

    while rows := bench.store.runs(now=bench.clock(), statuses=(), workflow=None, limit=2, after=after):
        pages.append([row.run.id for row in rows])
        after = rows[-1].cursor

    assert pages == [[runs[4], runs[3]], [runs[2], runs[1]], [runs[0]]]


def test_runs_are_filtered_by_status_and_workflow(bench: Bench) -> None:
    gates = gate_only("gates")
    asking, working = bench.start(), bench.at_work()
    done = bench.apply(bench.start(gates), decision("approve"), gates)
    cancelled = bench.apply(bench.start(gates), Cancel(by=None), gates)

    def found(*statuses: str, workflow: str | None = None) -> list[str]:
        rows = bench.store.runs(now=bench.clock(), statuses=statuses, workflow=workflow, limit=9, after=None)
        return [row.run.id for row in rows]

    assert found() == [cancelled.id, done.id, working.id, asking.id]
    assert found("waiting") == [asking.id]
    assert found("running", "done") == [done.id, working.id]
    assert found("failed") == []
    assert found(workflow="gates") == [cancelled.id, done.id]
    assert found("done", workflow="flow") == []


def test_a_run_that_has_something_due_is_listed_as_running(bench: Bench) -> None:
    definition = gate_only("g", timeout="1h", default="reject")
    run = bench.start(definition)

    def found(status: str, **after: float) -> list[str]:
        now = bench.clock() + timedelta(**after)
        rows = bench.store.runs(now=now, statuses=(status,), workflow=None, limit=9, after=None)
        return [row.run.id for row in rows]

    assert (found("waiting"), found("running")) == ([run.id], [])
    assert (found("waiting", minutes=59), found("running", minutes=59)) == ([run.id], [])
    assert (found("waiting", minutes=60), found("running", minutes=60)) == ([], [run.id])


def test_history_goes_on_from_behind_a_number(bench: Bench) -> None:
    run = bench.apply(bench.start(), decision("revise", comment="more"))

    entries = bench.store.history(run.id)

    assert [entry.seq for entry in entries] == list(range(1, run.seq + 1))
    assert entries[-1].hash == run.head
    for after in (0, 1, run.seq - 1, run.seq, run.seq + 1):
        assert list(bench.store.history(run.id, after)) == list(entries[after:])


def test_a_revisions_entry_is_found_by_its_number(bench: Bench) -> None:
    run = bench.apply(bench.start(), decision("revise", comment="more", artifact="an edit", has_artifact=True))
    numbers = {}

    for revision in (1, 2):
        entry = bench.store.revision_entry(run.id, "report", revision)
        assert entry is not None
        numbers[entry.data["revision"]] = Recall(bench.store, run.id).content(entry.data["sha256"])

    assert numbers == {1: "a text", 2: "an edit"}
    assert bench.store.revision_entry(run.id, "report", 9) is None
    assert bench.store.revision_entry(run.id, "another", 1) is None


def test_requests_come_in_the_order_in_which_they_were_opened(bench: Bench) -> None:
    run = bench.start()
    for _ in range(3):
        run = bench.apply(run, decision("revise", comment="more"))

    rows = bench.store.requests(run.id)

    assert [row.status for row in rows] == ["decided", "decided", "decided", "open"]
    assert [row.opened_seq for row in rows] == sorted(row.opened_seq for row in rows)
    assert [row.settled_seq is None for row in rows] == [False, False, False, True]
    assert [bench.store.request(row.id) for row in rows] == list(rows)
    assert {(row.run_id, row.state, row.kind) for row in rows} == {(run.id, "review", "return")}


def test_ids_are_found_by_their_beginnings(bench: Bench) -> None:
    runs = [bench.start() for _ in range(4)]
    request_id = next(iter(runs[0].requests))

    assert list(bench.store.find("run_", 3)) == [run.id for run in runs[:3]]
    assert list(bench.store.find(runs[2].id, 5)) == [runs[2].id]
    assert list(bench.store.find(request_id[:-1], 5)) == [request_id]
    assert list(bench.store.find("run_x%", 5)) == []


def test_ways_are_counted_with_those_of_the_clock_apart(bench: Bench) -> None:
    runs = [bench.start() for _ in range(3)]
    for run in runs[:2]:
        again = bench.apply(run, decision("revise", comment="more"))
        bench.apply(again, decision("accept"))
    bench.pass_time(days=2)
    bench.apply(runs[2], Expire(request_id=next(iter(runs[2].requests))))

    traffic = bench.store.traffic(DEFINITION.workflow, DEFINITION.version)

    assert [(way.source, way.option, way.to, way.is_default, way.times, way.runs) for way in traffic.ways] == [
        (None, "", "draft", False, 3, 3),
        ("draft", "done", "review", False, 5, 3),
        ("review", "accept", "work", False, 2, 2),
        ("review", "accept", "work", True, 1, 1),
        ("review", "revise", "draft", False, 2, 2),
    ]
    assert (traffic.runs, traffic.others, list(traffic.here)) == (3, 0, [("work", 3)])


def test_a_signal_that_came_and_a_timeout_are_ways_of_their_own(bench: Bench) -> None:
    runs = [bench.at_work() for _ in range(2)]
    first, second = (bench.apply(run, finish(run)) for run in runs)
    bench.apply(first, Send(name="up"))
    bench.pass_time(hours=1)
    bench.apply(second, Wake())

    ways = {(way.source, way.option): way for way in bench.store.traffic("flow", None).ways}

    assert (ways["nap", "received"].times, ways["nap", "timeout"].times) == (1, 1)
    assert not ways["nap", "timeout"].is_default


@pytest.mark.parametrize(
    ("days", "median", "most"),
    [
        pytest.param([1], 1, 1, id="one"),
        pytest.param([1, 3], 1, 3, id="two"),
        pytest.param([5, 1, 3], 3, 5, id="three"),
        pytest.param(range(1, 11), 5, 9, id="ten"),
        pytest.param(range(1, 12), 6, 10, id="eleven"),
    ],
)
def test_stays_have_a_median_and_what_nine_in_ten_kept_to(
    bench: Bench, days: Sequence[int], median: int, most: int
) -> None:
    definition = gate_only("timed")
    runs = [bench.start(definition) for _ in days]
    begin = bench.clock()
    for day, run in sorted(zip(days, runs, strict=True), key=lambda item: item[0]):
        bench.clock.set(begin + timedelta(days=day))
        bench.apply(run, decision("approve"), definition)

    (stay,) = bench.store.traffic("timed", definition.version).stays

    assert (stay.state, stay.times) == ("ask", len(days))
    assert (stay.median, stay.most) == (timedelta(days=median), timedelta(days=most))


def test_runs_of_other_versions_are_counted_apart_and_those_of_other_workflows_not_at_all(bench: Bench) -> None:
    one, two = gate_only("timed"), gate_only("timed", priority="high")
    for definition in (one, one, two, gate_only("another")):
        bench.start(definition)

    of_one, of_all = bench.store.traffic("timed", one.version), bench.store.traffic("timed", None)

    assert (of_one.runs, of_one.others, list(of_one.here)) == (2, 1, [("ask", 2)])
    assert (of_all.runs, of_all.others, list(of_all.here)) == (3, 0, [("ask", 3)])
    assert bench.store.traffic("absent", None).runs == 0


def test_an_ended_run_is_nowhere_and_a_cancelled_one_has_its_way(bench: Bench) -> None:
    definition = gate_only("timed")
    ended, cancelled, waiting = (bench.start(definition) for _ in range(3))
    bench.apply(ended, decision("approve"), definition)
    bench.apply(cancelled, Cancel(by="ann"), definition)

    traffic = bench.store.traffic("timed", None)

    assert list(traffic.here) == [("ask", 1)]
    assert [(way.source, way.times) for way in traffic.ways] == [(None, 3), ("ask", 1)]
    assert bench.store.run(waiting.id).state == "ask"


def test_a_source_leads_to_what_was_compiled_from_it(bench: Bench) -> None:
    run = bench.start(source="ab" * 32)
    bench.start(source="cd" * 32)

    assert bench.store.compiled("ab" * 32) == DEFINITION.text
    assert bench.store.compiled("cd" * 32) == DEFINITION.text
    assert bench.store.compiled("ef" * 32) is None
    assert bench.store.definition(run.definition_id) == DEFINITION.text
    with pytest.raises(StoreError):
        bench.store.definition("00" * 32)


# --- the same for all -------------------------------------------------------------------------------------------------

OPTIONS = ["accept", "revise", "approve", "reject"]
MOVES: dict[str, Callable[[RunRecord, str], Command]] = {
    **{name: lambda run, id, name=name: decision(name, "ann", comment="c") for name in OPTIONS},  # type: ignore[misc]
    "edit": lambda run, id: decision("revise", "ann", comment="c", artifact="an edit", has_artifact=True),
    "finish": lambda run, id: finish(run, {"n": 1}),
    "fail": lambda run, id: _failure(run),
    "crash": lambda run, id: Crash(token=run.attempt.token if run.attempt else 0, reason="gone"),
    "send": lambda run, id: Send(name="up", data={"n": 1}, by="ann"),
    "wake": lambda run, id: Wake(),
    "expire": lambda run, id: Expire(request_id=id),
    "go on": lambda run, id: Continue(),
    "claim": lambda run, id: Claim(request_id=id, by="ann", person="bob"),
    "assign": lambda run, id: Assign(request_id=id, assign=("ann", "eve")),
    "extend": lambda run, id: Extend(request_id=id, duration=parse_duration("1d")),
    "move": lambda run, id: Move(to="ask"),
    "refuse": lambda run, id: Refuse(by="ann", option="accept", code="not_allowed"),
    "retry": lambda run, id: Retry(by=None),
    "cancel": lambda run, id: Cancel(by=None),
}


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["start", "time", *MOVES])), min_size=5, max_size=40))
def test_all_stores_answer_alike(moves: list[tuple[int, str]]) -> None:
    """The store in memory is the reference: after the same steps the other one says the same of everything."""
    ours, theirs = Bench(MemoryStore()), SqliteStore("sqlite:///:memory:")

    for which, name in [(0, "start"), (0, "start"), *moves]:
        run_ids = ours.store.run_ids()
        if name == "start":
            step = ours.first()
        elif name == "time":
            ours.pass_time(hours=7)
            continue
        else:
            run = ours.store.run(run_ids[which % len(run_ids)])
            try:
                step = ours.step(run, MOVES[name](run, next(iter(run.requests), "")))
            except (HoldpointError, AssertionError, StopIteration):  # not here, not now
                continue
        for store in (ours.store, theirs):
            store.commit(step, definition=DEFINITION, lease=ours.lease(step))

    assert _answers(theirs, ours.clock) == _answers(ours.store, ours.clock)
    assert ours.flaws() == []
    theirs.close()


def _answers(store: Store, clock: Clock) -> dict[str, Any]:
    """All that a store says, in plain values."""
    listing: dict[str, Any] = {"workflow": None, "limit": 99, "after": None}
    return {
        "runs": [
            [(row.cursor, row.run.id) for row in store.runs(now=clock(), statuses=statuses, **listing)]
            for statuses in ((), ("running",), ("waiting",), ("done", "failed"))
        ],
        "inbox": [(row.cursor, row.request) for row in store.inbox(now=clock(), priority=None, due=None, **listing)],
        "due": list(store.due(clock() + timedelta(days=9), ACTIONS, 99)),
        "next": store.next_due(),
        "leases": list(store.leases()),
        "ready": list(store.ready(99)),
        "ids": [list(store.find("run_", 99)), list(store.find("req_", 99))],
        "dossiers": [plain(store.dossier(run_id)) for run_id in store.run_ids()],
        "traffic": [
            (traffic.runs, traffic.others, list(traffic.ways), list(traffic.stays), list(traffic.here))
            for version in (None, DEFINITION.version)
            for traffic in [store.traffic(DEFINITION.workflow, version)]
        ],
        "histories": [list(store.history(run_id, 2)) for run_id in store.run_ids()],
    }


# --- many at once -----------------------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(url: str, clock: Clock, tmp_path: Path) -> Iterator[Engine]:
    """An engine on each kind; `verify` is silent at the end."""
    agents = {"agents:work": lambda **given: given}
    with Engine(url, clock=clock, project=tmp_path, agents=agents) as engine:
        yield engine
        assert engine.verify() == ()


def test_eight_who_decide_at_once_have_one_winner(engine: Engine) -> None:
    definition = engine.loads(workflow({"ask": gate()}))
    for _ in range(5):
        run = engine.start(definition)

        found = at_once(
            [
                lambda run=run, name=f"p{number}": engine.decide(run.requests[0].id, "approve", by=name)  # type: ignore[misc]
                for number in range(THREADS)
            ]
        )

        assert sorted(type(item).__name__ for item in found) == ["Conflict"] * (THREADS - 1) + ["Run"]
        (decided,) = [entry for entry in engine.history(run.id) if entry.kind == "request.decided"]
        losers = [item for item in found if isinstance(item, Conflict)]
        assert {item.details["decision"]["by"] for item in losers} == {decided.actor}


def test_eight_who_start_with_one_key_start_one_run(engine: Engine) -> None:
    definition = engine.loads(workflow({"ask": gate()}))

    found = at_once([lambda: engine.start(definition, {"n": 1}, key="k").id] * THREADS)

    assert len(set(found)) == 1
    assert len(engine.runs().items) == 1


def test_eight_passes_at_once_apply_each_deadline_once(engine: Engine, clock: Clock) -> None:
    definition = engine.loads(workflow({"ask": gate(timeout="1h", default="reject")}))
    runs = [engine.start(definition) for _ in range(40)]
    clock.set(clock() + timedelta(hours=1))

    found = at_once([engine.tick] * THREADS)

    counts = [item for item in found if isinstance(item, dict)]
    assert len(counts) == THREADS
    assert sum(item["defaults"] for item in counts) == len(runs)
    assert {engine.get_run(run.id).state for run in runs} == {"refused"}


def test_eight_passes_at_once_run_each_agent_once(engine: Engine) -> None:
    definition = engine.loads(workflow({"work": worker()}))
    runs = [engine.start(definition, advance=False) for _ in range(24)]

    found = at_once([engine.tick] * THREADS)

    assert [item for item in found if isinstance(item, Exception)] == []
    assert {engine.get_run(run.id).status for run in runs} == {"done"}
    for run in runs:
        assert [entry.kind for entry in engine.history(run.id)].count("agent.started") == 1


def test_readers_see_whole_steps_while_others_write(engine: Engine) -> None:
    definition = engine.loads(workflow({"draft": value("t", "ask", artifact="report"), "ask": gate()}))
    run = engine.start(definition)
    is_over = threading.Event()
    seen: set[tuple[str, str | None, int]] = set()

    def read() -> None:
        while not is_over.is_set():
            view = engine.get_run(run.id)
            seen.add((view.status, view.state, len(view.requests)))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(20):
        engine.move(run.id, "draft")
    engine.decide(run.id, "approve", by="ann")
    is_over.set()
    for reader in readers:
        reader.join()

    assert seen <= {("waiting", "ask", 1), ("done", "accepted", 0)}


def test_a_closed_engine_is_of_no_use(url: str, tmp_path: Path) -> None:
    engine = Engine(url, project=tmp_path)
    run = engine.start(engine.loads(workflow({"ask": gate()})))
    engine.close()

    for found in at_once([lambda: engine.get_run(run.id)] * 2):
        assert isinstance(found, HoldpointError)
    with pytest.raises(HoldpointError):
        engine.get_run(run.id)
