"""Plays scenarios: the real engine on a store in memory, under a clock that moves when the scenario says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from holdpoint.api import Engine
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.errors import HoldpointError
from holdpoint.engine.model import Entry
from holdpoint.engine.times import parse_time
from holdpoint.engine.views import Request, Run
from holdpoint.engine.why import say_attempt
from holdpoint.scenarios.agents import Load, made_up, unscripted
from holdpoint.scenarios.coverage import covered_by
from holdpoint.scenarios.expect import Seen, differences, path_of
from holdpoint.scenarios.model import INITIATOR, Mismatch, Played, Scenario, Step, Suite
from holdpoint.settings import OPERATOR, find_project
from holdpoint.testing import Clock


class Stopped(Exception):
    """What is played is not as it should be, and cannot go on."""

    def __init__(self, mismatches: Sequence[Mismatch]) -> None:
        super().__init__("\n".join(one.message for one in mismatches))
        self.mismatches = mismatches


def play(suite: Suite, scenario: Scenario, load: Load) -> Played:
    """Play a scenario to its end, or to the first step that is not as it says. *load* finds a Python function."""
    problems: list[str] = []
    clock = Clock(parse_time(scenario.start))
    with Engine(
        "memory://",
        clock=clock,
        project=find_project(suite.workflow.parent),
        agents=dict(_agents(suite.definition, scenario, load, problems)),
        people=suite.people,
    ) as engine:
        try:
            run = engine.start(suite.definition, scenario.input, initiator=scenario.initiator)
        except HoldpointError as error:
            return Played(scenario=scenario, mismatches=_not_started(scenario, error))
        operator = next((name for name, roles in suite.people.items() if OPERATOR in roles), None)
        player = Player(engine, clock, run.id, scenario.initiator, operator)
        mismatches = _mismatches(player, scenario, problems)
        history = player.history
    covered = covered_by(suite.definition, history)
    return Played(scenario=scenario, mismatches=mismatches, path=path_of(history), covered=covered)


def _not_started(scenario: Scenario, error: HoldpointError) -> list[Mismatch]:
    """What was not as the scenario says where its run is not started."""
    message = refusal_missed(scenario.expect, error)
    if message is None:
        return []
    is_expected = "refused" in scenario.expect
    line = scenario.expect_lines.get("refused", scenario.expect_line) if is_expected else scenario.line
    return [Mismatch(line=line, message=message)]


def refusal_missed(expect: Mapping[str, Json], error: HoldpointError) -> str | None:
    """How a start that raised an error is not as expected, in words; None where it is."""
    expected = expect.get("refused")
    if _is_refusal(error, expected):
        return None
    message = f"the run does not start: {error} ({error.code})"
    return message if expected is None else f"{message}; expected to be refused as {expected!r}"


def _agents(
    definition: Definition, scenario: Scenario, load: Load, problems: list[str]
) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, state in definition.states.items():
        if isinstance(state, AgentState) and state.value is None:
            if name not in scenario.agents:
                yield f"{definition.workflow}/{name}", unscripted(name, problems)
                continue
            agent = made_up(name, scenario.agents[name], load, problems)
            if agent is not None:
                yield f"{definition.workflow}/{name}", agent


def _mismatches(player: Player, scenario: Scenario, problems: Sequence[str]) -> Sequence[Mismatch]:
    """What was not as the scenario says; nothing, if all was. *problems* are those of made-up agents."""
    line = scenario.line
    for step in scenario.steps:
        if problems:
            break
        line = step.line
        try:
            player.take(step)
        except Stopped as stopped:
            return stopped.mismatches if not problems else [Mismatch(line=line, message=problems[0])]
    if problems:
        return [Mismatch(line=line, message=problems[0])]
    found = player.compared(scenario.expect, scenario.expect_lines, scenario.expect_line)
    return found or _failed(player.seen().run, scenario)


def _failed(run: Run, scenario: Scenario) -> list[Mismatch]:
    """A run that rests failed at the end, of which the scenario says nothing: nobody may take that for a success."""
    last = scenario.steps[-1].keys.get("expect", {}) if scenario.steps else {}
    if run.error is None or {"status", "error"} & {*scenario.expect, *last}:
        return []
    where = scenario.expect_line or scenario.line
    message = _say_failed(run, run.error)
    return [Mismatch(line=where, message=f"{message}; expect 'status: failed' where that is meant")]


def _say_failed(run: Run, error: Mapping[str, Json]) -> str:
    return f"the run failed in {run.state!r}: {error['message']} ({error['code']})"


class Player:
    """Takes steps with a run, as a scenario says them, and compares it with what is expected of it.

    *clock* is the engine's. *operator* is who steers where a step names nobody; None: the program itself, which may.
    """

    def __init__(
        self, engine: Engine, clock: Clock | None, run_id: str, initiator: str, operator: str | None = None
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._run_id = run_id
        self._initiator = initiator
        self._operator = operator
        self._zone = engine.definition(run_id).zone
        self._by_key: dict[str, str] = {}

    @property
    def history(self) -> Sequence[Entry]:
        """What happened to the run so far."""
        return self._engine.history(self._run_id)

    def seen(self) -> Seen:
        """The run as it stands now."""
        run = self._engine.get_run(self._run_id)
        return Seen(
            run=run,
            history=self.history,
            moments=lambda: self._engine.moments(self._run_id),
            now=self._engine.now(),
            zone=self._zone,
        )

    def compared(
        self, expect: Mapping[str, Json], lines: Mapping[str, int] | None = None, line: int = 0
    ) -> list[Mismatch]:
        """What of the run is not as expected, each at its line of *lines*, else at *line*."""
        if not expect:
            return []
        seen = self.seen()
        found = [
            Mismatch(line=(lines or {}).get(name, line), message=message)
            for name, expected in expect.items()
            for message in differences({name: expected}, seen)
        ]
        if found and seen.run.error is not None and not {"status", "error"} & expect.keys():
            found.append(Mismatch(line=found[-1].line, message=_say_failed(seen.run, seen.run.error)))
        return found

    def take(self, step: Step) -> None:
        """Do what a step says. Raises `Stopped` where it is not as the step says."""
        if step.verb == "expect":
            found = self.compared(step.keys["expect"], step.lines, step.line)
            if found:
                raise Stopped(found)
            return
        refused = step.keys.get("refused")
        try:
            _VERBS[step.verb](self, step)
        except HoldpointError as error:
            if not _is_refusal(error, refused):
                expected = f"; expected to be refused as {refused!r}" if refused else ""
                raise _stopped(step, f"{step.verb}: {error} ({error.code}){expected}") from None
            return
        if refused is not None:
            raise _stopped(step, f"{step.verb} was expected to be refused as {refused!r}, and was not")

    def _decide(self, step: Step) -> None:
        keys = step.keys
        request = self._request(step).id
        self._engine.decide(
            request,
            keys["decide"],
            by=self._person(keys.get("by")),
            comment=keys.get("comment"),
            answers=keys.get("answers"),
            artifact=keys.get("artifact"),
            base=keys.get("base"),
            key=keys.get("key"),
        )
        if keys.get("key") is not None:
            self._by_key[keys["key"]] = request

    def _request(self, step: Step) -> Request:
        """The request that a step means: the one that is open, or was last, in the state that it names.

        Without a state, a key that was used before means the request that it was used at.
        """
        state, key = step.keys.get("at"), step.keys.get("key")
        if state is None and key in self._by_key:
            return self._engine.get_request(self._by_key[key])
        run = self._engine.get_run(self._run_id)
        found = [request for request in run.requests if state in (None, request.state)]
        if not found and (key is not None or step.keys.get("refused") is not None):
            found = self._former(state)
        if len(found) != 1:
            where = f" in state {state!r}" if state else ""
            there = ", ".join(f"{request.state!r}" for request in run.requests) or "none"
            what = "several requests are" if found else "no request is"
            why = "" if run.error is None else f": {run.error['message']}"
            if run.attempt is not None and run.attempt["error"]:
                why = f": its agent failed ({run.attempt['error']['message']}), and {say_attempt(run.attempt)}"
            raise _stopped(
                step, f"{step.verb}: {what} open{where}; open: {there}; the run is {run.status} in {run.state!r}{why}"
            )
        return found[0]

    def _former(self, state: str | None) -> list[Request]:
        opened = [entry.data["request"] for entry in self.history if entry.kind == "request.opened"]
        requests = [self._engine.get_request(request) for request in reversed(opened)]
        return [request for request in requests if state in (None, request.state)][:1]

    def _person(self, name: str | None) -> str:
        return self._initiator if name in (None, INITIATOR) else str(name)

    def _steering(self, step: Step) -> str | None:
        """Who operates: whom the step names, else somebody who may."""
        return self._operator if step.keys.get("by") is None else self._person(step.keys["by"])

    def _advance(self, step: Step) -> None:
        if self._clock is None:
            raise _stopped(step, "advance: there is no clock that could be moved")
        if step.keys.get("ticks") is False:
            self._clock.set(parse_duration(step.keys["advance"]).after(self._clock(), self._zone))
            return
        try:
            counts = self._clock.advance(self._engine, step.keys["advance"], zone=self._zone)
        except RuntimeError as error:  # what the clock raises, whose message says which time it stands at
            raise _stopped(step, f"advance: {error}") from None
        if counts["errors"]:
            raise _stopped(step, f"advance: {counts['errors']} of what was due could not be handled; see the log")

    def _signal(self, step: Step) -> None:
        keys = step.keys
        by = None if keys.get("by") is None else self._person(keys["by"])
        self._engine.signal(self._run_id, keys["signal"], keys.get("data"), by=by, key=keys.get("key"))

    def _cancel(self, step: Step) -> None:
        self._engine.cancel(self._run_id, reason=_reason(step), by=self._steering(step))

    def _retry(self, step: Step) -> None:
        self._engine.retry(self._run_id, reason=_reason(step), by=self._steering(step))

    def _move(self, step: Step) -> None:
        reason = step.keys.get("reason")
        self._engine.move(self._run_id, step.keys["move"], reason=reason, by=self._steering(step))

    def _extend(self, step: Step) -> None:
        reason = step.keys.get("reason")
        self._engine.extend(self._request(step).id, step.keys["extend"], reason=reason, by=self._steering(step))

    def _assign(self, step: Step) -> None:
        people = [self._person(name) for name in step.keys["assign"]]
        self._engine.assign(self._request(step).id, people, by=self._steering(step))

    def _claim(self, step: Step) -> None:
        person = self._person(step.keys["claim"])
        by = step.keys.get("by")
        self._engine.claim(self._request(step).id, by=person if by is None else self._person(by), person=person)

    def _tick(self, step: Step) -> None:
        self._engine.tick()


def _stopped(step: Step, message: str) -> Stopped:
    return Stopped([Mismatch(line=step.line, message=message)])


def _reason(step: Step) -> str | None:
    """The reason that stands behind the verb itself, or under its own key."""
    given = step.keys[step.verb]
    return given if isinstance(given, str) else step.keys.get("reason")


def _is_refusal(error: HoldpointError, expected: Json) -> bool:
    """Whether an error is what was expected to be raised: by its code or its kind."""
    return expected is not None and expected in (error.code, type(error).code)


_VERBS: Final[Mapping[str, Callable[[Player, Step], None]]] = {
    "decide": Player._decide,
    "advance": Player._advance,
    "signal": Player._signal,
    "cancel": Player._cancel,
    "retry": Player._retry,
    "move": Player._move,
    "extend": Player._extend,
    "assign": Player._assign,
    "claim": Player._claim,
    "tick": Player._tick,
}
