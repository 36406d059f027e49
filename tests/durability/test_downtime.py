"""Nothing ran for a while, or what ran was killed: the next tick makes up for it."""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import holdpoint

if TYPE_CHECKING:
    from tests.durability.conftest import Call, World

DEADLINES = int(os.environ.get("HOLDPOINT_DEADLINES", "1000"))

ASK = """\
workflow: ask
states:
  ask: {type: approval, on: {approve: approved, reject: rejected}, timeout: 2h, default: reject}
  approved: {type: end}
  rejected: {type: end, outcome: failure}
"""
WAITS = """\
workflow: waits
input: {type: object, required: [kind], properties: {kind: {type: string}}}
initial:
  - {to: nap, when: "input.kind == 'nap'"}
  - {to: until, when: "input.kind == 'until'"}
  - {to: hold}
states:
  nap: {type: wait, for: 2h, next: past}
  until: {type: wait, until: "{{ run.started_at | add('2h') }}", next: past}
  hold: {type: wait, signal: paid, on: {received: paid, timeout: past}, timeout: 2h}
  past: {type: end}
  paid: {type: end, outcome: failure}
"""
FLAKY = """\
workflow: flaky
states:
  flaky: {type: agent, python: "actor:flaky", retry: {attempts: 2, delay: 1h}, next: worked}
  worked: {type: end}
"""
WORK = """\
workflow: work
input: {type: object, properties: {is_deadly: {type: boolean, default: false}}}
states:
  work:
    type: agent
    python: actor:work
    with: {is_deadly: "{{ input.is_deadly }}"}
    after_crash: retry
    next: worked
  worked: {type: end}
"""


def test_deadlines_that_fell_due_while_nothing_ran_are_applied_once_by_two_ticks(
    world: World, call: type[Call]
) -> None:
    definition = world.engine.loads(ASK)
    requests = []
    for _ in range(DEADLINES):
        world.clock.set(world.clock() + timedelta(seconds=1, microseconds=7))
        requests.append(world.engine.start(definition).requests[0])
    world.clock.set(world.clock() + timedelta(days=3))
    tick = call(method="tick", times=[world.clock()])

    answers = world.at_once(world.actors(2), [tick, tick])

    assert sum(answer.value["defaults"] for answer in answers) == DEADLINES
    assert all(answer.value["errors"] == 0 for answer in answers)
    for request in requests:
        _assert_applied_once(world, request)
    assert world.engine.next_due() is None
    assert world.engine.inbox().items == ()


def _assert_applied_once(world: World, request: holdpoint.Request) -> None:
    (entry,) = world.entries(request.run, "request.expired", "request.decided")
    assert (entry.kind, entry.actor, entry.actor_kind) == ("request.expired", None, "timer")
    assert datetime.fromisoformat(entry.data["at"]) == request.due_at
    assert entry.at == world.clock()
    assert len(world.entries(request.run, "transition")) == 1
    decision = world.engine.get_request(request.id).decision
    assert decision is not None
    assert (decision["decision"], decision["by"], decision["by_kind"]) == ("reject", None, "timer")


