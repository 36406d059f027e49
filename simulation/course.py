"""Runs under the engine's own rules, without a store: `start` and `decide` are asked, and nothing else moves a run.

Runs that have come the same way stand at the same place. So the engine is asked once for each way (a `Place` of
the tree that all runs share), as long as nothing in its answer can depend on the time or on the run itself. A run for
which it can leaves the tree: all that happened to it is decided again at its own times, and from there on it goes by
itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TypeAlias

from holdpoint.engine.agents import Work
from holdpoint.engine.canonical import Json, decoded
from holdpoint.engine.decide import decide, start
from holdpoint.engine.definition import Definition
from holdpoint.engine.draft import Facts
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.evolve import revision_made
from holdpoint.engine.loop import command_of
from holdpoint.engine.model import Command, Continue, Entry, Ref, RunRecord, Start, Step
from holdpoint.engine.model import Values as EngineValues

RUN_ID = "run_0000000000000000"
MAX_PLACES = 100_000
Key: TypeAlias = tuple[str | int, ...]
Roles: TypeAlias = Callable[[str], frozenset[str]]

_MICROSECOND = timedelta(microseconds=1)
# Where what is rendered goes to people or to agents, neither of which a simulation has.
_READ_BY_NOBODY = frozenset({"message", "show", "with", "command", "title", "description"})
# In an expression, words that may mean a time; and keys whose meaning follows a calendar.
_TIMELY = re.compile(r"\b(?:now|at|started_at|local|run\.id)\b")
_CALENDAR = frozenset({"calendar", "until"})
_DURATIONS = frozenset({"timeout", "for", "after", "every", "delay", "max_delay"})


class _Values:
    """What a run's record refers to: what its steps have made so far."""

    __slots__ = ("_before", "_contents", "_entries")

    def __init__(self, before: EngineValues | None = None, step: Step | None = None) -> None:
        self._before = before
        self._contents: Mapping[str, str] = step.contents if step else {}
        self._entries: tuple[Entry, ...] = step.entries if step else ()

    def content(self, sha256: str) -> Json:
        """The value with this hash."""
        values: EngineValues | None = self
        while isinstance(values, _Values):
            if sha256 in values._contents:
                return decoded(values._contents[sha256])
            values = values._before
        if values is None:
            raise KeyError(sha256)
        return values.content(sha256)

    def entry(self, seq: int) -> Entry:
        """The run's entry with this number."""
        found = next((entry for entry in self._all() if entry.seq == seq), None)
        return self._first().entry(seq) if found is None else found

    def revision(self, name: str, revision: int) -> Json:
        """The content of one revision of an artifact."""
        made = (revision_made(entry) for entry in self._all() if entry.kind == "artifact.revised")
        found = next((one.sha256 for one in made if (one.name, one.revision) == (name, revision)), None)
        return self._first().revision(name, revision) if found is None else self.content(found)

    def look_ahead(self, refs: Collection[Ref]) -> None:
        """Nothing: all is at hand."""

    def learn(self, step: Step) -> None:
        """Nothing: each step has values of its own."""

    def _all(self) -> Iterator[Entry]:
        values: EngineValues | None = self
        while isinstance(values, _Values):
            yield from reversed(values._entries)
            values = values._before

    def _first(self) -> EngineValues:
        """What the run had before the simulation, in the store that it is from."""
        values: EngineValues | None = self
        while isinstance(values, _Values):
            values = values._before
        if values is None:
            raise KeyError("a run that began here has nothing from before")
        return values


@dataclass(slots=True, kw_only=True)
class Place:
    """Where runs that have come the same way stand. Times in `run` are those of the first that came.

    `due_in` is how long after the last step something falls due, in microseconds. `ways` are the places that were
    reached from here, by key. At a place that is `shared` all that is due has begun with the last step.
    """

    run: RunRecord
    values: _Values
    work: Work | None
    due_in: int | None
    is_shared: bool
    ways: dict[Key, Place] = field(default_factory=dict)


