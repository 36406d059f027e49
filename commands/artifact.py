"""`flow artifact`: a piece of work as it is, byte for byte."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from shlex import quote

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import run_ids
from holdpoint.commands.output import print_json, say, say_all, write_bytes
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import UsageError


@click.command(cls=Command)
@click.argument("run", metavar="RUN", shell_complete=run_ids())
@click.argument("name", metavar="NAME")
@click.argument("revision", metavar="[N]", type=int, required=False)
@click.option("-o", "--output", "file", metavar="FILE", help="Write it into a file.")
@pass_call
def command(call: Call, run: str, name: str, revision: int | None, file: str | None) -> int:
    """Print revision N of an artifact, by default the latest: a text as it is, anything else as JSON."""
    with call.engine() as engine:
        artifact = engine.artifact(run, name, revision)
        requests = () if file is None or call.is_json else engine.get_run(run).requests
    if file is not None:
        write_file(file, _data(artifact.content))
    if call.is_json:
        print_json(artifact.to_dict())
    elif file is not None:
        say(f"{name}, revision {artifact.revision}, is in {file}")
        if any(shown["name"] == name and "revision" in shown for request in requests for shown in request.show):
            sys.stdout.flush()
            options = f"--artifact {quote(file)} --base {artifact.revision}"
            say(f"decide with an edit of it by: {call.prefix} decide {run} OPTION {options}", to=sys.stderr)
    elif sys.stdout.isatty():  # a terminal would obey the control characters in it
        say_all(_data(artifact.content).decode())
    else:
        write_bytes(_data(artifact.content))
    return 0


def write_file(name: str, data: bytes) -> None:
    """Write what the caller asked to have in a file. Raises `UsageError`."""
    try:
        Path(name).write_bytes(data)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"file {name!r} cannot be written: {why}", details={"file": name}) from None


def _data(content: Json) -> bytes:
    if isinstance(content, str):
        return content.encode()
    return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"
