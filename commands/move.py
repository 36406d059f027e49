"""`flow move`: an operator puts a run into another state."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, advance_option, pass_call
from holdpoint.commands.completion import run_ids
from holdpoint.commands.render import finish


@click.command(cls=Command)
@click.argument("run", metavar="RUN", shell_complete=run_ids("running", "waiting", "failed"))
@click.argument("state", metavar="STATE")
@click.option("--reason", metavar="TEXT", help="Why, for the history.")
@advance_option
@pass_call
def command(call: Call, run: str, state: str, reason: str | None, is_advancing: bool | None) -> int:
    """Put a run into another state of its workflow, whatever it waits for, and advance it.

    Its open requests are void, and an agent at work is stopped.
    """
    with call.engine() as engine:
        with call.quietly():
            moved = engine.move(run, state, by=call.who, reason=reason, advance=call.advances(is_advancing))
        return finish(call, moved)
