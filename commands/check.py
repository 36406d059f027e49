"""`flow check`: what is wrong with workflow files."""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from holdpoint import sources
from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, pass_call, short_path
from holdpoint.commands.artifact import write_file
from holdpoint.commands.completion import workflows
from holdpoint.commands.explain import print_proofs, proofs_json
from holdpoint.commands.output import print_json, say
from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Finding, NotFound, UsageError, counted

if TYPE_CHECKING:
    from holdpoint.sources import Checked

FORMATS = ("text", "json", "sarif")


@click.command(cls=Command)
@click.argument("files", metavar="[FILE|FOLDER|NAME]...", nargs=-1, shell_complete=workflows)
@click.option("--strict", "is_strict", is_flag=True, help="Exit with 1 for warnings too.")
@click.option(
    "--explain",
    "is_explained",
    is_flag=True,
    help="Say what is proved of every run, and why, or show the path that fails.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    metavar="FORMAT",
    default="text",
    show_default=True,
    help="text, json, or sarif, which is for code review.",
)
@click.option("-o", "--output", "file", metavar="OUT", help="Write it into a file, and print the text.")
@pass_call
def command(call: Call, files: Sequence[str], is_strict: bool, is_explained: bool, form: str, file: str | None) -> int:
    """Check workflow files, by default all of the project; of a FOLDER, all that are below it.

    Each finding is FILE:LINE:COLUMN, error or warning, a code, what was found, and what to do. The exit status is 1
    where there are errors. A comment "# flow: ignore HP215" at the end of the line, or alone on the line above,
    silences a warning of that code. Files in .scenarios.yaml and .cases.yaml are left out.
    """
    gc.disable()  # a check makes many objects, drops few, and ends: a tenth of its time went into looking for garbage
    if file is not None and form == "text":
        raise UsageError("a text is printed, and -o writes what a program reads; add --format json or --format sarif")
    named = dict.fromkeys(path for name in files for path in _files(call, name))
    paths = list(named) or all_files(call)
    checked = dict(zip(paths, sources.check_files(paths, call.settings), strict=True))
    counts: Counter[str] = Counter(finding.severity for one in checked.values() for finding in one.findings)
    if file is not None:
        write_file(file, json.dumps(_document(checked, form, is_explained), indent=2).encode() + b"\n")
        form = "text"  # beside the file, what is printed is for people
    if form == "text" and not call.is_json:
        _print(checked, counts, is_explained)
    else:
        print_json(_document(checked, form, is_explained))
    return FINDINGS if counts["error"] or (is_strict and counts["warning"]) else 0


def _document(checked: Mapping[Path, Checked], form: str, is_explained: bool) -> Json:
    """What was found, for programs; the log in SARIF has no place for proofs."""
    if form == "sarif":
        return sources.sarif(checked)
    findings = [finding.to_dict() for one in checked.values() for finding in one.findings]
    document: dict[str, Json] = {"findings": findings, "ignored": _count_ignored(checked)}
    if is_explained:
        document["proofs"] = proofs_json({path: one.proofs for path, one in checked.items()})
    return document


def _count_ignored(checked: Mapping[Path, Checked]) -> int:
    return sum(len(one.ignored) for one in checked.values())


def _files(call: Call, name: str) -> list[Path]:
    """The files that a FILE, FOLDER or NAME means. Raises `NotFound` where there is none."""
    folder = Path(name)
    if not folder.is_dir() or name in sources.workflow_names(call.settings):
        return [call.locate(name)]
    found = sources.files_below(folder)
    if not found:
        raise NotFound(f"there is no workflow file below {name!r}", details={"folder": name})
    return found


def all_files(call: Call) -> list[Path]:
    """The workflow files of the project. Raises `NotFound` where there is none."""
    settings = call.settings
    found = sources.workflow_files(settings)
    if not found:
        folders = ", ".join(repr(folder) for folder in settings.workflows)
        raise NotFound(f"there is no workflow file under {folders} of {settings.project}; name a FILE")
    return [short_path(path) for path in found]


def _print(checked: Mapping[Path, Checked], counts: Counter[str], is_explained: bool) -> None:
    if is_explained:
        print_proofs({path: one.proofs for path, one in checked.items()})
    for path, one in checked.items():
        for finding in one.findings:
            print_finding(finding)
        if one.unseen:
            say(f"{path}: ", ("note", "cyan"), f": {one.unseen}")
    files = counted(len(checked), "file")
    found = [counted(counts[kind], kind) for kind in ("error", "warning") if counts[kind]]
    if ignored := _count_ignored(checked):
        found.append(f"{counted(ignored, 'warning')} ignored")
    if not counts:
        say(("ok", "green"), f": {', '.join([files, *found])}")
    else:
        say(f"{files}: {', '.join(found)}")


def print_finding(finding: Finding, to: IO[str] | None = None) -> None:
    """Print one finding in one line."""
    fix = f"; {finding.fix}" if finding.fix else ""
    say(
        f"{finding.file}:{finding.line}:{finding.column}: ",
        (finding.severity, "bold red" if finding.severity == "error" else "yellow"),
        f" {finding.code} {finding.message}{fix}",
        to=to,
    )
