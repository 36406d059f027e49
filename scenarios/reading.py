"""Scenario files: read as strictly as workflows, checked against their schema and against the workflow they test."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from holdpoint import api
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import DefinitionError, NotFound
from holdpoint.scenarios.checks import Checker, verbs_of
from holdpoint.scenarios.invariants import check_invariants
from holdpoint.scenarios.model import INITIATOR, START, Scenario, Step, Suite
from holdpoint.schema.nodes import Document
from holdpoint.schema.nodes import Path as Where
from holdpoint.schema.reader import read
from holdpoint.schema.report import Report, TooManyErrors
from holdpoint.schema.shape import check_shape
from holdpoint.schema.sheet import Sheet
from holdpoint.sources import SCENARIOS, read_bytes

OF: Final = "these scenarios"
"""What a `DefinitionError` says that the file is of."""


def schema_text() -> str:
    """The JSON Schema of a scenario file, as it ships."""
    return files("holdpoint.scenarios").joinpath("scenarios.schema.json").read_text(encoding="utf-8")


@cache
def scenarios_schema() -> Json:
    """The JSON Schema of a scenario file as a value."""
    return json.loads(schema_text())


def scenario_files(paths: Iterable[Path]) -> list[Path]:
    """The scenario files among paths, below those that are folders, and of those that are workflows.

    Raises `NotFound` where a path is not there, or no scenario file beside a workflow tests it.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise NotFound(f"there is no {str(path)!r}")
        if path.is_dir():
            found += sorted(one for suffix in SCENARIOS for one in path.rglob(f"*{suffix}"))
        elif path.name.endswith(SCENARIOS):
            found.append(path)
        else:
            found += tests_of(path)
    return list(dict.fromkeys(found))


def tests_of(workflow: Path) -> list[Path]:
    """The scenario files in the folder of a workflow that test it. Raises `NotFound` where there is none."""
    beside = sorted(one for suffix in SCENARIOS for one in workflow.absolute().parent.glob(f"*{suffix}"))
    found = [workflow.parent / one.name for one in beside if _tested_by(one) == workflow.resolve()]
    if not found:
        raise NotFound(f"no scenario file (*{SCENARIOS[0]}) beside {str(workflow)!r} tests it")
    return found


def _tested_by(path: Path) -> Path | None:
    """The workflow that a scenario file names, as far as the file can be read."""
    document, _ = read(path.read_bytes(), str(path))
    value = None if document is None else document.value
    named = value.get("workflow") if isinstance(value, dict) else None
    return (path.parent / named).resolve() if isinstance(named, str) else None


def load_suite(path: Path) -> Suite:
    """The suite in a file. Raises `NotFound`, or `DefinitionError` with what is wrong in it or in its workflow."""
    data = read_bytes(path)
    document, problems = read(data, str(path))
    if document is None:
        raise DefinitionError(problems, OF)
    report = Report(document)
    suite = _loaded(path, document, report)
    if suite is None:
        raise DefinitionError(report.findings, OF)
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
            report.value(("workflow",), "HP402", str(error), "name the workflow's file, from the folder of this one")
            return None
        Checker(report, definition, value).check()
        if "invariants" in value:
            check_invariants(report, ("invariants",), value["invariants"], _sheet(workflow))
    except TooManyErrors:
        return None
    if report.has_errors:
        return None
    return Suite(
        path=path,
        workflow=workflow,
        definition=definition,
        people=value.get("people", {}),
        scenarios=[_scenario(document, value, index) for index in range(len(value.get("scenarios", ())))],
        invariants=value.get("invariants", []),
    )


def _sheet(workflow: Path) -> Sheet:
    """A workflow in which no errors were found, as checks look at it."""
    document, problems = read(workflow.read_bytes(), str(workflow))
    if document is None:
        raise DefinitionError(problems)
    return Sheet(report=Report(document), value=document.value)


def _scenario(document: Document, value: Mapping[str, Json], index: int) -> Scenario:
    one = value["scenarios"][index]
    here: Where = ("scenarios", index)
    return Scenario(
        name=one["name"],
        line=document.node(here).place.line,
        input=one.get("input", {}),
        agents={**value.get("agents", {}), **one.get("agents", {})},
        steps=[_step(document, step, (*here, "steps", number)) for number, step in enumerate(one.get("steps", ()))],
        expect=one.get("expect", {}),
        expect_line=document.key_place((*here, "expect")).line,
        expect_lines=_lines(document, (*here, "expect")),
        initiator=one.get("initiator", INITIATOR),
        start=one.get("start", value.get("start", START)),
    )


def _step(document: Document, step: Mapping[str, Json], path: Where) -> Step:
    (verb,) = verbs_of(step)
    return Step(verb=verb, keys=step, line=document.node(path).place.line, lines=_lines(document, (*path, "expect")))


def _lines(document: Document, path: Where) -> Mapping[str, int]:
    """The lines of what is expected, by name."""
    node = document.node(path)
    return {name: place.line for name, place in node.keys.items()}
