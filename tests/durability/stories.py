"""What is told in `killing.py`: each story is a workflow, what a client does to it, and what must have come of that."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import holdpoint
from holdpoint.api import loads
from holdpoint.engine.agents import Context
from holdpoint.testing import Clock
from tests.durability.dying import Points

ORDERS = ("tick-first", "client-first")
"""Who comes after the death: cron's tick, or the client with its last command."""

RECEIPT = {"receipt": 7}
PEOPLE = {"dora": ["manager"], "ann": ["manager"]}


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


Proof = tuple[str, Mapping[str, Any]]
"""The entry that a command which was acknowledged has left: its kind, and what its data has among others."""


class Client:
    """One life of a client with its engine: it takes up the story where the last one's journal ends.

    A command is the name of a method, and behind a colon what it is called with. It is sent again after a death: it
    has a key, or looks first whether it was done. It returns its proof.
    """

    WORKFLOW: ClassVar[str]
    COMMANDS: ClassVar[tuple[str, ...]]
    INPUT: ClassVar[dict[str, Any]] = {}
    RESULTS: ClassVar[tuple[str, ...]] = ()
    """The results that are the same however often somebody died: those without times."""

    EFFECTS: ClassVar[frozenset[str]] = frozenset()
    """The visits whose agents take effect, each at least once."""

    ONCE: ClassVar[frozenset[str]] = frozenset()
    """Those of them that somebody is asked about, who sees to it that there is one effect."""

    UNSEEN: ClassVar[frozenset[str]] = frozenset()
    """Those whose effect may be missing: it was said to be there by nobody who looked."""

    def __init__(self, folder: Path, order: str, life: int, points: Points) -> None:
        self.folder = folder
        self.order = order
        self.points = points
        self.journal = Journal(folder / "journal")
        self.effects = folder / "effects"
        self.clock = Clock()
        times = [datetime.fromisoformat(line["clock"]) for line in self.journal.lines]
        self.clock.set(max([self.clock(), *times]) + (timedelta(minutes=5) if life else timedelta()))
        self.flaws: list[str] = []
        os.environ["EFFECTS"] = str(self.effects)
        os.environ.pop("KILL", None)
        self.engine = holdpoint.Engine(
            f"sqlite:///{folder / 'flow.db'}?synchronous=normal",
            clock=self.clock,
            project=folder,
            agents={f"story:{name}": agent for name, agent in self.agents().items()},
            people=PEOPLE,
        )

    def agents(self) -> dict[str, Callable[..., Any]]:
        """The agents that run in this process, by the name behind `story:`."""
        return {}

    def work(self, context: Context, output: dict[str, Any]) -> dict[str, Any]:
        """What an agent does in the world is one line in a file, with the key of the visit."""
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
        for number in range(sent["number"] + 1 if sent else 0, len(self.COMMANDS)):
            self._send({"kind": "sent", "number": number, "request": self._open_request() if number else None})

    def _send(self, line: dict[str, Any]) -> None:
        self.journal.write(**{**line, "clock": self.clock().isoformat()})
        name, _, argument = self.COMMANDS[line["number"]].partition(":")
        command = getattr(self, f"_do_{name}")
        kind, data = command(line["request"], argument) if argument else command(line["request"])
        clock = self.clock().isoformat()
        self.journal.write(kind="acknowledged", name=name, clock=clock, proof=[kind, data])

    # Commands that most stories have.

    def _do_start(self, request: None) -> Proof:
        self.engine.start(self.definition(), self.INPUT, initiator="ann", key="the run")
        return "run.started", {}

    def _do_pass(self, request: str | None, state: str) -> Proof:
        """Let the time pass, from one due time to the next, until the run has left a state."""
        while self.engine.get_run(self._run_id()).state == state:
            due = self.engine.next_due()
            self.clock.set(max(self.clock(), due or self.clock()))
            if not any(self.engine.tick().values()):
                raise RuntimeError(f"it is in {state} for ever")
        return "transition", {"from": state}

    def _once(self, kind: str, act: Callable[[], object]) -> Proof:
        """Do what has no key, unless its entry is there; what should follow it is then the next tick's."""
        if not self._has(kind, {}):
            act()
        return kind, {}

    def _tick(self) -> None:
        """What cron does; and the person who is asked about a crash looks whether it took effect, and says so."""
        counts = self.engine.tick()
        if counts["errors"]:
            self.flaws.append(f"tick: {counts}")
        for request in self.engine.inbox().items:
            if request.kind == "crash":
                assert request.attempt is not None
                self._answer(request, request.attempt["key"] in self._effects())
        stuck = [f"{run.status} in {run.state}" for run in self.engine.runs().items if run.status == "running"]
        if stuck:
            self.flaws.append(f"after a tick the run is {stuck[0]}")

    def _answer(self, request: holdpoint.Request, is_done: bool) -> None:
        if is_done:
            self.engine.decide(request.id, "done", by="ann", answers=RECEIPT)
        else:
            self.engine.decide(request.id, "retry", by="ann")

    def _run_id(self) -> str:
        runs = self.engine.runs().items
        assert len(runs) == 1, f"there are {len(runs)} runs"
        return runs[0].id

    def _open_request(self) -> str | None:
        requests = self.engine.get_run(self._run_id()).requests
        assert len(requests) <= 1, f"there are {len(requests)} requests"
        return requests[0].id if requests else None

    def _has(self, kind: str, data: Mapping[str, Any]) -> bool:
        return any(
            entry.kind == kind and all(entry.data.get(name) == value for name, value in data.items())
            for entry in self.engine.history(self._run_id())
        )

    # What must hold.

    def _check_acknowledged(self) -> None:
        """What the client was told before the death is in the history (I11), before anybody has done a thing."""
        for line in self.journal.acknowledged:
            if not self._has(*line["proof"]):
                self.flaws.append(f"{line['name']} was acknowledged and is not in the history: {line['proof']}")

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
        """One key a visit (F2); a key twice only where an attempt was begun twice."""
        begun: Counter[str] = Counter()
        visits: dict[str, int] = {}
        for entry in self.engine.history(run.id):
            if entry.kind == "state.entered":
                visits[entry.data["state"]] = entry.data["visit"]
            elif entry.kind == "agent.started":
                begun[f"{entry.data['state']}/{visits[entry.data['state']]}"] += 1
        taken = Counter(key.removeprefix(f"{run.id}/") for key in self._effects())
        if not self.EFFECTS - self.UNSEEN <= set(taken) <= self.EFFECTS:
            self.flaws.append(f"effects: {sorted(taken)}")
        if any(number > begun[visit] for visit, number in taken.items()):
            self.flaws.append(f"effects: {taken}, and attempts: {begun}")
        self.flaws += [f"{visit}: {taken[visit]} effects" for visit in self.ONCE if taken[visit] != 1]

    def _effects(self) -> list[str]:
        return self.effects.read_text().split() if self.effects.exists() else []

    def summary(self) -> dict[str, Any]:
        """What must be the same with a death and without."""
        run = self.engine.get_run(self._run_id())
        history = self.engine.history(run.id)
        about_crashes = {entry.data["request"] for entry in history if entry.data.get("kind") == "crash"}
        told: list[list[Any]] = []
        for entry in history:
            if entry.kind not in _TOLD or entry.data.get("request") in about_crashes:
                continue
            line = [entry.kind, *(entry.data.get(name) for name in _TOLD[entry.kind])]
            if entry.kind != "decision.refused" or line != told[-1]:  # who is refused, and asks again, is refused again
                told.append(line)
        return {
            "state": [run.status, run.state, run.outcome, run.output, dict(run.visits)],
            "artifacts": {
                name: [artifact[key] for key in ("revision", "author", "sha256", "content")]
                for name, artifact in run.artifacts.items()
            },
            "results": [run.results[name] for name in self.RESULTS],
            "history": told,
        }

    @classmethod
    @functools.cache
    def definition(cls) -> holdpoint.Definition:
        """The workflow of the story."""
        return loads(cls.WORKFLOW)


