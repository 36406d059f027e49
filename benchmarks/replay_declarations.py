"""Replays a real log, 55,628 events of 10,357 travel declarations, and compares what came of it with a known answer.

The log's machine becomes a workflow whose states are approvals with one option an activity. Each event is a decision,
under a clock that follows the log; a case is abandoned at its first refused event. Exit status 1 where the result
differs from `expected.json` or `verify` finds anything.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdpoint.api import Engine
from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import Conflict, Invalid, NotAllowed
from holdpoint.testing import Clock

LOG = "DomesticDeclarations"
INITIAL = "draft"
RESUBMITTED = "submitted"
_SHOWN_DIFFERENCES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the log. `seq` is its place in its case."""

    case: str
    seq: int
    activity: str
    role: str
    at: datetime
    amount: float


@dataclass(slots=True, kw_only=True)
class Replay:
    """What came of the events: the run of each case, and where each abandoned case stood."""

    runs: dict[str, str] = field(default_factory=dict)
    refused: dict[str, dict[str, Any]] = field(default_factory=dict)
    decisions: int = 0


def main() -> int:
    """Replay, print the report, and return the exit status."""
    options = _options()
    events = read_events(options.data / "events.csv.gz", options.limit)
    text = workflow_text(json.loads((options.data / "machine.json").read_text()))
    with tempfile.TemporaryDirectory(prefix="holdpoint-replay-") as folder:
        path = (options.database or Path(folder) / "replay.db").resolve()
        report = measure(text, events, f"sqlite:///{path}?synchronous={options.synchronous}")
        report["bytes_per_run"] = round(_bytes(path, Path(folder)) / report["result"]["cases"])
    if options.limit is None:
        expected = json.loads((options.data / "expected.json").read_text())
        report["differences"] = differences(report["result"], expected)
    print(json.dumps(report, indent=1) if options.json else _readable(report))
    return 1 if report["differences"] or report["flaws"] else 0


def measure(text: str, events: list[Event], url: str) -> dict[str, Any]:
    """Replay the events on a fresh database: the result in the form of `expected.json`, and what it cost."""
    clock = Clock(events[0].at)
    people = {event.role: [event.role] for event in events}
    with Engine(url, clock=clock, people=people) as engine:
        definition = engine.loads(text)
        replay, seconds, cpu_seconds = _timed(lambda: feed(engine, definition, clock, events))
        result, read_seconds, _ = _timed(lambda: outcome(engine, definition, replay, events))
        flaws, verify_seconds, _ = _timed(engine.verify)
    transitions = sum(result["edges"].values())
    return {
        "result": result,
        "differences": [],
        "flaws": [flaw.to_dict() for flaw in flaws],
        "synchronous": url.rpartition("=")[2],
        "transitions": transitions,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "histories_seconds": round(read_seconds, 2),
        "verify_seconds": round(verify_seconds, 2),
        "runs_per_second": round(len(replay.runs) / seconds, 1),
        "transitions_per_second": round(transitions / seconds, 1),
    }


def feed(engine: Engine, definition: Definition, clock: Clock, events: list[Event]) -> Replay:
    """Start a run at each case's first event and decide each event, in the order of time."""
    replay = Replay()
    for event in events:
        clock.set(event.at)
        if event.case not in replay.runs:
            replay.runs[event.case] = engine.start(
                definition, {"case": event.case, "amount": event.amount}, initiator=event.role
            ).id
        if event.case in replay.refused:
            continue
        try:
            engine.decide(replay.runs[event.case], slug(event.activity), by=event.role)
        except (Conflict, NotAllowed, Invalid):
            state = engine.get_run(replay.runs[event.case]).state
            replay.refused[event.case] = {
                "case": event.case,
                "event": event.seq,
                "state": state,
                "activity": event.activity,
            }
        else:
            replay.decisions += 1
    return replay


def outcome(engine: Engine, definition: Definition, replay: Replay, events: list[Event]) -> dict[str, Any]:
    """What the engine says of all runs, in the form of `expected.json`. Edges are counted in the histories."""
    abandoned = {replay.runs[case] for case in replay.refused}
    finished = [run for run in _all_runs(engine) if run.id not in abandoned]
    edges = Counter(
        f"{entry.data['from']}->{entry.data['to']}"
        for run_id in replay.runs.values()
        for entry in engine.history(run_id)
        if entry.kind == "transition"
    )
    resubmissions = Counter(max(0, run.visits.get(RESUBMITTED, 0) - 1) for run in finished)
    return {
        "log": LOG,
        "cases": len(replay.runs),
        "events": len(events),
        "transitions_in_model": sum(1 for _ in definition.edges()),
        "conforming": len(finished),
        "nonconforming": list(replay.refused.values()),
        "final": dict(Counter(run.state for run in finished)),
        "resubmissions": {str(count): cases for count, cases in sorted(resubmissions.items())},
        "edges": dict(sorted(edges.items())),
    }


