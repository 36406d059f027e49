"""`flow eval`: many cases played by a workflow, or by two, and what becomes of them in numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdpoint import trials
from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, pass_call, short_path
from holdpoint.commands.completion import workflows
from holdpoint.commands.output import print_json, say, warn
from holdpoint.commands.tables import Cell, Column, print_table
from holdpoint.engine.errors import UsageError

if TYPE_CHECKING:
    from holdpoint.trials import Line, Study, Version

_MOST_SHOWN = 10
_MARKS = ("A", "B")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("eval", cls=Command)
@click.argument("workflow", metavar="FILE|NAME", shell_complete=workflows)
@click.option("--cases", type=_FILE, required=True, metavar="FILE", help="The cases: YAML, or by its ending CSV.")
@click.option("--compare", metavar="FILE|NAME", shell_complete=workflows, help="Another version, to compare it with.")
@click.option(
    "--agents",
    type=click.Choice(["made-up", "recorded", "real"]),
    help="What plays the agents [default: made-up, with --recording recorded].",
)
@click.option("--recording", type=_FILE, metavar="FILE", help="What recorded agents gave, as --record wrote it.")
@click.option("--record", type=_FILE, metavar="FILE", help="Write what the agents gave, to play them again.")
@click.option("--repeat", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Play each so often.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N", help="So many at once."
)
@click.option("--recommend", multiple=True, metavar="STATE=PATH", help="Where an agent recommends what STATE decides.")
@click.option("--cost", multiple=True, metavar="PATH", help="A number in an agent's output: draft.cost.")
@click.option("--min-accuracy", type=click.FloatRange(0, 100), metavar="PERCENT", help="Exit with 1 where less is.")
@click.option("--csv", "csv_file", type=_FILE, metavar="FILE", help="Write the results, a play a row.")
@click.option("--html", type=_FILE, metavar="FILE", help="Write a page with charts, which needs nothing else.")
@pass_call
def command(
    call: Call,
    workflow: str,
    cases: Path,
    compare: str | None,
    agents: str | None,
    recording: Path | None,
    record: Path | None,
    repeat: int,
    workers: int,
    recommend: Sequence[str],
    cost: Sequence[str],
    min_accuracy: float | None,
    csv_file: Path | None,
    html: Path | None,
) -> int:
    """Play many cases by a workflow and measure what becomes of them.

    The engine is the real one, on a store in memory, under virtual time; people decide by the rules of the cases. Each
    measure comes with its interval of 95 %; two versions are compared case by case.
    """
    with _progress(is_shown=not call.is_json) as step, call.quietly():
        study = trials.evaluate(
            call.locate(workflow),
            cases,
            compare=None if compare is None else call.locate(compare),
            agents=_agents(agents, recording),
            recording=recording,
            repeat=repeat,
            workers=workers,
            recommendation=dict(_pair(text) for text in recommend),
            cost=cost,
            project=call.project,
            on_played=step,
        )
    if record is not None:
        record.write_text(trials.evaluation_text(study, "recording"), encoding="utf-8")
    if csv_file is not None:
        csv_file.write_text(trials.evaluation_text(study, "csv"), encoding="utf-8")
    if html is not None:
        html.write_text(trials.evaluation_text(study, "html"), encoding="utf-8")
    if call.is_json:
        print_json(study.to_dict())
    else:
        _print(study)
    return FINDINGS if min_accuracy is not None and _is_below(study, min_accuracy) else 0


def _agents(name: str | None, recording: Path | None) -> trials.Agents:
    if name == "recorded" or (name is None and recording is not None):
        return "recorded"
    return "real" if name == "real" else "made-up"


def _pair(text: str) -> tuple[str, str]:
    state, is_pair, path = text.partition("=")
    if not is_pair or not state or not path:
        raise UsageError(f"{text!r} is not STATE=PATH")
    return state, path


def _is_below(study: Study, percent: float) -> bool:
    found = study.versions[-1].measures.get("accuracy")
    if found is None:
        raise UsageError("no case says what it expects, so there is no accuracy")
    return 100 * found.value < percent


@contextmanager
def _progress(*, is_shown: bool) -> Iterator[Callable[[int], None] | None]:
    """A bar on a terminal; what it gives is to be called after each play with how many there are."""
    if not is_shown or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    bar = Progress(
        BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(file=sys.stderr), transient=True
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda total: bar.update(task, total=total, advance=1)


def _print(study: Study) -> None:
    setting, lines = trials.evaluation_lines(study)
    say((study.workflow, "bold"), f": {setting}")
    for mark, version in zip(_MARKS, study.versions, strict=False):
        file = short_path(Path(version.file))
        say(f"  {mark}  {file} ({version.definition.version[:12]})")
    titles = [*_MARKS[: len(study.versions)], *(["B - A"] if study.differences else [])]
    columns = [Column(title="MEASURE"), *(Column(title=title, is_whole=True) for title in titles)]
    print_table(columns, [_row(line, is_compared=bool(study.differences)) for line in lines])
    for mark, version in zip(_MARKS, study.versions, strict=False):
        _print_misses(mark, version)
    if study.parted:
        names = ", ".join(study.parted[:_MOST_SHOWN])
        more = f" and {len(study.parted) - _MOST_SHOWN} more" if len(study.parted) > _MOST_SHOWN else ""
        say(f"{len(study.parted)} of {len(study.versions[0].cases)} cases end otherwise by B: {names}{more}")
    for mark, version in zip(_MARKS, study.versions, strict=False):
        for text in version.warnings:
            warn(f"{mark}: {text}")


def _row(line: Line, *, is_compared: bool) -> list[Cell]:
    difference: list[Cell] = [(line.difference, "bold" if line.is_clear else "")] if is_compared else []
    return [line.name, *line.values, *difference]


def _print_misses(mark: str, version: Version) -> None:
    missed = [result for result in version.results if result.met is False]
    for result in missed[:_MOST_SHOWN]:
        say((f"{mark} missed", "yellow"), f" {result.case}: {'; '.join(result.differences)}")
    if len(missed) > _MOST_SHOWN:
        say(f"and {len(missed) - _MOST_SHOWN} more; --json, --csv and --html list all")
