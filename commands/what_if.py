"""`flow what-if`: recorded runs against another definition, or with another decision, and where they part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from holdpoint import api, trials
from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import run_ids, workflows
from holdpoint.commands.given import read_answers, read_edit
from holdpoint.commands.lookup import last_request_in
from holdpoint.commands.output import Part, print_json, say, warn
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import NotFound, UsageError

if TYPE_CHECKING:
    from holdpoint import Definition, Engine
    from holdpoint.trials import Replay

_STYLES = {"same": "green", "other": "yellow", "stuck": "red"}
_PAGE = 100


@click.command("what-if", cls=Command)
@click.argument("runs", metavar="[RUN]...", nargs=-1, shell_complete=run_ids())
@click.option("--workflow", metavar="FILE|NAME", shell_complete=workflows, help="The definition to play them against.")
@click.option("--all", "is_all", is_flag=True, help="All runs of that workflow.")
@click.option("--status", multiple=True, metavar="STATUS", help="Of all, only these; several by commas or repeated.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Of all, only so many, the newest.")
@click.option("--at", "state", metavar="STATE", help="Decide otherwise in this state …")
@click.option("--visit", type=click.IntRange(1), metavar="N", help="… in this visit of it [default: the last] …")
@click.option("--decide", "option", metavar="OPTION", help="… and this is what is decided,")
@click.option("--by", metavar="NAME", help="by this person [default: --as, else who did],")
@click.option("--comment", metavar="TEXT", help="with this comment,")
@click.option("-a", "pairs", metavar="KEY=VALUE", multiple=True, help="with this answer; KEY=@FILE reads a file,")
@click.option("--answers", metavar="FILE", help="with these answers, as JSON or YAML,")
@click.option("--artifact", metavar="FILE", help="with this edit of the artifact under review.")
@click.option("--exit-code", "is_strict", is_flag=True, help="Exit with 1 if any does not end the same.")
@pass_call
def command(
    call: Call,
    runs: Sequence[str],
    workflow: str | None,
    is_all: bool,
    status: Sequence[str],
    limit: int | None,
    state: str | None,
    visit: int | None,
    option: str | None,
    by: str | None,
    comment: str | None,
    pairs: Sequence[str],
    answers: str | None,
    artifact: str | None,
    is_strict: bool,
) -> int:
    """Play recorded runs again, by another definition or with another decision, and say where they part.

    What the agents gave, people decided, nobody answered and signals said is taken from each RUN, as long after it was
    asked as it was then. Nothing is written, and no agent runs: where there is no record to go by, a run stops.
    """
    is_many = is_all or bool(status) or limit is not None
    _check(runs, workflow, state, option, is_many=is_many)
    definition = None if workflow is None else api.load(call.locate(workflow))

    def played(engine: Engine, run: str) -> Replay:
        has_values = bool(pairs or answers or artifact)
        request = last_request_in(engine, run, state, visit) if has_values and state is not None else None
        return engine.what_if(
            run,
            definition,
            at=state,
            visit=visit,
            decide=option,
            by=by or call.person,
            comment=comment,
            answers=read_answers(request, option or "", answers, pairs),
            artifact=None if artifact is None else read_edit(request, artifact),
        )

    with call.engine() as engine:
        replays = [played(engine, run) for run in list(runs) or _chosen(engine, definition, status, limit)]
    if call.is_json:
        print_json({"runs": [one.to_dict() for one in replays], "summary": trials.summary(replays).to_dict()})
    else:
        _print(replays, is_many=is_many or len(runs) > 1)
    return FINDINGS if is_strict and any(one.verdict != "same" for one in replays) else 0


def _check(runs: Sequence[str], workflow: str | None, state: str | None, option: str | None, *, is_many: bool) -> None:
    if (state is None) != (option is None):
        raise UsageError("--at and --decide go together: in which state, and what is decided there")
    if workflow is None and state is None:
        raise UsageError("say what is to be otherwise: --workflow FILE, or --at STATE --decide OPTION")
    if bool(runs) == is_many:
        raise UsageError("name each RUN, or take --all, --status or --limit of a workflow's")
    if is_many and (workflow is None or state is not None):
        raise UsageError(
            "--all, --status and --limit are for --workflow; another decision is of each RUN that is named"
        )


def _chosen(engine: Engine, definition: Definition | None, status: Sequence[str], limit: int | None) -> list[str]:
    """The runs of the definition's workflow that are meant, the newest first."""
    statuses = [word.strip() for text in status for word in text.split(",")]
    name = definition.workflow if definition is not None else None
    found: list[str] = []
    after: str | None = None
    while limit is None or len(found) < limit:
        page = engine.runs(status=statuses, workflow=name, limit=_PAGE, after=after)
        found += [run.id for run in page.items]
        after = page.next
        if after is None:
            break
    if not found:
        which = f" that is {' or '.join(statuses)}" if statuses else ""
        raise NotFound(f"there is no run of {name!r}{which}")
    return found[:limit]


def _print(replays: Sequence[Replay], *, is_many: bool) -> None:
    for one in replays:
        if not is_many:
            _print_one(one)
        elif one.verdict != "same":
            say(*_line(one))
    if not is_many:
        return
    found = trials.summary(replays)
    say((found.said, "bold"))
    if found.stops:
        say(f"  those that cannot go on stop {found.said_of_stops}")
    if found.by_another_way:
        say(f"  of the same, {found.by_another_way} by another way")
    for one in replays:
        for note in one.notes:
            warn(f"{one.run}: {note}")


def _line(one: Replay) -> list[Part]:
    return [f"{one.run} ", (_verdict(one), _STYLES[one.verdict]), f": {_why(one)}"]


def _verdict(one: Replay) -> str:
    return "cannot go on" if one.verdict == "stuck" else one.replayed.said


def _why(one: Replay) -> str:
    if one.parting is None:
        return "its output is another"
    return one.parting.text


def _print_one(one: Replay) -> None:
    say((f"{one.run} of {one.workflow}", "bold"), f" ({one.before[:12]} → {one.after[:12]})")
    say("  recorded  ", " → ".join(one.recorded.path), f": {one.recorded.said}")
    say("  what if   ", " → ".join(one.replayed.path), ": ", (_verdict(one), _STYLES[one.verdict]))
    if one.parting is not None:
        say(f"  parts     in {one.parting.state!r}, visit {one.parting.visit}: {one.parting.text}")
    if one.stop is not None and (one.parting is None or one.parting.text != one.stop.text):
        say(f"  stops     {one.stop.text}")
    for text in _outputs(one):
        for shown in text.splitlines():
            say(shown)
    for note in one.notes:
        say(("  note      ", "dim"), note)


def _outputs(one: Replay) -> list[str]:
    from holdpoint.commands.output import show_json

    if one.verdict == "stuck" or one.recorded.output == one.replayed.output:
        return []
    pairs: list[tuple[str, Json]] = [("was", one.recorded.output), ("would be", one.replayed.output)]
    return [f"  output    {word} {show_json(value)}" for word, value in pairs]