class Rules:
    """The engine's rules for one definition, for runs that start from *start* on.

    *is_shared* false asks the engine for each run and step; what comes of it is the same, and takes far longer.
    """

    def __init__(self, definition: Definition, roles: Roles, start: datetime, *, is_shared: bool = True) -> None:
        self.definition = definition
        self.start = start
        self._roles = roles
        self._is_shared = is_shared and not _reads_time(definition.document)
        self._reach = timedelta(days=_longest(definition.document) + 2)
        self._steady: dict[date, bool] = {}
        self._starts: dict[Key, Place] = {}
        self._places = 0

    def begin(self, key: Key, value: Json, initiator: str, now: int) -> Course:
        """A run that starts now. The same *key* must mean the same input and initiator. Raises `Invalid`."""
        command = Start(run_id=RUN_ID, input=value, initiator=initiator)
        time = self.time(now)
        place = self._starts.get(key) if self._may_share(time) else None
        if place is None:
            step = start(self.definition, command, self.facts(_Values(), time))
            place = self._place(step, None, time)
            if place.is_shared:
                self._starts[key] = place
        return Course(self, place, command, now)

    def go_on(self, run: RunRecord, values: EngineValues) -> Course:
        """A run that began before the simulation and goes on in it, by itself."""
        due = min((deadline.due_at for deadline in run.deadlines), default=None)
        due_in = None if due is None else max(0, (due - self.start) // _MICROSECOND)
        place = Place(run=run, values=_Values(values), work=None, due_in=due_in, is_shared=False)
        return Course(self, place, None, 0)

    def time(self, now: int) -> datetime:
        """The time that is so many microseconds after the start."""
        return self.start + now * _MICROSECOND

    def next_place(self, place: Place, key: Key, command: Command, elapsed: int, now: int) -> Place | None:
        """The place that a command leads to from a shared one; None where the run must go by itself."""
        if not self._may_share(self.time(now)):
            return None
        known = place.ways.get(key)
        if known is not None:
            return known
        time = place.run.at + elapsed * _MICROSECOND
        if self._places >= MAX_PLACES or not self._may_share(time):
            return None
        found = self.ask(place, command, time)
        if not found.is_shared:
            return None
        place.ways[key] = found
        return found

    def ask(self, place: Place, command: Command | Start, time: datetime) -> Place:
        """Where a command leads at that time, by the engine. Raises what refuses it."""
        if isinstance(command, Start):
            return self._place(start(self.definition, command, self.facts(_Values(), time)), None, time)
        step = decide(self.definition, place.run, command, self.facts(place.values, time))
        return place if step is None else self._place(step, place, time)

    def facts(self, values: EngineValues, time: datetime) -> Facts:
        """What the engine may know: all but agents' environment and the project's folder."""
        return Facts(now=time, values=values, roles=self._roles, worker=True)

    def _place(self, step: Step, before: Place | None, time: datetime) -> Place:
        self._places += 1
        run = step.after
        due = min((deadline.due_at for deadline in run.deadlines), default=None)
        return Place(
            run=run,
            values=_Values(before.values if before else None, step),
            work=step.work,
            due_in=None if due is None else (due - run.at) // _MICROSECOND,
            is_shared=self._may_share(time) and _is_fresh(step),
        )

    def _may_share(self, time: datetime) -> bool:
        """Whether durations that begin now are the same for everybody: the clocks do not change in between."""
        if not self._is_shared:
            return False
        zone = self.definition.zone
        if zone.key == "UTC":
            return True
        day = time.date()
        known = self._steady.get(day)
        if known is None:
            offset, later = time.astimezone(zone).utcoffset(), time - timedelta(days=1)
            known = True
            while known and later <= time + self._reach:
                known = later.astimezone(zone).utcoffset() == offset
                later += timedelta(days=1)
            self._steady[day] = known
        return known


class Course:
    """One run on its way. All times are microseconds from the beginning of the simulation.

    `version` changes with each step.
    """

    __slots__ = ("_done", "_is_alone", "_rules", "at", "due", "place", "version")

    def __init__(self, rules: Rules, place: Place, command: Start | None, now: int) -> None:
        self._rules = rules
        self._done: list[tuple[int, Command | Start]] = []
        self._is_alone = not place.is_shared
        self.version = 0
        self._go(place, command, now)

    @property
    def definition(self) -> Definition:
        """The definition that the run is pinned to."""
        return self._rules.definition

    @property
    def run(self) -> RunRecord:
        """The run. Its times are not to be read: they may be those of another run that came the same way."""
        return self.place.run

    def apply(self, key: Key, command: Command, now: int) -> None:
        """Do what a command does. *key* says all that sets the command apart from others here. Raises what refuses."""
        if not self._is_alone:
            place = self._rules.next_place(self.place, key, command, now - self.at, now)
            if place is not None:
                self._go(place, command, now)
                return
            self._leave()
        self._go(self._rules.ask(self.place, command, self._rules.time(now)), command, now)

    def apply_due(self, now: int) -> None:
        """Apply what has fallen due."""
        deadline = min(self.run.deadlines, key=lambda deadline: deadline.due_at)
        command = Continue() if deadline.action == "retry" else command_of(deadline)
        self.apply(("due",), command, now)

    def _go(self, place: Place, command: Command | Start | None, now: int) -> None:
        self.place = place
        self.at = now
        self.due = None if place.due_in is None else now + place.due_in
        self.version += 1
        if not self._is_alone and command is not None:
            self._done.append((now, command))

    def _leave(self) -> None:
        """Go on by itself: what happened so far is decided again, at this run's own times."""
        self._is_alone = True
        for now, command in self._done:
            self.place = self._rules.ask(self.place, command, self._rules.time(now))
        self._done = []


def _is_fresh(step: Step) -> bool:
    """Whether all that is due after a step began with it, and nothing of it follows from the run's own hash."""
    before, run = step.before, step.after
    since = before.seq if before else 0
    is_new = all(request.opened_seq > since and not request.changes for request in run.requests.values())
    if run.alarm is None:
        return is_new
    return is_new and run.alarm.action != "retry" and (before is None or before.alarm is not run.alarm)


def _reads_time(document: Json) -> bool:
    """Whether a guard, value or person may depend on when something happened: any doubt is a yes."""
    top = {key: value for key, value in document.items() if key not in ("states", *_READ_BY_NOBODY)}
    states = [{key: part for key, part in state.items() if key not in _READ_BY_NOBODY} for state in _states(document)]
    return any(key in _CALENDAR or _TIMELY.search(text) for key, text in _texts([top, *states], ""))


def _states(document: Json) -> list[dict[str, Json]]:
    return list(document["states"].values())


def _texts(value: Json, key: str) -> Iterator[tuple[str, str]]:
    """Each expression of a value, and each key with a calendar's meaning, by its key."""
    if key in _CALENDAR or (isinstance(value, str) and (key == "when" or "{{" in value)):
        yield key, str(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key)


def _longest(document: Json) -> int:
    """The longest duration of a document, in days, rounded up."""
    days = 0
    for name, item in document.items() if isinstance(document, dict) else ():
        if name in _DURATIONS and isinstance(item, str) and item != "never":
            duration = parse_duration(item)
            days = max(days, duration.days + duration.seconds // 86_400 + 1)
        elif isinstance(item, dict):
            days = max(days, _longest(item))
        elif isinstance(item, list):
            days = max(days, *(_longest(part) for part in item), 0)
    return days
