"""`flow simulate`: what the queue of a workflow will look like."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdpoint import api
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.artifact import write_file
from holdpoint.commands.completion import workflows
from holdpoint.commands.output import print_json, say, warn
from holdpoint.commands.tables import Cell, Column, print_table
from holdpoint.engine.errors import NotFound, UsageError

if TYPE_CHECKING:
    from holdpoint import Definition, Engine, RunSummary
    from holdpoint.simulation.given import Given
    from holdpoint.simulation.log import Log
    from holdpoint.simulation.plan import Plan
    from holdpoint.simulation.study import Progress, Study


_QUEUES = (
    Column(title="REQUESTS"),
    *(
        Column(title=title, is_whole=True)
        for title in (
            "NUMBER",
            "WAIT p50",
            "WAIT p90",
            "SETTLED p50",
            "SETTLED p90",
            "OPEN",
            "BY DEADLINE",
            "WITHDRAWN",
        )
    ),
)
_PEOPLE = (
    Column(title="PERSON"),
    *(Column(title=title, is_whole=True) for title in ("DECISIONS", "WITHDRAWN", "AT WORK", "OF THEIR HOURS", "")),
)


@click.command(cls=Command)
@click.argument("workflow", metavar="FILE|NAME", shell_complete=workflows)
@click.option("--config", "config", metavar="FILE", help="What is known of arrivals, agents and people, as YAML.")
@click.option("--fit", "is_fitted", is_flag=True, help="Fit what --config leaves open to the runs in the database.")
@click.option(
    "--log", "log", metavar="CSV", help="Fit what --config leaves open to a log: run,state,option,opened_at,…"
)
@click.option("--backlog", "is_going_on", is_flag=True, help="Begin now, with the runs that wait in the database.")
@click.option("--arrivals", metavar="RATE", help="How many runs start: 20/d, 3/h or 100/w.")
@click.option("--reviewers", "reviewers", metavar="ROLE=N", multiple=True, help="How many people have a role.")
@click.option("--days", type=click.IntRange(1, 3_660), metavar="N", help="For how long  [default: 30].")
@click.option("--warmup", type=click.IntRange(0), metavar="N", help="Days at the beginning that are not counted.")
@click.option("--replications", type=click.IntRange(1, 10_000), metavar="N", help="How often  [default: 10].")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Where random numbers begin  [default: 1].")
@click.option(
    "--what-if/--no-what-if", "is_compared", default=True, help="Say what one more person or more time would change."
)
@click.option("--html", "page", metavar="OUT", help="Write a page with charts.")
@click.option("--csv", "table", metavar="OUT", help="Write every number, day by day.")
@pass_call
def command(
    call: Call,
    workflow: str,
    config: str | None,
    is_fitted: bool,
    log: str | None,
    is_going_on: bool,
    arrivals: str | None,
    reviewers: Sequence[str],
    days: int | None,
    warmup: int | None,
    replications: int | None,
    seed: int | None,
    is_compared: bool,
    page: str | None,
    table: str | None,
) -> int:
    """Simulate a workflow: how long requests will wait, who will be busy, and where it chokes.

    The workflow's own rules run under virtual time; arrivals, agents and people are drawn. What nobody gives is
    assumed, and said. The same seed gives the same answer. Nothing is stored, and no agent is run.
    """
    from holdpoint.simulation.given import Given, complete
    from holdpoint.simulation.page import to_html
    from holdpoint.simulation.report import COLUMNS, to_dict, to_rows
    from holdpoint.simulation.study import study

    if is_fitted and log is not None:
        raise UsageError("--fit reads the database and --log a file; give one of them")
    definition = api.load(call.locate(workflow))
    given = Given(days=days, warmup=warmup, replications=replications, seed=seed)
    if config is not None:
        given = given.over(_read(config, definition))
    if is_fitted or log is not None:
        given = given.over(_fitted(call, definition, log))
    with call.engine() if is_going_on else call.engine_for_files() as engine:
        backlog = engine.backlog(definition.workflow) if is_going_on else ()
        given = replace(given, start=engine.now()) if is_going_on else given
        plan = _overridden(complete(definition, given, call.settings.roles), definition, arrivals, reviewers)
        found = study(definition, plan, backlog=backlog, is_compared=is_compared, progress=_progress())
    if page is not None:
        write_file(page, to_html(found).encode())
    if table is not None:
        write_file(table, _csv(COLUMNS, to_rows(found)))
    if call.is_json:
        print_json(to_dict(found))
    else:
        _print(found)
    return 0


def _read(config: str, definition: Definition) -> Given:
    from holdpoint.simulation.reading import read_config

    path = Path(config)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(f"file {config!r} cannot be read: {error.strerror}", details={"file": config}) from None
    return read_config(data, config, definition, path.parent)


def _fitted(call: Call, definition: Definition, log: str | None) -> Given:
    from holdpoint.simulation.fit import fit
    from holdpoint.simulation.log import read_log

    if log is not None:
        found = read_log(Path(log), definition)
    else:
        with call.engine() as engine:
            found = _history(engine, definition)
    return fit(definition, found, call.settings.roles)


def _history(engine: Engine, definition: Definition) -> Log:
    """What the database says of the workflow's runs, of whichever definition, as far as this one has their states."""
    from holdpoint.simulation.log import log_of

    runs = [engine.get_run(summary.id) for summary in _runs(engine, definition.workflow)]
    return log_of(definition, [(run, engine.history(run.id)) for run in runs], engine.now())


def _runs(engine: Engine, workflow: str) -> Iterator[RunSummary]:
    after: str | None = None
    while True:
        page = engine.runs(workflow=workflow, limit=1_000, after=after)
        yield from page.items
        after = page.next
        if after is None:
            return


