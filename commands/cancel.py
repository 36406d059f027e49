"""`flow cancel`: a run ends."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, advance_option, pass_call
from holdpoint.commands.completion import run_ids
from holdpoint.commands.render import finish


@click.command(cls=Command)
@click.argument("run", metavar="RUN", shell_complete=run_ids("running", "waiting", "failed"))
@click.option("--reason", metavar="TEXT", help="Why, for the history.")
@advance_option
@pass_call
def command(call: Call, run: str, reason: str | None, is_advancing: bool | None) -> int:
    """End a run: its requests are void, its agent is stopped, and it cleans up if its workflow has on_cancel.

    Without on_cancel, and the second time, it ends at once.
    """
    with call.engine() as engine:
        with call.quietly():
            cancelled = engine.cancel(run, by=call.who, reason=reason, advance=call.advances(is_advancing))
        return finish(call, cancelled)
