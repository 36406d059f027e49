"""Two `flow serve` processes and ten ticks a second, for a minute, over deadlines, decisions and agents.

Deadlines fall due all the time, each request is decided by two people at once, and half of the agents fail at their
first attempt. In the end each request was settled once, by whom it was said to be, each agent took effect as often as
it was begun, the counts of all passes add up, and `verify` finds nothing: else what is wrong is printed, and the exit
status is 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import holdpoint

DEADLINE = """\
workflow: deadline-{seconds}
states:
  gate: {{type: approval, on: {{approve: approved, reject: rejected}}, timeout: {seconds}s, default: reject}}
  approved: {{type: end}}
  rejected: {{type: end, outcome: failure}}
"""
DECISION = """\
workflow: decision
states:
  gate: {type: approval, on: {approve: approved, reject: rejected}, timeout: 2h, default: reject}
  approved: {type: end}
  rejected: {type: end, outcome: failure}
"""
WORK = """\
workflow: work
input: {type: object, required: [failures], properties: {failures: {type: integer}}}
states:
  work:
    type: agent
    python: agents:work
    with: {failures: "{{ input.failures }}"}
    retry: {attempts: 2, delay: 1s}
    next: worked
  worked: {type: end, output: "{{ work }}"}
"""
AGENTS = """\
import os

def work(failures, context: "Context"):
    with open("effects", "a") as file:
        file.write(context.key + "\\n")
    if context.attempt <= failures:
        raise OSError("not yet")
    return {"attempt": context.attempt}
"""
GROUPS = 10
PATIENCE = 60.0
PEOPLE = ("ann", "bob")
_DAMAGED = ("errors", "failed", "recovered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much of what there is, and for how long."""

    seconds: int
    deadlines: int
    decisions: int
    agents: int
    ticks: int
    servers: int
    sweep: str


