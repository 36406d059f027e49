"""`flow claim`: somebody works on a request."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import request_ids
from holdpoint.commands.render import finish_request


@click.command(cls=Command)
@click.argument("request", metavar="REQUEST", shell_complete=request_ids)
@click.argument("who", metavar="[WHO]", required=False)
@pass_call
def command(call: Call, request: str, who: str | None) -> int:
    """Say that somebody, by default you, works on a request. A notice for others: it forbids nobody to decide."""
    with call.engine() as engine:
        before = engine.get_request(request).claimed_by
        claimed = engine.claim(request, by=call.who, person=who)
    was = f"; {before} had it before" if before not in (None, claimed.claimed_by) else ""
    return finish_request(call, claimed, f"is claimed by {claimed.claimed_by}{was}")
