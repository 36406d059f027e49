"""`flow cancel`: a run ends at once."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.render import finish


@click.command(cls=Command)
@click.argument("run", metavar="RUN")
@click.option("--reason", metavar="TEXT", help="Why, for the history.")
@pass_call
def command(call: Call, run: str, reason: str | None) -> int:
    """End a run at once: its requests are void, its agent is stopped."""
    with call.engine() as engine:
        return finish(call, engine.cancel(run, by=call.who, reason=reason))
