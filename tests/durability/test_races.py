"""Several processes want the same thing at the same moment: one gets it, and the others learn who.

$HOLDPOINT_RACE_ROUNDS says how often (1000), $HOLDPOINT_SEED at which of the times.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import holdpoint

if TYPE_CHECKING:
    from tests.durability.conftest import Actor, Answer, Call, World

ROUNDS = int(os.environ.get("HOLDPOINT_RACE_ROUNDS", "1000"))
SEED = int(os.environ.get("HOLDPOINT_SEED", "1"))
MOMENT = timedelta(microseconds=1)

GATE = """\
workflow: gate
states:
  gate: {type: approval, on: {approve: approved, reject: rejected}, timeout: 30m, default: reject}
  approved: {type: end}
  rejected: {type: end, outcome: failure}
"""
GATES = """\
workflow: gates
states:
  first: {type: approval, on: {approve: second, reject: rejected}, timeout: never}
  second: {type: approval, on: {approve: approved, reject: rejected}, timeout: never}
  approved: {type: end}
  rejected: {type: end, outcome: failure}
"""
FORM = """\
workflow: form
states:
  ask:
    type: form
    form: {type: object, required: [name], properties: {name: {type: string}}}
    on: {submit: named}
    timeout: 30m
    default: {decision: submit, answers: {name: nobody}}
  named: {type: end, output: "{{ ask.answers.name }}"}
"""
HOLD = """\
workflow: hold
states:
  hold: {type: wait, signal: paid, on: {received: paid, timeout: unpaid}, timeout: 30m}
  paid: {type: end, output: "{{ hold }}"}
  unpaid: {type: end, outcome: failure}
"""
HOLDS = """\
workflow: holds
states:
  first: {type: wait, signal: paid, on: {received: second}}
  second: {type: wait, signal: paid, on: {received: paid}}
  paid: {type: end, output: "{{ second }}"}
"""
CLEAN = """\
workflow: clean
on_cancel: clean_up
states:
  gate: {type: approval, on: {approve: approved, reject: rejected}, timeout: 30m, default: reject}
  clean_up: {type: agent, value: cleaned, next: cleaned}
  approved: {type: end}
  rejected: {type: end, outcome: failure}
  cleaned: {type: end, outcome: cancelled}
"""
FLAKY = """\
workflow: flaky
states:
  flaky: {type: agent, python: "actor:flaky", retry: {attempts: 2, delay: 1h}, next: worked}
  worked: {type: end, output: "{{ flaky }}"}
"""
STEERED = """\
workflow: steered
on_cancel: clean_up
states:
  work: {type: agent, python: "actor:work", after_crash: retry, next: worked}
  gate: {type: approval, on: {approve: worked, reject: cleaned}, timeout: never}
  clean_up: {type: agent, value: cleaned, next: cleaned}
  worked: {type: end}
  cleaned: {type: end, outcome: cancelled}
"""
WORK = """\
workflow: work
states:
  work: {type: agent, python: "actor:work", after_crash: retry, next: worked}
  worked: {type: end, output: "{{ work }}"}
