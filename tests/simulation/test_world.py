"""Virtual time around the engine's rules: that runs move as they do in the engine, and people as they are told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import holdpoint
from holdpoint import api, settings
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.errors import Invalid
from holdpoint.simulation.estimates import Estimate
from holdpoint.simulation.given import complete, with_reviewers
from holdpoint.simulation.hours import DAY, SECOND
from holdpoint.simulation.plan import Plan
from holdpoint.simulation.reading import read_config
from holdpoint.simulation.record import Record
from holdpoint.simulation.report import choke
from holdpoint.simulation.study import WAIT, study, with_timeout
from holdpoint.simulation.world import rules_of, simulate
from holdpoint.testing import Clock

WORKFLOWS = Path(__file__).parents[2] / "workflows"
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

GATE = """
workflow: gate
timezone: Europe/Rome
states:
  ask:
    type: approval
    message: "?"
    assign: ["role:boss"]
    on: {approve: good, reject: bad}
    timeout: 4h
    default: reject
  good: {type: end}
  bad: {type: end, outcome: failure}
"""


def _plan(definition: holdpoint.Definition, config: str, **people: frozenset[str]) -> Plan:
    return complete(definition, read_config(config.encode(), "config.yaml", definition, Path()), people)


def _record(text: str, config: str, replication: int = 0) -> Record:
    definition = api.loads(text)
    plan = _plan(definition, config)
    return simulate(rules_of(definition, plan), plan, replication)


def _facts(record: Record) -> list[tuple[Any, ...]]:
    trips = [(trip.began_at, trip.ended_at, trip.status) for trip in record.trips]
    items = [(item.state, item.opened_at, item.begun_at, item.settled_at, item.how) for item in record.items]
    return [*trips, *items]


EXAMPLES = sorted(path for path in WORKFLOWS.glob("*/*.yaml") if not path.name.endswith(".scenarios.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_runs_that_share_their_ways_move_as_those_that_go_alone(path: Path) -> None:
    definition = api.load(path)
    roles = settings.load(path.parent).roles
    config = b"days: 12\narrivals: 6/d\nstart: '2026-03-24T00:00:00Z'\n"  # the clocks change in between
    plan = complete(definition, read_config(config, "config.yaml", definition, Path()), roles)

    shared = simulate(rules_of(definition, plan), plan, 0)
    alone = simulate(rules_of(definition, plan, is_shared=False), plan, 0)

    assert _facts(shared) == _facts(alone)
    assert len(shared.trips) > 20


def test_a_guard_that_reads_the_time_is_asked_at_each_runs_own_time() -> None:
    text = """
workflow: late
states:
  ask: {type: approval, message: "?", on: {go: [{to: early, when: "now < '2026-01-07'"}, {to: late}]}, timeout: never}
  early: {type: end}
  late: {type: end, outcome: failure}
"""
    config = "days: 4\narrivals: {rate: 1/d, fixed: true}\npeople: {all: {count: 1, hours: always, takes: 1h}}"

    record = _record(text, config)

    assert [trip.status for trip in record.trips] == ["success", "failure", "failure"]


def test_a_run_meets_what_the_engine_does_at_the_same_times() -> None:
    """The same story told to the engine itself: an attempt fails and is made again, a person is late, the deadline."""
    text = """
workflow: story
timezone: Europe/Rome
states:
  work: {type: agent, python: "a:b", retry: {attempts: 2, delay: 10m, factor: 1}, on: {done: ask, error: ask}}
  ask:
    type: approval
    message: "?"
    assign: ["role:boss"]
    on: {approve: good, reject: bad}
    timeout: 2d
    default: reject
  good: {type: end}
  bad: {type: end, outcome: failure}
"""
    start = datetime(2026, 3, 27, 12, tzinfo=UTC)
    config = """
