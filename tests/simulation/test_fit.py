"""Plans fitted to what happened: a simulated past is found again, from a log and from a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import holdpoint
from holdpoint import api
from holdpoint.engine.errors import Invalid
from holdpoint.simulation.fit import fit
from holdpoint.simulation.given import complete
from holdpoint.simulation.log import log_of, read_log
from holdpoint.testing import Clock, agents

TEXT = """
workflow: fitted
input: {type: object, properties: {n: {type: integer}}}
states:
  work: {type: agent, python: "a:b", output: {type: object}, on: {done: ask, error: ask}}
  ask:
    type: approval
    message: "?"
    assign: ["role:boss"]
    on: {approve: end, reject: end}
    timeout: 4h
    default: reject
  end: {type: end}
"""
DAY = 86_400
HEADER = "run,state,option,by,opened_at,settled_at\n"


def _log(tmp_path: Path, rows: str, header: str = HEADER) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(header + rows)
    return path


def test_a_log_gives_arrivals_durations_shares_and_people(tmp_path: Path) -> None:
    rows = "".join(
        f"r{day},work,,,2026-01-{day:02}T09:00:00Z,2026-01-{day:02}T09:02:00Z\n"
        f"r{day},ask,{'approve' if day % 4 else 'reject'},ann,2026-01-{day:02}T09:02:00Z,2026-01-{day:02}T09:12:00Z\n"
        for day in range(1, 29)
    )
    definition = api.loads(TEXT)

    given = fit(definition, read_log(_log(tmp_path, rows), definition), {"ann": frozenset({"boss", "legal"})})

    assert given.arrivals is not None
    assert given.arrivals.rate.count == pytest.approx(7, rel=0.05)
    assert {hour for hour, weight in enumerate(given.arrivals.week) if weight} == {9 + 24 * day for day in range(7)}
    assert given.habits["ask"].options == {"approve": 21, "reject": 7}
    (group,) = given.people
    assert (group.names, group.roles) == (("ann",), frozenset({"boss", "legal"}))
    assert group.hours.week[0] == ((9 * 60, 10 * 60),)
    assert group.takes.at(0.5) == 600


def test_a_decision_took_no_longer_than_since_the_one_before(tmp_path: Path) -> None:
    rows = (
        "r1,ask,approve,ann,2026-01-05T09:00:00Z,2026-01-05T09:10:00Z\n"
        "r2,ask,approve,ann,2026-01-05T09:00:00Z,2026-01-05T09:20:00Z\n"
        "r3,ask,approve,ann,2026-01-05T09:00:00Z,2026-01-05T09:30:00Z\n"
    )
    definition = api.loads(TEXT)

    (group,) = fit(definition, read_log(_log(tmp_path, rows), definition), {}).people

    assert {group.takes.at(share) for share in (0.0, 0.5, 1.0)} == {600}
    assert group.roles == frozenset({"boss"})


def test_a_log_without_people_gives_times_as_they_are(tmp_path: Path) -> None:
    rows = (
        "r1,ask,approve,2026-01-05T09:00:00Z,2026-01-05T10:00:00Z\n"
        "r2,ask,approve,2026-01-05T09:00:00Z,2026-01-05T10:00:00Z\n"
        "r3,ask,,2026-01-05T09:00:00Z,\n"
    )
    definition = api.loads(TEXT)

    given = fit(definition, read_log(_log(tmp_path, rows, HEADER.replace("by,", "")), definition), {})

    (everybody,) = given.people
    takes = given.habits["ask"].takes
    assert everybody.names is None
    assert takes is not None
    assert given.habits["ask"].options == {"approve": 2}
    assert takes.at(0.3) == 3_600


def test_an_agent_in_a_log_keeps_its_times_and_failures_though_its_outputs_are_made_up(tmp_path: Path) -> None:
    text = TEXT.replace("output: {type: object}", "output: {type: object, required: [n], properties: {n: {const: 5}}}")
    rows = "".join(
        f"r{number},work,{option},,2026-01-05T09:00:00Z,2026-01-05T09:08:00Z\n"
        for number, option in enumerate(["", "", "", "error"])
    )
    rows += "r9,work,,,2026-01-05T09:00:00Z,\n"  # it had not ended when the log did
    definition = api.loads(text)

    plan = complete(definition, fit(definition, read_log(_log(tmp_path, rows), definition), {}), {})

    work = plan.work("work")
    assert work.takes.at(0.5) == 480
    assert [(one.output, one.error, one.weight) for one in work.outcomes] == [
        ({"n": 5}, None, 3),
        (None, "as in the log", 1),
    ]
    assert "agent 'work': output: 1 made from its schema" in plan.assumed


ASKING = TEXT.replace("on: {done: ask, error: ask}", "after_crash: {ask: {assign: [role:ops]}}, next: ask")


def test_questions_after_a_crash_are_in_a_log_as_requests_are(tmp_path: Path) -> None:
    rows = (
        "r1,work,crash,,2026-01-05T09:00:00Z,2026-01-05T09:01:00Z\n"
        "r1,work,done,rob,2026-01-05T09:01:00Z,2026-01-05T09:11:00Z\n"
        "r2,work,crash,,2026-01-06T09:00:00Z,2026-01-06T09:01:00Z\n"
        "r2,work,retry,rob,2026-01-06T09:01:00Z,2026-01-06T09:11:00Z\n"
        "r2,work,,,2026-01-06T09:11:00Z,2026-01-06T09:12:00Z\n"
        "r3,work,fail,,2026-01-07T09:01:00Z,2026-01-07T09:11:00Z\n"  # by its deadline
    )
    definition = api.loads(ASKING)

    given = fit(definition, read_log(_log(tmp_path, rows), definition), {})

    assert given.habits["work"].options == {"done": 1, "retry": 1}
    assert [(one.is_crash, one.weight) for one in given.agents["work"].outcomes] == [(False, 1), (True, 2)]
    assert [(group.names, group.roles, group.takes.at(0.5)) for group in given.people] == [
        (("rob",), frozenset({"ops"}), 600)
    ]


def test_questions_after_a_crash_are_found_in_the_histories() -> None:
    clock = Clock(datetime(2026, 1, 5, 9, tzinfo=UTC))
    made_up = agents("fitted", {"work": {"attempts": [{"crash": True}, {"output": {}}]}})
    with holdpoint.Engine("memory://", clock=clock, agents=made_up, people={"rob": ["ops"]}) as engine:
        run = engine.start(engine.loads(ASKING), {})
        clock.set(clock() + timedelta(minutes=10))
        run = engine.decide(run.id, "retry", by="rob")
        log = log_of(api.loads(ASKING), [(run, engine.history(run.id))], clock())

    given = fit(api.loads(ASKING), log, {})

    assert given.habits["work"].options == {"retry": 1}
    assert [(one.is_crash, one.weight) for one in given.agents["work"].outcomes] == [(False, 1), (True, 1)]
    assert [(group.names, group.roles) for group in given.people] == [(("rob",), frozenset({"ops"}))]


WAIT = """
workflow: waits
states:
  authority:
    type: wait
    signal: [cleared, objected]
    output: {type: object, required: [ref], properties: {ref: {type: string}}}
    timeout: 10d
    on: {cleared: end, objected: end, timeout: end}
  end: {type: end}
