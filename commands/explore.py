"""`flow explore`: walks the ways of a workflow and shows the shortest that breaks what must hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdpoint import trials
from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, pass_call, short_path
from holdpoint.commands.completion import workflows
from holdpoint.commands.output import print_json, say, warn
from holdpoint.engine.errors import UsageError, counted
from holdpoint.sources import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdpoint.trials import Found

_EVERY = 50
_MAX_MISSING = 10
_STOPS = {
    "time": "the time was over (--time)",
    "problems": "so much is broken already",
    "size": "too many ways were still to go (--depth)",
}


@click.command(cls=Command)
@click.argument("workflow", metavar="FILE|NAME", shell_complete=workflows)
@click.option(
    "--scenarios",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The scenarios whose people, agents and invariants are used [default: those beside the workflow].",
)
@click.option("--depth", type=click.IntRange(1, 1000), default=24, show_default=True, help="Steps of a run, at most.")
@click.option("--time", "seconds", type=click.FloatRange(0.1), default=60, show_default=True, help="Seconds, at most.")
@click.option("--walks", type=click.IntRange(0), default=100, show_default=True, help="Runs at random at the end.")
@click.option("--seed", type=int, default=0, show_default=True, help="What is random is the same for the same N.")
@click.option(
    "--write",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write scenarios of what the known ones do not cover into a new FILE.",
)
@click.option("--detailed", "is_detailed", is_flag=True, help="With --write: expect what is asked and given too.")
@pass_call
def command(
    call: Call,
    workflow: str,
    scenarios: Path | None,
    depth: int,
    seconds: float,
    walks: int,
    seed: int,
    write: Path | None,
    is_detailed: bool,
) -> int:
    """Walk every way of a workflow's runs up to a bound, and look whether what must hold does.

    People choose every option, or nobody answers; agents give values made up from their schemas, fail and crash;
    signals come, early too; runs are cancelled. With the extra explore, runs at random take values that hypothesis
    draws. Each shortest way that breaks a rule, or an invariant of the scenario file, is printed as a scenario, and the
    exit status is 1.
    """
    if write is not None and not write.name.endswith(SCENARIOS):
        raise UsageError(f"name {str(write)!r} like NAME{SCENARIOS[0]}: so flow test and pytest find scenarios")
    found = trials.explore(
        call.locate(workflow),
        scenarios,
        depth=depth,
        seconds=seconds,
        walks=walks,
        seed=seed,
        write=write,
        is_detailed=is_detailed,
        tell=_progress(call),
    )
    if call.is_json:
        print_json(found.to_dict())
    else:
        _print(found)
        if write is not None:
            _print_written(found, write)
    return FINDINGS if found.problems else 0


def _print_written(found: Found, file: Path) -> None:
    if found.written:
        say(f"wrote {short_path(file)}: {counted(found.written, 'scenario')}")
    else:
        say(f"nothing to write: the scenarios cover what can be; {short_path(file)} is not made")
    if found.unwritten:
        why = "only ways that break something go" if found.problems else "no scenario passes that goes"
        say(f"  what is not in the scenarios, because {why} there:")
        _print_places(found, found.unwritten, "not written")


def _progress(call: Call) -> Callable[[int, int], None]:
    """Tells a terminal how far it is."""
    if call.is_json or not sys.stderr.isatty():
        return lambda runs, waiting: None

    def tell(runs: int, waiting: int) -> None:
        if runs % _EVERY == 0:
            click.echo(f"\r{runs} runs, {waiting} ways to go \033[K", nl=False, err=True)

    return tell


def _print(found: Found) -> None:
    if sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    file = short_path(found.workflow)
    random = f", {found.walks} of them at random" if found.walks else ""
    say((str(file), "bold"), f": {counted(found.runs, 'run')} in {counted(found.situations, 'situation')}{random}")
    if found.stopped_by:
        tried = f"all ways of up to {counted(found.choices, 'step')} and turns from the plainest were tried"
        say(f"  not all ways up to the bound: {_STOPS[found.stopped_by]}; {tried}")
    more = f" and {counted(found.invariants, 'invariant')}" if found.invariants else ""
    say(f"  holding them to the rules of the engine{more}")
    say(f"  they cover {found.percent:.0f} % of the workflow")
    _print_places(found, found.missing, "not reached")
    for problem in found.problems:
        say(("broken", "bold red"), f": {problem.message}")
        say("  the shortest way to it, as a scenario:")
        for shown in problem.scenario.splitlines():
            say(shown)
        if not problem.is_played:
            warn("the scenario does not lead there when it is played: what it broke may be how time passes")
    if not found.problems:
        say(("ok", "green"), f": nothing is broken{' in what was tried' if found.stopped_by else ''}")


def _print_places(found: Found, places: Sequence[tuple[int, str]], word: str) -> None:
    for line, text in places[:_MAX_MISSING]:
        say("    ", (word, "yellow"), f" {short_path(found.workflow)}:{line}: {text}")
    if len(places) > _MAX_MISSING:
        say(f"    and {len(places) - _MAX_MISSING} more; --json lists all")
