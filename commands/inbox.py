"""`flow inbox`: what waits for people."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.output import PRIORITY_STYLES, print_json, print_table, say, shorten, show_distance, show_minute
from holdpoint.commands.render import who_may


@click.command(cls=Command)
@click.option("--mine", "is_mine", is_flag=True, help="Only what you may decide.")
@click.option("--workflow", metavar="NAME", help="Only requests of this workflow.")
@click.option("--due", metavar="DURATION", help="Only what falls due within it, like 4h or 2d.")
@click.option("--priority", metavar="PRIORITY", help="Only this one: urgent, high, normal or low.")
@click.option("--limit", type=int, default=50, show_default=True, metavar="N", help="At most so many.")
@click.option("--after", metavar="CURSOR", help="The next of the page before.")
@pass_call
def command(
    call: Call,
    is_mine: bool,
    workflow: str | None,
    due: str | None,
    priority: str | None,
    limit: int,
    after: str | None,
) -> int:
    """List open requests, most urgent first: by priority, then by due time."""
    mine = call.who if is_mine else None
    with call.engine() as engine:
        page = engine.inbox(mine=mine, workflow=workflow, due=due, priority=priority, limit=limit, after=after)
    if call.is_json:
        print_json({"requests": [request.to_dict() for request in page.items], "next": page.next})
        return 0
    if not page.items:
        say("nothing waits" + (f" for {mine}" if mine else ""))
        return 0
    print_table(
        ("REQUEST", "PRIORITY", "DUE", "WORKFLOW", "STATE", "FOR", "MESSAGE"),
        (
            (
                request.id,
                (request.priority, PRIORITY_STYLES.get(request.priority, "")),
                "" if request.due_at is None else f"{show_minute(request.due_at)} {show_distance(request.due_at)}",
                request.workflow,
                request.state,
                who_may(request.assign) + (f", claimed by {request.claimed_by}" if request.claimed_by else ""),
                shorten(request.message),
            )
            for request in page.items
        ),
        whole=2,
    )
    say(f"{call.prefix} show REQUEST shows one")
    if page.next is not None:
        say(f"more: {call.prefix} inbox --after {page.next}")
    return 0
