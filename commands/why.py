"""`flow why`: why a run stands where it stands."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import run_ids
from holdpoint.commands.output import print_json, say_prose


@click.command(cls=Command)
@click.argument("run", metavar="RUN", shell_complete=run_ids())
@pass_call
def command(call: Call, run: str) -> int:
    """Say why a run stands where it stands, who may act, and what happens when nobody does."""
    with call.engine() as engine:
        found = engine.get_run(run)
        text = engine.why(found.id)
    if call.is_json:
        print_json({"run": found.id, "status": found.status, "state": found.state, "why": text})
    else:
        say_prose(text)
    return 0
