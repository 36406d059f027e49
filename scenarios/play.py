"""Plays scenarios: the real engine on a store in memory, under a clock that moves when the scenario says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from holdpoint.api import Engine
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState
from holdpoint.engine.errors import HoldpointError
from holdpoint.engine.model import Entry
from holdpoint.engine.times import parse_time
from holdpoint.engine.views import Request, Run
from holdpoint.scenarios.agents import made_up, unscripted
from holdpoint.scenarios.coverage import covered_by
from holdpoint.scenarios.expect import Seen, differences
from holdpoint.scenarios.model import Mismatch, Played, Scenario, Step, Suite
from holdpoint.testing import Clock

OPERATOR: Final = "operator"


class _Stopped(Exception):
    """The scenario cannot go on."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.mismatch = Mismatch(line=line, message=message)


def play(suite: Suite, scenario: Scenario, load: Callable[[str], Callable[..., Any]]) -> Played:
    """Play a scenario to its end, or to the first step that is not as it says. *load* finds a Python function."""
    player = _Player(suite, scenario, load)
    try:
        mismatches = player.play()
    finally:
        player.close()
    return Played(
        scenario=scenario,
        mismatches=mismatches,
        path=player.path,
        covered=covered_by(suite.definition, player.history) if player.history else frozenset(),
    )


