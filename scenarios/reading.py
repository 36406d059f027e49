"""Scenario files: read as strictly as workflows, checked against their schema and against the workflow they test."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from holdpoint import api
from holdpoint.engine.canonical import Json
from holdpoint.engine.definition import AgentState, Definition, HumanState
from holdpoint.engine.durations import parse_duration
from holdpoint.engine.errors import DefinitionError, Invalid, NotFound
from holdpoint.engine.times import parse_time
from holdpoint.scenarios.model import Scenario, Step, Suite
from holdpoint.schema.nodes import Document
from holdpoint.schema.nodes import Path as Where
from holdpoint.schema.reader import read
from holdpoint.schema.report import Report, TooManyErrors, listed, suggestion
from holdpoint.schema.shape import check_shape

SUFFIXES: Final = (".scenarios.yaml", ".scenarios.yml")
VERBS: Final = ("decide", "advance", "signal", "cancel", "retry", "move", "extend", "assign", "claim", "tick", "expect")
_START: Final = "2026-01-05T09:00:00Z"


@cache
def scenarios_schema() -> Json:
    """The JSON Schema of a scenario file."""
    text = files("holdpoint.scenarios").joinpath("scenarios.schema.json").read_text(encoding="utf-8")
    return json.loads(text)


def scenario_files(paths: list[Path]) -> list[Path]:
    """The scenario files among paths and below those that are folders. Raises `NotFound` where one is not there."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise NotFound(f"there is no {path}")
        below = (one for suffix in SUFFIXES for one in path.rglob(f"*{suffix}"))
        found += sorted(below) if path.is_dir() else [path]
    return list(dict.fromkeys(found))