def _overridden(plan: Plan, definition: Definition, arrivals: str | None, reviewers: Sequence[str]) -> Plan:
    """The plan with what the command line says of arrivals and people."""
    from holdpoint.simulation.given import with_reviewers
    from holdpoint.simulation.plan import Arrivals, parse_rate

    if arrivals is not None:
        kept = replace(plan.arrivals, times=None) if plan.arrivals.times is None else Arrivals()
        plan = replace(plan, arrivals=replace(kept, rate=parse_rate(arrivals)))
        plan = replace(plan, assumed=tuple(line for line in plan.assumed if not line.startswith("arrivals:")))
    for pair in reviewers:
        role, separator, count = pair.partition("=")
        if not separator or not count.isascii() or not count.isdecimal() or len(count) > 5:
            raise UsageError(f"--reviewers is ROLE=N, like manager=3, not {pair!r}")
        plan = with_reviewers(definition, plan, role, int(count))
    return plan


def _progress() -> Progress | None:
    """Tells on a terminal how far it is."""
    if not sys.stderr.isatty():
        return None

    def tell(done: int, total: int) -> None:
        click.echo(f"\r{done} of {total} replications" if done < total else "\r\033[K", nl=False, err=True)

    return tell


def _csv(columns: Sequence[str], rows: Iterator[Sequence[str]]) -> bytes:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _print(study: Study) -> None:
    from holdpoint.simulation.report import choke, warnings

    _print_runs(study)
    _print_states(study)
    _print_chart(study)
    _print_people(study)
    say("")
    say(("where it chokes", "bold"))
    for line in choke(study):
        say(f"  {line}")
    _print_variants(study)
    if study.plan.assumed:
        say("")
        say(("assumed", "bold"), ", because nobody said otherwise (--config)")
        for line in study.plan.assumed:
            say(f"  {line}")
    for line in warnings(study):
        warn(line)


def _print_runs(study: Study) -> None:
    from holdpoint.simulation.report import say_count, say_fitted, say_share, say_span

    plan, value = study.plan, study.value
    counted = f", the first {plan.warmup} not counted" if plan.warmup else ""
    say(
        (study.definition.workflow, "bold"),
        f": {plan.days} days{counted}, {plan.replications} replications, seed {plan.seed}; means of these",
    )
    shares = [f"{say_share(value('runs', name, 'share'))} {name}" for name in study.names("runs", "share")]
    shares = [text for text in shares if not text.startswith("0.0 %")]
    say(f"{say_count(value('runs', '', 'started'))} runs start and end as {', '.join(shares) or 'nothing'}")
    takes = "none reaches an end, so how long one takes is not known"
    if ("runs", "", "cycle_p50") in study.estimates:
        median, long = (say_span(value("runs", "", what)) for what in ("cycle_p50", "cycle_p90"))
        takes = f"one takes {median} in the median, one in ten {long} or longer"
    say(f"{takes}; {say_count(value('runs', '', 'open'))} are open at the end")
    if fitted := say_fitted(study):
        say(fitted)


def _print_states(study: Study) -> None:
    from holdpoint.simulation.report import say_value

    measures = ["opened", "wait_p50", "wait_p90", "turnaround_p50", "turnaround_p90", "open_mean", "default_share"]
    measures += ["withdrawn"] if study.value("all", "", "withdrawn") else []
    rows: list[list[Cell]] = [
        [label, *(say_value(study, kind, name, what) for what in measures)]
        for kind, word in (("state", "in"), ("role", "for"))
        for name in study.names(kind, "opened")
        for label in [f"{word} {name}"]
    ]
    if rows:
        say("")
        print_table(_QUEUES[: 1 + len(measures)], rows)


def _print_chart(study: Study) -> None:
    from holdpoint.simulation.charts import columns

    days = study.days.get(("all", ""), ())
    if not days or not any(day.open_mean for day in days):
        return
    say("")
    say(("open requests, day by day", "bold"))
    for line in columns([day.open_mean for day in days]):
        say(line)


def _print_people(study: Study) -> None:
    from holdpoint.simulation.charts import bar
    from holdpoint.simulation.report import say_count, say_share

    counted = [what for what in ("decisions", "withdrawn") if what == "decisions" or study.value("all", "", what)]
    rows: list[list[Cell]] = []
    for name in study.names("person", "hours"):
        share = study.estimates.get(("person", name, "utilisation"))
        hours = f"{study.value('person', name, 'hours'):,.1f} h"
        counts = [say_count(study.value("person", name, what)) for what in counted]
        shares = ("", "") if share is None else (say_share(share.mean), bar(share.mean))
        rows.append([name, *counts, hours, *shares])
    if rows:
        say("")
        print_table([column for column in _PEOPLE if column.title != "WITHDRAWN" or "withdrawn" in counted], rows[:20])
        if len(rows) > 20:
            say(f"and {len(rows) - 20} more: --json, --csv or --html")


def _print_variants(study: Study) -> None:
    from holdpoint.simulation.report import COMPARED_NAMES, POINTS, say_difference

    if not study.variants:
        return
    say("")
    say(("what would change it", "bold"), ": differences by the same random numbers, with 95 % intervals")
    for variant in study.variants:
        say(f"  {variant.title}")
        for key, name in COMPARED_NAMES.items():
            found = variant.differences.get(key)
            if found is not None and found.is_clear:
                mean = say_difference(key[2], found.mean)
                low, high = (say_difference(key[2], end).removesuffix(POINTS) for end in (found.low, found.high))
                say(f"    {name}: {mean} ({low} to {high})")
        if not any(found.is_clear for found in variant.differences.values()):
            say("    nothing that is clear")
