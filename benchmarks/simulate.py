"""Holds `flow simulate` against queueing theory, against a real year, and against the clock.

Theory: queues with a closed form, as real workflows, must give waits and leaving shares whose 95 % intervals hold the
closed form. A year: arrivals and decision times of a real log are fitted on 2017, and the open requests of 2018 are
predicted. The clock: 30 days of 1,000 runs a day of the shipped expense workflow. Exit status 1, with --check, where a
closed form is outside of more intervals than chance allows, or the clock's target is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from holdpoint import api
from holdpoint.engine.definition import Definition
from holdpoint.engine.times import format_time
from holdpoint.simulation import queueing
from holdpoint.simulation.fit import fit
from holdpoint.simulation.given import Given, complete
from holdpoint.simulation.log import read_log
from holdpoint.simulation.plan import Arrivals, Plan
from holdpoint.simulation.reading import read_config
from holdpoint.simulation.study import Study, study
from holdpoint.simulation.world import rules_of, simulate

EXPENSE = Path(__file__).parents[1] / "workflows" / "expense" / "expense.yaml"
TARGET = 60.0
MAX_OUTSIDE = 2
_SERVICE = 1 / 600

# Who decides does the work: the deadline holds to its end.
ONE_STEP = """
workflow: queue
states:
  ask: {{type: approval, message: "?", assign: ["role:server"], on: {{approve: end}}, {timeout}}}
  end: {{type: end}}
"""
# Who takes it is asked again, urgently, and does the work then: the deadline holds to its beginning.
TWO_STEPS = """
workflow: queue
states:
  ask:
    type: approval
    message: "?"
    assign: {{take: ["role:server"], leave: [initiator]}}
    on: {{take: work, leave: gone{edge}}}
    {timeout}
  work:
    type: approval
    message: "?"
    assign: ["{{{{ ask.by }}}}"]
    priority: urgent
    on: {{approve: end}}
    timeout: never
  end: {{type: end}}
  gone: {{type: end, outcome: failure}}
"""
CONFIG = """
days: {days}
warmup: {warmup}
seed: {seed}
replications: {replications}
arrivals: {rate}/h
people: {{server: {{count: {servers}, roles: [server], hours: always, takes: exp(10m)}}}}
{more}
"""
EXPENSE_CONFIG = """
replications: 1
arrivals: {rate: 1000/d, hours: "mon-sun 08:00-20:00"}
inputs:
  - {weight: 8, value: {employee: ann, amount: 120}}
  - {weight: 2, value: {employee: ann, amount: 9000}}
people:
  staff: {count: unlimited, takes: exp(2h)}
  managers: {count: 50, roles: [manager], takes: exp(15m)}
  directors: {count: 14, roles: [director], takes: exp(15m)}
agents:
  draft: {takes: "uniform(1m, 5m)", output: {text: taxi}}
  pay:
    takes: 5s
    outcomes: [{weight: 98, output: {}}, {weight: 1, error: "the bank is closed"}, {weight: 1, crash: true}]