"""


def test_a_log_gives_when_signals_come_and_which(tmp_path: Path) -> None:
    rows = (
        "r1,authority,cleared,2026-01-05T09:00:00Z,2026-01-07T09:00:00Z\n"
        "r2,authority,cleared,2026-01-05T09:00:00Z,2026-01-07T09:00:00Z\n"
        "r3,authority,objected,2026-01-05T09:00:00Z,2026-01-09T09:00:00Z\n"
        "r4,authority,timeout,2026-01-05T09:00:00Z,2026-01-15T09:00:00Z\n"
        "r5,authority,,2026-01-08T09:00:00Z,\n"
    )
    definition = api.loads(WAIT)

    given = fit(definition, read_log(_log(tmp_path, rows, HEADER.replace("by,", "")), definition), {})

    work = given.signals["authority"]
    assert [(one.signal, one.weight, one.output) for one in work.outcomes] == [
        ("cleared", 2, None),
        ("objected", 1, None),
    ]
    assert [work.takes.at(share) / DAY for share in (0.1, 0.3, 0.5, 0.8)] == [2, 2, 4, 100]
    plan = complete(definition, given, {})
    assert [one.output for one in plan.signals["authority"].outcomes] == [{"ref": "some text"}] * 2
    assert "signals to 'authority': data of cleared, objected made from its schema" in plan.assumed


def test_the_histories_give_when_signals_came_which_and_with_what() -> None:
    clock = Clock(datetime(2026, 1, 5, tzinfo=UTC))
    with holdpoint.Engine("memory://", clock=clock) as engine:
        definition = engine.loads(WAIT)
        cleared, objected, again, _, cancelled, _ = (engine.start(definition).id for _ in range(6))
        clock.advance(engine, "2d")
        engine.signal(cleared, "cleared", {"ref": "A"})
        engine.signal(again, "cleared", {"ref": "B"})
        clock.advance(engine, "2d")
        engine.signal(objected, "objected", {"ref": "C"})
        engine.cancel(cancelled, reason="no")
        clock.advance(engine, "6d")
        engine.start(definition)
        clock.advance(engine, "1d")
        runs = [engine.get_run(one.id) for one in engine.runs().items]
        log = log_of(definition, [(run, engine.history(run.id)) for run in runs], clock())

    work = fit(definition, log, {}).signals["authority"]

    shares = sorted((one.signal or "", one.output["ref"], one.weight) for one in work.outcomes)
    assert shares == [("cleared", "A", 1), ("cleared", "B", 1), ("objected", "C", 1)]
    lasted = sorted((passage.option, (passage.settled_at - passage.opened_at).days) for passage in log.passages)
    assert lasted == [
        ("", 1),
        ("", 4),
        ("cleared", 2),
        ("cleared", 2),
        ("objected", 4),
        ("timeout", 10),
        ("timeout", 10),
    ]
    assert [work.takes.at(share) / DAY for share in (0.1, 0.3, 0.4, 0.6)] == [2, 2, 4, 100]


def test_a_signal_that_came_before_its_wait_took_no_time() -> None:
    text = """