def read_events(path: Path, limit: int | None = None) -> list[Event]:
    """The events of the log's first *limit* cases (None: of all) in the order of time, within a case of `seq`."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        events = [_event(row) for row in csv.DictReader(file)]
    kept = set(list(dict.fromkeys(event.case for event in events))[:limit])
    return sorted(
        (event for event in events if event.case in kept), key=lambda event: (event.at, event.case, event.seq)
    )


def workflow_text(machine: list[tuple[str, str, str]]) -> str:
    """The workflow of a machine of `(state, activity, next state)`. JSON is YAML.

    Each option is assigned to the role that its activity names; a state that nothing leads out of is an end.
    """
    states: dict[str, Any] = {INITIAL: {}}
    for source, activity, target in machine:
        state = states.setdefault(source, {})
        state.setdefault("on", {})[slug(activity)] = target
        state.setdefault("assign", {})[slug(activity)] = [f"role:{role_of(activity)}"]
        states.setdefault(target, {})
    for name, state in states.items():
        if state:
            state |= {"type": "approval", "message": f"Declaration {{{{ input.case }}}} is {name}", "timeout": "never"}
        else:
            state["type"] = "end"
    properties = {"case": {"type": "string"}, "amount": {"type": "number"}}
    return json.dumps(
        {
            "workflow": "declarations",
            "timezone": "Europe/Amsterdam",
            "input": {"type": "object", "required": list(properties), "properties": properties},
            "initial": INITIAL,
            "states": states,
        },
        indent=1,
    )


def differences(result: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Each member in which the two differ, in words."""
    found = []
    for name in dict.fromkeys((*expected, *result)):
        ours, theirs = result.get(name), expected.get(name)
        if isinstance(ours, dict) and isinstance(theirs, dict):
            found += [f"{name}.{line}" for line in differences(ours, theirs)]
        elif ours != theirs:
            found.append(f"{name}: expected {theirs!r}, found {ours!r}")
    return found


def slug(text: str) -> str:
    """A name of the language: `Declaration SAVED by EMPLOYEE` is `declaration_saved_by_employee`."""
    return re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")


def role_of(activity: str) -> str:
    """Who does it: the role that the activity names, else the payment system."""
    return slug(activity.rpartition(" by ")[2]) if " by " in activity else "system"


def _event(row: dict[str, str]) -> Event:
    return Event(
        case=row["case"],
        seq=int(row["seq"]),
        activity=row["activity"],
        role="system" if row["resource"] == "SYSTEM" else slug(row["role"]),
        at=datetime.fromisoformat(row["time"]).astimezone(UTC),
        amount=float(row["amount"]),
    )


def _all_runs(engine: Engine) -> Iterator[Any]:
    after: str | None = None
    while True:
        page = engine.runs(limit=1_000, after=after)
        yield from page.items
        if page.next is None:
            return
        after = page.next


def _timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """What the call gives, and its seconds by the wall and of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = call()
    return value, time.perf_counter() - wall, time.process_time() - cpu


def _bytes(path: Path, folder: Path) -> int:
    """The bytes of a closed database beyond those of an empty one."""
    empty = folder / "empty.db"
    Engine(f"sqlite:///{empty}").close()
    return path.stat().st_size - empty.stat().st_size


def _readable(report: dict[str, Any]) -> str:
    result = report["result"]
    lines = [
        f"{result['cases']:,} runs, {result['events']:,} events, {report['transitions']:,} transitions; "
        f"{len(result['nonconforming'])} cases abandoned",
        f"replayed in {report['seconds']} s at synchronous={report['synchronous']} ({report['cpu_seconds']} s of CPU): "
        f"{report['runs_per_second']:,} runs/s, {report['transitions_per_second']:,} transitions/s",
        f"{report['bytes_per_run']:,} bytes a run on disk; histories read in {report['histories_seconds']} s, "
        f"verified in {report['verify_seconds']} s",
    ]
    for what, found in (
        ("difference", report["differences"]),
        ("flaw", [f"{flaw['run']}: {flaw['code']}: {flaw['message']}" for flaw in report["flaws"]]),
    ):
        lines.append(f"{what}s: {len(found) or 'none'}")
        lines += [f"  {line}" for line in found[:_SHOWN_DIFFERENCES]]
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with events.csv.gz, machine.json, expected.json"
    )
    parser.add_argument("--database", type=Path, help="a file to make and to keep; default: a temporary one")
    parser.add_argument("--synchronous", choices=("normal", "full"), default="normal")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N cases only; nothing is compared then")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    if options.limit is not None and options.limit < 1:
        parser.error(f"--limit is at least 1, not {options.limit}")
    if options.database is not None and options.database.exists():
        parser.error(f"{options.database} exists; name a file that does not")
    missing = [name for name in ("events.csv.gz", "machine.json") if not (options.data / name).is_file()]
    if missing:
        parser.error(f"{options.data} has no {missing[0]}")
    return options


if __name__ == "__main__":
    sys.exit(main())