def test_waits_and_retries_that_fell_due_while_nothing_ran_are_taken_up_once_by_two_ticks(
    world: World, call: type[Call]
) -> None:
    definition = world.engine.loads(WAITS)
    waits = []
    for number in range(DEADLINES):
        world.clock.set(world.clock() + timedelta(seconds=1, microseconds=7))
        waits.append(world.engine.start(definition, {"kind": ("nap", "until", "hold")[number % 3]}))
    actors = world.actors(2)
    flaky = world.engine.loads(FLAKY)
    retries = [world.engine.start(flaky, advance=False).id for _ in range(-(-DEADLINES // 5))]
    began = actors[0].ask(call(method="tick", times=[world.clock()]))
    assert (began.value["advanced"], began.value["woken"]) == (len(retries), 0)
    world.clock.set(world.clock() + timedelta(days=3))
    tick = call(method="tick", times=[world.clock()])

    answers = world.at_once(actors, [tick, tick])

    assert sum(answer.value["woken"] for answer in answers) == DEADLINES
    assert sum(answer.value["retries"] for answer in answers) == len(retries)
    assert all(answer.value["errors"] == answer.value["failed"] == 0 for answer in answers)
    for run in waits:
        (ended,) = world.entries(run.id, "wait.ended")
        assert (ended.data["option"], ended.at) == ("timeout" if run.state == "hold" else "done", world.clock())
        assert [entry.data["to"] for entry in world.entries(run.id, "transition")] == ["past"]
    for run_id in retries:
        assert [entry.data["attempt"] for entry in world.entries(run_id, "agent.started")] == [1, 2]
        assert world.engine.get_run(run_id).status == "done"
    assert Counter(world.effects()) == {f"{run_id}/flaky/1": 2 for run_id in retries}
    assert world.engine.next_due() is None


def test_a_tick_of_some_things_leaves_the_rest_to_the_next(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(ASK)
    for _ in range(25):
        world.engine.start(definition)
    world.clock.set(world.clock() + timedelta(days=3))
    actors = world.actors(2)
    tick = call(method="tick", options={"limit": 10}, times=[world.clock()])

    first = sum(answer.value["defaults"] for answer in world.at_once(actors, [tick, tick]))
    second = sum(answer.value["defaults"] for answer in world.at_once(actors, [tick, tick]))

    assert 10 <= first <= 20
    assert first + second == 25


def test_a_run_whose_process_was_killed_in_its_agent_is_taken_up_by_the_next_tick(
    world: World, call: type[Call]
) -> None:
    run = world.engine.start(world.engine.loads(WORK), advance=False)
    killed = world.actor("die")
    killed.send(call(method="advance", args=[run.id], times=[world.clock()]))
    killed.wait_until_killed()
    assert world.engine.get_run(run.id).status == "running"

    ticked = world.actor().ask(call(method="tick", times=[world.clock()]))

    assert (ticked.value["recovered"], ticked.value["failed"]) == (1, 0)
    assert world.engine.get_run(run.id).status == "done"
    assert world.effects() == [f"{run.id}/work/1"] * 2
    assert [entry.data["reason"] for entry in world.entries(run.id, "agent.crashed")] == ["its process is gone"]


def test_a_run_of_a_living_process_is_left_to_it(world: World, call: type[Call]) -> None:
    run = world.engine.start(world.engine.loads(WORK), advance=False)
    owner = world.actor("stop")
    owner.send(call(method="advance", args=[run.id], times=[world.clock()]))
    owner.wait_until_stopped()
    world.clock.set(world.clock() + world.engine.settings.lease - timedelta(microseconds=1))

    ticked = world.actor().ask(call(method="tick", times=[world.clock()]))

    assert not any(ticked.value.values())
    owner.wake()
    assert owner.answer().value["status"] == "done"
    assert world.effects() == [f"{run.id}/work/1"]


def test_a_run_that_kills_five_processes_is_poisoned_and_the_others_go_on(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(WORK)
    poison = world.engine.start(definition, {"is_deadly": True}, advance=False)
    others = [world.engine.start(definition, advance=False) for _ in range(3)]
    tick = call(method="tick", times=[world.clock()])
    victims = world.actors(5)
    for victim in victims:
        victim.send(tick)
        victim.wait_until_killed()

    ticked = world.actor().ask(tick)

    assert (ticked.value["recovered"], ticked.value["failed"], ticked.value["advanced"]) == (1, 1, 3)
    failed = world.engine.get_run(poison.id)
    assert failed.error is not None
    assert (failed.status, failed.error["code"]) == ("failed", "poisoned")
    assert {world.engine.get_run(run.id).status for run in others} == {"done"}
    expected = {f"{poison.id}/work/1": 5} | {f"{run.id}/work/1": 1 for run in others}
    assert Counter(world.effects()) == expected
    assert len(world.entries(poison.id, "agent.crashed")) == 5
