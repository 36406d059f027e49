"""What a study says: in words, as JSON, and as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta

from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, HumanState
from holdpoint.engine.errors import counted
from holdpoint.engine.times import UNITS, format_time
from holdpoint.simulation.estimates import Estimate
from holdpoint.simulation.measures import Key, is_time, times_of
from holdpoint.simulation.plan import Fitted, Group
from holdpoint.simulation.study import COMPARED, WAIT, Study

COLUMNS = ("day", "kind", "name", "measure", "value")
COMPARED_NAMES: Mapping[Key, str] = dict(
    zip(
        COMPARED,
        ("mean wait", "wait p90", "by deadline", "open requests", "run p50", "run p90", "success"),
        strict=True,
    )
)
POINTS = " points"
NOTHING = "—"
_LITTLE = 0.05
_FULL = 0.95
_GROWTH = 1.5
_SLIGHT = 0.1
_LATE = 0.05
_REASONS = 3
FEW_RUNS = 30
_WEEK = timedelta(days=7)
_COUNTS = ("started", "opened")


def say_span(seconds: float) -> str:
    """A duration for people, by its two largest units: `1d4h`, `12m30s`, `0s`."""
    sign, rest = ("-" if seconds <= -0.5 else ""), round(abs(seconds))
    index = next((index for index, (size, _) in enumerate(UNITS) if rest >= size), len(UNITS) - 1)
    size, unit = UNITS[index]
    if index == len(UNITS) - 1:
        return f"{sign}{rest}{unit}"
    smaller, its_unit = UNITS[index + 1]
    count, more = divmod(round(rest / smaller), size // smaller)
    return f"{sign}{count}{unit}" + (f"{more}{its_unit}" if more else "")


def say_share(share: float) -> str:
    """A share for people: `12.6 %`."""
    return f"{100 * share:.1f} %"


def say_count(number: float) -> str:
    """A mean count for people: one decimal where it is small."""
    return f"{number:,.1f}" if abs(number) < 100 else f"{number:,.0f}"


def say_measure(what: str, value: float) -> str:
    """A number in the unit of what it measures."""
    if what.endswith(("share", "utilisation")):
        return say_share(value)
    if is_time(what):
        return say_span(value)
    return say_count(value)


def say_value(study: Study, kind: str, name: str, what: str) -> str:
    """A mean in the unit of what it measures; a dash for a duration where nothing took any time."""
    if is_time(what) and (kind, name, what) not in study.estimates:
        return NOTHING
    return say_measure(what, study.value(kind, name, what))


def say_difference(what: str, value: float) -> str:
    """A difference in the unit of what it measures, with its sign; of shares, in points of a hundred."""
    text = f"{100 * value:.1f}{POINTS}" if what.endswith(("share", "utilisation")) else say_measure(what, value)
    return text if text.startswith("-") else f"+{text}"


def choke(study: Study) -> list[str]:
    """Where requests wait the longest, and why: sentences."""
    roles = sorted(study.names("role", "queue_mean"), key=lambda name: -study.value("role", name, "queue_mean"))
    said = [
        f"nobody may decide {count} requests of {state!r} in all replications" for state, count in study.nobody.items()
    ]
    said = [f"{text}: they wait for their deadline" for text in said]
    if not roles or study.value("role", roles[0], "queue_mean") < _LITTLE:
        return [*said, "nothing chokes: requests hardly wait for somebody to begin with them"]
    role = roles[0]

    def value(what: str) -> float:
        return study.value("role", role, what)

    waits = "and nobody has begun with any"
    if ("role", role, "wait_p50") in study.estimates:
        waits = f"half of them {say_span(value('wait_p50'))}, one in ten {say_span(value('wait_p90'))} or longer"
    waiting = f"{say_count(value('queue_mean'))} at any time wait for somebody to begin"
    said.append(f"requests for {role!r} wait most: {waiting}, {waits}")
    groups = [group for group in study.plan.people if group.count is not None and _serves(group, role)]
    said += _reasons(study, role, groups)
    said += [_busy(study, group) for group in groups]
    if value("default_share") > 0:
        said.append(f"{say_share(value('default_share'))} of these requests end by their deadline")
    growth = _growth(study, role)
    if growth is not None:
        said.append(growth)
    return said


def _serves(group: Group, role: str) -> bool:
    return role == "anyone" or not group.roles.isdisjoint(role.split(", "))


def _busy(study: Study, group: Group) -> str:
    share = study.value("group", group.name, "utilisation")
    who = f"the {group.count} in {group.name!r} are" if group.count != 1 else f"{group.name!r}, one person, is"
    return f"{who} busy {say_share(share)} of their hours" + (": they cannot keep up" if share >= _FULL else "")


def _reasons(study: Study, role: str, groups: Sequence[Group]) -> Iterator[str]:
    """What the waiting is for: for hours to begin, which more people do not change, and for somebody to be free."""
    share = study.value("role", role, "off_duty_mean") / study.value("role", role, "queue_mean")
    if groups and share >= _SLIGHT:
        yield (
            f"{say_share(share)} of that waiting is until their hours begin: "
            "other hours would shorten it, more people would not"
        )
    if groups and 1 - share >= _SLIGHT:
        more = "" if _is_in_vain(study, groups) else ": more people would shorten it"
        yield f"{say_share(1 - share)} of that waiting is until somebody is free{more}"


def _is_in_vain(study: Study, groups: Sequence[Group]) -> bool:
    """Whether one more was tried in these groups, and nowhere made waits clearly shorter."""
    names = [group.name for group in groups]
    tried = [
        variant.differences[WAIT]
        for variant in study.variants
        if variant.group in names and WAIT in variant.differences
    ]
    return bool(tried) and not any(found.high < 0 for found in tried)


def _growth(study: Study, role: str) -> str | None:
    """Whether the queue is longer in the last quarter than in the second."""
    days = study.days["role", role][study.plan.warmup :]
    if len(days) < 8:
        return None
    quarter = len(days) // 4
    early, late = ([day.open_mean for day in part] for part in (days[quarter : 2 * quarter], days[-quarter:]))
    before, after = sum(early) / len(early), sum(late) / len(late)
    if after < _GROWTH * before or after - before < 1:
        return None
    return f"the queue grows: from {say_count(before)} open in the second quarter to {say_count(after)} in the last"


def say_fitted(study: Study) -> str | None:
    """What the plan was fitted to, in words; None where to nothing."""
    fitted = study.plan.fitted
    if fitted is None:
        return None
    first, last = (at.astimezone(study.definition.zone).date() for at in (fitted.first, fitted.last))
    when = f"on {first}" if first == last else f"from {first} to {last}"
    return f"fitted to {_runs_within(fitted)}, {when}"


def _runs_within(fitted: Fitted) -> str:
    runs = f"{fitted.runs} runs" if fitted.runs != 1 else "1 run"
    return f"{runs} that started within {say_span(fitted.span.total_seconds())}"


def warnings(study: Study) -> Iterator[str]:
    """What is to be doubted in a study, each with what would help."""
    plan = study.plan
    fitted = plan.fitted
    if fitted is not None and (fitted.runs < FEW_RUNS or fitted.span < _WEEK):
        wanted = f"it takes at least {FEW_RUNS} runs over a week to fit to"
        yield f"{wanted}, not {_runs_within(fitted)}; give in --config what is known better"
    for name, work in plan.agents.items():
        state = study.definition.states[name]
        if isinstance(state, AgentState):
            share = work.share_above(state.timeout.days * 86_400 + state.timeout.seconds)
            if share >= _LATE:
                late = f"{say_share(share)} of the attempts of agent {name!r} take longer than its timeout"
                yield f"{late} of {state.timeout}, and fail; give it a longer 'timeout', or say less in 'takes'"
    for message, count in list(study.reasons.items())[:_REASONS]:
        yield f"{counted(count, 'run')} of all replications failed: {message}"
    if silent := unasked(study):
        lead = "give inputs, outputs or decisions that lead there in --config"
        yield f"nobody was asked in {', '.join(silent)}; {lead}"
    for name, count in study.waiting.items():
        never = f"wait in {name!r} for a signal that never comes"
        yield f"{count} of the runs of all replications {never}; say in --config when it does"


def to_dict(study: Study) -> Json:
    """Everything as JSON. Numbers are `[mean, low, high]`, durations in seconds; null where there is none."""
    plan = study.plan
    return {
        "workflow": study.definition.workflow,
        "definition": study.definition.version,
        "days": plan.days,
        "warmup": plan.warmup,
        "seed": plan.seed,
        "replications": plan.replications,
        "start": format_time(plan.start),
        "assumed": list(plan.assumed),
        "fitted": None if plan.fitted is None else _fitted(plan.fitted),
        "warnings": list(warnings(study)),
        "numbers": _nested(study),
        "over_time": {
            f"{kind} {name}".strip(): [asdict(day) for day in days] for (kind, name), days in study.days.items()
        },
        "chokes": choke(study),
        "what_if": [
            {
                "change": one.title,
                "differences": {
                    " ".join(key).replace("  ", " "): found.to_list() for key, found in one.differences.items()
                },
            }
            for one in study.variants
        ],
        "failed": dict(study.reasons),
        "nobody": dict(study.nobody),
        "waiting": dict(study.waiting),
    }


def _fitted(fitted: Fitted) -> Json:
    return {"runs": fitted.runs, "first": format_time(fitted.first), "last": format_time(fitted.last)}


def _nested(study: Study) -> Json:
    found: dict[str, Json] = {}
    for (kind, name, what), value in _numbers(study):
        place = found.setdefault(kind, {})
        if name:
            place = place.setdefault(name, {})
        place[what] = None if value is None else value.to_list()
    return found


def _numbers(study: Study) -> Iterator[tuple[Key, Estimate | None]]:
    """Every number, and nothing for each duration of what took no time."""
    yield from study.estimates.items()
    for kind, name in dict.fromkeys((kind, name) for kind, name, what in study.estimates if what in _COUNTS):
        keys: Iterator[Key] = ((kind, name, what) for what in times_of(kind))
        yield from ((key, None) for key in keys if key not in study.estimates)


def to_rows(study: Study) -> Iterator[Sequence[str]]:
    """Everything as rows: day by day first, then the numbers of the whole, whose day is empty, and its changes.

    The value of what has none is empty.
    """
    for (kind, name), days in study.days.items():
        for number, day in enumerate(days, 1):
            yield from ((str(number), kind, name, what, _shown(value)) for what, value in asdict(day).items())
    for (kind, name, what), found in _numbers(study):
        yield from (("", kind, name, f"{what}{end}", number) for end, number in _interval(found))
    for variant in study.variants:
        for key, found in variant.differences.items():
            what = "_".join(filter(None, key))
            yield from (("", "what_if", variant.title, f"{what}{end}", number) for end, number in _interval(found))


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.6g}"


def _interval(found: Estimate | None) -> Iterator[tuple[str, str]]:
    numbers = (None,) * 3 if found is None else found.to_list()
    return zip(("", "_low", "_high"), (_shown(number) for number in numbers), strict=True)


def unasked(study: Study) -> list[str]:
    """The states that ask people and did so in no replication."""
    asked = set(study.names("state", "opened"))
    return [
        name for name, state in study.definition.states.items() if isinstance(state, HumanState) and name not in asked
    ]
