"""`flow runs`: the runs that there are."""

from __future__ import annotations

from collections.abc import Sequence

import click

from holdpoint import RunSummary
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.listing import LIMIT, say_more, warn_of_unknown
from holdpoint.commands.output import STATUS_STYLES, print_json, say
from holdpoint.commands.render import stage
from holdpoint.commands.tables import Column, print_table
from holdpoint.engine.why import standing

COLUMNS = (
    Column(title="RUN", is_whole=True),
    Column(title="STATUS", is_whole=True),
    Column(title="WORKFLOW"),
    Column(title="STATE"),
    Column(title="OUTCOME", is_whole=True, usual=""),
    Column(title="INITIATOR", usual=""),
    Column(title="STARTED", is_whole=True),
)


@click.command(cls=Command)
@click.option(
    "--status",
    multiple=True,
    metavar="STATUS",
    help="Only these: running (shown as ready, or at work), waiting, done, failed, cancelled; several by commas.",
)
@click.option("--workflow", metavar="NAME", help="Only runs of this workflow.")
@click.option("--limit", type=int, default=LIMIT, show_default=True, metavar="N", help="At most so many.")
@click.option("--after", metavar="CURSOR", help="The next of the page before.")
@pass_call
def command(call: Call, status: Sequence[str], workflow: str | None, limit: int, after: str | None) -> int:
    """List runs, newest first."""
    statuses = [word.strip() for text in status for word in text.split(",")]
    with call.engine() as engine:
        page = engine.runs(status=statuses, workflow=workflow, limit=limit, after=after)
        if not page.items and workflow is not None:
            warn_of_unknown(call, engine, workflow)
    if call.is_json:
        print_json({"runs": [run.to_dict() for run in page.items], "next": page.next})
        return 0
    if not page.items:
        say("no runs")
        return 0
    print_table(
        COLUMNS,
        (
            (
                run.id,
                (standing(run.status, run.attempt), STATUS_STYLES[run.status]),
                run.workflow,
                _where(run),
                run.outcome,
                run.initiator,
                run.started_at,
            )
            for run in page.items
        ),
    )
    if page.next is not None:
        filters = {"--status": statuses, "--workflow": workflow, "--limit": None if limit == LIMIT else limit}
        say_more(call, "runs", {**filters, "--after": page.next})
    return 0


def _where(run: RunSummary) -> str:
    """The state of a run and, in an agent's, what keeps it there."""
    return ", ".join(word for word in (run.state, stage(run.attempt)) if word)
