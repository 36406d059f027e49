"""Exploring a workflow's file from beginning to end: what is known of it, what was found, what is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Conflict, NotFound
from holdpoint.scenarios.coverage import Item, lines_of, said
from holdpoint.scenarios.explore import Explored, Limits, Stop, explore
from holdpoint.scenarios.guided import Guided
from holdpoint.scenarios.model import Suite
from holdpoint.scenarios.reading import load_suite, tests_of
from holdpoint.scenarios.run import play_suite
from holdpoint.scenarios.subjects import Subject, subject_of
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
    """What exploring a workflow's file came to. `missing` was never reached: the line, and in words.

    `unwritten` was reached, and is in no scenario that was written: only ways that break something lead there.
    """

    workflow: Path
    problems: Sequence[Broken]
    runs: int
    situations: int
    invariants: int
    stopped_by: Stop | None
    choices: int
    walks: int
    percent: float
    missing: Sequence[tuple[int, str]]
    written: int = 0
    unwritten: Sequence[tuple[int, str]] = ()

    def to_dict(self) -> dict[str, Json]:
        """It as `flow explore --json` prints it."""
        return {
            "workflow": str(self.workflow),
            "problems": [problem.to_dict() for problem in self.problems],
            "runs": self.runs,
            "walks": self.walks,
            "situations": self.situations,
            "invariants": self.invariants,
            "complete": self.stopped_by is None,
            "stopped_by": self.stopped_by,
            "choices": self.choices,
            "percent": round(self.percent, 1),
            "missing": _lines(self.missing),
            "written": self.written,
            "unwritten": _lines(self.unwritten),
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
    written, unwritten = (0, []) if write is None else _write(write, explored, suites, is_detailed)
    return Found(
        workflow=workflow,
        problems=[_broken(subject, rule, guided) for rule, guided in explored.problems.items()],
        runs=explored.runs,
        situations=explored.situations,
        invariants=len(subject.invariants),
        stopped_by=explored.stopped_by,
        choices=explored.choices,
        walks=explored.walks,
        percent=explored.coverage.percent,
        missing=_placed(explored.coverage.missing, lines),
        written=written,
        unwritten=_placed(unwritten, lines),
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


def _placed(items: Iterable[Item], lines: Mapping[Item, int]) -> list[tuple[int, str]]:
    return sorted((lines.get(item, 1), said(item)) for item in items)


def _lines(found: Sequence[tuple[int, str]]) -> list[Json]:
    return [{"line": line, "text": text} for line, text in found]


def _write(path: Path, explored: Explored, suites: Sequence[Suite], is_detailed: bool) -> tuple[int, list[Item]]:
    """Write scenarios of what the known ones do not cover; how many, and what is not in them.

    Where there is nothing to write, no file is made.
    """
    already = [play_suite(suite).coverage.covered for suite in suites]
    found, left = covering_scenarios(explored, frozenset().union(*already), is_detailed=is_detailed)
    if found:
        write_new(path, suite_text(explored.subject, path.parent, found))
    return len(found), left
