"""`flow test`: plays the scenarios of workflows and says what they do not cover."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdpoint import api
from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, pass_call, short_path
from holdpoint.commands.output import print_json, say
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import NotFound, UsageError

if TYPE_CHECKING:
    from holdpoint.api import Tested

_MAX_MISSING = 20


@click.command(cls=Command)
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("-k", "only", metavar="TEXT", default="", help="Only scenarios whose name contains TEXT.")
@click.option(
    "--min-coverage", type=click.FloatRange(0, 100), metavar="PERCENT", help="Exit with 1 where less is covered."
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write JUnit XML.")
@click.option("-q", "--quiet", "is_quiet", is_flag=True, help="Do not list the scenarios that pass.")
@pass_call
def command(
    call: Call, paths: Sequence[Path], only: str, min_coverage: float | None, junit: Path | None, is_quiet: bool
) -> int:
    """Play scenarios: files and folders, by default all `*.scenarios.yaml` below the folders of workflows.

    The engine is the real one, on a store in memory; agents are made up, people are scripted, time is virtual. The
    report ends with what the scenarios cover of each workflow. The exit status is 1 where a scenario fails.
    """
    given = list(paths) or [call.settings.project / folder for folder in call.settings.workflows]
    suites = api.play_scenarios(given, only=only)
    if not suites:
        where = ", ".join(str(short_path(path)) for path in given)
        raise NotFound(f"there is no scenario file (*.scenarios.yaml) under {where}; name a FILE")
    if only and not any(tested.played for tested in suites):
        raise UsageError(f"no scenario's name contains {only!r}")
    if junit is not None:
        from holdpoint.commands.junit import junit_xml

        junit.write_text(junit_xml(suites), encoding="utf-8")
    is_short = min_coverage is not None and any(tested.coverage.percent < min_coverage for tested in suites)
    if call.is_json:
        print_json(_document(suites))
    else:
        for tested in suites:
            _print(tested, is_quiet=is_quiet)
        _print_sum(suites, min_coverage)
    return FINDINGS if is_short or any(not played.passed for tested in suites for played in tested.played) else 0


def _document(suites: Sequence[Tested]) -> dict[str, Json]:
    return {"suites": [tested.to_dict() for tested in suites]}


def _print(tested: Tested, *, is_quiet: bool) -> None:
    file = str(short_path(tested.suite.path))
    say((file, "bold"))
    for played in tested.played:
        if played.passed:
            if not is_quiet:
                say("  ", ("pass", "green"), f" {played.scenario.name}")
            continue
        say("  ", ("FAIL", "bold red"), f" {played.scenario.name}")
        for mismatch in played.mismatches:
            say(f"       {file}:{mismatch.line}: {mismatch.message}")
        say("       the run went ", " → ".join(played.path) or "nowhere")
    _print_coverage(tested)


def _print_coverage(tested: Tested) -> None:
    parts = ", ".join(f"{word} {done}/{of}" for word, (done, of) in tested.coverage.said.items() if of)
    workflow = short_path(tested.suite.workflow)
    say(f"  {workflow}: covers {tested.coverage.percent:.0f} %: {parts}")
    missing = tested.missing
    for line, text in missing[:_MAX_MISSING]:
        say("    ", ("not covered", "yellow"), f" {workflow}:{line}: {text}")
    if len(missing) > _MAX_MISSING:
        say(f"    and {len(missing) - _MAX_MISSING} more; --json lists all")


def _print_sum(suites: Sequence[Tested], min_coverage: float | None) -> None:
    played = [one for tested in suites for one in tested.played]
    failed = sum(not one.passed for one in played)
    what = f"{len(played)} scenario" + ("" if len(played) == 1 else "s")
    say((f"{failed} failed", "bold red") if failed else ("ok", "green"), f": {what}")
    for tested in suites:
        if min_coverage is not None and tested.coverage.percent < min_coverage:
            file = short_path(tested.suite.path)
            say(f"{file}: covers {tested.coverage.percent:.1f} %, and {min_coverage:g} % are asked for")