"""


def _start(world: World, definition: holdpoint.Definition) -> holdpoint.Run:
    return world.engine.start(definition, advance=False)


# --- people against people --------------------------------------------------------------------------------------------


def test_of_eight_who_decide_at_once_one_wins_and_the_others_learn_who(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(GATE)
    actors = world.actors(8)
    wins: Counter[str] = Counter()

    for number in range(ROUNDS):
        request = _start(world, definition).requests[0]
        calls = [
            call(
                method="decide",
                args=[request.id, "approve" if place % 2 else "reject"],
                options={"by": f"person-{place}"},
                times=[world.clock()],
            )
            for place in range(len(actors))
        ]
        answers = world.at_once(actors, calls)

        wins[_winner(world, request, answers, number)] += 1

    assert wins.total() == ROUNDS
    assert len(wins) > 1, "one process is always first: this is no race"


def _winner(world: World, request: holdpoint.Request, answers: list[Answer], number: int) -> str:
    decided = world.entries(request.run, "request.decided", "request.expired")
    winners = [f"person-{place}" for place, answer in enumerate(answers) if answer.error is None]
    losers = [answer for answer in answers if answer.error is not None]
    assert [entry.actor for entry in decided] == winners, f"round {number}: {answers}"
    assert len(winners) == 1
    for answer in losers:
        assert (answer.error, answer.code) == ("Conflict", "already_decided"), f"round {number}: {answer}"
        assert answer.details["decision"]["by"] == winners[0]
        assert answer.details["decision"]["decision"] == decided[0].data["decision"]
    assert len(world.entries(request.run, "decision.refused")) == len(losers)
    assert len(world.entries(request.run, "transition", "run.ended")) == 2
    return winners[0]


@pytest.mark.parametrize("key", [pytest.param(None, id="without a key"), pytest.param("k", id="with a key")])
@pytest.mark.parametrize("target", ["request", "run"])
def test_one_decision_sent_by_three_at_once_is_taken_once(
    world: World, call: type[Call], target: str, key: str | None
) -> None:
    definition = world.engine.loads(GATE)
    actors = world.actors(3)

    for number in range(max(1, ROUNDS // 4)):
        request = _start(world, definition).requests[0]
        decide = call(
            method="decide",
            args=[request.id if target == "request" else request.run, "approve"],
            options={"by": "ann", "comment": "yes", "key": key},
            times=[world.clock()],
        )
        answers = world.at_once(actors, [decide] * len(actors))

        assert [answer.error for answer in answers] == [None] * len(actors), f"round {number}: {answers}"
        assert sorted(answer.value["replayed"] for answer in answers) == [False, True, True]
        assert len(world.entries(request.run, "request.decided")) == 1
        assert world.entries(request.run, "decision.refused") == []


def test_one_key_at_once_decides_no_second_request_of_the_run(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(GATES)
    actors = world.actors(2)

    for number in range(ROUNDS):
        run = _start(world, definition).id
        decide = call(method="decide", args=[run, "approve"], options={"by": "ann", "key": "k"}, times=[world.clock()])
        answers = world.at_once(actors, [decide] * len(actors))

        assert [answer.error for answer in answers] == [None] * len(actors), f"round {number}: {answers}"
        assert world.engine.get_run(run).state == "second", f"round {number}"


def test_of_eight_who_fill_in_a_form_at_once_one_has_filled_it_in(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(FORM)
    actors = world.actors(8)
    wins: Counter[str] = Counter()

    for number in range(max(1, ROUNDS // 4)):
        request = _start(world, definition).requests[0]
        people = [f"person-{place}" for place in range(len(actors))]
        calls = [
            call(
                method="decide",
                args=[request.id, "submit"],
                options={"by": person, "answers": {"name": person}},
                times=[world.clock()],
            )
            for person in people
        ]
        answers = world.at_once(actors, calls)

        winner = _winner(world, request, answers, number)
        assert world.engine.get_run(request.run).output == winner, f"round {number}"
        wins[winner] += 1

    assert wins.total() == max(1, ROUNDS // 4)


def test_a_run_is_cancelled_or_decided_and_whoever_is_late_learns_it(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(CLEAN)
    actors = world.actors(2)
    outcomes: Counter[str] = Counter()

    for number in range(ROUNDS):
        request = _start(world, definition).requests[0]
        calls = [
            call(method="decide", args=[request.id, "approve"], options={"by": "ann"}, times=[world.clock()]),
            call(method="cancel", args=[request.run], options={"reason": "a mistake"}, times=[world.clock()]),
        ]
        decided, cancelled = world.at_once(actors, calls)

        why = f"round {number}: {decided} {cancelled}"
        state = world.engine.get_run(request.run).state
        kinds = [entry.kind for entry in world.engine.history(request.run)]
        assert kinds.count("run.ended") == 1, why
        assert kinds.count("request.decided") + kinds.count("request.voided") == 1, why
        if state == "approved":
            assert (decided.error, cancelled.error, cancelled.code) == (None, "Conflict", "ended"), why
            assert "operator.cancelled" not in kinds, why
        else:
            assert (state, cancelled.error, decided.error, decided.code) == ("cleaned", None, "Conflict", "void"), why
            assert kinds.count("operator.cancelled") == kinds.count("agent.succeeded") == 1, why
        outcomes[state or ""] += 1

    assert ROUNDS < 1_000 or len(outcomes) == 2, "this is no race"


@pytest.mark.parametrize(
    "workflow",
    [
        pytest.param(
            HOLD,
            id="ended by it",
        ),
        pytest.param(HOLDS, id="waiting again"),
    ],
)
def test_one_signal_sent_by_three_at_once_with_a_key_is_one(world: World, call: type[Call], workflow: str) -> None:
    definition = world.engine.loads(workflow)
    actors = world.actors(3)

    for number in range(max(1, ROUNDS // 4)):
        run = _start(world, definition).id
        data = {"ref": number}
        signal = call(method="signal", args=[run, "paid", data], options={"key": "k"}, times=[world.clock()])
        answers = world.at_once(actors, [signal] * len(actors))

        assert [answer.error for answer in answers] == [None] * len(actors), f"round {number}: {answers}"
        after = world.engine.get_run(run)
        assert (after.state, after.output) == (("paid", data) if workflow == HOLD else ("second", None))
        assert len(world.entries(run, "signal.received")) == 1
        assert len(world.entries(run, "transition")) == 1


def test_one_start_sent_twice_at_once_with_a_key_is_one_run(world: World, call: type[Call]) -> None:
    actors = world.actors(2)
    runs = set()

    for number in range(max(1, ROUNDS // 10)):
        start = call(
            method="start", args=[GATE], options={"key": f"key-{number}", "advance": False}, times=[world.clock()]
        )
        answers = world.at_once(actors, [start, start])

        assert [answer.error for answer in answers] == [None, None], f"round {number}: {answers}"
        runs |= {answer.value["id"] for answer in answers}

    assert len(runs) == max(1, ROUNDS // 10)
    assert {run.id for run in _all_runs(world)} == runs


def _all_runs(world: World) -> list[holdpoint.RunSummary]:
    page = world.engine.runs(limit=1_000)
    assert page.next is None
    return list(page.items)


# --- people against their deadline ------------------------------------------------------------------------------------


def test_of_a_decision_and_its_deadline_the_one_that_the_rule_names_comes_about(world: World, call: type[Call]) -> None:
    """Spec 3.3: whoever decides at or after the due time comes second, however late the timer is."""
    definition = world.engine.loads(GATE)
    actors = world.actors(2)
    draw = random.Random(SEED)
    outcomes: Counter[tuple[str, str]] = Counter()

    for number in range(ROUNDS):
        world.clock.set(world.clock() + timedelta(hours=1))
        request = _start(world, definition).requests[0]
        due = request.due_at
        assert due is not None
        name, times = _draw_times(draw, due)
        tick_at = draw.choice([due - MOMENT, due, due + MOMENT])
        calls = [
            call(method="decide", args=[request.id, "approve"], options={"by": "ann"}, times=times),
            call(method="tick", times=[tick_at]),
        ]
        answer, ticked = world.at_once(actors, calls)

        why = f"seed {SEED}, round {number}: {name}, tick at {tick_at - due}: {answer} {ticked}"
        outcome = _outcome(world, request, answer, due, why)
        if name in ("due", "late"):
            assert outcome == "request.expired", why
        if name == "early" and tick_at < due:
            assert outcome == "request.decided", why
        if outcome == "request.decided":
            assert ticked.value["defaults"] == 0, why
        outcomes[name if tick_at >= due else f"{name}, no tick", outcome] += 1

    assert outcomes.total() == ROUNDS
    if ROUNDS >= 1_000:
        assert len({outcome for name, outcome in outcomes if name == "early"}) == 2, "this is no race"


def _outcome(world: World, request: holdpoint.Request, answer: Answer, due: datetime, why: str) -> str:
    """How the request was settled, which the one who decided must have been told."""
    entries = world.entries(request.run, "request.decided", "request.expired")
    assert len(entries) == 1, why
    settled = entries[0]
    assert len(world.entries(request.run, "transition")) == 1, why
    if settled.kind == "request.decided":
        assert (answer.error, settled.actor, settled.at < due) == (None, "ann", True), why
        return str(settled.kind)
    assert (answer.error, answer.code) == ("Conflict", "already_decided"), why
    decision: dict[str, Any] = answer.details["decision"]
    assert (decision["by"], decision["by_kind"], decision["decision"]) == (None, "timer", "reject"), why
    assert datetime.fromisoformat(decision["at"]) == due, why
    assert (settled.actor, settled.actor_kind, settled.at >= due) == (None, "timer", True), why
    assert datetime.fromisoformat(settled.data["at"]) == due, why
    return str(settled.kind)


def test_of_a_signal_and_the_end_of_its_wait_the_one_that_the_rule_names_comes_about(
    world: World, call: type[Call]
) -> None:
    """Spec 3.3: as for decisions."""
    definition = world.engine.loads(HOLD)
    actors = world.actors(2)
    draw = random.Random(SEED)
    outcomes: Counter[tuple[str, str]] = Counter()

    for number in range(ROUNDS):
        world.clock.set(world.clock() + timedelta(hours=1))
        run = _start(world, definition).id
        due = world.clock() + timedelta(minutes=30)
        name, times = _draw_times(draw, due)
        tick_at = draw.choice([due - MOMENT, due, due + MOMENT])
        calls = [
            call(method="signal", args=[run, "paid", {"ref": 7}], times=times),
            call(method="tick", times=[tick_at]),
        ]
        answer, ticked = world.at_once(actors, calls)

        why = f"seed {SEED}, round {number}: {name}, tick at {tick_at - due}: {answer} {ticked}"
        (ended,) = world.entries(run, "wait.ended")
        option = str(ended.data["option"])
        assert len(world.entries(run, "transition")) == 1, why
        if option == "received":
            assert (answer.error, ended.at < due, ticked.value["woken"]) == (None, True, 0), why
            assert world.engine.get_run(run).output == {"ref": 7}, why
        else:
            assert (answer.error, answer.code, ended.at >= due) == ("Conflict", "ended", True), why
            assert world.entries(run, "signal.received") == [], why
        if name in ("due", "late"):
            assert option == "timeout", why
        if name == "early" and tick_at < due:
            assert option == "received", why
        outcomes[name if tick_at >= due else f"{name}, no tick", option] += 1

    assert outcomes.total() == ROUNDS
    if ROUNDS >= 1_000:
        assert len({option for name, option in outcomes if name == "early"}) == 2, "this is no race"


def test_more_time_is_given_before_the_deadline_or_not_at_all(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(GATE)
    actors = world.actors(2)
    draw = random.Random(SEED)
    outcomes: Counter[tuple[str, bool]] = Counter()

    for number in range(ROUNDS):
        world.clock.set(world.clock() + timedelta(days=1))
        request = _start(world, definition).requests[0]
        due = request.due_at
        assert due is not None
        later = due + timedelta(hours=2)
        name, times = _draw_times(draw, due)
        tick_at = draw.choice([due - MOMENT, due, due + MOMENT, later - MOMENT])
        calls = [
            call(method="extend", args=[request.id, "2h"], times=times),
            call(method="tick", times=[tick_at]),
        ]
        answer, ticked = world.at_once(actors, calls)

        why = f"seed {SEED}, round {number}: {name}, tick at {tick_at - due}: {answer} {ticked}"
        is_extended = answer.error is None
        if is_extended:
            assert world.entries(request.run, "request.expired") == [], why
            assert datetime.fromisoformat(answer.value["due_at"]) == later, why
            early = actors[1].ask(call(method="tick", times=[later - MOMENT]))
            assert not any(early.value.values()), f"{why}: {early}"
            assert actors[1].ask(call(method="tick", times=[later])).value["defaults"] == 1, why
        else:
            assert (answer.error, answer.code) == ("Conflict", "settled"), why
        (expired,) = world.entries(request.run, "request.expired")
        (extended,) = world.entries(request.run, "operator.extended") or [None]
        assert (extended is not None) == is_extended, why
        assert datetime.fromisoformat(expired.data["at"]) == (later if is_extended else due), why
        assert extended is None or extended.at < due, why
        if name in ("due", "late"):
            assert not is_extended, why
        if name == "early" and tick_at < due:
            assert is_extended, why
        outcomes[name if tick_at >= due else f"{name}, no tick", is_extended] += 1

    if ROUNDS >= 1_000:
        assert len({is_extended for name, is_extended in outcomes if name == "early"}) == 2, "this is no race"


def _draw_times(draw: random.Random, due: datetime) -> tuple[str, list[datetime]]:
    """What the clock of whoever acts reads; the last of these crosses the due time between two looks at it."""
    early = due - MOMENT
    return draw.choice(
        [
            ("early", [early]),
            ("due", [due]),
            ("late", [due + MOMENT]),
            ("crosses", [early] * draw.randint(1, 3) + [due]),
        ]
    )


# --- ticks against each other -----------------------------------------------------------------------------------------


def test_two_ticks_begin_each_attempt_once(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(WORK)
    runs = [_start(world, definition).id for _ in range(200)]
    tick = call(method="tick", times=[world.clock()])

    answers = world.at_once(world.actors(2), [tick, tick])

    assert sum(answer.value["advanced"] for answer in answers) == len(runs)
    assert all(answer.value["advanced"] for answer in answers), "one did it all: this is no race"
    assert sorted(world.effects()) == sorted(f"{run}/work/1" for run in runs)
    for run in runs:
        assert _kinds(world, run) == ["agent.started", "agent.succeeded", "transition", "run.ended"]


def test_two_ticks_make_each_attempt_that_is_due_once(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(FLAKY)
    runs = [_start(world, definition).id for _ in range(200)]
    actors = world.actors(2)
    first = actors[0].ask(call(method="tick", times=[world.clock()]))
    assert (first.value["advanced"], first.value["failed"]) == (len(runs), 0)
    tick = call(method="tick", times=[world.clock() + timedelta(hours=1)])

    answers = world.at_once(actors, [tick, tick])

    assert sum(answer.value["retries"] for answer in answers) == len(runs)
    assert all(answer.value["retries"] for answer in answers), "one did it all: this is no race"
    assert Counter(world.effects()) == {f"{run}/flaky/1": 2 for run in runs}
    for run in runs:
        again = ["agent.started", "agent.failed", "agent.started", "agent.succeeded", "transition", "run.ended"]
        assert _kinds(world, run) == again


def test_two_who_take_up_a_run_whose_retry_is_due_make_one_attempt(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(FLAKY)
    actors = world.actors(2)
    wins: Counter[int] = Counter()

    for number in range(max(1, ROUNDS // 4)):
        run = _start(world, definition).id
        actors[0].ask(call(method="advance", args=[run], times=[world.clock()]))
        (failed,) = world.entries(run, "agent.failed")
        due = datetime.fromisoformat(failed.data["retry_at"])
        early = actors[number % 2].ask(call(method="advance", args=[run], times=[due - MOMENT]))
        assert (early.value["state"], len(world.entries(run, "agent.started"))) == ("flaky", 1), f"round {number}"

        answers = world.at_once(actors, [call(method="advance", args=[run], times=[due])] * 2)

        assert [answer.error for answer in answers] == [None, None], f"round {number}: {answers}"
        assert [entry.data["attempt"] for entry in world.entries(run, "agent.started")] == [1, 2], f"round {number}"
        assert world.engine.get_run(run).status == "done"
        wins[world.engine.get_run(run).output["by"]] += 1

    assert Counter(Counter(world.effects()).values()) == {2: wins.total()}
    assert ROUNDS < 1_000 or len(wins) == 2, "one process is always first: this is no race"


def _kinds(world: World, run: str) -> list[str]:
    return [
        entry.kind
        for entry in world.engine.history(run)
        if entry.kind.startswith("agent.") or entry.kind in ("transition", "run.ended", "run.failed")
    ]


def test_two_ticks_take_over_each_run_of_a_dead_process_once(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(WORK)
    first, *others = runs = [_start(world, definition).id for _ in range(40)]
    dead = world.actor("nest")
    dead.send(call(method="advance", args=[first], times=[world.clock()], nested=others))
    dead.wait_until_killed()
    assert sorted(world.effects()) == sorted(f"{run}/work/1" for run in runs)
    tick = call(method="tick", times=[world.clock()])

    answers = world.at_once(world.actors(2), [tick, tick])

    assert sum(answer.value["recovered"] for answer in answers) == len(runs)
    assert Counter(world.effects()) == {f"{run}/work/1": 2 for run in runs}
    for run in runs:
        again = ["agent.started", "agent.crashed", "agent.started", "agent.succeeded", "transition", "run.ended"]
        assert _kinds(world, run) == again


# --- zombies ----------------------------------------------------------------------------------------------------------


def test_who_wakes_up_after_the_lease_ran_out_commits_nothing(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(WORK)
    zombie, other = world.actor("stop"), world.actor()

    for _ in range(max(1, ROUNDS // 100)):
        run = _fall_asleep(world, call, zombie, definition)
        _pass_the_lease(world)
        ticked = other.ask(call(method="tick", times=[world.clock()]))
        zombie.wake()
        late = zombie.answer()

        assert ticked.value["recovered"] == 1
        assert late.value["status"] == "done"
        assert late.value["output"] == {"by": other.pid}
        assert _kinds(world, run) == [
            "agent.started",
            "agent.crashed",
            "agent.started",
            "agent.succeeded",
            "transition",
            "run.ended",
            "agent.late",
        ]
        started, noted = world.entries(run, "agent.started", "agent.late")[::2]
        assert noted.data["token"] == started.seq


@pytest.mark.parametrize(
    ("method", "state"), [pytest.param("cancel", "cleaned", id="cancel"), pytest.param("move", "gate", id="move")]
)
def test_who_wakes_up_in_a_run_that_was_taken_elsewhere_commits_nothing(
    world: World, call: type[Call], method: str, state: str
) -> None:
    definition = world.engine.loads(STEERED)
    zombie, other = world.actor("stop"), world.actor()

    for _ in range(max(1, ROUNDS // 100)):
        run = _fall_asleep(world, call, zombie, definition)
        args = [run, state] if method == "move" else [run]
        steered = other.ask(call(method=method, args=args, times=[world.clock()]))
        ticked = other.ask(call(method="tick", times=[world.clock() + timedelta(hours=1)]))
        zombie.wake()
        late = zombie.answer()

        assert (steered.value["state"], any(ticked.value.values())) == (state, False)
        assert (late.error, late.value["state"]) == (None, state)
        assert _kinds(world, run)[-1] == "agent.late"
        assert [entry.data["to"] for entry in world.entries(run, "transition")][-1] == state
        assert [entry.data["state"] for entry in world.entries(run, "agent.succeeded")] == (
            ["clean_up"] if method == "cancel" else []
        )


def test_who_wakes_up_while_another_works_commits_nothing(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(WORK)
    zombie, other = world.actors(2, "stop")

    for _ in range(max(1, ROUNDS // 100)):
        run = _fall_asleep(world, call, zombie, definition)
        _pass_the_lease(world)
        other.send(call(method="tick", times=[world.clock()]))
        other.wait_until_stopped()
        zombie.wake()
        late = zombie.answer()
        other.wake()
        ticked = other.answer()

        assert (late.value["status"], late.value["state"]) == ("running", "work")
        assert ticked.value["recovered"] == 1
        assert world.engine.get_run(run).output == {"by": other.pid}
        assert _kinds(world, run) == [
            "agent.started",
            "agent.crashed",
            "agent.started",
            "agent.late",
            "agent.succeeded",
            "transition",
            "run.ended",
        ]


def test_who_wakes_up_while_two_take_over_is_one_of_three_who_may_commit(world: World, call: type[Call]) -> None:
    definition = world.engine.loads(WORK)
    zombie, others = world.actor("stop"), world.actors(2)

    for number in range(max(1, ROUNDS // 20)):
        run = _fall_asleep(world, call, zombie, definition)
        _pass_the_lease(world)
        tick = call(method="tick", times=[world.clock()])
        world.line_up(others, [tick, tick])
        world.open_gate(len(others))
        zombie.wake()
        answers = [actor.answer() for actor in (*others, zombie)]

        kinds = Counter(_kinds(world, run))
        assert [answer.error for answer in answers] == [None] * 3, f"round {number}: {answers}"
        assert kinds["agent.succeeded"] == kinds["transition"] == kinds["run.ended"] == 1, f"round {number}: {kinds}"
        assert kinds["agent.started"] == 1 + kinds["agent.crashed"], f"round {number}: {kinds}"
        assert kinds["agent.late"] == kinds["agent.crashed"] <= 1, f"round {number}: {kinds}"
        assert world.engine.get_run(run).status == "done"


def _fall_asleep(world: World, call: type[Call], zombie: Actor, definition: holdpoint.Definition) -> str:
    """A run whose process is stopped within its agent."""
    run = _start(world, definition).id
    zombie.send(call(method="advance", args=[run], times=[world.clock()]))
    zombie.wait_until_stopped()
    return run


def _pass_the_lease(world: World) -> None:
    world.clock.set(world.clock() + world.engine.settings.lease)
