"""`flow assign`: other people are asked to decide a request."""

from __future__ import annotations

from collections.abc import Sequence

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import request_ids
from holdpoint.commands.render import finish_request, who_may


@click.command(cls=Command)
@click.argument("request", metavar="REQUEST", shell_complete=request_ids)
@click.argument("who", metavar="[WHO]...", nargs=-1)
@pass_call
def command(call: Call, request: str, who: Sequence[str]) -> int:
    """Ask other people than before to decide a request, whatever the option.

    WHO is a person's name or role:NAME. Without one, anyone may decide.
    """
    with call.engine() as engine:
        assigned = engine.assign(request, who, by=call.who)
    return finish_request(call, assigned, f"is for {who_may(assigned.assign)}")