days: 10
start: "2026-03-26T12:00:00Z"
arrivals: {rate: 1/w, fixed: true}
agents: {work: {takes: 0s, error: broken}}
people: {bosses: {count: 1, roles: [boss], hours: always, takes: 5d}}
"""
    definition = api.loads(text)
    clock = Clock(start)

    def broken() -> None:
        raise ValueError("broken")

    with holdpoint.Engine("memory://", clock=clock, agents={"a:b": broken}) as engine:
        run = engine.start(definition)
        for _ in range(4):
            clock.set(engine.next_due() or clock())
            engine.tick()
        run = engine.get_run(run.id)
        entries = engine.history(run.id)
    (opened,) = [entry.at for entry in entries if entry.kind == "request.opened"]
    plan = _plan(definition, config)
    plan = replace(plan, arrivals=replace(plan.arrivals, times=((start - plan.start).total_seconds(),)))
    record = simulate(rules_of(definition, plan), plan, 0)

    (item,), (trip,) = record.items, record.trips
    assert trip.status == run.outcome == "failure"
    assert run.ended_at is not None
    assert item.settled_at is not None
    # A retry's delay is spread by the run's own hash, over half of it.
    begun = plan.start + timedelta(microseconds=item.opened_at)
    assert abs(begun - opened) <= timedelta(minutes=5)
    assert timedelta(microseconds=item.settled_at - item.opened_at) == run.ended_at - opened == timedelta(hours=47)


def test_a_deadline_ends_a_request_that_somebody_has_in_hand() -> None:
    config = (
        "days: 2\narrivals: {rate: 1/d, fixed: true}\npeople: {b: {count: 1, roles: [boss], hours: always, takes: 5h}}"
    )

    record = _record(GATE, config)

    (item,) = record.items
    assert (item.how, item.begun_at, item.settled_at) == ("deadline", item.opened_at, item.opened_at + 4 * HOUR)
    assert record.toils["b-1"].spells == [(item.opened_at, item.settled_at)]
    assert record.trips[0].status == "failure"


def test_a_decision_at_the_due_time_comes_second() -> None:
    config = (
        "days: 2\narrivals: {rate: 1/d, fixed: true}\npeople: {b: {count: 1, roles: [boss], hours: always, takes: 4h}}"
    )

    assert [item.how for item in _record(GATE, config).items] == ["deadline"]


def test_nobody_works_outside_of_their_hours() -> None:
    config = """
days: 7
start: "2026-01-05T00:00:00Z"
arrivals: 40/d
people: {b: {count: 2, roles: [boss], hours: "mon-fri 09:00-12:00", takes: exp(10m)}}
"""
    record = _record(GATE, config)
    begun = [item.begun_at for item in record.items if item.begun_at is not None]

    assert begun
    assert {datetime.fromtimestamp(at / SECOND + 1_767_571_200, UTC).hour for at in begun} <= {
        8,
        9,
        10,
    }  # Rome is 1 ahead
    assert all(toil.busy(0, 7 * DAY) <= 15 * HOUR for toil in record.toils.values())


def test_one_person_does_one_thing_at_a_time() -> None:
    record = _record(
        GATE, "days: 3\narrivals: 60/d\npeople: {b: {count: 3, roles: [boss], hours: always, takes: exp(1h)}}"
    )

    for toil in record.toils.values():
        assert len(toil.spells) > 10
        assert all(end <= begun for (_, end), (begun, _) in zip(toil.spells, toil.spells[1:], strict=False))


def test_the_most_urgent_request_is_taken_first_and_fifo_takes_the_oldest() -> None:
    text = """
workflow: urgent
input: {type: object, required: [fast], properties: {fast: {type: boolean}}}
initial: [{to: fast, when: input.fast}, {to: slow}]
states:
  fast: {type: approval, message: "?", on: {go: end}, priority: urgent, timeout: never}
  slow: {type: approval, message: "?", on: {go: end}, timeout: never}
  end: {type: end}