_TOLD: Mapping[str, tuple[str, ...]] = {
    "run.started": ("input",),
    "state.entered": ("state", "visit"),
    "transition": ("from", "option", "to"),
    "artifact.revised": ("name", "revision", "sha256", "parent"),
    "agent.succeeded": ("state", "output"),
    "agent.failed": ("state", "attempt", "code", "message"),
    "request.opened": ("kind", "options", "default"),
    "request.assigned": ("assign",),
    "request.claimed": ("claimed_by",),
    "request.decided": ("decision", "comment", "answers", "edit"),
    "request.expired": ("decision", "answers"),
    "request.voided": (),
    "decision.refused": ("decision", "code"),
    "signal.received": ("name", "output"),
    "wait.started": ("state",),
    "wait.ended": ("state", "option", "output"),
    "operator.extended": ("reason",),
    "operator.moved": ("to", "reason"),
    "operator.cancelled": ("reason",),
    "run.failed": ("code", "message"),
    "run.ended": ("outcome", "output"),
    "run.cancelled": (),
}


# --- an expense -------------------------------------------------------------------------------------------------------


class Expense(Client):
    """Agents, a return loop, an approval and a deadline; in each of its kinds the payment is another agent."""

    WORKFLOW = """\
workflow: killed
input: {type: object, required: [amount], properties: {amount: {type: integer}}}
states:
  draft:
    type: agent
    python: story:draft
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
    python: story:file
    with: {report: "{{ artifacts.report }}", receipt: "{{ pay.receipt }}"}
    next: filed
  filed: {type: end, output: {report: "{{ artifacts.report }}", filed: "{{ file }}", paid: "{{ pay }}"}}
  refused: {type: end, outcome: failure}
"""
    COMMANDS = ("start", "revise", "accept", "approve", "pass:objection")
    INPUT: ClassVar[dict[str, Any]] = {"amount": 120}
    RESULTS = ("draft", "pay", "file")
    EFFECTS = frozenset({"draft/1", "draft/2", "pay/1", "file/1"})
    ONCE = frozenset({"pay/1"})

    def agents(self) -> dict[str, Callable[..., Any]]:
        def draft(amount: int, feedback: str, context: Context) -> dict[str, Any]:
            return self.work(context, {"text": f"{amount} for the taxi", "feedback": feedback})

        def pay(report: object, context: Context) -> dict[str, Any]:
            return self.work(context, RECEIPT)

        def file(report: object, receipt: int, context: Context) -> dict[str, Any]:
            return self.work(context, {"report": report, "receipt": receipt})

        return {"draft": draft, "pay": pay, "file": file}

    def _do_revise(self, request: str) -> Proof:
        self.engine.decide(request, "revise", by="ann", comment="by train", key="the first")
        return "request.decided", {"decision": "revise", "request": request}

    def _do_accept(self, request: str) -> Proof:
        self.engine.decide(request, "accept", by="ann", artifact={"text": "train"}, key="the second")
        return "request.decided", {"decision": "accept", "request": request}

    def _do_approve(self, request: str) -> Proof:
        self.engine.decide(request, "approve", by="dora", key="the third")
        return "request.decided", {"decision": "approve", "request": request}


