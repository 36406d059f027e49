"""`flow schema`: the JSON Schema of the language, or of scenario files."""

from __future__ import annotations

from pathlib import Path

import click

from holdpoint import sources
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.output import print_json, say, write_bytes
from holdpoint.engine.errors import UsageError


@click.command(cls=Command)
@click.option("-o", "--output", metavar="FILE", help="Write it into a file; one that is there is replaced.")
@click.option("--scenarios", "is_of_scenarios", is_flag=True, help="That of scenario files (*.scenarios.yaml).")
@pass_call
def command(call: Call, output: str | None, is_of_scenarios: bool) -> int:
    """Print the JSON Schema of workflow files, for editors.

    A file that begins with '# yaml-language-server: $schema=PATH' is completed and explained by editors with a YAML
    language server; flow init writes that line, and the schema it names.
    """
    schema = sources.scenarios_schema_text() if is_of_scenarios else sources.schema_text()
    text = schema.strip().encode() + b"\n"
    if output is None:
        write_bytes(text)
        return 0
    path = Path(output)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    except OSError as error:
        raise UsageError(f"file {output!r} cannot be written: {error.strerror}") from None
    if call.is_json:
        print_json({"file": output})
    else:
        say(("wrote ", "green"), output)
    return 0
