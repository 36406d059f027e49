"""`flow retry`: a failed run goes on where it stands."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, advance_option, pass_call
from holdpoint.commands.completion import run_ids
from holdpoint.commands.render import finish


@click.command(cls=Command)
@click.argument("run", metavar="RUN", shell_complete=run_ids("failed"))
@click.option("--reason", metavar="TEXT", help="Why, for the history.")
@advance_option
@pass_call
def command(call: Call, run: str, reason: str | None, is_advancing: bool | None) -> int:
    """Take a failed run up again where it stands, and advance it."""
    with call.engine() as engine:
        with call.quietly():
            retried = engine.retry(run, by=call.who, reason=reason, advance=call.advances(is_advancing))
        return finish(call, retried)
