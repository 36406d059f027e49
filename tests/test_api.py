"""Spec 7, sentence by sentence: the names, values, errors, pages and threads of the public engine."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

import holdpoint
from holdpoint import api
from holdpoint.testing import Clock
from tests.building import World, drafted, gate, hash_of, utc, value, worker, workflow

RUN_KEYS = [
    *("id", "workflow", "definition", "status", "state", "outcome", "input", "results", "output", "artifacts"),
    *("requests", "initiator", "visits", "parent", "error", "started_at", "updated_at", "ended_at"),
]
REQUEST_KEYS = [
    *("id", "run", "workflow", "state", "kind", "message", "options", "form", "show", "assign", "exclude"),
    *("claimed_by", "priority", "status", "votes", "opened_at", "due_at", "default", "decision"),
]
TREE = ["DefinitionError", "NotFound", "Conflict", "NotAllowed", "Invalid", "StoreError"]
COUNTS = {
    *("defaults", "reminders", "escalations", "retries", "woken", "recovered", "advanced", "notified", "failed"),
    "errors",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An engine on a temporary file. Whatever a test does, `verify` is silent at its end."""
    with World(tmp_path) as world:
        yield world


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Engine", "HoldpointError", "RunFailed", "Context", "Run", "Request", *TREE])
def test_the_package_has(name: str) -> None:
    assert name in holdpoint.__all__
    assert getattr(holdpoint, name).__name__ == name


def test_a_name_that_the_package_has_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Motor"):
        holdpoint.Motor  # noqa: B018


@pytest.mark.parametrize(
    "name",
    [
        *("load", "loads", "check", "start", "decide", "signal", "advance", "tick", "get_run", "get_request", "runs"),
        *("inbox", "history", "artifact", "why", "verify", "retry", "cancel", "close"),
    ],
)
def test_an_engine_can(name: str) -> None:
    assert callable(getattr(holdpoint.Engine, name))


def test_importing_the_package_loads_no_heavy_part() -> None:
    program = "import sys, holdpoint; print({'peewee', 'jsonschema', 'ruamel', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


def test_nothing_runs_in_the_background(world: World) -> None:
    before = threading.active_count()

    world.start({"ask": gate(timeout="1d", default="reject")})

    assert threading.active_count() == before


# --- values -----------------------------------------------------------------------------------------------------------


def test_a_run_as_json_has_the_keys_of_the_specification_in_its_order(world: World) -> None:
    run = world.start(drafted())

    assert [key for key in run.to_dict() if key in RUN_KEYS] == RUN_KEYS
    assert set(RUN_KEYS) <= set(run.to_dict())


def test_a_run_as_json_is_json_with_times_in_utc(world: World) -> None:
    world.clock.set(datetime(2026, 1, 5, 10, 0, tzinfo=timezone(timedelta(hours=1))))

    given = world.start(drafted(), {"n": 1}).to_dict()

    hash_of(given)  # raises for what is no JSON
    assert datetime.fromisoformat(given["started_at"]) == utc("2026-01-05T09:00")
    assert given["started_at"].endswith("Z")
    assert (given["parent"], given["error"], given["ended_at"], given["outcome"]) == (None, None, None, None)


def test_a_run_that_was_decided_says_whether_it_was_replayed(world: World) -> None:
    run = world.start({"ask": gate()})

    assert "replayed" not in run.to_dict()
    assert world.decide(run, "approve").to_dict()["replayed"] is False
    assert world.decide(run, "approve").to_dict()["replayed"] is True


@pytest.mark.parametrize("read", ["run", "inbox", "alone"])
def test_a_request_as_json_has_the_keys_of_the_specification_in_its_order(world: World, read: str) -> None:
    run = world.start(drafted())
    request = {
        "run": lambda: run.requests[0],
        "inbox": lambda: world.engine.inbox().items[0],
        "alone": lambda: world.engine.get_request(run.requests[0].id),
    }[read]()

    assert [key for key in request.to_dict() if key in REQUEST_KEYS] == REQUEST_KEYS
    hash_of(request.to_dict())


def test_the_contents_of_artifacts_are_in_a_request_that_is_read_alone(world: World) -> None:
    run = world.start(drafted("text"))

    assert "content" not in run.requests[0].show[0]
    assert "content" not in world.engine.inbox().items[0].show[0]
    assert world.request(run).show[0]["content"] == "text"


