"""`flow show`: everything about a run or a request."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import any_ids
from holdpoint.commands.lookup import settled_by_silence
from holdpoint.commands.output import print_json
from holdpoint.commands.render import print_request, print_run


@click.command(cls=Command)
@click.argument("target", metavar="RUN|REQUEST", shell_complete=any_ids)
@pass_call
def command(call: Call, target: str) -> int:
    """Show everything about a run or a request; a unique beginning of its id will do."""
    with call.engine() as engine:
        if target.startswith("req_"):
            request = engine.get_request(target)
            if call.is_json:
                print_json(request.to_dict())
            else:
                print_request(call, request)
            return 0
        run = engine.get_run(target)
        overdue = None if call.is_json else settled_by_silence(engine, run)
    if call.is_json:
        print_json(run.to_dict())
    else:
        print_run(call, run, overdue)
    return 0
