"""What is given of a plan, from wherever it comes, and what is assumed of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self

from holdpoint.engine.asking import options_of
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition, HumanState, WaitState
from holdpoint.engine.errors import Invalid, UsageError, did_you_mean
from holdpoint.engine.people import ROLE
from holdpoint.simulation.draws import Distribution
from holdpoint.simulation.hours import Hours, parse_hours
from holdpoint.simulation.plan import INITIATORS, Arrivals, Case, Fitted, Group, Habit, Outcome, Plan, Work, numbered
from holdpoint.simulation.samples import meets, sample, samples

HOURS = "mon-fri 09:00-17:00"
HANDLING = Distribution(kind="exp", numbers=(900.0,))
AGENT_TIME = Distribution(kind="constant", numbers=(60.0,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a configuration, a log or the command line says; None or empty where it says nothing."""

    arrivals: Arrivals | None = None
    cases: tuple[Case, ...] = ()
    people: tuple[Group, ...] = ()
    agents: Mapping[str, Work] = field(default_factory=dict)
    habits: Mapping[str, Habit] = field(default_factory=dict)
    signals: Mapping[str, Work] = field(default_factory=dict)
    days: int | None = None
    warmup: int | None = None
    seed: int | None = None
    replications: int | None = None
    start: datetime | None = None
    is_inbox_order: bool | None = None
    fitted: Fitted | None = None

    def over(self, other: Given) -> Self:
        """What both say; where both say something, this one is right. States are taken one by one."""
        changes: dict[str, Any] = {}
        for name in (one.name for one in fields(self)):
            ours, theirs = getattr(self, name), getattr(other, name)
            if isinstance(ours, Mapping):
                changes[name] = {**theirs, **ours}
            elif ours is None or ours == ():
                changes[name] = theirs
        return replace(self, **changes)


def hours_of(text: str, definition: Definition) -> Hours:
    """Working hours in the workflow's time zone. Raises `Invalid`."""
    return parse_hours(text, definition.zone)


def complete(definition: Definition, given: Given, known: Mapping[str, frozenset[str]]) -> Plan:
    """The plan: what is given, and an assumption for all else, which is said.

    *known* are people by name, with their roles: who works where nobody is given. Raises `Invalid` where no value can
    be made for an input or output.
    """
    assumed: list[str] = []
    arrivals = given.arrivals
    if arrivals is None:
        arrivals = Arrivals(hours=hours_of(HOURS, definition))
        assumed.append(f"arrivals: {arrivals.rate}, at random within {HOURS} ({definition.timezone})")
    plan = Plan(
        arrivals=arrivals,
        cases=given.cases or tuple(_cases(definition, assumed)),
        people=given.people or tuple(_people(definition, known, assumed)),
        agents=dict(_agents(definition, given, assumed)),
        habits=given.habits,
        signals=dict(_signals(definition, given, assumed)),
    )
    assumed += [
        f"decisions of {state.name!r}: each of {', '.join(options)} is as likely"
        for state in definition.states.values()
        if isinstance(state, HumanState) and len(options := plan.habit(state.name).open_to(state.options)) > 1
    ]
    assumed += [
        f"questions after a crash of {name!r}: each of {', '.join(options)} is as likely"
        for name, work in plan.agents.items()
        if any(one.is_crash for one in work.outcomes)
        and len(options := plan.habit(name).open_to(options_of(definition.states[name]))) > 1
    ]
    assumed += [
        f"signals: none comes to {state.name!r}"
        for state in definition.states.values()
        if isinstance(state, WaitState) and state.takes and state.name not in plan.signals
    ]
    rest = ("days", "warmup", "seed", "replications", "start", "is_inbox_order", "fitted")
    changes = {name: getattr(given, name) for name in rest if getattr(given, name) is not None}
    plan = replace(_with_initiators(definition, plan, assumed), **changes, assumed=tuple(assumed))
    if plan.warmup >= plan.days:
        raise Invalid(f"warmup is {plan.warmup} days of {plan.days}; leave some to be counted", code="warmup")
    return plan


def with_reviewers(definition: Definition, plan: Plan, role: str, count: int) -> Plan:
    """The plan with so many people who have a role: more or fewer in the first group that has it, or a new one.

    Raises `UsageError` for a role that no request asks, `Invalid` where people of other groups have it who are more.
    """
    role = role.removeprefix(ROLE)
    if role not in definition.roles_asked:
        hint = did_you_mean(role, definition.roles_asked) or f"asked: {', '.join(definition.roles_asked) or 'none'}"
        raise UsageError(f"no request of {definition.workflow!r} asks the role {role!r}; {hint}")
    hours = hours_of(HOURS, definition)
    holders = [group for group in plan.people if role in group.roles]
    if not holders:
        group = Group(name=role, names=numbered(role, count), roles=frozenset({role}), hours=hours, takes=HANDLING)
        return replace(plan, people=(*plan.people, group))
    first, others = holders[0], [group for group in holders[1:] if group.names is not None]
    rest = sum(len(group.names or ()) for group in others)
    if count < rest:
        raise Invalid(
            f"{rest} people outside of group {first.name!r} have the role {role!r}; say it in --config", code="people"
        )
    names = resized(first, count - rest)
    return replace(
        plan, people=tuple(replace(group, names=names) if group is first else group for group in plan.people)
    )


