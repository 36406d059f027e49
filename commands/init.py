"""`flow init`: a new project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

import click

from holdpoint import sources
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.output import print_json, say
from holdpoint.commands.starter import files, next_commands
from holdpoint.engine.errors import Conflict, UsageError


@click.command(cls=Command)
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path())
@pass_call
def command(call: Call, directory: str | None) -> int:
    """Make a new project, by default in the current folder.

    It is ready to run: flow.toml, a workflow with a return loop and an approval, its agents, its scenarios, a README.
    No file that is there is written over.
    """
    root = Path(directory or call.folder or os.curdir)
    schemas = (text.strip() + "\n" for text in (sources.schema_text(), sources.scenarios_schema_text()))
    made = files(root.resolve(), *schemas)
    _check(root, made)
    _write(root, made)
    commands = next_commands("flow")
    if call.is_json:
        print_json({"project": str(root.resolve()), "files": list(made), "next": list(commands)})
        return 0
    for name in made:
        say(("made ", "green"), str(root / name))
    say("next:")
    if root.resolve() != Path.cwd():
        say(f"  cd {quote(str(root))}")
    for line in commands:
        say(f"  {line}")
    return 0


def _check(root: Path, made: Mapping[str, str]) -> None:
    """Raise `Conflict` where a file is there already: then none is written."""
    there = [str(root / name) for name in made if os.path.lexists(root / name)]
    if there:
        raise Conflict(
            f"there is {', '.join(map(repr, there))} already, so nothing was written; flow init DIR makes it elsewhere",
            code="exists",
            details={"files": there},
        )


def _write(root: Path, made: Mapping[str, str]) -> None:
    """Write the files, or none of them. Raises `UsageError`."""
    written: list[Path] = []
    try:
        for name, text in made.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink()
        raise UsageError(
            f"{str(error.filename or root)!r} cannot be written: {error.strerror}", details={"folder": str(root)}
        ) from None
