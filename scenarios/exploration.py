"""Exploring a workflow's file from beginning to end: what is known of it, what was found, what is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Conflict, NotFound
from holdpoint.scenarios.coverage import lines_of, said
from holdpoint.scenarios.explore import Explored, Limits, explore
from holdpoint.scenarios.guided import Guided, Subject
from holdpoint.scenarios.model import Suite
from holdpoint.scenarios.reading import load_suite, tests_of
from holdpoint.scenarios.run import play_suite
from holdpoint.scenarios.subjects import subject_of
from holdpoint.scenarios.written import covering_scenarios, shown, suite_text, write_new


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """Something that does not hold: the rule, how it is broken, and the shortest scenario that leads to it.

    `is_played`: playing the scenario went the same way.
    """

    rule: str
    message: str
    scenario: str
    path: Sequence[str]
    is_played: bool

    def to_dict(self) -> dict[str, Json]:
        """It as `flow explore --json` prints it."""
        return {
            "rule": self.rule,
            "message": self.message,
            "scenario": self.scenario,
            "path": list(self.path),
            "played": self.is_played,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What exploring a workflow's file came to. `missing` was never reached: the line, and in words."""

    workflow: Path
    problems: Sequence[Broken]
    runs: int
    situations: int
    invariants: int
    is_complete: bool
    percent: float
    missing: Sequence[tuple[int, str]]
    written: int = 0

    def to_dict(self) -> dict[str, Json]:
        """It as `flow explore --json` prints it."""
        return {
            "workflow": str(self.workflow),
            "problems": [problem.to_dict() for problem in self.problems],
            "runs": self.runs,
            "situations": self.situations,
            "invariants": self.invariants,
            "complete": self.is_complete,
            "percent": round(self.percent, 1),
            "missing": [{"line": line, "text": text} for line, text in self.missing],
            "written": self.written,
        }


def explore_file(
    workflow: Path,
    scenarios: Path | None,
    limits: Limits,
    write: Path | None = None,
    *,
    is_detailed: bool = False,
    tell: Callable[[int, int], None] = lambda runs, waiting: None,
) -> Found:
    """Explore a workflow's file, with what *scenarios* or the files beside it know; *write* is a new scenario file,
    with *is_detailed* one that expects what people are asked too.

    Raises `NotFound`, `DefinitionError`, and `Conflict` where the file to write is there.
    """
    if write is not None and write.exists():
        raise Conflict(f"file {str(write)!r} is there, and is not overwritten; name another one", code="exists")
    suites = suites_beside(workflow) if scenarios is None else [load_suite(scenarios)]
    subject = subject_of(workflow, suites)
    explored = explore(subject, limits, tell)
    lines = lines_of(workflow)
    return Found(
        workflow=workflow,
        problems=[_broken(subject, rule, guided) for rule, guided in explored.problems.items()],
        runs=explored.runs,
        situations=explored.situations,
        invariants=len(subject.invariants),
        is_complete=explored.is_complete,
        percent=explored.coverage.percent,
        missing=sorted((lines.get(item, 1), said(item)) for item in explored.coverage.missing),
        written=0 if write is None else _write(write, explored, suites, is_detailed),
    )


def suites_beside(workflow: Path) -> list[Suite]:
    """The scenario files beside a workflow that test it; none where there is none."""
    try:
        files = tests_of(workflow)
    except NotFound:
        return []
    return [load_suite(path) for path in files]


def _broken(subject: Subject, rule: str, guided: Guided) -> Broken:
    text, is_played = shown(subject, guided, rule)
    return Broken(rule=rule, message=guided.broken[rule], scenario=text, path=list(guided.path), is_played=is_played)


def _write(path: Path, explored: Explored, suites: Sequence[Suite], is_detailed: bool) -> int:
    """Write scenarios of what the known ones do not cover; how many. Where there is nothing, no file is made."""
    already = [play_suite(suite).coverage.covered for suite in suites]
    found = covering_scenarios(explored, frozenset().union(*already), is_detailed=is_detailed)
    if found:
        write_new(path, suite_text(explored.subject, path.parent, found))
    return len(found)
