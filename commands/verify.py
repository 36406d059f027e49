"""`flow verify`: proof that what is stored holds together."""

from __future__ import annotations

from collections.abc import Sequence

import click

from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import run_ids
from holdpoint.commands.output import print_json, say
from holdpoint.engine.errors import counted


@click.command(cls=Command)
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=run_ids())
@pass_call
def command(call: Call, runs: Sequence[str]) -> int:
    """Prove that histories are whole and that runs are what their histories say, of all runs or of some.

    The exit status is 1 where something does not hold.
    """
    with call.engine() as engine:
        flaws = engine.verify(*runs)
        if call.is_json:
            print_json({"findings": [flaw.to_dict() for flaw in flaws]})
        elif flaws:
            for flaw in flaws:
                say(f"{flaw.run or 'database'}: ", (flaw.code, "bold red"), f" {flaw.message}")
        else:
            count = len(runs) or engine.count_runs()
            say(("ok", "green"), f": {counted(count, 'run')}")
    return FINDINGS if flaws else 0
