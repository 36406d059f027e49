"""Deadlines and time (spec 3.3, 3.9)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from holdpoint import Conflict, NotAllowed
from tests.building import DUE, World, drafted, gate, hash_of, review, utc, value, worker

# --- 3.3 deadlines ----------------------------------------------------------------------------------------------------


TICK = timedelta(microseconds=1)


def a_gate_of_one_day(world: World, **keys: Any) -> Any:
    return world.start({"ask": gate(timeout="1d", default="reject", **keys)})


def test_a_decision_before_the_due_time_wins(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE - TICK)

    assert world.decide(run, "approve").state == "accepted"


@pytest.mark.parametrize("late", [timedelta(0), TICK, timedelta(days=400)], ids=str)
def test_a_decision_at_or_after_the_due_time_comes_second(world: World, late: timedelta) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE + late)

    with pytest.raises(Conflict) as caught:
        world.engine.decide(run.requests[0].id, "approve", by="ann")

    decision = caught.value.details["decision"]
    assert (decision["decision"], decision["by"], decision["by_kind"]) == ("reject", None, "timer")
    assert decision["at"] == "2026-01-06T09:00:00.000000Z"
    assert world.kinds(run)[-1] == "decision.refused"
    assert world.engine.get_run(run.id).state == "refused"


def test_the_very_decision_that_the_default_took_is_a_conflict_too(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    with pytest.raises(Conflict):
        world.engine.decide(run.requests[0].id, "reject", by="ann")


def test_a_default_is_the_timers_at_the_due_time_and_its_entry_has_the_time_of_writing(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(utc("2026-01-09T12:00"))

    world.engine.tick()

    (entry,) = world.entries(run, "request.expired")
    assert entry["at"] == "2026-01-09T12:00:00.000000Z"
    assert "2026-01-06T09:00:00.000000Z" in entry["data"].values()
    assert (entry["actor"], entry["actor_kind"]) == (None, "timer")
    assert world.engine.get_run(run.id).results["ask"] == {
        "decision": "reject",
        "by": None,
        "by_kind": "timer",
        "comment": None,
        "answers": None,
        "at": "2026-01-06T09:00:00.000000Z",
    }


def test_what_follows_a_default_is_entered_when_it_is_written(world: World) -> None:
    states = {
        "ask": gate(on={"approve": "accepted", "reject": "more"}, timeout="1d", default="reject"),
        "more": gate(timeout="1d", default="reject"),
    }
    run = world.start(states)
    world.clock.set(utc("2026-02-01T00:00"))

    world.engine.tick()

    request = world.request(run)
    assert (request.state, request.opened_at, request.due_at) == (
        "more",
        utc("2026-02-01T00:00"),
        utc("2026-02-02T00:00"),
    )


def test_an_overdue_request_reads_decided_by_its_default_before_anything_is_written(world: World) -> None:
    run = a_gate_of_one_day(world)
    entries = world.kinds(run)
    world.clock.set(utc("2026-01-09T12:00"))

    request = world.engine.get_request(run.requests[0].id)

    assert request.status == "decided"
    assert request.decision is not None
    assert (request.decision["decision"], request.decision["by"]) == ("reject", None)
    assert (request.decision["by_kind"], request.decision["at"]) == ("timer", "2026-01-06T09:00:00.000000Z")
    assert world.kinds(run) == entries


def test_the_run_of_an_overdue_request_reads_running_in_the_same_state(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    run = world.engine.get_run(run.id)

    assert (run.status, run.state, run.requests, run.results) == ("running", "ask", (), {})
    assert [item.status for item in world.engine.runs().items] == ["running"]
    assert "ask" in world.engine.why(run.id)


def test_an_overdue_request_is_in_no_inbox(world: World) -> None:
    run = a_gate_of_one_day(world)
    assert [request.id for request in world.engine.inbox().items] == [run.requests[0].id]

    world.clock.set(DUE)

    assert world.engine.inbox().items == ()


def test_a_run_is_listed_under_the_status_that_it_reads(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    assert world.engine.runs(status="waiting").items == ()
    assert [item.id for item in world.engine.runs(status="running").items] == [run.id]


def test_a_refused_late_command_does_not_advance_the_run(world: World) -> None:
    states = {
        "ask": gate(on={"approve": "accepted", "reject": "work"}, timeout="1d", default="reject"),
        "work": worker("refused"),
    }
    run = world.start(states)
    world.clock.set(DUE)

    with pytest.raises(Conflict):
        world.engine.decide(run.requests[0].id, "approve", by="ann")

    after = world.engine.get_run(run.id)
    assert (after.status, after.state, world.calls) == ("running", "work", [])
    assert world.engine.tick()["advanced"] == 1
    assert world.engine.get_run(run.id).state == "refused"


@pytest.mark.parametrize("at", [None, "ask"])
def test_a_late_decision_by_the_runs_id_never_settles_the_request_that_follows(world: World, at: str | None) -> None:
    states = {
        "ask": gate(on={"approve": "accepted", "reject": "more"}, timeout="1d", default="reject"),
        "more": gate(),
    }
    run = world.start(states)
    world.clock.set(DUE)

    with pytest.raises(Conflict):
        world.decide(run, "approve", at=at)

    after = world.engine.get_run(run.id)
    assert (after.state, after.status, after.results["ask"]["by_kind"]) == ("more", "waiting", "timer")


def test_a_malformed_late_decision_is_a_conflict_not_malformed(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    with pytest.raises(Conflict):
        world.engine.decide(run.requests[0].id, "nonsense", by="ann")


def test_a_deadline_is_applied_once_however_often_it_is_looked_for(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    counts = [world.engine.tick()["defaults"] for _ in range(3)]

    assert (counts, world.kinds(run).count("request.expired")) == ([1, 0, 0], 1)


def test_advance_applies_what_is_due(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(DUE)

    assert world.engine.advance(run.id).state == "refused"


def test_other_events_of_the_run_leave_a_deadline_alone(world: World) -> None:
    run = a_gate_of_one_day(world, assign=["role:legal"])
    world.clock.set(utc("2026-01-06T08:00"))
    with world.refusal(run, NotAllowed, is_noted=True):
        world.decide(run, "approve", by="mallory")

    assert world.request(run).due_at == DUE


def test_a_default_on_a_return_accepts_the_revision_that_was_shown(world: World) -> None:
    run = world.start({**drafted("text"), "review": review(timeout="1d", default="accept")})

    world.pass_time("1d")

    decision = world.engine.get_request(run.requests[0].id).decision
    assert decision is not None
    assert decision["artifacts"] == {"report": {"revision": 1, "sha256": hash_of("text")}}


# --- 3.9 time ---------------------------------------------------------------------------------------------------------


def test_the_times_of_a_history_never_decrease_when_the_clock_goes_back(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "more"}), "more": gate(timeout="1d", default="reject")})
    world.clock.set(utc("2026-01-01T00:00"))

    run = world.decide(run, "approve")

    assert {entry.at for entry in world.engine.history(run.id)} == {utc("2026-01-05T09:00")}
    assert (run.updated_at, run.requests[0].opened_at) == (utc("2026-01-05T09:00"), utc("2026-01-05T09:00"))
    assert run.requests[0].due_at == utc("2026-01-06T09:00")


def test_now_is_the_runs_time_and_not_the_clocks(world: World) -> None:
    run = world.start({"ask": gate(on={"approve": "after"}), "after": value("{{ now }}")})
    world.clock.set(utc("2026-01-01T00:00"))

    assert world.decide(run, "approve").results["after"] == "2026-01-05T09:00:00.000000Z"


def test_no_default_comes_early_when_the_clock_goes_back(world: World) -> None:
    run = a_gate_of_one_day(world)
    world.clock.set(utc("2025-12-01T00:00"))

    assert world.engine.tick()["defaults"] == 0
    assert world.decide(run, "approve").state == "accepted"