"""
    config = "days: 20\narrivals: 22/d\norder: %s\npeople: {all: {count: 1, hours: always, takes: exp(1h)}}"
    waits = {}
    for order in ("inbox", "fifo"):
        definition = api.loads(text)
        found = study(definition, replace(_plan(definition, config % order), replications=2), is_compared=False)
        waits[order] = [found.value("state", name, "wait_mean") for name in ("fast", "slow")]

    assert waits["inbox"][0] < waits["inbox"][1] / 2
    assert waits["fifo"][0] > waits["inbox"][0] * 2


def test_who_is_excluded_decides_nothing() -> None:
    text = GATE.replace('assign: ["role:boss"]', 'assign: ["role:boss"]\n    exclude: [ann]')
    config = "days: 5\narrivals: 30/d\npeople: {b: {names: [ann, bob], roles: [boss], hours: always, takes: exp(30m)}}"

    record = _record(text, config)

    assert record.toils["ann"].spells == []
    assert len(record.toils["bob"].spells) > 50


def test_initiators_do_what_only_they_may_do() -> None:
    text = GATE.replace('assign: ["role:boss"]', "assign: [initiator]").replace("4h", "40h")

    record = _record(text, "days: 3\narrivals: 5/d\npeople: {initiators: {count: unlimited, hours: always, takes: 1h}}")

    settled = [item for item in record.items if item.settled_at is not None]
    assert settled
    assert {(item.how, (item.settled_at or 0) - item.opened_at) for item in settled} == {("person", HOUR)}


def test_requests_for_nobody_are_counted_and_wait_for_their_deadline() -> None:
    record = _record(GATE, "days: 2\narrivals: {rate: 2/d, fixed: true}\npeople: {c: {count: 1, roles: [clerk]}}")

    assert record.nobody == {"ask": 3}
    assert {item.how for item in record.items} == {"deadline"}


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        pytest.param("{output: {}}", "success", id="an output"),
        pytest.param("{error: broken}", "failed", id="an error"),
        pytest.param("{crash: true}", "failed", id="crashes until it is poisoned"),
    ],
)
def test_an_agent_does_what_it_is_told(outcome: str, status: str) -> None:
    text = 'workflow: w\nstates:\n  a: {type: agent, python: "x:y", next: end}\n  end: {type: end}\n'

    record = _record(
        text, f"days: 3\narrivals: {{rate: 1/d, fixed: true}}\nagents: {{a: {{takes: 1m, outcomes: [{outcome}]}}}}"
    )

    assert [trip.status for trip in record.trips] == [status] * 2


CRASHING = """
workflow: w
states:
  a: {type: agent, python: "x:y", after_crash: ask, output: {type: integer, minimum: 7}, on: {done: end, error: bad}}
  end: {type: end}
  bad: {type: end, outcome: failure}
"""


def test_questions_after_a_crash_are_answered_each_way_as_likely_and_it_is_said() -> None:
    config = (
        "days: 40\narrivals: 5/d\nagents: {a: {takes: 1m, crash: true}}\n"
        "people: {all: {count: unlimited, hours: always, takes: 1m}}"
    )

    record = _record(CRASHING, config)

    options = Counter(item.option for item in record.items)
    assert set(options) == {"retry", "done", "fail"}
    assert all(0.25 < count / options.total() < 0.42 for count in options.values())
    ways = {tuple(item.option for item in record.items if item.case == case) for case in range(len(record.trips))}
    assert {("retry", "done"), ("retry", "fail"), ("retry", "retry", "done")} <= ways
    said = "questions after a crash of 'a': each of retry, done, fail is as likely"
    assert said in _plan(api.loads(CRASHING), config).assumed


def test_nothing_is_assumed_of_questions_that_nobody_is_asked() -> None:
    plan = _plan(api.loads(CRASHING), "agents: {a: {takes: 1m, output: 7}}")

    assert not [line for line in plan.assumed if "crash" in line]


def test_an_attempt_that_takes_longer_than_its_timeout_fails_then() -> None:
    text = 'workflow: w\nstates:\n  a: {type: agent, python: "x:y", timeout: 5m, next: end}\n  end: {type: end}\n'

    record = _record(text, "days: 2\narrivals: {rate: 1/d, fixed: true}\nagents: {a: {takes: 6m, output: 1}}")

    (trip,) = record.trips
    assert trip.ended_at is not None
    assert (trip.status, trip.ended_at - trip.began_at) == ("failed", 5 * MINUTE)


def test_a_signal_comes_when_it_is_said_to() -> None:
    text = """