def test_a_decision_has_the_keys_of_the_specification(world: World) -> None:
    run = world.start({"ask": gate()})
    world.decide(run, "approve", by="dora", comment="ok")

    assert world.engine.get_request(run.requests[0].id).to_dict()["decision"] == {
        "decision": "approve",
        "by": "dora",
        "by_kind": "human",
        "comment": "ok",
        "answers": None,
        "at": "2026-01-05T09:00:00.000000Z",
        "artifacts": {},
        "votes": [],
    }


def test_times_are_aware_datetimes(world: World) -> None:
    run = world.start({"ask": gate(timeout="1d", default="reject")})

    times = [run.started_at, run.updated_at, run.requests[0].opened_at, run.requests[0].due_at]
    assert all(time is not None and time.utcoffset() == timedelta(0) for time in times)


def test_runs_and_requests_are_frozen(world: World) -> None:
    run = world.start({"ask": gate()})

    for frozen, name in ((run, "status"), (run.requests[0], "status")):
        with pytest.raises(FrozenInstanceError):
            setattr(frozen, name, "done")


def test_what_a_caller_does_to_a_value_changes_no_run(world: World) -> None:
    given = {"list": [1]}
    run = world.start({"ask": gate()}, given)

    given["list"].append(2)
    run.input["list"].append(3)
    world.engine.get_run(run.id).input["list"].append(4)

    assert world.engine.get_run(run.id).input == {"list": [1]}


def test_what_an_agent_does_to_its_arguments_changes_no_run(world: World) -> None:
    def greedy(items: list[int]) -> list[int]:
        items.append(9)
        return items

    world.agent = greedy
    run = world.start({"work": worker("ask", **{"with": {"items": "{{ input.l }}"}}), "ask": gate()}, {"l": [1]})

    assert (run.input, run.results["work"]) == ({"l": [1]}, [1, 9])
    assert world.engine.get_run(run.id).input == {"l": [1]}


def test_a_definition_can_start_any_number_of_runs(world: World) -> None:
    definition = world.load({"ask": gate()})

    ids = {world.engine.start(definition).id for _ in range(5)}

    assert len(ids) == 5


# --- load and check ---------------------------------------------------------------------------------------------------


def test_load_reads_a_file_and_loads_a_text(world: World) -> None:
    path = world.folder / "flow.yaml"
    path.write_text(workflow({"ask": gate()}))

    loaded = [world.engine.load(path), world.engine.load(str(path)), world.engine.loads(path.read_text())]

    assert len({definition.version for definition in loaded}) == 1


def test_a_file_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(holdpoint.NotFound, match=r"nope\.yaml"):
        world.engine.load(world.folder / "nope.yaml")
    with pytest.raises(holdpoint.NotFound, match=r"nope\.yaml"):
        world.engine.check(world.folder / "nope.yaml")


def test_a_definition_error_carries_its_findings(world: World) -> None:
    with pytest.raises(holdpoint.DefinitionError) as caught:
        world.engine.loads("workflow: flow\nstates:\n  ask: {type: aproval}\n")

    (finding, *_) = caught.value.findings
    assert (finding.line, finding.severity) == (3, "error")
    assert caught.value.details["findings"][0]["line"] == 3


def test_check_finds_and_does_not_raise(world: World) -> None:
    path = world.folder / "flow.yaml"
    path.write_text("workflow: flow\nstates:\n  ask: {type: aproval}\n")

    (finding, *_) = world.engine.check(str(path))

    assert set(finding.to_dict()) == {"file", "line", "column", "severity", "code", "message", "fix"}
    assert (finding.file, finding.line) == (str(path), 3)


def test_a_warning_keeps_nobody_from_starting(world: World) -> None:
    path = world.folder / "flow.yaml"
    path.write_text(workflow({"ask": {**gate(), "timeout": "never"}, "lonely": gate()}))

    assert {finding.severity for finding in world.engine.check(path)} == {"warning"}
    assert world.engine.start(world.engine.load(path)).status == "waiting"


# --- start, decide, advance, tick -------------------------------------------------------------------------------------


