"""`flow check`: what is wrong with workflow files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from holdpoint import api
from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, pass_call, short_path
from holdpoint.commands.completion import workflows
from holdpoint.commands.explain import print_proofs, proofs_json
from holdpoint.commands.output import print_json, say
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Finding, NotFound


@click.command(cls=Command)
@click.argument("files", metavar="[FILE|NAME]...", nargs=-1, shell_complete=workflows)
@click.option("--strict", "is_strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option(
    "--explain",
    "is_explained",
    is_flag=True,
    help="Say what is proved of every run, and why, or show the path that fails.",
)
@pass_call
def command(call: Call, files: Sequence[str], is_strict: bool, is_explained: bool) -> int:
    """Check workflow files, by default all of the project.

    Each finding is FILE:LINE:COLUMN, error or warning, a code, what was found, and what to do. The exit status is 1
    where there are errors.
    """
    paths = [call.locate(name) for name in files] or _all_files(call)
    checked = {path: api.prove(path, call.settings.known_people) for path in paths}
    findings = [finding for _, found in checked.values() for finding in found]
    proofs = {path: claims for path, (claims, _) in checked.items()}
    counts: Counter[str] = Counter(finding.severity for finding in findings)
    if call.is_json:
        document: dict[str, Json] = {"findings": [finding.to_dict() for finding in findings]}
        print_json(document | ({"proofs": proofs_json(proofs)} if is_explained else {}))
    else:
        if is_explained:
            print_proofs(proofs)
        _print(findings, counts, len(paths))
    return FINDINGS if counts["error"] or (is_strict and counts["warning"]) else 0


def _all_files(call: Call) -> list[Path]:
    settings = call.settings
    found = api.workflow_files(settings)
    if not found:
        folders = ", ".join(repr(folder) for folder in settings.workflows)
        raise NotFound(f"there is no workflow file under {folders} of {settings.project}; name a FILE")
    return [short_path(path) for path in found]


def _print(findings: Sequence[Finding], counts: Counter[str], files: int) -> None:
    for finding in findings:
        fix = f"; {finding.fix}" if finding.fix else ""
        say(
            f"{finding.file}:{finding.line}:{finding.column}: ",
            (finding.severity, "bold red" if finding.severity == "error" else "yellow"),
            f" {finding.code} {finding.message}{fix}",
        )
    checked = f"{files} file" + ("" if files == 1 else "s")
    if not findings:
        say(("ok", "green"), f": {checked}")
        return
    say(f"{checked}: " + ", ".join(_count(counts[kind], kind) for kind in ("error", "warning") if counts[kind]))


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
