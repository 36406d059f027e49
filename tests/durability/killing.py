"""One run, killed at one point after the other, and brought to its end by whoever comes after; a program.

    python tests/durability/killing.py FOLDER STORY ORDER [--points N] [--seed N] [--only K[,J]]

First the story is told without a death, and the points are counted at which a process can die: before and after each
BEGIN and COMMIT, before every other statement, and before, within and after each call of an agent. Then, point by
point, a fork tells it on a fresh database and kills itself there; the next one, as a client that comes back, sends the
last command again with its key and goes on with the rest. Where two points are named, that one dies too.

Standard output is a JSON document: how many points there are, at which somebody died, and what was wrong after each.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import holdpoint
from holdpoint.api import loads
from holdpoint.engine import agents
from holdpoint.engine.agents import Context, Outcome, Work
from holdpoint.testing import Clock

WORKFLOW = """\
workflow: killed
input: {type: object, required: [amount], properties: {amount: {type: integer}}}
states:
  draft:
    type: agent
    python: killing:draft
    with: {amount: "{{ input.amount }}", feedback: "{{ review.comment if review else 'none' }}"}
    artifact: report
    next: review
  review:
    type: return
    show: [report]
    on: {accept: manager, revise: draft}
    timeout: 2d
    default: accept
  manager:
    type: approval
    show: [report]
    assign: ["role:manager"]
    on: {approve: pay, reject: refused}
    timeout: 2d
    default: reject
  pay:
    type: agent
    AGENT
    with: {report: "{{ artifacts.report }}"}
    output: {type: object, required: [receipt]}
    effect: irreversible
    next: objection
  objection:
    type: approval
    on: {object: refused, pass: file}
    timeout: 1h
    default: pass
  file:
    type: agent
    python: killing:file
    with: {report: "{{ artifacts.report }}", receipt: "{{ pay.receipt }}"}
    next: filed
  filed: {type: end, output: {report: "{{ artifacts.report }}", filed: "{{ file }}", paid: "{{ pay }}"}}
  refused: {type: end, outcome: failure}
"""
RECEIPT = {"receipt": 7}
# The command dies with us: $KILL says when. Whoever is killed can still be told by its child that it is time.
COMMAND = (
    'if [ "$KILL" = before ]; then kill -9 $PPID; exit; fi; echo "$FLOW_KEY" >> "$EFFECTS"; '
    'if [ "$KILL" = after ]; then kill -9 $PPID; exit; fi; echo \'{"receipt": 7}\''
)
STORIES = {
    "retry": "python: killing:pay\n    after_crash: retry",
    "ask": "python: killing:pay",
    "command": f"command: [sh, -c, {json.dumps(COMMAND)}]",
}
ORDERS = ("tick-first", "client-first")
"""Who comes after the death: cron's tick, or the client with its last command."""

ENOUGH = 5
"""With so many points gone wrong the rest says nothing new."""

COMMANDS = ("start", "revise", "accept", "approve", "tick")
PEOPLE = {"dora": ["manager"]}
_ENDS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


# --- dying ------------------------------------------------------------------------------------------------------------


class Points:
    """The points that a process passes. At number *deadly* it kills itself."""

    def __init__(self, deadly: int | None) -> None:
        self.passed: list[str] = []
        self._deadly = deadly
        self._thread = threading.get_ident()

    def reach(self, name: str) -> None:
        """Pass the next point, or die there. The heartbeat's thread passes none."""
        if threading.get_ident() != self._thread:
            return
        self.passed.append(name)
        if len(self.passed) == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    def reach_within_command(self, name: str) -> None:
        """Pass the two points within a command, which kills its parent there."""
        for when in ("before", "after"):
            self.passed.append(f"in {name}, {when} its effect")
            if len(self.passed) == self._deadly:
                os.environ["KILL"] = when


class Connection(sqlite3.Connection):
    """A connection whose statements are points."""

    points: Points

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Between two points, where the statement begins or ends a transaction; behind one else."""
        verb = sql.split(maxsplit=1)[0].upper()
        self.points.reach(f"before {' '.join(sql.split())[:40]}")
        cursor = super().execute(sql, *parameters)
        if verb in _ENDS:
            self.points.reach(f"after {verb}")
        return cursor

    def executemany(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Behind a point."""
        self.points.reach(f"before {' '.join(sql.split())[:40]}")
        return super().executemany(sql, *parameters)


def watch(points: Points) -> None:
    """Make every statement and every call of an agent a point, for the rest of this process."""
    Connection.points = points
    sqlite3.connect = functools.partial(sqlite3.connect, factory=Connection)  # type: ignore[assignment]
    run = agents.run

    def run_between_points(work: Work, **options: Any) -> Outcome | agents.Crashed:
        points.reach(f"before agent {work.context.state}")
        if work.kind == "command":
            points.reach_within_command(work.context.state)
        outcome = run(work, **options)
        points.reach(f"after agent {work.context.state}")
        return outcome

    agents.run = run_between_points