workflow: w
states:
  pay: {type: wait, signal: paid, timeout: 3d, on: {received: end, timeout: lost}}
  end: {type: end}
  lost: {type: end, outcome: failure}
"""
    arrivals = "days: 9\narrivals: {rate: 1/d, fixed: true}\n"

    told = _record(text, f"{arrivals}signals: {{pay: {{after: 1d}}}}")
    untold = _record(text, arrivals)

    assert [trip.status for trip in told.trips] == ["success"] * 7 + ["open"]
    assert [trip.status for trip in untold.trips] == ["failure"] * 5 + ["open"] * 3


def test_each_signal_comes_after_its_own_time() -> None:
    text = """
workflow: w
states:
  pay: {type: wait, signal: [paid, lost], on: {paid: end, lost: gone}}
  end: {type: end}
  gone: {type: end, outcome: failure}
"""
    outcomes = "[{signal: paid}, {signal: lost, after: 3d}]"

    record = _record(text, f"days: 30\narrivals: 3/d\nsignals: {{pay: {{after: 1d, outcomes: {outcomes}}}}}")

    lasted = {
        (trip.status, (trip.ended_at - trip.began_at) / DAY) for trip in record.trips if trip.ended_at is not None
    }
    assert lasted == {("success", 1), ("failure", 3)}


def test_each_outcome_of_an_agent_takes_its_own_time() -> None:
    text = 'workflow: w\nstates:\n  a: {type: agent, python: "x:y", next: end}\n  end: {type: end}\n'
    outcomes = "[{output: 1}, {error: late, takes: 2m}]"

    record = _record(text, f"days: 20\narrivals: 3/d\nagents: {{a: {{takes: 1m, outcomes: {outcomes}}}}}")

    lasted = {(trip.status, (trip.ended_at or 0) - trip.began_at) for trip in record.trips if trip.status != "open"}
    assert lasted == {("success", MINUTE), ("failed", 2 * MINUTE)}


def test_data_that_a_signal_must_have_and_nobody_gives_is_made_and_said() -> None:
    text = """
workflow: w
states:
  pay: {type: wait, signal: paid, output: {type: integer, minimum: 5}, next: end}
  end: {type: end}