def resized(group: Group, count: int) -> tuple[str, ...]:
    """Names for so many people of a group, the known ones first."""
    known = group.names or ()
    fresh = [name for name in numbered(group.name, count + len(known)) if name not in known]
    return (*known[:count], *fresh[: max(0, count - len(known))])


def _cases(definition: Definition, assumed: list[str]) -> Iterator[Case]:
    if definition.input is None:
        yield Case(value={})
        return
    values = samples(definition.input, f"input of workflow {definition.workflow!r}")
    assumed.append(f"inputs: {len(values)} made from their schema, each as likely")
    yield from (Case(value=value) for value in values)


def _agents(definition: Definition, given: Given, assumed: list[str]) -> Iterator[tuple[str, Work]]:
    """What agents do, with outputs from the schema where there must be some and nobody says which."""
    for state in definition.states.values():
        if not isinstance(state, AgentState) or state.value is not None:
            continue
        work = given.agents.get(state.name)
        said = "" if work is not None else f"takes {AGENT_TIME} and never fails; "
        work = work or Work(takes=AGENT_TIME, outcomes=(Outcome(),))
        if any(_lacks_output(one, state.output) for one in work.outcomes):
            values = samples(state.output, f"output of state {state.name!r}")
            outcomes = (made for one in work.outcomes for made in _with_outputs(one, state.output, values))
            work = replace(work, outcomes=tuple(outcomes))
            assumed.append(f"agent {state.name!r}: {said}output: {len(values)} made from its schema")
        elif said:
            assumed.append(f"agent {state.name!r}: {said}output: empty")
        yield state.name, work


def _lacks_output(outcome: Outcome, schema: Json) -> bool:
    """Whether an agent that does this gives an output that nobody said, where its schema wants one."""
    is_success = outcome.error is None and not outcome.is_crash
    return is_success and outcome.output is None and not meets(schema, None)


def _with_outputs(outcome: Outcome, schema: Json, values: Sequence[Json]) -> Iterator[Outcome]:
    """An outcome with each of the values, as likely, where it lacks one."""
    if not _lacks_output(outcome, schema):
        yield outcome
        return
    yield from (replace(outcome, output=value, weight=outcome.weight / len(values)) for value in values)


def _signals(definition: Definition, given: Given, assumed: list[str]) -> Iterator[tuple[str, Work]]:
    """What comes to waits, with data from the schema where there must be some and nobody says what."""
    for name, work in given.signals.items():
        state = definition.states[name]
        schema = state.output if isinstance(state, WaitState) else None
        lacking = [one for one in work.outcomes if one.output is None and not meets(schema, None)]
        if not lacking:
            yield name, work
            continue
        made = sample(schema, f"data of a signal to {name!r}")
        signals = ", ".join(dict.fromkeys(str(one.signal) for one in lacking))
        assumed.append(f"signals to {name!r}: data of {signals} made from its schema")
        outcomes = (replace(one, output=made) if one in lacking else one for one in work.outcomes)
        yield name, replace(work, outcomes=tuple(outcomes))


def _people(definition: Definition, known: Mapping[str, frozenset[str]], assumed: list[str]) -> Iterator[Group]:
    hours = hours_of(HOURS, definition)
    groups: dict[frozenset[str], list[str]] = {}
    for name, roles in known.items():
        groups.setdefault(roles, []).append(name)
    missing = [role for role in definition.roles_asked if not any(role in roles for roles in groups)]
    found = [(", ".join(sorted(roles)) or "people", tuple(names), roles) for roles, names in groups.items()]
    found += [(role, numbered(role, 1), frozenset({role})) for role in missing]
    if not found and "" in definition.asked:
        found.append(("reviewer", numbered("reviewer", 1), frozenset()))
    for name, names, roles in found:
        yield Group(name=name, names=names, roles=roles, hours=hours, takes=HANDLING)
        work = f"{HOURS} ({definition.timezone}), {HANDLING} for a request"
        assumed.append(f"people {name!r}: {len(names)} ({', '.join(names)}), {work}")


def _with_initiators(definition: Definition, plan: Plan, assumed: list[str]) -> Plan:
    if INITIATORS in (group.name for group in plan.people) or "initiator" not in definition.asked:
        return plan
    hours = hours_of(HOURS, definition)
    assumed.append(f"initiators: as many as there are runs, {HOURS} ({definition.timezone}), {HANDLING} for a request")
    return replace(plan, people=(*plan.people, Group(name=INITIATORS, names=None, hours=hours, takes=HANDLING)))
