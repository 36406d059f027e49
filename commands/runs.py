"""`flow runs`: the runs that there are."""

from __future__ import annotations

from collections.abc import Sequence

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.output import STATUS_STYLES, print_json, print_table, say, show_distance, show_minute


@click.command(cls=Command)
@click.option("--status", multiple=True, metavar="STATUS", help="Only these; several by commas or repeated.")
@click.option("--workflow", metavar="NAME", help="Only runs of this workflow.")
@click.option("--limit", type=int, default=50, show_default=True, metavar="N", help="At most so many.")
@click.option("--after", metavar="CURSOR", help="The next of the page before.")
@pass_call
def command(call: Call, status: Sequence[str], workflow: str | None, limit: int, after: str | None) -> int:
    """List runs, newest first."""
    statuses = [word.strip() for text in status for word in text.split(",")]
    with call.engine() as engine:
        page = engine.runs(status=statuses, workflow=workflow, limit=limit, after=after)
    if call.is_json:
        print_json({"runs": [run.to_dict() for run in page.items], "next": page.next})
        return 0
    if not page.items:
        say("no runs")
        return 0
    print_table(
        ("RUN", "STATUS", "WORKFLOW", "STATE", "OUTCOME", "INITIATOR", "STARTED"),
        (
            (
                run.id,
                (run.status, STATUS_STYLES[run.status]),
                run.workflow,
                run.state or "",
                run.outcome or "",
                run.initiator or "",
                f"{show_minute(run.started_at)} {show_distance(run.started_at)}",
            )
            for run in page.items
        ),
        whole=2,
    )
    if page.next is not None:
        say(f"more: {call.prefix} runs --after {page.next}")
    return 0
