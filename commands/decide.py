"""`flow decide`: a person settles a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from holdpoint import Engine, Request, Run
from holdpoint.commands import Call, Command, advance_option, pass_call
from holdpoint.commands.completion import any_ids, request_options
from holdpoint.commands.given import read_answers, read_edit, under_review
from holdpoint.commands.lookup import requests_before
from holdpoint.commands.output import say
from holdpoint.commands.render import finish
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Conflict


@click.command(cls=Command)
@click.argument("target", metavar="REQUEST|RUN", shell_complete=any_ids)
@click.argument("option", shell_complete=request_options)
@click.option("--comment", metavar="TEXT", help="What you have to say.")
@click.option("-a", "pairs", metavar="KEY=VALUE", multiple=True, help="One answer of the form; KEY=@FILE reads a file.")
@click.option(
    "--answers",
    "file",
    metavar="FILE",
    help="The answers, as JSON or, by its ending, YAML; - is JSON on standard input.",
)
@click.option("--artifact", metavar="FILE", help="Your edit of the artifact under review.")
@click.option("--base", type=int, metavar="N", help="The revision that you looked at [default: the one shown].")
@click.option("--at", "state", metavar="STATE", help="Refuse if the run is in another state.")
@click.option("--key", metavar="KEY", help="Your own key: the same decision again changes nothing.")
@advance_option
@pass_call
def command(
    call: Call,
    target: str,
    option: str,
    comment: str | None,
    pairs: Sequence[str],
    file: str | None,
    artifact: str | None,
    base: int | None,
    state: str | None,
    key: str | None,
    is_advancing: bool | None,
) -> int:
    """Settle a REQUEST, or the one open request of a RUN, and advance the run.

    An edited artifact is taken byte for byte where it is a text, else as JSON, or YAML by its ending.
    """
    with call.engine() as engine:
        has_values = bool(pairs or file or artifact)
        request = _request_meant(engine, target, state) if has_values else None
        try:
            with call.quietly():
                run = engine.decide(
                    target,
                    option,
                    by=call.who,
                    comment=comment,
                    answers=read_answers(request, option, file, pairs),
                    artifact=None if artifact is None else read_edit(request, artifact),
                    base=base,
                    at=state,
                    key=key,
                    advance=call.advances(is_advancing),
                )
        except Conflict as error:
            if error.code == "stale_revision" and not call.is_json:
                _show_both(call, error.details)
            raise
        status = finish(call, run)
        if artifact is not None and not call.is_json:
            _say_what_became_of_the_edit(call, engine, run, request)
        return status


def _say_what_became_of_the_edit(call: Call, engine: Engine, run: Run, request: Request | None) -> None:
    """Which revision the person's edit is, and how to see what it changed of the one before."""
    shown = under_review(request)
    decision = None if request is None else engine.get_request(request.id).decision
    if shown is None or decision is None:
        return
    name, number = str(shown["name"]), decision["artifacts"][shown["name"]]["revision"]
    revision = engine.artifact(run.id, name, number)
    if number == shown["revision"]:
        say(f"your edit changes nothing: {name!r} is at revision {number} as before")
        return
    say(f"your edit is revision {number} of {name!r}; what it changed:")
    say(f"  {call.prefix_of_all} diff {run.id} {name} {revision.parent} {number}")


def _show_both(call: Call, details: Mapping[str, Json]) -> None:
    """Show on standard error what the latest revision and the person's own edit are to each other."""
    from holdpoint.commands.diff import print_changes
    from holdpoint.engine.diff import diff

    if "yours" not in details:
        return
    with call.quietly():
        say(f"from the latest, revision {details['latest']['revision']} by {details['latest']['author']}, to yours:")
        print_changes(diff(details["latest"]["content"], details["yours"]))
        if "merge" in details:
            say("both together, which can be merged, against the latest:")
            print_changes(diff(details["latest"]["content"], details["merge"]))


def _request_meant(engine: Engine, target: str, state: str | None) -> Request | None:
    """The request whose form and artifact say how to read what is given: the one that is open, or was last.

    None where that cannot be told, and then the decision is refused for that reason.
    """
    if target.startswith("req_"):
        return engine.get_request(target)
    run = engine.get_run(target)
    found = [request for request in run.requests if state in (None, request.state)]
    if found:
        return engine.get_request(found[0].id) if len(found) == 1 else None
    return next((request for request in requests_before(engine, run) if state in (None, request.state)), None)
