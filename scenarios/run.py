"""Plays whole files of scenarios and gathers what they cover: of a workflow, over all files that test it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from holdpoint import api
from holdpoint.engine.agents.python import load_function
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import DefinitionError, Finding
from holdpoint.scenarios.coverage import Coverage, Item, coverage_of, lines_of, said
from holdpoint.scenarios.model import Played, Suite
from holdpoint.scenarios.play import play
from holdpoint.scenarios.reading import load_suite, scenario_files, tests_of
from holdpoint.settings import find_project


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A suite whose scenarios were played, and what they covered together."""

    suite: Suite
    played: Sequence[Played]
    coverage: Coverage
    lines: Mapping[Item, int]

    @property
    def missing(self) -> list[tuple[int, str]]:
        """What was not covered: the line of the workflow, and in words."""
        return _missing(self.coverage, self.lines)

    def to_dict(self) -> dict[str, Json]:
        """The suite as `flow test --json` prints it."""
        return {
            "file": str(self.suite.path),
            "workflow": str(self.suite.workflow),
            "scenarios": [
                {
                    "name": played.scenario.name,
                    "line": played.scenario.line,
                    "passed": played.passed,
                    "path": list(played.path),
                    "failures": [{"line": one.line, "message": one.message} for one in played.mismatches],
                }
                for played in self.played
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """What the scenarios of all files that test a workflow cover of it; `lines` are those of the workflow."""

    workflow: Path
    coverage: Coverage
    lines: Mapping[Item, int]

    @property
    def missing(self) -> list[tuple[int, str]]:
        """What was not covered: the line of the workflow, and in words."""
        return _missing(self.coverage, self.lines)

    def to_dict(self) -> dict[str, Json]:
        """The coverage as `flow test --json` prints it."""
        return {"file": str(self.workflow), **self.coverage.to_dict(self.lines)}


def _missing(coverage: Coverage, lines: Mapping[Item, int]) -> list[tuple[int, str]]:
    return sorted((lines.get(item, 1), said(item)) for item in coverage.missing)


def play_files(paths: Iterable[Path], only: str = "") -> list[Tested]:
    """Play every scenario of the files among *paths* and below them whose name contains *only*.

    Raises `NotFound`, or `DefinitionError` with all that is wrong in the files or their workflows: then none is played.
    """
    return [play_suite(suite, only) for suite in _load(scenario_files(paths))]


def _load(files: Iterable[Path]) -> list[Suite]:
    suites: list[Suite] = []
    findings: dict[Finding, None] = {}  # a workflow that is wrong may have several files that test it
    wrong: dict[str, None] = {}
    for path in files:
        try:
            suites.append(load_suite(path))
        except DefinitionError as error:
            findings |= dict.fromkeys(error.findings)
            wrong[error.of] = None
    if findings:
        raise DefinitionError(tuple(findings), " and ".join(wrong))
    return suites


def play_suite(suite: Suite, only: str = "") -> Tested:
    """Play the scenarios of a suite."""
    load = loader(suite)
    played = [play(suite, scenario, load) for scenario in suite.scenarios if only in scenario.name]
    coverage = coverage_of(suite.definition, [one.covered for one in played])
    return Tested(suite=suite, played=played, coverage=coverage, lines=lines_of(suite.workflow))


def loader(suite: Suite) -> Callable[[str], Callable[..., Any]]:
    """What finds the Python functions that a scenario names, in the project of its workflow."""
    return partial(load_function, project=find_project(suite.workflow.parent))


def coverage_by_workflow(suites: Iterable[Tested]) -> list[Covered]:
    """What each workflow has covered, in the order in which they come."""
    found: dict[Path, list[Tested]] = {}
    for tested in suites:
        found.setdefault(tested.suite.workflow.resolve(), []).append(tested)
    return list(_together(found.values()))


def _together(groups: Iterable[Sequence[Tested]]) -> Iterator[Covered]:
    for group in groups:
        suite = group[0].suite
        coverage = coverage_of(suite.definition, [tested.coverage.seen for tested in group])
        yield Covered(workflow=suite.workflow, coverage=coverage, lines=group[0].lines)


def covered_workflow(workflow: Path, seen: Iterable[frozenset[Item]]) -> Covered:
    """What was covered of a workflow's file by runs that went through what was seen. Raises `DefinitionError`."""
    coverage = coverage_of(api.load(workflow), seen)
    return Covered(workflow=workflow, coverage=coverage, lines=lines_of(workflow))


def coverage_beside(workflow: Path) -> Coverage:
    """What the scenario files beside a workflow cover of it. Raises `NotFound` where none tests it."""
    played = play_files(tests_of(workflow))
    return coverage_by_workflow(played)[0].coverage