def test_start_advances_until_the_run_waits_or_ends(world: World) -> None:
    assert world.start({"work": worker("ask"), "ask": gate()}).state == "ask"
    assert world.start({"work": worker()}).status == "done"


def test_start_without_advance_leaves_the_agent_to_others(world: World) -> None:
    run = world.engine.start(world.load({"work": worker()}), advance=False)
    assert (run.status, run.state, world.calls) == ("running", "work", [])

    run = world.engine.advance(run.id)

    assert (run.status, len(world.calls)) == ("done", 1)


def test_decide_without_advance_leaves_the_agent_to_others(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "work"}), "work": worker()})

    run = world.decide(run, "approve", advance=False)

    assert (run.status, run.state, world.calls) == ("running", "work", [])
    assert world.engine.tick()["advanced"] == 1
    assert world.engine.get_run(run.id).status == "done"


def test_retry_without_advance_leaves_the_agent_to_others(world: World) -> None:
    world.agent = lambda: 1 / 0
    run = world.start({"work": worker()})

    run = world.engine.retry(run.id, advance=False)

    assert (run.status, run.state, run.error, len(world.calls)) == ("running", "work", None, 1)


def test_advance_leaves_a_waiting_and_an_ended_run_as_they_are(world: World) -> None:
    run = world.start({"ask": gate()})
    assert world.engine.advance(run.id) == run

    ended = world.decide(run, "approve")

    assert world.engine.advance(run.id) == world.engine.get_run(ended.id)


def test_tick_counts_what_it_does(world: World) -> None:
    world.start({"ask": gate(timeout="1d", default="reject")})
    world.engine.start(world.load({"work": worker()}), advance=False)
    world.clock.set(utc("2026-01-06T09:00"))

    counts = world.engine.tick()

    assert set(counts) == COUNTS
    assert {name: count for name, count in counts.items() if count} == {"defaults": 1, "advanced": 1}


def test_tick_counts_failed_runs(world: World) -> None:
    world.agent = lambda: 1 / 0
    world.engine.start(world.load({"work": worker()}), advance=False)

    counts = world.engine.tick()

    assert (counts["advanced"], counts["failed"], counts["errors"]) == (1, 1, 0)


def test_tick_takes_at_most_its_limit(world: World) -> None:
    for _ in range(3):
        world.start({"ask": gate(timeout="1d", default="reject")})
    world.clock.set(utc("2026-01-06T09:00"))

    assert [world.engine.tick(limit=2)["defaults"] for _ in range(3)] == [2, 1, 0]


def test_a_tick_with_nothing_to_do_counts_nothing(world: World) -> None:
    world.start({"ask": gate(timeout="1d", default="reject")})

    assert set(world.engine.tick().values()) == {0}


def test_a_tick_goes_on_by_what_follows_a_default(world: World) -> None:
    on = {"approve": "accepted", "reject": "work"}
    run = world.start({"ask": gate(on=on, timeout="1d", default="reject"), "work": worker("refused")})
    world.clock.set(utc("2026-01-06T09:00"))

    counts = world.engine.tick()

    assert (counts["defaults"], counts["advanced"]) == (1, 1)
    assert world.engine.get_run(run.id).state == "refused"


def test_start_returns_a_failed_run_and_raise_for_failure_raises(world: World) -> None:
    world.agent = lambda: 1 / 0
    run = world.start({"work": worker()})

    with pytest.raises(holdpoint.RunFailed) as caught:
        run.raise_for_failure()

    assert run.status == "failed"
    assert isinstance(caught.value, holdpoint.HoldpointError)
    assert caught.value.details["state"] == "work"


def test_raise_for_failure_is_silent_on_any_other_run(world: World) -> None:
    run = world.start({"ask": gate()})

    run.raise_for_failure()
    world.decide(run, "reject").raise_for_failure()


def test_decide_returns_a_failed_run(world: World) -> None:
    world.agent = lambda: 1 / 0
    run = world.start({"ask": gate(on={"approve": "work"}), "work": worker()})

    run = world.decide(run, "approve")

    assert (run.status, run.replayed, run.results["ask"]["decision"]) == ("failed", False, "approve")


