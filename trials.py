"""What is tried of workflows beside their runs: scenarios played, ways explored, cases evaluated, definitions compared.

Importing this loads nothing that does it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from holdpoint import settings
from holdpoint.engine.definition import Definition
from holdpoint.engine.errors import DefinitionError, UsageError
from holdpoint.sources import read_bytes

if TYPE_CHECKING:
    from holdpoint.evaluation.playing import Agents as Agents
    from holdpoint.evaluation.replay import Replay as Replay
    from holdpoint.evaluation.replay import Summary as Summary
    from holdpoint.evaluation.report import Line as Line
    from holdpoint.evaluation.study import Study as Study
    from holdpoint.evaluation.study import Version as Version
    from holdpoint.scenarios.coverage import Coverage as Coverage
    from holdpoint.scenarios.exploration import Found as Found
    from holdpoint.scenarios.run import Covered as Covered
    from holdpoint.scenarios.run import Tested as Tested
    from holdpoint.schema.changes import Change as Change
    from holdpoint.schema.changes import Comparison as Comparison
    from holdpoint.schema.changes import Side as Side
    from holdpoint.schema.changes import Verdict as Verdict


def play_scenarios(paths: Iterable[Path], only: str = "") -> list[Tested]:
    """Play the scenarios of files, of all below folders, and of those that test a workflow; whose name contains *only*.

    Raises `NotFound`, or `DefinitionError` where a scenario file or its workflow is wrong.
    """
    from holdpoint.scenarios.run import play_files

    return play_files(paths, only)


def coverage_by_workflow(suites: Iterable[Tested]) -> list[Covered]:
    """What the scenarios that were played cover of each workflow, over all the files that test it."""
    from holdpoint.scenarios.run import coverage_by_workflow as by_workflow

    return by_workflow(suites)


def coverage_of(workflow: Path) -> Coverage:
    """What the scenario files beside a workflow cover of it: they are played. Raises `NotFound`, `DefinitionError`."""
    from holdpoint.scenarios.run import coverage_beside

    return coverage_beside(workflow)


def summary(replays: Sequence[Replay]) -> Summary:
    """What became of many runs together, of which `Engine.what_if` said it one by one."""
    from holdpoint.evaluation.replay import summary as summed

    return summed(replays)


def evaluate(
    workflow: Path,
    cases: Path,
    *,
    compare: Path | None = None,
    agents: Agents = "made-up",
    recording: Path | None = None,
    repeat: int = 1,
    workers: int = 1,
    recommendation: Mapping[str, str] | None = None,
    cost: Sequence[str] = (),
    project: Path | None = None,
    on_played: Callable[[int], None] | None = None,
) -> Study:
    """Play the cases of a file by a workflow, and by another to *compare* it with, and measure what becomes of them.

    *agents* are those that the cases make up, those of a *recording*, or real ones, which run in the *project*. Each
    case is played *repeat* times, so many at once as there are *workers*; *on_played* is told after each of how many
    it was one. *recommendation* (paths by state) and *cost* (paths) add to what the cases say. Raises `NotFound`,
    `DefinitionError` and `Invalid` where a file is wrong, `UsageError` where *recommendation* or *cost* is.
    """
    from holdpoint.api import load
    from holdpoint.evaluation.playing import Setting
    from holdpoint.evaluation.reading import load_cases
    from holdpoint.evaluation.study import evaluate as evaluated
    from holdpoint.evaluation.study import load_recorded

    if (agents == "recorded") != (recording is not None):
        raise UsageError("recorded agents and a recording go together")
    files = [(str(path), load(path)) for path in (workflow, compare) if path is not None]
    found = load_cases(cases, files[0][1], recommendation, cost)
    known = settings.load((project or workflow.parent).resolve())
    setting = Setting(
        definition=files[0][1],
        cases=found,
        project=known.project,
        roles={name: sorted(roles) for name, roles in known.roles.items()},
        agents=agents,
        recorded=load_recorded(recording) if recording is not None else {},
    )
    count = len(files) * len(found.cases) * repeat
    told = None if on_played is None else lambda: on_played(count)
    return evaluated(files, setting, repeat=repeat, workers=workers, on_played=told)


def evaluation_text(study: Study, kind: Literal["csv", "html", "recording"]) -> str:
    """A study as CSV or as a page of HTML; or what the agents of its first version gave, to be played again."""
    from holdpoint.evaluation.page import to_html
    from holdpoint.evaluation.report import to_csv
    from holdpoint.evaluation.study import recorded_text

    if kind == "recording":
        return recorded_text(study.versions[0])
    return to_csv(study) if kind == "csv" else to_html(study)


def evaluation_lines(study: Study) -> tuple[str, list[Line]]:
    """What was played, in a line, and every measure of it in words."""
    from holdpoint.evaluation.report import lines, say_setting

    return say_setting(study), lines(study)


def explore(
    workflow: Path,
    scenarios: Path | None = None,
    *,
    depth: int,
    seconds: float,
    walks: int = 100,
    seed: int = 0,
    write: Path | None = None,
    is_detailed: bool = False,
    tell: Callable[[int, int], None] = lambda runs, waiting: None,
) -> Found:
    """Walk the ways of a workflow's runs, *depth* steps and *seconds* at most, and say what must hold and does not.

    *scenarios* is the file whose people, agents and invariants are used, by default those beside the workflow. What
    the scenarios do not cover is written into the new file *write*, with *is_detailed* also what people are asked.
    *tell* is told of runs made and ways still to go. Raises `NotFound`, `DefinitionError`, and `Conflict` where the
    file to write is there.
    """
    from holdpoint.scenarios.exploration import explore_file
    from holdpoint.scenarios.explore import Limits

    limits = Limits(depth=depth, seconds=seconds, walks=walks, seed=seed)
    return explore_file(workflow, scenarios, limits, write, is_detailed=is_detailed, tell=tell)


def compare(
    before: Definition | Path, after: Definition | Path, people: Mapping[str, Collection[str]] | None = None
) -> Comparison:
    """What changed between two definitions, and whether what was proved of the first still holds of the second.

    A file is compared also where all that is wrong with it is that its runs can go wrong. Raises `NotFound`, or
    `DefinitionError` with the findings of a file that cannot be understood. *people* as for `check`.
    """
    from holdpoint.schema.changes import compare as compared

    return compared(_side(before, people), _side(after, people))


def _side(source: Definition | Path, people: Mapping[str, Collection[str]] | None) -> Side:
    """A definition as it is compared. One that was stored is taken as it is, whatever is found in it today."""
    from holdpoint.schema import examine
    from holdpoint.schema.changes import Side

    if isinstance(source, Definition):
        found = examine(source.text, f"the definition {source.version[:12]}", people)
        return Side(definition=source, proofs=found.proofs, findings=found.findings)
    found = examine(read_bytes(source), str(source), people)
    if found.document is None:
        raise DefinitionError(found.findings)
    return Side(definition=Definition.from_document(found.document), proofs=found.proofs, findings=found.findings)