class RetriedExpense(Expense):
    """After a crash the payment is made again, under its key."""

    WORKFLOW = Expense.WORKFLOW.replace("AGENT", "python: story:pay\n    after_crash: retry")
    ONCE = frozenset()


class AskedExpense(Expense):
    """After a crash somebody is asked whether it was paid."""

    WORKFLOW = Expense.WORKFLOW.replace("AGENT", "python: story:pay")


class CommandExpense(Expense):
    """A command pays. It dies with us: whoever is killed can still be told by its child that it is time."""

    COMMAND = (
        'if [ "$KILL" = before ]; then kill -9 $PPID; exit; fi; echo "$FLOW_KEY" >> "$EFFECTS"; '
        'if [ "$KILL" = after ]; then kill -9 $PPID; exit; fi; echo \'{"receipt": 7}\''
    )
    WORKFLOW = Expense.WORKFLOW.replace("AGENT", f"command: [sh, -c, {json.dumps(COMMAND)}]")


# --- forms, and all that is done to a request -------------------------------------------------------------------------


class Forms(Client):
    """A form that is claimed, given to others, extended and answered; one that is excluded from; one for the timer."""

    WORKFLOW = """\
workflow: forms
states:
  name:
    type: form
    assign: [dora]
    exclude: [initiator]
    form: {type: object, required: [name], properties: {name: {type: string}, age: {type: integer, default: 3}}}
    next: check
    timeout: 1h
    default: {decision: submit, answers: {name: nobody}}
  check:
    type: approval
    exclude: [initiator, "role:clerk"]
    forms: {reject: {type: object, required: [why], properties: {why: {type: string}}}}
    on: {approve: more, reject: unnamed}
    timeout: 2d
    default: {decision: reject, answers: {why: silence}}
  more:
    type: form
    form: {type: object, required: [more], properties: {more: {type: string}}}
    next: named
    timeout: 1d
    default: {decision: submit, answers: {more: nothing}}
  named: {type: end, output: {name: "{{ name.answers }}", more: "{{ more.answers }}", by: "{{ name.by }}"}}
  unnamed: {type: end, outcome: failure}
"""
    COMMANDS = ("start", "claim", "assign", "extend", "wait", "refuse", "submit", "approve", "pass:more")

    def _do_claim(self, request: str) -> Proof:
        return self._once("request.claimed", lambda: self.engine.claim(request, by="dora"))

    def _do_assign(self, request: str) -> Proof:
        return self._once("request.assigned", lambda: self.engine.assign(request, ["role:manager"], by="dora"))

    def _do_extend(self, request: str) -> Proof:
        return self._once("operator.extended", lambda: self.engine.extend(request, "5d", by="dora", reason="holidays"))

    def _do_wait(self, request: str) -> Proof:
        """Long after the first deadline, and before the one that it was extended to."""
        opened = self.engine.get_request(request).opened_at
        self.clock.set(max(self.clock(), opened + timedelta(days=1)))
        counts = self.engine.tick()
        if any(counts.values()):
            self.flaws.append(f"a deadline fired before the time that it was extended to: {counts}")
        return "operator.extended", {"request": request}

    def _do_refuse(self, request: str) -> Proof:
        """Ann has the role, and has started the run."""
        try:
            self.engine.decide(request, "submit", by="ann", answers={"name": "ann"})
        except holdpoint.NotAllowed:
            return "decision.refused", {"request": request}
        raise AssertionError("ann is excluded, and was not refused")

    def _do_submit(self, request: str) -> Proof:
        self.engine.decide(request, "submit", by="dora", answers={"name": "Eli"}, key="the name")
        return "request.decided", {"decision": "submit", "request": request}

    def _do_approve(self, request: str) -> Proof:
        self.engine.decide(request, "approve", by="dora", key="the check")
        return "request.decided", {"decision": "approve", "request": request}