decisions:
  review: {options: {accept: 8, revise: 2}}
  manager: {options: {approve: 9, reject: 1}}
  director: {options: {approve: 9, reject: 1}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A queue: how it is written, and what theory says of it. `leaving` names the share that leaves."""

    name: str
    workflow: str
    rate: float
    servers: int
    forecast: queueing.Forecast
    leaving: str | None = None
    more: str = ""


def cases() -> list[Case]:
    """The queues. Service takes 10 minutes on average in all of them."""
    take = "decisions: {ask: {takes: 0s, options: {take: 1}%s}}"
    hour = 3_600
    return [
        Case(
            name="M/M/1",
            workflow=ONE_STEP.format(timeout="timeout: never"),
            rate=4.2,
            servers=1,
            forecast=queueing.mmc(4.2 / hour, _SERVICE, 1),
        ),
        Case(
            name="M/M/3",
            workflow=ONE_STEP.format(timeout="timeout: never"),
            rate=14,
            servers=3,
            forecast=queueing.mmc(14 / hour, _SERVICE, 3),
        ),
        Case(
            name="M/M/1, over by 20m",
            workflow=ONE_STEP.format(timeout="timeout: 20m, default: approve"),
            rate=6,
            servers=1,
            forecast=queueing.mm1_finished_by(6 / hour, _SERVICE, 1_200),
            leaving="default_share",
        ),
        Case(
            name="M/M/3+D, begun by 5m",
            workflow=TWO_STEPS.format(edge=", timeout: gone", timeout="timeout: 5m"),
            rate=20,
            servers=3,
            forecast=queueing.mmc_deadline(20 / hour, _SERVICE, 3, 300),
            leaving="default_share",
            more=take % "",
        ),
        Case(
            name="M/M/3+M, patience 5m",
            workflow=TWO_STEPS.format(edge="", timeout="timeout: never"),
            rate=20,
            servers=3,
            forecast=queueing.mmc_exponential(20 / hour, _SERVICE, 3, 300),
            leaving="withdrawn_share",
            more=take % ", patience: {option: leave, after: exp(5m)}",
        ),
    ]


def theory(days: int, replications: int, seed: int) -> list[dict[str, Any]]:
    """Each closed form beside what came out, with whether the interval holds it."""
    found = []
    for case in cases():
        text = CONFIG.format(
            days=days,
            warmup=max(1, days // 20),
            seed=seed,
            replications=replications,
            rate=case.rate,
            servers=case.servers,
            more=case.more,
        )
        definition = api.loads(case.workflow)
        result = study(definition, _plan(definition, text), is_compared=False)
        found.append(_compared(case.name, "wait_mean", case.forecast.wait, result))
        if case.leaving is not None:
            found.append(_compared(case.name, case.leaving, case.forecast.leaving, result))
    return found


def _plan(definition: Definition, config: str) -> Plan:
    return complete(definition, read_config(config.encode(), "config.yaml", definition, Path()), {})


def _compared(name: str, what: str, expected: float, result: Study) -> dict[str, Any]:
    found = result.estimates["state", "ask", what]
    return {
        "queue": name,
        "of": what,
        "theory": round(expected, 5),
        "simulated": [round(number, 5) for number in (found.mean, found.low, found.high)],
        "is_inside": found.low <= expected <= found.high,
    }


def speed() -> dict[str, Any]:
    """One replication of 30 days of 1,000 runs a day, on one core, in seconds of CPU."""
    definition = api.load(EXPENSE)
    plan = _plan(definition, EXPENSE_CONFIG)
    began = time.process_time()
    record = simulate(rules_of(definition, plan), plan, 0)
    seconds = time.process_time() - began
    return {
        "runs": len(record.trips),
        "requests": len(record.items),
        "days": plan.days,
        "cpu_seconds": round(seconds, 1),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A request of the log: from the event that opened it to the one that settled it, None where there is none."""

    case: str
    state: str
    option: str
    opened_at: datetime
    settled_at: datetime | None


def _log() -> Any:
    """The benchmark beside this one, which knows how the log is read."""
    return import_module("replay_declarations")


def steps_of(events: Sequence[Any], machine: Sequence[tuple[str, str, str]]) -> Iterator[Step]:
    """The log as requests of the workflow that `replay_declarations` makes of its machine."""
    log = _log()
    edges = {(state, activity): to for state, activity, to in machine}
    finals = {to for _, _, to in machine} - {state for state, _, _ in machine}
    standing: dict[str, tuple[str, datetime] | None] = {}
    for event in events:
        stands = standing.get(event.case, (log.INITIAL, event.at))
        if stands is None:
            continue
        state, since = stands
        to = edges.get((state, event.activity))
        if to is None:  # one of the three events that the machine does not take: the case is left out from there on
            standing[event.case] = None
            continue
        yield Step(case=event.case, state=state, option=log.slug(event.activity), opened_at=since, settled_at=event.at)
        standing[event.case] = None if to in finals else (to, event.at)
    for case, stands in standing.items():
        if stands is not None:
            yield Step(case=case, state=stands[0], option="", opened_at=stands[1], settled_at=None)


def declarations(data: Path, replications: int) -> list[dict[str, Any]]:
    """The open requests of a year, predicted three ways, beside the real ones."""
    log = _log()
    machine = json.loads((data / "machine.json").read_text())
    definition = api.loads(log.workflow_text(machine))
    steps = list(steps_of(log.read_events(data / "events.csv.gz"), machine))
    year, half, end = (datetime(*date, tzinfo=UTC) for date in ((2018, 1, 1), (2018, 7, 1), (2019, 1, 1)))
    first = datetime(2017, 1, 1, tzinfo=UTC)
    return [
        _predicted("all from 2017", definition, steps, (first, year), (year, end), replications, is_told=False),
        _predicted("times of 2017, arrivals of 2018", definition, steps, (first, year), (year, end), replications),
        _predicted("second half of 2018 by its first", definition, steps, (year, half), (half, end), replications),
    ]


def _predicted(
    name: str,
    definition: Definition,
    steps: Sequence[Step],
    known: tuple[datetime, datetime],
    wanted: tuple[datetime, datetime],
    replications: int,
    *,
    is_told: bool = True,
) -> dict[str, Any]:
    """One prediction: fitted to the steps of one stretch, for another one. *is_told*: the real arrivals are given.

    It begins a year before what is wanted, so that the queue has filled.
    """
    before = 365
    start, days = wanted[0] - timedelta(days=before), (wanted[1] - wanted[0]).days
    given = _fitted(definition, steps, known)
    if is_told:
        arrivals = sorted({step.case: step.opened_at for step in reversed(steps) if step.state == "draft"}.values())
        times = tuple((at - start).total_seconds() for at in arrivals if at >= start)
        given = replace(given, arrivals=Arrivals(times=times))
    given = replace(given, days=days + before, warmup=before, start=start, replications=replications)
    result = study(definition, complete(definition, given, {}), is_compared=False)
    real = list(_real(steps, wanted[0], days))
    states = dict.fromkeys(step.state for step in steps)
    moments = result.days["all", ""][before:]
    guessed = [moment.open_mean for moment in moments]
    inside = sum(day.open_p05 <= value <= day.open_p95 for day, value in zip(moments, real, strict=True))
    mean, expected = sum(real) / days, sum(guessed) / days
    by_state = {
        state: [
            round(sum(_real([step for step in steps if step.state == state], wanted[0], days)) / days, 1),
            round(result.value("state", state, "open_mean"), 1),
        ]
        for state in states
    }
    return {
        "prediction": name,
        "days": days,
        "real_mean": round(mean, 1),
        "predicted_mean": round(expected, 1),
        "error": round(expected / mean - 1, 3),
        "daily_error": round(sum(abs(one - other) for one, other in zip(guessed, real, strict=True)) / days / mean, 3),
        "days_inside_90_percent": round(inside / days, 3),
        "by_state": by_state,
        "error_by_state": round(sum(abs(real - guess) for real, guess in by_state.values()) / mean, 3),
    }


def _fitted(definition: Definition, steps: Sequence[Step], known: tuple[datetime, datetime]) -> Given:
    with tempfile.TemporaryDirectory(prefix="holdpoint-simulate-") as folder:
        path = Path(folder) / "log.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["run", "state", "option", "opened_at", "settled_at"])
            for step in steps:
                if known[0] <= step.opened_at < known[1]:
                    is_seen = step.settled_at is not None and step.settled_at < known[1]
                    settled_at = format_time(step.settled_at) if is_seen and step.settled_at else ""
                    option = step.option if is_seen else ""
                    writer.writerow([step.case, step.state, option, format_time(step.opened_at), settled_at])
        return fit(definition, read_log(path, definition), {})


def _real(steps: Sequence[Step], start: datetime, days: int) -> Iterator[float]:
    """How many requests were open on each day, on average over its hours."""
    opened = sorted(step.opened_at for step in steps)
    settled = sorted(step.settled_at for step in steps if step.settled_at is not None)
    for day in range(days):
        hours = [start + timedelta(days=day, hours=hour) for hour in range(24)]
        yield sum(bisect_right(opened, at) - bisect_right(settled, at) for at in hours) / 24


def main() -> int:
    """Measure, print the report, and return the exit status."""
    options = _options()
    report: dict[str, Any] = {}
    parts: dict[str, Callable[[], Any]] = {
        "theory": lambda: theory(options.days, options.replications, options.seed),
        "speed": speed,
        "declarations": lambda: declarations(options.data, options.replications),
    }
    for name, part in parts.items():
        if options.part in (None, name) and (name != "declarations" or options.data is not None):
            report[name] = part()
    print(json.dumps(report, indent=1) if options.json else _readable(report))
    outside = [line for line in report.get("theory", ()) if not line["is_inside"]]
    is_slow = report.get("speed", {}).get("cpu_seconds", 0) > TARGET
    return 1 if options.check and (len(outside) > MAX_OUTSIDE or is_slow) else 0


def _readable(report: dict[str, Any]) -> str:
    lines = []
    for line in report.get("theory", ()):
        mean, low, high = line["simulated"]
        held = "inside" if line["is_inside"] else "OUTSIDE"
        lines.append(f"{line['queue']:22}{line['of']:16}theory {line['theory']:<10}{mean} ({low} to {high}) {held}")
    if "speed" in report:
        found = report["speed"]
        size = f"{found['days']} days, {found['runs']:,} runs, {found['requests']:,} requests"
        lines.append(f"{size}: {found['cpu_seconds']} s of CPU")
    for line in report.get("declarations", ()):
        lines.append(
            f"{line['prediction']:34}open: {line['real_mean']} real, {line['predicted_mean']} predicted "
            f"({100 * line['error']:+.1f} %); day by day {100 * line['daily_error']:.1f} % off; "
            f"{100 * line['days_inside_90_percent']:.0f} % of days in the 90 % band"
        )
        pairs = [f"{state} {real} and {guess}" for state, (real, guess) in line["by_state"].items() if real or guess]
        off = f"{100 * line['error_by_state']:.0f} % off, added up"
        lines.append(f"    real and predicted by state ({off}): {', '.join(pairs)}")
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("theory", "speed", "declarations"), help="one part; default: all")
    parser.add_argument("--data", type=Path, help="folder with events.csv.gz and machine.json, for the real year")
    parser.add_argument("--days", type=int, default=60, help="days of each queue of theory")
    parser.add_argument("--replications", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a target is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
