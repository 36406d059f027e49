"""`flow retry`: a failed run goes on where it stands."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.render import finish


@click.command(cls=Command)
@click.argument("run", metavar="RUN")
@click.option("--reason", metavar="TEXT", help="Why, for the history.")
@click.option("--advance/--no-advance", "is_advancing", default=None, help="Run agents here, or leave that to a tick.")
@pass_call
def command(call: Call, run: str, reason: str | None, is_advancing: bool | None) -> int:
    """Take a failed run up again where it stands, and advance it."""
    with call.engine() as engine:
        advance = engine.settings.advance if is_advancing is None else is_advancing
        with call.quietly():
            retried = engine.retry(run, by=call.who, reason=reason, advance=advance)
        return finish(call, retried)
