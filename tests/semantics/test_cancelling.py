"""Cancelling, and what makes the version of a definition (spec 3.12, 3.13)."""

from __future__ import annotations

import json

import pytest

from holdpoint import Conflict
from tests.building import DUE, World, gate, value, worker

# --- 3.12 cancel ------------------------------------------------------------------------------------------------------


def test_cancel_ends_a_run_and_voids_its_request(world: World) -> None:
    run = world.start({"ask": gate(timeout="1d", default="approve")})

    after = world.engine.cancel(run.id, reason="a mistake")

    assert (after.status, after.state, after.outcome, after.requests) == ("cancelled", "ask", None, ())
    assert after.ended_at == world.clock()
    assert world.engine.get_request(run.requests[0].id).status == "void"
    assert "a mistake" in json.dumps(world.entries(run, "run.cancelled"))
    assert world.pass_time("2d")["defaults"] == 0


def test_a_void_request_is_decided_by_nobody(world: World) -> None:
    run = world.start({"ask": gate()})
    cancelled = world.engine.cancel(run.id)

    for target in (run.id, run.requests[0].id):
        with world.refusal(cancelled, Conflict, is_noted=True):
            world.engine.decide(target, "approve", by="ann")


def test_a_failed_run_can_be_cancelled(world: World) -> None:
    world.agent = lambda: 1 / 0
    run = world.start({"work": worker()})

    run = world.engine.cancel(run.id)

    assert (run.status, run.error) == ("cancelled", None)


def test_an_ended_run_can_neither_be_cancelled_nor_retried(world: World) -> None:
    run = world.start({"begin": value(1)})

    with pytest.raises(Conflict):
        world.engine.cancel(run.id)
    with pytest.raises(Conflict):
        world.engine.retry(run.id)

    assert world.engine.get_run(run.id) == run


def test_a_run_that_waits_cannot_be_retried(world: World) -> None:
    run = world.start({"ask": gate()})

    with pytest.raises(Conflict):
        world.engine.retry(run.id)

    assert world.engine.get_run(run.id) == run


def test_a_deadline_that_passed_before_the_cancel_was_applied_first(world: World) -> None:
    run = world.start(
        {"ask": gate(on={"approve": "accepted", "reject": "more"}, timeout="1d", default="reject"), "more": gate()}
    )
    world.clock.set(DUE)

    run = world.engine.cancel(run.id)

    assert (run.status, run.state, run.results["ask"]["by_kind"]) == ("cancelled", "more", "timer")


# --- 3.13 the version of a definition ---------------------------------------------------------------------------------


BASE = """\
workflow: flow
title: One
input:
  type: object
  properties: {n: {type: integer, title: N}}
states:
  work:
    type: agent
    title: Work
    value: {a: "{{ input.n }}", title: kept}
    next: ask
  ask:
    type: approval
    message: "Go?"
    on: {approve: yes, reject: no}
    timeout: 2d
    default: reject
  yes: {type: end}
  no: {type: end, outcome: failure}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("title: One", "title: Two", id="title"),
        pytest.param("title: One", "title: One\ndescription: text", id="description"),
        pytest.param("    title: Work\n", "", id="title-of-a-state"),
        pytest.param(", title: N}", ", description: the number}", id="title-in-a-schema"),
        pytest.param("states:", "# a comment\nstates:", id="comment"),
        pytest.param("{approve: yes, reject: no}", "{reject: no, approve: yes}", id="order-of-options"),
        pytest.param("    next: ask\n", "    on: {done: ask}\n", id="next-is-short-for-done"),
        pytest.param("timeout: 2d", "timeout: P2D", id="spelling-of-a-duration"),
        pytest.param("states:", "initial: work\nstates:", id="the-default-initial"),
        pytest.param("states:", "timezone: UTC\nstates:", id="the-default-timezone"),
        pytest.param("reject: no}", "reject: [{to: no}]}", id="spelling-of-a-target"),
        pytest.param("yes: {type: end}", "yes: {type: end, outcome: success}", id="the-default-outcome"),
    ],
)
def test_the_version_does_not_depend_on(world: World, old: str, new: str) -> None:
    assert old in BASE
    assert world.engine.loads(BASE.replace(old, new)).version == world.engine.loads(BASE).version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("workflow: flow", "workflow: other", id="name"),
        pytest.param('"Go?"', '"Go!"', id="message"),
        pytest.param("2d", "48h", id="timeout"),
        pytest.param("default: reject", "default: approve", id="default"),
        pytest.param("type: integer", "type: number", id="input"),
        pytest.param("title: kept", "title: other", id="a-value-under-the-key-title"),
        pytest.param("outcome: failure", "outcome: cancelled", id="outcome"),
        pytest.param("approve: yes", "approve: no", id="target"),
        pytest.param("approve: yes", "accept: yes", id="option"),
        pytest.param("reject: no}", "reject: [{to: no, when: 'true'}]}", id="condition"),
        pytest.param("states:", "timezone: Europe/Rome\nstates:", id="timezone"),
        pytest.param("    default: reject", "    default: reject\n    priority: high", id="priority"),
        pytest.param("    default: reject", "    default: reject\n    assign: [ann]", id="assign"),
    ],
)
def test_the_version_depends_on(world: World, old: str, new: str) -> None:
    assert old in BASE
    assert world.engine.loads(BASE.replace(old, new)).version != world.engine.loads(BASE).version


def test_the_version_is_a_sha_256_that_the_run_and_its_listing_name(world: World) -> None:
    definition = world.load({"ask": gate()})
    run = world.engine.start(definition)

    assert len(definition.version) == 64
    assert run.definition == definition.version == world.engine.runs().items[0].definition


def test_the_authors_order_is_kept_beside_the_version(world: World) -> None:
    first = world.engine.start(world.engine.loads(BASE), {"n": 1})
    second = world.engine.start(
        world.engine.loads(BASE.replace("{approve: yes, reject: no}", "{reject: no, approve: yes}")), {"n": 1}
    )

    assert first.definition == second.definition
    assert list(world.request(first).options) == ["approve", "reject"]
    assert list(world.request(second).options) == ["reject", "approve"]
