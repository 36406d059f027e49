"""A step in the making: entries are sealed, applied to the run and kept together with the contents that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from holdpoint.engine.agents import Work
from holdpoint.engine.canonical import MAX_VALUE_BYTES, Json, canonical, check_json, decoded, digest
from holdpoint.engine.definition import AnyState, Definition
from holdpoint.engine.durations import Duration
from holdpoint.engine.evolve import begin, evolve
from holdpoint.engine.expressions import Scope
from holdpoint.engine.history import seal
from holdpoint.engine.model import NO_HASH, ActorKind, Entry, RunRecord, Step, Values
from holdpoint.engine.names import Names
from holdpoint.engine.times import format_time


def no_roles(person: str) -> frozenset[str]:
    """Nobody has a role."""
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a decision may know of the world, given to it as values.

    `now` is the clock's time; `worker` says that whoever commits the step will run the agent that it begins.
    """

    now: datetime
    values: Values
    roles: Callable[[str], frozenset[str]] = no_roles
    worker: bool = False
    max_bytes: int = MAX_VALUE_BYTES
    project: Path = Path()
    env: Mapping[str, str] = field(default_factory=dict)


class Draft:
    """What is being decided about one run. Its methods add to the step; `step()` hands it over."""

    def __init__(self, definition: Definition, before: RunRecord | None, facts: Facts) -> None:
        self.definition = definition
        self.facts = facts
        self.before = before
        # A run's time never goes back, whatever the clock does (spec 3.9).
        self.now = facts.now if before is None or facts.now > before.at else before.at
        self._now_text = format_time(self.now)
        self.work: Work | None = None
        self._run = before
        self._entries: list[Entry] = []
        self._contents: dict[str, str] = {}

    @property
    def run(self) -> RunRecord:
        """The run as the entries so far leave it."""
        if self._run is None:
            raise RuntimeError("a run begins with run.started")
        return self._run

    @property
    def state(self) -> AnyState:
        """The definition of the state that the run is in."""
        return self.definition.states[self.run.state or ""]

    def start(self, run_id: str, actor: str | None, data: Mapping[str, Json]) -> None:
        """Write the first entry."""
        kind: ActorKind = "human" if actor is not None else "engine"
        entry = seal(
            run=run_id, seq=1, at=self.now, kind="run.started", actor=actor, actor_kind=kind, data=data, prev=NO_HASH
        )
        self._entries.append(entry)
        self._run = begin(entry)

    def emit(
        self,
        kind: str,
        more: Mapping[str, Json] = MappingProxyType({}),
        /,
        *,
        actor: str | None = None,
        actor_kind: ActorKind = "engine",
        **data: Json,
    ) -> Entry:
        """Write the next entry, with *data* (and *more*, for members that are no Python names).

        Members that are None are left out.
        """
        run = self.run
        entry = seal(
            run=run.id,
            seq=run.seq + 1,
            at=self.now,
            at_text=self._now_text,
            kind=kind,
            actor=actor,
            actor_kind=actor_kind,
            data={name: value for name, value in ({**more, **data} if more else data).items() if value is not None},
            prev=run.head,
        )
        self._entries.append(entry)
        self._run = evolve(run, entry)
        return entry

    def keep(self, value: Json, what: str, *, is_checked: bool = False) -> str:
        """The hash of a value that the step will store. Raises `Invalid` where it is no JSON, or too large.

        *is_checked* says that `check_json` has seen the value before, under the same bound.
        """
        text = canonical(value) if is_checked else check_json(value, what, max_bytes=self.facts.max_bytes)
        sha256 = digest(text)
        self._contents[sha256] = text
        return sha256

    def content(self, sha256: str) -> Json:
        """A value of the run, also one that this step makes."""
        text = self._contents.get(sha256)
        return self.facts.values.content(sha256) if text is None else decoded(text)

    def entry(self, seq: int) -> Entry:
        """An entry of the run, also one that this step makes."""
        index = seq - self._entries[0].seq if self._entries else -1
        return self._entries[index] if index >= 0 else self.facts.values.entry(seq)

    def revision(self, name: str, revision: int) -> Json:
        """The content of an earlier revision."""
        return self.facts.values.revision(name, revision)

    def due_text(self, duration: Duration | None) -> str | None:
        """When a duration that begins now is over, as entries say it; None for ever."""
        return None if duration is None else format_time(duration.after(self.now, self.definition.zone))

    def scope(self, **extra: Json) -> Scope:
        """What expressions see now."""
        names = Names(self.definition, self.run, self._now_text, self, extra)
        return Scope(values=names, schemas=self.definition.schemas, zone=self.definition.zone)

    def step(self) -> Step:
        """What came of it. A content that no entry names, because what it was for came to nothing, is not in it."""
        named = "".join(entry.text for entry in self._entries)
        return Step(
            before=self.before,
            after=self.run,
            entries=tuple(self._entries),
            contents={sha256: text for sha256, text in self._contents.items() if sha256 in named},
            work=self.work,
        )
