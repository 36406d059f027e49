"""The configuration of a simulation: what it gives, and each mistake at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdpoint import api
from holdpoint.engine.errors import Invalid
from holdpoint.simulation.given import Given
from holdpoint.simulation.plan import Outcome
from holdpoint.simulation.reading import read_config

DEFINITION = api.loads(
    """
workflow: all-kinds
input: {type: object, required: [n], properties: {n: {type: integer}}}
states:
  work: {type: agent, python: "a:b", output: {type: object, required: [ok]}, on: {done: ask, error: ask}}
  ask: {type: approval, message: "?", on: {approve: pause, reject: end}, timeout: never}
  pause: {type: wait, signal: [paid, lost], output: {type: [object, "null"]}, on: {paid: end, lost: end}}
  ship: {type: agent, python: "a:b", after_crash: {ask: {}}, output: {type: integer}, next: give}
  give:
    type: approval
    message: "?"
    assign: {yes: ["role:boss"], no: [initiator], wait: ["{{ run.initiator }}"]}
    on: {"yes": end, "no": end, "wait": end}
    forms: {"no": {type: object, required: [why], properties: {why: {type: string}}}}
    timeout: never
  end: {type: end}
"""
)


def _read(text: str, folder: Path = Path()) -> Given:
    return read_config(text.encode(), "sim.yaml", DEFINITION, folder)


def test_everything_is_read() -> None:
    given = _read("""
days: 60
warmup: 5
seed: 3
replications: 20
start: "2026-03-02T00:00:00Z"
order: fifo
arrivals: {rate: 3/h, fixed: true, hours: "mon-fri 08:00-18:00", timezone: Europe/Rome}
inputs: [{weight: 2, value: {n: 1}}, {value: {n: 2}}]
agents:
  work:
    takes: "lognormal(1m, 4m)"
    outcomes: [{weight: 9, output: {ok: true}}, {error: broken, code: agent_exit}, {crash: true}]
people:
  team: {count: 3, roles: [legal], hours: always, takes: exp(5m), speed: 1.5}
  named: {names: [ann, bob]}
  many: {count: unlimited}
decisions:
  ask: {options: {approve: 3, reject: 1}, takes: 1h, patience: {option: reject, after: 2d}}
signals:
  pause: {after: exp(1d), outcomes: [{signal: paid, data: {ref: 7}}, {signal: lost}]}
""")

    assert (given.days, given.warmup, given.seed, given.replications, given.is_inbox_order) == (60, 5, 3, 20, False)
    assert given.arrivals is not None
    assert (str(given.arrivals.rate), given.arrivals.is_fixed) == ("3/h", True)
    assert [(case.value, case.weight) for case in given.cases] == [({"n": 1}, 2), ({"n": 2}, 1)]
    assert given.agents["work"].outcomes == (
        Outcome(weight=9, output={"ok": True}),
        Outcome(error="broken", code="agent_exit"),
        Outcome(is_crash=True),
    )
    assert [(group.name, group.names) for group in given.people] == [
        ("team", ("team-1", "team-2", "team-3")),
        ("named", ("ann", "bob")),
        ("many", None),
    ]
    assert given.habits["ask"].options == {"approve": 3, "reject": 1}
    assert given.habits["ask"].patience is not None
    assert [outcome.signal for outcome in given.signals["pause"].outcomes] == ["paid", "lost"]


def test_an_outcome_has_a_time_of_its_own_or_that_beside_outcomes() -> None:
    given = _read("""
agents:
  work: {takes: 1m, outcomes: [{output: {ok: true}}, {error: broken, takes: 9m}]}
signals:
  pause: {outcomes: [{signal: paid, after: 5d}, {signal: lost, after: 30d}]}
