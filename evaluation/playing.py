"""Plays one case against a definition: agents that are made up, recorded or real, people by their rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from holdpoint.api import Engine
from holdpoint.engine.agents.python import load_function
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import HoldpointError
from holdpoint.engine.expressions import ExpressionError, Scope
from holdpoint.engine.model import Entry
from holdpoint.engine.people import assigned, is_excluded, is_role, may_act
from holdpoint.engine.views import Request, Run
from holdpoint.evaluation.cases import Case, Cases, Rule
from holdpoint.evaluation.chance import drawn
from holdpoint.evaluation.course import course_of
from holdpoint.evaluation.driving import Driver, Reaction, Stop
from holdpoint.evaluation.recording import Answer, Attempt, Event, Place
from holdpoint.evaluation.standins import StandIns, agents_of
from holdpoint.scenarios.agents import made_up, unscripted
from holdpoint.scenarios.expect import Seen, differences
from holdpoint.scenarios.play import refusal_missed
from holdpoint.testing import Clock

Agents: TypeAlias = Literal["made-up", "recorded", "real"]
SOMEBODY = "somebody"
"""Who decides where anyone may and the case names nobody."""

_WAITS = ("silence", "unasked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What was recommended in a state, and what a person decided there."""

    state: str
    recommended: Json
    decided: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An attempt of an agent that failed."""

    state: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a case, played once.

    `status` is that of its run, or `refused` where none was started, and then `refused` is the code of the refusal.
    `met` is None where nothing was expected. `rounds` counts visits of return states, None where it did not start;
    `seconds` is from the start to the end by the virtual clock, None where it did not end; `elapsed` is what this
    machine took. `attempts` is what the agents gave.
    """

    case: str
    repeat: int
    status: str
    state: str | None
    outcome: str | None
    output: Json
    path: Sequence[str]
    stop: str | None
    met: bool | None
    differences: Sequence[str]
    rounds: int | None
    cost: float | None
    seconds: float | None
    elapsed: float
    refused: str | None = None
    opinions: Sequence[Opinion] = ()
    failures: Sequence[Failed] = ()
    attempts: Mapping[Place, Sequence[Attempt]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """The result as `flow eval --json` prints it."""
        left = ("attempts", "opinions", "failures")
        members = {name: getattr(self, name) for name in self.__slots__ if name not in left}
        members["path"], members["differences"] = list(self.path), list(self.differences)
        members["opinions"] = [
            {"state": one.state, "recommended": one.recommended, "decided": one.decided} for one in self.opinions
        ]
        members["failures"] = [{"state": one.state, "code": one.code, "message": one.message} for one in self.failures]
        return members


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all plays of a version share. `recorded` has by case what agents gave, repeat by repeat."""

    definition: Definition
    cases: Cases
    project: Path
    roles: Mapping[str, Sequence[str]]
    agents: Agents
    recorded: Mapping[str, Sequence[Mapping[Place, Sequence[Attempt]]]] = field(default_factory=dict)

    @property
    def people(self) -> Mapping[str, Sequence[str]]:
        """The people with their roles: those of the cases, else those of the project."""
        return self.roles if self.cases.people is None else self.cases.people


def play(setting: Setting, case: Case, repeat: int) -> Result:
    """Play a case once; *repeat* is its number, from 0."""
    clock = Clock(setting.cases.start)
    script = _Script(setting, case, repeat, clock)
    begun = time.perf_counter()
    with Engine(
        "memory://", clock=clock, project=setting.project, agents=script.agents(), people={**setting.people}
    ) as engine:
        try:
            played = drawn(setting.definition, case.name, repeat)
            run = engine.start(played, case.input, initiator=case.initiator)
        except HoldpointError as error:
            return _not_started(case, repeat, error, time.perf_counter() - begun)
        start = setting.cases.start
        events = [Event(at=start + one.after, verb="signal", name=one.name, data=one.data) for one in case.signals]
        events.sort(key=lambda event: event.at)
        stop = Driver(engine, clock, run.id, script, events, is_strict=True).drive()
        elapsed = time.perf_counter() - begun
        return _result(engine, run.id, setting, case, repeat, script, stop, elapsed)


def _not_started(case: Case, repeat: int, error: HoldpointError, elapsed: float) -> Result:
    missed = refusal_missed(case.expect, error) if case.expect else None
    return Result(
        case=case.name,
        repeat=repeat,
        status="refused",
        state=None,
        outcome=None,
        output=None,
        path=[],
        stop=f"it does not start: {error.message}",
        met=missed is None if case.expect else None,
        differences=[] if missed is None else [missed],
        rounds=None,
        cost=None,
        seconds=None,
        elapsed=elapsed,
        refused=error.code,
    )


def _result(
    engine: Engine,
    run_id: str,
    setting: Setting,
    case: Case,
    repeat: int,
    script: _Script,
    stop: Stop | None,
    elapsed: float,
) -> Result:
    run, history = engine.get_run(run_id), engine.history(run_id)
    recording = engine.recording(run_id)
    told = None if stop is None else stop.text
    seen = Seen(
        run=run,
        history=history,
        moments=lambda: engine.moments(run_id),
        now=engine.now(),
        zone=setting.definition.zone,
    )
    wrong = differences(case.expect, seen, is_output_partial=case.is_output_partial)
    if stop is not None and stop.why not in _WAITS and case.expect:
        wrong.insert(0, stop.text)
    path = course_of(run, history).path
    returns = {name for name, state in setting.definition.states.items() if "revise" in state.on}
    return Result(
        case=case.name,
        repeat=repeat,
        status=run.status,
        state=run.state,
        outcome=run.outcome,
        output=run.output,
        path=path,
        stop=told,
        met=not wrong if case.expect else None,
        differences=wrong,
        rounds=sum(name in returns for name in path),
        cost=_cost(setting.cases.cost, recording.attempts),
        seconds=None if run.ended_at is None else (run.ended_at - run.started_at).total_seconds(),
        elapsed=elapsed,
        opinions=script.opinions(history),
        attempts=recording.attempts,
        failures=[
            Failed(state=entry.data["state"], code=entry.data["code"], message=entry.data["message"])
            for entry in history
            if entry.kind == "agent.failed"
        ],
    )


def _cost(paths: Sequence[Sequence[str]], attempts: Mapping[Place, Sequence[Attempt]]) -> float | None:
    """The sum of the numbers at these paths, over all that agents gave; None where nothing is to be summed."""
    if not paths:
        return None
    return sum((number for path in paths for number in numbers_at(path, attempts)), 0.0)


def numbers_at(path: Sequence[str], attempts: Mapping[Place, Sequence[Attempt]]) -> list[float]:
    """The numbers at a path, in everything that the agent of its state gave."""
    state, *keys = path
    outputs = [
        getattr(one.outcome, "output", None) for (name, _), made in attempts.items() if name == state for one in made
    ]
    found = [_at(output, keys) for output in outputs]
    return [float(value) for value in found if isinstance(value, int | float) and not isinstance(value, bool)]


def _at(value: Json, keys: Sequence[str]) -> Json:
    """What is at a path in a value; None where nothing is."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


class _Script:
    """The script that a case is."""

    def __init__(self, setting: Setting, case: Case, repeat: int, clock: Clock) -> None:
        self._setting = setting
        self._case = case
        self._problems: list[str] = []
        self._asked: dict[str, tuple[str, Json]] = {}  # request → its state, and what is recommended
        given = setting.recorded.get(case.name, ())
        attempts = given[repeat % len(given)] if given else {}
        self._stand_ins = StandIns(attempts, clock) if setting.agents == "recorded" else None

    def agents(self) -> dict[str, Callable[..., Any]]:
        """What stands in for agents; nothing for those that are real."""
        if self._stand_ins is not None:
            return self._stand_ins.of(self._setting.definition)
        return {} if self._setting.agents == "real" else dict(self._made_up())

    def _made_up(self) -> Iterator[tuple[str, Callable[..., Any]]]:
        definition, described = self._setting.definition, self._case.agents
        for name in agents_of(definition):
            agent = (
                made_up(name, described[name], self._load, self._problems) if name in described else self._missing(name)
            )
            if agent is not None:
                yield f"{definition.workflow}/{name}", agent

    def _missing(self, name: str) -> Callable[..., Any]:
        return unscripted(name, self._problems)

    def _load(self, reference: str) -> Callable[..., Any]:
        return load_function(reference, self._setting.project)

    @property
    def stop(self) -> Stop | None:
        """Why it cannot go on, once an agent was to run of which nothing is known."""
        if self._stand_ins is not None:
            return self._stand_ins.stop
        if not self._problems:
            return None
        return Stop(why="unrecorded", text=self._problems[0].replace("the scenario", "the case"))

    def react(self, run: Run, request: Request) -> Reaction | Stop:
        """What the rules of the state say."""
        scope = self._scope(run)
        path = self._setting.cases.recommendation.get(request.state)
        if path is not None:
            self._asked[request.id] = request.state, _at(dict(scope.values), path)
        try:
            rules = self._case.decisions.get(request.state, ())
            rule = next((one for one in rules if one.when is None or one.when.holds(scope)), None)
        except ExpressionError as error:
            return Stop(why="refused", text=f"the condition of a rule of {request.state!r} fails: {error.message}")
        if rule is None or rule.option is None:
            return Reaction()
        return Reaction(answer=self._answer(request, rule, rule.option))

    def _scope(self, run: Run) -> Scope:
        states = self._setting.definition.states
        values: dict[str, Json] = {name: run.results.get(name) for name in states}
        values["visits"] = {name: run.visits.get(name, 0) for name in states}
        values["artifacts"] = {name: artifact["content"] for name, artifact in run.artifacts.items()}
        return Scope(values={**values, "input": run.input}, zone=self._setting.definition.zone)

    def _answer(self, request: Request, rule: Rule, option: str) -> Answer:
        return Answer(
            option=option,
            by=self._person(request, option) if rule.by is None else self._named(rule.by),
            after=rule.after,
            comment=rule.comment,
            answers=rule.answers,
            artifact=rule.artifact,
        )

    def _named(self, name: str) -> str:
        return self._case.initiator if name == "initiator" else name

    def _person(self, request: Request, option: str) -> str:
        """Somebody who may: who is named, else the first of the people with the role."""
        people = self._setting.people

        def roles(person: str) -> frozenset[str]:
            return frozenset(people.get(person, ()))

        asked = assigned(request.assign, option)
        found = [person for person in asked if not is_role(person)] + [SOMEBODY, *people]
        may = (
            person
            for person in found
            if may_act(request.assign, option, person, roles) and not is_excluded(request.exclude, person, roles)
        )
        return next(may, SOMEBODY)

    def opinions(self, history: Sequence[Entry]) -> list[Opinion]:
        """What was recommended where a person then decided."""
        return [
            Opinion(state=state, recommended=recommended, decided=entry.data["decision"])
            for entry in history
            if entry.kind == "request.decided" and entry.data["request"] in self._asked
            for state, recommended in [self._asked[entry.data["request"]]]
        ]
