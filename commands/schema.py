"""`flow schema`: the JSON Schema of the language."""

from __future__ import annotations

import click

from holdpoint import api
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.output import write_bytes


@click.command(cls=Command)
@pass_call
def command(call: Call) -> int:
    """Print the JSON Schema of workflow files, for editors."""
    write_bytes(api.schema_text().strip().encode() + b"\n")
    return 0
