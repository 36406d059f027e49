"""Plays whole files of scenarios and gathers what they cover."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdpoint.engine.agents.python import load_function
from holdpoint.engine.canonical import Json
from holdpoint.scenarios.coverage import Coverage, Item, coverage_of, lines_of, said
from holdpoint.scenarios.model import Played, Suite
from holdpoint.scenarios.play import play
from holdpoint.scenarios.reading import load_suite, scenario_files


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
        return sorted((self.lines.get(item, 1), said(item)) for item in self.coverage.missing)

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
            "coverage": self.coverage.to_dict(self.lines),
        }


def play_files(paths: Iterable[Path], only: str = "") -> list[Tested]:
    """Play every scenario of the files among *paths* and below them whose name contains *only*.

    Raises `NotFound`, or `DefinitionError` where a file or its workflow is wrong.
    """
    return [play_suite(load_suite(path), only) for path in scenario_files(list(paths))]


def play_suite(suite: Suite, only: str = "") -> Tested:
    """Play the scenarios of a suite."""
    load = loader(suite)
    played = [play(suite, scenario, load) for scenario in suite.scenarios if only in scenario.name]
    coverage = coverage_of(suite.definition, [one.covered for one in played])
    return Tested(suite=suite, played=played, coverage=coverage, lines=lines_of(suite.workflow))


def loader(suite: Suite) -> Callable[[str], Callable[..., Any]]:
    """What finds the Python functions that a scenario names, in the folder of its workflow."""
    return lambda reference: load_function(reference, suite.workflow.parent)
