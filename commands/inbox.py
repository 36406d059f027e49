"""`flow inbox`: what waits for people."""

from __future__ import annotations

import click

from holdpoint import Page, Request
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.listing import LIMIT, say_more, warn_of_unknown
from holdpoint.commands.output import PRIORITY_STYLES, print_json, say, shorten
from holdpoint.commands.render import who_may
from holdpoint.commands.tables import Column, print_table

COLUMNS = (
    Column(title="REQUEST", is_whole=True),
    Column(title="PRIORITY", is_whole=True, usual="normal"),
    Column(title="DUE", is_whole=True, usual=""),
    Column(title="WORKFLOW"),
    Column(title="STATE"),
    Column(title="FOR"),
    Column(title="MESSAGE", is_text=True, usual=""),
)


@click.command(cls=Command)
@click.option("--mine", "is_mine", is_flag=True, help="Only what you may decide.")
@click.option("--workflow", metavar="NAME", help="Only requests of this workflow.")
@click.option("--due", metavar="DURATION", help="Only what falls due within it, like 4h or 2d.")
@click.option("--priority", metavar="PRIORITY", help="Only this one: urgent, high, normal or low.")
@click.option("--limit", type=int, default=LIMIT, show_default=True, metavar="N", help="At most so many.")
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
        if not page.items and workflow is not None:
            warn_of_unknown(call, engine, workflow)
        is_due_later = due is not None and not page.items and not call.is_json
        later = engine.inbox(mine=mine, workflow=workflow, priority=priority, limit=LIMIT) if is_due_later else None
    if call.is_json:
        print_json({"requests": [request.to_dict() for request in page.items], "next": page.next})
        return 0
    if not page.items:
        whom = f" for {mine}" if mine else ""
        say(f"nothing waits{whom}" if later is None or not later.items else _later(later, str(due), whom))
        return 0
    print_table(
        COLUMNS,
        (
            (
                request.id,
                (request.priority, PRIORITY_STYLES.get(request.priority, "")),
                request.due_at,
                request.workflow,
                request.state,
                who_may(request.assign) + (f", claimed by {request.claimed_by}" if request.claimed_by else ""),
                shorten(request.message, 100),
            )
            for request in page.items
        ),
    )
    say(f"{call.prefix} show REQUEST shows one")
    if page.next is not None:
        filters = {"--mine": is_mine, "--workflow": workflow, "--due": due, "--priority": priority}
        say_more(call, "inbox", {**filters, "--limit": None if limit == LIMIT else limit, "--after": page.next})
    return 0


def _later(waiting: Page[Request], due: str, whom: str) -> str:
    """What is said where requests wait, and none falls due so soon."""
    count = f"{len(waiting.items)}{' or more' if waiting.next is not None else ''}"
    return f"nothing is due within {due}; {count} wait{'' if count != '1' else 's'}{whom}"