def test_agents_may_be_named_by_workflow_and_state(tmp_path: Path) -> None:
    with World(tmp_path, agents={"flow/pay": lambda n: {"paid": n}, "flow/work": lambda: "mine"}) as world:
        pay = {"type": "agent", "command": ["no-such-program"], "with": {"n": 4}, "next": "accepted"}

        run = world.start({"work": worker("pay"), "pay": pay})

    assert run.results == {"work": "mine", "pay": {"paid": 4}}


def test_people_come_from_flow_toml_unless_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "flow.toml").write_text('[people.zoe]\nroles = ["legal"]\n')
    with World(tmp_path, people=None) as world:
        run = world.start({"ask": gate(assign=["role:legal"])})

        assert world.decide(run, "approve", by="zoe").state == "accepted"


def test_a_clock_must_give_aware_times(tmp_path: Path) -> None:
    with (
        holdpoint.Engine("sqlite:///flow.db", project=tmp_path, clock=lambda: datetime(2026, 1, 5)) as engine,  # noqa: DTZ001
        pytest.raises((holdpoint.HoldpointError, ValueError, TypeError)),
    ):
        engine.start(engine.loads(workflow({"ask": gate()})))


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_unique_beginning_of_an_id_will_do(world: World) -> None:
    run = world.start({"ask": gate()})
    request = run.requests[0].id

    assert world.engine.get_run(run.id[:12]).id == run.id
    assert world.engine.get_request(request[:12]).id == request
    assert world.engine.decide(request[:12], "approve", by="ann").id == run.id
    assert world.engine.history(run.id[:12]) == world.engine.history(run.id)


def test_an_ambiguous_beginning_is_wrong_usage_that_lists_the_ids(world: World) -> None:
    runs = [world.start({"ask": gate()}) for _ in range(2)]

    with pytest.raises(holdpoint.UsageError) as caught:
        world.engine.get_run("run_")
    with pytest.raises(holdpoint.UsageError):
        world.engine.decide("req_", "approve", by="ann")

    assert all(run.id in str(caught.value) for run in runs)


@pytest.mark.parametrize("text", ["", "run", "nope", "run_%", "run_?", "run__", "run_*", "%", "_", "run_'", "RUN_"])
def test_what_begins_no_id_is_not_found(world: World, text: str) -> None:
    world.start({"ask": gate()})

    with pytest.raises(holdpoint.NotFound):
        world.engine.get_run(text)
    with pytest.raises(holdpoint.NotFound):
        world.engine.decide(text, "approve", by="ann")


def test_ids_begin_with_what_they_name(world: World) -> None:
    run = world.start({"ask": gate()})

    assert run.id.startswith("run_")
    assert run.requests[0].id.startswith("req_")


@pytest.mark.parametrize("method", ["get_run", "history", "why", "advance", "retry", "cancel", "verify"])
def test_a_run_that_is_not_there_is_not_found(world: World, method: str) -> None:
    with pytest.raises(holdpoint.NotFound) as caught:
        getattr(world.engine, method)("run_0000000000000000")

    assert "run_0000000000000000" in str(caught.value)


def test_an_artifact_or_revision_that_is_not_there_is_not_found(world: World) -> None:
    run = world.start(drafted())

    for name, revision in (("nope", None), ("report", 2), ("report", 0), ("report", -1)):
        with pytest.raises(holdpoint.NotFound):
            world.engine.artifact(run.id, name, revision=revision)


def test_artifact_is_the_latest_revision_unless_one_is_named(world: World) -> None:
    run = world.decide(world.start(drafted("a")), "accept", artifact="b")

    latest = world.engine.artifact(run.id, "report")
    first = world.engine.artifact(run.id, "report", revision=1)

    assert (latest.revision, latest.content, latest.author, latest.parent) == (2, "b", "ann", 1)
    assert (first.revision, first.content, first.author, first.parent) == (1, "a", "draft", None)


def test_why_says_who_may_act_and_what_happens_when(world: World) -> None:
    run = world.start({"ask": gate(assign=["role:legal"], timeout="1d", default="reject")})

    text = world.engine.why(run.id)

    assert all(word in text for word in (run.id, "ask", "role:legal", "approve", "reject", "2026-01-06"))


def test_why_says_what_failed_and_what_ended(world: World) -> None:
    world.agent = lambda: 1 / 0
    failed = world.start({"work": worker()})
    ended = world.start({"begin": value(1)})

    assert "division by zero" in world.engine.why(failed.id)
    assert "ended" in world.engine.why(ended.id)


