"""`flow start`: a run begins."""

from __future__ import annotations

from collections.abc import Sequence

import click

from holdpoint import api
from holdpoint.commands import Call, Command, advance_option, pass_call
from holdpoint.commands.completion import workflows
from holdpoint.commands.render import finish
from holdpoint.commands.values import read_object


@click.command(cls=Command)
@click.argument("workflow", metavar="FILE|NAME", shell_complete=workflows)
@click.option("-i", "pairs", metavar="KEY=VALUE", multiple=True, help="One key of the input; KEY=@FILE reads a file.")
@click.option(
    "--input", "file", metavar="FILE", help="The input, as JSON or, by its ending, YAML; - is JSON on standard input."
)
@click.option("--key", metavar="KEY", help="Your own key: the same start again returns the first run.")
@advance_option
@pass_call
def command(
    call: Call, workflow: str, pairs: Sequence[str], file: str | None, key: str | None, is_advancing: bool | None
) -> int:
    """Start a run and advance it until it waits or ends.

    What contains / or ends in .yaml or .yml is a FILE; else a NAME, looked up in the project's workflows. A VALUE is
    taken as written where the input's schema says string, else as JSON where it is JSON.
    """
    path = call.locate(workflow)
    # Where there is no database yet, a workflow or an input that is wrong must not leave one behind.
    is_new = call.missing_database is not None
    value = read_object(file, pairs, api.load(path).input, "input") if is_new else None
    with call.engine(is_new=True) as engine:
        definition = engine.load(path)
        if not is_new:
            value = read_object(file, pairs, definition.input, "input")
        with call.quietly():
            run = engine.start(
                definition,
                value,
                initiator=call.who,
                key=key,
                advance=call.advances(is_advancing),
            )
        return finish(call, run)
