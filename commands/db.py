"""`flow db`: the database itself."""

from __future__ import annotations

import click

from holdpoint import Engine
from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, global_options, pass_call
from holdpoint.commands.output import print_json, say
from holdpoint.engine.errors import NotFound


@click.group(name="db", params=global_options(is_hidden=True))
def command() -> None:
    """Check or upgrade the database."""


@command.command(cls=Command)
@pass_call
def check(call: Call) -> int:
    """Check that the database is whole.

    Its pages, its indexes, and that no row names one that is not there: the exit status is 1 where it is not. What the
    rows say is for flow verify.
    """
    with _open(call) as engine:
        faults = engine.database_faults()
    if call.is_json:
        print_json({"database": call.url, "findings": [{"code": "database", "message": fault} for fault in faults]})
    elif faults:
        for fault in faults:
            say("database: ", (fault, "bold red"))
    else:
        say(("ok", "green"), f": {call.url}")
    return FINDINGS if faults else 0


@command.command(cls=Command)
@pass_call
def upgrade(call: Call) -> int:
    """Bring the database's schema up to date.

    Every other command that opens the database does so too.
    """
    _open(call).close()
    if call.is_json:
        print_json({"database": call.url})
    else:
        say(f"{call.url} is up to date")
    return 0


def _open(call: Call) -> Engine:
    missing = call.missing_database
    if missing is not None:
        raise NotFound(f"there is no database {str(missing)!r}; flow start makes it", details={"file": str(missing)})
    return call.engine()