# --- the client -------------------------------------------------------------------------------------------------------


class Journal:
    """What the client has sent and what it was told, each line written before it goes on.

    SIGKILL takes nothing that was written, so the file is not synced.
    """

    def __init__(self, path: Path) -> None:
        self.lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, **line: Any) -> None:
        """Add a line."""
        self.lines.append(line)
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def last(self, kind: str) -> dict[str, Any] | None:
        """The last line of a kind, if there is one."""
        return next((line for line in reversed(self.lines) if line["kind"] == kind), None)

    @property
    def acknowledged(self) -> list[dict[str, Any]]:
        """What the client was told is done."""
        return [line for line in self.lines if line["kind"] == "acknowledged"]


class Client:
    """One life of the client with its engine: it takes up the story where the last one's journal ends."""

    def __init__(self, folder: Path, story: str, order: str, life: int, points: Points) -> None:
        self.folder = folder
        self.story = story
        self.order = order
        self.points = points
        self.journal = Journal(folder / "journal")
        self.effects = folder / "effects"
        self.clock = Clock()
        self.clock.set(self.clock() + life * timedelta(minutes=5))
        self.definition = definition(story)
        self.flaws: list[str] = []
        os.environ["EFFECTS"] = str(self.effects)
        os.environ.pop("KILL", None)
        self.engine = holdpoint.Engine(
            f"sqlite:///{folder / 'flow.db'}?synchronous=normal",
            clock=self.clock,
            project=folder,
            agents={f"killing:{name}": getattr(self, name) for name in ("draft", "pay", "file")},
            people=PEOPLE,
        )

    # What the agents do in the world is one line in a file, with the key of the visit.

    def draft(self, amount: int, feedback: str, context: Context) -> dict[str, Any]:
        """The first agent."""
        return self._work(context, {"text": f"{amount} for the taxi", "feedback": feedback})

    def pay(self, report: object, context: Context) -> dict[str, Any]:
        """The irreversible agent."""
        return self._work(context, RECEIPT)

    def file(self, report: object, receipt: int, context: Context) -> dict[str, Any]:
        """The last agent."""
        return self._work(context, {"report": report, "receipt": receipt})

    def _work(self, context: Context, output: dict[str, Any]) -> dict[str, Any]:
        self.points.reach(f"in {context.state}, before its effect")
        with self.effects.open("a") as file:
            file.write(f"{context.key}\n")
        self.points.reach(f"in {context.state}, after its effect")
        return output

    def live(self) -> None:
        """Come back after a death, if there was one, and tell the story to its end."""
        sent = self.journal.last("sent")
        if sent is not None:
            self._check_acknowledged()
            if self.order == "tick-first":
                self._tick()
            self._send(sent)
            self._tick()
        for number in range(sent["number"] + 1 if sent else 0, len(COMMANDS)):
            self._send({"kind": "sent", "number": number, "request": self._open_request() if number else None})

    def _send(self, line: dict[str, Any]) -> None:
        self.journal.write(**line)
        name, request = COMMANDS[line["number"]], line["request"]
        if name == "tick":
            self.clock.set(self.engine.next_due() or self.clock())
            self.engine.tick()
            self.journal.write(kind="acknowledged", name=name, run=self._run_id(), request=None)
            return
        run = getattr(self, f"_{name}")(request)
        self.journal.write(kind="acknowledged", name=name, run=run.id, request=request)

    def _start(self, request: None) -> holdpoint.Run:
        return self.engine.start(self.definition, {"amount": 120}, initiator="ann", key="the run")

    def _revise(self, request: str) -> holdpoint.Run:
        return self.engine.decide(request, "revise", by="ann", comment="by train", key="the first")

    def _accept(self, request: str) -> holdpoint.Run:
        return self.engine.decide(request, "accept", by="ann", artifact={"text": "train"}, key="the second")

    def _approve(self, request: str) -> holdpoint.Run:
        return self.engine.decide(request, "approve", by="dora", key="the third")

    def _tick(self) -> None:
        """What cron does; and the person who is asked about a crash looks whether it took effect, and says so."""
        counts = self.engine.tick()
        if counts["errors"]:
            self.flaws.append(f"tick: {counts}")
        for request in self.engine.inbox().items:
            if request.kind == "crash":
                assert request.attempt is not None
                if request.attempt["key"] in self._effects():
                    self.engine.decide(request.id, "done", by="ann", answers=RECEIPT)
                else:
                    self.engine.decide(request.id, "retry", by="ann")
        stuck = [f"{run.status} in {run.state}" for run in self.engine.runs().items if run.status == "running"]
        if stuck:
            self.flaws.append(f"after a tick the run is {stuck[0]}")

    def _run_id(self) -> str:
        runs = self.engine.runs().items
        assert len(runs) == 1, f"there are {len(runs)} runs"
        return runs[0].id

    def _open_request(self) -> str | None:
        requests = self.engine.get_run(self._run_id()).requests
        assert len(requests) == 1, f"there are {len(requests)} requests"
        return requests[0].id

    # What must hold.

    def _check_acknowledged(self) -> None:
        """What the client was told before the death is in the history (I11), before anybody has done a thing."""
        for line in self.journal.acknowledged:
            kind, decision = (
                ("request.expired", "pass") if line["name"] == "tick" else ("request.decided", line["name"])
            )
            entries = self.engine.history(line["run"])
            if line["name"] != "start" and not any(
                entry.kind == kind
                and entry.data["decision"] == decision
                and line["request"] in (None, entry.data["request"])
                for entry in entries
            ):
                self.flaws.append(f"{line['name']} was acknowledged and is not in the history")

    def check(self) -> None:
        """What must hold at the end, however many have died on the way."""
        run = self.engine.get_run(self._run_id())
        self.flaws += [f"verify: {flaw.code}: {flaw.message}" for flaw in self.engine.verify()]
        if run.status != "done" or run.requests or self.engine.next_due() or self.engine.inbox().items:
            self.flaws.append(f"it did not end: {run.status} in {run.state}, {len(run.requests)} requests")
        with sqlite3.connect(self.folder / "flow.db") as connection:
            for table in ("leases", "deadlines"):
                if connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone() != (0,):  # noqa: S608
                    self.flaws.append(f"table {table} is not empty")
        connection.close()
        self._check_effects(run)

    def _check_effects(self, run: holdpoint.Run) -> None:
        """One key a visit (F2); a key twice only where an attempt was begun twice; a payment asked about, once."""
        begun: Counter[str] = Counter()
        visits: dict[str, int] = {}
        for entry in self.engine.history(run.id):
            if entry.kind == "state.entered":
                visits[entry.data["state"]] = entry.data["visit"]
            elif entry.kind == "agent.started":
                begun[f"{run.id}/{entry.data['state']}/{visits[entry.data['state']]}"] += 1
        taken = Counter(self._effects())
        if set(taken) != {f"{run.id}/{visit}" for visit in ("draft/1", "draft/2", "pay/1", "file/1")}:
            self.flaws.append(f"effects: {sorted(taken)}")
        if any(number > begun[key] for key, number in taken.items()):
            self.flaws.append(f"effects: {taken}, and attempts: {begun}")
        if self.story != "retry" and taken[f"{run.id}/pay/1"] != 1:
            self.flaws.append(f"paid {taken[f'{run.id}/pay/1']} times")

    def _effects(self) -> list[str]:
        return self.effects.read_text().split() if self.effects.exists() else []

    def summary(self) -> dict[str, Any]:
        """What must be the same with a death and without."""
        run = self.engine.get_run(self._run_id())
        history = self.engine.history(run.id)
        return {
            "state": [run.status, run.state, run.outcome, run.output, dict(run.visits)],
            "artifacts": {
                name: [artifact[key] for key in ("revision", "author", "sha256", "content")]
                for name, artifact in run.artifacts.items()
            },
            "results": [run.results[name] for name in ("draft", "pay", "file")],
            "history": [
                [entry.kind, *(entry.data.get(name) for name in _TOLD[entry.kind])]
                for entry in history
                if entry.kind in _TOLD and entry.data.get("request") not in _about_crashes(history)
            ],
        }