# --- waits and retries ------------------------------------------------------------------------------------------------


class Waits(Client):
    """Each kind of wait, with a signal that comes early, one in time and none; and an agent that fails twice."""

    WORKFLOW = """\
workflow: waits
states:
  nap: {type: wait, for: 1d, next: morning}
  morning: {type: wait, until: "{{ run.started_at | add('5d') }}", next: past}
  past: {type: wait, until: "{{ run.started_at | add('2d') }}", next: early}
  early:
    type: wait
    signal: ready
    output: {type: object, required: [at]}
    on: {received: either, timeout: lost}
    timeout: 1d
  either: {type: wait, signal: [better, worse], on: {better: silence, worse: lost}}
  silence: {type: wait, signal: ready, on: {received: lost, timeout: flaky}, timeout: 1d}
  flaky:
    type: agent
    python: story:flaky
    retry: {attempts: 3, delay: 1h, factor: 2, max_delay: 24h}
    on: {done: finished, error: lost}
  finished: {type: end, output: {early: "{{ early }}", either: "{{ either }}", flaky: "{{ flaky }}"}}
  lost: {type: end, outcome: failure}
"""
    COMMANDS = ("start", "ready", "pass:nap", "pass:morning", "better", "pass:silence", "pass:flaky")
    RESULTS = ("early", "either", "flaky")
    EFFECTS = frozenset({"flaky/1"})

    def agents(self) -> dict[str, Callable[..., Any]]:
        def flaky(context: Context) -> dict[str, Any]:
            output = self.work(context, {"attempt": context.attempt})
            if context.attempt < 3:
                raise OSError(f"attempt {context.attempt} has failed")
            return output

        return {"flaky": flaky}

    def _do_ready(self, request: None) -> Proof:
        self.engine.signal(self._run_id(), "ready", {"at": 7}, key="is ready")
        return "signal.received", {"name": "ready"}

    def _do_better(self, request: None) -> Proof:
        self.engine.signal(self._run_id(), "better", {"by": 3}, by="dora", key="is better")
        return "signal.received", {"name": "better"}

    def check(self) -> None:
        super().check()
        entries = self.engine.history(self._run_id())
        if [entry.data["name"] for entry in entries if entry.kind == "signal.received"] != ["ready", "better"]:
            self.flaws.append("a signal with a key is not there once")
        due: dict[int, datetime] = {}
        for entry in entries:
            if entry.kind == "agent.failed":
                due[entry.data["attempt"] + 1] = datetime.fromisoformat(entry.data["retry_at"])
            elif entry.kind == "agent.started" and entry.at < due.get(entry.data["attempt"], entry.at):
                self.flaws.append(f"attempt {entry.data['attempt']} was made before its time")
        if set(due) != {2, 3}:
            self.flaws.append(f"retries: {due}")


