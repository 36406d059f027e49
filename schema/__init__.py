"""Workflow files: read, checked against their JSON Schema and their meaning, compiled to one normalised document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from holdpoint.engine.canonical import Json
from holdpoint.engine.errors import Finding, Invalid
from holdpoint.schema.checks import check_meaning, check_runs
from holdpoint.schema.compile import compile_document
from holdpoint.schema.ignores import apply_ignores
from holdpoint.schema.proofs import Proof
from holdpoint.schema.reader import read
from holdpoint.schema.report import MAX_ERRORS, People, Report, TooManyErrors
from holdpoint.schema.shape import check_shape, schema_text
from holdpoint.schema.sheet import Sheet

__all__ = ["Checked", "Proof", "check", "check_text", "examine", "read_value", "schema_text"]

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_MEANING: Final = "what the workflow means is checked once these errors are mended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of checking a file: the normalised document, None where there are errors, and what was found.

    `ignored` are the warnings that comments of the file silence; they are not among the findings. `proofs` is what is
    proved of all runs and what is not; nothing is said of a workflow with errors that are found before. `unseen` says
    what the check did not come to, because of these errors; an empty text where it came to its end.
    """

    document: Json | None
    findings: tuple[Finding, ...]
    ignored: tuple[Finding, ...] = ()
    proofs: Sequence[Proof] = ()
    unseen: str = ""


def check_text(text: str | bytes, file: str, people: People | None = None) -> tuple[Json | None, tuple[Finding, ...]]:
    """The normalised document of a workflow, and what was found in the order of the file.

    The document is None where there are errors; warnings come with a document. Checking stops after 100 errors.
    *file* is only the name that the findings have; *people* are those who are known, with their roles.
    """
    checked = check(text, file, people)
    return checked.document, checked.findings


def check(text: str | bytes, file: str, people: People | None = None, taken: Mapping[str, str] = _NONE) -> Checked:
    """Everything about a workflow; as `check_text`, with what comments silence and what is proved.

    *taken* are names that other files of the project have, each with the file.
    """
    return _check(text, file, people, taken)


def examine(text: str | bytes, file: str, people: People | None = None) -> Checked:
    """As `check`, to compare a workflow with another.

    One whose only errors are that its runs can go wrong has a document here, though no run may be started from it.
    """
    return _check(text, file, people, _NONE, is_lenient=True)


def _check(
    text: str | bytes, file: str, people: People | None, taken: Mapping[str, str], *, is_lenient: bool = False
) -> Checked:
    document, problems = read(text, file)
    if document is None:
        return Checked(document=None, findings=problems, unseen=_MEANING)
    report = Report(document, people)
    sheet, proofs, unseen = _checked(report, taken)
    apply_ignores(report)
    is_compiled = not report.has_errors or (is_lenient and bool(proofs))
    return Checked(
        document=compile_document(sheet) if sheet is not None and is_compiled else None,
        findings=report.findings,
        ignored=report.ignored,
        proofs=proofs,
        unseen=unseen,
    )


def read_value(data: bytes, file: str) -> Json:
    """The value of a YAML text, read as strictly as a workflow. Raises `Invalid`, code `not_yaml`."""
    document, problems = read(data, file)
    if document is None:
        raise Invalid("\n".join(str(finding) for finding in problems), code="not_yaml")
    return document.value


def _checked(report: Report, taken: Mapping[str, str]) -> tuple[Sheet | None, Sequence[Proof], str]:
    try:
        _check_name(report, taken)
        value = check_shape(report)
        if value is None:
            return None, (), _MEANING
        check_meaning(sheet := Sheet(report=report, value=value))
        # A graph with a hole in it would be reported a second time as states that cannot be reached.
        return sheet, () if report.has_errors else check_runs(sheet), ""
    except TooManyErrors:
        return None, (), f"the check stopped after {MAX_ERRORS} errors"


def _check_name(report: Report, taken: Mapping[str, str]) -> None:
    value = report.document.value
    name = value.get("workflow") if isinstance(value, dict) else None
    if isinstance(name, str) and name in taken:
        message = f"workflow {name!r} is in {taken[name]!r} too"
        report.value(("workflow",), "HP270", message, "give one of the two another name")
