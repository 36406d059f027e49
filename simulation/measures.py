"""From what was written down of one replication to numbers: of all of it, of a stretch, and day by day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TypeAlias

from holdpoint.simulation.draws import quantile
from holdpoint.simulation.hours import DAY, SECOND
from holdpoint.simulation.record import Item, Record, Toil

Key: TypeAlias = tuple[str, str, str]
"""What kind of thing (`runs`, `all`, `state`, `role`, `option`, `person`, `group`, `agent`), which, and what of it."""

Numbers: TypeAlias = dict[Key, float]
SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95}
TIMES = ("wait", "turnaround", "cycle")
HOUR = 3_600 * SECOND


def measure(record: Record, since: int, until: int) -> Numbers:
    """Everything about a stretch of a replication. Durations are in seconds, shares from 0 to 1.

    Runs and requests count in the stretch in which they began. Where nothing took any time, because nothing began or
    ended, there are no numbers of times.
    """
    numbers = dict(_of_runs(record, since, until))
    for kind, name, items in _grouped(record.items):
        numbers.update(_of_items((kind, name), items, since, until))
    numbers.update(_of_people(record.toils, since, until))
    for state, (times, spent) in record.agents.items():
        numbers["agent", state, "attempts"] = times
        numbers["agent", state, "mean"] = spent / times / SECOND
    return numbers


def _of_runs(record: Record, since: int, until: int) -> Iterator[tuple[Key, float]]:
    trips = [trip for trip in record.trips if since <= trip.began_at < until]
    ended = [trip for trip in trips if trip.ended_at is not None and trip.ended_at <= until]
    times = [trip.ended_at - trip.began_at for trip in ended if trip.ended_at is not None and trip.status != "failed"]
    yield ("runs", "", "started"), len(trips)
    yield ("runs", "", "ended"), len(ended)
    yield ("runs", "", "open"), len(trips) - len(ended)
    statuses = Counter(trip.status for trip in ended)
    for status in sorted({*statuses, "success", "failure", "cancelled", "failed"}):
        yield ("runs", status, "share"), statuses[status] / len(ended) if ended else 0.0
    yield from _of_times(("runs", ""), "cycle", times)


def is_time(what: str) -> bool:
    """Whether a measure is a duration, of which there is none where nothing took any time."""
    return what.startswith(TIMES)


def times_of(kind: str) -> tuple[str, ...]:
    """The measures that are durations of this kind of thing."""
    whats = {"runs": TIMES[2:], "all": TIMES[:2], "state": TIMES[:2], "role": TIMES[:2]}.get(kind, ())
    return tuple(f"{what}_{name}" for what in whats for name in ("mean", *SHARES))


def _of_times(who: tuple[str, str], what: str, times: Sequence[int]) -> Iterator[tuple[Key, float]]:
    if not times:
        return
    ordered = sorted(times)
    yield (*who, f"{what}_mean"), fmean(ordered) / SECOND
    for name, share in SHARES.items():
        yield (*who, f"{what}_{name}"), quantile(ordered, share) / SECOND


def _grouped(items: Sequence[Item]) -> Iterator[tuple[str, str, Sequence[Item]]]:
    """All requests, then those of each state and of each role."""
    yield "all", "", items
    for kind in ("state", "role"):
        groups: dict[str, list[Item]] = defaultdict(list)
        for item in items:
            groups[item.state if kind == "state" else item.lane].append(item)
        yield from ((kind, name, found) for name, found in groups.items())


def _of_items(who: tuple[str, str], items: Sequence[Item], since: int, until: int) -> Iterator[tuple[Key, float]]:
    opened = [item for item in items if since <= item.opened_at < until]
    settled = [item for item in opened if item.settled_at is not None]
    by = Counter(item.how for item in settled)
    yield (*who, "opened"), len(opened)
    yield (*who, "settled"), len(settled)
    yield (*who, "defaults"), by["deadline"]
    yield (*who, "default_share"), by["deadline"] / len(settled) if settled else 0.0
    yield (*who, "withdrawn"), by["initiator"]
    yield (*who, "withdrawn_share"), by["initiator"] / len(settled) if settled else 0.0
    waits = [end - item.opened_at for item in opened if (end := _picked_up(item)) is not None]
    yield from _of_times(who, "wait", waits)
    times = [item.settled_at - item.opened_at for item in settled if item.settled_at is not None]
    yield from _of_times(who, "turnaround", times)
    length = until - since
    yield (*who, "open_mean"), _overlap(((item.opened_at, item.settled_at) for item in items), since, until) / length
    yield (*who, "queue_mean"), _overlap(((item.opened_at, _picked_up(item)) for item in items), since, until) / length
    off_duty = ((item.opened_at, _came_in(item)) for item in items)
    yield (*who, "off_duty_mean"), _overlap(off_duty, since, until) / length
    yield (*who, "open_at_end"), sum(_is_open(item, until) for item in items)
    if who[0] == "state":
        yield from _of_options(who[1], settled)


def _of_options(state: str, settled: Sequence[Item]) -> Iterator[tuple[Key, float]]:
    options = Counter(item.option for item in settled if item.option is not None and item.how != "deadline")
    for option, count in options.items():
        yield ("option", f"{state}.{option}", "share"), count / options.total()


def _of_people(toils: Mapping[str, Toil], since: int, until: int) -> Iterator[tuple[Key, float]]:
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, toil in toils.items():
        busy, duty = toil.busy(since, until) / SECOND, toil.on_duty(since, until) / SECOND
        yield ("person", name, "hours"), busy / 3_600
        yield ("person", name, "decisions"), sum(since <= at < until for at in toil.decided_at)
        yield ("person", name, "withdrawn"), sum(since <= at < until for at in toil.withdrawn_at)
        if not toil.is_unlimited:
            yield ("person", name, "utilisation"), busy / duty if duty else 0.0
            groups[toil.group].append((busy, duty))
    for name, people in groups.items():
        busy, duty = (sum(column) for column in zip(*people, strict=True))
        yield ("group", name, "utilisation"), busy / duty if duty else 0.0
        yield ("group", name, "hours"), busy / 3_600


def _picked_up(item: Item) -> int | None:
    """When a request no longer waits for somebody to begin with it."""
    return item.settled_at if item.begun_at is None else item.begun_at


def _came_in(item: Item) -> int:
    """When a request no longer waits for the hours of those who may decide it: more people do not make it sooner."""
    at, picked_up = item.opened_at if item.on_duty_at is None else item.on_duty_at, _picked_up(item)
    return at if picked_up is None else min(at, picked_up)


def _is_open(item: Item, at: int) -> bool:
    return item.opened_at <= at and (item.settled_at is None or item.settled_at > at)


def _overlap(stretches: Iterable[tuple[int, int | None]], since: int, until: int) -> int:
    """How long these stretches, of which some have no end, last between two times, added up."""
    total = 0
    for begun, end in stretches:
        length = (until if end is None or end > until else end) - (begun if begun > since else since)
        if length > 0:
            total += length
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of a queue: how many requests were open, by the hour, and how long those that were opened waited."""

    open: tuple[int, ...]
    waits: tuple[int, ...]


def days_of(record: Record) -> dict[tuple[str, str], list[Day]]:
    """Each queue day by day: all requests, and those of each state and role."""
    return {(kind, name): list(_days(items, record.length)) for kind, name, items in _grouped(record.items)}


def _days(items: Sequence[Item], length: int) -> Iterator[Day]:
    hours = length // HOUR
    change = [0] * (hours + 2)
    waits: list[list[int]] = [[] for _ in range(length // DAY)]
    for item in items:
        change[max(0, -(-item.opened_at // HOUR))] += 1  # it is counted at the next full hour
        if item.settled_at is not None:
            change[-(-item.settled_at // HOUR)] -= 1
        end = _picked_up(item)
        if end is not None and item.opened_at >= 0:
            waits[item.opened_at // DAY].append(end - item.opened_at)
    count, counts = 0, []
    for hour in range(hours):
        count += change[hour]
        counts.append(count)
    for day, waited in enumerate(waits):
        yield Day(open=tuple(counts[day * 24 : day * 24 + 24]), waits=tuple(waited))
