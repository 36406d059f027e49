"""What `flow runs` and `flow inbox` share: the way to the next page, and a word about a workflow that nobody has."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from shlex import join

from holdpoint import Engine, sources
from holdpoint.commands import Call
from holdpoint.commands.output import say, warn
from holdpoint.engine.errors import HoldpointError, did_you_mean

LIMIT = 50


def say_more(call: Call, command: str, options: Mapping[str, str | int | bool | Sequence[str] | None]) -> None:
    """Say on standard error the command that shows the next page, with the options of this one: no row for a pipe."""
    words: list[str] = []
    for option, value in options.items():
        if isinstance(value, bool):
            words += [option] if value else []
        elif isinstance(value, str | int):
            words += [option, str(value)]
        else:
            words += [word for one in value or () for word in (option, one)]
    sys.stdout.flush()  # where both streams end in one file, the rows come first
    say(f"more: {call.prefix} {join([command, *words])}", to=sys.stderr)


def warn_of_unknown(call: Call, engine: Engine, workflow: str) -> None:
    """Warn where neither a run nor a file of the project has this workflow's name."""
    if engine.runs(workflow=workflow, limit=1).items:
        return
    try:
        names = sources.workflow_names(call.settings)
    except HoldpointError:  # a file that cannot be read is nothing to a listing
        return
    if workflow not in names:
        known = sorted({*names, *(run.workflow for run in engine.runs(limit=LIMIT).items)})
        hint = did_you_mean(workflow, known)
        warn(f"no run and no file has the workflow {workflow!r}" + (f"; {hint}" if hint else ""))