def load_suite(path: Path) -> Suite:
    """The suite in a file. Raises `NotFound`, or `DefinitionError` with what is wrong in it or in its workflow."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror or error}") from None
    document, problems = read(data, str(path))
    if document is None:
        raise DefinitionError(problems)
    report = Report(document)
    suite = _loaded(path, document, report)
    if suite is None or report.has_errors:
        raise DefinitionError(report.findings)
    return suite


def _loaded(path: Path, document: Document, report: Report) -> Suite | None:
    try:
        value = check_shape(report, scenarios_schema())
        if value is None:
            return None
        workflow = path.parent / value["workflow"]
        try:
            definition = api.load(workflow)
        except NotFound as error:
            report.value(("workflow",), "HP402", str(error), "name the workflow's file, beside this one")
            return None
        _Checker(report, definition, value).check()
    except TooManyErrors:
        return None
    return Suite(
        path=path,
        workflow=workflow,
        definition=definition,
        people=value.get("people", {}),
        scenarios=[_scenario(document, value, index) for index in range(len(value["scenarios"]))],
        invariants=value.get("invariants", []),
    )


def _scenario(document: Document, value: Mapping[str, Json], index: int) -> Scenario:
    one = value["scenarios"][index]
    here: Where = ("scenarios", index)
    return Scenario(
        name=one["name"],
        line=document.node(here).place.line,
        input=one.get("input", {}),
        agents={**value.get("agents", {}), **one.get("agents", {})},
        steps=[
            Step(verb=_verb(step), keys=step, line=document.node((*here, "steps", number)).place.line)
            for number, step in enumerate(one.get("steps", ()))
        ],
        expect=one.get("expect", {}),
        expect_line=document.key_place((*here, "expect")).line,
        initiator=one.get("initiator", "initiator"),
        start=one.get("start", value.get("start", _START)),
    )


def _verb(step: Mapping[str, Json]) -> str:
    """What a step does. The key of an expectation may be that of a verb: `expect` comes last."""
    return next((verb for verb in VERBS if verb in step), "")


class _Checker:
    """Reports what a scenario file says that its workflow cannot do."""

    def __init__(self, report: Report, definition: Definition, value: Mapping[str, Json]) -> None:
        self._report = report
        self._definition = definition
        self._value = value

    def check(self) -> None:
        self._check_time(("start",), self._value.get("start"))
        self._check_agents(("agents",), self._value.get("agents", {}))
        names: dict[str, int] = {}
        for index, scenario in enumerate(self._value["scenarios"]):
            here: Where = ("scenarios", index)
            if scenario["name"] in names:
                message = f"two scenarios are named {scenario['name']!r}"
                self._report.value((*here, "name"), "HP403", message, "say what each of them shows")
            names[scenario["name"]] = index
            self._check_time((*here, "start"), scenario.get("start"))
            self._check_agents((*here, "agents"), scenario.get("agents", {}))
            for number, step in enumerate(scenario.get("steps", ())):
                self._check_step((*here, "steps", number), step)
            self._check_expect((*here, "expect"), scenario.get("expect", {}))

    def _check_time(self, path: Where, text: str | None) -> None:
        try:
            if text is not None:
                parse_time(text)
        except Invalid as error:
            self._report.value(path, "HP404", str(error), "")

    def _check_duration(self, path: Where, text: str) -> None:
        try:
            parse_duration(text)
        except Invalid as error:
            self._report.value(path, "HP404", str(error), "")

    def _check_agents(self, path: Where, agents: Mapping[str, Json]) -> None:
        known = [
            state.name
            for state in self._definition.states.values()
            if isinstance(state, AgentState) and state.value is None
        ]
        for name in agents:
            if name not in known:
                message = f"the workflow has no agent {name!r} that could be made up"
                self._report.key((*path, name), "HP405", message, suggestion(name, known))

    def _check_step(self, path: Where, step: Mapping[str, Json]) -> None:
        verbs = [verb for verb in VERBS if verb in step]
        if not verbs or (len(verbs) > 1):
            message = f"a step does one thing; this does {listed(verbs)}"
            self._report.value(path, "HP406", message, f"write one of {listed(VERBS)}")
            return
        verb = verbs[0]
        if verb in ("advance", "extend"):
            self._check_duration((*path, verb), step[verb])
        if verb == "move":
            self._check_state((*path, verb), step[verb])
        if "at" in step:
            self._check_state((*path, "at"), step["at"])
        if verb == "decide":
            self._check_option(path, step)
        if verb == "signal":
            self._check_signal((*path, "signal"), step["signal"])
        if verb == "expect":
            self._check_expect((*path, "expect"), step["expect"])

    def _check_state(self, path: Where, name: str) -> bool:
        states = self._definition.states
        if name not in states:
            self._report.value(path, "HP405", f"the workflow has no state {name!r}", suggestion(name, list(states)))
        return name in states

    def _check_option(self, path: Where, step: Mapping[str, Json]) -> None:
        state = self._definition.states.get(step.get("at", ""))
        if "refused" in step or not isinstance(state, HumanState):
            return
        if step["decide"] not in state.options:
            message = f"{step['decide']!r} is not an option of state {state.name!r}"
            self._report.value((*path, "decide"), "HP405", message, suggestion(step["decide"], state.options))

    def _check_signal(self, path: Where, name: str) -> None:
        known = [one for state in self._definition.states.values() for one in getattr(state, "takes", ())]
        if name not in known:
            message = f"no wait of the workflow takes the signal {name!r}"
            self._report.value(path, "HP405", message, suggestion(name, known))

    def _check_expect(self, path: Where, expect: Mapping[str, Json]) -> None:
        for place, name in self._named_states(path, expect):
            self._check_state(place, name)
        artifacts = list(self._definition.producers)
        for key in ("artifacts", "revisions", "authors"):
            for name in expect.get(key, {}):
                if name not in artifacts:
                    message = f"no state of the workflow makes the artifact {name!r}"
                    self._report.key((*path, key, name), "HP405", message, suggestion(name, artifacts))

    def _named_states(self, path: Where, expect: Mapping[str, Json]) -> Iterator[tuple[Where, str]]:
        if isinstance(expect.get("state"), str):
            yield (*path, "state"), expect["state"]
        for index, name in enumerate(expect.get("path", ())):
            yield (*path, "path", index), name
        for key in ("results", "decisions", "visits"):
            yield from (((*path, key, name), name) for name in expect.get(key, {}))
