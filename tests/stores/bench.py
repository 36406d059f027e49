"""What the tests of the stores share: steps as the engine decides them, committed to a store by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from holdpoint.api import loads
from holdpoint.engine.agents import Success
from holdpoint.engine.decide import decide, start
from holdpoint.engine.definition import Definition
from holdpoint.engine.draft import Facts
from holdpoint.engine.model import Command, Decide, Finish, RunRecord, Start, Step
from holdpoint.engine.ports import Dossier, Key, Lease, Store
from holdpoint.engine.recall import Recall
from holdpoint.engine.verify import verify
from holdpoint.testing import Clock
from tests.building import gate, review, value, worker, workflow

# Every kind of rest and every kind of deadline: a return, an agent with a retry, a wait, an approval.
DEFINITION = loads(
    workflow(
        {
            "draft": value("{{ input.text }}", "review", artifact="report"),
            "review": {
                **review(timeout="2d", default="accept", priority="high"),
                "on": {"accept": "work", "revise": "draft"},
            },
            "work": worker("nap", retry={"attempts": 2, "delay": "1m"}),
            "nap": {"type": "wait", "signal": "up", "timeout": "1h", "on": {"received": "ask", "timeout": "ask"}},
            "ask": gate(timeout="1d", default="reject", assign=["ann", "bob"]),
        }
    )
)


def gate_only(name: str, **keys: Any) -> Definition:
    """A workflow that opens one approval."""
    return loads(workflow({"ask": gate(**keys)}).replace('"flow"', f'"{name}"'))


class Bench:
    """A store, a clock that stands still, and runs whose ids count up."""

    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        self.store = store
        self.clock = clock or Clock()
        self._numbers = count(1)

    def pass_time(self, **duration: float) -> datetime:
        """Move the clock on; what it then shows."""
        self.clock.set(self.clock() + timedelta(**duration))
        return self.clock()

    def first(self, definition: Definition = DEFINITION, *, is_worker: bool = True) -> Step:
        """The first step of a new run; it is not committed."""
        run_id = f"run_{next(self._numbers):016}"
        command = Start(run_id=run_id, input={"text": "a text"}, initiator="ann")
        return start(definition, command, self._facts(run_id, is_worker=is_worker))

    def start(self, definition: Definition = DEFINITION, **more: Any) -> RunRecord:
        """Commit the first step of a new run."""
        step = self.first(definition)
        self.store.commit(step, definition=definition, lease=self.lease(step), **more)
        return step.after

    def step(self, run: RunRecord, command: Command, definition: Definition = DEFINITION) -> Step:
        """What a command makes of a run, not committed. A decision is on whatever request is open."""
        if isinstance(command, Decide):
            command = replace(command, request_id=next(iter(run.requests)))
        step = decide(definition, run, command, self._facts(run.id))
        assert step is not None
        return step

    def apply(self, run: RunRecord, command: Command, definition: Definition = DEFINITION, **more: Any) -> RunRecord:
        """Decide and commit."""
        step = self.step(run, command, definition)
        self.store.commit(step, lease=self.lease(step), **more)
        return step.after

    def at_work(self) -> RunRecord:
        """A run whose agent is at work, under a lease."""
        return self.apply(self.start(), decision("accept"))

    def lease(self, step: Step, owner: str = "somebody") -> Lease | None:
        """The lease for the attempt that a step begins."""
        if step.work is None or step.after.attempt is None:
            return None
        expires_at = self.clock() + timedelta(seconds=30)
        return Lease(run_id=step.after.id, token=step.after.attempt.token, owner=owner, expires_at=expires_at)

    def key(self, run: RunRecord, name: str = "k", request_id: str | None = None) -> Key:
        """A key for a command on a run."""
        scope = f"start {run.workflow}" if request_id is None else request_id
        return Key(scope=scope, key=name, body="ab" * 32, run_id=run.id, request_id=request_id)

    def flaws(self) -> list[str]:
        """What `verify` finds in the whole store."""
        found = [*self.store.faults()]
        for run_id in self.store.run_ids():
            found += [str(flaw) for flaw in verify(self.store.dossier(run_id))]
        return found

    def _facts(self, run_id: str, *, is_worker: bool = True) -> Facts:
        return Facts(now=self.clock(), values=Recall(self.store, run_id), worker=is_worker)


def decision(option: str, by: str = "ann", **more: Any) -> Decide:
    """A decision on whatever request is open."""
    return Decide(request_id="", option=option, by=by, **more)


def finish(run: RunRecord, output: Any = None) -> Finish:
    """A success of the attempt under way."""
    assert run.attempt is not None
    return Finish(token=run.attempt.token, outcome=Success(output=output))


def plain(dossier: Dossier) -> dict[str, Any]:
    """A dossier as plain values, so that two of them compare whatever kinds of sequences they hold."""
    fields = {name: getattr(dossier, name) for name in Dossier.__slots__}
    return {
        name: sorted(item, key=repr) if isinstance(item, Sequence) and not isinstance(item, str) else item
        for name, item in fields.items()
    }