class Soak:
    """One database in a folder, and all that goes on there."""

    def __init__(self, folder: Path, load: Load) -> None:
        self.load = load
        self.folder = folder
        (folder / "agents.py").write_text(AGENTS)
        self.url = f"sqlite:///{folder / 'flow.db'}"
        self.engine = holdpoint.Engine(self.url, project=folder)
        self.counts: Counter[str] = Counter()
        self.passes = 0
        self.wrong: list[str] = []
        self.answers: dict[str, list[str | None]] = {}
        self._guard = threading.Lock()

    def run(self) -> dict[str, Any]:
        """Start everything, let it go on, and return the report."""
        load, engine = self.load, self.engine
        gates = [engine.loads(DEADLINE.format(seconds=seconds)) for seconds in self._timeouts()]
        decision, work = engine.loads(DECISION), engine.loads(WORK)
        decided = [engine.start(decision).requests[0] for _ in range(load.decisions)]
        with ExitStack() as stack:
            servers = [self._serve(stack, name) for name in range(load.servers)]
            # More hands than ticks a second: one tick may work on an agent while others are due.
            pool = stack.enter_context(ThreadPoolExecutor(2 * load.ticks + 2 * len(PEOPLE)))
            expiring = [engine.start(gates[number % len(gates)]).requests[0] for number in range(load.deadlines)]
            began = time.monotonic()
            jobs: list[tuple[float, Callable[[], object]]] = []
            working: list[str] = []
            for number in range(load.agents):
                jobs.append((self._at(number, load.agents), lambda n=number: self._start(work, n % 2, working)))  # type: ignore[misc]
            for number, request in enumerate(decided):
                for person in PEOPLE:
                    at = self._at(number, load.decisions)
                    jobs.append((at, lambda r=request, p=person: self._decide(r, p)))  # type: ignore[misc]
            jobs += [(number / load.ticks, self._tick) for number in range(load.seconds * load.ticks)]
            futures = [self._later(pool, began, *job) for job in sorted(jobs, key=lambda job: job[0])]
            for future in futures:
                future.result()
            seconds = time.monotonic() - began
            self._wait_for_the_rest()
            for server in servers:
                self._stop(server)
        lateness = self._check_deadlines(expiring)
        self._check_decisions(decided)
        attempts = self._check_agents(working)
        self._check_counts()
        report = {
            "seconds": round(seconds, 1),
            "ticks": self.passes,
            "done": {"by deadline": len(expiring), "by a person": len(decided), "agents": len(working)},
            "attempts": attempts,
            "counts": dict(self.counts),
            "late_ms": {"median": round(median(lateness), 1), "worst": round(max(lateness), 1)} if lateness else None,
            "wrong": self.wrong[:20],
        }
        self.engine.close()
        return report

    def _timeouts(self) -> Iterator[int]:
        for group in range(1, GROUPS + 1):
            yield max(1, self.load.seconds * group // GROUPS)

    def _at(self, number: int, total: int) -> float:
        """When the next of so many things is to be done, so that they fill the time."""
        return self.load.seconds * number / total

    def _later(self, pool: ThreadPoolExecutor, began: float, at: float, act: Callable[[], object]) -> Future[object]:
        time.sleep(max(0.0, began + at - time.monotonic()))
        return pool.submit(act)

    def _serve(self, stack: ExitStack, name: int) -> subprocess.Popen[bytes]:
        health = self.folder / f"health-{name}"
        command = [sys.executable, "-m", "holdpoint.cli", "serve", "--no-web", "--json", "--db", self.url]
        server = subprocess.Popen(
            [*command, "--sweep", self.load.sweep, "--health", str(health)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        stack.enter_context(server)
        stack.callback(server.kill)
        until = time.monotonic() + PATIENCE
        while not health.exists():
            if time.monotonic() > until or server.poll() is not None:
                raise RuntimeError("a server did not start")
            time.sleep(0.05)
        return server

    def _stop(self, server: subprocess.Popen[bytes]) -> None:
        server.terminate()
        printed, errors = server.communicate(timeout=PATIENCE)
        if server.returncode or b"Traceback" in errors:
            self.wrong.append(f"a server ended with {server.returncode}: {errors.decode()[-2000:]}")
        else:
            self._count(json.loads(printed))

    def _start(self, definition: holdpoint.Definition, failures: int, working: list[str]) -> None:
        working.append(self.engine.start(definition, {"failures": failures}, advance=False).id)

    def _decide(self, request: holdpoint.Request, person: str) -> None:
        try:
            self.engine.decide(request.id, "approve", by=person)
        except holdpoint.Conflict as error:
            winner = error.details["decision"]["by"]
        else:
            winner = person
        with self._guard:
            self.answers.setdefault(request.id, []).append(winner)

    def _tick(self) -> None:
        self._count(self.engine.tick())
        with self._guard:
            self.passes += 1

    def _count(self, counts: dict[str, Any]) -> None:
        with self._guard:
            self.counts.update({name: count for name, count in counts.items() if type(count) is int})

    def _wait_for_the_rest(self) -> None:
        until = time.monotonic() + PATIENCE
        while self.engine.runs(status=["running", "waiting"], limit=1).items:
            if time.monotonic() > until:
                self.wrong.append("not everything has ended")
                return
            time.sleep(0.1)

    # What must hold.

    def _check_deadlines(self, requests: Sequence[holdpoint.Request]) -> list[float]:
        """How late each default was applied, in milliseconds."""
        late = []
        for request in requests:
            settled = self._settled(request)
            if [entry.kind for entry in settled] != ["request.expired"]:
                self.wrong.append(f"{request.id} was settled by {[entry.kind for entry in settled]}")
                continue
            assert request.due_at is not None
            late.append((settled[0].at - request.due_at) / timedelta(milliseconds=1))
            if late[-1] < 0 or datetime.fromisoformat(settled[0].data["at"]) != request.due_at:
                self.wrong.append(f"{request.id} was due at {request.due_at} and settled at {settled[0].at}")
        return late

    def _check_decisions(self, requests: Sequence[holdpoint.Request]) -> None:
        for request in requests:
            settled = self._settled(request)
            winners = {entry.actor for entry in settled if entry.kind == "request.decided"}
            if len(settled) != 1 or set(self.answers[request.id]) != winners:
                self.wrong.append(f"{request.id}: settled by {winners}, and told were {self.answers[request.id]}")

    def _settled(self, request: holdpoint.Request) -> list[holdpoint.Entry]:
        kinds = ("request.decided", "request.expired", "request.voided")
        return [entry for entry in self.engine.history(request.run) if entry.kind in kinds]

    def _check_agents(self, runs: Sequence[str]) -> int:
        """How many attempts there were."""
        effects = Counter((self.folder / "effects").read_text().split()) if runs else Counter()
        begun: Counter[str] = Counter()
        for run_id in runs:
            run = self.engine.get_run(run_id)
            begun[f"{run_id}/work/1"] = run.input["failures"] + 1
            entries = Counter(entry.kind for entry in self.engine.history(run_id))
            if (run.status, entries["agent.started"]) != ("done", run.input["failures"] + 1):
                self.wrong.append(f"{run_id} is {run.status} after {entries['agent.started']} attempts")
        if effects != begun:
            self.wrong.append(f"effects: {effects - begun} too many, {begun - effects} too few")
        return begun.total()

    def _check_counts(self) -> None:
        load = self.load
        statuses: Counter[str] = Counter()
        after = None
        while True:
            page = self.engine.runs(limit=500, after=after)
            statuses.update(run.status for run in page.items)
            after = page.next
            if after is None:
                break
        expected = {"defaults": load.deadlines, "retries": load.agents // 2, "advanced": load.agents}
        expected |= dict.fromkeys(_DAMAGED, 0)
        for name, number in expected.items():
            if self.counts[name] != number:
                self.wrong.append(f"{name}: {self.counts[name]} by the counts of all passes, and should be {number}")
        if statuses != {"done": load.deadlines + load.decisions + load.agents}:
            self.wrong.append(f"runs: {dict(statuses)}")
        if self.engine.inbox().items or self.engine.next_due() is not None:
            self.wrong.append("something is still open")
        self.wrong += [f"verify: {flaw.run}: {flaw.code}: {flaw.message}" for flaw in self.engine.verify()]


def main() -> int:
    """Soak, print the report, and return the exit status."""
    load, is_json = _options()
    with tempfile.TemporaryDirectory(prefix="holdpoint-soak-") as folder:
        report = Soak(Path(folder), load).run()
    print(json.dumps(report, indent=1) if is_json else _readable(report))
    return 1 if report["wrong"] else 0


def _readable(report: dict[str, Any]) -> str:
    done = ", ".join(f"{number} {name}" for name, number in report["done"].items())
    lines = [f"{report['seconds']} s, {report['ticks']} ticks besides the servers' passes: {done}"]
    lines.append(f"attempts {report['attempts']}; counts of all passes: {report['counts']}")
    if report["late_ms"]:
        lines.append(
            f"defaults were {report['late_ms']['median']} ms late (median), {report['late_ms']['worst']} at worst"
        )
    lines += [f"wrong: {line}" for line in report["wrong"]] or ["each settled once, counts conserved, no flaw"]
    return "\n".join(lines)


def _options() -> tuple[Load, bool]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="how long (default 60)")
    parser.add_argument("--deadlines", type=int, default=500)
    parser.add_argument("--decisions", type=int, default=500)
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--ticks", type=int, default=10, help="passes a second, besides the servers (default 10)")
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--sweep", default="5s", help="of the servers (default 5s)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = vars(parser.parse_args())
    is_json = options.pop("json")
    if min(value for value in options.values() if isinstance(value, int)) < 1:
        parser.error("all numbers are at least 1")
    return Load(**options), is_json


if __name__ == "__main__":
    sys.exit(main())
