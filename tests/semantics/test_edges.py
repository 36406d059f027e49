"""What is out of scope, and what only happens at the edges."""

from __future__ import annotations

from typing import Any

import pytest

from holdpoint import Conflict, DefinitionError, HoldpointError, Invalid, NotAllowed, NotFound
from tests.building import World, gate, worker

# --- what is out of scope ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        {"exclude": ["authors"]},
        {"quorum": {"approve": 2}},
        {"escalate": [{"after": "1h", "remind": True}]},
        {"calendar": "work"},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_what_is_still_to_come_starts_nothing(world: World, keys: Any) -> None:
    with pytest.raises(DefinitionError) as caught:
        world.start({"ask": gate(timeout="2d", default="reject", **keys)})

    assert "not available in this version" in str(caught.value)


def test_a_signal_of_a_run_is_refused_because_nothing_waits_for_one(world: World) -> None:
    run = world.start({"ask": gate()})

    with world.refusal(run, Invalid):
        world.engine.signal(run.id, "paid", {"ref": 7})

    ended = world.decide(run, "approve")
    with world.refusal(ended, Conflict):
        world.engine.signal(run.id, "paid")


def test_every_error_is_of_the_one_tree(world: World) -> None:
    assert all(issubclass(kind, HoldpointError) for kind in (Conflict, Invalid, NotAllowed, NotFound, DefinitionError))


# --- at the edges -----------------------------------------------------------------------------------------------------


def broken(**given: Any) -> Any:
    """An agent that never works."""
    raise RuntimeError("no luck")


def test_a_run_that_fails_before_its_retry_has_nothing_that_falls_due(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDPOINT_TOKEN", "t")
    keys = {"with": {"token": "{{ env.HOLDPOINT_TOKEN }}"}, "retry": {}}
    world.agent = broken
    run = world.start({"work": worker(**keys)})
    monkeypatch.delenv("HOLDPOINT_TOKEN")

    world.clock.advance(world.engine, "1h")

    assert world.engine.get_run(run.id).status == "failed"
    assert world.engine.next_due() is None


def test_a_wait_takes_its_signal_however_many_others_are_kept(world: World) -> None:
    states = {
        "hold": {"type": "wait", "signal": "paid", "timeout": "never", "on": {"received": "later"}},
        "later": {"type": "wait", "signal": "other", "timeout": "never", "on": {"received": "accepted"}},
    }
    run = world.start(states)
    for _ in range(1_000):
        world.engine.signal(run.id, "other")
    with pytest.raises(Conflict):
        world.engine.signal(run.id, "other")

    assert world.engine.signal(run.id, "paid").status == "done"


def test_an_approval_may_call_an_option_revise_for_ever(world: World) -> None:
    run = world.start({"ask": {"type": "approval", "timeout": "never", "on": {"revise": "ask", "approve": "accepted"}}})

    for _ in range(7):
        run = world.engine.decide(run.id, "revise", by="ann", comment="again")

    assert list(run.requests[0].options) == ["revise", "approve"]


def test_an_operators_retry_begins_the_retry_policy_anew(world: World) -> None:
    world.agent = broken
    run = world.start({"work": worker(retry={"attempts": 2})})
    world.clock.advance(world.engine, "1h")
    assert world.engine.get_run(run.id).status == "failed"

    assert world.engine.retry(run.id).status == "waiting"
    world.clock.advance(world.engine, "1h")

    assert [entry["data"]["attempt"] for entry in world.entries(run, "agent.started")] == [1, 2, 3, 4]


def test_who_acts_has_a_name_in_every_command(world: World) -> None:
    run = world.start({"ask": gate()})
    request = run.requests[0].id

    for act in (
        lambda: world.engine.claim(request, by="", person="bob"),
        lambda: world.engine.cancel(run.id, by="a:b"),
        lambda: world.engine.move(run.id, "accepted", by="a\x1b"),
    ):
        with pytest.raises(Invalid):
            act()


def test_a_run_that_failed_before_its_first_state_can_be_moved(world: World) -> None:
    run = world.start({"ask": gate()}, initial=[{"to": "ask", "when": "false"}])
    assert (run.status, run.state) == ("failed", None)

    assert world.engine.move(run.id, "ask").status == "waiting"


def test_unknown_signal_is_told_each_that_there_is_once(world: World) -> None:
    wait = {"type": "wait", "signal": ["better", "worse"], "timeout": "never"}
    first = {**wait, "on": {"better": "again", "worse": "refused"}}
    again = {**wait, "on": {"better": "accepted", "worse": "refused"}}
    run = world.start({"first": first, "again": again})

    with world.refusal(run, Invalid) as caught:
        world.engine.signal(run.id, "nothing")

    assert str(caught.value).endswith("has no wait for signal 'nothing'; it has better, worse")
