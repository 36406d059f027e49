"""`flow graph`: the states of a workflow and how they hang together; of a run, where it is and how it came there."""

from __future__ import annotations

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.artifact import write_file
from holdpoint.commands.completion import graph_sources
from holdpoint.commands.output import print_json, say, say_all
from holdpoint.engine.errors import UsageError, did_you_mean

FORMATS = ("text", "mermaid", "dot")
PICTURES = ("svg", "png")


@click.command(cls=Command)
@click.argument("source", metavar="FILE|NAME|RUN", shell_complete=graph_sources)
@click.option("--format", "form", default="text", show_default=True, metavar="FORMAT", help="text, mermaid or dot.")
@click.option("-o", "--output", "file", metavar="OUT", help="Write it into a file.")
@pass_call
def command(call: Call, source: str, form: str, file: str | None) -> int:
    """Draw the state graph of a workflow; of a run, with its current state and the way it came."""
    _check_format(form)
    drawing = _draw(call, source, form)
    if file is not None:
        write_file(file, drawing.encode().rstrip(b"\n") + b"\n")
    if call.is_json:
        print_json({"format": form, "graph": drawing})
    elif file is None:
        say_all(drawing)
    else:
        say(f"the graph is in {file}")
    return 0


def _draw(call: Call, source: str, form: str) -> str:
    if source.startswith("run_"):
        with call.engine() as engine:
            return engine.graph(source, form)
    with call.engine_for_files() as engine:
        return engine.graph(engine.load(call.locate(source)), form)


def _check_format(form: str) -> None:
    if form in PICTURES:
        raise UsageError(f"format {form!r} is not available in this version; use {', '.join(FORMATS)}")
    if form not in FORMATS:
        hint = did_you_mean(form, FORMATS)
        raise UsageError(f"format is one of {', '.join(FORMATS)}, not {form!r}" + (f"; {hint}" if hint else ""))
