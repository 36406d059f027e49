"""The loop that executes: read, decide, commit; then run what must run outside, and commit its outcome.

Runs move only here. `catch_up`, "apply what is due until nothing is", comes before every command. A step is decided on
what was read and committed only if nothing has moved since; otherwise all is done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from holdpoint.engine import agents
from holdpoint.engine.agents import Work
from holdpoint.engine.canonical import MAX_VALUE_BYTES
from holdpoint.engine.clock import Clock
from holdpoint.engine.decide import decide, start
from holdpoint.engine.definition import Definition
from holdpoint.engine.draft import Facts, no_roles
from holdpoint.engine.due import NOT_OPEN
from holdpoint.engine.errors import Conflict, StoreError
from holdpoint.engine.leases import LEASE, Heart, is_gone, owner
from holdpoint.engine.model import (
    Command,
    Continue,
    Crash,
    Deadline,
    Expire,
    Finish,
    RunRecord,
    Start,
    Step,
    Wake,
)
from holdpoint.engine.ports import Key, Lease, Moved, Store
from holdpoint.engine.recall import Recall

_TRIES = 1_000
_DEFINITIONS_KEPT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms runs are driven: fixed for the life of an engine."""

    clock: Clock
    roles: Callable[[str], frozenset[str]] = no_roles
    project: Path = Path()
    registry: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    lease: timedelta = LEASE
    max_bytes: int = MAX_VALUE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run as it was at one moment, with what its record refers to.

    `work` is the attempt that the last step began, for whoever committed it.
    """

    run: RunRecord
    values: Recall
    work: Work | None = None


class Loop:
    """Drives the runs of one store. Any number of threads may use it at once."""

    def __init__(self, store: Store, terms: Terms) -> None:
        self.store = store
        self.terms = terms
        self._definitions: dict[str, Definition] = {}
        self._heart = Heart(self._renew, terms.lease.total_seconds())
        self._owner = owner()
        self._pid = os.getpid()

    def close(self) -> None:
        """Stop the heartbeat and let go of the store."""
        self._heart.close()
        self.store.close()

    def definition(self, run: RunRecord) -> Definition:
        """The definition that a run is pinned to, compiled once."""
        known = self._definitions.get(run.definition_id)
        if known is None:
            known = Definition.from_document(json.loads(self.store.definition(run.definition_id)))
            self.remember(known)
        return known

    def remember(self, definition: Definition) -> None:
        """Keep a compiled definition for the runs that use it."""
        if len(self._definitions) >= _DEFINITIONS_KEPT:
            self._definitions.clear()
        self._definitions[definition.id] = definition

    def start(
        self, definition: Definition, command: Start, *, key: Key | None, source: str | None, is_worker: bool
    ) -> Standing:
        """Commit the first step of a run. Raises `KeyTaken` where the key is another run's.

        *source* is the hash of what the definition was compiled from, to find it again.
        """
        self.remember(definition)
        values = self.values(command.run_id)
        step = start(definition, command, self._facts(values, is_worker=is_worker))
        self.store.commit(step, definition=definition, source=source, lease=self._lease_for(step), key=key)
        return _after(step, values)

    def apply(
        self,
        run_id: str,
        command: Command,
        *,
        is_worker: bool = False,
        key: Key | None = None,
        lapsed: Lease | None = None,
        known: Standing | None = None,
    ) -> Standing | None:
        """Decide *command* on the run as it is, and commit. None where there was nothing to do.

        *known* is the run as it was read or left a moment ago: it saves a look, and is not believed where the run has
        moved since. Raises what `decide` refuses with, and `Moved` only where a *lapsed* lease has changed.
        """
        for _ in range(_TRIES):
            standing = known or self.read(run_id)
            known = None
            facts = self._facts(standing.values, is_worker=is_worker)
            step = decide(self.definition(standing.run), standing.run, command, facts)
            if step is None:
                return None
            try:
                self.store.commit(step, lease=self._lease_for(step), lapsed=lapsed, key=key)
            except Moved:
                if lapsed is not None:
                    raise
                continue
            return _after(step, standing.values)
        raise _busy(run_id)

    def read(self, run_id: str) -> Standing:
        """The run as it stands. Raises `NotFound`."""
        return Standing(run=self.store.run(run_id), values=self.values(run_id))

    def values(self, run_id: str) -> Recall:
        """What the record of a run refers to."""
        return Recall(self.store, run_id)

    def catch_up(self, run_id: str) -> Standing:
        """Apply what is due until nothing is, and return the run as it then stands."""
        while True:
            standing = self.read(run_id)
            if not self.apply_due(standing):
                return standing

    def apply_due(self, standing: Standing) -> bool:
        """Apply what is due first on a run; whether there was anything, so that the run must be read again."""
        due = standing.run.due(self.now())
        if due is None or due.action == "retry":  # a retry is made by whoever works, and changes nothing before
            return False
        self.apply(standing.run.id, command_of(due), known=standing)
        return True

    def command(
        self,
        run_id: str,
        command: Command,
        *,
        is_worker: bool = False,
        key: Key | None = None,
        known: Standing | None = None,
    ) -> Standing | None:
        """Apply what is due on a run, and then a command from outside. Raises what refuses it.

        With *known*, where nothing was due a moment ago, the command is tried first.
        """
        for _ in range(_TRIES):
            standing = known or self.catch_up(run_id)
            known = None
            try:
                return self.apply(run_id, command, is_worker=is_worker, key=key, known=standing)
            except Conflict as error:
                if error.code != NOT_OPEN:
                    raise
        raise _busy(run_id)

    def advance(self, standing: Standing) -> Standing:
        """Run the attempt that was begun, and those that follow, until the run waits, rests or ends."""
        while standing.work is not None:
            run, attempt = standing.run, standing.run.attempt
            if attempt is None:
                raise RuntimeError("work without an attempt")
            with self._heart.beating(run.id, attempt.token) as lost:
                outcome = agents.run(standing.work, registry=self.terms.registry, stop=lost)
            if isinstance(outcome, agents.Crashed):
                command: Command = Crash(token=attempt.token, reason=outcome.reason)
            else:
                command = Finish(token=attempt.token, outcome=outcome)
            after = self.command(run.id, command, is_worker=True, known=standing)
            if after is None:  # a crash of an attempt that is no longer the run's: an outcome is always noted
                return self.read(run.id)
            standing = after
        return standing

    def take_up(self, standing: Standing) -> Standing | None:
        """Take up a run that is ready, as the one that works on it. The attempt it begins is still to be run."""
        return self.apply(standing.run.id, Continue(), is_worker=True, known=standing)

    def recover(self, lease: Lease) -> Standing | None:
        """Take over from a process that is gone or has let its lease run out; None where it has not."""
        reason = self._why_lost(lease)
        if not reason:
            return None
        try:
            return self.apply(lease.run_id, Crash(token=lease.token, reason=reason), is_worker=True, lapsed=lease)
        except Moved:
            return None

    def is_lost(self, run: RunRecord) -> bool:
        """Whether nobody is at work any more on the attempt that the run has under way."""
        lease = next((lease for lease in self.store.leases() if lease.run_id == run.id), None)
        return lease is not None and bool(self._why_lost(lease))

    def _why_lost(self, lease: Lease) -> str:
        if is_gone(lease.owner):
            return "its process is gone"
        return "its lease ran out" if lease.expires_at <= self.now() else ""

    def batch(self) -> AbstractContextManager[None]:
        """One transaction around several steps."""
        return self.store.batch()

    def now(self) -> datetime:
        """The clock's time."""
        return self.terms.clock()

    def _renew(self, run_id: str, token: int) -> bool:
        return self.store.renew(run_id, token, self.now() + self.terms.lease)

    def _lease_for(self, step: Step) -> Lease | None:
        if step.work is None or step.after.attempt is None:
            return None
        return Lease(
            run_id=step.after.id,
            token=step.after.attempt.token,
            owner=self._owner_now(),
            expires_at=step.after.at + self.terms.lease,
        )

    def _owner_now(self) -> str:
        if os.getpid() != self._pid:  # after a fork
            self._pid, self._owner = os.getpid(), owner()
        return self._owner

    def _facts(self, values: Recall, *, is_worker: bool) -> Facts:
        return Facts(
            now=self.now(),
            values=values,
            roles=self.terms.roles,
            worker=is_worker,
            max_bytes=self.terms.max_bytes,
            project=self.terms.project,
            env=os.environ,
        )


def _after(step: Step, values: Recall) -> Standing:
    """The run as a committed step leaves it."""
    values.learn(step)
    return Standing(run=step.after, values=values, work=step.work)


def command_of(deadline: Deadline) -> Command:
    """What is to be done at a deadline that is no retry."""
    return Wake() if deadline.request is None else Expire(request_id=deadline.request)


def _busy(run_id: str) -> StoreError:
    return StoreError(f"run {run_id} moved {_TRIES} times while one command was tried; try again", code="busy")