""")

    times = {
        name: [work.time_of(one).at(0.5) for one in work.outcomes]
        for name, work in {**given.agents, **given.signals}.items()
    }
    assert times == {"work": [60, 540], "pause": [5 * 86_400, 30 * 86_400]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dayz: 3", "sim.yaml:1:1: error: unknown key 'dayz' in the configuration; did you mean 'days'?"),
        ("days: 0", "sim.yaml:1:7: error: 'days' is a whole number from 1 to 3660, not 0"),
        ("days: ten", "sim.yaml:1:7: error: 'days' is a whole number from 1 to 3660, not 'ten'"),
        ("[1]", "sim.yaml:1:1: error: the configuration must be a mapping"),
        ("arrivals: 5", "sim.yaml:1:11: error: 'arrivals' must be a mapping, not 5"),
        ("arrivals: 5/y", "sim.yaml:1:11: error: '5/y' is not a rate; write e.g. 20/d"),
        ("arrivals: {hours: always}", "sim.yaml:1:11: error: 'rate' is missing in 'arrivals'; add 'rate: …'"),
        ("arrivals: {rate: 1/d, timezone: Rome}", "sim.yaml:1:33: error: 'Rome' is not a time zone"),
        ("arrivals: {file: none.csv}", "sim.yaml:1:18: error: file 'none.csv' cannot be read"),
        ("start: today", "sim.yaml:1:8: error: 'today' is not a time"),
        ("order: lifo", "sim.yaml:1:8: error: 'order' cannot be 'lifo'; allowed: inbox, fifo"),
        ("inputs: [{value: {n: many}}]", "sim.yaml:1:18: error: input"),
        ("inputs: []", "sim.yaml:1:9: error: 'inputs' must be a list with something in it, not []"),
        ("agents: {wrk: {takes: 1m}}", "sim.yaml:1:10: error: unknown state 'wrk' in 'agents'; did you mean 'work'?"),
        ("agents: {ask: {takes: 1m}}", "unknown state 'ask' in 'agents'"),
        ("agents: {work: {takes: soon}}", "sim.yaml:1:24: error: 'soon' is not a duration"),
        ("agents: {work: {takes: 1m, output: {}}}", "sim.yaml:1:36: error: output"),
        ("agents: {work: {output: {ok: 1}}}", "sim.yaml:1:16: error: 'takes' is missing in 'agents.work'"),
        (
            "people: {a: {count: -1}}",
            "sim.yaml:1:21: error: 'people.a.count' is a whole number from 0 to 10000, not -1",
        ),
        ("people: {a: {hours: mon}}", "sim.yaml:1:21: error: 'mon' has no times"),
        ("people: {a: {names: [x]}, b: {names: [x]}}", "sim.yaml:1:30: error: 'x' is named twice"),
        ("people: {a: {roles: legal}}", "sim.yaml:1:21: error: 'people.a.roles' must be a list of texts, not 'legal'"),
        ("people: {a: {names: ['x:y']}}", "sim.yaml:1:22: error: a person cannot be named 'x:y'"),
        (
            "decisions: {ask: {options: {aprove: 1}}}",
            "unknown option 'aprove' in 'decisions.ask.options'; did you mean",
        ),
        ("decisions: {ask: {options: {approve: 0}}}", "no option in 'decisions.ask.options' has a weight above 0"),
        ("decisions: {ask: {patience: {option: no, after: 1h}}}", "there is no option 'no'; allowed: approve, reject"),
        (
            "signals: {pause: {outcomes: [{signal: paid, after: 1h}, {signal: lost}]}}",
            "sim.yaml:1:57: error: 'after' is missing in 'signals.pause.outcomes.1'; add 'after: …'",
        ),
        ("agents: {work: {outcomes: [{error: no}]}}", "1:28: error: 'takes' is missing in 'agents.work.outcomes.0'"),
        ("agents: {work: {outcomes: [{error: no, takes: soon}]}}", "sim.yaml:1:47: error: 'soon' is not a duration"),
        (
            "agents: {work: {takes: 1m, error: late, code: agent_tiemout}}",
            "sim.yaml:1:47: error: no agent fails with the code 'agent_tiemout'; did you mean 'agent_timeout'?",
        ),
        (
            "agents: {work: {takes: 1m, outcomes: [{error: x, code: [a]}]}}",
            "1:56: error: no agent fails with the code ['a']",
        ),
        ("signals: {pause: {after: 1h}}", "state 'pause' takes no signal nothing; allowed: paid, lost"),
        ("signals: {pause: {after: 1h, signal: paid, data: 7}}", "sim.yaml:1:50: error: data: 7 is not of type"),
        (
            "decisions: {work: {options: {retry: 1}}}",
            "sim.yaml:1:13: error: agent 'work' asks nobody after a crash; add 'after_crash: ask' to it, or",
        ),
        (
            "decisions: {give: {patience: {option: 'yes', after: 1h}}}",
            "sim.yaml:1:39: error: the initiator may not decide 'yes'; name 'initiator' in the state's 'assign'",
        ),
        ("decisions: {give: {answers: {'no': {van: x}}}}", "sim.yaml:1:36: error: answers: 'why' is required"),
        (
            "decisions: {give: {answers: {'yes': {}}}}",
            "sim.yaml:1:30: error: option 'yes' takes no answers; those that take some: no",
        ),
        ("decisions: {ship: {answers: {done: many}}}", "sim.yaml:1:36: error: answers: 'many' is not of type"),
        ("days: 1\ndays: 2", "duplicate key 'days'"),
        ("days: !!int 3", "tags"),
    ],
)
def test_a_mistake_is_said_at_its_place(text: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        _read(text)

    assert said in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "decisions: {give: {patience: {option: 'no', after: 1h}}}",
        "decisions: {give: {patience: {option: wait, after: 1h}}}",
        "decisions: {ask: {patience: {option: reject, after: 1h}}}",
        "people: {initiators: {names: [a], roles: [boss]}}\ndecisions: {give: {patience: {option: 'yes', after: 1h}}}",
    ],
)
def test_patience_is_taken_where_the_initiator_may_decide(text: str) -> None:
    assert [habit.patience is not None for habit in _read(text).habits.values()] == [True]


def test_every_mistake_is_said_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        _read("days: 0\nseed: -1\nagents: {nope: {}}")

    assert [line.split(":")[1] for line in caught.value.message.splitlines()] == ["1", "2", "3"]


def test_arrivals_are_the_times_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("at\n2026-01-05T10:00:00Z\n2026-01-05T09:00:00+01:00,x\n")

    given = _read("start: '2026-01-05T00:00:00Z'\narrivals: {file: times.csv}", tmp_path)

    assert given.arrivals is not None
    assert given.arrivals.times == (8 * 3_600, 10 * 3_600)


def test_a_time_that_is_none_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text("at\n2026-01-05\n")

    with pytest.raises(Invalid, match=r"times.csv:2:1: '2026-01-05' is not a time"):
        _read("arrivals: {file: times.csv}", tmp_path)
