"""A study: replications of one plan, and the same again with something changed, by the same random numbers."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition, HumanState
from holdpoint.engine.durations import MAX_DAYS, Duration
from holdpoint.engine.errors import Invalid
from holdpoint.simulation.draws import quantile
from holdpoint.simulation.estimates import Estimate, estimate
from holdpoint.simulation.given import resized
from holdpoint.simulation.hours import DAY, SECOND
from holdpoint.simulation.measures import Day, Key, Numbers, days_of, is_time, measure
from holdpoint.simulation.plan import Group, Plan
from holdpoint.simulation.record import Record
from holdpoint.simulation.world import Waiting, rules_of, simulate

BATCHES = 10
MAX_VARIANTS = 2
_BUSY = 0.3
_DEFAULTS = 0.005

WAIT: Key = ("all", "", "wait_mean")
COMPARED: tuple[Key, ...] = (
    WAIT,
    ("all", "", "wait_p90"),
    ("all", "", "default_share"),
    ("all", "", "open_mean"),
    ("runs", "", "cycle_p50"),
    ("runs", "", "cycle_p90"),
    ("runs", "success", "share"),
)
"""What is compared where something is changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A day of a queue over all replications: open requests, and waits in seconds.

    There are no waits of a day on which no request opened that somebody has begun with.
    """

    open_mean: float
    open_p05: float
    open_p50: float
    open_p95: float
    wait_p50: float | None
    wait_p90: float | None
    wait_p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What a change does: the differences from the plan as it was given, replication by replication.

    `group` is the one that has one more, where that is the change.
    """

    title: str
    differences: Mapping[Key, Estimate]
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What is simulated for a variant."""

    title: str
    definition: Definition
    plan: Plan
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What came of it. What did not occur in a replication counts as zero there; but durations are those of the
    replications that have some, and where none has, there is no estimate.
    """

    definition: Definition
    plan: Plan
    estimates: Mapping[Key, Estimate]
    days: Mapping[tuple[str, str], Sequence[Moment]]
    variants: Sequence[Variant] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)
    nobody: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)

    def value(self, kind: str, name: str, what: str) -> float:
        """The mean of a number; zero where there is none."""
        found = self.estimates.get((kind, name, what))
        return 0.0 if found is None else found.mean

    def names(self, kind: str, what: str) -> list[str]:
        """The names of this kind that have such a number, in the order of the definition or of the plan."""
        return [name for one, name, of in self.estimates if one == kind and of == what]


Progress = Callable[[int, int], None]


def study(
    definition: Definition,
    plan: Plan,
    *,
    backlog: Sequence[Waiting] = (),
    is_compared: bool = True,
    progress: Progress | None = None,
) -> Study:
    """Simulate a plan, from a *backlog* of runs that wait, and, where *is_compared*, what would ease it.

    *progress* is told how many replications are done, of how many so far. Raises `Invalid` where what was given does
    not fit the workflow.
    """
    tell = progress or _say_nothing
    total = plan.replications
    records = []
    for number, record in enumerate(_records(definition, plan, backlog)):
        records.append(record)
        tell(number + 1, total)
    base = [_measured(record, plan) for record in records]
    found = _summed(definition, plan, records, base)
    if not is_compared:
        return found
    changes = list(_changes(found))
    variants = []
    for index, change in enumerate(changes):
        numbers = []
        for number, record in enumerate(_records(change.definition, change.plan, backlog)):
            numbers.append(_measured(record, plan))
            tell(total * (index + 1) + number + 1, total * (len(changes) + 1))
        variants.append(Variant(title=change.title, group=change.group, differences=_differences(base, numbers)))
    return replace(found, variants=tuple(variants))


def _say_nothing(done: int, total: int) -> None:
    """Tell nobody how far it is."""


def _records(definition: Definition, plan: Plan, backlog: Sequence[Waiting]) -> Iterator[Record]:
    rules = rules_of(definition, plan)
    return (simulate(rules, plan, number, backlog) for number in range(plan.replications))


def _measured(record: Record, plan: Plan) -> Numbers:
    return measure(record, plan.warmup * DAY, record.length)


def _summed(definition: Definition, plan: Plan, records: Sequence[Record], base: Sequence[Numbers]) -> Study:
    return Study(
        definition=definition,
        plan=plan,
        estimates=_estimates(base, records[0], plan),
        days=_moments([days_of(record) for record in records], plan),
        reasons=_counted(record.reasons for record in records),
        nobody=_counted(record.nobody for record in records),
        waiting=_counted(record.waiting for record in records),
    )


def _estimates(base: Sequence[Numbers], first: Record, plan: Plan) -> dict[Key, Estimate]:
    keys = dict.fromkeys(key for numbers in base for key in numbers)
    if len(base) > 1:
        return {key: estimate(_values(base, key)) for key in keys}
    return {key: _by_batches(base[0][key], key, batches) for batches in [_batches(first, plan)] for key in keys}