def test_verify_of_some_runs_and_of_all_returns_no_findings(world: World) -> None:
    run = world.start(drafted())

    assert list(world.engine.verify()) == list(world.engine.verify(run.id)) == []


# --- pages ------------------------------------------------------------------------------------------------------------


def pages(read: Any, **filters: Any) -> list[list[str]]:
    """The ids on each page, read to the end."""
    found: list[list[str]] = []
    after = None
    while True:
        page = read(after=after, **filters)
        found.append([item.id for item in page.items])
        after = page.next
        if after is None:
            return found


def test_runs_come_newest_first_a_page_at_a_time(world: World) -> None:
    started = []
    for _ in range(5):
        started.append(world.start({"ask": gate()}).id)
        world.pass_time("1s")

    newest = started[::-1]
    assert pages(world.engine.runs, limit=2) == [newest[:2], newest[2:4], newest[4:]]
    assert pages(world.engine.runs, limit=5) == [newest]


def test_runs_started_at_the_same_moment_are_each_on_one_page(world: World) -> None:
    started = {world.start({"ask": gate()}).id for _ in range(7)}

    found = [item for page in pages(world.engine.runs, limit=3) for item in page]

    assert (len(found), set(found)) == (7, started)


def test_a_run_that_starts_meanwhile_does_not_move_the_pages(world: World) -> None:
    started = [world.start({"ask": gate()}).id for _ in range(4)]
    first = world.engine.runs(limit=2)
    world.start({"ask": gate()})

    second = world.engine.runs(limit=2, after=first.next)

    assert sorted(item.id for item in (*first.items, *second.items)) == sorted(started)


def test_no_runs_are_an_empty_page(world: World) -> None:
    page = world.engine.runs()

    assert (list(page.items), page.next) == ([], None)


def test_a_run_in_a_listing_has_no_input_results_artifacts_and_requests(world: World) -> None:
    world.start(drafted())

    (summary,) = world.engine.runs().items

    left_out = {"input", "results", "artifacts", "requests"}
    assert [key for key in summary.to_dict() if key in RUN_KEYS] == [key for key in RUN_KEYS if key not in left_out]
    assert left_out.isdisjoint(summary.to_dict())


def test_runs_are_filtered_by_status_and_workflow(world: World) -> None:
    waiting = world.start({"ask": gate()}).id
    done = world.start({"begin": value(1)}, workflow="other").id
    cancelled = world.engine.cancel(world.start({"ask": gate()}).id).id
    running = world.engine.start(world.load({"work": worker()}), advance=False).id
    world.agent = lambda: 1 / 0
    failed = world.start({"work": worker()}).id

    def found(**filters: Any) -> set[str]:
        return {item.id for item in world.engine.runs(**filters).items}

    by_status = {"waiting": waiting, "done": done, "cancelled": cancelled, "running": running, "failed": failed}
    assert {status: found(status=status) for status in by_status} == {
        status: {run} for status, run in by_status.items()
    }
    assert found(status=["done", "failed"]) == {done, failed}
    assert found(workflow="other") == {done}
    assert found(workflow="other", status="waiting") == set()
    assert found() == set(by_status.values())


@pytest.mark.parametrize(
    "wrong",
    [{"status": "open"}, {"limit": 0}, {"limit": -1}, {"after": "nonsense"}, {"after": "' OR 1=1"}],
    ids=repr,
)
def test_a_listing_of_runs_that_cannot_be_meant_is_refused(world: World, wrong: Any) -> None:
    with pytest.raises(holdpoint.HoldpointError):
        world.engine.runs(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [{"priority": "hgih"}, {"limit": 0}, {"due": "soon"}, {"due": "0s"}, {"after": "nonsense"}],
    ids=repr,
)
def test_an_inbox_that_cannot_be_meant_is_refused(world: World, wrong: Any) -> None:
    with pytest.raises(holdpoint.HoldpointError):
        world.engine.inbox(**wrong)


