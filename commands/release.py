"""`flow release`: nobody works on a request any more."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import request_ids
from holdpoint.commands.render import finish_request


@click.command(cls=Command)
@click.argument("request", metavar="REQUEST", shell_complete=request_ids)
@pass_call
def command(call: Call, request: str) -> int:
    """Say that nobody works on a request any more: it is free to be claimed."""
    with call.engine() as engine:
        released = engine.release(request, by=call.who)
    return finish_request(call, released, "is claimed by nobody")