def _values(measured: Sequence[Numbers], key: Key) -> list[float]:
    """A number of each replication or batch: zero where it did not occur, but nothing where no time was taken."""
    return [numbers.get(key, 0.0) for numbers in measured if key in numbers or not is_time(key[2])]


def _batches(record: Record, plan: Plan) -> list[Numbers]:
    """The numbers of consecutive stretches of one replication: batch means."""
    since = plan.warmup * DAY
    edges = [since + (record.length - since) * number // BATCHES for number in range(BATCHES + 1)]
    return [measure(record, begin, end) for begin, end in itertools.pairwise(edges)]


def _by_batches(value: float, key: Key, batches: Sequence[Numbers]) -> Estimate:
    """The value of the whole, with the interval of the batches around it: of means and shares alone."""
    if not key[2].endswith(("mean", "share", "utilisation")):
        return Estimate(mean=value, low=value, high=value)
    found = estimate(_values(batches, key) or [value])
    half = (found.high - found.low) / 2
    return Estimate(mean=value, low=value - half, high=value + half)


def _counted(counters: Iterator[Counter[str]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:
        total += counter
    return dict(total.most_common())


def _differences(base: Sequence[Numbers], changed: Sequence[Numbers]) -> dict[Key, Estimate]:
    """What differs, where both have such a number in some replication."""
    pairs = list(zip(base, changed, strict=True))
    found = {}
    for key in COMPARED:
        both = [(old, new) for old, new in pairs if not is_time(key[2]) or (key in old and key in new)]
        if both:
            found[key] = estimate([new.get(key, 0.0) - old.get(key, 0.0) for old, new in both])
    return found


def _moments(
    replications: Sequence[Mapping[tuple[str, str], Sequence[Day]]], plan: Plan
) -> dict[tuple[str, str], list[Moment]]:
    names = dict.fromkeys(name for days in replications for name in days)
    nothing = [Day(open=(0,) * 24, waits=())] * plan.days
    return {
        name: [_moment(days) for days in zip(*(one.get(name, nothing) for one in replications), strict=True)]
        for name in names
    }


def _moment(days: Sequence[Day]) -> Moment:
    counts = sorted(count for day in days for count in day.open)
    waits = sorted(wait / SECOND for day in days for wait in day.waits)
    return Moment(
        open_mean=sum(counts) / len(counts),
        open_p05=quantile(counts, 0.05),
        open_p50=quantile(counts, 0.5),
        open_p95=quantile(counts, 0.95),
        wait_p50=quantile(waits, 0.5) if waits else None,
        wait_p90=quantile(waits, 0.9) if waits else None,
        wait_p95=quantile(waits, 0.95) if waits else None,
    )


def _changes(found: Study) -> Iterator[_Change]:
    """What would ease it: one more of the busiest people, and more time where most requests end by their deadline."""
    plan, definition = found.plan, found.definition
    busy = [group for group in plan.people if _load(found, group) >= _BUSY]
    for group in sorted(busy, key=lambda group: -_load(found, group))[:MAX_VARIANTS]:
        more = with_people(plan, group.name, (group.count or 0) + 1)
        yield _Change(title=f"one more in {group.name!r}", definition=definition, plan=more, group=group.name)
    late = [
        name
        for name in found.names("state", "default_share")
        if found.value("state", name, "default_share") >= _DEFAULTS
    ]
    for name in sorted(late, key=lambda name: -found.value("state", name, "defaults"))[:MAX_VARIANTS]:
        state = definition.states[name]
        timeout = (
            state.timeout
            if isinstance(state, HumanState)
            else state.ask.timeout
            if isinstance(state, AgentState)
            else None
        )
        if (
            timeout is not None
            and isinstance(state, HumanState)
            and 2 * (timeout.days + timeout.seconds // 86_400 + 1) < MAX_DAYS
        ):
            longer = Duration(days=2 * timeout.days, seconds=2 * timeout.seconds)
            title = f"timeout of {name!r} {longer} instead of {timeout}"
            yield _Change(title=title, definition=with_timeout(definition, name, longer), plan=plan)


def _load(found: Study, group: Group) -> float:
    return found.value("group", group.name, "utilisation")


def with_people(plan: Plan, name: str, count: int) -> Plan:
    """The plan with so many people in a group. Raises `Invalid` where there is no such group."""
    groups = [replace(group, names=resized(group, count)) if group.name == name else group for group in plan.people]
    if name not in (group.name for group in plan.people):
        raise Invalid(f"there is no group {name!r} of people", code="people")
    return replace(plan, people=tuple(groups))


def with_timeout(definition: Definition, state: str, timeout: Duration) -> Definition:
    """The definition with another timeout of one state."""
    document: Json = dict(definition.document)
    document["states"] = {**document["states"], state: {**document["states"][state], "timeout": timeout.iso}}
    return Definition.from_document(document)
