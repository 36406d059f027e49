"""`flow graph`: the states of a workflow and how they hang together; of a run, where it is and how it came there."""

from __future__ import annotations

import sys
from base64 import b64encode
from pathlib import Path

import click

from holdpoint import trials
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.artifact import write_file
from holdpoint.commands.completion import graph_sources, words
from holdpoint.commands.output import print_json, say, say_all, write_bytes
from holdpoint.engine.errors import UsageError

FORMATS = ("text", "mermaid", "dot", "svg", "png", "pdf")
THEMES = ("light", "dark", "auto")
_ENDINGS = {".txt": "text", ".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot"}
_ENDINGS |= {f".{form}": form for form in ("svg", "png", "pdf")}


@click.command(cls=Command)
@click.argument("source", metavar="FILE|NAME|RUN", shell_complete=graph_sources)
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    shell_complete=words(FORMATS),
    help=f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]} [default: by the ending of OUT, else text].",
)
@click.option("-o", "--output", "file", metavar="OUT", help="Write it into a file.")
@click.option(
    "--theme",
    default="auto",
    show_default=True,
    metavar="THEME",
    shell_complete=words(THEMES),
    help="Of svg, png and pdf: light, dark or auto, which in svg follows the reader's and else is light.",
)
@click.option("--heat", "is_heat", is_flag=True, help="How many runs went each way, and how long they stayed.")
@click.option("--all-versions", "is_all", is_flag=True, help="With --heat: count the runs of every version.")
@click.option("--coverage", "is_coverage", is_flag=True, help="What the scenarios beside a workflow cover of it.")
@pass_call
def command(
    call: Call,
    source: str,
    form: str | None,
    file: str | None,
    theme: str,
    is_heat: bool,
    is_all: bool,
    is_coverage: bool,
) -> int:
    """Draw the state graph of a workflow; of a run, with its current state and the way it came.

    svg, png and pdf need the extra graph: in a clone of Holdpoint, pip install -e '.[graph]'.
    """
    form = form or _ENDINGS.get(Path(file or "").suffix.lower(), "text")
    if file is None and not call.is_json and form in ("png", "pdf") and sys.stdout.isatty():
        raise UsageError(f"a terminal cannot show {form}; write it into a file with -o OUT.{form}")
    if is_all and not is_heat:
        raise UsageError("--all-versions is for --heat alone: without it no runs are counted")
    if is_coverage:
        drawing = _draw_coverage(call, source, form, theme, is_heat)
    else:
        drawing = _draw(call, source, form, theme, is_heat, is_all)
    data = drawing if isinstance(drawing, bytes) else drawing.encode()
    if file is not None:
        write_file(file, data)
    if call.is_json:
        print_json({"format": form, **_as_json(drawing)})
    elif file is not None:
        say(f"the graph is in {file}")
    elif isinstance(drawing, bytes):
        write_bytes(drawing)
    else:
        say_all(drawing)
    return 0


def _draw(call: Call, source: str, form: str, theme: str, is_heat: bool, is_all: bool) -> str | bytes:
    if source.startswith("run_"):
        with call.engine() as engine:
            return engine.graph(source, form, theme=theme, heat=is_heat, all_versions=is_all)
    with call.engine() if is_heat else call.engine_for_files() as engine:
        definition = engine.load(call.locate(source))
        return engine.graph(definition, form, theme=theme, heat=is_heat, all_versions=is_all)


def _draw_coverage(call: Call, source: str, form: str, theme: str, is_heat: bool) -> str | bytes:
    if is_heat or source.startswith("run_"):
        raise UsageError("--coverage is for a workflow, and not with --heat: it shows what its scenarios cover")
    path = call.locate(source)
    with call.quietly():
        coverage = trials.coverage_of(path)
    with call.engine_for_files() as engine:
        return engine.graph(engine.load(path), form, theme=theme, coverage=coverage)


def _as_json(drawing: str | bytes) -> dict[str, str]:
    if isinstance(drawing, str):
        return {"graph": drawing}
    return {"encoding": "base64", "graph": b64encode(drawing).decode()}
