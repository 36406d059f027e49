"""A plan fitted to a log: arrivals by the hour of the week, agents' and signals' times, shares, people's work.

Where a log knows who decided, each person's handling time is what passed, within their hours, between a decision and
what came last before it: the opening of the request, its claim, or the person's decision before. That is an upper
bound: what a person did besides counts as handling. Where it knows nobody, how long requests were open is taken as it
is, and as many are handled at once as there are; one that its deadline ended, or the log, lasted at least as long.
So it is with signals: in a wait that its timeout ended, or the log, one would have come later.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from holdpoint.engine.asking import asking
from holdpoint.engine.canonical import Json, canonical, decoded
from holdpoint.engine.definition import AgentState, Definition, HumanState, WaitState
from holdpoint.engine.errors import Invalid
from holdpoint.engine.people import ROLE, is_role
from holdpoint.simulation.draws import Distribution, of_censored, of_sample
from holdpoint.simulation.given import Given
from holdpoint.simulation.hours import DAYS, SECOND, Hours, Shifts, parse_hours
from holdpoint.simulation.log import Log, Passage
from holdpoint.simulation.plan import Arrivals, Case, Fitted, Group, Habit, Outcome, Rate, Work

EVERYBODY = "everybody"
MAX_VALUES = 50
_FEW = 10
_WEEKS = 2
_RARE_DAY = 0.02
_MICROSECOND = timedelta(microseconds=1)


def fit(definition: Definition, log: Log, roles: Mapping[str, frozenset[str]]) -> Given:
    """What a log says of a plan. *roles* are those of people, by name. Raises `Invalid` where it is empty."""
    if not log.starts:
        raise Invalid(f"no run of {definition.workflow!r} is there to fit to", code="fit")
    by_state: dict[str, list[Passage]] = defaultdict(list)
    for passage in log.passages:
        by_state[passage.state].append(passage)
    attempts = _chosen(by_state, lambda one: _is_attempt(definition, one))
    requests = _chosen(by_state, lambda one: _is_request(definition, one))
    return Given(
        arrivals=_arrivals(log, definition.zone),
        cases=tuple(Case(value=value, weight=count) for value, count in _counted(log.inputs)),
        people=_people(definition, log, roles) if log.has_people else (_everybody(definition),),
        agents={name: _work(found, log.outputs.get(name, ())) for name, found in attempts.items()},
        habits={name: _habit(found, is_delay=not log.has_people) for name, found in requests.items()},
        signals=dict(_signals(definition, by_state, log)),
        fitted=Fitted(runs=len(log.starts), first=log.starts[0], last=log.starts[-1]),
    )


def _chosen(
    passages: Mapping[str, Sequence[Passage]], is_one: Callable[[Passage], bool]
) -> Mapping[str, Sequence[Passage]]:
    """The passages of one kind, by state, as far as there are some."""
    chosen = {name: [one for one in found if is_one(one)] for name, found in passages.items()}
    return {name: found for name, found in chosen.items() if found}


def _is_attempt(definition: Definition, passage: Passage) -> bool:
    """Whether this is an attempt of an agent that came to its end."""
    return isinstance(definition.states[passage.state], AgentState) and passage.is_attempt and not passage.is_open


def _is_request(definition: Definition, passage: Passage) -> bool:
    state = definition.states[passage.state]
    return isinstance(state, HumanState) or (isinstance(state, AgentState) and not passage.is_attempt)


def _counted(values: Sequence[Json]) -> list[tuple[Json, int]]:
    counts = Counter(canonical(value) for value in values)
    return [(decoded(text), count) for text, count in counts.most_common(MAX_VALUES)]


def _arrivals(log: Log, zone: ZoneInfo) -> Arrivals:
    times = (passage.opened_at if passage.is_open else passage.settled_at for passage in log.passages)
    first, last = log.starts[0], max([log.starts[-1], *times])
    span = max((last - first).total_seconds(), 86_400.0)
    rate = Rate(count=len(log.starts) / span * 604_800, unit="w")
    if span < _WEEKS * 604_800:
        return Arrivals(rate=rate)
    week = [0.0] * 168
    for start in log.starts:
        local = start.astimezone(zone)
        week[local.weekday() * 24 + local.hour] += 1
    return Arrivals(rate=rate, week=tuple(week), zone=zone)


def _work(passages: Sequence[Passage], outputs: Sequence[Json]) -> Work:
    takes = of_sample([_seconds(passage) for passage in passages])
    options = Counter(passage.option for passage in passages)
    outcomes = list(_spread(Outcome(weight=options[""]), outputs)) if options[""] else []
    failed = next((passage for passage in passages if passage.option == "error"), None)
    if failed is not None:
        code = failed.code or "agent_error"
        outcomes.append(Outcome(error=failed.message or "as in the log", code=code, weight=options["error"]))
    if options["crash"]:
        outcomes.append(Outcome(is_crash=True, weight=options["crash"]))
    return Work(takes=takes, outcomes=tuple(outcomes))


def _spread(outcome: Outcome, values: Sequence[Json]) -> Iterator[Outcome]:
    """An outcome with each of the values that it had, as often as it had them."""
    counted = _counted(values) or [(None, 1)]
    total = sum(count for _, count in counted)
    yield from (replace(outcome, output=value, weight=outcome.weight * count / total) for value, count in counted)


def _signals(definition: Definition, passages: Mapping[str, Sequence[Passage]], log: Log) -> Iterator[tuple[str, Work]]:
    """When which signals come to the waits that got some."""
    for name, found in passages.items():
        state = definition.states.get(name)
        came = [passage for passage in found if not passage.is_default and not passage.is_open]
        if not isinstance(state, WaitState) or not came:
            continue
        options = Counter(passage.option for passage in came)
        outcomes = [
            one
            for signal, option in state.takes.items()
            if options[option]
            for one in _spread(Outcome(signal=signal, weight=options[option]), log.signals.get((name, option), ()))
        ]
        yield name, Work(takes=_lasting(found), outcomes=tuple(outcomes))


def _lasting(passages: Sequence[Passage]) -> Distribution:
    """How long it takes until people or signals end what began, at least one of which did."""
    cut = [_seconds(passage) for passage in passages if passage.is_default or passage.is_open]
    ended = [_seconds(passage) for passage in passages if not passage.is_default and not passage.is_open]
    return of_censored(ended, cut)


def _seconds(passage: Passage) -> float:
    return (passage.settled_at - passage.opened_at).total_seconds()


def _habit(passages: Sequence[Passage], *, is_delay: bool) -> Habit:
    by_people = [passage for passage in passages if not passage.is_default and not passage.is_open]
    return Habit(
        options=dict(Counter(passage.option for passage in by_people)),
        takes=_lasting(passages) if is_delay and by_people else None,
    )


def _everybody(definition: Definition) -> Group:
    """Those who decide where nobody is known: at any hour, as many as are asked."""
    roles = frozenset(definition.roles_asked)
    always = parse_hours("always", definition.zone)
    return Group(name=EVERYBODY, names=None, roles=roles, hours=always, takes=of_sample([0.0]))


def _people(definition: Definition, log: Log, roles: Mapping[str, frozenset[str]]) -> tuple[Group, ...]:
    mine: dict[str, list[Passage]] = defaultdict(list)
    for passage in log.passages:
        if passage.by is not None and not passage.is_default and not passage.is_open:
            mine[passage.by].append(passage)
    alike: dict[frozenset[str], list[str]] = defaultdict(list)
    for name in sorted(mine):
        alike[roles.get(name) or _roles_by_deed(definition, mine[name])].append(name)
    return tuple(
        _group(", ".join(sorted(held)) or "people", names, held, [mine[name] for name in names], definition.zone)
        for held, names in alike.items()
    )


def _roles_by_deed(definition: Definition, passages: Sequence[Passage]) -> frozenset[str]:
    """The roles that somebody must have had to decide what they did, as far as the workflow asks roles."""
    found: set[str] = set()
    for name in {passage.state for passage in passages}:
        asked = asking(definition.states[name])
        named = () if asked is None else asked.named
        found.update(entry.removeprefix(ROLE) for entry in named if is_role(entry))
    return frozenset(found)


def _group(
    name: str, names: Sequence[str], roles: frozenset[str], work: Sequence[Sequence[Passage]], zone: ZoneInfo
) -> Group:
    hours = _hours([passage.settled_at for passages in work for passage in passages], zone)
    handled = [seconds for passages in work for seconds in _handling(passages, hours)]
    return Group(name=name, names=tuple(names), roles=roles, hours=hours, takes=of_sample(handled))


def _hours(times: Sequence[datetime], zone: ZoneInfo) -> Hours:
    """The hours in which nearly all decisions fell."""
    local = [time.astimezone(zone) for time in times]
    if len(local) < _FEW:
        return parse_hours("always", zone)
    days = Counter(time.weekday() for time in local)
    clock = sorted(time.hour + time.minute / 60 for time in local)
    begin, end = int(clock[len(clock) // 100]), int(clock[-1 - len(clock) // 100]) + 1
    kept = [DAYS[day] for day in sorted(days) if days[day] >= _RARE_DAY * len(local)]
    return parse_hours(", ".join(f"{day} {begin:02}:00-{end:02}:00" for day in kept), zone)


def _handling(passages: Sequence[Passage], hours: Hours) -> Iterator[float]:
    """How long each decision of one person took, at most."""
    ordered = sorted(passages, key=lambda passage: passage.settled_at)
    start = min(passage.opened_at for passage in ordered)
    length = (ordered[-1].settled_at - start) // _MICROSECOND
    shifts = Shifts(hours, start, length)
    before = start
    for passage in ordered:
        begun = max(passage.opened_at, before, passage.begun_at or passage.opened_at)
        since, until = ((time - start) // _MICROSECOND for time in (begun, passage.settled_at))
        yield (shifts.worked(until) - shifts.worked(since)) / SECOND
        before = passage.settled_at