"""
    config = "days: 9\narrivals: {rate: 1/d, fixed: true}\nsignals: {pay: {after: 1d}}"

    assert "success" in {trip.status for trip in _record(text, config).trips}
    assumed = _plan(api.loads(text), config).assumed
    assert "signals to 'pay': data of paid made from its schema" in assumed


def test_a_value_that_the_workflow_refuses_is_said() -> None:
    """What a form takes from a run is known only then."""
    form = 'form: {type: object, properties: {n: {const: "{{ run.initiator }}"}}}'
    text = GATE.replace("    timeout: 4h", f"    {form}\n    timeout: 4h")
    config = "decisions: {ask: {answers: {approve: {n: many}}, options: {approve: 1}}}"

    with pytest.raises(Invalid, match="'approve' of state 'ask' by 'boss-1' was refused: answers"):
        _record(text, config)


def test_the_same_seed_gives_the_same_and_another_does_not() -> None:
    def facts(seed: int) -> list[tuple[Any, ...]]:
        return _facts(_record(GATE, f"seed: {seed}\ndays: 5"))

    assert facts(1) == facts(1)
    assert facts(1) != facts(2)


def test_a_change_sees_the_same_arrivals_and_the_same_work() -> None:
    definition = api.loads(GATE)
    plan = _plan(
        definition, "days: 10\narrivals: 60/d\npeople: {b: {count: 2, roles: [boss], hours: always, takes: exp(45m)}}"
    )
    more = with_reviewers(definition, plan, "boss", 3)

    few, many = (simulate(rules_of(definition, one), one, 0) for one in (plan, more))

    assert [trip.began_at for trip in few.trips] == [trip.began_at for trip in many.trips]
    assert sum(item.how == "deadline" for item in many.items) < sum(item.how == "deadline" for item in few.items)


def test_one_more_person_and_more_time_are_tried_where_they_matter() -> None:
    definition = api.loads(GATE)
    plan = _plan(
        definition,
        "days: 20\nreplications: 4\narrivals: 30/d\n"
        "people: {b: {count: 1, roles: [boss], hours: always, takes: exp(45m)}}",
    )

    found = study(definition, plan)

    assert [variant.title for variant in found.variants] == ["one more in 'b'", "timeout of 'ask' 8h instead of 4h"]
    person, time = (variant.differences for variant in found.variants)
    assert person["all", "", "wait_mean"].high < 0
    assert time["all", "", "default_share"].high < 0


def _said(config: str, *, is_compared: bool = False) -> list[str]:
    definition = api.loads(GATE.replace("4h", "4d"))
    return choke(study(definition, _plan(definition, f"replications: 4\n{config}"), is_compared=is_compared))


@pytest.mark.parametrize("is_compared", [True, False])
def test_who_works_when_requests_come_is_not_said_to_lack_hours(is_compared: bool) -> None:
    hours = '"mon-fri 09:00-17:00"'
    people = f"people: {{b: {{count: 1, roles: [boss], hours: {hours}, takes: exp(15m)}}}}"

    said = _said(f"arrivals: {{rate: 15/d, hours: {hours}}}\n{people}", is_compared=is_compared)

    assert not [line for line in said if "hours begin" in line]
    assert [line.partition(" ")[2] for line in said if "that waiting" in line] == [
        "% of that waiting is until somebody is free: more people would shorten it"
    ]


def test_who_is_there_for_two_hours_a_day_is_said_to_lack_hours() -> None:
    said = _said('arrivals: 5/d\npeople: {b: {count: 3, roles: [boss], hours: "mon-sun 09:00-11:00", takes: 5m}}')

    assert [line.partition(" ")[2] for line in said if "that waiting" in line] == [
        "% of that waiting is until their hours begin: other hours would shorten it, more people would not"
    ]


def test_hours_and_number_are_told_apart_where_both_make_people_wait() -> None:
    said = _said('arrivals: 9/d\npeople: {b: {count: 1, roles: [boss], hours: "mon-sun 09:00-13:00", takes: exp(20m)}}')

    parts = [float(line.split()[0]) for line in said if "that waiting" in line]
    assert len(parts) == 2
    assert sum(parts) == pytest.approx(100, abs=0.1)


def test_more_people_are_not_promised_where_one_more_was_tried_in_vain() -> None:
    definition = api.loads(GATE)
    plan = _plan(definition, "arrivals: 30/d\npeople: {b: {count: 1, roles: [boss], hours: always, takes: 40m}}")
    found = study(definition, replace(plan, replications=3))
    one, *others = found.variants
    differences = {**one.differences, WAIT: Estimate(mean=-1, low=-3, high=1)}
    in_vain = replace(found, variants=(replace(one, differences=differences), *others))

    assert any("more people would" in line for line in choke(found))
    assert not any("more people would" in line for line in choke(in_vain))


def test_what_waits_for_hours_is_what_is_left_with_people_without_end() -> None:
    config = (
        'days: 20\narrivals: 20/d\npeople: {{b: {{count: {}, roles: [boss], hours: "mon-sun 09:00-12:00", takes: 6m}}}}'
    )
    definition = api.loads(GATE.replace("4h", "4d"))

    few, many = (study(definition, _plan(definition, config.format(count)), is_compared=False) for count in (1, 200))

    left = many.value("role", "boss", "queue_mean")
    assert few.value("role", "boss", "queue_mean") > left > 0
    assert few.value("role", "boss", "off_duty_mean") == pytest.approx(left, rel=1e-6)


def test_a_longer_timeout_is_another_definition() -> None:
    definition = api.loads(GATE)

    longer = with_timeout(definition, "ask", parse_duration("8h"))

    assert longer.version == api.loads(GATE.replace("4h", "8h")).version
    assert definition.version == api.loads(GATE).version


def test_one_replication_has_the_interval_of_its_batches() -> None:
    definition = api.loads(GATE)
    found = study(definition, replace(_plan(definition, "days: 20\narrivals: 30/d"), replications=1), is_compared=False)

    wait = found.estimates["all", "", "wait_mean"]

    assert wait.low < wait.mean < wait.high


def test_what_nobody_gives_is_assumed_and_said() -> None:
    definition = api.load(WORKFLOWS / "expense" / "expense.yaml")
    people: Mapping[str, frozenset[str]] = {"dora": frozenset({"manager"})}

    plan = complete(definition, read_config(b"days: 3", "c.yaml", definition, Path()), people)

    assert {line.split(":")[0] for line in plan.assumed} == {
        "arrivals",
        "inputs",
        "people 'manager'",
        "people 'director'",
        "agent 'draft'",
        "agent 'pay'",
        "decisions of 'review'",
        "decisions of 'manager'",
        "decisions of 'director'",
    }
    assert plan.days == 3
    assert json.dumps([case.value for case in plan.cases])


def test_what_only_patience_chooses_is_not_said_to_be_as_likely() -> None:
    text = GATE.replace("reject: bad}", "reject: bad, withdraw: bad}").replace('    assign: ["role:boss"]\n', "")
    config = "decisions: {ask: {patience: {option: withdraw, after: 1h}}}"

    assumed = _plan(api.loads(text), config).assumed

    assert "decisions of 'ask': each of approve, reject is as likely" in assumed


def test_a_run_that_waits_goes_on_with_all_that_it_has() -> None:
    """It reads its input and an earlier decision, under its own definition, and keeps its deadline."""
    text = GATE.replace("approve: good", "approve: more").replace(
        "  good:",
        '  more:\n    type: approval\n    message: "{{ ask.by }}"\n    assign: ["{{ ask.by }}"]\n'
        "    on: {go: [{to: good, when: \"ask.by == 'ann'\"}, {to: bad}]}\n    timeout: never\n  good:",
    )
    clock = Clock(datetime(2026, 1, 5, 9, tzinfo=UTC))
    with holdpoint.Engine("memory://", clock=clock, people={"ann": ["boss"]}) as engine:
        definition = engine.loads(text)
        engine.decide(engine.start(definition).id, "approve", by="ann")
        engine.start(definition)
        clock.set(clock() + timedelta(hours=1))
        plan = _plan(
            definition,
            "days: 2\narrivals: {rate: 1/w, fixed: true}\npeople: {b: {names: [ann], hours: always, takes: 1h}}",
        )
        plan = replace(plan, start=clock())

        record = simulate(rules_of(definition, plan), plan, 0, engine.backlog("gate"))

    facts = {(item.state, item.opened_at, item.settled_at, item.how) for item in record.items}
    assert facts == {("more", -HOUR, HOUR, "person"), ("ask", -HOUR, 3 * HOUR, "deadline")}
    assert record.trips == []


def test_what_follows_from_a_runs_own_hash_is_not_shared() -> None:
    """The spread of the delay before a retry is each run's own."""
    text = """
workflow: own
states:
  work: {type: agent, python: "a:b", retry: {attempts: 3, delay: 1h}, on: {done: ask, error: ask}}
  ask: {type: approval, message: "?", on: {approve: end, reject: end}, timeout: 2d, default: reject}
  end: {type: end}
"""
    config = """
days: 6
arrivals: 20/d
agents: {work: {takes: exp(1m), outcomes: [{output: 1}, {error: broken}]}}
people: {all: {count: 1, hours: always, takes: exp(1h)}}
"""
    definition = api.loads(text)
    plan = _plan(definition, config)

    shared, alone = (simulate(rules_of(definition, plan, is_shared=one), plan, 0) for one in (True, False))

    assert _facts(shared) == _facts(alone)
