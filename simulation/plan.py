"""What a simulation is given: who arrives when, what agents do, who decides how, and for how long it all goes on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Invalid
from holdpoint.simulation.draws import NO_TIME, Distribution
from holdpoint.simulation.hours import Hours

UNLIMITED = None
INITIATORS = "initiators"
MAX_ARRIVALS = 2_000_000
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*([hdw])", re.ASCII)
Unit: TypeAlias = Literal["h", "d", "w"]
SECONDS: Mapping[str, int] = {"h": 3_600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many in an hour, a day or a week."""

    count: float
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count:g}/{self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """When runs start: at a rate, within hours where there are any; or at `times`, seconds from the beginning.

    `week` weighs the hours of a week, from Monday's first, in `zone`; the rate is then that of a week.
    """

    rate: Rate = Rate(count=10, unit="d")
    is_fixed: bool = False
    hours: Hours | None = None
    week: tuple[float, ...] = ()
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    times: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An input that runs start with, as often as its weight says."""

    value: Json
    weight: float = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One thing that an agent may do: give an output, fail with an error, or crash; or a signal that may come.

    `takes` is None where it takes as long as its `Work` says.
    """

    weight: float = 1
    takes: Distribution | None = None
    output: Json = None
    error: str | None = None
    code: str = "agent_error"
    is_crash: bool = False
    signal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How long an agent takes for an attempt (or a signal to come), and what comes of it.

    `takes` is that of the outcomes that have none of their own.
    """

    takes: Distribution = NO_TIME
    outcomes: tuple[Outcome, ...]

    def time_of(self, outcome: Outcome) -> Distribution:
        """How long it takes until this comes of it."""
        return outcome.takes or self.takes

    def share_above(self, seconds: float) -> float:
        """How much of it takes longer than this."""
        total = sum(one.weight for one in self.outcomes)
        return sum(one.weight * self.time_of(one).share_above(seconds) for one in self.outcomes) / total


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """The initiator decides by themselves where nobody has after some time."""

    option: str
    after: Distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How requests of one state are decided: weights of the options, and what is not as the people usually do it."""

    options: Mapping[str, float] = field(default_factory=dict)
    takes: Distribution | None = None
    answers: Mapping[str, Json] = field(default_factory=dict)
    patience: Patience | None = None

    def open_to(self, options: Sequence[str]) -> Sequence[str]:
        """The options that are as likely because nobody weighed any: all but the one that patience is for."""
        withdrawn = None if self.patience is None else self.patience.option
        return () if self.options else [option for option in options if option != withdrawn]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """People who are alike. Without `names` they are many at once, as many as are asked (`unlimited`)."""

    name: str
    names: tuple[str, ...] | None
    roles: frozenset[str] = frozenset()
    hours: Hours
    takes: Distribution
    speed: float = 1

    @property
    def count(self) -> int | None:
        """How many; None where they are unlimited."""
        return UNLIMITED if self.names is None else len(self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The past that a plan was fitted to: so many runs, and when the first and the last of them started."""

    runs: int
    first: datetime
    last: datetime

    @property
    def span(self) -> timedelta:
        """How long passed between the first start and the last."""
        return self.last - self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole simulation. `warmup` days at the beginning are simulated and not counted.

    `assumed` says in words what nobody gave and was taken for granted; `fitted`, to which past the rest was fitted.
    """

    arrivals: Arrivals
    cases: tuple[Case, ...]
    people: tuple[Group, ...]
    agents: Mapping[str, Work] = field(default_factory=dict)
    habits: Mapping[str, Habit] = field(default_factory=dict)
    signals: Mapping[str, Work] = field(default_factory=dict)
    days: int = 30
    warmup: int = 0
    seed: int = 1
    replications: int = 10
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)
    is_inbox_order: bool = True
    assumed: tuple[str, ...] = ()
    fitted: Fitted | None = None

    def habit(self, state: str) -> Habit:
        """How requests of this state are decided."""
        return self.habits.get(state, _ANY_HABIT)

    def work(self, state: str) -> Work:
        """What this agent does."""
        return self.agents.get(state, _NO_WORK)

    @property
    def initiators(self) -> tuple[str, ...]:
        """Who starts runs."""
        named = next((group.names for group in self.people if group.name == INITIATORS), None)
        return named or (INITIATORS,)

    @property
    def roles(self) -> Mapping[str, frozenset[str]]:
        """The roles of each person; of an unlimited group, of those who bear its name."""
        return dict(chain.from_iterable(((name, group.roles) for name in people_of(group)) for group in self.people))


_ANY_HABIT = Habit()
_NO_WORK = Work(outcomes=(Outcome(),))


def people_of(group: Group) -> tuple[str, ...]:
    """The names in a group; an unlimited one has one, its own."""
    return (group.name,) if group.names is None else group.names


def numbered(name: str, count: int) -> tuple[str, ...]:
    """Names for so many people of a group."""
    return tuple(f"{name}-{number}" for number in range(1, count + 1))


def parse_rate(text: object) -> Rate:
    """The rate that a text says: `20/d`, `3/h`, `100/w`. Raises `Invalid`."""
    match = _RATE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or not float(match[1]):
        raise Invalid(f"{text!r} is not a rate; write e.g. 20/d, 3/h or 100/w", code="rate")
    return Rate(count=float(match[1]), unit=match[2])  # type: ignore[arg-type]