def an_inbox(world: World) -> dict[str, str]:
    """Open requests of every priority, some with a deadline: the ids by name."""
    kinds: dict[str, dict[str, Any]] = {
        "low": {"priority": "low", "timeout": "1h", "default": "reject"},
        "plain": {},
        "plain-2d": {"timeout": "2d", "default": "reject"},
        "plain-1d": {"timeout": "1d", "default": "reject", "assign": ["role:legal"]},
        "high": {"priority": "high", "assign": ["ann"]},
        "urgent-3d": {"priority": "urgent", "timeout": "3d", "default": "reject"},
        "urgent": {"priority": "urgent", "assign": {"approve": ["role:director"], "reject": ["ann"]}},
    }
    return {
        name: world.start({"ask": gate(**keys)}, workflow="low" if name == "low" else "flow").requests[0].id
        for name, keys in kinds.items()
    }


URGENT_FIRST = ["urgent-3d", "urgent", "high", "plain-1d", "plain-2d", "plain", "low"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_the_inbox_has_the_most_urgent_first_by_priority_and_then_by_due_time(world: World, limit: int) -> None:
    ids = an_inbox(world)

    found = [item for page in pages(world.engine.inbox, limit=limit) for item in page]

    assert found == [ids[name] for name in URGENT_FIRST]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"priority": "urgent"}, ["urgent-3d", "urgent"]),
        ({"priority": "normal"}, ["plain-1d", "plain-2d", "plain"]),
        ({"workflow": "low"}, ["low"]),
        ({"workflow": "nope"}, []),
        ({"due": "1d"}, ["plain-1d", "low"]),
        ({"due": "1h"}, ["low"]),
        ({"due": "59m"}, []),
        ({"mine": "dora"}, ["urgent-3d", "plain-1d", "plain-2d", "plain", "low"]),
        ({"mine": "ann"}, ["urgent-3d", "urgent", "high", "plain-2d", "plain", "low"]),
        ({"mine": "eli"}, ["urgent-3d", "urgent", "plain-2d", "plain", "low"]),
        ({"mine": "dora", "priority": "normal", "due": "1d"}, ["plain-1d"]),
    ],
    ids=repr,
)
def test_the_inbox_is_filtered(world: World, filters: Any, names: list[str]) -> None:
    ids = an_inbox(world)

    for limit in (1, 50):
        found = [item for page in pages(world.engine.inbox, limit=limit, **filters) for item in page]
        assert found == [ids[name] for name in names]


def test_a_decided_request_is_in_no_inbox(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "more"}), "more": gate()})

    run = world.decide(run, "approve")

    assert [request.id for request in world.engine.inbox().items] == [run.requests[0].id]


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TREE)
def test_errors_are_one_tree(name: str) -> None:
    assert issubclass(getattr(holdpoint, name), holdpoint.HoldpointError)


def test_an_error_has_a_code_and_details_that_are_json(world: World) -> None:
    run = world.decide(world.start({"ask": gate()}), "approve")

    with pytest.raises(holdpoint.HoldpointError) as caught:
        world.decide(run, "reject")

    error = caught.value
    assert error.to_dict() == {"code": error.code, "message": str(error), "details": error.details}
    hash_of(error.to_dict())


