"""The configuration of a simulation: a YAML file, read as strictly as a workflow, every error with its place."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from io import StringIO
from pathlib import Path as File
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from holdpoint.engine import jsonschemas
from holdpoint.engine.agents import FAILURES
from holdpoint.engine.asking import Asking, asking
from holdpoint.engine.canonical import Json, canonical
from holdpoint.engine.definition import AgentState, Definition, HumanState, WaitState
from holdpoint.engine.errors import Invalid, NotFound, did_you_mean
from holdpoint.engine.people import check_person, is_excluded, may_act
from holdpoint.engine.times import parse_time
from holdpoint.schema.nodes import Document, Path, Place
from holdpoint.schema.people import INITIATOR
from holdpoint.schema.reader import read
from holdpoint.schema.report import suggestion
from holdpoint.simulation.draws import NO_TIME, parse_distribution
from holdpoint.simulation.given import HANDLING, HOURS, Given
from holdpoint.simulation.hours import parse_hours, parse_zone
from holdpoint.simulation.plan import (
    INITIATORS,
    Arrivals,
    Case,
    Group,
    Habit,
    Outcome,
    Patience,
    Rate,
    Work,
    numbered,
    parse_rate,
    people_of,
)

MAX_DAYS = 3_660
MAX_REPLICATIONS = 10_000
MAX_PEOPLE = 10_000
_TOP = (
    "days",
    "warmup",
    "seed",
    "replications",
    "start",
    "order",
    "arrivals",
    "inputs",
    "agents",
    "people",
    "decisions",
    "signals",
)
_Value = TypeVar("_Value")


def read_config(data: bytes, file: str, definition: Definition, folder: File) -> Given:
    """What a configuration says. Raises `Invalid`, code `config`, with each problem and its place.

    Files that it names are looked for in *folder*.
    """
    document, problems = read(data, file)
    if document is None:
        raise Invalid("\n".join(str(problem) for problem in problems), code="not_yaml")
    reader = _Reader(document, definition, folder)
    given = reader.given()
    if reader.problems:
        raise Invalid("\n".join(reader.problems), code="config", details={"file": file})
    return given


def read_times(path: File) -> tuple[datetime, ...]:
    """The times in the first column of a CSV file, RFC 3339 each, without its header. Raises `NotFound`, `Invalid`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"file {str(path)!r} cannot be read: {error}", details={"file": str(path)}) from None
    times = []
    for number, row in enumerate(csv.reader(StringIO(text)), 1):
        if not row or (number == 1 and not row[0][:1].isdigit()):
            continue
        try:
            times.append(parse_time(row[0]))
        except Invalid as error:
            raise Invalid(f"{path}:{number}:1: {error.message}", code="config") from None
    if not times:
        raise Invalid(f"{path}: there is no time in its first column", code="config")
    return tuple(sorted(times))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    least: float
    most: float = math.inf
    is_whole: bool = True


