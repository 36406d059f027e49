"""`flow test`: plays the scenarios of workflows and says what they do not cover."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdpoint import trials
from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, pass_call, short_path
from holdpoint.commands.artifact import write_file
from holdpoint.commands.output import print_json, say
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import NotFound, UsageError, counted

if TYPE_CHECKING:
    from holdpoint.trials import Covered, Tested

_MAX_MISSING = 20


@click.command(cls=Command)
@click.argument("paths", metavar="[PATH|NAME]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("-k", "only", metavar="TEXT", default="", help="Only scenarios whose name contains TEXT.")
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit with 1 where less of a workflow is covered.",
)
@click.option("--junit", metavar="FILE", help="Write the results as JUnit XML too.")
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Do not list the scenarios that pass.")
@pass_call
def command(
    call: Call, paths: Sequence[Path], only: str, min_coverage: float | None, junit: str | None, is_quiet: bool
) -> int:
    """Play scenarios: of files (*.scenarios.yaml), of folders, of those beside a workflow's file or NAME.

    Without PATH, all below the folders of workflows. The engine is the real one, on a store in memory; agents are made
    up, people are scripted, time is virtual. The report ends with what the scenarios cover of each workflow. The exit
    status is 1 where a scenario fails.
    """
    given = [path if path.exists() or path.suffix else call.locate(str(path)) for path in paths]
    given = given or [call.settings.project / folder for folder in call.settings.workflows]
    with call.quietly():  # an agent that is real may print
        suites = trials.play_scenarios([short_path(path) for path in given], only=only)
    if not suites:
        where = ", ".join(repr(str(short_path(path))) for path in given)
        raise NotFound(f"there is no scenario file (*.scenarios.yaml) under {where}")
    if only and not any(tested.played for tested in suites):
        raise UsageError(f"no scenario's name contains {only!r}")
    covered = trials.coverage_by_workflow(suites)
    if junit is not None:
        from holdpoint.commands.junit import junit_xml

        write_file(junit, junit_xml(suites).encode())
    if call.is_json:
        print_json(_document(suites, covered))
    else:
        _print(suites, covered, min_coverage, is_quiet=is_quiet)
    is_short = any(_is_short(one, min_coverage) for one in covered)
    return FINDINGS if is_short or any(not played.passed for tested in suites for played in tested.played) else 0


def _is_short(covered: Covered, min_coverage: float | None) -> bool:
    return min_coverage is not None and covered.coverage.percent < min_coverage


def _document(suites: Sequence[Tested], covered: Sequence[Covered]) -> dict[str, Json]:
    return {"suites": [tested.to_dict() for tested in suites], "coverage": [one.to_dict() for one in covered]}


def _print(suites: Sequence[Tested], covered: Sequence[Covered], min_coverage: float | None, *, is_quiet: bool) -> None:
    for tested in suites:
        _print_suite(tested, is_quiet=is_quiet)
    say(("coverage", "bold"))
    for one in covered:
        _print_coverage(one)
    _print_sum(suites)
    for one in covered:
        if _is_short(one, min_coverage):
            say(f"{one.workflow}: {one.coverage.percent:.1f} % are covered, and {min_coverage:g} % are asked for")


def _print_suite(tested: Tested, *, is_quiet: bool) -> None:
    file = str(tested.suite.path)
    if not is_quiet or any(not played.passed for played in tested.played):
        say((file, "bold"))
    for played in tested.played:
        if not played.passed:
            say("  ", ("FAIL", "bold red"), f" {played.scenario.name}")
            for line in played.told(file).splitlines():
                say(f"       {line}")
        elif not is_quiet:
            say("  ", ("pass", "green"), f" {played.scenario.name}")


def _print_coverage(covered: Covered) -> None:
    parts = ", ".join(f"{word} {done}/{of}" for word, (done, of) in covered.coverage.said.items() if of)
    say(f"  {covered.workflow}: {covered.coverage.percent:.0f} %: {parts}")
    missing = covered.missing
    for line, text in missing[:_MAX_MISSING]:
        say("    ", ("not covered", "yellow"), f" {covered.workflow}:{line}: {text}")
    if len(missing) > _MAX_MISSING:
        say(f"    and {len(missing) - _MAX_MISSING} more; --json lists all")


def _print_sum(suites: Sequence[Tested]) -> None:
    played = [one for tested in suites for one in tested.played]
    failed = sum(not one.passed for one in played)
    what = counted(len(played), "scenario")
    say((f"{failed} failed", "bold red") if failed else ("ok", "green"), f": {what}")