workflow: early
states:
  ask: {type: approval, message: "?", on: {go: pay}, timeout: never}
  pay: {type: wait, signal: paid, next: end}
  end: {type: end}
"""
    clock = Clock(datetime(2026, 1, 5, tzinfo=UTC))
    with holdpoint.Engine("memory://", clock=clock) as engine:
        run = engine.start(engine.loads(text))
        engine.signal(run.id, "paid", 7)
        clock.advance(engine, "2d")
        run = engine.decide(run.id, "go", by="ann")
        log = log_of(api.loads(text), [(run, engine.history(run.id))], clock())

    work = fit(api.loads(text), log, {}).signals["pay"]

    assert (work.takes.at(0.5), [(one.signal, one.output) for one in work.outcomes]) == (0, [("paid", 7)])


def test_waits_that_got_no_signal_say_nothing_of_signals(tmp_path: Path) -> None:
    definition = api.loads(WAIT)
    rows = "r1,authority,timeout,2026-01-05T09:00:00Z,2026-01-15T09:00:00Z\n"

    given = fit(definition, read_log(_log(tmp_path, rows, HEADER.replace("by,", "")), definition), {})

    assert given.signals == {}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("r,nope,a,,2026-01-05T09:00:00Z,2026-01-05T09:00:00Z\n", "log.csv:2: there is no such state 'nope'"),
        ("r,ask,aprove,,2026-01-05T09:00:00Z,2026-01-05T09:00:00Z\n", "no option 'aprove'; did you mean 'approve'"),
        ("r,ask,approve,,yesterday,2026-01-05T09:00:00Z\n", "log.csv:2: 'yesterday' is not a time"),
        ("r,ask,approve,,2026-01-05T09:00:01Z,2026-01-05T09:00:00Z\n", "settled before it was opened"),
        ("", "nothing below the header"),
        (
            "r,later,,,2026-01-05T09:00:00Z,2026-01-05T09:00:00Z\n",
            "state 'later' is no agent, asks nobody and waits for",
        ),
        ("r,pay,payed,,2026-01-05T09:00:00Z,2026-01-05T09:00:00Z\n", "has no option 'payed'; did you mean 'paid'"),
    ],
)
def test_a_log_that_does_not_fit_is_refused(tmp_path: Path, rows: str, said: str) -> None:
    pay = "pay: {type: wait, signal: [paid, lost], on: {paid: later, lost: end}}"
    later = "later: {type: wait, for: 1d, next: end}"
    text = TEXT.replace("reject: end}", "reject: pay}").replace("  end:", f"  {pay}\n  {later}\n  end:")
    definition = api.loads(text)

    with pytest.raises(Invalid, match=said):
        read_log(_log(tmp_path, rows), definition)


def test_a_column_too_few_or_too_many_is_said(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="column 'opened_at' is missing"):
        read_log(_log(tmp_path, "", "run,state,option,settled_at\n"), api.loads(TEXT))
    with pytest.raises(Invalid, match=r"unknown column 'optin'; did you mean 'option'\?"):
        read_log(_log(tmp_path, "", "run,state,optin,opened_at,settled_at\n"), api.loads(TEXT))
    with pytest.raises(Invalid, match="unknown column 'who'"):
        read_log(_log(tmp_path, "", "run,state,option,opened_at,settled_at,who\n"), api.loads(TEXT))


def test_the_history_of_a_database_gives_the_same() -> None:
    clock = Clock(datetime(2026, 1, 5, 9, tzinfo=UTC))
    answers = iter([{"n": 1}, {"n": 2}, None])

    def work() -> dict[str, int]:
        clock.set(clock() + timedelta(minutes=3))
        answer = next(answers)
        if answer is None:
            raise ValueError("broken")
        return answer

    with holdpoint.Engine("memory://", clock=clock, agents={"a:b": work}, people={"ann": ["boss"]}) as engine:
        definition = engine.loads(TEXT)
        for option in ("approve", "reject", None):
            run = engine.start(definition, {"n": 5})
            clock.set(clock() + timedelta(minutes=10))
            if option is None:
                clock.advance(engine, "4h")
            else:
                engine.decide(run.id, option, by="ann")
        runs = [engine.get_run(one.id) for one in engine.runs().items]
        log = log_of(definition, [(run, engine.history(run.id)) for run in runs], clock())

    given = fit(definition, log, {"ann": frozenset({"boss"})})

    assert [(case.value, case.weight) for case in given.cases] == [({"n": 5}, 3)]
    assert given.habits["ask"].options == {"approve": 1, "reject": 1}
    assert [(one.output, one.error, one.weight) for one in given.agents["work"].outcomes] == [
        ({"n": 2}, None, 1),
        ({"n": 1}, None, 1),
        (None, "ValueError: broken", 1),
    ]
    assert given.agents["work"].takes.at(0.5) == 180
    assert [group.takes.at(0.5) for group in given.people] == [600]


def test_a_database_without_runs_has_nothing_to_fit() -> None:
    definition = api.loads(TEXT)

    with pytest.raises(Invalid, match="no run of 'fitted' is there to fit to"):
        fit(definition, log_of(definition, [], datetime(2026, 1, 5, tzinfo=UTC)), {})
