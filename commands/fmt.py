"""`flow fmt`: workflow files in canonical layout."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff

import click

from holdpoint import sources
from holdpoint.cli import FINDINGS
from holdpoint.commands import Call, Command, pass_call
from holdpoint.commands.check import all_files, print_finding
from holdpoint.commands.completion import workflows
from holdpoint.commands.output import print_json, say, write_bytes
from holdpoint.engine.errors import Finding, UsageError

STDIN = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What became of one file: its new content is None where there are errors."""

    file: str
    old: bytes
    new: bytes | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def is_changed(self) -> bool:
        return self.new is not None and self.new != self.old

    def to_dict(self, *, is_written: bool) -> dict[str, object]:
        status = "invalid" if self.new is None else "unchanged"
        if self.is_changed:
            status = "formatted" if is_written else "would change"
        return {"file": self.file, "status": status, "findings": [error.to_dict() for error in self.errors]}


@click.command(cls=Command)
@click.argument("files", metavar="[FILE|NAME|-]...", nargs=-1, shell_complete=workflows)
@click.option("--check", "is_check", is_flag=True, help="Write nothing; list what would change, and exit with 1.")
@click.option("--diff", "is_diff", is_flag=True, help="Write nothing; print what would change as a unified diff.")
@pass_call
def command(call: Call, files: Sequence[str], is_check: bool, is_diff: bool) -> int:
    """Lay out workflow files, by default all of the project.

    Keys come in the order of the language, two spaces a level; comments stay, and so do the order of states and
    options and everything that a file means. With - for a FILE, standard input is laid out to standard output. A file
    with errors is left as it is, and the exit status is 1.
    """
    if STDIN in files:
        return _standard_input(call, files, is_check, is_diff)
    is_written = not is_check and not is_diff
    paths = [call.locate(name) for name in files] or all_files(call)
    results = []
    for path in paths:
        result = _laid_out(call, str(path), sources.read_bytes(path))
        if is_written and result.is_changed and result.new is not None:
            sources.write(path, result.old, result.new)
        results.append(result)
    if call.is_json:
        print_json({"files": [result.to_dict(is_written=is_written) for result in results]})
    else:
        _print(results, is_written=is_written, is_diff=is_diff)
    return _status(results, is_check=is_check)


def _laid_out(call: Call, file: str, data: bytes) -> _Result:
    new, findings = sources.formatted(data, file, call.settings.known_people)
    return _Result(file=file, old=data, new=new, findings=findings)


def _standard_input(call: Call, files: Sequence[str], is_check: bool, is_diff: bool) -> int:
    if len(files) > 1:
        raise UsageError(f"standard input cannot be laid out together with files; name {STDIN!r} alone")
    result = _laid_out(call, STDIN, sys.stdin.buffer.read())
    if call.is_json:
        print_json({"files": [result.to_dict(is_written=False)]})
    elif is_diff:
        _print([result], is_written=False, is_diff=True)
    elif not is_check and result.new is not None:
        write_bytes(result.new)
    if not call.is_json and not is_diff:
        for error in result.errors:
            print_finding(error, to=sys.stderr)
    return _status([result], is_check=is_check)


def _status(results: Sequence[_Result], *, is_check: bool) -> int:
    is_wrong = any(result.errors for result in results) or (is_check and any(result.is_changed for result in results))
    return FINDINGS if is_wrong else 0


def _print(results: Sequence[_Result], *, is_written: bool, is_diff: bool) -> None:
    for result in results:
        for error in result.errors:
            print_finding(error, to=sys.stderr)
        if is_diff:
            sys.stdout.writelines(_difference(result))
        elif result.is_changed:
            say(("formatted " if is_written else "would change ", "green" if is_written else "yellow"), result.file)
    if not is_diff:
        say(_summary(results, is_written=is_written))


def _difference(result: _Result) -> Iterator[str]:
    if result.new is None:
        return
    old, new = (data.decode().splitlines(keepends=True) for data in (result.old, result.new))
    for line in unified_diff(old, new, result.file, result.file):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _summary(results: Sequence[_Result], *, is_written: bool) -> str:
    changed = sum(result.is_changed for result in results)
    left = sum(result.new is None for result in results)
    parts = [
        f"{changed} formatted" if is_written else f"{changed} would change",
        f"{len(results) - changed - left} as they should be",
    ]
    if left:
        parts.append(f"{left} with errors, left as they are")
    return ", ".join(parts)