# --- an agent in a process of its own ---------------------------------------------------------------------------------


class Isolated(Client):
    """A worker kills the engine while it works, and has to end with it."""

    WORKFLOW = """\
workflow: isolated
states:
  work: {type: agent, python: "working:work", after_crash: retry, next: worked}
  worked: {type: end, output: "{{ work }}"}
"""
    COMMANDS = ("start",)
    RESULTS = ("work",)
    EFFECTS = frozenset({"work/1"})
    WORKER = """\
import os, signal, time

def work():
    die("before")
    with open(os.environ["EFFECTS"], "a") as file:
        file.write(os.environ["FLOW_KEY"] + "\\n")
    die("after")
    return {"receipt": 7}

def die(when):
    if os.environ.get("KILL") == when:
        with open(os.environ["EFFECTS"] + ".workers", "a") as file:
            file.write(f"{os.getpid()}\\n")
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
"""

    def __init__(self, folder: Path, order: str, life: int, points: Points) -> None:
        (folder / "working.py").write_text(self.WORKER)
        super().__init__(folder, order, life, points)

    def check(self) -> None:
        super().check()
        workers = self.folder / "effects.workers"
        until = time.monotonic() + 5
        for number in workers.read_text().split() if workers.exists() else []:
            while _runs(number) and time.monotonic() < until:
                time.sleep(0.01)
            if _runs(number):
                self.flaws.append(f"worker {number} outlives its engine")


def _runs(number: str) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# --- a crash that nobody answers for ----------------------------------------------------------------------------------


