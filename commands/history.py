"""`flow history`: what happened to a run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from threading import Event

import click
from rich.cells import cell_len

from holdpoint import Engine, Entry
from holdpoint.cli import INTERRUPTED
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import run_ids
from holdpoint.commands.output import Part, broken, escape, print_json, say, shorten, show_time, terminal_width
from holdpoint.engine.canonical import Json

_POLL_SECONDS = 0.5
_INDENT = " " * 6
_STYLES = {
    "run.failed": "red",
    "agent.failed": "red",
    "agent.crashed": "red",
    "decision.refused": "red",
    "request.opened": "yellow",
    "request.decided": "green",
    "request.expired": "green",
    "run.ended": "bold green",
}


@click.command(cls=Command)
@click.argument("run", metavar="RUN", shell_complete=run_ids())
@click.option("--follow", "is_following", is_flag=True, help="Go on with what happens, until the run has ended.")
@pass_call
def command(call: Call, run: str, is_following: bool) -> int:
    """Show all that happened to a run, one entry a line. With --follow and --json, each line is a document."""
    with call.engine() as engine:
        if is_following:
            return _follow(call, engine, run)
        entries = engine.history(run)
    if call.is_json:
        print_json({"events": [entry.to_dict() for entry in entries]})
    else:
        _print(entries)
    return 0


def _follow(call: Call, engine: Engine, run: str) -> int:
    """Print entries as they come. Whoever interrupts it has seen enough, so that is no error to tell of."""
    seen = 0
    pause = Event()
    try:
        while True:
            has_ended = engine.get_run(run).ended_at is not None  # asked first: what ended it is then among the entries
            entries = engine.history(run)[seen:]
            seen += len(entries)
            if call.is_json:
                for entry in entries:
                    print_json(entry.to_dict(), is_line=True)
            else:
                _print(entries)
                sys.stdout.flush()
            if has_ended:
                return 0
            pause.wait(_POLL_SECONDS)
    except KeyboardInterrupt:
        return INTERRUPTED


def _print(entries: Sequence[Entry]) -> None:
    for entry in entries:
        _print_entry(entry, terminal_width())


def _print_entry(entry: Entry, width: int | None) -> None:
    """An entry in a line; on a terminal that is too narrow, with what it says broken between words below it."""
    actor = entry.actor or ("timer" if entry.actor_kind == "timer" else "")
    told = shorten(escape(_told(entry.kind, entry.data)), 160)
    words = [f"  {text}" for text in (actor, told) if text]
    line: list[Part] = [
        (f"{entry.seq:>4}  {show_time(entry.at)}  ", "dim"),
        (f"{entry.kind:<17}" if words else entry.kind, _STYLES.get(entry.kind, "")),
    ]
    if width is None or not told or _width(*line, *words) <= width:
        say(*line, *words)
        return
    say(*line, *words[:-1])
    for part in broken(told, width - len(_INDENT)):
        say(f"{_INDENT}{part}")


def _width(*parts: Part) -> int:
    return sum(cell_len(part if isinstance(part, str) else part[0]) for part in parts)


def _opened(data: Mapping[str, Json]) -> str:
    return f"{data['request']} for {' or '.join(data['options'])}{_due(data)}: {data['message']}"


def _due(data: Mapping[str, Json]) -> str:
    return f", due {show_time(data['due_at'])}" if data.get("due_at") else ""


def _why(data: Mapping[str, Json]) -> str:
    return f": {data['reason']}" if data.get("reason") else ""


def _settled(data: Mapping[str, Json]) -> str:
    comment = f": {data['comment']}" if data.get("comment") else ""
    return f"{data['request']} {data['decision']}{comment}"


_TOLD: Mapping[str, Callable[[Mapping[str, Json]], str]] = {
    "run.started": lambda data: f"{data['workflow']}",
    "state.entered": lambda data: f"{data['state']}, visit {data['visit']}",
    "agent.started": lambda data: f"attempt {data['attempt']}",
    "agent.failed": lambda data: f"{data['code']}: {data['message']}",
    "agent.succeeded": lambda data: "",
    "artifact.revised": lambda data: f"{data['name']}, revision {data['revision']}",
    "request.opened": _opened,
    "request.decided": _settled,
    "request.expired": _settled,
    "decision.refused": lambda data: f"{data['decision']}: {data['code']}",
    "transition": lambda data: f"{data['from']} → {data['to']} by {data['option']}",
    "request.assigned": lambda data: f"{data['request']} for {', '.join(data['assign']) or 'anyone'}",
    "request.claimed": lambda data: f"{data['request']} by {data.get('claimed_by') or 'nobody'}",
    "operator.extended": lambda data: f"{data['request']}{_due(data)}{_why(data)}",
    "operator.moved": lambda data: f"to {data['to']}{_why(data)}",
    "wait.started": lambda data: f"{data['state']}{_due(data)}",
    "wait.ended": lambda data: f"{data['state']} by {data['option']}",
    "signal.received": lambda data: f"{data['name']}",
    "run.ended": lambda data: f"{data['outcome']}",
    "run.failed": lambda data: f"{data['code']}: {data['message']}",
}


def _told(kind: str, data: Mapping[str, Json]) -> str:
    """What an entry says, in short; hashes and details are in `--json`."""
    tell = _TOLD.get(kind)
    if tell is not None:
        return tell(data)
    return ", ".join(f"{name} {value}" for name, value in data.items() if isinstance(value, (int, str)))
