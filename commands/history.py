"""`flow history`: what happened to a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.output import print_json, say, shorten, show_time
from holdpoint.engine.canonical import Json

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
@click.argument("run", metavar="RUN")
@pass_call
def command(call: Call, run: str) -> int:
    """Show all that happened to a run, one entry a line."""
    with call.engine() as engine:
        entries = engine.history(run)
    if call.is_json:
        print_json({"events": [entry.to_dict() for entry in entries]})
        return 0
    for entry in entries:
        actor = entry.actor or ("timer" if entry.actor_kind == "timer" else "")
        say(
            (f"{entry.seq:>4}  {show_time(entry.at)}  ", "dim"),
            (f"{entry.kind:<17}", _STYLES.get(entry.kind, "")),
            *(f"  {text}" for text in (actor, shorten(_told(entry.kind, entry.data), 160)) if text),
        )
    return 0


def _opened(data: Mapping[str, Json]) -> str:
    due = f", due {show_time(data['due_at'])}" if "due_at" in data else ""
    return f"{data['request']} for {' or '.join(data['options'])}{due}: {data['message']}"


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
    "run.ended": lambda data: f"{data['outcome']}",
    "run.failed": lambda data: f"{data['code']}: {data['message']}",
}


def _told(kind: str, data: Mapping[str, Json]) -> str:
    """What an entry says, in short; hashes and details are in `--json`."""
    tell = _TOLD.get(kind)
    if tell is not None:
        return tell(data)
    return ", ".join(f"{name} {value}" for name, value in data.items() if isinstance(value, (int, str)))