class Silence(Client):
    """After a crash somebody is asked, says nothing, and the deadline answers: once `retry`, once `done`."""

    WORKFLOW = """\
workflow: silence
states:
  charge:
    type: agent
    python: story:work
    output: {type: object, required: [receipt]}
    effect: irreversible
    unattended: allowed
    after_crash: {ask: {assign: ["role:manager"], exclude: [initiator], timeout: 1h, default: retry}}
    next: gate
  gate: {type: approval, exclude: [initiator], on: {approve: tell, reject: refused}, timeout: 5d, default: reject}
  tell:
    type: agent
    python: story:work
    output: {type: object, required: [receipt]}
    effect: irreversible
    after_crash: {ask: {timeout: 2h, default: {decision: done, answers: {receipt: 7}}, priority: urgent}}
    next: told
  told: {type: end, output: {charge: "{{ charge }}", tell: "{{ tell }}"}}
  refused: {type: end, outcome: failure}
"""
    COMMANDS = ("start", "pass:charge", "approve", "pass:tell")
    RESULTS = ("charge", "tell")
    EFFECTS = frozenset({"charge/1", "tell/1"})
    UNSEEN = frozenset({"tell/1"})

    def agents(self) -> dict[str, Callable[..., Any]]:
        def work(context: Context) -> dict[str, Any]:
            return self.work(context, RECEIPT)

        return {"work": work}

    def _answer(self, request: holdpoint.Request, is_done: bool) -> None:
        """Nobody does."""

    def check(self) -> None:
        super().check()
        answered = False
        for entry in self.engine.history(self._run_id()):
            answered |= entry.kind == "request.expired" and entry.data["decision"] == "done"
            if answered and entry.kind == "agent.started":
                self.flaws.append("the deadline said that it is done, and it was done again")

    def _do_approve(self, request: str) -> Proof:
        self.engine.decide(self._run_id(), "approve", at="gate", by="dora", key="the gate")
        return "request.decided", {"decision": "approve"}


# --- an operator who steers -------------------------------------------------------------------------------------------


class Steered(Client):
    """A run is moved on, then cancelled where it waits for somebody, and cleans up after itself."""

    WORKFLOW = """\
workflow: steered
on_cancel: clean_up
states:
  hold: {type: wait, signal: never, on: {received: lost}}
  gate: {type: approval, on: {approve: prepare, reject: lost}, timeout: 2d, default: reject}
  prepare: {type: agent, python: story:work, next: ask}
  ask: {type: approval, on: {approve: lost, reject: lost}, timeout: 2d, default: reject}
  clean_up: {type: agent, python: story:work, after_crash: retry, next: cleaned}
  cleaned: {type: end, outcome: cancelled, output: {by: "{{ clean_up }}"}}
  lost: {type: end, outcome: failure}
"""
    COMMANDS = ("start", "leave", "skip", "cancel")
    RESULTS = ("prepare", "clean_up")
    EFFECTS = frozenset({"prepare/1", "clean_up/1"})

    def agents(self) -> dict[str, Callable[..., Any]]:
        def work(context: Context) -> dict[str, Any]:
            return self.work(context, RECEIPT)

        return {"work": work}

    def _do_leave(self, request: None) -> Proof:
        """From a wait to a gate."""
        self._move("gate", "nobody sends it")
        return "operator.moved", {"to": "gate"}

    def _do_skip(self, request: str) -> Proof:
        """From a gate, whose request is void then, to an agent."""
        self._move("prepare", "in a hurry")
        return "operator.moved", {"to": "prepare"}

    def _do_cancel(self, request: str) -> Proof:
        """Once: a second time would leave out what is to be cleaned up."""
        return self._once("operator.cancelled", lambda: self.engine.cancel(self._run_id(), reason="a mistake"))

    def _move(self, state: str, reason: str) -> None:
        if not self._has("operator.moved", {"to": state}):
            self.engine.move(self._run_id(), state, reason=reason)


STORIES: Mapping[str, type[Client]] = {
    "retry": RetriedExpense,
    "ask": AskedExpense,
    "command": CommandExpense,
    "forms": Forms,
    "waits": Waits,
    "isolated": Isolated,
    "silence": Silence,
    "steered": Steered,
}
