"""`flow extend`: a request gets more time."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import request_ids
from holdpoint.commands.output import show_time
from holdpoint.commands.render import finish_request


@click.command(cls=Command)
@click.argument("request", metavar="REQUEST", shell_complete=request_ids)
@click.argument("duration", metavar="DURATION")
@click.option("--reason", metavar="TEXT", help="Why, for the history.")
@pass_call
def command(call: Call, request: str, duration: str, reason: str | None) -> int:
    """Move a request's deadline on by DURATION, like 4h or 2d, from where it is."""
    with call.engine() as engine:
        extended = engine.extend(request, duration, by=call.who, reason=reason)
    return finish_request(call, extended, f"is due at {show_time(extended.due_at)}" if extended.due_at else "is open")
