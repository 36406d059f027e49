"""`flow signal`: an event from outside reaches a run."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, advance_option, pass_call
from holdpoint.commands.completion import run_ids
from holdpoint.commands.output import say
from holdpoint.commands.render import finish
from holdpoint.commands.values import read_value
from holdpoint.engine.canonical import Json, parse_json


@click.command(cls=Command)
@click.argument("run", metavar="RUN", shell_complete=run_ids("running", "waiting", "failed"))
@click.argument("name", metavar="NAME")
@click.option("--data", metavar="JSON|@FILE", help="What comes with it, as JSON; @FILE reads a file of JSON or YAML.")
@click.option("--key", metavar="KEY", help="Your own key: the same signal again changes nothing.")
@advance_option
@pass_call
def command(call: Call, run: str, name: str, data: str | None, key: str | None, is_advancing: bool | None) -> int:
    """Send a run the signal NAME, and advance it.

    A signal that comes before its wait is kept, and is taken when the run waits for it.
    """
    value = None if data is None else _value(data)
    with call.engine() as engine:
        with call.quietly():
            sent = engine.signal(run, name, value, by=call.who, key=key, advance=call.advances(is_advancing))
            is_kept = engine.history(sent.id)[-1].kind == "signal.received"
        if is_kept and not call.is_json:
            say(f"signal {name} is kept until the run waits for it")
        return finish(call, sent)


def _value(data: str) -> Json:
    return read_value(data[1:]) if data.startswith("@") else parse_json(data, "data")