@pytest.mark.parametrize("url", ["nonsense", "mysql://x", "sqlite://", "sqlite:///", "sqlite:///x.db?nonsense=1"])
def test_a_url_that_names_no_database_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(holdpoint.HoldpointError):
        holdpoint.Engine(url, project=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    path.write_bytes(b"this is no database, it is a letter\n" * 100)

    with pytest.raises(holdpoint.StoreError), holdpoint.Engine("sqlite:///flow.db", project=tmp_path) as engine:
        engine.runs()

    assert path.read_bytes() == b"this is no database, it is a letter\n" * 100


# --- engines, threads, memory -----------------------------------------------------------------------------------------


def test_an_engine_is_a_context_manager(tmp_path: Path) -> None:
    with holdpoint.Engine("sqlite:///flow.db", project=tmp_path) as engine:
        run = engine.start(engine.loads(workflow({"ask": gate()})))

    with holdpoint.Engine("sqlite:///flow.db", project=tmp_path) as engine:
        assert engine.get_run(run.id).status == "waiting"


def test_a_closed_engine_is_closed(tmp_path: Path) -> None:
    engine = holdpoint.Engine("sqlite:///flow.db", project=tmp_path)
    engine.close()
    engine.close()

    with pytest.raises(holdpoint.HoldpointError):
        engine.runs()


def test_the_database_is_in_the_projects_folder_by_default(tmp_path: Path) -> None:
    with holdpoint.Engine(project=tmp_path) as engine:
        engine.start(engine.loads(workflow({"ask": gate()})))

    assert (tmp_path / "flow.db").is_file()


def test_flow_toml_names_the_database(tmp_path: Path) -> None:
    (tmp_path / "flow.toml").write_text('database = "sqlite:///other.db"\n')
    with holdpoint.Engine(project=str(tmp_path)) as engine:
        engine.start(engine.loads(workflow({"ask": gate()})))

    assert (tmp_path / "other.db").is_file()
    assert not (tmp_path / "flow.db").exists()


@pytest.mark.parametrize("url", ["sqlite:///flow.db", "sqlite:///flow.db?synchronous=normal", "sqlite:///:memory:"])
def test_every_url_of_the_specification_works(tmp_path: Path, url: str) -> None:
    with holdpoint.Engine(url, project=tmp_path) as engine:
        run = engine.start(engine.loads(workflow({"ask": gate()})))

        assert engine.decide(run.id, "approve", by="ann").status == "done"
        assert list(engine.verify()) == []
    assert (tmp_path / "flow.db").exists() is ("memory" not in url)


def test_two_engines_in_memory_share_nothing() -> None:
    with holdpoint.Engine("sqlite:///:memory:") as one, holdpoint.Engine("sqlite:///:memory:") as other:
        one.start(one.loads(workflow({"ask": gate()})))

        assert (len(one.runs().items), len(other.runs().items)) == (1, 0)


def test_two_engines_on_one_file_see_the_same(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "more"}), "more": gate()})

    with world.another() as other:
        other.decide(run.id, "approve", by="ann")
        assert world.engine.get_run(run.id) == other.get_run(run.id)
        assert world.engine.get_run(run.id).state == "more"
        with pytest.raises(holdpoint.Conflict):
            world.engine.decide(run.requests[0].id, "reject", by="eli")


def race(count: int, act: Any) -> list[Any]:
    """What *count* threads that begin together get from `act(number)`: a value, or the error."""
    barrier = threading.Barrier(count)

    def one(number: int) -> Any:
        barrier.wait()
        try:
            return act(number)
        except holdpoint.HoldpointError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.parametrize("url", ["sqlite:///flow.db?synchronous=normal", "sqlite:///:memory:"])
def test_of_many_threads_that_decide_one_wins_and_the_others_hear_who(tmp_path: Path, url: str) -> None:
    with holdpoint.Engine(url, project=tmp_path, clock=Clock()) as engine:
        definition = engine.loads(workflow({"ask": gate()}))
        for _ in range(10):
            request = engine.start(definition).requests[0].id

            answers = race(4, lambda number, request=request: engine.decide(request, "approve", by=f"person {number}"))

            (winner,) = [answer for answer in answers if isinstance(answer, holdpoint.Run)]
            losers = [answer for answer in answers if isinstance(answer, holdpoint.Conflict)]
            assert len(losers) == 3
            assert {error.details["decision"]["by"] for error in losers} == {winner.results["ask"]["by"]}
        assert list(engine.verify()) == []


def test_of_threads_that_decide_a_run_at_once_none_settles_a_request_that_it_has_not_seen(world: World) -> None:
    chain = {f"gate_{n}": gate(on={"approve": f"gate_{n + 1}"}) for n in range(8)}
    definition = world.load({**chain, "gate_8": gate()})
    for _ in range(10):
        run = world.engine.start(definition)

        answers = race(4, lambda number, run=run: world.engine.decide(run.id, "approve", by=f"p{number}", at="gate_0"))

        assert sum(isinstance(answer, holdpoint.Run) for answer in answers) == 1
        assert world.engine.get_run(run.id).state == "gate_1"


def test_the_same_decision_from_many_threads_is_one_decision(world: World) -> None:
    run = world.start({"ask": gate()})

    answers = race(4, lambda number: world.engine.decide(run.requests[0].id, "approve", by="ann"))

    assert sorted(answer.replayed for answer in answers) == [False, True, True, True]


def test_a_key_started_from_many_threads_starts_one_run(world: World) -> None:
    definition = world.load({"ask": gate()})

    answers = race(4, lambda number: world.engine.start(definition, {"n": 1}, key="k"))

    assert len({answer.id for answer in answers}) == len(world.engine.runs().items) == 1