class _Reader:
    """Reads one document; what is wrong is noted, and reading goes on."""

    def __init__(self, document: Document, definition: Definition, folder: File) -> None:
        self.document, self.definition, self.folder = document, definition, folder
        self.problems: list[str] = []
        self.starters: Group | None = None

    def given(self) -> Given:
        """All of it."""
        top = self._mapping((), _TOP)
        if top is None:
            return Given()
        start = self._as(("start",), parse_time) if "start" in top else None
        return Given(
            days=self._number(("days",), _Bounds(least=1, most=MAX_DAYS)),
            warmup=self._number(("warmup",), _Bounds(least=0, most=MAX_DAYS)),
            seed=self._number(("seed",), _Bounds(least=0)),
            replications=self._number(("replications",), _Bounds(least=1, most=MAX_REPLICATIONS)),
            start=start,
            is_inbox_order=self._order(top),
            arrivals=self._arrivals(start) if "arrivals" in top else None,
            cases=tuple(self._cases()) if "inputs" in top else (),
            people=tuple(self._people()) if "people" in top else (),
            agents=dict(self._works("agents", AgentState, self._agent_outcome)) if "agents" in top else {},
            habits=dict(self._habits()) if "decisions" in top else {},
            signals=dict(self._works("signals", WaitState, self._signal_outcome)) if "signals" in top else {},
        )

    # What is wrong

    def _wrong(self, place: Place, message: str, fix: str = "") -> None:
        self.problems.append(
            f"{self.document.file}:{place.line}:{place.column}: error: {message}" + (f"; {fix}" if fix else "")
        )

    def _at(self, path: Path) -> Place:
        return self.document.node(path).place

    def _value(self, path: Path) -> Json:
        value = self.document.value
        for step in path:
            value = value[step]
        return value

    def _as(self, path: Path, parse: Callable[[object], _Value]) -> _Value | None:
        """What a text means; None where it means nothing, which is noted."""
        try:
            return parse(self._value(path))
        except Invalid as error:
            self._wrong(self._at(path), error.message)
            return None

    def _mapping(self, path: Path, known: Sequence[str] | None = None, what: str = "key") -> Mapping[str, Json] | None:
        value = self._value(path)
        if not isinstance(value, dict):
            self._wrong(
                self._at(path), f"{_name(path)} must be a mapping, not {_shown(value)}", "write e.g. {key: value}"
            )
            return None
        for key in value if known is not None else ():
            if key not in (known or ()):
                hint = did_you_mean(key, known or ()) or f"allowed: {', '.join(known or ()) or 'none'}"
                self._wrong(self.document.key_place((*path, key)), f"unknown {what} {key!r} in {_name(path)}", hint)
        return value

    def _number(self, path: Path, bounds: _Bounds) -> Any:
        value = self._value(path[:-1]).get(path[-1])
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if (
            not is_number
            or (bounds.is_whole and not isinstance(value, int))
            or not bounds.least <= value <= bounds.most
        ):
            kind = "a whole number" if bounds.is_whole else "a number"
            span = f"of at least {bounds.least}" if bounds.most == math.inf else f"from {bounds.least} to {bounds.most}"
            self._wrong(self._at(path), f"{_name(path)} is {kind} {span}, not {_shown(value)}")
            return None
        return value

    def _order(self, top: Mapping[str, Json]) -> bool | None:
        order = top.get("order")
        if order not in (None, "inbox", "fifo"):
            self._wrong(self._at(("order",)), f"'order' cannot be {_shown(order)}", "allowed: inbox, fifo")
        return None if order is None else order == "inbox"

    # Its parts

    def _arrivals(self, start: datetime | None) -> Arrivals | None:
        path: Path = ("arrivals",)
        value = self._value(path)
        if isinstance(value, str):
            rate = self._as(path, parse_rate)
            return None if rate is None else Arrivals(rate=rate)
        keys = self._mapping(path, ("rate", "fixed", "hours", "timezone", "file"))
        if keys is None:
            return None
        if "file" in keys:
            return self._arrivals_of_file(keys, start)
        rate = self._as((*path, "rate"), parse_rate) if self._has(path, keys, "rate") else None
        zone = self._zone(path, keys)
        hours = self._as((*path, "hours"), lambda text: parse_hours(text, zone)) if "hours" in keys else None
        return Arrivals(rate=rate or Rate(count=1, unit="d"), is_fixed=self._flag(path, keys, "fixed"), hours=hours)

    def _arrivals_of_file(self, keys: Mapping[str, Json], start: datetime | None) -> Arrivals | None:
        try:
            times = read_times(self.folder / str(keys["file"]))
        except (NotFound, Invalid) as error:
            self._wrong(self._at(("arrivals", "file")), error.message)
            return None
        first = start or times[0]
        return Arrivals(times=tuple((time - first).total_seconds() for time in times))

    def _missing(self, path: Path, key: str) -> None:
        self._wrong(self._at(path), f"{key!r} is missing in {_name(path)}", f"add '{key}: …'")

    def _has(self, path: Path, keys: Mapping[str, Json], key: str) -> bool:
        if key not in keys:
            self._missing(path, key)
        return key in keys

    def _flag(self, path: Path, keys: Mapping[str, Json], key: str) -> bool:
        value = keys.get(key, False)
        if not isinstance(value, bool):
            self._wrong(self._at((*path, key)), f"{_name((*path, key))} is true or false, not {_shown(value)}")
        return value is True

    def _zone(self, path: Path, keys: Mapping[str, Json]) -> ZoneInfo:
        zone = self._as((*path, "timezone"), parse_zone) if "timezone" in keys else None
        return zone or self.definition.zone

    def _cases(self) -> Iterator[Case]:
        for path in self._items(("inputs",)):
            keys = self._mapping(path, ("weight", "value"))
            if keys is None:
                continue
            if "value" not in keys:
                self._missing(path, "value")
                continue
            self._check((*path, "value"), self.definition.input, "input")
            yield Case(value=keys["value"], weight=self._weight(path))

    def _items(self, path: Path) -> Iterator[Path]:
        value = self._value(path)
        if not isinstance(value, list) or not value:
            self._wrong(self._at(path), f"{_name(path)} must be a list with something in it, not {_shown(value)}")
            return
        yield from ((*path, index) for index in range(len(value)))

    def _weight(self, path: Path) -> float:
        weight: float | None = self._number((*path, "weight"), _Bounds(least=0, is_whole=False))
        return 1.0 if weight is None else weight

    def _check(self, path: Path, schema: Json, what: str) -> None:
        """Note where a value does not meet its schema."""
        if schema is None:
            return
        try:
            jsonschemas.validate(schema, jsonschemas.fill_defaults(schema, self._value(path)), what, what)
        except Invalid as error:
            self._wrong(self._at(path), error.message)

    def _people(self) -> Iterator[Group]:
        groups = self._mapping(("people",)) or {}
        seen: set[str] = set()
        found = [(name, group) for name, group in ((name, self._group(name)) for name in groups) if group is not None]
        held = frozenset[str]().union(*(group.roles for _, group in found))
        for name, group in found:
            self._check_roles(("people", name, "roles"), group, held)
            self.starters = group if name == INITIATORS else self.starters
            for person in group.names or ():
                if person in seen:
                    self._wrong(
                        self._at(("people", name)), f"{person!r} is named twice", "give everybody a name of their own"
                    )
                seen.add(person)
            yield group

    def _check_roles(self, path: Path, group: Group, held: frozenset[str]) -> None:
        """Note a role that is misspelt: the group would never be asked, and nobody would wonder."""
        for role in sorted(group.roles):
            if meant := self.definition.role_meant(role, held):
                self._wrong(self._at(path), f"no request asks the role {role!r}", meant)

    def _group(self, name: str) -> Group | None:
        path: Path = ("people", name)
        keys = self._mapping(path, ("count", "names", "roles", "hours", "timezone", "takes", "speed"))
        if keys is None:
            return None
        zone = self._zone(path, keys)
        hours = self._as((*path, "hours"), lambda text: parse_hours(text, zone)) if "hours" in keys else None
        takes = self._as((*path, "takes"), parse_distribution) if "takes" in keys else None
        speed = self._number((*path, "speed"), _Bounds(least=0.001, most=1_000, is_whole=False))
        return Group(
            name=name,
            names=self._names(path, keys),
            roles=frozenset(self._texts(path, keys, "roles")),
            hours=hours or parse_hours(HOURS, zone),
            takes=takes or HANDLING,
            speed=speed or 1.0,
        )

    def _names(self, path: Path, keys: Mapping[str, Json]) -> tuple[str, ...] | None:
        if keys.get("count") == "unlimited":
            return None
        if "names" in keys:
            if "count" in keys:
                self._wrong(
                    self.document.key_place((*path, "count")), f"{_name(path)} has names and a count", "remove one"
                )
            return tuple(self._texts(path, keys, "names"))
        count = self._number((*path, "count"), _Bounds(least=0, most=MAX_PEOPLE))
        return numbered(str(path[-1]), 1 if count is None else count)

    def _texts(self, path: Path, keys: Mapping[str, Json], key: str) -> list[str]:
        if key not in keys:
            return []
        value = keys[key]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong(self._at((*path, key)), f"{_name((*path, key))} must be a list of texts, not {_shown(value)}")
            return []
        for index in range(len(value)):
            self._as((*path, key, index), check_person)
        return value

    def _states(self, section: str, kinds: tuple[type, ...]) -> Iterator[str]:
        """The states that a section names, as far as there are such."""
        names = [state.name for state in self.definition.states.values() if isinstance(state, kinds)]
        section_keys = self._mapping((section,), names, "state") or {}
        yield from (name for name in section_keys if name in names)

    def _works(self, section: str, kind: type, outcome: Callable[[Path, str], Outcome]) -> Iterator[tuple[str, Work]]:
        for name in self._states(section, (kind,)):
            path: Path = (section, name)
            single = ("output", "error", "code", "crash") if kind is AgentState else ("signal", "data")
            when = "takes" if kind is AgentState else "after"
            keys = self._mapping(path, (when, "outcomes", *single))
            if keys is None:
                continue
            places = [path]
            if "outcomes" in keys:
                listed = self._items((*path, "outcomes"))
                places = [place for place in listed if self._mapping(place, ("weight", when, *single)) is not None]
            timed = [place for place in dict.fromkeys((path, *places)) if when in self._value(place)]
            takes = {place: self._as((*place, when), parse_distribution) for place in timed}
            for place in places:
                if path not in takes and place not in takes:
                    self._missing(place, when)
            outcomes = tuple(replace(outcome(place, name), takes=takes.get(place)) for place in places)
            if outcomes and not any(one.weight for one in outcomes):
                self._wrong(self._at((*path, "outcomes")), f"no outcome of {_name(path)} has a weight above 0")
            yield name, Work(takes=takes.get(path) or NO_TIME, outcomes=outcomes)

    def _agent_outcome(self, path: Path, name: str) -> Outcome:
        keys, state = self._value(path), self.definition.states[name]
        if "output" in keys and isinstance(state, AgentState):
            self._check((*path, "output"), state.output, "output")
        code = keys.get("code", "agent_error")
        if code not in tuple(FAILURES):
            hint = suggestion(str(code), tuple(FAILURES))
            self._wrong(self._at((*path, "code")), f"no agent fails with the code {_shown(code)}", hint)
        return Outcome(
            weight=self._weight(path),
            output=keys.get("output"),
            error=keys.get("error"),
            code=str(code),
            is_crash=self._flag(path, keys, "crash"),
        )

    def _signal_outcome(self, path: Path, name: str) -> Outcome:
        keys, state = self._value(path), self.definition.states[name]
        names = list(state.takes) if isinstance(state, WaitState) else []
        signal = keys.get("signal", names[0] if len(names) == 1 else None)
        if signal not in names:
            hint = f"allowed: {', '.join(names) or 'none'}"
            self._wrong(self._at(path), f"state {name!r} takes no signal {_shown(signal)}", hint)
        if "data" in keys and isinstance(state, WaitState):
            self._check((*path, "data"), state.output, "data")
        return Outcome(weight=self._weight(path), output=keys.get("data"), signal=str(signal))

    def _habits(self) -> Iterator[tuple[str, Habit]]:
        for name in self._states("decisions", (HumanState, AgentState)):
            path: Path = ("decisions", name)
            asked = asking(self.definition.states[name])
            if asked is None:
                fix = "add 'after_crash: ask' to it, or remove this"
                self._wrong(self.document.key_place(path), f"agent {name!r} asks nobody after a crash", fix)
                continue
            options = asked.options
            keys = self._mapping(path, ("options", "takes", "answers", "patience"))
            if keys is None:
                continue
            takes = self._as((*path, "takes"), parse_distribution) if "takes" in keys else None
            yield (
                name,
                Habit(
                    options=self._options((*path, "options"), options) if "options" in keys else {},
                    takes=takes,
                    answers=self._answers((*path, "answers"), asked) if "answers" in keys else {},
                    patience=self._patience((*path, "patience"), asked) if "patience" in keys else None,
                ),
            )

    def _may_initiator(self, asked: Asking, option: str) -> bool:
        """Whether those who start runs may decide so, as far as that is known before one does."""
        people = asked.people(option)
        if any("{{" in entry for entry in people):
            return True
        held = frozenset[str]() if self.starters is None else self.starters.roles
        names = (INITIATORS,) if self.starters is None else people_of(self.starters)
        return all(_may_act(asked, people, name, held) for name in names)

    def _options(self, path: Path, options: Sequence[str]) -> Mapping[str, float]:
        keys = self._mapping(path, options, "option") or {}
        weights = {}
        for option in keys:
            weight = self._number((*path, option), _Bounds(least=0, is_whole=False))
            weights[option] = 0.0 if weight is None else float(weight)
        if keys and not any(weights.values()):
            self._wrong(self._at(path), f"no option in {_name(path)} has a weight above 0", "give one")
        return weights

    def _answers(self, path: Path, asked: Asking) -> Mapping[str, Json]:
        answers = self._mapping(path, asked.options, "option") or {}
        for option in answers:
            form = asked.forms.get(option)
            if form is None and option in asked.options:
                hint = f"those that take some: {', '.join(asked.forms) or 'none'}"
                self._wrong(self.document.key_place((*path, option)), f"option {option!r} takes no answers", hint)
            elif form is not None and "{{" not in canonical(form):  # what a form takes from a run is not known yet
                self._check((*path, option), form, "answers")
        return answers

    def _patience(self, path: Path, asked: Asking) -> Patience | None:
        keys = self._mapping(path, ("option", "after")) or {}
        for key in ("option", "after"):
            if key not in keys:
                self._missing(path, key)
                return None
        option = keys["option"]
        if option not in asked.options:
            hint = f"allowed: {', '.join(asked.options)}"
            self._wrong(self._at((*path, "option")), f"there is no option {_shown(option)}", hint)
        elif not self._may_initiator(asked, option):
            hint = "name 'initiator' in the state's 'assign', or remove this"
            self._wrong(self._at((*path, "option")), f"the initiator may not decide {option!r}", hint)
        after = self._as((*path, "after"), parse_distribution)
        return None if after is None else Patience(option=str(keys["option"]), after=after)


def _may_act(asked: Asking, people: Sequence[str], initiator: str, roles: frozenset[str]) -> bool:
    assign, exclude = (
        [initiator if entry == INITIATOR else entry for entry in entries] for entries in (people, asked.exclude)
    )
    return may_act(assign, "", initiator, lambda _: roles) and not is_excluded(exclude, initiator, lambda _: roles)


def _name(path: Path) -> str:
    return repr(".".join(str(step) for step in path)) if path else "the configuration"


def _shown(value: Json) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