_TOLD: Mapping[str, tuple[str, ...]] = {
    "run.started": ("input",),
    "state.entered": ("state", "visit"),
    "transition": ("from", "option", "to"),
    "artifact.revised": ("name", "revision", "sha256", "parent"),
    "agent.succeeded": ("state", "output"),
    "request.opened": ("kind", "options", "default"),
    "request.decided": ("decision", "comment", "answers", "edit"),
    "request.expired": ("decision", "answers"),
    "decision.refused": ("decision", "code"),
    "run.failed": ("code", "message"),
    "run.ended": ("outcome", "output"),
}


def _about_crashes(history: tuple[holdpoint.Entry, ...]) -> set[object]:
    return {entry.data["request"] for entry in history if entry.data.get("kind") == "crash"}


# --- the processes ----------------------------------------------------------------------------------------------------


@functools.cache
def definition(story: str) -> holdpoint.Definition:
    """The workflow of a story."""
    return loads(WORKFLOW.replace("AGENT", STORIES[story]))


@dataclass(slots=True, kw_only=True)
class Told:
    """How the story was told: at which points somebody died, what is wrong now, and what must not depend on it."""

    deaths: list[str] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    points: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)


class Stage:
    """Where the story is told, each time on a fresh copy of an empty database."""

    def __init__(self, folder: Path, story: str, order: str) -> None:
        self.folder = folder
        self.story = story
        self.order = order
        definition(story)  # before the forks, so that it is compiled once
        _in_fork(self._make_template)
        for name in self.tell().modules:  # what each life would import anew
            with suppress(ImportError):
                import_module(name)

    def _make_template(self) -> None:
        holdpoint.Engine(f"sqlite:///{self.folder / 'template.db'}").close()

    def tell(self, *deadly: int) -> Told:
        """Tell the story in one life after the other; in each of these the process dies at this point."""
        folder = self.folder / ("-".join(str(number) for number in deadly) or "alive")
        folder.mkdir()
        shutil.copy(self.folder / "template.db", folder / "flow.db")
        told = Told()
        for life, number in enumerate([*deadly, None]):
            died = _in_fork(lambda life=life, number=number: self._live(folder, life, number))  # type: ignore[misc]
            written = folder / f"told-{life}"
            if died:
                told.deaths.append(f"point {number} of life {life}")
            elif written.exists():
                told.summary, told.points, told.modules, flaws = json.loads(written.read_text())
                told.flaws += flaws
                break
            else:
                told.flaws.append((folder / "error").read_text())
                break
        if not told.flaws:
            shutil.rmtree(folder)
        return told

    def _live(self, folder: Path, life: int, deadly: int | None) -> None:
        try:
            points = Points(deadly)
            watch(points)
            client = Client(folder, self.story, self.order, life, points)
            points.passed.clear()  # to open a database that is there is no part of the story
            client.live()
            passed = list(points.passed)
            client.check()
            (folder / f"told-{life}").write_text(
                json.dumps([client.summary(), passed, sorted(sys.modules), client.flaws])
            )
        except BaseException:
            (folder / "error").write_text(traceback.format_exc())
            raise