class _Player:
    """One scenario in play."""

    def __init__(self, suite: Suite, scenario: Scenario, load: Callable[[str], Callable[..., Any]]) -> None:
        self._suite = suite
        self._scenario = scenario
        self._problems: list[str] = []
        self._clock = Clock(parse_time(scenario.start))
        self._engine = Engine(
            "memory://",
            clock=self._clock,
            project=suite.workflow.parent,
            agents=dict(self._agents(load)),
            people={**suite.people},
        )
        self._run: Run | None = None
        self.history: Sequence[Entry] = ()

    def close(self) -> None:
        """Let go of the engine."""
        self._engine.close()

    @property
    def path(self) -> list[str]:
        """The states that the run went through, in order."""
        return [entry.data["state"] for entry in self.history if entry.kind == "state.entered"]

    def play(self) -> list[Mismatch]:
        """What was not as the scenario says; nothing, if all was."""
        try:
            self._start()
            for step in self._scenario.steps:
                self._take(step)
                if self._problems:
                    raise _Stopped(step.line, self._problems[0])
        except _Stopped as stopped:
            return [stopped.mismatch]
        finally:
            self._look()
        return self._compared(self._scenario.expect, self._scenario.expect_line)

    def _agents(self, load: Callable[[str], Callable[..., Any]]) -> Iterator[tuple[str, Callable[..., Any]]]:
        definition = self._suite.definition
        for name, state in definition.states.items():
            if isinstance(state, AgentState) and state.value is None:
                if name not in self._scenario.agents:
                    yield f"{definition.workflow}/{name}", unscripted(name, self._problems)
                    continue
                agent = made_up(name, self._scenario.agents[name], load)
                if agent is not None:
                    yield f"{definition.workflow}/{name}", agent

    def _start(self) -> None:
        scenario = self._scenario
        try:
            self._run = self._engine.start(self._suite.definition, scenario.input, initiator=scenario.initiator)
        except HoldpointError as error:
            raise _Stopped(scenario.line, f"the run does not start: {error}") from None
        if self._problems:
            raise _Stopped(scenario.line, self._problems[0])

    def _look(self) -> None:
        if self._run is not None:
            self._run = self._engine.get_run(self._run.id)
            self.history = list(self._engine.history(self._run.id))

    @property
    def _id(self) -> str:
        assert self._run is not None
        return self._run.id

    def _take(self, step: Step) -> None:
        if step.verb == "expect":
            self._look()
            found = self._compared(step.keys["expect"], step.line)
            if found:
                raise _Stopped(found[0].line, found[0].message)
            return
        refused = step.keys.get("refused")
        try:
            _VERBS[step.verb](self, step)
        except HoldpointError as error:
            if refused is None or refused not in (error.code, _kind(error)):
                expected = f"; expected to be refused as {refused!r}" if refused else ""
                raise _Stopped(step.line, f"{step.verb}: {error} ({error.code}){expected}") from None
            return
        if refused is not None:
            raise _Stopped(step.line, f"{step.verb} was expected to be refused as {refused!r}, and was not")

    def _decide(self, step: Step) -> None:
        keys = step.keys
        self._engine.decide(
            self._request(step).id,
            keys["decide"],
            by=self._person(keys.get("by")),
            comment=keys.get("comment"),
            answers=keys.get("answers"),
            artifact=keys.get("artifact"),
            base=keys.get("base"),
        )

    def _request(self, step: Step) -> Request:
        """The request that a step means: the one that is open, or was last, in the state that it names."""
        state = step.keys.get("at")
        requests = self._engine.get_run(self._id).requests
        found = [request for request in requests if state in (None, request.state)]
        if not found and step.keys.get("refused") is not None:
            found = self._former(state)
        if len(found) != 1:
            where = f" in state {state!r}" if state else ""
            there = ", ".join(f"{request.state!r}" for request in requests) or "none"
            raise _Stopped(
                step.line,
                f"{step.verb}: {'no request is' if not found else 'several requests are'} open{where}; open: {there};"
                f" the run is in {self._engine.get_run(self._id).state!r}",
            )
        return found[0]

    def _former(self, state: str | None) -> list[Request]:
        opened = [entry.data["request"] for entry in self._engine.history(self._id) if entry.kind == "request.opened"]
        requests = [self._engine.get_request(request) for request in reversed(opened)]
        return [request for request in requests if state in (None, request.state)][:1]

    def _person(self, name: Json) -> str:
        return self._scenario.initiator if name in (None, "initiator") else str(name)

    def _operator(self, step: Step) -> str:
        """Who operates: whom the step names, else somebody who may."""
        named = step.keys.get("by")
        if named is not None:
            return self._person(named)
        operators = [name for name, roles in self._suite.people.items() if OPERATOR in roles]
        return operators[0] if operators else OPERATOR

    def _advance(self, step: Step) -> None:
        self._clock.advance(self._engine, step.keys["advance"])

    def _signal(self, step: Step) -> None:
        keys = step.keys
        self._engine.signal(self._id, keys["signal"], keys.get("data"), key=keys.get("key"))

    def _cancel(self, step: Step) -> None:
        self._engine.cancel(self._id, reason=_reason(step, "cancel"), by=self._operator(step))

    def _retry(self, step: Step) -> None:
        self._engine.retry(self._id, reason=_reason(step, "retry"), by=self._operator(step))

    def _move(self, step: Step) -> None:
        self._engine.move(self._id, step.keys["move"], reason=step.keys.get("reason", ""), by=self._operator(step))

    def _extend(self, step: Step) -> None:
        self._engine.extend(self._request(step).id, step.keys["extend"], by=self._operator(step))

    def _assign(self, step: Step) -> None:
        self._engine.assign(self._request(step).id, step.keys["assign"], by=self._operator(step))

    def _claim(self, step: Step) -> None:
        self._engine.claim(self._request(step).id, by=self._person(step.keys["claim"]))

    def _tick(self, step: Step) -> None:
        self._engine.tick()

    def _compared(self, expect: Mapping[str, Json], line: int) -> list[Mismatch]:
        if self._run is None:
            return [Mismatch(line=line, message="the run did not start")] if expect else []
        seen = Seen(run=self._run, history=self.history, now=self._clock(), zone=self._suite.definition.zone)
        return [Mismatch(line=line, message=message) for message in differences(expect, seen)]


def _reason(step: Step, verb: str) -> str:
    given = step.keys[verb]
    return given if isinstance(given, str) else str(step.keys.get("reason", ""))


def _kind(error: HoldpointError) -> str:
    """`not_allowed` for `NotAllowed`."""
    name = type(error).__name__
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


_VERBS: Final[Mapping[str, Callable[[_Player, Step], None]]] = {
    "decide": _Player._decide,
    "advance": _Player._advance,
    "signal": _Player._signal,
    "cancel": _Player._cancel,
    "retry": _Player._retry,
    "move": _Player._move,
    "extend": _Player._extend,
    "assign": _Player._assign,
    "claim": _Player._claim,
    "tick": _Player._tick,
}
