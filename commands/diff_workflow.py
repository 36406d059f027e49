"""`flow diff-workflow`: what changed between two definitions, in words, and whether the proofs still hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdpoint import trials
from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.completion import graph_sources
from holdpoint.commands.output import print_json, say, warn

if TYPE_CHECKING:
    from holdpoint import Definition
    from holdpoint.trials import Change, Comparison, Side, Verdict

_SIGNS = {
    "added": ("+", "green"),
    "removed": ("-", "red"),
    "changed": ("~", "yellow"),
    "renamed": (">", "cyan"),
}
_COUNTING = ("reach", "end")
"""Claims whose reason only counts or lists states."""

_RISK = ("!", "bold red")


@click.command("diff-workflow", cls=Command)
@click.argument("before", metavar="A", shell_complete=graph_sources)
@click.argument("after", metavar="B", shell_complete=graph_sources)
@click.option("--exit-code", "is_strict", is_flag=True, help="Exit with 1 if anything changed.")
@pass_call
def command(call: Call, before: str, after: str, is_strict: bool) -> int:
    """Say what changed from definition A to definition B, and which proofs still hold.

    A and B are each a FILE, a NAME, or a RUN, which stands for the definition that it started with. A line begins with
    + (new), - (gone), ~ (changed) or > (renamed, as it seems); ! marks what lets more happen without a person, and
    input that callers must give now. The exit status is 1 where something that was proved no longer holds, and with
    --exit-code also where anything changed.
    """
    found = trials.compare(_source(call, before), _source(call, after), call.settings.known_people)
    if call.is_json:
        print_json(found.to_dict())
    else:
        for name, side in ((before, found.before), (after, found.after)):
            _warn_of_errors(name, side)
        _print(found, before, after)
    return FINDINGS if found.loses_proofs or (is_strict and not found.is_equal) else 0


def _source(call: Call, name: str) -> Definition | Path:
    if name.startswith("run_"):
        with call.engine() as engine:
            return engine.definition(name)
    return call.locate(name)


def _warn_of_errors(name: str, side: Side) -> None:
    if side.errors:
        codes = ", ".join(dict.fromkeys(finding.code for finding in side.errors))
        warn(f"no run can be started from {name}, which has errors: {codes}; flow check says more")


def _print(found: Comparison, before: str, after: str) -> None:
    old, new = found.before.definition.version[:12], found.after.definition.version[:12]
    say((f"{before} ({old}) → {after} ({new})", "bold"))
    kept = [change for change in found.changes if change.is_cosmetic]
    for change in found.changes:
        if not change.is_cosmetic:
            _print_change(change)
    if kept:
        say("for people only, the version does not change with it:")
        for change in kept:
            _print_change(change)
    if found.is_equal:
        say("  nothing changed")
    say(("proofs", "bold"))
    width = max(len(verdict.word) for verdict in found.verdicts)
    for verdict in found.verdicts:
        _print_verdict(verdict, width)


def _print_change(change: Change) -> None:
    say(_RISK if change.is_risky else " ", " ", _SIGNS[change.kind], f" {change.text}")


def _print_verdict(verdict: Verdict, width: int) -> None:
    style = "bold red" if verdict.is_lost else "green" if verdict.after and verdict.after.holds else ""
    word = verdict.word.upper() if verdict.is_lost else verdict.word
    say("  ", (f"{word:<{width}}", style), f"  {verdict.text}")
    reasons = [proof.reason if proof else "nothing could be proved" for proof in (verdict.before, verdict.after)]
    margin = " " * (width + 4)
    if verdict.word == "holds in both" and verdict.claim in _COUNTING:
        return
    if reasons[0] != reasons[1]:
        say(margin, f"now: {reasons[1]}")
        say(margin, f"was: {reasons[0]}")
    elif verdict.word != "holds in both":
        say(margin, reasons[1])