def test_two_ticks_at_once_apply_each_default_once(world: World) -> None:
    definition = world.load({"ask": gate(timeout="1d", default="reject")})
    runs = [world.engine.start(definition) for _ in range(20)]
    world.clock.set(utc("2026-01-06T09:00"))

    with world.another() as other:
        counts = race(2, lambda number: (world.engine, other)[number].tick())

    assert sum(count["defaults"] for count in counts) == 20
    assert {world.kinds(run).count("request.expired") for run in runs} == {1}


def test_two_ticks_at_once_run_an_agent_once(world: World) -> None:
    definition = world.load({"work": worker()})
    for _ in range(10):
        world.engine.start(definition, advance=False)

    with world.another() as other:
        counts = race(2, lambda number: (world.engine, other)[number].tick())

    assert sum(count["advanced"] for count in counts) == len(world.calls) == 10


def test_memory_is_one_database_for_all_threads() -> None:
    with holdpoint.Engine("sqlite:///:memory:") as engine:
        definition = engine.loads(workflow({"ask": gate()}))

        race(4, lambda number: [engine.start(definition) for _ in range(5)])

        assert len(engine.runs().items) == 20


# --- holdpoint.testing.Clock ------------------------------------------------------------------------------------------


def test_a_clock_stands_still_until_it_is_moved() -> None:
    clock = Clock(datetime(2026, 3, 1, tzinfo=UTC))

    assert clock() == clock() == datetime(2026, 3, 1, tzinfo=UTC)
    clock.set(datetime(2026, 2, 1, tzinfo=UTC))
    assert clock() == datetime(2026, 2, 1, tzinfo=UTC)


def test_advancing_the_clock_stops_at_every_due_time_on_the_way(world: World) -> None:
    gates = {f"gate_{n}": gate(on={"on": f"gate_{n + 1}"}, timeout="1d", default="on") for n in range(3)}
    run = world.start({**gates, "gate_3": gate()})

    counts = world.clock.advance(world.engine, "5d")

    assert counts["defaults"] == 3
    opened = [entry["at"][:10] for entry in world.entries(run, "request.opened")]
    assert opened == ["2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08"]
    assert world.clock() == utc("2026-01-10T09:00")


def test_advancing_the_clock_to_just_before_a_due_time_applies_nothing(world: World) -> None:
    run = world.start({"ask": gate(timeout="1d", default="reject")})

    assert world.clock.advance(world.engine, "23h59m59s")["defaults"] == 0
    assert world.engine.get_run(run.id).status == "waiting"
    assert world.clock.advance(world.engine, "1s")["defaults"] == 1


def test_advancing_the_clock_past_what_is_overdue_applies_it(world: World) -> None:
    run = world.start({"ask": gate(timeout="1d", default="reject")})
    world.clock.set(utc("2026-02-01T09:00"))

    world.clock.advance(world.engine, "1h")

    assert world.engine.get_run(run.id).status == "done"


def test_advancing_the_clock_runs_agents_that_follow(world: World) -> None:
    on = {"approve": "accepted", "reject": "work"}
    run = world.start({"ask": gate(on=on, timeout="1d", default="reject"), "work": worker("more"), "more": gate()})

    world.clock.advance(world.engine, "1d")

    assert (world.engine.get_run(run.id).state, len(world.calls)) == ("more", 1)


def test_a_request_is_not_assigned_past_those_whom_it_asks(world: World) -> None:
    run = world.start({"ask": gate(assign=["role:legal"])})

    with pytest.raises(holdpoint.NotAllowed):
        world.engine.assign(run.requests[0].id, ["eve"], by="mallory")

    assert world.request(run).assign == ["role:legal"]


def test_what_python_compiles_of_our_code_does_not_have_every_file_checked_again(tmp_path: Path) -> None:
    source, compiled = tmp_path / "check.py", tmp_path / "__pycache__" / "check.cpython-311.pyc"
    source.write_text("CODE = 1\n")
    mark = api._mark(tmp_path)

    compiled.parent.mkdir()
    compiled.write_bytes(b"compiled")
    assert api._mark(tmp_path) == mark

    source.write_text("CODE = 10\n")
    assert api._mark(tmp_path) != mark