def _in_fork(act: Callable[[], object]) -> bool:
    """Whether a fork that acts was killed. This process has no thread and no connection that a fork could inherit."""
    assert threading.active_count() == 1
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def plan(points: list[str], budget: int, seed: int) -> list[tuple[int, ...]]:
    """Which points to die at: every commit and agent, and at least ten more; of those every fourth is a pair."""
    numbers = range(1, len(points) + 1)
    must = [(number,) for number in numbers if _is_bound(points[number - 1])]
    rest = [(number,) for number in numbers if not _is_bound(points[number - 1])]
    draw = random.Random(seed)
    room = max(10, budget - len(must))
    some = draw.sample(rest, min(len(rest), room - room // 4))
    pairs: set[tuple[int, ...]] = set()
    while len(pairs) < room - len(some):
        pairs.add((draw.choice(numbers), draw.choice(numbers)))
    return sorted([*must, *some, *pairs])


def _is_bound(name: str) -> bool:
    """Whether a point is at a transaction's bound or around an agent's call."""
    return "agent" in name or " effect" in name or any(verb in name for verb in _ENDS)


def main() -> None:
    """Tell the story as often as asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="an empty one")
    parser.add_argument("story", choices=STORIES)
    parser.add_argument("order", choices=ORDERS)
    parser.add_argument("--points", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    asked = parser.parse_args()
    stage = Stage(asked.folder, asked.story, asked.order)
    alive = stage.tell()
    chosen = plan(alive.points, asked.points, asked.seed)
    if asked.only:
        chosen = [tuple(int(number) for number in asked.only.split(","))]
    wrong = {"alive": alive.flaws} if alive.flaws else {}
    died = 0
    for deadly in chosen:
        told = stage.tell(*deadly)
        died += bool(told.deaths)
        if not told.flaws and told.summary != alive.summary:
            other = [name for name, value in alive.summary.items() if told.summary[name] != value]
            told.flaws += [f"{name}: {told.summary[name]}, not {alive.summary[name]}" for name in other]
        if told.flaws:
            where = alive.points[deadly[0] - 1]
            name = f"{asked.story} {asked.order} --only {','.join(str(number) for number in deadly)}"
            wrong[f"{name}  ({where})"] = told.flaws
        if len(wrong) == ENOUGH:
            break
    bounds = sum(_is_bound(point) for point in alive.points)
    report = {"points": len(alive.points), "bounds": bounds, "played": len(chosen), "died": died, "wrong": wrong}
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
